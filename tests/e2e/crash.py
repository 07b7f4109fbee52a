"""crash - kill -9 at random moments under load, round after round on the same DATA.

After each: nothing acknowledged is missing, nothing is there twice, no deletion that was confirmed
comes back, the store verifies, and an index made from the journal alone shows the same mailbox.

ROUNDS=50 and SEED=1 may be set from outside.
"""

import os
import random
import threading

from harness import Server, add_case, check, content_of, equal, main
from wire import Broken

BOB = "bob@example.test"
ROUNDS = int(os.environ.get("ROUNDS", "50"))
SEED = int(os.environ.get("SEED", "1"))
LOOK_INTO_EVERY = 5


class Load:
    """Clients that send until the server dies; they write down what was answered."""

    def __init__(self, server, number, chance):
        self.server, self.number = server, number
        self.sent, self.acknowledged = set(), set()
        self.enough = threading.Event()
        self.wanted = chance.randrange(1, 60)
        self.large_every = chance.choice((0, 3, 10))
        self.threads = [threading.Thread(target=self.client, args=(n,)) for n in range(4)]

    def content(self, client, count):
        text = f"Subject: {self.number} {client} {count}\r\n\r\n".encode()
        if self.large_every and count % self.large_every == 0:
            text += (b"%d " % count * 20 + b"\r\n") * 30000    # beyond 1 MB: a file of its own
        return text

    def client(self, client):
        try:
            wire = self.server.smtp()
            for count in range(10000):
                content = self.content(client, count)
                wire.envelope()
                self.sent.add(content)
                if wire.data(content).startswith("250"):
                    self.acknowledged.add(content)
                if len(self.acknowledged) >= self.wanted:
                    self.enough.set()
        except (Broken, OSError):
            self.enough.set()

    def run_until_killed(self, delay):
        for thread in self.threads:
            thread.start()
        self.enough.wait(20)
        threading.Event().wait(delay)    # a moment that is no answer's
        self.server.end(kill=True)
        for thread in self.threads:
            thread.join()


class Crashes:
    """One DATA through all rounds."""

    def __init__(self):
        self.chance = random.Random(SEED)
        self.server = None
        self.kept, self.gone = set(), set()

    def open(self):
        if not self.server:
            self.server = Server(users=[BOB])

    def listing(self):
        wire = self.server.pop(BOB)
        found = wire.listing("LIST") + wire.listing("UIDL")
        wire.say("QUIT", "+OK")
        wire.close()
        return found

    def round(self, number):
        self.open()
        server = self.server
        server.end(kill=True)    # what a round that failed has left
        server.start()
        load = Load(server, number, self.chance)
        load.run_until_killed(self.chance.random() * 0.02)
        check(load.acknowledged, "nothing was acknowledged before the kill")
        if number % LOOK_INTO_EVERY == 0:
            server.run("check", "--store")
        server.start()
        self.compare(load)
        if number % LOOK_INTO_EVERY == 0:
            live = self.listing()
            server.end(kill=True)
            server.run("check", "--rebuild")
            server.start()
            equal(self.listing(), live, "the mailbox by an index made anew")
        server.end(kill=bool(number % 2))

    def compare(self, load):
        """What is there against what was said; then some of it is deleted."""
        wire = self.server.pop(BOB)
        count = int(wire.say("STAT", "+OK").split()[1])
        found = [content_of(wire.retr(n)) for n in range(1, count + 1)]
        there = set(found)
        equal(len(there), len(found), "messages, each once")
        equal(len((self.kept | load.acknowledged) - there), 0, "acknowledged messages missing")
        equal(len(there & self.gone), 0, "deleted messages that came back")
        equal(len(there - self.kept - load.sent), 0, "messages that nobody sent")
        deleted = {n for n in range(1, count + 1) if self.chance.random() < 0.7}
        for number in deleted:
            wire.say(f"DELE {number}", "+OK")
        wire.say("QUIT", "+OK")
        wire.close()
        self.gone |= {found[n - 1] for n in deleted}
        self.kept = there - self.gone

    def close(self):
        if self.server:
            self.server.remove()


crashes = Crashes()
for one in range(1, ROUNDS + 1):
    add_case(f"round-{one}", lambda one=one: crashes.round(one))

if __name__ == "__main__":
    try:
        main()
    finally:
        crashes.close()
