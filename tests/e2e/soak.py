"""soak - load at the limit of the machine, and everything that may happen to a server meanwhile.

The load is that of tests/soak: senders and readers with a ledger of what the server has said.  It
goes on through all phases, on one DATA; in most of them the server is killed every few seconds,
and told to end or to reload in between.  In the end: whatever was accepted is in its box once,
octet for octet, unless its deletion was confirmed, and nothing else is there; the store verifies;
an index made from the journal alone is the live one.

    GODWIT=PROGRAM SOAK_TIME=600 SEED=1 python3 soak.py [PHASE...]
"""

import os
import random
import statistics
import subprocess
import time

from harness import Skip, add_case, check, content_of, equal, main, until
from soak_load import Load
from soak_world import FAR_BOXES, NEAR_BOXES, SoakNet

TIME = float(os.environ.get("SOAK_TIME", "5"))
SEED = int(os.environ.get("SEED", "1"))
SENDERS, READERS = 12, 6
BETWEEN_FAULTS = 2, 6    # seconds, when there is time enough
FAULTS = ("kill",) * 8 + ("term", "hup")


class Row:
    """What happened in a phase."""

    def __init__(self, name):
        self.name = name
        self.faults = dict.fromkeys(("kill", "term", "hup"), 0)
        self.starts = []
        self.weather = 0
        self.figures, self.seconds = {}, 0

    def recovery(self):
        if not self.starts:
            return "-"
        return f"{statistics.median(self.starts):.2f} / {max(self.starts):.2f}"

    def words(self):
        figures = self.figures
        return (f"{self.name}: {figures['accepted']} letters of {figures['octets'] / 1e6:.0f} MB "
                f"accepted in {self.seconds:.0f} s, {figures['read']} copies read, "
                f"{figures['deleted']} deleted; {self.faults['kill']} times killed, "
                f"{self.faults['term']} ended, {self.faults['hup']} reloaded; ready again within "
                f"{max(self.starts, default=0):.2f} s; {figures['later']} answers put off, "
                f"{figures['wrong']} wrong")


class Soak:
    """One DATA through all phases."""

    def __init__(self):
        self.chance = random.Random(SEED)
        self.net = self.near = self.far = self.load = None
        self.rows, self.signs = [], []

    def open(self):
        if self.net:
            return
        self.net = SoakNet()
        self.net.__enter__()
        self.near, self.far = self.net.soaked()
        self.load = Load(SEED, self.near, NEAR_BOXES, self.far, FAR_BOXES)
        self.near.told = lambda life: self.load.ask(f"generation {life}")
        self.near.told(self.near.lives)

    def phase(self, name, body):
        """Runs `body(row)` under load; says what came of it, and fails when anything was wrong."""
        self.open()
        row, before = Row(name), self.load.figures()
        self.rows.append(row)
        began, starts = time.monotonic(), len(self.near.starts)
        if not self.near.process:
            self.near.start()    # a phase before has failed
        self.load.set(SENDERS, READERS)
        body(row)
        row.seconds = time.monotonic() - began
        after = self.load.figures()
        row.figures = {key: after[key] - before[key] for key in after}
        row.starts = self.near.starts[starts:]
        print(f"# {row.words()}", flush=True)
        equal(self.load.wrongs()[:3], [], f"of {after['wrong']} wrongs the first")

    def rest(self):
        """No load; what is on its way arrives."""
        self.load.set(0, 0)
        until(lambda: not self.near.waiting(), "an empty queue", 120)

    def fault(self, row):
        fault = self.chance.choice(FAULTS)
        row.faults[fault] += 1
        if fault == "hup":
            self.near.renew_log()
        else:
            self.near.end(kill=fault == "kill")
            self.near.start()

    def storm(self, row, seconds, weather=lambda: None):
        """Faults again and again; `weather` is called several times a second."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            wait = self.chance.uniform(*BETWEEN_FAULTS) * min(1, seconds / 30)
            calm_until = time.monotonic() + wait
            while time.monotonic() < calm_until:
                weather()
                time.sleep(min(0.2, max(0, calm_until - time.monotonic())))
            self.fault(row)

    def calm(self):
        self.phase("calm", lambda row: time.sleep(TIME * 0.1))

    def kills(self):
        self.phase("kills", lambda row: self.storm(row, TIME * 0.4))

    def nothing_is_lost(self):
        self.open()
        if not self.near.process:
            self.near.start()
        self.rest()
        self.near.restart()
        self.load.ask("audit")
        figures = self.load.figures()
        equal(self.load.wrongs()[:3], [], f"of {figures['wrong']} wrongs the first")
        self.near.end()
        self.near.run("check", "--store")
        equal(self.dump("live"), self.dump("rebuilt"), "the index, and one made anew")
        print(f"# in the end: {figures['accepted']} letters were accepted, {figures['unanswered']} "
              f"got no answer, {figures['twice']} copies came twice to the far server", flush=True)

    def what_is_wrong_is_found(self):
        """Behind the load's back: one copy goes, one comes again, one comes bent."""
        self.open()
        if not self.near.process:
            self.near.start()
        self.load.set(4, 0)
        until(lambda: self.load.figures()["accepted"] > 100, "some letters")
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

    def dump(self, what):
        program = os.path.join(os.path.dirname(self.near.program), "..", "tests", "store", "dump")
        if not os.access(program, os.X_OK):
            raise Skip(f"no program {program}")
        return subprocess.run([program, os.path.join(self.near.folder, "data"), what],
                              check=True, capture_output=True).stdout

    def close(self):
        if self.load:
            self.load.close()
        if self.net:
            self.near.end(kill=True)
            self.net.__exit__(None, None, None)


soak = Soak()
add_case("calm", soak.calm)
add_case("kills", soak.kills)
add_case("nothing-is-lost", soak.nothing_is_lost)
add_case("what-is-wrong-is-found", soak.what_is_wrong_is_found)

if __name__ == "__main__":
    try:
        main()
    finally:
        soak.close()
