"""store_example - writes the store of an example with the program at hand, for tests/data/stores.

    GODWIT=PROGRAM python3 -B tests/e2e/store_example.py NAME WORDS

makes tests/data/stores/NAME.tar.xz (DATA, as the program leaves it when it is killed) and NAME.txt
(what must be found in it).  Whoever raises a version of anything in DATA writes one with the
program that raised it, so that all later programs are tried on it by old_stores.py.

It asks the program what it can do, so that old versions could be made to write their own stores.
`compacted` as a second word brings and deletes so much mail that the journal's old end has moved.
"""

import hashlib
import os
import re
import sqlite3
import subprocess
import sys
import tarfile

import journal
from harness import Server, check, until

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "stores")
USERS = {"alice@example.test": "in wonderland", "bob@example.test": "secret",
         "carol@example.test": "sh\u00f6n", "dave@example.test": "goes away"}
ALICE, BOB, CAROL, DAVE = USERS
NOWHERE = "smarthost = \"127.0.0.1:9\""    # nobody listens there: each attempt fails at once
OCTETS_MAX = 64 << 10    # of an example in the tree
FORGETFUL = 192 << 20    # octets of mail that comes and goes, in `compacted`


class Example:
    """A store that has lived."""

    def __init__(self, server):
        self.server = server

    def can(self, *command):
        """Whether the program has this command at all."""
        done = subprocess.run([self.server.program, *command, "--help"], capture_output=True,
                              check=False)
        return done.returncode == 0

    def deliver(self, number, *to, octets=700, extra=b""):
        line = b"line %d of this message, .dotted or not\r\n" % number
        content = b"Subject: message %d\r\n%s\r\n.\r\n..two\r\n" % (number, extra)
        self.server.deliver(content + line * (octets // len(line)), to=to)

    def delete(self, user, *numbers):
        wire = self.server.pop(user, USERS[user])
        for number in numbers:
            wire.say(f"DELE {number}", "+OK")
        wire.say("QUIT", "+OK")
        wire.close()

    # --- Its life ---

    def receive(self):
        """Ordinary mail, some for several, some large; some of it is deleted."""
        for number in range(12):
            self.deliver(number, *[(BOB,), (ALICE, BOB, CAROL), ("info@example.test",)][number % 3])
        self.deliver(12, BOB, octets=200000, extra=b"X: \xc3\xa4\xff\r\n")
        self.deliver(13, ALICE, BOB, octets=1200000)
        self.deliver(14, CAROL, octets=2300000)
        self.deliver(15, DAVE)
        self.delete(BOB, 1, 2, 5)
        self.delete(CAROL, len(self.server.messages(CAROL, USERS[CAROL])))

    def carry_in(self):
        """Mail with flags, from a Maildir."""
        if not self.can("import"):
            return
        box = os.path.join(self.server.folder, "box")
        for part in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(box, part))
        for number, flags in enumerate(("", "S", "FRS", "DST")):
            name = f"{1700000000 + number}.M{number}.host:2,{flags}"
            with open(os.path.join(box, "cur", name), "wb") as file:
                file.write(b"Subject: flags %d\n\n%s\n" % (number, flags.encode()))
        self.server.run("import", ALICE, f"maildir:{box}")

    def attempts(self):
        """All that were made: while a host is down only a probe is tried."""
        return sum(int(row[4]) for row in queued_rows(self.server))

    def envelope(self, number, sender, parameters, *to):
        """Mail for others, asking for what this program offers."""
        wire = self.server.connect("smtp")
        wire.expect(wire.reply(), "220")
        offers = wire.say("EHLO client.test", "250").split("\n")
        known = [text for word, text in parameters if any(o[4:].startswith(word) for o in offers)]
        wire.say(" ".join([f"MAIL FROM:<{sender}>", *known]), "250")
        dsn = any(o[4:] == "DSN" for o in offers)
        for address in to:
            asked = " NOTIFY=SUCCESS,DELAY ORCPT=rfc822;first+2Bof@a.test" if dsn else ""
            wire.say(f"RCPT TO:<{address}>{asked}", "250")
        reply = wire.bdat(b"Subject: away %d\r\n\r\nline\r\n" % number)
        wire.expect(reply, "250")
        wire.close()
        return reply.split()[-1]

    def send_away(self):
        """Rows that wait: tried, tried again, held, of a message that was partly dropped."""
        if not self.can("queue", "list"):
            return
        wire = self.server.smtp()
        wire.say(f"MAIL FROM:<{BOB}>", "250")
        takes = wire.say("RCPT TO:<x@a.test>").startswith("250")
        wire.close()
        if not takes:
            return
        first = self.envelope(1, ALICE, (("DSN", "RET=HDRS ENVID=an+20id"),), "u@a.test",
                              "v@a.test", "w@b.test")
        held = self.envelope(2, BOB, (("BINARYMIME", "BODY=BINARYMIME"),), "x@b.test", "y@c.test")
        self.envelope(3, "", (), "z@c.test")
        if any(o[4:] == "SMTPUTF8" for o in self.offers()):
            self.envelope(4, BOB, (("SMTPUTF8", "SMTPUTF8"),), "b\u00fc@d.test")
        until(lambda: self.attempts() > 0, "an attempt")
        before = self.attempts()
        self.server.run("queue", "retry", first)
        until(lambda: self.attempts() > before, "another attempt")
        self.server.run("queue", "hold", held)
        self.server.run("queue", "drop", "to:w@b.test")

    def offers(self):
        wire = self.server.connect("smtp")
        wire.expect(wire.reply(), "220")
        offers = wire.say("EHLO client.test", "250").split("\n")
        wire.close()
        return offers

    def lose_users(self):
        self.server.run("user", "del", DAVE)
        self.server.add_user("erin@example.test", "x")
        self.deliver(20, "erin@example.test", BOB)
        self.server.run("user", "del", "--purge", "erin@example.test")

    def compact(self):
        """Until the oldest segment is not the first any more."""
        line = b"forgotten" * 8 + b"\r\n"
        body = line * (900000 // len(line))
        for _ in range(FORGETFUL // len(body) // 20):
            wire = self.server.smtp()
            for _ in range(20):
                wire.envelope(to=(CAROL,))
                wire.expect(wire.data(b"Subject: much\r\n\r\n" + body), "250")
            wire.close()
            wire = self.server.pop(CAROL, USERS[CAROL])
            listing = [line.split() for line in wire.listing("LIST")]
            for number, octets in listing:
                if int(octets) > 800000:
                    wire.say(f"DELE {number}", "+OK")
            wire.say("QUIT", "+OK")
            wire.close()
        data = os.path.join(self.server.folder, "data")
        until(lambda: journal.read(data)[0].number > 1, "the journal's old end moves", 120)
        self.server.restart()    # what was written ahead of need is given back

    def live(self, much):
        server = self.server
        for user, password in USERS.items():
            server.add_user(user, password)
        server.run("alias", "add", "info@example.test", ALICE, CAROL)
        server.start()
        self.receive()
        server.restart()
        self.carry_in()
        self.send_away()
        server.restart(kill=True)
        if much:
            self.compact()
        self.lose_users()
        self.deliver(21, ALICE, CAROL)

    # --- What is in it ---

    def facts(self):
        """The lines of the listing."""
        for user, password in list(USERS.items())[:3]:
            yield f"login {user} {password}"
            yield from (f"message {' '.join(row)}"
                        for row in served_rows(self.server, user, password))
            yield from (f"placed {' '.join(row)}" for row in placed_rows(self.server, user))
        for line in self.server.run("alias", "list").split("\n"):
            if line:
                yield f"alias {line}"
        if self.can("queue", "list"):
            yield from (f"queued {' '.join(row)}" for row in queued_rows(self.server))


def served_rows(server, user, password):
    """What POP3 gives: user, unique-id, octets, digest."""
    wire = server.pop(user, password)
    for number, name in enumerate((line.split()[1] for line in wire.listing("UIDL")), 1):
        content = wire.retr(number)
        yield [user, name, str(len(content)), hashlib.sha256(content).hexdigest()]
    wire.say("QUIT", "+OK")
    wire.close()


def placed_rows(server, user):
    """What is in a mailbox: user, uid, id, flags."""
    return [[user, str(row["uid"]), row["id"], ",".join(row.get("flags", [])) or "-"]
            for row in server.rows("mailbox", "list", user)]


def queued_rows(server):
    """Each waiting recipient: id, sender, address, state, attempts, what was said last."""
    return [[message["id"], f"<{message['sender']}>", f"<{row['address']}>", row["state"],
             str(row["attempts"]), row["last"]]
            for message in server.rows("queue", "list") for row in message["recipients"]]


def newest_kind():
    """The highest kind of change that the source knows."""
    name = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "store",
                        "local", "change.h")
    with open(name, encoding="utf-8") as file:
        return max(int(number) for number in re.findall(r"CHANGE_[A-Z]+ = (\d+),", file.read()))


def formats(data):
    """The versions of everything in DATA, by name."""
    found = {}
    segments = journal.read(data)
    found["journal"] = max(s.version for s in segments)
    found["changes"] = max(number for number, name in journal.KINDS.items() for s in segments
                           for u in s.units() for kind, _ in u.changes if kind == name)
    for name in ("index", "directory", "cache"):
        path = os.path.join(data, f"{name}.db")
        if os.path.exists(path):
            with sqlite3.connect(path) as database:
                found[name] = database.execute("PRAGMA user_version").fetchone()[0]
            database.close()
    return found


def only_what_counts(info):
    """Nobody's account, and nothing but journal and databases."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info if re.fullmatch(r"data(/journal(/.*)?|/\w+\.db(-wal|-shm)?)?", info.name) else None


def write(name, words, much):
    server = Server(relay=NOWHERE)
    try:
        example = Example(server)
        example.live(much)
        facts = list(example.facts())
        server.end(kill=True)
        data = os.path.join(server.folder, "data")
        with tarfile.open(os.path.join(FOLDER, f"{name}.tar.xz"), "w:xz", preset=9) as tar:
            tar.add(data, "data", filter=only_what_counts)
        versions = " ".join(f"{what} {number}" for what, number in formats(data).items())
        with open(os.path.join(FOLDER, f"{name}.txt"), "w", encoding="utf-8") as file:
            file.write("\n".join([f"# {words}", f"formats {versions}", *facts]) + "\n")
    finally:
        server.end(kill=True)
        server.remove()
    check(os.path.getsize(os.path.join(FOLDER, f"{name}.tar.xz")) < OCTETS_MAX, "it is too large")


if __name__ == "__main__":
    write(sys.argv[1], sys.argv[2], "compacted" in sys.argv[3:])
