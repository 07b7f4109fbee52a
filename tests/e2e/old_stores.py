"""old_stores - stores that earlier versions have written, opened by this one (tests/data/stores).

Everything that their listings name must be there, octet for octet, under the same uids and with the
same logins; the queue as it was; and life goes on.  Examples come from store_example.py; the last
case says when one is missing.
"""

import functools
import os
import shutil
import tarfile

import store_example
from harness import Server, add_case, check, content_of, equal, main

FOLDER = store_example.FOLDER
BOB = "bob@example.test"
# What waits is tried in vain: nobody is warned, and it does not expire, however old the example is.
SECTIONS = {"relay": 'smarthost = "127.0.0.1:9"\n warn = "519w"\n expire = "520w"'}
NAMES = sorted(name[:-4] for name in os.listdir(FOLDER) if name.endswith(".txt"))


def rows_of(name, kind):
    """The listing's lines of one kind, as lists of words."""
    with open(os.path.join(FOLDER, f"{name}.txt"), encoding="utf-8") as file:
        lines = file.read().split("\n")
    return [line.split(" ") for line in lines if line.startswith(kind + " ")]


def formats_of(name):
    words = rows_of(name, "formats")[0][1:]
    return {words[i]: int(words[i + 1]) for i in range(0, len(words), 2)}


class Old(Server):
    """A world around the store of an example; not started."""

    def __init__(self, name):
        super().__init__(**SECTIONS)
        with tarfile.open(os.path.join(FOLDER, f"{name}.tar.xz")) as tar:
            tar.extractall(self.folder, filter="data")
        os.chmod(os.path.join(self.folder, "data"), 0o700)
        self.logins = [(user, " ".join(words)) for _, user, *words in rows_of(name, "login")]

    def queue(self):
        """Each waiting recipient: its words as in a listing, and how often it was tried."""
        return {tuple(row[:3]): (row[3], int(row[4])) for row in store_example.queued_rows(self)}

    def served(self):
        """What POP3 gives, as in a listing; each login is tried on the way."""
        return [row for user, password in self.logins
                for row in store_example.served_rows(self, user, password)]


def wanted_rows(name):
    return {tuple(words[1:4]): (words[4], int(words[5])) for words in rows_of(name, "queued")}


def compare(server, name, exact):
    """All that the listing names, and nothing else."""
    for user, _ in server.logins:
        wanted = [words[1:] for words in rows_of(name, "placed") if words[1] == user]
        equal(store_example.placed_rows(server, user), wanted, f"mailbox of {user}")
    rows, wanted = server.queue(), wanted_rows(name)
    equal(sorted(rows), sorted(wanted), "the queue")
    for key, (state, attempts) in wanted.items():
        equal(rows[key][0], state, f"{key}: state")
        check(rows[key][1] == attempts or (not exact and rows[key][1] > attempts),
              f"{key}: {rows[key][1]} attempts, were {attempts}")
    equal([["alias", *line.split(" ")] for line in server.run("alias", "list").split("\n")
           if line], rows_of(name, "alias"), "aliases")


def verify(server):
    said = server.run("check", "--store")
    check("every message" in said, said)


def is_served(name):
    """The server opens it as it is, serves it, and goes on with it."""
    with Old(name) as server:
        wanted = [words[1:] for words in rows_of(name, "message")]
        equal(server.served(), wanted, "messages")
        compare(server, name, exact=False)
        server.deliver(b"Subject: new\r\n\r\nafter all these years\r\n", to=(BOB,))
        wire = server.pop(BOB)
        wire.say("DELE 1", "+OK")
        wire.say("QUIT", "+OK")
        first = next(row for row in wanted if row[0] == BOB)
        wanted.remove(first)
        server.restart(kill=True)
        verify(server)
        found = server.served()
        names = [tuple(row[:2]) for row in found]
        equal(len(set(names)), len(names), "names, each given once")
        equal([row for row in found if row in wanted], wanted, "messages after a crash")
        equal(len(found), len(wanted) + 1, "messages, with the new one")
        equal(content_of(server.messages(BOB)[-1]),
              b"Subject: new\r\n\r\nafter all these years\r\n", "the new one")
        server.end()
        verify(server)


def is_rebuilt(name):
    """An index from the journal alone says what the old index said: nothing has been tried yet."""
    server = Old(name)
    try:
        server.run("check", "--rebuild")
        verify(server)
        compare(server, name, exact=True)
        kept = os.path.join(server.folder, "kept")
        server.run("backup", kept)
        check("every message verifies" in server.run("restore", "--verify", kept), "its backup")
        shutil.rmtree(os.path.join(server.folder, "data"))
        server.run("restore", kept)
        equal({key: row[1] for key, row in server.queue().items()},
              {key: row[1] for key, row in wanted_rows(name).items()}, "the queue, restored")
    finally:
        server.end(kill=True)
        server.remove()


def no_version_is_without_an_example():
    """Of each version of everything in DATA there is an example, the present ones included."""
    with Server(users=[BOB], **SECTIONS) as server:
        server.deliver(b"Subject: x\r\n\r\n", sender=BOB, to=(BOB, "x@elsewhere.test"))
        server.end(kill=True)
        present = store_example.formats(os.path.join(server.folder, "data"))
    present["changes"] = store_example.newest_kind()
    for what, number in present.items():
        there = {formats_of(name).get(what) for name in NAMES}
        first = number if what == "changes" else 1    # each has all kinds that there were
        missing = [str(n) for n in range(first, number + 1) if n not in there]
        check(not missing, f"no example has {what} {', '.join(missing)}: write one with that "
              "program by tests/e2e/store_example.py")


for example in NAMES:
    add_case(f"{example}-is-served", functools.partial(is_served, example))
    add_case(f"{example}-is-rebuilt", functools.partial(is_rebuilt, example))
add_case("no-version-is-without-an-example", no_version_is_without_an_example)

if __name__ == "__main__":
    main(side_by_side=2)
