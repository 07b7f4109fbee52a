"""sendmail - godwit sendmail as programs and users of the machine call it, and what they may do.

A second user is needed for what one user may not do to another: those cases want root, and an
account called nobody.
"""

import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time

from harness import (TIMEOUT, Server, Skip, case, check, content_of, equal, main, need, until)

ME = pwd.getpwuid(os.geteuid()).pw_name
AT = "mx.example.test"


class Machine(Server):
    """A server that other users of this machine reach, and a copy of godwit that they may run."""

    def __init__(self, *arguments, local="", **sections):
        super().__init__(*arguments, local=f'socket = "run/submit.sock"  spool = "spool" {local}',
                         **sections)
        os.chmod(self.folder, 0o711)
        os.chmod(self.config, 0o644)
        os.mkdir(os.path.join(self.folder, "run"))
        os.chmod(os.path.join(self.folder, "run"), 0o755)
        os.mkdir(self.spool)
        os.chmod(self.spool, 0o3733)
        self.copy = None

    @property
    def spool(self):
        return os.path.join(self.folder, "spool")

    @property
    def socket(self):
        return os.path.join(self.folder, "run", "submit.sock")

    def postings(self):
        return sorted(n for n in os.listdir(self.spool) if not n.startswith("."))

    def link(self, name):
        """The program by another name."""
        if not self.copy:
            self.copy = os.path.join(self.folder, "bin")
            os.mkdir(self.copy)
            os.chmod(self.copy, 0o755)
            shutil.copy(self.program, os.path.join(self.copy, "godwit"))
            os.chmod(os.path.join(self.copy, "godwit"), 0o755)
        path = os.path.join(self.copy, name)
        if not os.path.lexists(path):
            os.symlink("godwit", path)
        return path

    def sendmail(self, *words, text="Subject: x\n\nx\n", code=0, user=None, env=()):
        """Runs it, maybe as another user; returns what it printed, on both outputs."""
        program = [self.program, "sendmail"] if user is None else [self.link("sendmail")]
        who = {} if user is None else {"user": user, "group": user, "extra_groups": []}
        octets = text if isinstance(text, bytes) else text.encode()
        done = subprocess.run([*program, "-C", self.config, *words], input=octets,
                              capture_output=True, timeout=TIMEOUT, check=False, cwd="/",
                              env={**os.environ, **dict(env)}, **who)
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        equal(done.returncode, code, f"sendmail {' '.join(words)}: {said!r}")
        check("anitizer" not in said and "godwit: bug" not in said, said)
        return said

    def check(self):
        """What godwit check says, however it ends."""
        return subprocess.run([self.program, "check", "-c", self.config], capture_output=True,
                              timeout=TIMEOUT, check=False, text=True).stdout

    @contextlib.contextmanager
    def down(self):
        """Nobody serves meanwhile."""
        self.end()
        yield
        self.start()


def nobody():
    """The uid of a user who is not us."""
    if os.geteuid() != 0:
        raise Skip("only root may be somebody else")
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        raise Skip("no account nobody") from None


def header(message):
    return message.partition(b"\r\n\r\n")[0].decode("utf-8", "replace")


# --- What it sends ---

@case
def recipients_stand_in_the_header():
    """-t: To, Cc and Bcc in every form; Bcc goes, what is missing comes."""
    users = ("alice@example.test", "bob@example.test", "carol@example.test")
    text = """\
        To: "Alice, A." <alice@example.test>, root (that's me)
        Cc: friends: bob@example.test;
        Bcc: carol@example.test
        Subject: hi

        one
        .
        two
        """
    with Machine(users=users) as server:
        said = server.sendmail("-t", "-oi", "-v", text=textwrap.dedent(text))
        check(re.search(r"carol@example.test: 250 2.0.0 accepted as \w+", said), said)
        for user in users:
            message = server.messages(user)[0]
            equal(message.splitlines()[0], f"Return-Path: <{ME}@{AT}>".encode(), "the sender")
            check(f"Received: from {ME} (uid {os.geteuid()})" in header(message), header(message))
            check("Bcc" not in header(message) and "carol" not in header(content_of(message)),
                  header(message))
            for field in ("Date: ", "Message-ID: <", f"<{ME}@{AT}>", "Subject: hi"):
                check(field in header(message), f"no {field}: {header(message)}")
            check(message.endswith(b"\r\n\r\none\r\n.\r\ntwo\r\n"), message[-40:])


@case
def a_dot_ends_it_or_not():
    with Machine(users=("bob@example.test",)) as server:
        for words in ((), ("-i",), ("-oi",)):
            server.sendmail(*words, "bob@example.test", text="\n1\n.\n2\n")
        ends = [m.rpartition(b"\r\n\r\n")[2] for m in server.messages("bob@example.test")]
        equal(ends, [b"1\r\n", b"1\r\n.\r\n2\r\n", b"1\r\n.\r\n2\r\n"], "bodies")


@case
def what_came_is_what_is_kept():
    """Octets as they are: dots, 8 bits, long lines, CRLF, no end of line, no header, nothing."""
    bodies = [b"..x\n.\xc3\xa9\n", b"a" * 60000 + b"\n", b"one\r\ntwo\r\n", b"no end", b""]
    with Machine(users=("bob@example.test",)) as server:
        for body in bodies:
            server.sendmail("-oi", "bob@example.test", text=b"Subject: x\n\n" + body)
        for body, message in zip(bodies, server.messages("bob@example.test")):
            wanted = body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            wanted += b"" if not wanted or wanted.endswith(b"\r\n") else b"\r\n"
            equal(message.partition(b"\r\n\r\n")[2], wanted, "the body")
        server.sendmail("bob@example.test", text="no header at all\n")
        check(server.messages("bob@example.test")[-1].endswith(b"\r\n\r\nno header at all\r\n"), "")


@case
def names_become_a_from():
    with Machine(users=("bob@example.test",)) as server:
        for name in ("Cron Daemon", 'A "B" \\ C', "Jörg Müller"):
            server.sendmail("-F", name, "-f", f"{ME}@example.test", "bob@example.test")
        field = re.compile(r"^From: ([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)", re.M)
        fields = [field.search(header(content_of(m)))[1].replace("\r\n", "")
                  for m in server.messages("bob@example.test")]
        equal(fields, [f'"Cron Daemon" <{ME}@example.test>',
                       f'"A \\"B\\" \\\\ C" <{ME}@example.test>',
                       f"=?UTF-8?B?SsO2cmcgTcO8bGxlcg==?= <{ME}@example.test>"], "From")


@case
def nothing_is_smuggled():
    """Line ends in names and addresses make no field, no command and no recipient."""
    users = ("bob@example.test", "eve@example.test")
    with Machine(users=users) as server:
        evil = "x\r\nBcc: eve@example.test\r\n\r\nbody"
        server.sendmail("-F", evil, "bob@example.test", env={"NAME": evil})
        server.sendmail("-f", f"{ME}@{AT}>\r\nRCPT TO:<eve@example.test", "bob@example.test",
                        code=64)
        server.sendmail("bob@example.test>\r\nRCPT TO:<eve@example.test", code=64)
        server.sendmail("-V", "a\r\nRCPT TO:<eve@example.test>", "bob@example.test", code=64)
        server.sendmail("-oi", "bob@example.test",
                        text="Subject: x\n\n.\r\nMAIL FROM:<>\r\nRCPT TO:<eve@example.test>\r\n")
        equal(server.messages("eve@example.test"), [], "mail of eve")
        for message in server.messages("bob@example.test"):
            check("\r\nBcc" not in header(message), header(message))


@case
def reports_are_asked_for():
    with Machine(users=("bob@example.test", "alice@example.test")) as server:
        server.sendmail("-N", "success,failure", "-R", "hdrs", "-V", "my+id",
                        "-f", "alice@example.test", "bob@example.test")
        until(lambda: server.messages("alice@example.test"), "the report")
        report = server.only_message("alice@example.test")
        check(b"Original-Envelope-Id: my+id" in report and b"Action: delivered" in report, report)
        server.sendmail("-N", "sometimes", "bob@example.test", code=64)


# --- How it ends ---

@case
def exit_codes_are_those_of_sysexits():
    with Machine(users=("bob@example.test",)) as server:
        server.sendmail(code=64)
        server.sendmail("-y", "bob@example.test", code=64)
        server.sendmail("-bd", code=64)
        server.sendmail("a b c", code=64)
        server.sendmail("-t", text="To: a b c\n\nx\n", code=65)
        server.sendmail("-t", text="Subject: nobody\n\nx\n", code=64)
        check("550 5.1.1" in server.sendmail("who@example.test", "bob@example.test", code=67), "")
        check("no such user" in server.sendmail("-oep", "who", code=67), "not told")
        equal(server.sendmail("-oeq", "who", code=67), "", "-oeq says")
        server.sendmail("-B8BITMIME", "-odi", "-om", "-oQ/x", "-p", "x", "-m", "-G", "-h", "3",
                        "-L", "tag", "-X", "/dev/null", "-O", "A=b", "--", "bob@example.test")
        equal(len(server.messages("bob@example.test")), 2, "messages of bob")
        check("alias import" in server.sendmail("-bi"), "newaliases does not say what to do")
        done = subprocess.run([server.program, "sendmail", "-C", "/nowhere", "x"], check=False,
                              capture_output=True, input=b"", timeout=TIMEOUT)
        equal(done.returncode, 78, "a configuration that is missing")


@case
def those_who_are_refused_are_reported():
    """-oem: by mail, to the sender, or to the postmaster for a sender without a mailbox."""
    with Machine(users=("bob@example.test", "alice@example.test")) as server:
        equal(server.sendmail("-oem", "-f", "alice@example.test", "who@example.test", code=67), "",
              "is told")
        server.sendmail("-oee", "-f", "alice@example.test", "who", "bob@example.test")
        reports = server.messages("alice@example.test")
        equal(len(reports), 2, "reports")
        check(all(b"Status: 5.1.1" in r and b"Subject: x" in r for r in reports), reports)
        # Nobody can be told of what nobody sent.
        check("no such user" in server.sendmail("-oem", "-f", "<>", "who", code=67), "not told")


@case
def it_goes_by_other_names():
    with Machine(users=("bob@example.test",)) as server:
        run = lambda name, *words: subprocess.run(
            [server.link(name), *words], input=b"Subject: x\n\nx\n", capture_output=True,
            timeout=TIMEOUT, check=False)
        equal(run("sendmail", "-C", server.config, "bob@example.test").returncode, 0, "sendmail")
        equal(run("newaliases").returncode, 0, "newaliases")
        equal(server.sendmail("-bp"), "Mail queue is empty\n", "an empty queue")
        equal(server.sendmail("-q"), "", "nothing to try")
        # The first recipient ends the options: what follows is one, and no file.
        done = run("sendmail", "-C", server.config, "bob@example.test", "-C/nowhere")
        equal(done.returncode, 67, "-C/nowhere behind a recipient")
        server.deliver(b"Subject: x\r\n\r\nx\r\n", sender="", to=("bob@example.test",))
        server.sendmail("far@elsewhere.invalid", "-N", "never")
        with server.down():
            server.sendmail("-v", "bob@example.test")
            listed = run("mailq", "-C", server.config)
            equal(listed.returncode, 0, f"mailq: {listed}")
            check(b"in the spool" in listed.stdout and ME.encode() in listed.stdout, listed)
        server.sendmail("-q")


@case
def smtp_is_spoken_on_standard_output():
    with Machine(users=("bob@example.test",)) as server:
        talk = ("HELO x\r\nMAIL FROM:<{0}@{1}>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n"
                "Subject: bs\r\n\r\nx\r\n.\r\nQUIT\r\n").format(ME, AT)
        said = server.sendmail("-bs", text=talk)
        check(said.startswith(f"220 {AT} ") and "250 2.0.0 accepted as" in said and
              said.rstrip().splitlines()[-1].startswith("221 "), said)
        check("AUTH" not in server.sendmail("-bs", text="EHLO x\r\nQUIT\r\n"), "AUTH is offered")
        equal(len(server.messages("bob@example.test")), 1, "messages")
        with server.down():
            check(server.sendmail("-bs", text=talk, code=75).startswith("421 4.3.2 "), "no 421")


# --- Who may send as whom ---

@case
def a_user_sends_as_himself():
    uid = nobody()
    with Machine(users=("alice@example.test", "nobody@example.test", "bob@example.test")) as server:
        server.run("alias", "add", "team@example.test", "nobody@example.test", "bob@example.test")
        for sender in (None, f"nobody@{AT}", "nobody@example.test", "nobody+x@example.test",
                       "team@example.test", "<>"):
            words = ("-f", sender) if sender else ()
            server.sendmail(*words, "bob@example.test", user=uid)
        for sender in ("alice@example.test", f"root@{AT}", "who@elsewhere.test", "root"):
            said = server.sendmail("-f", sender, "bob@example.test", user=uid, code=77)
            check("553 5.7.1" in said and "rule local" in said and "nobody" in said, said)
        messages = server.messages("bob@example.test")
        equal(len(messages), 6, "messages of bob")
        for message in messages:
            check(f"Received: from nobody (uid {uid})" in header(message), header(message))
        # From too, and not only the envelope.
        said = server.sendmail("-t", user=uid, code=69,
                               text="From: alice@example.test\nTo: bob@example.test\n\nx\n")
        check("submission.from" in said, said)


@case
def some_send_as_anybody():
    uid = nobody()
    with Machine(users=("bob@example.test",), local='trusted = { "nobody" }') as server:
        server.sendmail("-f", "who@elsewhere.test", "bob@example.test", user=uid)
        server.sendmail("-f", "other@elsewhere.test", "bob@example.test")
        senders = [m.splitlines()[0] for m in server.messages("bob@example.test")]
        equal(senders, [b"Return-Path: <who@elsewhere.test>",
                        b"Return-Path: <other@elsewhere.test>"], "senders")


@case
def users_have_their_limits():
    """submission.messages counts for a user of the machine; what is over waits in the spool."""
    uid = nobody()
    with Machine(users=("bob@example.test",), submission="messages = 2",
                 limits="connections_per_peer = 3") as server:
        for _ in range(3):
            server.sendmail("bob@example.test", user=uid)
        for _ in range(4):
            server.sendmail("bob@example.test")
        equal(len(server.messages("bob@example.test")), 6, "messages of bob")
        until(lambda: "450" in server.log() and len(server.postings()) == 1, "one that waits")
        socks = [socket.socket(socket.AF_UNIX) for _ in range(4)]
        greetings = []
        for sock in socks:
            sock.settimeout(TIMEOUT)
            sock.connect(server.socket)
            greetings.append(sock.recv(3))
        equal(greetings, [b"220"] * 3 + [b"421"], "greetings")
        for sock in socks:
            sock.close()


# --- The spool ---

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
        # The second is refused; the sender that it names is not the user's, so nobody is told but
        # the log.
        check(any(f"Received: from nobody (uid {uid})" in header(m) for m in messages), messages)
        check(not any(m.startswith(b"Return-Path: <alice") for m in messages), messages)
        until(lambda: "rule local" in server.log(), "the refusal in the log")


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
                                   n in ("linked", "hard", "pipe", "sock")}, "links to be removed")
        subjects = [re.search(r"Subject: (\w+)", header(m))[1] for m in
                    server.messages("bob@example.test")]
        equal(subjects, ["fine"], "mail of bob")
        equal([m for m in server.messages("alice@example.test") if b"forged" not in m], [], "alice")
        check(os.path.exists(secret), "what was linked to is gone")
        bad = {n[5:] for n in os.listdir(server.spool) if n.startswith(".bad-")}
        equal(bad, {"empty", "noise", "other", "short", "long", "many", "nul", "crlf", "keys",
                    "nohead", "huge"}, "what was set aside")
        until(lambda: "rule local" in server.log(), "the forged one to be refused")


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
        until(lambda: server.messages("bob@example.test"), "the other one")
        equal(len(server.messages("bob@example.test")), 1, "messages of bob")


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
        until(lambda: len(server.postings()) == 1, "the rest of it to wait")
        check("spool-expired" not in server.log(), "too early")
        until(lambda: (server.sendmail("-q"), not server.postings())[1], "it to be given up")
        equal(len(server.messages("bob@example.test")), 1, "messages of bob")
        until(lambda: server.messages("alice@example.test"), "a report")
        report = server.messages("alice@example.test")[0]
        for words in (b"Status: 4.4.7", b"postmaster@empty.test", b"Subject: late",
                      b"within 2 seconds", b"Original-Envelope-Id: id1"):
            check(words in report, (words, report))
        until(lambda: "spool-expired" in server.log(), "the log")
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
        until(lambda: server.messages("bob@example.test"), "the message")


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
def standard_input_that_cannot_be_read():
    with Machine(users=("bob@example.test",)) as server:
        folder = os.open("/", os.O_RDONLY)
        done = subprocess.run([server.program, "sendmail", "-C", server.config, "bob@example.test"],
                              stdin=folder, capture_output=True, timeout=TIMEOUT, check=False)
        os.close(folder)
        equal(done.returncode, 74, done.stderr)
        check(b"standard input: Is a directory" in done.stderr, done.stderr)


@case
def in_a_folder_of_ones_own():
    """No `local` at all: the socket is in DATA, for who runs the server."""
    with Server(users=("bob@example.test",)) as server:
        server.run("sendmail", "bob@example.test", text="Subject: x\n\nx\n")
        server.end()
        server.run("sendmail", "bob@example.test", text="Subject: y\n\nx\n")
        server.start()
        until(lambda: len(server.messages("bob@example.test")) == 2, "both")


@case
def a_server_without_rights_serves_all():
    """As installed: root starts it, it becomes another user, and a third one sends."""
    uid, daemon = nobody(), pwd.getpwnam("daemon")
    with Machine() as server:
        server.end()
        with open(server.config, encoding="utf-8") as file:
            text = file.read().replace('user = "root"', 'user = "nobody"')
        with open(server.config, "w", encoding="utf-8") as file:
            file.write(text)
        shutil.rmtree(os.path.join(server.folder, "data"))
        for name in ("run", "spool"):
            os.chown(os.path.join(server.folder, name), uid, pwd.getpwuid(uid).pw_gid)
        os.chmod(server.spool, 0o3733)
        server.add_user("bob@example.test")
        server.sendmail("bob@example.test", text="Subject: 1\n\nx\n", user=daemon.pw_uid)
        server.start()
        until(lambda: not server.postings(), "an empty spool")
        server.sendmail("bob@example.test", text="Subject: 2\n\nx\n", user=daemon.pw_uid)
        server.sendmail("-f", "who@example.test", "bob@example.test", user=daemon.pw_uid, code=77)
        server.sendmail("-f", "who@example.test", "bob@example.test", user=uid)
        messages = server.messages("bob@example.test")
        equal(len(messages), 3, "messages of bob")
        for message in messages[:2]:
            check(f"Received: from daemon (uid {daemon.pw_uid})" in header(message),
                  header(message))
        check("Landlock" not in server.log() or "half a sandbox" not in server.log(), "half walls")
        for words in (("-bp",), ("-q",)):
            server.sendmail(*words, user=daemon.pw_uid, code=77)
        check("ok local: " in server.check(), "check does not like the spool")


@case
def a_socket_that_is_served_is_not_taken():
    with Machine(users=("bob@example.test",)) as first, Machine() as second:
        with open(second.config, encoding="utf-8") as file:
            text = file.read().replace("run/submit.sock", first.socket)
        second.end()
        with open(second.config, "w", encoding="utf-8") as file:
            file.write(text)
        done = subprocess.run([second.program, "serve", "-c", second.config], capture_output=True,
                              timeout=TIMEOUT, check=False)
        equal(done.returncode, 1, "exit code")
        check(b"another server does" in done.stderr, done.stderr)
        first.sendmail("bob@example.test")


@case
def check_looks_at_the_spool():
    with Machine() as server:
        for mode, wanted in ((0o3733, "ok local: "), (0o1777, "warn local: "),
                             (0o3703, "warn local: ")):
            os.chmod(server.spool, mode)
            check(wanted in server.check(), f"no {wanted}of {mode:o}")


@case
def what_is_for_root_comes_back_to_the_postmaster():
    """A report about mail that root's programs sent elsewhere."""
    if ME != "root":
        raise Skip("not root")
    with Machine(users=("postmaster@example.test",), dns="resolvers = \"127.0.0.1:9\"",
                 relay='route "elsewhere.test" { host = "127.0.0.1:1" }') as server:
        server.sendmail("-N", "success,failure,delay", "-R", "hdrs", "root",
                        text="Subject: to root\n\nx\n")
        until(lambda: len(server.messages("postmaster@example.test")) == 2, "mail and report")
        check(any(b"Action: delivered" in m for m in server.messages("postmaster@example.test")),
              "no report")


# --- Programs that use it ---

def program_sends(words, subject, **more):
    with Machine(users=("bob@example.test",)) as server:
        home = {"HOME": server.folder, "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        words = [w.format(sendmail=server.link("sendmail"), config=server.config) for w in words]
        done = subprocess.run(words, capture_output=True, timeout=TIMEOUT, check=False,
                              cwd=server.folder, env={**home, **more.pop("env", {})}, **more)
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        equal(done.returncode, 0, said)
        message = server.only_message("bob@example.test")
        check(f"Subject: {subject}" in header(message), header(message))
        return message


@case
def s_nail_uses_it():
    message = program_sends([need("s-nail"), "-n", "-S", "mta={sendmail}", "-S",
                             "mta-arguments=-C {config}", "-s", "from mail", "bob@example.test"],
                            "from mail", input=b"hello\n.dot\n")
    check(message.endswith(b"hello\r\n.dot\r\n"), message[-80:])


@case
def mutt_uses_it():
    program = shutil.which("mutt") or need("neomutt")
    message = program_sends([program, "-n", "-F", "/dev/null", "-e",
                             "set sendmail='{sendmail} -C {config} -oem -oi'", "-e",
                             "set copy=no charset=utf-8",
                             "-s", "von mütt", "bob@example.test"], "von =?",
                            input="grüße\n".encode())
    check(b"m\xc3\xbctt" not in message.partition(b"\r\n\r\n")[0], message)
    check(b"gr" in message.partition(b"\r\n\r\n")[2], message[-200:])


@case
def cron_uses_it():
    """As Debian's cron calls it for the output of a job: to root, who has no mailbox."""
    text = ("From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@mx> job\n"
            "MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\nX-Cron-Env: <HOME=/>\n\n"
            "output\n")
    with Machine(users=("postmaster@example.test",)) as server:
        server.sendmail("-i", "-FCronDaemon", "-B8BITMIME", "-oem", "root", text=text)
        check(b"X-Cron-Env" in server.only_message("postmaster@example.test"), "no X-Cron-Env")


if __name__ == "__main__":
    main(side_by_side=2)
