"""sendmail - godwit sendmail as programs and users of the machine call it, and what they may do.

A second user is needed for what one user may not do to another: those cases want root, and an
account called nobody.
"""

import os
import pwd
import re
import shutil
import socket
import subprocess
import textwrap

from harness import TIMEOUT, Server, Skip, case, check, content_of, equal, main, need, until
from sendmail_world import AT, ME, Machine, header, nobody


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
        report, = server.wait_mail("alice@example.test")
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


# --- Where it runs ---

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
        server.wait_mail("bob@example.test", 2)


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
def what_is_for_root_comes_back_to_the_postmaster():
    """A report about mail that root's programs sent elsewhere."""
    if ME != "root":
        raise Skip("not root")
    with Machine(users=("postmaster@example.test",), dns="resolvers = \"127.0.0.1:9\"",
                 relay='route "elsewhere.test" { host = "127.0.0.1:1" }') as server:
        server.sendmail("-N", "success,failure,delay", "-R", "hdrs", "root",
                        text="Subject: to root\n\nx\n")
        found = server.wait_mail("postmaster@example.test", 2)
        check(any(b"Action: delivered" in message for message in found), "no report")


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
