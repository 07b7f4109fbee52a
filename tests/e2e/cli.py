"""cli - the commands: what they do, what they say, how they end."""

import os
import pty
import re
import signal
import subprocess
import termios

from harness import (TIMEOUT, Server, Skip, World, add_case, case, check, content_of, equal, godwit,
                     main)

ALICE, BOB = "alice@example.test", "bob@example.test"
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Commands:
    """A configuration without a server: `with Commands() as on: ...`."""

    def __init__(self, *arguments, **sections):
        self.world = World(*arguments, **sections)

    def __enter__(self):
        return self.world

    def __exit__(self, *why):
        self.world.remove()


def ask(world, *words, text=None, config=True, **how):
    """Runs a command; returns exit code, output, complaints."""
    tail = ["-c", world.config] if config else []
    done = subprocess.run([world.program, *words, *tail], input=text, text=True, timeout=TIMEOUT,
                          cwd=world.folder, check=False, stdout=how.get("stdout", subprocess.PIPE),
                          stderr=subprocess.PIPE)
    return done.returncode, done.stdout, done.stderr


def expect(world, *words, code, said="", text=None):
    """A command that ends with this code, silent on standard output, with these words."""
    found, out, err = ask(world, *words, text=text)
    equal(found, code, f"exit of {' '.join(words)}: {out}{err}")
    check(re.search(said, err), f"{' '.join(words)} said {err!r}, without {said!r}")
    if code:
        check(err.startswith("godwit: "), f"who says {err!r}?")
        equal(out, "", "output")


def add(world, address, password="secret"):
    world.run("user", "add", "--password-stdin", address, text=password + "\n")


def tree(folder):
    return sorted(os.path.join(at, name) for at, folders, files in os.walk(folder)
                  for name in folders + files)


# --- Usage ---

def usage(words, code, said):
    def run():
        done = subprocess.run([godwit(), *words], text=True, capture_output=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=TIMEOUT)
        equal(done.returncode, code, f"exit: {done.stdout}{done.stderr}")
        check(re.search(said, done.stderr if code else done.stdout), done.stdout + done.stderr)
        equal(done.stdout if code else done.stderr, "", "the other stream")
    return run


for label, words, code, said in [
        ("nothing", [], 2, "usage: godwit COMMAND"),
        ("help", ["--help"], 0, "user add ADDRESS"),
        ("unknown-command", ["sevre"], 2, "no command sevre; nearest: serve"),
        ("group-alone", ["user"], 2, "usage: godwit user add"),
        ("group-help", ["alias", "--help"], 0, "usage: godwit alias add"),
        ("unknown-in-group", ["user", "ad"], 2, "user: there is no such command: ad"),
        ("command-help", ["user", "add", "--help"], 0, "--password-stdin"),
        ("unknown-option", ["user", "list", "--jsn"], 2, "unknown option --jsn; nearest: --json"),
        ("foreign-option", ["user", "list", "--purge"], 2, "does not take --purge"),
        ("no-value", ["user", "list", "-c"], 2, "-c wants its FILE"),
        ("missing-word", ["user", "add"], 2, "something is missing: ADDRESS"),
        ("many-words", ["user", "add", "a@b", "c@d"], 2, "too many words: c@d"),
        ("empty-word", ["user", "add", ""], 2, "an empty word"),
        ("version", ["version"], 0, r"^godwit \d+\.\d+\.\d+\n"),
        ("version-option", ["--version"], 0, r"^godwit \d"),
        ("escaped", ["a\x1b[31mb"], 2, r"a\\x1B\[31mb"),
]:
    add_case(f"usage-{label}", usage(words, code, said))


@case
def the_man_page_has_every_command():
    help_text = subprocess.run([godwit(), "--help"], text=True, capture_output=True,
                               check=True).stdout
    with open(os.path.join(ROOT, "man", "godwit.1"), encoding="utf-8") as file:
        page = re.sub(r"\\-", "-", file.read())
    commands = re.findall(r"^  ([a-z]+(?: [a-z]+)?)\b", help_text, re.MULTILINE)
    check(len(commands) > 10, help_text)
    for command in commands:
        check(f"godwit {command}" in page, f"godwit {command} is not in godwit(1)")
    for line in re.findall(r"^  (\S+ \S+)", help_text, re.MULTILINE):
        options = subprocess.run([godwit(), *line.lower().split(), "--help"], text=True,
                                 capture_output=True, check=False).stdout
        for option in re.findall(r"^  (--[a-z-]+)", options, re.MULTILINE):
            check(option in page, f"{option} is not in godwit(1)")


@case
def a_named_file_that_is_missing_is_78():
    with Commands() as world:
        os.unlink(world.config)
        for words in (["serve"], ["reload"], ["check"], ["user", "list"], ["alias", "list"],
                      ["user", "add", ALICE], ["mailbox", "list"], ["mailbox", "show", ALICE, "1"]):
            code, out, err = ask(world, *words, text="")
            equal(code, 78, " ".join(words))
            check("No such file" in out + err, out + err)


@case
def the_file_may_stand_anywhere_behind_the_name():
    with Commands() as world:
        add(world, ALICE)
        for words in (["user", "-c", world.config, "list"], ["user", "list", "-c", world.config],
                      ["user", "list", "-c", world.config, "example.test"]):
            equal(ask(world, *words, config=False), (0, ALICE + "\n", ""), " ".join(words))
        equal(ask(world, "user", "list", "-c", world.config, "--", "example.test",
                  config=False)[0], 0, "exit with --")


@case
def without_a_file_localhost_is_the_domain():
    if os.path.exists("/etc/godwit/godwit.conf"):
        raise Skip("this machine has a godwit.conf")
    with Commands() as world:
        equal(ask(world, "user", "add", "--password-stdin", "me@localhost", text="x\n",
                  config=False)[0], 0, "exit")
        equal(ask(world, "user", "list", config=False)[1], "me@localhost\n", "users")
        check(os.path.isdir(os.path.join(world.folder, "godwit-data")), "no godwit-data here")


@case
def output_that_cannot_be_written_is_75():
    with Commands() as world, open("/dev/full", "w", encoding="ascii") as full:
        add(world, ALICE)
        code, _, err = ask(world, "user", "list", stdout=full)
        equal(code, 75, "exit")
        check("standard output" in err, err)


# --- Users ---

@case
def users_come_and_go():
    with Commands(("example.test", "other.test")) as world:
        equal(ask(world, "user", "list"), (0, "", ""), "an empty listing")
        check(not os.path.exists(os.path.join(world.folder, "data")), "a listing made DATA")
        add(world, ALICE)
        add(world, "Bob@Example.TEST")
        add(world, "zed@other.test")
        equal(os.stat(os.path.join(world.folder, "data")).st_mode & 0o777, 0o700, "mode of DATA")
        expect(world, "user", "add", "--password-stdin", "BOB@example.test", text="x\n", code=1,
               said="BOB@example.test is there already")
        equal(world.run("user", "list"), f"{ALICE}\nBob@example.test\nzed@other.test\n", "users")
        equal(world.run("user", "list", "OTHER.test."), "zed@other.test\n", "of one domain")
        found = world.rows("user", "list")
        equal([row["address"] for row in found], [ALICE, "Bob@example.test", "zed@other.test"],
              "addresses")
        check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found[0]["created"]), f"{found[0]}")
        world.run("user", "del", BOB)
        expect(world, "user", "del", BOB, code=1, said=f"no user {BOB}")
        expect(world, "user", "passwd", "--password-stdin", BOB, text="x\n", code=1, said="no user")
        equal(world.run("user", "list", "example.test"), f"{ALICE}\n", "users left")


@case
def bad_users_are_told():
    with Commands() as world:
        for words, text, code, said in [
                (["add", "a@b.test"], "x\n", 78, "the domain b.test is not configured: add it to"),
                (["add", "a"], "x\n", 2, "write user@example.org"),
                (["add", "a b@example.test"], "x\n", 2, "write user@example.org"),
                (["add", "a@example.test\r\nx"], "x\n", 2, r"a@example.test\\x0D\\x0Ax"),
                (["add", "<a@example.test>"], "x\n", 2, ""),
                (["add", "@example.test"], "x\n", 2, ""),
                (["add", "x" * 65 + "@example.test"], "x\n", 2, ""),
                (["passwd", "a@b.test"], "x\n", 78, "not configured"),
                (["passwd", "a"], "x\n", 2, "")]:
            expect(world, "user", words[0], "--password-stdin", words[1], text=text, code=code,
                   said=said)
        expect(world, "user", "del", "a", code=2)
        expect(world, "user", "del", ALICE, code=1, said="no user")
        expect(world, "user", "list", "a b", code=2)
        expect(world, "user", "list", "example.test", code=1, said="has no user")
        check(not os.path.exists(os.path.join(world.folder, "data")), "DATA was made")


@case
def passwords_are_one_line():
    with Commands() as world:
        for text, said in [("\n", "is empty"), ("", "is empty"), ("a\rb\n", "has a CR"),
                           ("a\r\n", "has a CR"), ("a\0b\n", "has a NUL"),
                           ("x" * 1025 + "\n", "longer than 1024")]:
            expect(world, "user", "add", "--password-stdin", ALICE, text=text, code=2, said=said)
        expect(world, "user", "add", ALICE, text="secret\n", code=2, said="use --password-stdin")
        for number, text in enumerate(["x", "x\nignored\n", " \n", "x" * 1024, "Grüße\n"]):
            equal(ask(world, "user", "add", "--password-stdin", f"u{number}@example.test",
                      text=text)[0], 0, f"exit for {text!r}")


def at_terminal(world, answers, code, *words):
    """Runs a command on a terminal of its own and types; returns all that the terminal showed."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(world.folder)
        os.execv(world.program, [world.program, *words, "-c", world.config])
    shown, answers = b"", list(answers)
    while True:
        try:
            piece = os.read(terminal, 1000)
        except OSError:
            piece = b""
        if not piece:
            break
        shown += piece
        if shown.endswith(b": ") and answers:
            check(not termios.tcgetattr(terminal)[3] & termios.ECHO, "the terminal echoes")
            os.write(terminal, answers.pop(0))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(terminal)
    equal(status, code, f"exit: {shown!r}")
    return shown.decode()


@case
def a_terminal_is_asked_twice_and_shows_nothing():
    with Commands() as world:
        add_words = ("user", "add", ALICE)
        shown = at_terminal(world, [b"secret\n", b"secert\n"], 1, *add_words)
        check("differ" in shown and "secret" not in shown, shown)
        shown = at_terminal(world, [b"\n"], 2, *add_words)
        check("is empty" in shown, shown)
        at_terminal(world, [b"\x03"], -signal.SIGINT, *add_words)
        equal(world.run("user", "list"), "", "users")
        shown = at_terminal(world, [b"secret\n", b"secret\n"], 0, *add_words)
        equal(shown.replace("\r", ""), "password: \nagain: \n", "the terminal")
        equal(world.run("user", "list"), ALICE + "\n", "users")


@case
def a_running_server_knows_at_once():
    with Server(users=[BOB]) as server:
        wire = server.smtp()
        wire.say("MAIL FROM:<x@elsewhere.test>", "250")
        wire.say(f"RCPT TO:<{ALICE}>", "550 5.1.1")
        add(server, ALICE)
        wire.say(f"RCPT TO:<{ALICE}>", "250")
        server.run("alias", "add", "sales@example.test", BOB)
        wire.say("RCPT TO:<sales@example.test>", "250")
        server.pop(ALICE).say("QUIT", "+OK")
        server.run("user", "passwd", "--password-stdin", ALICE, text="other\n")
        server.pop(ALICE, "other").say("QUIT", "+OK")
        pop = server.connect("pop3")
        pop.expect(pop.line(), "+OK")
        pop.say(f"USER {ALICE}", "+OK")
        pop.say("PASS secret", "-ERR")
        server.run("user", "del", ALICE)
        server.run("alias", "del", "sales@example.test")
        other = server.smtp()
        other.say("MAIL FROM:<x@elsewhere.test>", "250")
        other.say(f"RCPT TO:<{ALICE}>", "550 5.1.1")
        other.say("RCPT TO:<sales@example.test>", "550 5.1.1")


@case
def new_data_belongs_to_the_user_even_when_root_makes_it():
    if os.getuid() != 0:
        raise Skip("only root can become somebody")
    with Commands() as world:
        os.chmod(world.folder, 0o755)
        text = open(world.config, encoding="utf-8").read()
        with open(world.config, "w", encoding="utf-8") as file:
            file.write(text.replace('user = "root"', 'user = "nobody"'))
        add(world, ALICE)
        world.run("alias", "add", "a@example.test", ALICE)
        data = os.path.join(world.folder, "data")
        for name in [data, *tree(data)]:
            equal(os.stat(name).st_uid, 65534, f"owner of {name}")
        with open(world.config, "w", encoding="utf-8") as file:
            file.write(text.replace('user = "root"', 'user = "no-such-user"'))
        expect(world, "user", "list", code=78, said="no-such-user")


@case
def data_of_somebody_else():
    """Not for whoever asks, now or later: 1, and who may."""
    if os.getuid() != 0:
        raise Skip("only root may be somebody else")
    with Commands() as world:
        add(world, ALICE)
        os.chmod(world.folder, 0o711)
        os.chmod(world.config, 0o644)
        program = os.path.join(world.folder, "godwit")
        subprocess.run(["cp", world.program, program], check=True)  # sendmail_world.py says why
        for words in (["user", "list"], ["mailbox", "list"], ["queue", "list"],
                      ["export", ALICE, "-"]):
            done = subprocess.run([program, *words, "-c", world.config], user=65534, group=65534,
                                  extra_groups=[], capture_output=True, text=True, check=False,
                                  timeout=TIMEOUT)
            equal((done.returncode, done.stdout), (1, ""), f"{words}: {done.stderr}")
            check("data: Permission denied; it is for root and for its owner\n" in done.stderr,
                  done.stderr)


# --- Mail that a user leaves ---

def mailbox_rows(world):
    return world.rows("mailbox", "list")


@case
def a_mailbox_is_shown_with_and_without_a_server():
    content = b"Subject: first\r\n\r\n.dot\r\nGr\xc3\xbc\xc3\x9fe\r\n"
    with Server(users=[ALICE, BOB]) as server:
        name = server.deliver(content)
        server.deliver(b"Subject: second\r\n\r\n")
        stored = server.messages(BOB)
        for running in (True, False):
            if not running:
                server.end()
            listed = server.rows("mailbox", "list", BOB)
            equal([row["octets"] for row in listed], [len(m) for m in stored], "octets")
            equal(listed[0]["id"], name, "id")
            equal([row["number"] for row in listed], [1, 2], "numbers")
            line = server.run("mailbox", "list", BOB).splitlines()[0].split()
            equal([line[0], line[2], line[4]], ["1", str(len(stored[0])), name], "a line")
            equal(server.run("mailbox", "list"),
                  f"{ALICE} 0 0\n{BOB} 2 {sum(map(len, stored))}\n", "all mailboxes")
            done = subprocess.run([server.program, "mailbox", "show", BOB, "1", "-c",
                                   server.config], capture_output=True, check=True)
            equal(done.stdout, stored[0], "the message")
            equal(content_of(done.stdout), content, "its content")
            expect(server, "mailbox", "show", BOB, "3", code=1, said="has no message 3")
            expect(server, "mailbox", "show", BOB, "0", code=2)
            expect(server, "mailbox", "show", BOB, "-1", code=2)
            expect(server, "mailbox", "list", "zed@example.test", code=1, said="no user")
            equal(server.run("mailbox", "list", ALICE), "", "an empty mailbox")


@case
def a_removed_user_leaves_mail_that_nobody_inherits():
    with Server(users=[BOB]) as server:
        server.deliver(b"Subject: old\r\n\r\n")
        before = mailbox_rows(server)[0]
        server.run("user", "del", BOB)
        left = mailbox_rows(server)
        equal([(r["mailbox"], r["messages"], r["user"]) for r in left],
              [(before["mailbox"], 1, False)], "what is left")
        check(f"mailbox {before['mailbox']}" in server.run("check"), "check does not tell")
        add(server, BOB)
        equal(server.messages(BOB), [], "mail of the new user")
        expect(server, "user", "add", "--password-stdin", "--adopt", before["mailbox"], BOB,
               text="x\n", code=1, said="already")
        expect(server, "user", "add", "--password-stdin", "--adopt", "12", ALICE, text="x\n",
               code=2, said="16 hexadecimal digits")
        expect(server, "user", "add", "--password-stdin", "--adopt", "0123456789abcdef", ALICE,
               text="x\n", code=1, said="no mailbox 0123456789abcdef")
        server.run("user", "add", "--password-stdin", "--adopt", before["mailbox"], ALICE,
                   text="secret\n")
        equal(len(server.messages(ALICE)), 1, "adopted messages")


def purging(running):
    def run():
        with Server(users=[ALICE, BOB, "empty@example.test"]) as server:
            server.deliver(b"Subject: gone\r\n\r\n", to=[ALICE, BOB])
            if not running:
                server.end()
            server.run("user", "del", "--purge", BOB)
            server.run("user", "del", "--purge", "empty@example.test")
            equal([(r["address"], r["messages"]) for r in mailbox_rows(server)], [(ALICE, 1)],
                  "mailboxes left")
            server.run("check", "--store")
            if not running:
                server.start()
            equal(len(server.messages(ALICE)), 1, "mail of the other")
            server.restart(kill=True)
            equal([r["address"] for r in mailbox_rows(server)], [ALICE], "after a restart")
    return run


add_case("purge-with-a-server", purging(True))
add_case("purge-without-a-server", purging(False))


# --- Aliases ---

@case
def aliases_come_and_go():
    with Commands(("example.test", "other.test")) as world:
        equal(ask(world, "alias", "list"), (0, "", ""), "an empty listing")
        world.run("alias", "add", "Sales@example.test", ALICE, BOB)
        world.run("alias", "add", "sales@example.test", BOB, "c@other.test")
        world.run("alias", "add", "a@other.test", ALICE)
        equal(world.run("alias", "list"), f"a@other.test: {ALICE}\n"
              f"Sales@example.test: {ALICE}, {BOB}, c@other.test\n", "aliases")
        equal(world.run("alias", "list", "other.test"), f"a@other.test: {ALICE}\n", "of a domain")
        equal(world.rows("alias", "list", "SALES@example.test"),
              [{"address": "Sales@example.test", "targets": [ALICE, BOB, "c@other.test"]}], "json")
        world.run("alias", "del", "sales@example.test", BOB)
        equal(world.run("alias", "list", "sales@example.test"),
              f"Sales@example.test: {ALICE}, c@other.test\n", "targets left")
        expect(world, "alias", "del", "sales@example.test", BOB, code=1)
        world.run("alias", "del", "sales@example.test")
        expect(world, "alias", "list", "sales@example.test", code=1, said="no alias")
        expect(world, "alias", "del", "sales@example.test", code=1)


@case
def bad_aliases_are_told():
    with Commands() as world:
        for words, code, said in [
                (["add", "a@b.test", ALICE], 78, "b.test is not configured"),
                (["add", ALICE, BOB, "x"], 2, "x: "), (["add", "x", BOB], 2, "x: "),
                (["add", ALICE], 2, "something is missing"), (["del", "x"], 2, ""),
                (["del", ALICE], 1, "no alias"), (["list", "a b"], 2, ""),
                (["list", "example.test"], 1, "no alias")]:
            code_found, out, err = ask(world, "alias", *words)
            equal(code_found, code, f"exit of {words}: {out}{err}")
            check(said in err, err)
        equal(world.run("alias", "list"), "", "aliases")


def import_file(world, text, *words):
    name = os.path.join(world.folder, "aliases")
    with open(name, "w", encoding="utf-8") as file:
        file.write(text)
    return ask(world, "alias", "import", name, *words)


@case
def an_aliases_file_is_read_as_a_whole_or_not_at_all():
    with Commands() as world:
        code, out, err = import_file(world, "# system\npostmaster: root\nroot:\talice,\n  bob\n"
                                     "\"quoted\": Carol@Example.test # really\n")
        equal((code, err), (0, ""), "import")
        check(out.startswith("4 targets"), out)
        equal(world.run("alias", "list"), "postmaster@example.test: root@example.test\n"
              "quoted@example.test: Carol@example.test\n"
              f"root@example.test: {ALICE}, {BOB}\n", "aliases")
        before = world.run("alias", "list")
        equal(import_file(world, before)[0], 0, "what list prints is read")
        equal(world.run("alias", "list"), before, "aliases after reading the list")
        code, out, err = import_file(world, "good: alice\na: |cmd\nb: /file\nc: :include:/x\nd\n"
                                     "e: x@@elsewhere.test\nf: a b\n")
        equal((code, out), (1, ""), "bad lines")
        equal(re.findall(r"aliases:(\d+): ", err), ["2", "3", "4", "5", "6", "7"], "bad lines")
        check("nothing was imported" in err, err)
        equal(world.run("alias", "list"), before, "aliases after bad lines")
        expect(world, "alias", "import", "/nonexistent", code=1, said="No such file")


@case
def names_of_a_file_need_a_domain_to_be_in():
    with Commands(("example.test", "other.test")) as world:
        code, _, err = import_file(world, "a: b\n")
        equal(code, 2, "exit")
        check("--domain" in err, err)
        equal(import_file(world, "a: b\n", "--domain", "no.test")[0], 78, "exit")
        equal(import_file(world, "a: b, c@example.test\n", "--domain", "other.test")[0], 0, "exit")
        equal(world.run("alias", "list"), "a@other.test: b@other.test, c@example.test\n", "aliases")


# --- check, reload ---

@case
def check_makes_nothing_and_tells_all():
    with Commands() as world:
        before = tree(world.folder)
        out = world.run("check")
        equal(tree(world.folder), before, "files")
        for line in out.splitlines():
            check(re.fullmatch(r"(ok|warn|error) [a-z]+: .*", line), line)
        check("warn data: " in out and "warn domains: " in out, out)
        add(world, ALICE)
        before = tree(world.folder)
        out = world.run("check")
        check("ok domains: example.test" in out and "ok data: " in out, out)
        equal(tree(world.folder), before, "files")
        os.chmod(os.path.join(world.folder, "data"), 0o755)
        check("chmod 700" in world.run("check"), "an open folder")


def check_says(change, code, said):
    def run():
        with Commands() as world:
            add(world, ALICE)
            with open(world.config, "a", encoding="utf-8") as file:
                file.write(change)
            out = world.run("check", code=code)
            check(re.search(said, out, re.MULTILINE), f"{out!r}, without {said!r}")
    return run


for label, change, code, said in [
        ("unknown-key", "limits { recipents = 5 }\n", 78,
         r"^error config: .*godwit.conf:\d+: \"recipents\" is unknown in limits; nearest: recip"),
        ("bad-value", "limits { message = 5MB }\n", 78, r"^error config: .*limits.message"),
        ("twice", "domain a.test {}\ndomain A.test {}\n", 78,
         r"^error config: .*given twice, on lines \d+ and \d+"),
        ("no-effect", "relay { warn = 6d }\n", 0, r"^warn config: relay.warn"),
        ("catch-all", "domain a.test { catch_all = nobody@a.test }\n", 0,
         r"^warn domains: a.test: its catch_all nobody@a.test is neither"),
        ("postmaster", "postmaster = nobody@example.test\n", 0,
         r"^warn domains: postmaster nobody"),
        ("few-iterations", "auth { iterations = 4096 }\n", 0,
         r"^warn auth: iterations is 4096: .*write 100000 at least"),
        ("no-user", "domain a.test { }\n", 0, r"^warn domains: a.test has no user.*451"),
        ("certificate", "tls { certificate = no.pem key = no.key }\n", 1,
         r"^error tls: .*no.pem: .*No such file"),
        ("no-certificate", 'listen pop3s { address = "127.0.0.1:2995" }\n', 0,
         r"^warn tls: no certificate is named: the first start makes /.*/data/certificate.pem, .*"
         r"certbot certonly --standalone -d mx.example.test --deploy-hook \"godwit reload\""),
        ("foreign-address", 'listen submission { address = "127.0.0.1:25250" }\n'
         "limits { connections = 10000000 connections_per_peer = 5 }\n", 0,
         r"^(warn|ok) limits: "),
]:
    add_case(f"check-{label}", check_says(change, code, said))


@case
def check_sees_a_port_in_use():
    with Server(users=[BOB]) as server:
        out = server.run("check")
        check("a server is running" in out, out)
        data = os.path.join(server.folder, "data")
        config = open(server.config, encoding="utf-8").read()
        with open(server.config, "w", encoding="utf-8") as file:
            file.write(config.replace('"data"', '"other"'))
        out = server.run("check", code=1)
        check(re.search(r"^error listen: smtp .*in use", out, re.MULTILINE), out)
        check(os.path.isdir(data), "DATA")


@case
def check_verifies_and_rebuilds_the_store():
    with Server(users=[BOB]) as server:
        server.deliver(b"Subject: kept\r\n\r\nwords\r\n")
        out = server.run("check", "--rebuild", code=1)
        check(re.search(r"^error store: ", out, re.MULTILINE), out)
        server.end()
        check("ok store: " in server.run("check", "--store"), "--store")
        before = server.run("mailbox", "list", BOB)
        check("ok store: " in server.run("check", "--rebuild"), "--rebuild")
        equal(server.run("mailbox", "list", BOB), before, "the mailbox afterwards")
        server.start()
        equal(len(server.messages(BOB)), 1, "messages afterwards")


@case
def reload_takes_a_good_file_and_refuses_a_bad_one():
    with Server(users=[BOB]) as server:
        wire = server.smtp()
        server.domains.append("late.test")
        server.write_config()
        server.run("reload")
        add(server, "x@late.test")
        wire.say("MAIL FROM:<x@elsewhere.test>", "250")
        wire.say("RCPT TO:<x@late.test>", "250")
        with open(server.config, "a", encoding="utf-8") as file:
            file.write("nonsense = 1\n")
        expect(server, "reload", code=78, said='"nonsense" is unknown')
        server.smtp().say("NOOP", "250")
        server.write_config()
        server.end()
        check('"nonsense" is unknown' in server.log().replace("\\", ""), "the reason is not logged")
        expect(server, "reload", code=1, said="no server runs on")
        server.start()


if __name__ == "__main__":
    main()
