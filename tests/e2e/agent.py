"""agent - godwit agent from outside: the walk of the users' documents on a terminal and behind a
pipe, what it keeps, what it shows, where passwords come from."""

import base64
import os
import re
import subprocess

from agent_world import FIRST, POP, Home, Host, Terminal, plain, pop_host
from harness import case, check, equal, godwit, main, need, until
from lab_world import Lab

DOMAINS = "gmail.com=gmail.com,exmail.qq.com=mail.sustech.edu.cn"


class World:
    """The two domains of the walk, each time with a user of its own in both; somebody's home."""

    lab, count = None, 0

    def __init__(self, **environment):
        if not World.lab:
            World.lab = Lab("--domains", DOMAINS)
            World.lab.__enter__()
        World.count += 1
        self.user = f"usr{World.count}@gmail.com"
        self.other = f"usr{World.count}@mail.sustech.edu.cn"
        self.add(self.user, "password1")
        self.add(self.other, "password2")
        self.home = Home(**environment)

    def add(self, address, password):
        config = self.lab.home(address)["config"]
        subprocess.run([godwit(), "user", "add", "--password-stdin", address, "-c", config],
                       input=password + "\n", text=True, check=True, capture_output=True)
        self.lab.passwords[address] = password

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.home.__exit__(*why)

    @staticmethod
    def end():
        if World.lab:
            World.lab.__exit__(None, None, None)

    def words(self, address, *more):
        return ["-e", address, "-p", self.lab.passwords[address], "--dns", self.lab.book["dns"],
                *more]

    def pipe(self, address, lines, *more, **settings):
        return self.home.pipe(lines, *self.words(address, *more), **settings)

    def sent(self, count, address):
        until(lambda: self.lab.count(address) == count, f"{count} messages of {address}")


def letter(to, subject, content):
    return ["smtp", *to, "", subject, content]


@case
def the_walk_on_a_terminal():
    with World() as world:
        with Terminal(world.home, *world.words(world.user)) as one:
            one.expect(FIRST)
            one.line("smtp", "To: ")
            one.line(world.other, "To: ")
            one.line("", "Subject: ")
            one.line("Grüße 你好", "Content: ")
            check("250 2.0.0 accepted as " in one.line("Wie geht's? 很好", FIRST), "the reply")
            one.type("exit\r")
            equal(one.end(), 0, "exit code")
        world.sent(1, world.other)
        with Terminal(world.home, *world.words(world.other)) as two:
            two.expect(FIRST)
            hello = plain(two.line("pop", POP))
            check(re.search(r"\n\+OK .*\n\+OK .*1 message.*\n", hello), hello)
            size = re.search(r"\+OK 1 (\d+)\n", plain(two.line("stat", POP)))[1]
            check(f"1 {size}\n.\n" in plain(two.line("list", POP)), "list")
            check(f"+OK 1 {size}\n" in plain(two.line("list 1", POP)), "list 1")
            mail = plain(two.line("retr 1", POP))
            check(f"+OK {size} octets\n" in mail and mail.endswith(f"\n.\n{POP}"), mail)
            check("\nContent-Transfer-Encoding: base64\n" in mail, mail)
            check("V2llIGdlaHQncz8g5b6I5aW9" in mail, mail)
            check("+OK message 1 deleted\n" in plain(two.line("dele 1", POP)), "dele")
            check("-ERR" in plain(two.line("retr 1", POP)), "a deleted message")
            check("+OK" in plain(two.line("rset", POP)), "rset")
            check("+OK" in plain(two.line("noop", POP)), "noop")
            two.line("dele 1", POP)
            check("+OK" in plain(two.line("quit", FIRST)), "quit")
            two.type("exit\r")
            equal(two.end(), 0, "exit code")
        equal(world.lab.count(world.other), 0, "what is left")


@case
def the_walk_behind_a_pipe():
    with World() as world:
        said = world.pipe(world.user, [*letter([world.other], "你好", "Grüße"), "exit"]).said
        check(re.fullmatch(re.escape(f"{FIRST}To: To: Subject: Content: ") +
                           r"250 2\.0\.0 accepted as \w+\n" + re.escape(FIRST), said), said)
        world.sent(1, world.other)
        talk = world.pipe(world.other, ["pop", "stat", "show 1", "quit", "exit"])
        talk.has(f"From: {world.user}\n", f"To: {world.other}\n", "Subject: 你好\n", "\nGrüße\n",
                 f"\n{POP}", f"\n{FIRST}")
        equal(talk.told, "", "nothing went wrong")


def screen(tmux, words, ending):
    """What the screen shows once it ends so; types a line first."""
    if words is not None:
        subprocess.run([*tmux, "send-keys", "-l", words], check=True)
        subprocess.run([*tmux, "send-keys", "Enter"], check=True)
    shown = []

    def seen():
        lines = subprocess.run([*tmux, "capture-pane", "-p", "-J"], check=True, text=True,
                               capture_output=True).stdout.rstrip().split("\n")
        shown[:] = ["\n".join(line.rstrip() for line in lines)]
        return shown[0].endswith(ending)
    until(seen, f"{ending!r} at the end of the screen: {shown}")
    return shown[0]


@case
def the_walk_on_a_screen():
    need("tmux")
    with World() as world:
        tmux = ["tmux", "-S", world.home.path("tmux"), "-f", "/dev/null"]
        agent = [godwit(), "agent", *world.words(world.user)]
        subprocess.run([*tmux, "new-session", "-d", "-x", "100", "-y", "40",
                        "env", *(f"{name}={world.home.environment[name]}"
                                 for name in ("HOME", "LANG")), *agent],
                       check=True, env=world.home.environment)
        try:
            subprocess.run([*tmux, "set", "-g", "remain-on-exit", "on"], check=True)
            first, pop = FIRST.rstrip(), POP.rstrip()
            screen(tmux, None, first)
            screen(tmux, "smtp", f"{first} smtp\nTo:")
            screen(tmux, world.other, f"To: {world.other}\nTo:")
            screen(tmux, "", "\nSubject:")
            screen(tmux, "Hello", "Hello\nContent:")
            screen(tmux, "one line", f"\n{first}")
            screen(tmux, "pop", f"\n{pop}")
            screen(tmux, "stat", f"+OK 0 0\n{pop}")
            shown = screen(tmux, "quit", f"\n{first}")
        finally:
            subprocess.run([*tmux, "kill-server"], check=False)
        shown = re.sub(r"accepted as \w+", "accepted as ID", shown)
        equal(shown, "\n".join([
            f"{FIRST}smtp", f"To: {world.other}", "To:", "Subject: Hello", "Content: one line",
            "250 2.0.0 accepted as ID", f"{FIRST}pop", "+OK gmail.com POP3 server ready",
            "+OK maildrop has 0 messages (0 octets)", f"{POP}stat", "+OK 0 0", f"{POP}quit",
            "+OK gmail.com POP3 server signing off", FIRST.rstrip()]), "the screen")


@case
def a_refused_recipient_and_one_that_is_not():
    with World() as world:
        talk = world.pipe(world.user, letter([world.user, "nobody@gmail.com"], "s", "c"))
        talk.has("250 2.0.0 accepted as ", "sent to 1 of 2\n")
        talk.complains("nobody@gmail.com: 550 5.1.1 ", "check the address")
        equal(world.lab.count(world.user), 1, "what came")


@case
def nothing_is_lost_when_nobody_takes_it():
    with World() as world:
        talk = world.pipe(world.user, [*letter(["nobody@gmail.com"], "s", "first"),
                                 *letter([world.user], "again", "")])
        talk.complains("550 5.1.1")
        talk.has("the text is kept", "250 2.0.0 accepted as ")
        check(b"\r\nZmlyc3QN" in world.lab.message(world.user), world.lab.message(world.user))


@case
def a_text_that_is_too_long():
    """What the editor wrote is not thrown away, and the text is as it was."""
    with World() as world:
        editor = world.home.write("editor", "#!/bin/sh\n[ ! -s \"$1\" ] || exec truncate -s 17M "
                                  "\"$1\"\necho 'a first text' > \"$1\"\n", 0o700)
        talk = world.pipe(world.user, ["edit", "edit", "draft", "quit"], EDITOR=editor,
                          TMPDIR=world.home.folder)
        talk.complains("; what was written is in ")
        talk.has("a first text\n")
        (name,) = [n for n in os.listdir(world.home.folder) if n.startswith("godwit-edit-")]
        equal(os.path.getsize(world.home.path(name)), 17 << 20, "octets of what was written")


@case
def copies_files_and_a_longer_text():
    with World() as world:
        editor = world.home.write("editor", "#!/bin/sh\necho 'from the editor' >> \"$1\"\n", 0o700)
        world.home.write("Übersicht.txt", "inside\n")
        talk = world.pipe(world.user, [
            f"cc {world.other}", "attach Übersicht.txt", "attach nothing-here", "attach /", "edit",
            "draft", *letter([world.user], "all", "first line"), "draft"], EDITOR=editor)
        talk.complains("nothing-here: No such file", "/: Is a directory")
        talk.has(f"Cc: {world.other}\n", "Attached: Übersicht.txt\n", "from the editor\n",
                 "nothing; smtp asks")
        world.sent(1, world.other)
        shown = world.pipe(world.other, ["pop", "show 1", "save 1.1", "save 1.1", "save 1.2",
                                         "save 1", "save 9", "quit"])
        shown.has("first line\nfrom the editor\n", "Übersicht.txt", f"Cc: {world.other}\n",
                  "message-1.eml: ")
        shown.complains("File exists; name another file", "there is no attachment 2")
        with open(world.home.path("message-1.eml"), "rb") as file:
            equal(file.read(), world.lab.message(world.other), "the saved message")


@case
def tab_and_the_keys():
    with World() as world:
        world.pipe(world.user, letter([world.other], "s", "c"))
        with Terminal(world.home, *world.words(world.user)) as one:
            one.expect(FIRST)
            one.type("sm\t")
            one.expect("tp ")
            one.line("", "To: ")
            one.type(world.other.split("@")[0] + "@m\t")
            one.expect("ail.sustech.edu.cn")
            one.type("\x03")    # Ctrl-C
            one.expect("^C")
            one.expect(FIRST)
            one.type("\x1b[A")    # up: the last command
            one.expect("smtp")
            one.type("\x03")
            one.expect(FIRST)
            one.line("pop", POP)
            one.type("re\t")
            one.type("\x15")    # Ctrl-U
            one.type("\x04")    # Ctrl-D
            one.expect(FIRST)
            one.type("\x04")
            equal(one.end(), 0, "exit code")
        with open(world.home.path(".local/state/godwit/history"), encoding="utf-8") as file:
            kept = file.read()
        check("smtp" in kept and "password1" not in kept, kept)
        check(world.other not in kept, "answers are no commands")


@case
def names_of_files_move_nothing():
    with World() as world:
        for name in ("evil-\x1b]0;owned\x07", "evil-2"):
            world.home.write(name, "x\n")
        with Terminal(world.home, *world.words(world.user)) as one:
            one.expect(FIRST)
            one.type("attach ev\t")
            one.expect("il-")
            one.type("\t")
            offered = one.expect("evil-2")
            check("\x1b]0" not in offered and "evil-\\u{1B}]0;owned\\u{7}" in offered, offered)


@case
def a_line_is_whole_or_not_taken():
    with World() as world:
        long = "0123456789" * 90000
        talk = world.pipe(world.user, [*letter([world.user], "long", long),
                                       *letter([world.user], "too long", long + long), long + long])
        equal(talk.said.count("250 2.0.0 accepted as "), 1, "messages")
        equal(talk.told.count("a line has at most 1048576 octets: it was not taken"), 2, talk.told)
        content = world.lab.message(world.user).split(b"\r\n\r\n", 1)[1]
        equal(base64.b64decode(content), long.encode() + b"\r\n", "the text")


@case
def the_end_of_the_input_is_quit():
    with World() as world:
        world.lab.send(world.other, world.other)
        world.pipe(world.other, ["pop", "dele 1"])
        equal(world.lab.count(world.other), 0, "deleted")


@case
def a_terminal_of_plain_ascii():
    with World() as world:
        world.pipe(world.user, letter([world.other], "Übung 你", "Käse"), LC_ALL="C")
        world.sent(1, world.other)
        world.pipe(world.other, ["pop", "show 1"]).has("Subject: Übung 你\n", "\nKäse\n")
        talk = world.pipe(world.other, ["pop", "show 1"], LC_ALL="C")
        check(max(talk.octets) < 0x80, talk.octets)
        talk.has("bung ?\n")


@case
def the_trace_shows_everything_but_secrets():
    with World() as world:
        for way, decoded in (("LOGIN", "(Username:)"), ("PLAIN", "AUTH PLAIN ***"),
                             ("SCRAM-SHA-256", "AUTH SCRAM-SHA-256 ***")):
            lines = [*letter([world.user], "s", "a line"), "pop", "stat", "quit"]
            talk = world.pipe(world.user, lines, "--trace", "--auth", way)
            talk.has(decoded, "C: EHLO [", f"C: MAIL FROM:<{world.user}>", "S: 235 2.7.0 ",
                     "C: STAT", "S: +OK ", "C: QUIT", "S: 221 ", *(["C: ***"] if way != "PLAIN"
                                                                    else []))
            check(re.search(r"^\d\d:\d\d:\d\d\.\d\d\d [CS]: ", talk.said, re.MULTILINE), talk.said)
            login = base64.b64encode(f"\0{world.user}\0password1".encode()).decode()
            for secret in ("password1", "cGFzc3dvcmQx", login):
                check(secret not in talk.said + talk.told, f"{way}: {talk.said}")


# --- Where passwords come from ---

def may_log_in(world, home, *words, **environment):
    address = ["-e", world.other, "--dns", world.lab.book["dns"]]
    home.pipe(["pop", "quit"], *address, *words, **environment).has("+OK maildrop has ")


@case
def passwords_from_everywhere():
    with World() as world:
        home = world.home
        file = home.write("secret", "password2\nmore\n")
        may_log_in(world, home, "--password-file", file)
        pipe = file + ".pipe"                       # as <(pass show mail) is one
        os.mkfifo(pipe)
        with subprocess.Popen(["sh", "-c", f"cat {file} > {pipe}"]):
            may_log_in(world, home, "--password-file", pipe)
        may_log_in(world, home, "--password-command", f"cat {file}")
        may_log_in(world, home, GODWIT_PASSWORD="password2")
        may_log_in(world, home, "-ppassword2", GODWIT_PASSWORD="wrong")
        home.write(".config/godwit/agent.conf",
                   f'account "{world.other}" {{ password = "password2" }}\n')
        may_log_in(world, home)
        home.pipe(["pop", "quit"], "--dns", world.lab.book["dns"]).has("+OK maildrop has ")
        os.chmod(home.path(".config/godwit/agent.conf"), 0o644)
        home.pipe(["pop"], "-e", world.other, code=78).complains("chmod 600")


@case
def no_way_to_a_password():
    with World() as world:
        words = ["-e", world.other, "--dns", world.lab.book["dns"]]
        world.home.pipe(["pop"], *words).complains("there is no terminal to ask for the password")
        world.home.pipe(["pop"], *words, "--password-file", "/nowhere").complains("/nowhere")
        world.home.pipe(["pop"], *words, "--password-command", "false").complains(
            'the command "false" gives no password')


@case
def a_typed_password_is_not_seen():
    with World() as world:
        with Terminal(world.home, "-e", world.other, "--dns", world.lab.book["dns"]) as one:
            one.expect(FIRST)
            one.line("pop", "password for " + world.other + ": ")
            seen = one.line("wrong", FIRST)
            check("-ERR [AUTH]" in seen and "check the address and the password" in seen, seen)
            check("wrong\r" not in seen, seen)
            one.line("pop", "password for " + world.other + ": ")
            one.type("\x03")
            one.expect("interrupted")
            one.expect(FIRST)
            one.line("pop", "password for " + world.other + ": ")
            seen = one.line("password2", POP)
            check("password2" not in seen, seen)
            one.line("quit", FIRST)
            seen = one.line("pop", POP)    # it is known by now
            check("password for" not in seen, seen)


@case
def a_password_is_wiped_from_the_command_line():
    with World() as world:
        with Terminal(world.home, *world.words(world.user)) as one:
            one.expect(FIRST)
            with open(f"/proc/{one.pid}/cmdline", "rb") as file:
                words = file.read()
            check(b"password1" not in words and world.user.encode() in words, words)


@case
def servers_from_the_file_of_accounts():
    with Home() as home, Host(pop_host({})) as host:
        home.write(".config/godwit/agent.conf",
                   f'account "a.test" {{ pop = "{host.name}"  login = "somebody"  auth = USER }}\n')
        home.pipe(["pop", "stat", "quit"], "-e", "x@a.test", "-p", "y").has("+OK 2 200")
        check("USER somebody" in host.lines and "PASS y" in host.lines, host.lines)


@case
def servers_from_a_configuration_of_this_machine():
    with World() as world:
        config = world.lab.home(world.user)["config"]
        world.home.pipe(["pop", "quit", *letter([world.user], "s", "c")], "-e", world.user, "-p",
                        "password1", "-c", config).has("+OK maildrop has 0 messages", "accepted as")


@case
def options_that_are_wrong():
    with Home() as home:
        for words, code, said in (
                (["-e", "nobody"], 2, "nobody"), ([], 2, "-e"),
                (["-e", "a@a.test", "--tls", "maybe"], 2, "maybe"),
                (["-e", "a@a.test", "--dns", "here"], 2, "127.0.0.1:53"),
                (["-e", "a@a.test", "--accounts", "/nowhere"], 78, "/nowhere"),
                (["-e", "a@a.test\r\nQUIT"], 2, "user@example.org")):
            home.pipe(["exit"], *words, code=code).complains(said)
        home.pipe(["pop"], "-e", "a@a.test", "-p", "x", "--pop", "a b").complains("--pop: a b")


if __name__ == "__main__":
    try:
        main()
    finally:
        World.end()
