"""salvage - a journal is damaged wherever it can be: only what was hit is lost, its owners are
named, and everything else is served on.

Damage is done to copies of one store that has lived a little: single octets, a page of zeros, a
tail that is cut off, a large message's file, whole segments; at every kind of place
(docs/store-format.md) and spread over the segment.  Each time: `godwit check --store` says whose
mail it was, the server starts with the index that is there, and with one that is made anew.
"""

import functools
import os
import re
import shutil

import journal
from harness import Failure, Server, add_case, case, check, equal, main
from wire import Broken

ALICE, BOB = "alice@example.test", "bob@example.test"
USERS = (ALICE, BOB)
AWAY = "someone@a.test"
RELAY = 'smarthost = "127.0.0.1:9"'
SPREAD = 12    # places of a kind of damage in a case


def body(number, octets=3000):
    line = b"line of message %d\r\n" % number
    return b"Subject: %d\r\n\r\n" % number + line * (octets // len(line))


class Original:
    """The store that is damaged, made once: two segments of mail, and what is in it."""

    @functools.cached_property
    def server(self):
        server = Server(users=USERS, relay=RELAY)
        try:
            self.live(server)
        except BaseException:    # the next case makes another
            server.end(kill=True)
            server.remove()
            raise
        return server

    def live(self, server):
        server.start()
        for number in range(24):
            to = (BOB,) if number % 3 else (ALICE, BOB)
            server.deliver(body(number, 150000 if number == 9 else 3000), to=to)
            if number == 12:
                server.deliver(body(100), sender=BOB, to=(AWAY,))
            if number == 14:
                self.restart(server)
        server.deliver(body(200, 1500000), to=USERS)
        self.served = {user: self.read(server, user) for user in USERS}
        server.end()

    @staticmethod
    def restart(server):
        wire = server.pop(BOB)
        wire.say("DELE 2", "+OK")
        wire.say("QUIT", "+OK")
        server.restart()

    @staticmethod
    def read(server, user):
        """{UIDL: octets}; None where they cannot be read.  A session may end at damage: the next
        one must get past it."""
        found = {}
        for _ in range(40):
            wire = server.pop(user)
            names = [line.split()[1] for line in wire.listing("UIDL")]
            try:
                for number, name in enumerate(names, 1):
                    if name not in found:
                        wire.send(b"RETR %d\r\n" % number)
                        damaged = wire.line().startswith("-ERR [SYS/PERM]")
                        found[name] = None if damaged else wire.body()
                wire.say("QUIT", "+OK")
                return {name: found[name] for name in names}
            except Broken:    # the session ended within a message that is damaged
                wire.close()
        raise Failure("the sessions end again and again")

    def close(self):
        if "server" in self.__dict__:
            self.server.remove()


ORIGINAL = Original()


class Copy(Server):
    """A world with a copy of the store, to be damaged; not started."""

    def __init__(self):
        original = ORIGINAL.server
        super().__init__(relay=RELAY)
        shutil.copytree(os.path.join(original.folder, "data"), self.data(),
                        ignore=shutil.ignore_patterns("*.sock"))

    def data(self):
        return os.path.join(self.folder, "data")

    def __enter__(self):
        return self    # not started

    def checked(self, code=1):
        return self.run("check", "--store", code=code)

    def forget_index(self):
        for end in ("", "-wal", "-shm"):
            name = os.path.join(self.data(), "index.db" + end)
            if os.path.exists(name):
                os.unlink(name)


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        octet = file.read(1)
        file.seek(offset)
        file.write(bytes([octet[0] ^ 0x41]))


def zero(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset // 4096 * 4096)
        file.write(bytes(4096))


def segments():
    return journal.read(os.path.join(ORIGINAL.server.folder, "data"))


def units_at(segment, start, end):
    return [unit for unit in segment.units() if unit.at < end and unit.end > start]


def names_of(units):
    return {journal.id_text(unit.message) for unit in units if unit.message}


def compare(server, lost, gone):
    """What is served: all but what was hit, octet for octet.  `gone`: it is not listed any more."""
    for user, wanted in ORIGINAL.served.items():
        found = Original.read(server, user)
        for name, octets in wanted.items():
            hit = name.split(".")[0] in lost
            if not hit:
                equal(found.get(name), octets, f"{user} {name}")
            elif name in found:
                check(not gone and found[name] in (None, octets), f"{user} {name} is bent")
        equal(set(found) - set(wanted), set(), f"{user}: mail that was not there")


def try_damage(damage, hit, named=True, readable=False):
    """`hit`: the ids of messages that are lost at most; `readable`: not as long as the index is."""
    with Copy() as server:
        damage(server.data())
        said = server.checked()
        lost = {name for name in hit if f"lost: message {name}" in said}
        if named:
            equal(lost, set() if readable else hit, "messages that the check names")
        told = set(re.findall(r"lost: message (\w+)", said))
        check(told <= hit, f"named although they were not hit: {told - hit}")
        for user, mail in ORIGINAL.served.items():
            for name in (n for n in mail if named and n.split(".")[0] in lost):
                uid = name.split(".")[1]
                check(f"lost: message {name.split('.')[0]}, in mailbox {user}, uid {uid}," in said,
                      f"{user} uid {uid} is not named: {said}")
        server.start()
        compare(server, hit, gone=False)
        server.end()
        rebuilt = server.run("check", "--rebuild", code=1)
        told = set(re.findall(r"lost: message (\w+)", rebuilt))
        check(told == hit or (told <= hit and not named), f"the rebuild names {told}, not {hit}")
        server.start()
        compare(server, hit, gone=False)
        server.deliver(b"Subject: on\r\n\r\nit goes\r\n", to=(BOB,))
        server.end()
        said = server.run("check", "--store", code=1)
        check("index.db says what" not in said and "the journal says what" not in said, said)


def spread(places):
    return places[::max(1, len(places) // SPREAD)]


def places(kind):
    """(segment, offset, unit that is hit) of so many places of a kind."""
    found = []
    for segment in segments():
        for unit in (u for u in segment.units() if u.message and not u.large):
            at = {"head": unit.at + 20, "checksums": unit.at + 72 + 3,
                  "changes": unit.changes_at + 9,
                  "content": unit.content_at + unit.content_octets // 2,
                  "last-octet": unit.content_at + unit.content_octets - 1}[kind]
            found.append((segment, at, unit))
    return spread(found)


def flip_all(data, there):
    for segment, at, *_ in there:
        flip(os.path.join(data, "journal", segment.name), at)


def octets_are_flipped(kind):
    """Several at once, in different batches: each hits its own."""
    there = places(kind)
    try_damage(lambda data: flip_all(data, there), names_of(unit for _, _, unit in there),
               readable=kind == "changes")


@case
def octets_are_flipped_in_batch():
    """Every unit of a batch whose header is gone is found by itself; without the last header, that
    is a write that was cut off."""
    there = [(segment, batch.at + 40) for segment in segments() for batch in segment.batches]
    with Copy() as server:
        flip_all(server.data(), spread(there[:-1]))
        check("damaged" in server.checked(), "the damage is told")
        server.forget_index()
        server.start()
        compare(server, set(), gone=True)


def a_page_is_zeroed(part):
    """At some place of the segment: whatever lay in that page is lost."""
    segment = segments()[part % 2]
    end = segment.batches[-1].end
    at = (journal.FIRST_BATCH + (end - journal.FIRST_BATCH) * (part + 1) // 6) // 4096 * 4096
    hit = names_of(units_at(segment, at, at + 4096))
    try_damage(lambda data: zero(os.path.join(data, "journal", segment.name), at), hit, named=False)


@case
def the_tail_is_cut_off():
    """The last segment with mail ends in the midst of it."""
    segment = [s for s in segments() if s.batches][-1]
    at = segment.batches[len(segment.batches) // 2].at + 100
    hit = names_of(units_at(segment, at, segment.octets))
    with Copy() as server:
        os.truncate(os.path.join(server.data(), "journal", segment.name), at)
        said = server.checked()
        for name in hit:
            check(f"lost: message {name}" in said, f"{name} is not named: {said}")
        server.start()
        for name in hit:
            server.wait_log(f"lost: message {name}")
        server.wait_log("mailbox has a new uidvalidity")
        compare(server, hit, gone=True)
        server.deliver(b"Subject: on\r\n\r\nit goes\r\n", to=(BOB,))
        server.end()
        server.run("check", "--store")


@case
def a_large_message_is_missing():
    name = os.path.basename(journal.large_files(os.path.join(ORIGINAL.server.folder, "data"))[0])

    def damage(data):
        os.unlink(os.path.join(data, "journal", "large", name))
    with Copy() as server:
        damage(server.data())
        said = server.checked()
        for user in USERS:
            check(f"lost: message {name}, in mailbox {user}" in said, said)
        server.start()
        compare(server, {name}, gone=False)
        for user in USERS:    # who reads the words may delete it, and all is well
            wire = server.pop(user)
            names = [line.split()[1] for line in wire.listing("UIDL")]
            wire.say(f"DELE {[n.split('.')[0] for n in names].index(name) + 1}", "+OK")
            wire.say("QUIT", "+OK")
        server.end()
        server.run("check", "--store")


@case
def a_large_message_is_bent_or_cut():
    name = os.path.basename(journal.large_files(os.path.join(ORIGINAL.server.folder, "data"))[0])

    def bend(path):
        flip(path, journal.LARGE_START + 700000)
    for hurt in (bend, lambda path: os.truncate(path, 900000), lambda path: flip(path, 200)):
        with Copy() as server:
            hurt(os.path.join(server.data(), "journal", "large", name))
            said = server.checked()
            check(f"lost: message {name}, in mailbox {BOB}" in said, said)
            server.start()
            compare(server, {name}, gone=False)


@case
def a_file_of_no_message_is_told_and_goes():
    with Copy() as server:
        large = os.path.join(server.data(), "journal", "large")
        kept = os.listdir(large)
        shutil.copy(os.path.join(large, kept[0]), os.path.join(large, "0" * 12 + "7"))
        said = server.checked(code=0)
        check("1 files in journal/large are of no message" in said, said)
        server.start()
        equal(os.listdir(large), kept, "large messages after a start")


@case
def a_segment_is_missing():
    with_mail = [s for s in segments() if s.batches]
    for segment in with_mail:
        hit = names_of(segment.units())
        with Copy() as server:
            os.unlink(os.path.join(server.data(), "journal", segment.name))
            said = server.checked()
            for name in {n.split(".")[0] for mail in ORIGINAL.served.values() for n in mail} & hit:
                check(f"lost: message {name}" in said, f"{name} is not named: {said}")
            server.start()
            compare(server, hit, gone=False)
            server.end()
            # Of the last one the start has told all; behind it nothing is missing any more.
            server.run("check", "--rebuild", code=0 if segment is with_mail[-1] else 1)
            server.start()
            compare(server, hit, gone=True)
            server.deliver(b"Subject: on\r\n\r\nit goes\r\n", to=(BOB,))


@case
def mail_on_its_way_out_is_named():
    unit = [u for s in segments() for u in s.units()
            if u.message and any(kind == "recipient" for kind, _ in u.changes)][0]
    name = journal.id_text(unit.message)
    with Copy() as server:
        flip(os.path.join(server.data(), "journal", unit.segment.name), unit.content_at + 50)
        said = server.checked()
        check(f"lost: message {name}, on its way to {AWAY}" in said, said)
        server.forget_index()
        server.start()
        for words in (f"from {BOB}", f"on its way to {AWAY}"):
            server.wait_log(f"lost: message {name}, {words}")


for each in ("head", "checksums", "changes", "content", "last-octet"):
    add_case(f"octets-are-flipped-in-{each}", functools.partial(octets_are_flipped, each))
for each in range(5):
    add_case(f"a-page-is-zeroed-{each}", functools.partial(a_page_is_zeroed, each))

if __name__ == "__main__":
    try:
        main()
    finally:
        ORIGINAL.close()
