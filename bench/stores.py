"""stores - the store itself: how fast it is verified and its index made anew, and what compaction
takes from the rate at which mail is accepted."""

import os
import subprocess
import time
from statistics import median

import servers
import world
from loads import KEPT, MANY
from servers import BOX, Godwit
from world import Trouble

# {octets of a message: how many}: small mail, and mail of the usual size.
SIZES = {5120: 60000, 65536: 6000}
LONG_LIVED = 14    # portions of mail that stays and mail that goes, in turn
PORTION = 7000     # messages of 5 KB
BEGUN = 24 << 20   # octets written by a server that nobody sends mail to: it compacts
MORE = 1.03        # of what a server writes that does not compact: one that does


class Verified(Godwit):
    """A server whose store is looked at while it is stopped."""
    name = "godwit, verified"
    number = 7


class Calm(Godwit):
    """The same mail as in the busy one, all of it alive."""
    name = "godwit, calm"
    number = 8


class Busy(Godwit):
    """Half of its mail is dead: it compacts."""
    name = "godwit, busy"
    number = 9


def files_of(server):
    """What a verification must read."""
    data = server.folder / "data"
    return sorted(data.glob("journal/*.seg")) + sorted(data.glob("journal/large/*")) + \
        [data / "index.db"]


def forget(files):
    """They are read from the disk next time, where there is one."""
    for name in files:
        descriptor = os.open(name, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def cat(server):
    subprocess.run(["cat", *files_of(server)], stdout=subprocess.DEVNULL, check=True)


def checked(wanted, *words):
    """Runs check, which must say what is wanted, and of the store nothing bad.  Its exit code tells
    of everything else as well, such as a host that DNS does not know."""
    def run(server):
        done = subprocess.run([server.program, "check", *words, "-c", server.configuration],
                              capture_output=True, text=True, check=False)
        if wanted not in done.stdout or "error store: " in done.stdout:
            raise Trouble(f"check {' '.join(words)}: exit {done.returncode}, without "
                          f"'{wanted}': {done.stdout[-1000:]}{done.stderr[-1000:]}")
    return run


COMMANDS = {"cat": cat, "check": checked("ok store: every message", "--store"),
            "rebuild": checked("ok store: the index was made anew", "--rebuild")}


def seconds_of(command, server, cold=False):
    if cold:
        forget(files_of(server))
    start = time.monotonic()
    command(server)
    return time.monotonic() - start


def check(bench, place):
    """What check does beside the store (DNS, above all) is measured alone and taken off.

    {octets: {"messages", "octets", "cat" | "check" | "rebuild": {"warm" | "cold": [s, ...]}}}."""
    found = {}
    for octets, count in SIZES.items():
        place.clear()
        server = Verified(place, bench.build)
        server.prepare(200)
        server.start()
        try:
            for address in servers.visitors(200):
                bench.clients.send(server, KEPT, count // 200, octets, address)
        finally:
            server.stop()
        runs = {what: {"warm": [], "cold": []} for what in COMMANDS}
        else_s = seconds_of(checked("ok config: "), server)
        for _ in range(bench.rounds):
            for heat in ("warm", "cold"):
                for what, command in COMMANDS.items():
                    took = seconds_of(command, server, heat == "cold")
                    runs[what][heat].append(took - (else_s if command is not cat else 0))
        found[octets] = {"messages": count, **runs,
                         "octets": sum(os.path.getsize(name) for name in files_of(server))}
        bench.say(f"{place.name}: a store of {count} messages of {octets} octets, verified")
    return found


def fill(bench, server):
    """Mail that stays and mail that goes, side by side in each segment."""
    goes = servers.visitors(1)[0]
    server.prepare(1)
    server.start()
    for _ in range(LONG_LIVED):
        for address in (BOX, goes):
            bench.clients.send(server, KEPT, PORTION, recipient=address)
    return goes


def written(server):
    """Octets that it has written since its start."""
    with open(f"/proc/{server.pid}/io", encoding="ascii") as file:
        return int(dict(line.split(": ") for line in file)["wchar"])


def compaction(bench, place):
    """{"calm" | "busy": [run, ...]}: the rate of acceptance without and with compaction, A B A B,
    as long as that is under way."""
    if place.room() < 12 * LONG_LIVED * PORTION * 5120:
        raise Trouble(f"not enough room in {place.folder} for compaction")
    calm, busy = Calm(place, bench.build), Busy(place, bench.build)
    found = {"calm": [], "busy": []}
    try:
        for server in (calm, busy):
            goes = fill(bench, server)
            if server is busy:
                world.run(server.program, "user", "del", "--purge", goes, "-c",
                          server.configuration)
        count = 4 * PORTION
        for server in (calm, busy):
            server.stop()
            server.start()
        world.wait_for("compaction does not begin", lambda: written(busy) > BEGUN, 180)
        for _ in range(2 * bench.rounds):
            pair, octets = [], []
            for server in (calm, busy):
                before = written(server)
                pair.append(bench.clients.send(server, MANY, count))
                octets.append(written(server) - before)
            if octets[1] < MORE * octets[0]:
                break    # it has ended meanwhile
            found["calm"].append(pair[0])
            found["busy"].append(pair[1])
        bench.say(f"{place.name}: {len(found['busy'])} pairs of runs with and without compaction")
    finally:
        calm.stop()
        busy.stop()
    return found


def rate(runs, octets):
    return octets / median(runs) / 1e6


def check_rows(table, found):
    for octets, runs in found.items():
        size = f"{int(octets) >> 10} KB"
        for heat in ("warm", "cold"):
            share = median(a / b for a, b in zip(runs["cat"][heat], runs["check"][heat]))
            table.add(f"check --store, messages of {size}, {heat}: MB/s",
                      godwit=rate(runs["check"][heat], runs["octets"]))
            table.add("- cat of the same files: MB/s", godwit=rate(runs["cat"][heat],
                                                                   runs["octets"]))
            table.add("- of the speed of cat", "1" if heat == "cold" else "", godwit=share,
                      verdict=share > 0.8 if heat == "cold" else None)
        million = median(runs["rebuild"]["warm"]) / runs["messages"] * 1e6
        table.add(f"check --rebuild, messages of {size}: s for a million", "< 60", godwit=million,
                  verdict=million < 60)


def compaction_rows(table, found):
    calm, busy = found["calm"], found["busy"]
    if busy:
        share = median(b["accepted_per_s"] / a["accepted_per_s"] for a, b in zip(calm, busy))
        table.add(f"rate of acceptance while compaction is under way, of that without "
                  f"({len(busy)} pairs)", "> 0.9", godwit=share, verdict=share > 0.9)
