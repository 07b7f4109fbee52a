"""fetch - godwit fetch: from any POP3 server to the user's own files, each message once."""

import mailbox
import os
import random
import re
import shutil
import signal
import subprocess
import time

from harness import (TIMEOUT, Server, add_case, case, check, content_of, equal, godwit, main,
                     own_address, until)
from scripted_pop import Half, PopPeer
from user_home import UserHome

BOB = "bob@example.test"


class Home(UserHome):
    """A user's home, and his godwit fetch."""

    def arguments(self, *words, port=None, to="maildir:M", address=BOB):
        server = ["--server", f"{own_address()}:{port}"] if port else []
        return [godwit(), "fetch", *([address] if address else []), "--to", to, "--tls", "none",
                *server, *words]

    def fetch(self, *words, code=0, said="", password="secret", **how):
        """Runs it to its end; returns standard output as octets."""
        printed, told = self.run(self.arguments(*words, **how), code, password)
        check(re.search(said, told + printed.decode("latin-1")), f"{told!r} without {said!r}")
        return printed

    def maildir(self, name="M"):
        """The contents in the Maildir, sorted."""
        found = []
        for folder in ("new", "cur"):
            for file in os.listdir(self.path(name, folder)):
                with open(self.path(name, folder, file), "rb") as message:
                    found.append(message.read())
        return sorted(found)

    def mbox(self, name="box"):
        return sorted(m.as_bytes() for m in mailbox.mbox(self.path(name), create=False))


def letters(count, size=0):
    """Messages with a unique-id and content each."""
    return [(f"uid-{i}", b"Subject: letter %d\r\n\r\nText %d\r\n.dot\r\nFrom here\r\n%s" %
             (i, i, b"x" * 70 * (size // 70) + b"\r\n" if size else b"")) for i in range(count)]


def in_files(messages):
    return sorted(m[1].replace(b"\r\n", b"\n") for m in messages)


# --- What it is for ---

@case
def from_godwit_into_a_maildir():
    with Server(users=[BOB]) as server, Home() as home:
        for i in range(30):
            server.deliver(b"Subject: %d\r\n\r\n.%d\r\n" % (i, i))
        port = server.ports["pop3"]
        home.fetch(port=port, said=f"{BOB}: 30 fetched, 0 here before")
        found = [content_of(m.replace(b"\n", b"\r\n")) for m in home.maildir()]
        equal(sorted(found), sorted(b"Subject: %d\r\n\r\n.%d\r\n" % (i, i) for i in range(30)),
              "messages")
        equal(os.listdir(home.path("M", "tmp")), [], "tmp")
        home.fetch(port=port, said="0 fetched, 30 here before")
        server.deliver(b"Subject: new\r\n\r\n")
        home.fetch("--delete", port=port, said="1 fetched, 30 here before, 31 deleted")
        equal(server.messages(BOB), [], "left on the server")
        equal(len(home.maildir()), 31, "here")


@case
def into_an_mbox():
    mail = letters(20)
    with PopPeer(own_address(), mail) as peer, Home() as home:
        home.fetch(port=peer.port, to="mbox:box")
        peer.mail += [("late", b"Subject: late\r\n\r\nno line end")]
        home.fetch("--delete", port=peer.port, to="mbox:box", said="1 fetched, 20 here before")
        equal(peer.mail, [], "left there")
        equal(len(home.mbox()), 21, "messages as Python reads them")
        with open(home.path("box"), "rb") as file:
            text = file.read()
        equal(text.count(b"\n>From here\n"), 20, "quoted lines")
        equal(sorted(os.listdir(home.folder)), [".local", "box"], "files")


@case
def an_mbox_loses_nothing():
    """A body that begins without an empty line, and fields that are a box's, are there."""
    mail = [("a", b"just text, no colon\r\nStatus: here\r\nLines: here\r\nmore\r\n"),
            ("b", b"Status: mine\r\nLines: 7\r\n\r\ntext\r\n")]
    with PopPeer(own_address(), mail) as peer, Home() as home:
        home.fetch("--delete", port=peer.port, to="mbox:box", said="2 fetched")
        with open(home.path("box"), "rb") as file:
            text = file.read()
        check(b"\njust text, no colon\nStatus: here\nLines: here\nmore\n\nFrom " in text, text)
        check(b"\nX-Kept-Status: mine\nX-Kept-Lines: 7\n\ntext\n\n" in text, text)


@case
def to_standard_output():
    mail = letters(5)
    with PopPeer(own_address(), mail) as peer, Home() as home:
        out = home.fetch("--delete", port=peer.port, to="-")
        with open(home.path("out"), "wb") as file:
            file.write(out)
        equal(len(home.mbox("out")), 5, "messages")
        equal(peer.mail, [], "left there")
        peer.mail = [("new", b"Subject: new\r\n\r\n")]
        check(home.fetch(port=peer.port, to="-").startswith(b"From MAILER-DAEMON "), "a From_ line")
        equal(home.fetch(port=peer.port, to="-"), b"", "what was fetched before")


@case
def a_pipeline_and_none():
    mail = letters(300)
    for capa in [("UIDL", "PIPELINING", "USER"), ("UIDL", "USER"), ("UIDL", "USER", "UTF8")]:
        with PopPeer(own_address(), mail, capa=capa) as peer, Home() as home:
            home.fetch("--delete", port=peer.port)
            equal(home.maildir(), in_files(mail), f"messages with {capa}")
            equal(peer.mail, [], "left there")


@case
def many_windows():
    """More messages than a window holds, and one larger than a window."""
    mail = letters(1100) + letters(1, size=33 << 20)
    with PopPeer(own_address(), mail) as peer, Home() as home:
        home.fetch(port=peer.port, said="1101 fetched")
        equal(home.maildir(), in_files(mail), "messages")


@case
def the_summary_goes_where_mail_does_not():
    with PopPeer(own_address(), letters(2)) as peer, Home() as home:
        equal(home.fetch("--quiet", port=peer.port), b"", "quiet output")
        equal(home.fetch(port=peer.port), f"{BOB}: 0 fetched, 2 here before\n".encode(), "summary")


@case
def two_accounts_into_one_place():
    both = ["ann@example.test", BOB]
    with Server(users=both) as server, Home() as home:
        for to in both:
            server.deliver(b"Subject: %s\r\n\r\n" % to.encode(), to=[to])
        home.fetch(both[0], port=server.ports["pop3"], said="ann.*1 fetched[^!]*bob.*1 fetched|"
                   "bob.*1 fetched[^!]*ann.*1 fetched")
        equal(len(home.maildir()), 2, "messages")
        home.fetch("cid@example.test", port=server.ports["pop3"], code=77,
                   said=r"godwit: cid@example\.test: .* at the login: -ERR (.|\n)*bob.*0 fetched")


@case
def an_account_of_the_file():
    with PopPeer(own_address(), letters(3)) as peer, Home() as home:
        os.makedirs(home.path(".config", "godwit"))
        with open(home.path(".config", "godwit", "agent.conf"), "w", encoding="ascii") as file:
            file.write(f'account "{BOB}" {{ pop = "{own_address()}:{peer.port}"\n'
                       'tls = "none"\npassword_command = "echo hush" }\n')
        home.fetch(address=None, password=None, said="3 fetched")
        check("PASS hush" in peer.said, f"{peer.said}")


# --- Nothing twice, nothing lost ---

@case
def a_lost_quit_is_made_good():
    """Deleted or not, nothing comes twice."""
    for lost in ("lost", None):
        mail = letters(10)
        with PopPeer(own_address(), mail, quit=lost) as peer, Home() as home:
            printed = home.fetch("--delete", port=peer.port, code=75,
                                 said="at QUIT: .*: this does not confirm the deletion; nothing is")
            check(b"10 fetched, 0 here before, 0 deleted" in printed, printed)
            equal(home.maildir(), in_files(mail), "messages")
            peer.quit = "+OK"
            peer.said.clear()
            home.fetch("--delete", port=peer.port)
            equal([c for c in peer.said if c.startswith("RETR")], [], "fetched again")
            equal(peer.mail, [], "left there")
            equal(home.maildir(), in_files(mail), "messages")


@case
def refused_at_quit():
    with PopPeer(own_address(), letters(3), quit="-ERR no") as peer, Home() as home:
        home.fetch("--delete", port=peer.port, code=75, said="at QUIT: -ERR no: this does not conf")


@case
def what_is_not_deleted_is_told():
    with PopPeer(own_address(), letters(2), instead={"DELE 1": b"-ERR kept\r\n"}) as peer, \
            Home() as home:
        home.fetch("--delete", port=peer.port, code=1,
                   said="message 1 was not deleted: -ERR kept\n.*2 fetched, .* 1 deleted")
        equal(len(home.maildir()), 2, "messages")


@case
def deleted_only_what_is_on_the_disk():
    """At the first DELE all is in new/, and the note of it is closed."""
    mail = letters(1100)
    seen = []
    with Home() as home:
        def look(_):
            if not seen:
                state = os.path.join(home.folder, ".local/state/godwit/fetch")
                (name,) = os.listdir(state)
                with open(os.path.join(state, name), encoding="ascii") as file:
                    lines = file.read().splitlines()
                seen.append((len(os.listdir(home.path("M", "new"))), lines[-1],
                             len([line for line in lines if line[0] == "?"])))
        with PopPeer(own_address(), mail, on={"DELE": look}) as peer:
            home.fetch("--delete", port=peer.port)
    equal(seen, [(1100, "!", 1100)], "messages here, the last line of the note, its messages")


def cut_sessions(to, read):
    """A server that breaks off after ever more octets; and then a good one."""
    def run():
        mail = letters(40)
        def here(home):
            if to == "mbox:box":
                return len(home.mbox()) if os.path.exists(home.path("box")) else 0
            return len(home.maildir())
        with Home() as home:
            with PopPeer(own_address(), mail) as peer:
                for cut in range(100, 4500, 371):
                    peer.cut_after = cut
                    home.fetch("--delete", port=peer.port, to=to, code=(0, 75))
                    check(here(home) + len(peer.mail) >= 40, "mail was lost")
                peer.cut_after = None
                home.fetch("--delete", port=peer.port, to=to)
                equal(peer.mail, [], "left there")
            read(home, mail)
    return run


def in_maildir(home, mail):
    equal(home.maildir(), in_files(mail), "messages")
    equal(os.listdir(home.path("M", "tmp")), [], "tmp")


def in_mbox(home, mail):
    equal(home.mbox(), sorted(m.replace(b"\nFrom here", b"\n>From here")
                              for m in in_files(mail)), "messages")
    equal(sorted(os.listdir(home.folder)), [".local", "box"], "files")


add_case("cut-sessions-maildir", cut_sessions("maildir:M", in_maildir))
add_case("cut-sessions-mbox", cut_sessions("mbox:box", in_mbox))


def killed(to, read):
    """Killed at any time: when it is done at last, each message is here once."""
    def run():
        mail = letters(1200)
        chance = random.Random(7)
        with PopPeer(own_address(), mail) as peer, Home() as home:
            for _ in range(6):
                process = subprocess.Popen(home.arguments("--delete", "--quiet", port=peer.port,
                                                          to=to), cwd=home.folder,
                                           env=home.environment(), stderr=subprocess.DEVNULL)
                time.sleep(chance.random() * 0.12)
                process.send_signal(signal.SIGKILL)
                if process.wait() == 0:
                    break
            home.fetch("--delete", port=peer.port, to=to)
            equal(peer.mail, [], "left there")
            read(home, mail)
    return run


def in_maildir_only(home, mail):
    equal(home.maildir(), in_files(mail), "messages")


def in_mbox_only(home, mail):
    equal(home.mbox(), sorted(m.replace(b"\nFrom here", b"\n>From here")
                              for m in in_files(mail)), "messages")
    equal(sorted(n for n in os.listdir(home.folder) if n != ".local"), ["box"], "files")


add_case("killed-maildir", killed("maildir:M", in_maildir_only))
add_case("killed-mbox", killed("mbox:box", in_mbox_only))


@case
def stopped_at_every_call():
    """Killed at each rename, sync and write in turn, as a debugger would."""
    mail = letters(12)
    strace = shutil.which("strace")
    for to, read in (("maildir:M", in_maildir_only), ("mbox:box", in_mbox_only)):
        for number in range(1, 14, 3) if strace else ():
            with PopPeer(own_address(), mail) as peer, Home() as home:
                calls = "renameat,fsync,fdatasync,syncfs,ftruncate"
                inject = f"inject={calls}:signal=KILL:when={number}"
                subprocess.run([strace, "-f", "-o", "/dev/null", "-e", inject,
                                *home.arguments("--delete", port=peer.port, to=to)],
                               cwd=home.folder, env=home.environment(), capture_output=True,
                               timeout=TIMEOUT, check=False)
                home.fetch("--delete", port=peer.port, to=to)
                equal(peer.mail, [], f"left there, stopped at call {number}")
                read(home, mail)


@case
def an_interrupt_keeps_what_came():
    mail = letters(50)
    with Home() as home:
        def stop(argument):
            if argument == "40":
                process.send_signal(signal.SIGINT)
                time.sleep(0.3)
        with PopPeer(own_address(), mail, capa=("UIDL", "USER"), on={"RETR": stop}) as peer:
            process = subprocess.Popen(home.arguments("--delete", port=peer.port), cwd=home.folder,
                                       env=home.environment(), stderr=subprocess.PIPE,
                                       stdout=subprocess.DEVNULL)
            _, told = process.communicate(timeout=TIMEOUT)
            equal(process.returncode, 130, f"exit: {told}")
            check(len(home.maildir()) >= 30, "what came was thrown away")
            equal(len(peer.mail), 50, "left there")
            home.fetch("--delete", port=peer.port)
            equal(home.maildir(), in_files(mail), "messages")


@case
def two_at_once():
    with Home() as home:
        def second(_):
            if not told:
                told.append(home.fetch("--delete", port=peer.port, code=75,
                                       said="another godwit fetch"))
        told = []
        with PopPeer(own_address(), letters(3), on={"RETR": second}) as peer:
            home.fetch("--delete", port=peer.port)
        equal(len(home.maildir()), 3, "messages")


@case
def what_the_server_has_no_more_is_forgotten():
    with PopPeer(own_address(), letters(500)) as peer, Home() as home:
        home.fetch(port=peer.port)
        peer.mail = peer.mail[:3]
        home.fetch(port=peer.port, said="0 fetched, 3 here before")
        state = home.path(".local/state/godwit/fetch")
        (name,) = os.listdir(state)
        with open(os.path.join(state, name), encoding="ascii") as file:
            equal(len(file.read().splitlines()), 4, "lines of the note")


@case
def other_servers_have_other_ids():
    """The same unique-ids at another server are other messages."""
    with PopPeer(own_address(), letters(3)) as one, PopPeer(own_address(), letters(3)) as two, \
            Home() as home:
        home.fetch(port=one.port, said="3 fetched")
        home.fetch(port=two.port, said="3 fetched")


@case
def the_same_id_twice():
    mail = [("same", b"Subject: a\r\n\r\n"), ("same", b"Subject: a\r\n\r\n")]
    with PopPeer(own_address(), mail) as peer, Home() as home:
        home.fetch("--delete", port=peer.port, said="2 fetched")
        equal(len(home.maildir()), 2, "messages")


@case
def an_id_is_used_again():
    """RFC 1939 7 gives a message's id to another one as soon as the first is gone."""
    for emptied in (False, True):
        with PopPeer(own_address(), letters(2)) as peer, Home() as home:
            home.fetch("--delete", port=peer.port, said="2 fetched, 0 here before, 2 deleted")
            if emptied:
                peer.mail = letters(1)
                home.fetch(port=peer.port, said="1 fetched")
                peer.mail = []
                home.fetch(port=peer.port, said="0 fetched, 0 here before")
            peer.mail = [("uid-0", b"Subject: other\r\n\r\n")]
            home.fetch("--delete", port=peer.port, said="1 fetched, 0 here before, 1 deleted")
            check(b"Subject: other\n\n" in home.maildir(), "the other message is not here")


@case
def without_unique_ids():
    with PopPeer(own_address(), letters(3), capa=("USER",)) as peer, Home() as home:
        home.fetch(port=peer.port, said="has no unique-ids: every message comes again")
        home.fetch("--delete", port=peer.port, said="3 fetched, 0 here before, 3 deleted")
        equal(len(home.maildir()), 6, "messages")
        equal(peer.mail, [], "left there")


@case
def unique_ids_that_fail_bring_nothing_twice():
    """A server that had them, or says that it has: nothing is taken for new."""
    for capa, before in ((("USER", "UIDL"), False), (("USER",), True)):
        mail = letters(2)
        with PopPeer(own_address(), mail, capa=("USER", "UIDL")) as peer, Home() as home:
            state = ("--state", "state")
            if before:
                home.fetch(*state, port=peer.port)
            peer.capa, peer.instead = capa, {"UIDL": b"-ERR no\r\n"}
            home.fetch(*state, port=peer.port, code=1, said="no unique-ids: -ERR no; nothing was f")
            peer.instead = {"UIDL": b"-ERR [SYS/TEMP] busy\r\n"}
            home.fetch(*state, port=peer.port, code=75, said="-ERR .SYS/TEMP. busy; nothing was f")
            peer.capa, peer.instead = ("USER", "UIDL"), {}
            home.fetch(*state, port=peer.port)
            equal(home.maildir(), in_files(mail), "messages")


@case
def names_that_cannot_be_noted():
    with PopPeer(own_address(), [("x" * 300, b"Subject: x\r\n\r\n")]) as peer, Home() as home:
        home.fetch(port=peer.port, said="1 of 1 messages have no unique-id that can be noted: they")


# --- What goes wrong ---

@case
def usage():
    with Home() as home:
        for words, how, said in [
                (["--keep", "--delete"], {}, "one of them"),
                ([], {"to": "M"}, "where to is maildir:PATH"),
                (["--tls", "maybe"], {}, "one of auto"),
                (["--dns", "x"], {"port": 1}, "write an address and a port"),
                (["c@d.test", "--state", "x"], {}, "one account"),
                ([], {"address": "nobody"}, "user@example.org"),
                ([], {"address": "a@example.test\r\nx"}, r"\\x0D\\x0A"),
                (["--user", "bob\r\nQUIT"], {"port": 1}, r"with, .bob\\x0D\\x0AQUIT., has a line"),
                (["--server", "x y:1"], {}, "--server: x y:1 is no server"),
                (["--delet"], {}, "nearest: --delete")]:
            home.fetch(*words, code=2, said=said, **how)
        done = subprocess.run([godwit(), "fetch", BOB], capture_output=True, check=False)
        equal(done.returncode, 2, f"without --to: {done.stderr}")


@case
def places_that_are_none():
    with Home() as home:
        with open(home.path("file"), "wb"):
            pass
        os.mkdir(home.path("full"))
        os.mkdir(home.path("full", "of"))
        for to in ("maildir:file", "maildir:full", "maildir:no/where", "mbox:full", "mbox:no/where",
                   "mbox:/dev/null"):
            home.fetch(port=1, to=to, code=73, said="(file|full|no|null).*(:|is no)")
        for state in ("full", "file/state", "/dev/null"):
            home.fetch("--state", state, port=1, code=73, said=f"{state}.*(:|is no)")


@case
def servers_that_fail():
    mail = letters(3)
    for what, options, code, said in [
            ("a login", {"instead": {"PASS secret": b"-ERR [AUTH] no\r\n"}}, 77, "no"),
            ("busy", {"instead": {"PASS secret": b"-ERR [IN-USE] busy\r\n"}}, 75, "busy"),
            ("a message", {"instead": {"RETR 2": b"-ERR gone\r\n"}}, 1, "message 2 was not given"),
            ("half a message", {"instead": {"RETR 2": Half(b"+OK\r\nSubject: x\r\n")}}, 75,
             "."),
            ("a list", {"instead": {"UIDL": b"+OK\r\n2 a\r\n1 b\r\n.\r\n"}}, 76, "no sense"),
            ("numbers", {"instead": {"UIDL": b"+OK\r\n0 a\r\n.\r\n"}}, 76, "no answer")]:
        with PopPeer(own_address(), mail, **options) as peer, Home() as home:
            home.fetch("--delete", port=peer.port, code=code, said=said)
            here = home.maildir()
            check(len(here) + len(peer.mail) >= 3, f"{what}: mail was lost")
            check(all(m in in_files(mail) for m in here), f"{what}: half a message is here")


@case
def a_gigabyte_line():
    flood = b"+OK\r\n" + b"1 " + b"x" * (8 << 20) + b"\r\n.\r\n"
    with PopPeer(own_address(), letters(1), instead={"UIDL": flood}) as peer, Home() as home:
        home.fetch(port=peer.port, code=76, said="this is no answer to UIDL: 1 xxx")


@case
def nobody_there():
    with Home() as home:
        home.fetch(port=1, code=75, said="127")


@case
def no_password():
    with PopPeer(own_address(), letters(1)) as peer, Home() as home:
        home.fetch(port=peer.port, password=None, code=2, said="password")
        home.fetch("--password-file", "/nowhere", port=peer.port, password=None, code=78,
                   said="/nowhere")
        home.fetch("--password-file", ".", port=peer.port, password=None, code=78,
                   said=r"\.: Is a directory")
        for command, said in (("exit 3", "gives no password"), ("echo", "echo: .* is empty"),
                              ("printf 'a\\rb'", "a CR in it")):
            home.fetch("--password-command", command, port=peer.port, password=None, code=78,
                       said=said)
        with open(home.path("password"), "w", encoding="ascii") as file:
            file.write("from the file\n")
        home.fetch("--password-file", "password", port=peer.port, password=None)
        check("PASS from the file" in peer.said, f"{peer.said}")


@case
def the_trace_hides_the_password():
    with PopPeer(own_address(), letters(1)) as peer, Home() as home:
        done = subprocess.run(home.arguments("--trace", port=peer.port), env=home.environment(),
                              cwd=home.folder, capture_output=True, check=True)
        told = done.stderr.decode()
        check("C: UIDL" in told and "S: +OK" in told and "PASS ***" in told, told)
        check("secret" not in told, told)


@case
def a_certificate_of_somebody_else():
    """The password is not said to a server that cannot show who it is."""
    with Server(users=[BOB], roles=("smtp", "pop3", "pop3s")) as server, Home() as home:
        server.deliver(b"Subject: x\r\n\r\n")
        place = f"pop3s://{server.address}:{server.ports['pop3s']}"
        home.fetch("--server", place, "--tls", "verify", code=76, said="certificate")
        home.fetch("--tls", "encrypt", port=server.ports["pop3"], said="1 fetched")


@case
def a_full_disk():
    """A limit on the size of files stands for it: nothing is deleted that is not here."""
    mail = letters(10) + letters(1, size=1 << 20)
    mail = [(f"id-{i}", m[1]) for i, m in enumerate(mail)]
    with PopPeer(own_address(), mail) as peer, Home() as home:
        limited = ["bash", "-c", 'ulimit -f 200; trap "" XFSZ; exec "$@"', "-"]
        done = subprocess.run([*limited, *home.arguments("--delete", port=peer.port)],
                              env=home.environment(), cwd=home.folder, capture_output=True,
                              check=False, timeout=TIMEOUT)
        equal(done.returncode, 75, f"exit: {done.stderr}")
        equal(done.stderr.count(b"\n"), 1, f"lines of {done.stderr}")
        check(b"File too large" in done.stderr, f"{done.stderr}")
        equal(len(peer.mail), 11, "left there")
        equal(len(home.maildir()), 10, "here")
        home.fetch("--delete", port=peer.port, said="1 fetched, 10 here before, 11 deleted")
        equal(home.maildir(), in_files(mail), "messages")


@case
def a_full_disk_behind_a_redirection():
    """What could be written only in part is taken back: the next run begins behind whole mail."""
    mail = letters(10) + [("long", b"Subject: long\r\n\r\n" + b"x" * 300000 + b"\r\n")]
    with PopPeer(own_address(), mail) as peer, Home() as home:
        words = home.arguments("--delete", port=peer.port, to="-")
        for limit, code in (("200", 75), ("unlimited", 0)):
            script = f'ulimit -f {limit}; trap "" XFSZ; exec "$@" >> box'
            done = subprocess.run(["bash", "-c", script, "-", *words], env=home.environment(),
                                  cwd=home.folder, capture_output=True, check=False,
                                  timeout=TIMEOUT)
            equal(done.returncode, code, f"exit: {done.stderr}")
            equal(len(home.mbox()), 0 if code else 11, "messages")
            equal(len(peer.mail), 11 if code else 0, "left there")


@case
def a_broken_note():
    with PopPeer(own_address(), letters(1)) as peer, Home() as home:
        with open(home.path("note"), "w", encoding="ascii") as file:
            file.write("hello\n")
        home.fetch("--state", "note", port=peer.port, code=65, said="note, line 1: not understood")


@case
def an_mbox_that_is_locked():
    """Until the other program is done."""
    with PopPeer(own_address(), letters(1)) as peer, Home() as home:
        with open(home.path("box.lock"), "wb"):
            pass
        process = subprocess.Popen(home.arguments(port=peer.port, to="mbox:box"), cwd=home.folder,
                                   env=home.environment(), stdout=subprocess.DEVNULL)
        until(lambda: os.path.exists(home.path("box")), "the box is there")
        equal(os.path.getsize(home.path("box")), 0, "written under another's lock")
        os.unlink(home.path("box.lock"))
        equal(process.wait(TIMEOUT), 0, "exit")
        equal(len(home.mbox()), 1, "messages")


if __name__ == "__main__":
    main()
