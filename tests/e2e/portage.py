"""portage - mail carried in and out: godwit import and export, Maildir and mbox.

What other programs make of the files is asked of Python's mailbox module and of neomutt.
"""

import collections
import datetime
import json
import mailbox
import os
import pty
import re
import shutil
import socket
import subprocess
import time

import mutt
from faulty import FaultyServer
from harness import TIMEOUT, Server, Skip, World, case, check, content_of, equal, main, need, until

BOB, EVE = "bob@example.test", "eve@example.test"
DATE = 1600000000
# What a message may look like, with LF as in files.
SHAPES = [
    b"Subject: plain\n\nhello\n",
    b"Subject: From lines\n\nFrom here on\n>From there\n>>From far\n\n"
    b"From a@b Sat Nov 21 07:41:27 2026\n",
    b"Subject: no body\n\n",
    b"Subject: empty lines\n\n\n\nx\n\n\n",
    b"Subject: 8 bit \xff\n\n\x80\xfe\x00\x01 \r in a line\n",
    b"Subject: a long line\n\n" + b"x" * 70000 + b"\n",
    b"Subject: dots\n\n.\n..\n.x\n",
    b"Subject: folded\n and\n\tfolded\nTo: a@b\n\n>\n> quoted\n",
]


def ask(world, *words, env=None, data=b""):
    """Exit code, output and complaints of a command."""
    done = subprocess.run([world.program, *words, "-c", world.config], input=data, timeout=TIMEOUT,
                          cwd=world.folder, capture_output=True, check=False,
                          env=env and dict(os.environ, **env))
    return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace")


def carry(world, *words, code=0, data=b"", env=None):
    """Imports or exports; the two numbers that it tells."""
    found, out, err = ask(world, *words, "--json", data=data, env=env)
    equal(found, code, f"exit of {' '.join(words)}: {err}")
    check(err == "" or code, err)
    if words[-1] == "-" and words[0] == "export":
        return out
    told = json.loads(out) if out else {}
    return told.get("imported", told.get("exported")), told.get("there")


def listing(world, user=BOB):
    return world.rows("mailbox", "list", user)


def moment(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime(
        "%Y-%m-%dT%H:%M:%SZ")


def make_maildir(path, contents, flags=lambda i: ""):
    """Message i is dated DATE + i."""
    for part in ("cur", "new", "tmp"):
        os.makedirs(os.path.join(path, part), exist_ok=True)
    for i, content in enumerate(contents):
        letters = flags(i)
        name = f"{DATE + i}.M{i}.host" + (f":2,{letters}" if letters else "")
        file_name = os.path.join(path, "cur" if letters else "new", name)
        with open(file_name, "wb") as file:
            file.write(content)
        os.utime(file_name, (DATE + i, DATE + i))


def of_all_lengths(count):
    """So many messages, each of another length."""
    return [b"Subject: x\n\n" + b"y" * i + b"\n" for i in range(count)]


def names_in(world, box):
    return sorted(name for part in ("cur", "new")
                  for name in os.listdir(path_in(world, f"{box}/{part}")))


def with_crlf(content):
    return content.replace(b"\n", b"\r\n")


class Users:
    """A world with two users and no server: `with Users() as world: ...`."""

    def __init__(self, kind=World):
        self.world = kind()

    def __enter__(self):
        for user in (BOB, EVE):
            self.world.add_user(user)
        return self.world

    def __exit__(self, *why):
        self.world.remove()


def path_in(world, name):
    return os.path.join(world.folder, name)


LETTERS = ["", "S", "FRS", "T", "D", "P", "S", "DFPRST"]
NAMES = [[], ["seen"], ["seen", "answered", "flagged"], ["deleted"], ["draft"], ["passed"],
         ["seen"], ["seen", "answered", "flagged", "deleted", "draft", "passed"]]


@case
def a_maildir_comes_in():
    """Octets, flags and dates; a second time nothing; the same over POP3, before and after."""
    with Server(users=[BOB, EVE]) as server:
        make_maildir(path_in(server, "box"), SHAPES, lambda i: LETTERS[i])
        equal(carry(server, "import", BOB, "maildir:box"), (8, 0), "first")
        equal(carry(server, "import", BOB, "box"), (0, 8), "again")
        rows = listing(server)
        equal([row["arrived"] for row in rows], [moment(DATE + i) for i in range(8)], "dates")
        equal([row["flags"] for row in rows], NAMES, "flags")
        equal(server.messages(BOB), [with_crlf(s) for s in SHAPES], "content")
        wire = server.pop(BOB)
        before = wire.say("UIDL", "+OK"), wire.lines()
        wire.say("QUIT", "+OK")
        server.restart()
        equal(carry(server, "import", BOB, "box"), (0, 8), "after a restart")
        wire = server.pop(BOB)
        equal((wire.say("UIDL", "+OK"), wire.lines()), before, "UIDL")
        wire.say("QUIT", "+OK")
        server.end()
        equal(carry(server, "import", EVE, "box"), (8, 0), "without a server")
        equal(carry(server, "import", EVE, "box"), (0, 8), "again without a server")
        server.start()
        equal(server.messages(EVE), [with_crlf(s) for s in SHAPES], "content of the other")


@case
def a_maildir_goes_out():
    """Read by Python; exported again only what is new; imported elsewhere it is the same."""
    with Server(users=[BOB, EVE]) as server:
        make_maildir(path_in(server, "box"), SHAPES, lambda i: LETTERS[i])
        carry(server, "import", BOB, "box")
        equal(carry(server, "export", BOB, "maildir:out"), (8, 0), "first")
        equal(carry(server, "export", BOB, "out"), (0, 8), "again")
        names = names_in(server, "out")
        equal(os.listdir(path_in(server, "out/tmp")), [], "tmp")
        found = {}
        for key, message in mailbox.Maildir(path_in(server, "out"), create=False).items():
            with mailbox.Maildir(path_in(server, "out")).get_file(key) as file:
                found[message.get_date()] = file.read(), message.get_flags()
        equal([found[DATE + i] for i in range(8)], list(zip(SHAPES, LETTERS)), "by Python")
        server.deliver(b"Subject: new\r\n\r\nx\r\n", to=[BOB])
        equal(carry(server, "export", BOB, "out"), (1, 8), "with a new one")
        more = names_in(server, "out")
        check(set(names) < set(more), "names have changed")
        equal(carry(server, "import", BOB, "out"), (0, 9), "back again")
        equal(carry(server, "import", EVE, "out"), (9, 0), "to another")
        equal(server.messages(EVE), server.messages(BOB), "content")
        equal([(r["flags"], r["arrived"]) for r in listing(server, EVE)],
              [(r["flags"], r["arrived"]) for r in listing(server, BOB)], "flags and dates")


@case
def an_mbox_goes_out_and_in():
    """mboxrd, as Python reads it; whole or not at all; through a pipe too."""
    with Users() as world:
        make_maildir(path_in(world, "box"), SHAPES, lambda i: LETTERS[i])
        carry(world, "import", BOB, "box")
        equal(carry(world, "export", BOB, "mbox:out"), (8, 0), "export")
        with open(path_in(world, "out"), "rb") as file:
            text = file.read()
        equal(carry(world, "export", BOB, "-"), text, "on standard output")
        letters = ["", "RO", "ROAF", "OD", "OT", "O", "RO", "ROAFDT"]
        box = mailbox.mbox(path_in(world, "out"), create=False)
        equal([set(m.get_flags()) for m in box], [set(l) for l in letters], "flags by Python")
        equal([m.get_from() for m in box],
              [f"MAILER-DAEMON {time.asctime(time.gmtime(DATE + i))}" for i in range(8)],
              "From lines")
        check(b"\n>From here on\n>>From there\n>>>From far\n\n>From a@b Sat" in text, "quotes")
        equal(ask(world, "export", BOB, "mbox:out")[0], 1, "an mbox that is there")
        equal(sorted(n for n in os.listdir(world.folder) if "out" in n), ["out"], "what is left")
        equal(carry(world, "import", BOB, "out"), (0, 8), "back again")
        equal(carry(world, "import", EVE, "-", data=text), (8, 0), "to another, by a pipe")
        equal(carry(world, "export", EVE, "-").replace(b"X-Status", b""),
              text.replace(b"Status: O\n\n", b"\n").replace(b"X-Status", b""), "and out again")
        equal([r["arrived"] for r in listing(world, EVE)], [moment(DATE + i) for i in range(8)],
              "dates")


@case
def boxes_of_other_writers():
    date = "Sat Nov 21 07:41:27 2026"
    first = f"From a@b.test {date}\n".encode()
    cases = [
        (b"", []),
        (first + b"A: b\n\nc\n\n" + first + b"D: e\n\nf\n\n", [b"A: b\n\nc\n", b"D: e\n\nf\n"]),
        (with_crlf(first + b"A: b\n\nc\n\n" + first + b"D: e\n\nf\n\n"),
         [b"A: b\n\nc\n", b"D: e\n\nf\n"]),
        (first + b"Status: RO\nX-UID: 3\nA: b\nContent-Length: 40\n\n" + first + b"\n\n" +
         first + b"\nf",
         [b"A: b\n\n" + first + b"\n", b"\nf\n"]),
        (first + b"X-IMAP: 1 2\nA: b\n\nno folder data\n\n" + first + b"\n\n\n",
         [b"A: b\n\nno folder data\n", b"\n\n"]),
        (b"From somebody on 2026-11-21\nA: b\n\nc\n\nFrom another\nD: e\n\nf\n",
         [b"A: b\n\nc\n", b"D: e\n\nf\n"]),
    ]
    with Server(users=[f"u{i}@example.test" for i in range(len(cases))]) as server:
        for i, (text, wanted) in enumerate(cases):
            user = f"u{i}@example.test"
            with open(path_in(server, "box"), "wb") as file:
                file.write(text)
            equal(carry(server, "import", user, "box"), (len(wanted), 0), f"box {i}")
            equal(server.messages(user), [with_crlf(w) for w in wanted], f"content of box {i}")
            equal(carry(server, "import", user, "box"), (0, len(wanted)), f"box {i} again")
        equal(listing(server, "u3@example.test")[0]["flags"], ["seen"], "flags")
        # Without a date in the From line the header says when.
        text = b"From x\nReceived: from a by b;\n Sat, 21 Nov 2026 08:41:27 +0100\n" \
               b"Date: x\n\n1\n\n" \
               b"From y\nDate: Sat, 21 Nov 2026 07:41:28 +0000\n\n2\n\nFrom z\n\n3\n"
        equal(carry(server, "import", "u0@example.test", "-", data=text), (3, 0), "without dates")
        found = [row["arrived"] for row in listing(server, "u0@example.test")]
        equal(found[:2], ["2026-11-21T07:41:27Z", "2026-11-21T07:41:28Z"], "dates of headers")


@case
def what_uw_imap_keeps():
    """The first message of its boxes is none, which is said; others may have that field."""
    with Server(users=[BOB]) as server:
        data = b"From x Sat Nov 21 07:41:27 2026\nSubject: DON'T DELETE THIS MESSAGE -- FOLDER " \
               b"INTERNAL DATA\nX-IMAP: 1 2\n\ndata\n\n"
        other = b"From x Sat Nov 21 07:41:27 2026\nX-IMAP: hello\nSubject: x\n\ntext\n\n"
        code, out, err = ask(server, "import", BOB, "-", data=data + other + data)
        equal((code, out), (0, b"2 imported, 0 there already\n"), err)
        check("the first message is no mail but what UW IMAP keeps there" in err, err)


@case
def an_mbox_changes_nothing():
    """Whatever a message is, it comes back from a box as it was: nothing of it is new."""
    shapes = [b"just text, no colon\nStatus: gone\nLines: gone\nmore\n",
              b"Subject: x\nnot a field\nStatus: the reactor is on fire\n\ny\n",
              b"Status: mine\nLines: 7\nX-UID: 8\n folded\nX-IMAP: 1\nContent-Length: 1\n\nx\ny\n",
              b" white\nStatus: x\n", b">From x\nStatus: x\n\n", b"Subject: no empty line\n",
              b"X-Kept-Status: x\n\n", b"\n", b"\n\n\n"]
    with Server(users=[BOB, EVE]) as server:
        make_maildir(path_in(server, "box"), shapes, lambda i: LETTERS[i % 8])
        carry(server, "import", BOB, "box")
        for user, count in (BOB, (0, len(shapes))), (EVE, (len(shapes), 0)):
            text = carry(server, "export", BOB, "-")
            equal(carry(server, "import", user, "-", data=text), count, f"for {user}")
        equal(sorted(server.messages(BOB)), sorted(server.messages(EVE)), "content")


@case
def python_writes_and_reads():
    """Boxes that Python's mailbox module has made."""
    with Server(users=[BOB, EVE]) as server:
        maildir = mailbox.Maildir(path_in(server, "md"), create=True)
        box = mailbox.mbox(path_in(server, "box"))
        for i in range(20):
            text = f"Subject: {i}\n\nhello {i}\nFrom here\n"
            one = mailbox.MaildirMessage(text)
            one.set_subdir("cur")
            one.set_flags(("", "S", "FRS", "T")[i % 4])    # those that both kinds have for Python
            one.set_date(DATE + i)
            maildir.add(one)
            other = mailbox.mboxMessage(one)
            other.set_from("a@b.test", time.gmtime(DATE + i))
            box.add(other)
        box.close()
        equal(carry(server, "import", BOB, "md"), (20, 0), "Maildir")
        equal(carry(server, "import", EVE, "box"), (20, 0), "mbox")
        equal(sorted(server.messages(BOB)), sorted(server.messages(EVE)), "content")
        equal(sorted((r["arrived"], r["flags"]) for r in listing(server, BOB)),
              sorted((r["arrived"], r["flags"]) for r in listing(server, EVE)), "dates and flags")
        equal(carry(server, "import", BOB, "box"), (0, 20), "the same mail as mbox")


def read_and_written_by(program, environment=None):
    """mutt or neomutt copies what we exported into an mbox of its own; in that there is nothing new
    for us, but for quoted lines, from which it takes no ">"."""
    with Users() as world:
        texts = [b"From: a@b.test\nDate: Sun, 13 Sep 2020 12:26:40 +0000\nSubject: %d\n\n%s" %
                 (i, shape.split(b"\n\n", 1)[1])
                 for i, shape in enumerate(SHAPES) if b"\0" not in shape]
        make_maildir(path_in(world, "box"), texts, lambda i: LETTERS[i])
        carry(world, "import", BOB, "box")
        carry(world, "export", BOB, "maildir:md")
        carry(world, "export", BOB, "mbox:mb")
        for name, new in ("md", 0), ("mb", 1):
            copy = path_in(world, f"{name}.copy")
            mutt.run(program, path_in(world, name), f"<tag-pattern>~A<enter><tag-prefix>"
                     f"<copy-message>{copy}<enter><quit>", world.folder, environment)
            check(os.path.exists(copy), f"{program} made no copy of {name}")
            equal(carry(world, "import", BOB, f"mbox:{copy}"), (new, len(texts) - new),
                  f"{name} by {program}")


@case
def neomutt_reads_and_writes():
    read_and_written_by(need("neomutt"))


@case
def equal_messages_stay_as_many():
    """What is twice in a box is there twice, however often it comes."""
    with Users() as world:
        one, other = SHAPES[0], SHAPES[0].replace(b"hello", b"olleh")
        make_maildir(path_in(world, "box"), [one, other, one])
        equal(carry(world, "import", BOB, "box"), (3, 0), "first")
        equal(carry(world, "import", BOB, "box"), (0, 3), "again")
        make_maildir(path_in(world, "box"), [one, other, one, one, other])
        equal(carry(world, "import", BOB, "box"), (2, 3), "with two more")
        make_maildir(path_in(world, "few"), [other])
        equal(carry(world, "import", BOB, "few"), (0, 1), "fewer")


def check_once(world, user, count):
    """Each of so many messages is there exactly once."""
    sizes = collections.Counter(row["octets"] for row in listing(world, user))
    equal(sum(sizes.values()), count, "messages")
    equal(max(sizes.values()), 1, "the most of one length")


def start_import(world, user, box):
    return subprocess.Popen([world.program, "import", user, box, "-c", world.config],
                            cwd=world.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_and_go_on(world, user):
    """Kills one import after the other, each a little later, then lets one finish."""
    for step in range(1, 6):
        process = start_import(world, user, "box")
        time.sleep(0.015 * step)
        process.kill()
        process.wait(TIMEOUT)
    done, there = carry(world, "import", user, "box")
    equal(done + there, 500, "in the end")
    check_once(world, user, 500)
    equal(carry(world, "import", user, "box"), (0, 500), "once more")


@case
def killed_at_any_point():
    with Server(users=[BOB, EVE]) as server:
        make_maildir(path_in(server, "box"), of_all_lengths(500))
        kill_and_go_on(server, BOB)
        server.end()
        kill_and_go_on(server, EVE)


@case
def the_server_ends_meanwhile():
    """Stopped or killed: the import says so and ends with 75, and goes on afterwards."""
    with Server(users=[BOB]) as server:
        make_maildir(path_in(server, "box"), of_all_lengths(500))
        for kill in (False, True):
            process = start_import(server, BOB, "box")
            until(lambda: process.poll() is not None or listing(server), "the first messages")
            server.end(kill)
            check(process.wait(TIMEOUT) in (0, 75), f"it ended with {process.returncode}")
            server.start()
        done, there = carry(server, "import", BOB, "box")
        equal(done + there, 500, "in the end")
        check_once(server, BOB, 500)


@case
def two_at_a_time():
    """Two imports of one box into one mailbox: the second finds all that the first has brought."""
    with Server(users=[BOB]) as server:
        make_maildir(path_in(server, "box"), of_all_lengths(300))
        both = [start_import(server, BOB, "box") for _ in range(2)]
        equal([p.wait(TIMEOUT) for p in both], [0, 0], "exits")
        check_once(server, BOB, 300)


@case
def export_killed_at_any_point():
    with Users() as world:
        make_maildir(path_in(world, "box"), of_all_lengths(300))
        carry(world, "import", BOB, "box")
        for step in range(1, 4):
            process = subprocess.Popen([world.program, "export", BOB, "maildir:out", "-c",
                                        world.config], cwd=world.folder, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            time.sleep(0.03 * step)
            process.kill()
            process.wait(TIMEOUT)

        def finishes():    # once the child of the one that was killed is gone
            code, out, _ = ask(world, "export", BOB, "maildir:out", "--json")
            return code == 0 and sum(json.loads(out)[k] for k in ("exported", "there")) == 300
        until(finishes, "an export after the others")
        names = os.listdir(path_in(world, "out/cur")) + os.listdir(path_in(world, "out/new"))
        equal(len(names), 300, "files")
        sizes = {os.stat(path_in(world, f"out/new/{name}")).st_size for name in names}
        equal(len(sizes), 300, "different ones")
        equal(carry(world, "import", BOB, "out"), (0, 300), "back again")


@case
def ten_thousand():
    """A mailbox of some size, in and out, while a server runs."""
    text = b"Subject: %d\n\n" + b"a line of some seventy octets, more or less, as lines are\n" * 40
    with Server(users=[BOB]) as server:
        with open(path_in(server, "box"), "wb") as file:
            for i in range(10000):
                file.write(b"From a@b.test Sat Nov 21 07:41:27 2026\n" + text % i + b"\n")
        equal(carry(server, "import", BOB, "box"), (10000, 0), "import")
        equal(carry(server, "import", BOB, "box"), (0, 10000), "again")
        wire = server.pop(BOB)
        octets = sum(len(with_crlf(text % i)) for i in range(10000))
        equal(wire.say("STAT", "+OK").split()[1:3], ["10000", str(octets)], "STAT")
        wire.say("QUIT", "+OK")
        equal(carry(server, "export", BOB, "mbox:out"), (10000, 0), "export")
        equal(carry(server, "import", BOB, "out"), (0, 10000), "and back")


@case
def large_messages():
    """Over what memory holds, on their way in twice, of which one is dropped."""
    with Server(users=[BOB]) as server:
        large = b"Subject: large\n\n" + b"x" * 70 * 1024 * 100 + b"\n"
        make_maildir(path_in(server, "box"), [large, SHAPES[0]])
        equal(carry(server, "import", BOB, "box"), (2, 0), "first")
        equal(carry(server, "import", BOB, "box"), (0, 2), "again")
        equal(server.messages(BOB)[0], with_crlf(large), "content")
        equal(carry(server, "export", BOB, "mbox:out"), (2, 0), "out")
        equal(carry(server, "import", BOB, "out"), (0, 2), "and in again")


def make_odd_things(world):
    make_maildir(path_in(world, "good"), SHAPES[:1])
    os.mkdir(path_in(world, "plain"))
    os.mkfifo(path_in(world, "pipe"))
    with open(path_in(world, "text"), "wb") as file:
        file.write(b"Subject: no box\n\nx\n")
    os.symlink("nowhere", path_in(world, "dangling"))


REFUSALS = [
    # words, exit, what is said
    (["import", "bob", "good"], 2, "write user@example.org"),
    (["import", "bob@exam\nple.test", "good"], 2, "bob@exam"),
    (["import", "nobody@example.test", "good"], 1, "there is no user nobody@example.test"),
    (["import", "nobody@else.where", "good"], 1, "there is no user"),
    (["import", BOB], 2, "something is missing"),
    (["import", BOB, "good", "more"], 2, "too many words"),
    (["import", BOB, "missing"], 1, "missing: there is nothing of this name"),
    (["import", BOB, "maildir:missing"], 1, "missing"),
    (["import", BOB, "mbox:missing"], 1, "missing"),
    (["import", BOB, "maildir:"], 2, "wants a path"),
    (["import", BOB, "mbox:"], 2, "wants a path"),
    (["import", BOB, "plain"], 1, "plain is a folder, but no Maildir"),
    (["import", BOB, "maildir:plain"], 1, "plain/cur"),
    (["import", BOB, "maildir:text"], 1, "text"),
    (["import", BOB, "mbox:good"], 1, "good is no plain file"),
    (["import", BOB, "pipe"], 1, "pipe is no plain file"),
    (["import", BOB, "text"], 1, 'its first line does not begin with "From "'),
    (["import", BOB, "dangling"], 1, "dangling"),
    (["import", BOB, "/dev/null"], 1, "/dev/null is no plain file"),
    (["export", "bob", "maildir:out"], 2, "write user@example.org"),
    (["export", "nobody@example.test", "maildir:out"], 1, "there is no user"),
    (["export", BOB, "out"], 2, "write maildir: or mbox: in front"),
    (["export", BOB, "plain"], 2, "write maildir: in front"),
    (["export", BOB, "text"], 1, "text is there already"),
    (["export", BOB, "mbox:missing/out"], 1, "missing"),
    (["export", BOB, "maildir:missing/out"], 1, "missing"),
    (["export", BOB, "maildir:text"], 1, "text"),
    (["export", BOB, "mbox:plain"], 1, "plain is there already"),
    (["export", BOB, "mbox:" + "x" * 250], 1, "the name is too long"),
]


@case
def one_clear_line():
    """What cannot be done is said once, with its exit code, and leaves nothing behind."""
    with Users() as world:
        make_odd_things(world)
        before = sorted(os.listdir(world.folder))
        for words, code, said in REFUSALS:
            found, out, err = ask(world, *words)
            equal((found, out), (code, b""), f"exit and output of {words}: {err}")
            check(said in err, f"{words} said {err!r}")
            equal(err.count("godwit: "), 1, f"lines of {words}: {err!r}")
        equal(listing(world), [], "what was imported")
        equal(sorted(n for n in os.listdir(world.folder) if n != "log"),
              [n for n in before if n != "log"], "what is left")


@case
def a_terminal_sees_progress():
    """On its standard error; a pipe sees nothing; a reader who has enough is no trouble."""
    with Users() as world:
        message = b"From a Sat Nov 21 07:41:27 2026\n\n" + b"y" * 500000 + b"\n\n"
        ours, theirs = pty.openpty()
        process = subprocess.Popen([world.program, "import", BOB, "-", "-c", world.config],
                                   cwd=world.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=theirs)
        os.close(theirs)
        for _ in range(4):    # so slowly that somebody may want to know
            process.stdin.write(message)
            process.stdin.flush()
            time.sleep(0.15)
        process.stdin.close()
        shown = b""
        try:
            while octets := os.read(ours, 4096):
                shown += octets
        except OSError:
            pass    # the end of a terminal
        os.close(ours)
        equal(process.stdout.read(), b"4 imported, 0 there already\n", "output")
        equal(process.wait(TIMEOUT), 0, "exit")
        process.stdout.close()
        check(b" messages, 0 there already" in shown, f"a terminal saw {shown!r}")
        process = subprocess.Popen([world.program, "export", BOB, "-", "-c", world.config],
                                   cwd=world.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.read(1)
        process.stdout.close()
        equal((process.stderr.read(), process.wait(TIMEOUT)), (b"", 75), "a pipe that closes")
        process.stderr.close()


@case
def unreadable_messages():
    """Links, folders and pipes in a Maildir are told and left out; the rest comes, exit 1."""
    with Users() as world:
        box = path_in(world, "box")
        make_maildir(box, SHAPES[:3])
        os.symlink("/etc/passwd", os.path.join(box, "cur", "1.link:2,S"))
        os.mkdir(os.path.join(box, "cur", "2.folder"))
        os.mkfifo(os.path.join(box, "new", "3.pipe"))
        os.mkdir(os.path.join(box, ".Sent"))
        code, out, err = ask(world, "import", BOB, "box", "--json")
        equal((code, json.loads(out)["imported"]), (1, 3), err)
        for word in ("1.link:2,S is a symbolic link", "2.folder is no plain file",
                     "3.pipe is no plain file", "1 folders or files with a dot"):
            check(word in err, f"{word} not in {err}")
        os.rename(os.path.join(box, "cur"), os.path.join(box, "old"))
        os.symlink("old", os.path.join(box, "cur"))
        code, out, err = ask(world, "import", BOB, "maildir:box")
        check(code == 1 and "box/cur" in err, f"a cur that is a link: {code} {err}")


@case
def the_owner_of_the_files():
    """Root reads and writes as the owner of the files: nothing of others, nothing for root."""
    if os.geteuid() != 0:
        raise Skip("not root")
    with Users() as world:
        os.chmod(world.folder, 0o755)
        home = path_in(world, "home")
        make_maildir(os.path.join(home, "box"), SHAPES[:2])
        secret = path_in(world, "secret")
        with open(secret, "wb") as file:
            file.write(b"From a Sat Nov 21 07:41:27 2026\n\nsecret\n")
        os.chmod(secret, 0o600)
        os.link(secret, os.path.join(home, "box", "cur", "5.stolen:2,S"))
        for folder, names, files in os.walk(home):
            for name in names + [f for f in files if "stolen" not in f]:
                os.chown(os.path.join(folder, name), 12345, 12345)
                os.chmod(os.path.join(folder, name), 0o700)
        os.chown(home, 12345, 12345)
        code, out, err = ask(world, "import", BOB, "maildir:home/box", "--json")
        equal((code, json.loads(out)["imported"]), (1, 2), err)
        check("5.stolen:2,S: Permission denied" in err, err)
        equal(carry(world, "export", BOB, "maildir:home/out"), (2, 0), "Maildir")
        equal(carry(world, "export", BOB, "mbox:home/out.mbox"), (2, 0), "mbox")
        owners = {os.lstat(os.path.join(folder, name)).st_uid
                  for folder, names, files in os.walk(home) for name in names + files
                  if "stolen" not in name}
        equal(owners, {12345}, "owners")


@case
def a_disk_without_room():
    """75 and one line; what is in is in, and the same command goes on when there is room."""
    with FaultyServer(users=[BOB]) as server:
        make_maildir(path_in(server, "box"), of_all_lengths(300))
        server.fault("write")
        code, out, err = ask(server, "import", BOB, "box")
        equal((code, out), (75, b""), err)
        check("No space left on device" in err and "the same command goes on" in err, err)
        server.fault("full")
        code, out, err = ask(server, "import", BOB, "box")
        check(code == 75 and "too little room" in err or code == 0, f"{code}: {err}")
        os.unlink(server.fault_file)

        def goes_on():
            return ask(server, "import", BOB, "box")[0] == 0
        until(goes_on, "an import when there is room again")
        check_once(server, BOB, 300)


@case
def an_export_without_room():
    """A full disk under the box: 75, and no file that is not whole."""
    mount = need("mount")
    with Users() as world:
        make_maildir(path_in(world, "box"),
                     [content + b"z" * 20000 + b"\n" for content in of_all_lengths(100)])
        carry(world, "import", BOB, "box")
        small = path_in(world, "small")
        os.mkdir(small)
        if subprocess.run([mount, "-t", "tmpfs", "-o", "size=1M", "tmpfs", small],
                          capture_output=True, check=False).returncode:
            raise Skip("mount is not allowed")
        try:
            for box in ("mbox:small/out", "maildir:small/md"):
                code, out, err = ask(world, "export", BOB, box)
                equal((code, out), (75, b""), err)
                check("No space left on device" in err, err)
                if box.startswith("mbox"):
                    equal(os.listdir(small), [], "what is left")
            whole = [os.path.join(small, "md", part, name) for part in ("cur", "new")
                     for name in os.listdir(os.path.join(small, "md", part))]
            check(0 < len(whole) < 100, f"{len(whole)} files")
            check(all(os.stat(name).st_size > 20000 for name in whole), "a file is cut")
            subprocess.run([mount, "-o", "remount,size=100M", small], check=True)
            done, there = carry(world, "export", BOB, "maildir:small/md")
            equal((done + there, there), (100, len(whole)), "with room")
        finally:
            subprocess.run([shutil.which("umount"), small], check=True)


ODD_PARCELS = [
    b"\n", b"nonsense\n", b"data\n", b"data 5\nhello", b"data 99999999\n", b"keep -1 0\n", b"end",
    b"data 3\nabc" * 50000, b"drop\n" * 1000, b"x" * 5000, b"keep 0 0\n", b"mark 1 2\nopen 0 0\n",
]


@case
def odd_callers():
    """Nonsense on the control socket, and callers who vanish: nothing is stored that was not kept,
    and the mailbox is free for the next one."""
    with Server(users=[BOB]) as server:
        make_maildir(path_in(server, "box"), SHAPES)
        box = server.rows("mailbox", "list")[0]["mailbox"]
        hello = b'{"do":"import","mailbox":"%s","address":"%s"}\n' % (box.encode(), BOB.encode())

        def call(octets, waits=True):
            with socket.socket(socket.AF_UNIX) as caller:
                caller.settimeout(TIMEOUT)
                caller.connect(path_in(server, "data/control.sock"))
                caller.sendall(hello)
                if waits:
                    equal(caller.recv(100), b'{"ok":true}\n', "what is answered")
                try:
                    caller.sendall(octets)
                except (BrokenPipeError, ConnectionResetError):
                    pass
        for octets in ODD_PARCELS:
            call(octets)
        for octets in (b"", b"data 3\nabc", b"x" * 300000):
            call(octets, waits=False)
        for words in (b"{}", b'{"do":"import"}', b'{"do":"import","mailbox":"0","address":"x"}',
                      b'{"do":"import","mailbox":"zz","address":"x"}',
                      b'{"do":"import","mailbox":"1","address":5}'):
            with socket.socket(socket.AF_UNIX) as caller:
                caller.settimeout(TIMEOUT)
                caller.connect(path_in(server, "data/control.sock"))
                caller.sendall(words + b"\n")
                check(b'"ok":false' in caller.recv(1000), f"{words} was taken")
        # `keep` without content is a message, an empty one; that was the caller's wish.
        equal(carry(server, "import", BOB, "box"), (8, 0), "a real one")
        equal(sorted(row["octets"] for row in listing(server))[0], 0, "the empty one")
        equal(len(listing(server)), 9, "messages")


@case
def two_mailboxes_in_one_maildir():
    """The same message is there for each; names without a mailbox, as they once were, are known."""
    with Server(users=[BOB, EVE]) as server:
        server.deliver(b"Subject: x\r\n\r\n", to=[BOB, EVE])
        for counts in (1, 0), (0, 1):
            for user in BOB, EVE:
                equal(carry(server, "export", user, "maildir:md"), counts, f"for {user}")
        equal(len(os.listdir(path_in(server, "md/new"))), 2, "messages")
        carry(server, "export", BOB, "maildir:old")
        (name,) = os.listdir(path_in(server, "old/new"))
        old, count = re.subn(r"B[0-9a-f]{16}U", "U", name)
        equal(count, 1, name)
        os.rename(path_in(server, f"old/new/{name}"), path_in(server, f"old/new/{old}"))
        equal(carry(server, "export", BOB, "maildir:old"), (0, 1), "by its old name")


@case
def a_message_that_came_by_smtp():
    """Its trace fields go out with it, and it is known when it comes back."""
    with Server(users=[BOB, EVE]) as server:
        content = b"Subject: x\r\nStatus: mine\r\n\r\nFrom here\r\n"
        server.deliver(content, to=[BOB, EVE], sender="someone@elsewhere.test")
        equal(carry(server, "export", BOB, "maildir:md"), (1, 0), "Maildir")
        equal(carry(server, "import", BOB, "md"), (0, 1), "back")
        text = carry(server, "export", BOB, "-")
        check(text.startswith(b"From someone@elsewhere.test "), text[:100])
        check(b"\nStatus: mine" not in text, "a Status of strangers is a flag in an mbox")
        check(b"\nX-Kept-Status: mine\n" in text, "a Status of strangers is lost")
        equal(carry(server, "import", BOB, "-", data=text), (0, 1), "back from an mbox")
        equal(carry(server, "import", EVE, "md"), (1, 0), "to the other recipient")
        equal(content_of(server.messages(EVE)[1]), content, "content")


if __name__ == "__main__":
    main(side_by_side=2)
