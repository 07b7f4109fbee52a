"""relay_crash - kill -9 while mail goes out, round after round on the same DATA.

In the end: every recipient whose mail was acknowledged was served or reported about; who was served
twice was so because a connection died with its last transaction, of which there is at most one for
each connection; no report came twice; and an index made from the journal alone is the live one.

ROUNDS=30 and SEED=1 may be set from outside.
"""

import collections
import os
import random
import re
import threading

from harness import add_case, check, equal, main, until
from relay_world import ALICE, Net
from report import Report
from scripted_peer import Reply
from wire import Broken

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SEED = int(os.environ.get("SEED", "1"))
LOOK_INTO_EVERY = 5
DOMAINS, CLIENTS = 3, 3


class Load:
    """Clients that send until the server dies; they write down whose mail was acknowledged."""

    def __init__(self, crashes, number):
        self.crashes, self.number = crashes, number
        self.threads = [threading.Thread(target=self.client, args=(n,)) for n in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def recipients(self, token, chance):
        users = [f"{chance.choice(('ok', 'ok', 'ok', 'bad', 'late'))}-{token}-{n}"
                 for n in range(chance.choice((1, 1, 1, 2, 5)))]
        return [f"{user}@b{chance.randrange(DOMAINS)}.test" for user in users]

    def client(self, client):
        chance = random.Random(f"{SEED} {self.number} {client}")
        try:
            wire = self.crashes.server.smtp()
            for count in range(10000):
                token = f"{self.number}-{client}-{count}"
                to = self.recipients(token, chance)
                wire.envelope(ALICE, to)
                self.crashes.sent.update(to)
                if wire.data(f"Subject: {token}\r\n\r\n".encode()
                             + b"x" * 70 * chance.choice((1, 50))).startswith("250"):
                    self.crashes.acknowledged.update(to)
        except (Broken, OSError):
            pass

    def join(self):
        for thread in self.threads:
            thread.join()


class Crashes:
    """One DATA, and the same hosts, through all rounds."""

    def __init__(self):
        self.chance = random.Random(SEED)
        self.net = self.server = None
        self.sent, self.acknowledged = set(), set()
        self.refused = set()

    def open(self):
        if self.net:
            return
        self.net = Net()
        self.net.__enter__()
        for number in range(DOMAINS):
            self.net.domain(f"b{number}.test", RCPT=self.judge, end=self.take)
        self.server = self.net.server()

    def judge(self, _session, argument):
        """Who is `bad` is refused; who is `late` is refused at first."""
        user = argument.split("<")[1].split(">")[0]
        if user.startswith("bad"):
            return "550 5.1.1 nobody"
        if user.startswith("late") and user not in self.refused:
            self.refused.add(user)
            return "450 4.2.1 later"
        return None

    def take(self, _session, _argument):
        """Now and then the yes takes its time, so that some are killed while they wait for it."""
        return Reply("250 2.0.0 taken", delay=random.choice((0, 0, 0.002, 0.02)))

    def taken(self):
        return sum(len(host.taken) for host in self.net.peers)

    def round(self, number):
        self.open()
        self.server.end(kill=True)    # what a round that failed has left
        self.server.start()
        load, wanted = Load(self, number), self.taken() + self.chance.randrange(1, 80)
        try:
            until(lambda: self.taken() >= wanted, f"{wanted} messages taken", 30)
            threading.Event().wait(self.chance.random() * 0.02)    # a moment that is no answer's
        finally:
            self.server.end(kill=True)
            load.join()
        if number % LOOK_INTO_EVERY == 0:
            self.look_into()

    def look_into(self):
        """Recovery first."""
        self.server.start()
        self.server.end()
        self.server.check_store()

    def settle(self):
        """No more crashes: all that waits goes out."""
        self.server.end(kill=True)
        self.server.start()
        self.server.wait_empty(90)
        told = self.told()
        served = {user for host in self.net.peers for one in host.taken for user in one.recipients}
        lost = {user for user in self.acknowledged if user not in served and not told[user]}
        equal(sorted(lost)[:5], [], f"recipients of {len(self.acknowledged)} that were lost")
        equal(sorted(served - self.sent)[:5], [], "recipients that nobody sent to")
        twice = [user for user, count in told.items() if count > 1]
        equal(sorted(twice)[:5], [], "recipients told about twice")
        equal(sorted(user for user in told if not user.startswith("bad"))[:5], [],
              "reports about mail that was not refused")
        self.check_duplicates()

    def told(self):
        """How often each address was reported about."""
        return collections.Counter(
            fields["Final-Recipient"].split("; ")[1] for message in self.server.messages(ALICE)
            for fields in Report(message).recipients)

    def check_duplicates(self):
        """Whatever was taken again was the last of a connection that died."""
        copies = collections.defaultdict(list)
        last = {}
        for host in self.net.peers:
            for one in host.taken:
                last[one.session] = one
                token = re.search(rb"Subject: ([0-9-]+)", one.content)[1]
                for user in one.recipients:
                    copies[token, user].append(one)
        again = {id(one): one for found in copies.values() for one in found[:-1]}
        print(f"# {len(copies)} recipients served, {len(again)} transactions taken twice")
        for one in again.values():
            check(last[one.session] is one, f"{one.recipients} was not the last of its connection")
            check("QUIT" not in one.session.lines, f"{one.recipients}: a connection that said QUIT")

    def close(self):
        if self.net:
            self.server.end(kill=True)
            self.net.__exit__(None, None, None)


crashes = Crashes()
for turn in range(1, ROUNDS + 1):
    add_case(f"round-{turn}", lambda turn=turn: crashes.round(turn))
add_case("nothing-is-lost", crashes.settle)

if __name__ == "__main__":
    try:
        main()
    finally:
        crashes.close()
