"""The measurements: each function runs one block and returns plain numbers for the report.

Whatever is compared is measured in turn, A B A B, so that a change of the machine's mood meets
all; the report takes medians.
"""

import mmap
import os
import struct
import subprocess
import time
from statistics import median

import servers
import world
from loads import KEPT, LARGE, MANY, ONCE, Crowd, MemoryWatch
from servers import BOX, Dovecot, FullGodwit, Godwit, LoggingGodwit, Postfix, Sink
from world import Trouble

# How long one run of a load takes, about.
RUN_S = 2
LARGE_OCTETS = 25 << 20
CROWD = 10000
LOG_PAIRS = 24
FEW = 60  # connections to a server that has a process for each


class Bench:
    """What every block needs."""

    def __init__(self, options, peers, clients):
        self.build, self.rounds = options.build, options.rounds
        self.peers, self.clients = peers, clients
        self.with_peers = os.getuid() == 0

    def say(self, words):
        print(f"  {words}  (load {world.load():.1f})", flush=True)

    def started(self, wanted):
        """Starts each; one that does not start stops those before it."""
        running = []
        try:
            for server in wanted:
                server.start()
                running.append(server)
        except Trouble:
            stop_all(running)
            raise
        return running


def stop_all(running):
    for server in running:
        server.stop()


def count_for(bench, server, load, octets=5120):
    """How many messages make a run of the right length: tried with a few."""
    few = load.sessions * (4 if octets < 1 << 20 else 1)
    seconds = bench.clients.send(server, load, few, octets)["seconds"]
    return max(few, int(few * RUN_S / seconds) // load.sessions * load.sessions)


def smtp(bench, place):
    """Acceptance and delivery of messages of 5 KB: {server: {load: [run, ...]}}."""
    wanted = [Sink(place, bench.peers), Godwit(place, bench.build)]
    if bench.with_peers:
        wanted += [Postfix(place, bench.peers), Dovecot(place, bench.peers)]
    running = bench.started(wanted)
    found = {server.name: {} for server in running}
    try:
        for load in (ONCE, KEPT, MANY):
            chosen = running if load is not MANY else running[:2]
            counts = [count_for(bench, server, load) for server in chosen]
            for _ in range(bench.rounds):
                place.measure_sync()
                for server, count in zip(chosen, counts):
                    run = bench.clients.send(server, load, count)
                    found[server.name].setdefault(load.name, []).append(run)
            bench.say(f"{place.name}: {load.name}")
    finally:
        stop_all(running)
    return found


def log(bench, place):
    """What the log of commands costs: {load: [CPU with it / CPU without it, ...]}.  Many short runs
    in turn, A B B A, since it is less than one run differs from the next."""
    running = bench.started([Godwit(place, bench.build), LoggingGodwit(place, bench.build)])
    found = {}
    try:
        for load in (ONCE, KEPT):
            count = count_for(bench, running[0], load) // 6
            for n in range(LOG_PAIRS):
                order = running if n % 2 == 0 else running[::-1]
                used = {s.name: bench.clients.send(s, load, count)["cpu_us"] for s in order}
                found.setdefault(load.name, []).append(
                    used[LoggingGodwit.name] / used[Godwit.name])
        bench.say(f"{place.name}: log of commands")
    finally:
        stop_all(running)
    return found


def large(bench, place):
    """Messages of 25 MB: {server: {"runs": [...], "memory_kb": [before, peak]}}."""
    if place.room() < 8 << 30:
        return {}
    wanted = [Sink(place, bench.peers), Godwit(place, bench.build)]
    if bench.with_peers:
        wanted.append(Postfix(place, bench.peers))
    running = bench.started(wanted)
    found = {s.name: {"runs": []} for s in running}
    try:
        counts = [min(48, count_for(bench, s, LARGE, LARGE_OCTETS)) for s in running]
        for _ in range(bench.rounds):
            for server, count in zip(running, counts):
                with MemoryWatch(server.pid) as memory:
                    run = bench.clients.send(server, LARGE, count, LARGE_OCTETS)
                run["mb_per_s"] = run["delivered_per_s"] * LARGE_OCTETS / 1e6
                found[server.name]["runs"].append(run)
                found[server.name].setdefault("memory_kb", []).append(
                    [memory.first_kb, memory.peak_kb])
        bench.say(f"{place.name}: messages of 25 MB")
    finally:
        stop_all(running)
    return found


def maildrop_round(bench, server, count, fill):
    """Fills the maildrop; everything is read several times, then deleted."""
    fill()
    run = {}
    for window in (1, 64):
        # A small one is read in a moment: the middle of five.
        tries = [bench.clients.pop3(server, "retr", window, BOX)
                 for _ in range(1 if count > 5000 else 5)]
        got = tries[0]
        run[f"retr_{window}_per_s"] = median(t["per_s"] for t in tries)
        run["noop_per_s"] = median(t["noop_per_s"] for t in tries)
        run["octets"] = got["octets"] // got["messages"]
        # The first STAT meets a maildrop that nobody has opened, the second one that is known.
        run["stat_first_ms" if window == 1 else "stat_ms"] = got["login_stat_ms"]
    run["dele_quit_ms"] = bench.clients.pop3(server, "dele", 64, BOX)["dele_quit_ms"]
    return run


def pop3(bench, place):
    """Maildrops: {"10000": {server: [run, ...]}, "sessions": {server: [per_s, ...]}}."""
    godwit = Godwit(place, bench.build)
    dovecot = Dovecot(place, bench.peers) if bench.with_peers else None
    running = bench.started([s for s in (godwit, dovecot) if s])
    found = {}
    try:
        for count in (10000, 1000):
            runs = found[str(count)] = {s.name: [] for s in running}
            for _ in range(bench.rounds):
                run = maildrop_round(bench, godwit, count,
                                     lambda n=count: bench.clients.send(godwit, MANY, n))
                runs[godwit.name].append(run)
                if dovecot:
                    runs[dovecot.name].append(maildrop_round(
                        bench, dovecot, count,
                        lambda n=count, o=run["octets"]: dovecot.fill(n, o)))
            bench.say(f"{place.name}: POP3, {count} messages")
        sessions = found["sessions"] = {s.name: [] for s in running}
        for _ in range(bench.rounds):
            for server in running:
                got = bench.clients.pop3(server, "sessions", 1000)
                sessions[server.name].append(got["per_s"])
        bench.say(f"{place.name}: POP3 sessions")
    finally:
        stop_all(running)
    return found


SMTP_WORDS = ["EHLO client.test"]
POP3_LOGIN = ["USER {n}@bench.test", "PASS secret", "STAT"]


def idle(bench, place):
    """Memory for an idle connection, in KB: {what: {...}}."""
    found = {}
    Godwit(place, bench.build).prepare(FEW)
    found["godwit SMTP"] = crowd_of(bench, Godwit(place, bench.build), SMTP_WORDS, CROWD)
    found["godwit POP3"] = crowd_of(bench, Godwit(place, bench.build), ["CAPA"], CROWD)
    found["godwit POP3, logged in"] = crowd_of(bench, Godwit(place, bench.build), POP3_LOGIN, FEW)
    if bench.with_peers:
        found["Postfix SMTP"] = crowd_of(bench, Postfix(place, bench.peers), SMTP_WORDS, FEW)
        found["Dovecot POP3, logged in"] = crowd_of(bench, Dovecot(place, bench.peers),
                                                    POP3_LOGIN, FEW)
    return found


def crowd_of(bench, server, dialogue, size):
    """A fresh server, some connections that come and go, then the crowd; shared pages of several
    processes are counted once."""
    server.start()
    address = server.smtp if dialogue is SMTP_WORDS else server.pop3
    crowd = Crowd(address, dialogue)
    try:
        crowd.grow(10)
        crowd.leave()
        time.sleep(0.2)
        before = world.memory_kb(server.pid, "Pss")
        crowd.grow(size)
        after = world.memory_kb(server.pid, "Pss")
        newcomers = sorted(crowd.newcomer_ms() for _ in range(21))
    finally:
        crowd.leave()
        server.stop()
    bench.say(f"{place_words(server)}: {size} idle connections")
    return {"connections": size, "kb_each": (after - before) / size, "before_kb": before,
            "after_kb": after, "newcomer_ms": newcomers[10], "newcomer_worst_ms": newcomers[-1]}


def place_words(server):
    return f"{server.place.name}: {server.name}"


COUNTS = ("allocations", "allocated_octets", "frees", "journal_syncs", "other_syncs")


class Counted(Godwit):
    """godwit under bench/counter.c."""

    def __init__(self, place, build):
        super().__init__(place, build)
        self.counts_file = place.folder / "counts"
        self.counts_file.write_bytes(bytes(4096))
        self.environment |= {"LD_PRELOAD": str(self.program.parent.parent / "bench/libcounter.so"),
                             "BENCH_COUNTS": str(self.counts_file)}

    def counts(self):
        with open(self.counts_file, "rb") as file:
            with mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ) as view:
                return struct.unpack_from(f"{len(COUNTS)}Q", view)


def counts(bench, place):
    """What a message costs besides time: {load: {name: for each message}}."""
    found = {}
    server = Counted(place, bench.build)
    server.start()
    try:
        for load in (ONCE, KEPT, MANY):
            messages = count_for(bench, server, load)
            before = server.counts()
            run = bench.clients.send(server, load, messages)
            used = {name: now - then
                    for name, now, then in zip(COUNTS, server.counts(), before)}
            row = found[load.name] = {name: n / messages for name, n in used.items()}
            row["switches"] = run["switches"]
            row["batch"] = messages / used["journal_syncs"] if used["journal_syncs"] else 0
            row["syscalls"] = syscalls(bench, server, load, messages)
        bench.say(f"{place.name}: counts")
    finally:
        server.stop()
    return found


def syscalls(bench, server, load, messages):
    """System calls for each message by name, as perf trace sees them; {} where perf may not."""
    log = server.folder / "trace"
    with open(log, "w", encoding="utf-8") as output:
        trace = subprocess.Popen(["perf", "trace", "-s", "-p", str(server.pid)], stderr=output,
                                 stdout=output)
    time.sleep(0.5)
    if trace.poll() is not None:
        return {}
    bench.clients.send(server, load, messages)
    trace.send_signal(2)
    trace.wait(20)
    found = {}
    for line in log.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if len(words) >= 8 and words[1].isdigit() and words[2].isdigit():
            found[words[0]] = found.get(words[0], 0) + int(words[1]) / messages
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def growth(bench, place, mailboxes=1000, messages=1000):
    """The rate into an empty store and into one with a million messages in a thousand mailboxes:
    {"empty": {load: [run, ...]}, "full": ...}."""
    if place.room() < 3 * mailboxes * messages * 2048:
        raise Trouble(f"not enough room in {place.folder} for a million messages")
    full, empty = FullGodwit(place, bench.build), Godwit(place, bench.build)
    full.prepare(mailboxes)
    running = bench.started([full, empty])
    found = {"empty": {}, "full": {}}
    filled = servers.visitors(1)[0]    # both have this mailbox, one of them with much in it
    try:
        start = time.monotonic()
        for address in servers.visitors(mailboxes):
            bench.clients.send(full, MANY, messages, 1024, address)
        found["fill_per_s"] = mailboxes * messages / (time.monotonic() - start)
        bench.say(f"{place.name}: {mailboxes * messages} messages stored")
        for load in (ONCE, KEPT):
            count = count_for(bench, empty, load)
            for _ in range(bench.rounds):
                for name, server in (("empty", empty), ("full", full)):
                    run = bench.clients.send(server, load, count, recipient=filled)
                    found[name].setdefault(load.name, []).append(run)
        for name, server in (("empty", empty), ("full", full)):
            server.stop()
            began = time.monotonic()
            server.start()
            found[name]["start_s"] = time.monotonic() - began
            found[name]["sessions_per_s"] = [bench.clients.pop3(server, "sessions", 1000)["per_s"]
                                             for _ in range(bench.rounds)]
    finally:
        stop_all(running)
    return found


def profile(bench, place, folder):
    """Where the time goes, by function: one file for each load."""
    server = Godwit(place, bench.build)
    server.start()
    try:
        for load, name in ((ONCE, "once"), (KEPT, "kept")):
            count = 2 * count_for(bench, server, load)
            data = server.folder / "perf.data"
            record = subprocess.Popen(["perf", "record", "-q", "-F", "1999", "-g", "-o", str(data),
                                       "-p", str(server.pid)], stderr=subprocess.DEVNULL)
            time.sleep(0.5)
            if record.poll() is not None:
                raise Trouble("perf record does not run here")
            bench.clients.send(server, load, count)
            record.send_signal(2)
            record.wait(20)
            text = world.run("perf", "report", "-i", data, "--stdio", "--no-children", "-g", "none",
                             "--percent-limit", "0.5")
            (folder / f"profile-{name}.txt").write_text(text)
            bench.say(f"profile: {folder}/profile-{name}.txt")
    finally:
        server.stop()
