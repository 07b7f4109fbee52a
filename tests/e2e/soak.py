"""soak - load at the limit of the machine, and everything that may happen to a server meanwhile.

The load is that of tests/soak: senders and readers with a ledger of what the server has said.  It
goes on through all phases, on one DATA; in most of them the server is killed every few seconds,
and told to end or to reload in between.  In the end: whatever was accepted is in its box once,
octet for octet, unless its deletion was confirmed, and nothing else is there; the store verifies;
an index made from the journal alone is the live one; and a server that was not killed is as small
at rest as before its load.  In less than half a minute there is load and death alone.

    GODWIT=PROGRAM SOAK_TIME=600 SEED=1 python3 soak.py [PHASE...]
"""

import os
import random
import statistics
import time

import soak_postal
import soak_weather
import soak_world
from harness import Failure, Skip, add_case, check, content_of, equal, main, until
from soak_load import Load
from soak_world import FAR_BOXES, NEAR_BOXES, SoakNet

TIME = float(os.environ.get("SOAK_TIME", "5"))
SEED = int(os.environ.get("SEED", "1"))
IS_LONG = TIME >= 30    # else there is no time for bad weather, nor for postal and rabid
DISK_MEGABYTES = 6000 if IS_LONG else 0
SENDERS, READERS = 12, 6
BETWEEN_FAULTS, BETWEEN_CHANGES = (2, 6), (0.5, 3)    # seconds, when there is time enough
FAULTS = ("kill",) * 8 + ("term", "hup")
CONNECTIONS_TO_FAR = 20    # at most (src/queue/destination.h)
MEMORY_SLACK, FILES_SLACK = 16 << 20, 8    # caches fill; lanes open the index when they need it


class Row:
    """What happened in a phase."""

    def __init__(self, name):
        self.name = name
        self.faults = dict.fromkeys(("kill", "term", "hup"), 0)
        self.starts = []
        self.weather = {}
        self.figures, self.seconds = {}, 0

    def words(self):
        figures = self.figures
        weather = ", ".join(f"{kind} {count} times" for kind, count in sorted(self.weather.items()))
        return (f"{self.name}: {figures['accepted']} letters of {figures['octets'] / 1e6:.0f} MB "
                f"accepted in {self.seconds:.0f} s, {figures['read']} copies read, "
                f"{figures['deleted']} deleted; {self.faults['kill']} times killed, "
                f"{self.faults['term']} ended, {self.faults['hup']} reloaded; "
                f"{weather + '; ' if weather else ''}ready again within "
                f"{max(self.starts, default=0):.2f} s; {figures['later']} answers put off, "
                f"{figures['wrong']} wrong")

    def cells(self):
        figures, faults, starts = self.figures, self.faults, self.starts
        ready = f"{statistics.median(starts):.2f} / {max(starts):.2f}" if starts else "-"
        return (self.name, f"{self.seconds:.0f}", f"{figures['accepted']:,}",
                f"{figures['accepted'] / self.seconds:.0f}", f"{figures['octets'] / 1e6:,.0f}",
                f"{figures['read']:,}", f"{figures['deleted']:,}",
                f"{faults['kill']} / {faults['term']} / {faults['hup']}",
                str(sum(self.weather.values())), ready, f"{figures['later']:,}")


COLUMNS = ("phase", "s", "letters accepted", "a second", "MB", "copies read", "deleted",
           "killed / ended / reloaded", "troubles", "ready again after s (median / longest)",
           "answers put off")


class Soak:
    """One DATA through all phases."""

    def __init__(self):
        self.chance = random.Random(SEED)
        self.net = self.near = self.far = self.load = self.postal = None
        self.rows, self.signs = [], {}

    def open(self):
        if self.net:
            return
        self.net = SoakNet()
        self.net.__enter__()
        self.near, self.far = self.net.soaked(DISK_MEGABYTES, soak_postal.USERS)
        self.load = Load(SEED, self.near, NEAR_BOXES, self.far, FAR_BOXES)
        self.near.told = lambda life: self.load.ask(f"generation {life}")
        self.near.told(self.near.lives)
        if not IS_LONG:
            return
        try:
            self.postal = soak_postal.Postal(self.near)
        except Skip as why:
            print(f"# without postal and rabid: {why}", flush=True)

    def set_load(self, senders, readers):
        """The other two only run while there is a load."""
        figures = self.load.set(senders, readers)
        if self.postal:
            self.postal.stop()
            if senders:
                self.postal.start()
        return figures

    def phase(self, name, body):
        """Runs `body(row)` under load; says what came of it, and fails when anything was wrong."""
        self.open()
        row, before = Row(name), self.load.figures()
        self.near.end(kill=True)    # what a phase that failed has left
        self.near.start()
        began, starts = time.monotonic(), len(self.near.starts)
        self.set_load(SENDERS, READERS)
        body(row)
        row.seconds = time.monotonic() - began
        after = self.load.figures()
        row.figures = {key: after[key] - before[key] for key in after}
        row.starts = self.near.starts[starts:]
        self.rows.append(row)
        print(f"# {row.words()}", flush=True)
        equal(self.load.wrongs()[:3], [], f"of {after['wrong']} wrongs the first")

    def start_again(self, weather):
        """As a service manager does it, and a person who makes room when it cannot be."""
        try:
            self.near.start()
        except Failure:
            if not weather or not weather.prevents_start:
                raise
            self.near.end(kill=True)
            weather.kinds["no start"] += 1
            weather.clear()
            self.near.start()

    def fault(self, row, weather):
        """The first of a storm is a kill, however short that is."""
        fault = self.chance.choice(FAULTS) if sum(row.faults.values()) else "kill"
        row.faults[fault] += 1
        if fault == "hup":
            self.near.renew_log()
            return
        self.near.end(kill=fault == "kill")
        self.start_again(weather)
        if self.postal:
            self.postal.stop()
            self.postal.start()

    def storm(self, row, seconds, weather=None):
        """Faults again and again, and the weather changes between them."""
        pace = min(1, seconds / 30)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            calm_until = time.monotonic() + self.chance.uniform(*BETWEEN_FAULTS) * pace
            while (left := calm_until - time.monotonic()) > 0:
                time.sleep(min(left, self.chance.uniform(*BETWEEN_CHANGES) * pace))
                if weather:
                    weather.change()
            self.fault(row, weather)

    def bad_weather(self, kind, share):
        """A storm with trouble of one kind."""
        self.open()
        weather = kind(self)

        def body(row):
            row.weather = weather.kinds
            self.storm(row, TIME * share, weather)

        try:
            self.phase(kind.name, body)
        finally:
            weather.clear()
            self.near.wrap = []

    def calm(self):
        self.phase("calm", lambda row: time.sleep(TIME * 0.08))

    def kills(self):
        self.phase("kills", lambda row: self.storm(row, TIME * 0.34))

    def rest(self):
        """No load; what is on its way arrives."""
        self.set_load(0, 0)
        if soak_weather.Clock.name in (row.name for row in self.rows):
            self.near.retry_all()    # nobody notices a clock that is set back while he is dead
        until(lambda: not self.near.waiting(), "an empty queue", 120)

    def at_rest(self):
        """A server that is not killed is the same before its load and behind it."""

        def body(row):
            self.rest()
            self.near.restart()
            self.signs["before any load"] = self.near.signs()
            for name, share in (("behind a first load", 0.04), ("behind a second", 0.08)):
                self.set_load(SENDERS, READERS)
                time.sleep(TIME * share)
                self.rest()
                idle = self.signs["before any load"].sockets
                until(lambda: self.near.signs().sockets <= idle, f"no more than {idle} sockets")
                self.signs[name] = self.near.signs()

        self.phase("at rest", body)
        print("# " + "; ".join(f"{name}: {signs}" for name, signs in self.signs.items()))
        before, first, second = self.signs.values()
        equal(second.threads, before.threads, "threads")
        check(second.others - first.others <= FILES_SLACK, f"more files: {first}, then {second}")
        check(second.memory - first.memory <= MEMORY_SLACK, f"memory grew: {first}, then {second}")

    def nothing_is_lost(self):
        self.open()
        self.near.end(kill=True)
        self.near.start()
        self.rest()
        self.near.restart()
        figures = self.load.ask("audit")
        equal(self.load.wrongs()[:3], [], f"of {figures['wrong']} wrongs the first")
        if self.postal:
            self.postal.check()
        self.near.end()
        self.near.check_store()
        kills = self.near.kills    # also those between the phases, under load
        check(figures["twice"] <= kills * CONNECTIONS_TO_FAR,
              f"{figures['twice']} copies came twice, and {kills} times it was killed")
        print(f"# in the end: of {figures['letters']} letters {figures['accepted']} were accepted, "
              f"{figures['unanswered']} got no answer; {figures['waiting']} copies are there; "
              f"{figures['twice']} came twice to the far server", flush=True)
        if self.postal:
            print(f"# postal sent {len(self.postal.sent)}, rabid read {len(self.postal.read)}")

    def what_is_wrong_is_found(self):
        """Behind the load's back: one copy goes, one comes again, one comes bent."""
        self.open()
        self.near.end(kill=True)
        self.near.start()
        accepted = self.load.figures()["accepted"]
        self.load.set(4, 0)
        until(lambda: self.load.figures()["accepted"] > accepted + 100, "some letters")
        self.load.set(0, 0)
        box = self.near.pop("box0@a.test")
        box.say("DELE 1", "+OK")
        box.say("QUIT", "+OK")
        found = [content_of(message) for message in self.near.messages("box1@a.test")[:2]]
        self.near.deliver(found[0], to=["box1@a.test"])
        self.near.deliver(found[1][:-3] + b"?\r\n", to=["box1@a.test"])
        before = len(self.load.wrongs())
        self.load.ask("audit")
        wrongs = self.load.wrongs()[before:]
        for words in ("is not in box 0", "is in box 1 twice", "in box 1 has"):
            check(sum(words in wrong for wrong in wrongs) == 1, f"{words!r} is not said: {wrongs}")
        self.load.end()

    def print_table(self):
        if not self.rows:
            return
        for cells in (COLUMNS, ["---"] * len(COLUMNS), *(row.cells() for row in self.rows)):
            print("| " + " | ".join(cells) + " |")
        for name, signs in self.signs.items():
            print(f"at rest, {name}: {signs}")

    def close(self):
        self.print_table()
        if self.postal:
            self.postal.stop()
        if self.load:
            self.load.close()
        if self.net:
            self.near.end(kill=True)
            self.net.start_dns()
            self.net.__exit__(None, None, None)


soak = Soak()
add_case("calm", soak.calm)
add_case("kills", soak.kills)
if IS_LONG:
    for kind, part in ((soak_weather.FullDisk, 0.12), (soak_weather.FewDescriptors, 0.10),
                       (soak_weather.NoDns, 0.12), (soak_weather.Clock, 0.12)):
        add_case(kind.name, lambda kind=kind, part=part: soak.bad_weather(kind, part))
    add_case("at-rest", soak.at_rest)
add_case("nothing-is-lost", soak.nothing_is_lost)
add_case("what-is-wrong-is-found", soak.what_is_wrong_is_found)

if __name__ == "__main__":
    if IS_LONG:
        soak_world.enter_own_mounts()
    try:
        main()
    finally:
        soak.close()
