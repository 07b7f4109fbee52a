"""agent_rude - godwit agent and servers that refuse, lie, stop, hang up and show false papers: one
clear line, and the prompt again."""

import base64
import os
import select
import ssl
import time

import certificates
from agent_world import FIRST, POP, Home, Host, Terminal, pop_host
from harness import TIMEOUT, case, check, equal, is_sanitized, main

WHO = ("-e", "a@a.test", "-p", "geheim")
LETTER = ["smtp", "b@b.test", "", "s", "c"]


def popped(answers, *lines, words=(), **settings):
    with Home() as home, Host(pop_host(answers, **settings)) as host:
        return home.pipe(["pop", *lines, "exit"], *WHO, "--pop", host.name, *words), host


@case
def refusals_in_the_servers_words():
    for answers, *said in (
            ({"GREETING": ["-ERR go away"]}, ", at the greeting: -ERR go away"),
            ({"PASS": ["-ERR [AUTH] no such luck"]}, ", at the login: -ERR [AUTH] no such luck",
             "check the address and the password"),
            ({"PASS": ["-ERR [IN-USE] busy"]}, "busy", "another session has the mailbox"),
            ({"PASS": ["-ERR [SYS/TEMP] ill"]}, "ill", "try again later"),
            ({"PASS": ["-ERR [LOGIN-DELAY] slow"]}, "slow", "try again in a while"),
            ({"USER": lambda guest: guest.sock.close()}, ", at the login: "),
            ({"GREETING": ["HTTP/1.1 400 Bad Request"]}, ", at the greeting: "),
            ({"GREETING": ["220 this is SMTP"]}, "220 this is SMTP")):
        talk, host = popped(answers)
        talk.complains(host.address, *said)
        talk.has(FIRST)
        check("\nTraceback" not in talk.told and talk.told.count("\n") == 1, talk.told)


@case
def nobody_listens():
    with Home() as home:
        talk = home.pipe(["pop", *LETTER, "exit"], *WHO, "--pop", "127.0.0.1:1", "--smtp",
                         "127.0.0.1:1")
        talk.complains("[127.0.0.1]:1: cannot connect to 127.0.0.1:1: Connection refused; is the "
                       "server up, and the port right?")


@case
def escapes_reach_no_terminal():
    evil = b"\x1b]0;owned\x07\x1b[2J\x9b31m\xc2\x9b32m\xe2\x80\xaeesrever"
    mail = [b"+OK 100 octets " + evil, b"From: x@y.test " + evil, b"Subject: " + evil,
            b"Content-Type: text/plain; charset=utf-8", b"", evil, b"=1B[31m", b"."]
    coded = [b"+OK", b"Subject: =?utf-8?B?" + base64.b64encode(evil) + b"?=",
             b"Content-Transfer-Encoding: base64",
             b'Content-Disposition: attachment; filename="../../\x1b[31m/etc/passwd"', b"",
             base64.b64encode(evil), b"."]
    talk, _ = popped({"RETR 1": mail, "RETR 2": coded, "TOP": mail, "NOOP": [b"-ERR " + evil],
                      "LIST": [b"+OK", b"1 100 " + evil, b"."], "UIDL": [b"+OK", evil, b"."],
                      "GREETING": [b"+OK " + evil]},
                     "retr 1", "show 1", "top 1 5", "show 2", "save 2.1", "noop", "list", "uidl",
                     "quit", words=("--trace",))
    for octets in (b"\x1b", b"\x9b31", b"\xc2\x9b", b"\xe2\x80\xae", b"\x07"):
        check(octets not in talk.octets + talk.told.encode(), f"{octets!r} in {talk.octets!r}")
    talk.has(r"\u{1B}]0;owned", "passwd: ")
    with Home() as home:
        with Host(pop_host({"GREETING": [b"-ERR " + evil]})) as host:
            home.pipe(["pop"], *WHO, "--pop", host.name).complains("owned")


@case
def messages_that_are_not_what_was_said():
    talk, _ = popped({"RETR 1": ["+OK 999999999999 octets", "Subject: short", "", "x", "."],
                      "RETR 2": ["-ERR gone"]}, "show 1", "show 2", "save 2 x", "stat", "quit")
    talk.has("Subject: short\n", "-ERR gone\n", "+OK 2 200\n")
    equal(talk.told, "", "nothing went wrong")


@case
def answers_that_are_none():
    for answer, line in (({"STAT": ["+OK many"]}, "stat"), ({"DELE": ["perhaps"]}, "dele 1"),
                         ({"LIST": ["+OK", "nonsense", "."]}, "list"),
                         ({"RETR": ["220 hello"]}, "retr 1")):
        talk, host = popped(answer, line, "exit")
        talk.complains(f"[{host.address}]:{host.port}, at a command: ")
        equal(talk.told.count("\n"), 1, talk.told)


@case
def what_is_saved_is_whole_or_not_there():
    """A file that is there, a disk that is full (a limit stands for it): the session goes on."""
    mail = ["+OK", "Subject: x", "", *(["0123456789" * 7] * 3000), "."]
    with Home() as home, Host(pop_host({"RETR 1": mail, "RETR 2": ["+OK", "Subject: y", "", "."],
                                        "RETR 3": ["-ERR gone"]})) as host:
        home.write("there", "mine\n")
        limited = 'ulimit -f 100; trap "" XFSZ; exec "$@"'
        talk = home.pipe(["pop", "save 1 there", "save 1 large", "save 2 small", "save 3 gone",
                          "stat", "quit"], *WHO, "--pop", host.name,
                         wrap=("bash", "-c", limited, "-"))
        talk.complains("there: File exists; name another file\n",
                       "large: File too large; nothing was saved\n")
        equal(talk.told.count("\n"), 2, talk.told)
        talk.has("small: 14 octets\n", "-ERR gone\n", "+OK 2 200\n")
        equal(sorted(os.listdir(home.folder)), [".local", "small", "there"], "files")
        check(host.lines.count("RETR 1") == 1, host.lines)


@case
def a_server_that_hangs_up_in_a_message():
    def cut(guest):
        guest.sock.sendall(b"+OK 1000 octets\r\nSubject: half\r\n\r\nthe firs")
        guest.sock.close()
    with Home() as home, Host(pop_host({"RETR": cut})) as host:
        talk = home.pipe(["pop", "save 1 kept", "pop", "show 1", "stat", "exit"], *WHO, "--pop",
                         host.name)
        check(not os.path.exists(home.path("kept")), "half a message was saved")
        equal(talk.told.count(", at a command: "), 2, talk.told)
        talk.complains("nearest: ")    # stat is no command of the first prompt


def drain_for(terminal, seconds):
    """Reads what comes and forgets it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([terminal.master], [], [], 0.1)[0]:
            terminal.fill(end + TIMEOUT)
            terminal.seen = terminal.seen[-4096:]


def flood(front, octets, piece=b"x" * (1 << 16)):
    """Says a line that does not end."""
    def serve(guest):
        guest.sock.sendall(front)
        for _ in range(octets // len(piece)):
            guest.sock.sendall(piece)
        guest.rest()
    return serve


@case
def lines_that_do_not_end():
    for front, line in (("GREETING", None), ("PASS", None), ("STAT", "stat"), ("NOOP", "noop"),
                        ("LIST", "list 1"), ("TOP", "top 1")):
        host = Host(pop_host({front: flood(b"+OK ", 1 << 26)}))
        with Home() as home, host:
            lines = ["pop", line, "exit", "exit"] if line else ["pop", "exit"]
            talk = home.pipe(lines, *WHO, "--pop", host.name)
            talk.complains(f"[{host.address}]:{host.port}, at ", "has no end")


@case
def what_never_ends_is_left_by_ctrl_c():
    for front, piece, line in (("LIST", b"1 1\r\n" * 20000, "list"),
                               ("RETR", b"x" * 65536, "show 1"),
                               ("RETR", b"x\r\n" * 20000, "retr 1")):
        way = flood(b"+OK\r\n", 1 << 40, piece)
        with Home() as home, Host(pop_host({front: way})) as host:
            with Terminal(home, *WHO, "--pop", host.name) as one:
                one.expect(FIRST)
                one.line("pop", POP)
                one.type(line + "\r")
                one.expect(line)
                drain_for(one, 1.5)
                one.interrupt()
                one.expect("interrupted")
                one.expect(FIRST)
                check(one.memory() < 150 << 20 or is_sanitized(), f"{one.memory()} octets")


@case
def a_server_that_says_nothing_is_left_by_ctrl_c():
    with Home() as home, Host(lambda guest: guest.rest()) as host:
        with Terminal(home, *WHO, "--pop", host.name, "--smtp", host.name) as one:
            one.expect(FIRST)
            for words in ("pop", "smtp\rb@b.test\r\rs\rc"):
                one.type(words + "\r")
                one.expect(words.rsplit("\r", 1)[-1])
                time.sleep(0.3)
                one.interrupt()
                one.expect("interrupted")
                one.expect(FIRST)
            one.type("exit\r")
            equal(one.end(), 0, "exit code")


# --- SMTP ---

def smtp_host(answers, offers=("AUTH LOGIN PLAIN",)):
    """An SMTP server: `answers` as for pop_host()."""
    standard = {"GREETING": ["220 hello"], "MAIL": ["250 ok"], "RCPT": ["250 ok"],
                "DATA": ["354 go on"], ".": ["250 2.0.0 Ok: queued as 4F1B"], "QUIT": ["221 bye"],
                "AUTH LOGIN": ["334 VXNlcm5hbWU6"], "AUTH PLAIN": ["235 ok"], **answers}

    def hello(guest):
        words = ["mx", *(offers if not guest.host.tls or guest.in_tls else ("STARTTLS",))]
        guest.say(*[f"250-{word}" for word in words[:-1]], f"250 {words[-1]}")

    def secure(guest):
        guest.say("220 go")
        guest.shake()

    def content(guest):
        while guest.read() != ".":
            pass
        guest.say(*standard["."])

    def serve(guest):
        guest.say(*standard["GREETING"])
        while True:
            line = guest.read()
            if line.startswith("EHLO"):
                hello(guest)
            elif line == "STARTTLS" and guest.host.tls:
                secure(guest)
            else:
                fronts = [front for front in standard if line.startswith(front)]
                guest.say(*(standard[max(fronts, key=len)] if fronts else ["500 what?"]))
                if line == "DATA" and standard["DATA"][0][0] == "3":
                    content(guest)
                if line == "AUTH LOGIN" and standard["AUTH LOGIN"][0][0] == "3":
                    guest.read()
                    guest.say("334 UGFzc3dvcmQ6")
                    guest.read()
                    guest.say(*standard.get("LOGIN", ["235 2.7.0 in"]))
    return serve


@case
def smtp_refusals_in_the_servers_words():
    for answers, *said in (
            ({"GREETING": ["554 no service here"]}, "at the greeting", "554 no service here"),
            ({"GREETING": ["421 busy"]}, "421 busy", "try again later"),
            ({"LOGIN": ["535 5.7.8 wrong"]}, "at the login: 535 5.7.8 wrong",
             "check the address and the password"),
            ({"LOGIN": ["454 4.7.0 later"]}, "454 4.7.0 later"),
            ({"AUTH LOGIN": ["504 not that"]}, "504 not that"),
            ({"MAIL": ["550 5.7.1 not you"]}, "at the sender: 550 5.7.1 not you"),
            ({"RCPT": ["550-5.1.1 who", "550 5.1.1 is that"]}, "at a recipient b@b.test: 550 5.1.1 "
             "who is that; check the address"),
            ({"RCPT": ["451 4.7.1 greylisted"]}, "451 4.7.1 greylisted", "try again later"),
            ({"DATA": ["554 5.7.1 spam"]}, "554 5.7.1 spam"),
            ({".": ["552 5.3.4 too big"]}, "at the end of the message: 552 5.3.4 too big"),
            ({"GREETING": ["+OK this is POP3"]}, "+OK this is POP3")):
        with Home() as home, Host(smtp_host(answers)) as host:
            talk = home.pipe(LETTER, *WHO, "--auth", "LOGIN", "--smtp", host.name)
            talk.complains(host.address, *said)
            talk.has("the text is kept")
            check("250 2.0.0" not in talk.said, talk.said)


@case
def auth_login_where_tls_comes_first():
    with Home() as home:
        pem = certificates.make(home.folder, host="localhost")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem, pem[:-4] + ".key")
        with Host(smtp_host({}), tls=context) as host:
            talk = home.pipe(LETTER, *WHO, "--auth", "LOGIN", "--trace", "--smtp", host.name)
            talk.has("C: STARTTLS\n", "S: 334 VXNlcm5hbWU6   (Username:)\n",
                     "S: 334 UGFzc3dvcmQ6   (Password:)\n", "C: AUTH LOGIN\n", "C: ***\n",
                     "queued as 4F1B")
            equal(host.lines.index("STARTTLS") < host.lines.index("AUTH LOGIN"), True, "the order")
            check(base64.b64encode(b"geheim").decode() in host.lines, host.lines)


if __name__ == "__main__":
    main()
