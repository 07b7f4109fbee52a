"""spool - what users of the machine leave while no server answers, and what others put there.

A second user is needed for what one user may not do to another: those cases want root, and an
account called nobody.
"""

import datetime
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

from harness import TIMEOUT, Skip, case, check, equal, main, need, until
from sendmail_world import AT, Machine, header, nobody


@case
def mail_waits_while_the_server_is_down():
    users = ("bob@example.test", "alice@example.test")
    with Machine(users=users) as server:
        with server.down():
            server.sendmail("-F", "Me", "bob@example.test", text="Subject: 1\n\n.x\n")
            server.sendmail("-t", "-f", "alice@example.test", "-N", "never",
                            text="To: bob@example.test\nBcc: alice@example.test\n\n2\n")
            server.sendmail("-f", "alice@example.test", "who@example.test", "bob@example.test",
                            text="Subject: 3\n\nx\n")
            server.sendmail("-f", "<>", "bob@example.test", text="Subject: 4\n\nx\n")
            equal(len(server.postings()), 4, "postings")
            modes = {os.stat(os.path.join(server.spool, n)).st_mode & 0o7777
                     for n in server.postings()}
            equal(modes, {0o640}, "modes")
        until(lambda: not server.postings(), "an empty spool")
        equal(len(server.messages("bob@example.test")), 4, "messages of bob")
        told = server.messages("alice@example.test")
        equal(len(told), 2, "messages of alice")
        check(any(b"Status: 5.1.1" in m and b"who@example.test" in m for m in told), told)


@case
def others_leave_mail_too():
    uid = nobody()
    with Machine(users=("bob@example.test",)) as server:
        with server.down():
            server.sendmail("bob@example.test", user=uid)
            server.sendmail("-f", "alice@example.test", "bob@example.test", user=uid)
            for words in (["ls", server.spool], ["cat", *(os.path.join(server.spool, n)
                                                          for n in server.postings())]):
                code = subprocess.run(words, user=uid, group=uid, extra_groups=[], check=False,
                                      capture_output=True).returncode
                check(words[0] == "cat" or code != 0, "others may list the spool")
        until(lambda: not server.postings(), "an empty spool")
        messages = server.messages("bob@example.test")
        # The second is refused; the sender that it names is not the user's, so that is not who is
        # told: he himself is, and for him the postmaster.
        check(any(f"Received: from nobody (uid {uid})" in header(m) for m in messages), messages)
        check(not any(m.startswith(b"Return-Path: <alice") for m in messages), messages)
        report, = (m for m in messages if m.startswith(b"Return-Path: <>"))
        check(b"rule local" in report, report)
        server.wait_log("rule local")


@case
def reloads_do_not_disturb():
    """What takes a posting's place is put where the server has begun to look."""
    count = 30
    with Machine(users=("bob@example.test",)) as server:
        with server.down():
            for number in range(count):
                server.sendmail("-t", text=f"To: bob@example.test, nobody{number}@example.test\n"
                                           f"Subject: n{number}.\n\nx\n")
        until(lambda: (server.signal(signal.SIGHUP), not server.postings())[1], "an empty spool")
        numbers = [int(re.search(r"Subject: n(\d+)\.", header(m))[1])
                   for m in server.messages("bob@example.test") if b"<>" not in m.split(b"\n")[0]]
        equal(sorted(numbers), list(range(count)), "what came")


def posting(name, to=("bob@example.test",), content=b"Subject: forged\n\nx\n", more=(),
            octets=None):
    lines = [b"godwit-posting 1", b"file " + name.encode(), *more,
             *(b"to " + t.encode() for t in to),
             b"content %d" % (len(content) if octets is None else octets), b"", b""]
    return b"\n".join(lines) + content


@case
def nothing_in_the_spool_is_believed():
    """Links, pipes, folders, forged and broken files: none does harm, none stops the others."""
    uid = nobody()
    with Machine(users=("bob@example.test", "alice@example.test")) as server:
        with server.down():
            path = lambda name: os.path.join(server.spool, name)
            put = lambda name, octets: open(path(name), "wb").write(octets)
            secret = os.path.join(server.folder, "secret")
            with open(secret, "wb") as file:
                file.write(posting("linked", content=b"Subject: secret\n\nsecret\n"))
            os.chmod(secret, 0o600)
            os.symlink(secret, path("linked"))
            os.link(secret, path("hard"))
            os.mkfifo(path("pipe"))
            os.mkdir(path("folder"))
            os.mkdir(path("full"))
            put("full/x", b"x")
            with socket.socket(socket.AF_UNIX) as sock:
                sock.bind(path("sock"))
            put("empty", b"")
            put("noise", os.urandom(5000))
            put("other", posting("another"))
            put("short", posting("short", octets=1000))
            put("long", posting("long", octets=1))
            put("many", posting("many", to=["bob@example.test"] * 2001))
            put("nul", posting("nul", to=["bob@example.test\0"]))
            put("crlf", posting("crlf", more=[b"sender x@y>\rRCPT TO:<alice@example.test"]))
            put("keys", posting("keys", more=[b"command rm"]))
            put("nohead", b"godwit-posting 1\n" + b"to bob@example.test\n" * 100000)
            put("huge", b"")
            os.truncate(path("huge"), 200 << 20)
            for name in ("a" * 100, "Name With Spaces", "dot.ted", "-dash"):
                put(name, b"x")
            # Somebody who says that he is root is himself.
            put("forged", posting("forged", more=[b"user 0", b"sender root@" + AT.encode()]))
            put("fine", posting("fine", content=b"Subject: fine\n\nx\n"))
            for name in ("forged", "fine"):
                os.chown(path(name), uid, -1)
                os.chmod(path(name), 0o640)
        until(lambda: "fine" not in os.listdir(server.spool) and
              "forged" not in os.listdir(server.spool) and "huge" not in os.listdir(server.spool),
              "the good one to be taken")
        until(lambda: {"full"} >= {n for n in server.postings() if os.path.isdir(path(n)) or
                                   n in ("linked", "pipe", "sock")}, "links to be removed")
        check("hard" in server.postings(), "what has a second name is gone")
        subjects = [re.search(r"Subject: (\w+)", header(m))[1] for m in
                    server.messages("bob@example.test") if not m.startswith(b"Return-Path: <>")]
        equal(subjects, ["fine"], "mail of bob")
        equal([m for m in server.messages("alice@example.test") if b"forged" not in m], [], "alice")
        check(os.path.exists(secret), "what was linked to is gone")
        bad = lambda: {n[5:] for n in os.listdir(server.spool) if n.startswith(".bad-")}
        wanted = {"empty", "noise", "other", "short", "long", "many", "nul", "crlf", "keys",
                  "nohead", "huge"}
        until(lambda: bad() >= wanted, "the others to be set aside")
        equal(bad(), wanted, "what was set aside")
        server.wait_log("rule local")


@case
def what_is_too_long_is_told():
    """Close below the maximum, where a report that returned all of it would be over it."""
    with Machine(users=("bob@example.test",), limits='message = "200K"') as server:
        lines = "ab\n" * 49000    # 147,000 octets, and 196,000 with CRLF
        with server.down():
            said = server.sendmail("bob@example.test", text="\n" + lines * 2, code=65)
            check("with CRLF" not in said, said)
            said = server.sendmail("bob@example.test", text="\n" + lines + "ab\n" * 3000, code=65)
            check("208002 octets with CRLF" in said, said)
            equal(server.postings(), [], "postings")
            server.sendmail("-f", "bob@example.test", "who@example.test",
                            text="Subject: close\n\n" + lines)
            # What is the server's own, and refused by the last who could be told.
            with open(os.path.join(server.spool, "last"), "wb") as file:
                file.write(posting("last", to=["postmaster"], content=b"x\n" * 100000,
                                   more=[b"user %d" % os.geteuid(), b"sender "]))
        until(lambda: not server.postings(), "an empty spool")
        report, = server.messages("bob@example.test")
        for words in (b"Status: 5.1.1", b"who@example.test", b"Subject: close"):
            check(words in report, (words, report[:3000]))
        equal([n for n in os.listdir(server.spool) if n.startswith(".bad-")], [".bad-last"],
              "what was set aside")


@case
def junk_does_not_pile_up():
    with Machine(users=("bob@example.test",)) as server:
        with server.down():
            for number in range(300):
                with open(os.path.join(server.spool, f"junk{number}"), "wb") as file:
                    file.write(b"x")
        until(lambda: not server.postings(), "the junk to be sorted out")
        equal(len([n for n in os.listdir(server.spool) if n.startswith(".bad-")]), 100, "kept")
        server.sendmail("bob@example.test")
        equal(len(server.messages("bob@example.test")), 1, "messages")


@case
def what_begins_as_a_posting_is_kept():
    """However much has been set aside, and whoever has made a copy by linking."""
    with Machine(users=("bob@example.test",), limits='message = "200K"') as server:
        path = lambda name: os.path.join(server.spool, name)
        with server.down():
            for number in range(100):
                open(path(f".bad-{number}"), "wb").close()
            for name, octets in (("large", posting("large", content=b"x\n" * (2 << 20))),
                                 ("short", posting("short", octets=10**6)), ("junk", b"x\n")):
                with open(path(name), "wb") as file:
                    file.write(octets)
            server.sendmail("bob@example.test")
            name, = set(server.postings()) - {"large", "short", "junk"}
            os.link(path(name), path("snap"))
            copy = os.path.join(server.folder, "copy")
            os.rename(path("snap"), copy)
        until(lambda: server.postings() == [name], "the rest to be sorted out")
        check({".bad-large", ".bad-short"} <= set(os.listdir(server.spool)), "not kept")
        check(".bad-junk" not in os.listdir(server.spool), "junk is kept")
        server.wait_log("second name")
        equal(server.messages("bob@example.test"), [], "mail of bob")
        os.unlink(copy)
        until(lambda: (server.sendmail("-q"), not server.postings())[1], "it to be taken")
        equal(len(server.messages("bob@example.test")), 1, "messages of bob")


@case
def a_file_that_changes_is_left_alone():
    """A writer that never stops gets nothing in, and keeps nobody else out."""
    with Machine(users=("bob@example.test",)) as server:
        with server.down():
            growing = os.path.join(server.spool, "growing")
            server.sendmail("bob@example.test", text="Subject: fine\n\nx\n")
            with open(growing, "wb") as file:
                file.write(posting("growing", octets=10**9))
        with open(growing if os.path.exists(growing) else os.devnull, "ab", 0) as file:
            for _ in range(100):
                file.write(b"x" * 4096)
                time.sleep(0.002)
        server.wait_mail("bob@example.test")


def logged_at(server, words):
    """When the first such event was, in seconds."""
    line = next(line for line in server.log().splitlines() if words in line)
    return datetime.datetime.fromisoformat(line.split()[0]).timestamp()


@case
def what_waits_too_long_goes_back():
    """relay.expire counts for the spool too: a report to the sender, or to the postmaster when
    that cannot be had either; what nobody can read is set aside.  Nothing goes without a word."""
    users = ("bob@example.test", "alice@example.test")
    with Machine(users=users, domains=("example.test", "empty.test"),
                 relay='expire = "2s"  warn = 0  retry = {"1s"}') as server:
        # A domain without a user puts off even mail for its postmaster.
        server.sendmail("-f", "alice@example.test", "-V", "id1", "postmaster@empty.test",
                        "bob@example.test", text="Subject: late\n\nx\n")
        until(lambda: (server.sendmail("-q"), not server.postings())[1], "it to be given up")
        equal(len(server.messages("bob@example.test")), 1, "messages of bob")
        report, = server.wait_mail("alice@example.test")
        for words in (b"Status: 4.4.7", b"postmaster@empty.test", b"Subject: late",
                      b"within 2 seconds", b"Original-Envelope-Id: id1"):
            check(words in report, (words, report))
        server.wait_log("spool-expired")
        waited = logged_at(server, "spool-expired") - logged_at(server, "refused what=recipient")
        check(waited > 1.9, f"it was given up after {waited} s")    # a file's time is a little old
        # Not even its sender can be told for the time being.
        server.sendmail("-f", "postmaster@empty.test", "postmaster@empty.test",
                        text="Subject: lost\n\nx\n")
        until(lambda: (server.sendmail("-q"), not server.postings())[1], "that one likewise")
        until(lambda: any(b"Subject: lost" in m for m in server.messages("bob@example.test")),
              "a report to the postmaster")


@case
def what_nobody_can_take_is_set_aside():
    """A posting of a user who is gone: at once it waits, and when its time is over it is set aside
    where a person finds it."""
    nobody()
    with Machine(users=("bob@example.test",), relay='expire = "1s"  warn = 0') as server:
        path = os.path.join(server.spool, "gone")
        with open(path + ".new", "wb") as file:
            file.write(posting("gone"))
        os.chown(path + ".new", 4000000000, -1)
        os.rename(path + ".new", path)
        until(lambda: (server.sendmail("-q"), not os.path.exists(path))[1], "it to be set aside")
        check(".bad-gone" in os.listdir(server.spool), os.listdir(server.spool))
        equal(server.messages("bob@example.test"), [], "messages")


@case
def killed_servers_lose_nothing():
    """kill -9 while the spool is taken: each posting comes, and twice at most for each kill."""
    count, kills = 30, 4
    with Machine(users=("bob@example.test",)) as server:
        server.end()
        for number in range(count):
            server.sendmail("-t", text=f"To: bob@example.test\nSubject: n{number}.\n\nx\n")
        killed = 0
        for number in range(kills):
            server.start()
            time.sleep(0.02 * number)
            killed += bool(server.postings())
            server.end(kill=True)
        server.start()
        until(lambda: not server.postings(), "an empty spool")
        numbers = [int(re.search(rb"Subject: n(\d+)\.", m)[1])
                   for m in server.messages("bob@example.test")]
        equal(sorted(set(numbers)), list(range(count)), "what came")
        check(len(numbers) - count <= killed, f"{len(numbers) - count} came twice, {killed} kills")


@case
def programs_race_with_each_other():
    """Many at once, live and into the spool, while the server goes down and comes back."""
    with Machine(users=("bob@example.test",)) as server:
        programs = [subprocess.Popen(
            [server.program, "sendmail", "-C", server.config, "-t"], stdin=subprocess.PIPE,
            stderr=subprocess.PIPE) for _ in range(40)]
        for number, program in enumerate(programs):
            program.stdin.write(b"To: bob@example.test\nSubject: n%d.\n\nx\n" % number)
            program.stdin.close()
            if number == 20:
                server.restart()
        codes = [p.wait(TIMEOUT) for p in programs]
        told = [p.stderr.read() for p in programs]
        for program in programs:
            program.stderr.close()
        equal(set(codes), {0}, f"exit codes {codes} {told}")
        until(lambda: not server.postings(), "an empty spool")
        numbers = [int(re.search(rb"Subject: n(\d+)\.", m)[1])
                   for m in server.messages("bob@example.test")]
        equal(sorted(set(numbers)), list(range(40)), "what came")


# Calls until nobody is let in any more, and stays.
CROWD = """
import socket, sys
socks = []
try:
    while True:
        socks.append(socket.socket(socket.AF_UNIX))
        socks[-1].setblocking(False)
        socks[-1].connect(sys.argv[1])
except OSError:
    print("full", flush=True)
sys.stdin.read()
"""


@case
def a_server_that_hangs_keeps_nobody():
    """Its queue of connections is full: mail waits in the spool, and who sends does not."""
    with Machine(users=("bob@example.test",)) as server:
        server.signal(signal.SIGSTOP)
        with subprocess.Popen([sys.executable, "-c", CROWD, server.socket], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as crowd:
            try:
                crowd.stdout.readline()
                server.sendmail("bob@example.test")
                equal(len(server.postings()), 1, "postings")
            finally:
                crowd.communicate(timeout=TIMEOUT)
                server.signal(signal.SIGCONT)
        # Who calls so often has no connection left for a moment.
        until(lambda: (server.sendmail("-q"), not server.postings())[1], "an empty spool")
        server.wait_mail("bob@example.test")


@case
def without_server_and_spool_it_says_so():
    with Machine(users=("bob@example.test",)) as server:
        with server.down():
            os.rename(server.spool, server.spool + ".away")
            said = server.sendmail("bob@example.test", code=75)
            check("cannot be reached" in said and "spool" in said, said)
            os.rename(server.spool + ".away", server.spool)


@case
def a_spool_without_room():
    """A full disk: 75, and what is too much for it leaves nothing behind."""
    mount = need("mount")
    with Machine(users=("bob@example.test",)) as server, server.down():
        if subprocess.run([mount, "-t", "tmpfs", "-o", "size=300K,mode=3733", "tmpfs",
                           server.spool],
                          capture_output=True, check=False).returncode:
            raise Skip("mount is not allowed")
        try:
            said = server.sendmail("bob@example.test", text="x\n" * (1 << 19), code=75)
            check("cannot be reached" in said and "No space left on device" in said, said)
            equal(said.count("\n"), 1, said)
            equal(os.listdir(server.spool), [], "what is left")
            server.sendmail("bob@example.test", text="small\n")
            equal(len(server.postings()), 1, "postings")
        finally:
            subprocess.run([shutil.which("umount"), server.spool], check=True)


@case
def a_folder_that_cannot_be_changed():
    """Read-only, and then full: what was handed over is not handed over again."""
    mount = need("mount")
    with Machine(users=("bob@example.test", "alice@example.test")) as server:
        server.end()
        if subprocess.run([mount, "-t", "tmpfs", "-o", "size=300K,mode=3733", "tmpfs",
                           server.spool], capture_output=True, check=False).returncode:
            raise Skip("mount is not allowed")
        try:
            server.sendmail("-f", "alice@example.test", "bob@example.test", "who@example.test",
                            text="Subject: once\n\n" + "x\n" * 50000)
            filler = os.path.join(server.spool, ".bad-filler")
            with open(filler, "wb", 0) as file:
                try:
                    while True:
                        file.write(bytes(4096))
                except OSError:
                    pass
            subprocess.run([mount, "-o", "remount,ro", server.spool], check=True)
            server.start()
            server.wait_log("Read-only file system")
            equal(server.messages("bob@example.test"), [], "mail of bob")
            subprocess.run([mount, "-o", "remount,rw", server.spool], check=True)
            server.sendmail("-q")
            until(lambda: server.log().count("No space left on device") > 1, "a second attempt")
            os.unlink(filler)
            until(lambda: not server.postings(), "an empty spool")
            equal(len(server.messages("bob@example.test")), 1, "messages of bob")
            until(lambda: server.messages("alice@example.test"), "a report")
            equal(len(server.messages("alice@example.test")), 1, "messages of alice")
        finally:
            server.end(kill=True)
            subprocess.run([shutil.which("umount"), server.spool], check=True)


@case
def nobody_stands_behind_another():
    """Who is put off keeps nothing else waiting that the same user sends."""
    with Machine(users=("bob@example.test",), domains=("example.test", "empty.test")) as server:
        with server.down():
            for number in range(20):
                server.sendmail("postmaster@empty.test" if number % 2 else "bob@example.test")
        until(lambda: len(server.postings()) == 10, "the others to be taken")
        equal(len(server.messages("bob@example.test")), 10, "messages of bob")


@case
def check_looks_at_the_spool():
    with Machine() as server:
        for mode, wanted in ((0o3733, "ok local: "), (0o1777, "warn local: "),
                             (0o3703, "warn local: ")):
            os.chmod(server.spool, mode)
            check(wanted in server.check(), f"no {wanted}of {mode:o}")


if __name__ == "__main__":
    main(side_by_side=2)
