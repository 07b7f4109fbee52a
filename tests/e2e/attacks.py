"""attacks - what a new server meets on its first day, from outside: SMTP, POP3, addresses.

After each the server must still serve; the harness looks at its end and at what its sanitizers
report.
"""

import base64
import re
import time

from harness import Server, add_case, case, check, content_of, equal, main, until
from strangers import stranger_server
from wire import Broken

BOB = "bob@example.test"
STRANGERS = {"relay": "trusted = {}"}
NO_ERROR_LIMIT = {"abuse": "errors = 0 logins = 0"}


def still_serves(server, content=b"still here\r\n"):
    server.deliver(content)
    check(content_of(server.messages(BOB)[-1]) == content, "the server no longer delivers")


SMUGGLED = (b"MAIL FROM:<evil@elsewhere.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n"
            b"Subject: smuggled\r\n\r\nx")
ENDS = {"lf.lf": b"\n.\n", "lf.crlf": b"\n.\r\n", "crlf.lf": b"\r\n.\n", "cr.cr": b"\r.\r",
        "cr.crlf": b"\r.\r\n", "crlf.cr": b"\r\n.\r", "crcrlf.crlf": b"\r\r\n.\r\r\n",
        "lflf.crlf": b"\n\n.\r\n", "cr.lf": b"\r.\n"}


def smuggle(end, trusted):
    """The end of data in a form that is none, and a second message behind it."""
    def run():
        content = b"Subject: first\r\n\r\nx" + end + SMUGGLED
        with Server(users=[BOB], **({} if trusted else STRANGERS)) as server:
            wire = server.smtp()
            wire.envelope()
            wire.say("DATA", "354")
            wire.send(content + b"\r\n.\r\nNOOP\r\n")
            wire.expect(wire.reply(), "250 2.0.0 accepted" if trusted else "550 5.6.0 ")
            wire.expect(wire.reply(), "250 ")
            wire.say("RCPT TO:<bob@example.test>", "503 ")
            found = server.messages(BOB)
            equal(len(found), int(trusted), "messages")
            if trusted:
                stuffed = re.sub(rb"\r\n|\r|\n", b"\r\n", content + b"\r\n")
                wanted = re.sub(rb"\r\n\.", b"\r\n", stuffed)
                check(content_of(found[0]) in (stuffed, wanted), f"{found[0]!r}")
    return run


for end_name, end in ENDS.items():
    add_case(f"smuggle-{end_name}-from-a-stranger", smuggle(end, False))
    add_case(f"smuggle-{end_name}-from-a-trusted-network", smuggle(end, True))


@case
def smuggle_with_nul():
    """CRLF NUL . CRLF ends nothing either."""
    with Server(users=[BOB], **STRANGERS) as server:
        wire = server.smtp()
        wire.envelope()
        content = b"x\r\n\0.\r\n" + SMUGGLED + b"\r\n"
        wire.expect(wire.data(content), "250")
        equal(content_of(server.only_message(BOB)), content, "content")


@case
def smuggle_through_bdat():
    with Server(users=[BOB], **STRANGERS) as server:
        for end in ENDS.values():
            wire = server.smtp()
            wire.envelope()
            wire.expect(wire.bdat(b"x" + end, SMUGGLED), "550 5.6.0 ")
            wire.say("NOOP", "250")
        equal(server.messages(BOB), [], "messages")


@case
def after_a_refused_end_nothing_is_left():
    with Server(users=[BOB], **STRANGERS) as server:
        wire = server.smtp()
        wire.envelope()
        wire.say("DATA", "354")
        wire.say(b"bare\nline\r\n.", "550 5.6.0 ")
        wire.say(f"RCPT TO:<{BOB}>", "503")
        wire.say("DATA", "503")
        wire.envelope()
        wire.expect(wire.data(b"x\r\n"), "250")
        server.only_message(BOB)


@case
def bdat_sizes_that_are_none():
    with Server(users=[BOB], **NO_ERROR_LIMIT) as server:
        for size in ("", "-1", "+5", "0x10", "1e3", "LAST", "9" * 30, "18446744073709551616", " ",
                     "５"):
            wire = server.smtp()
            wire.envelope()
            reply = wire.say(f"BDAT {size}")
            check(reply[:1] in "45", f"BDAT {size!r}: {reply!r}")
            wire.close()
        for words in ("5 5", "5 FIRST", "5 LAST LAST"):
            wire = server.smtp()
            wire.envelope()
            reply = wire.say(f"BDAT {words}\r\nabc")
            check(reply[:1] == "5", f"BDAT {words!r}: {reply!r}")
            wire.say("NOOP", "250")
        for size in (1 << 63, (1 << 64) - 1, 1 << 40):
            wire = server.smtp()
            wire.envelope()
            wire.send(b"BDAT %d\r\n" % size + b"x" * 100000)
            wire.half_close()
            wire.all_until_end()
        equal(server.messages(BOB), [], "messages")


@case
def bdat_chunk_is_drained_after_an_error():
    """The octets of a refused chunk are never read as commands."""
    with Server(users=[BOB]) as server:
        wire = server.smtp()
        quit_inside = b"QUIT\r\n" * 10
        wire.send(b"BDAT 60\r\n" + quit_inside)
        wire.expect(wire.reply(), "503 ")
        wire.say("MAIL FROM:<a@b.test>", "250")
        wire.send(b"BDAT 60\r\n" + quit_inside)
        wire.expect(wire.reply(), "5")
        wire.say("RSET", "250")
        wire.envelope(to=[BOB])
        wire.send(b"BDAT 6\r\nQUIT\r\n")
        wire.expect(wire.reply(), "250")
        wire.say("DATA", "503")
        wire.say("MAIL FROM:<a@b.test>", "503")
        wire.say("RSET", "250")
        wire.say("NOOP", "250")
        equal(server.messages(BOB), [], "messages")


@case
def bdat_in_a_million_pieces():
    """Tiny chunks in great numbers: memory stays where it is."""
    count = 100000
    with Server(users=[BOB]) as server:
        wire = server.smtp()
        wire.envelope()
        before = server.memory()
        for _ in range(count // 1000):
            wire.send(b"BDAT 1\r\nx" * 998 + b"BDAT 1\r\n\rBDAT 1\r\n\n")
            for _ in range(1000):
                wire.expect(wire.reply(), "250")
        server.check_memory(before, 32)
        wire.expect(wire.bdat(b""), "250 2.0.0 accepted")
        equal(len(content_of(server.only_message(BOB))), count, "octets")


@case
def octets_in_commands():
    with Server(users=[BOB], **NO_ERROR_LIMIT) as server:
        for value in (0, 1, 7, 8, 0x0b, 0x1b, 0x7f, 0x80, 0xa0, 0xc0, 0xfe, 0xff):
            for line in (b"NO%cOP", b"MAIL FROM:<a%c@b.test>", b"%cMAIL FROM:<a@b.test>",
                         b"MAIL FROM:<a@b%c.test>", b"MAIL FROM:<a@b.test>%c"):
                wire = server.smtp()
                reply = wire.say(line % value)
                check(reply[:1] == "5", f"{line % value!r}: {reply!r}")
                wire.say("QUIT", "221")
                wire.close()


@case
def a_bare_cr_is_no_end_of_a_command():
    with Server(users=[BOB], **STRANGERS) as server:
        for line in (b"NOOP\rQUIT", b"HELP\r.\rQUIT", b"\rNOOP"):
            wire = server.smtp()
            wire.say(line, "500 ")
            wire.say("RSET", "250 2.0.0 ")
            wire.close()


def endless_line(role, octet, megabytes=128):
    def run():
        with Server(users=[BOB], limits='line = "64K"') as server:
            wire = server.connect(role)
            wire.line()
            before = server.memory()
            try:
                for _ in range(megabytes):
                    wire.send(octet * (1 << 20))
                    server.check_memory(before, 32)
                wire.send(b"\r\n")
                check(wire.line()[:3] in ("500", "421", "-ER"), "an endless line was taken")
            except (ConnectionResetError, BrokenPipeError, Broken):
                pass
            still_serves(server)
    return run


add_case("endless-line-smtp", endless_line("smtp", b"A"))
add_case("endless-line-of-nul-smtp", endless_line("smtp", b"\0", megabytes=48))
add_case("endless-line-pop3", endless_line("pop3", b"A"))


@case
def endless_body_line():
    with Server(users=[BOB], limits='message = "1G"') as server:
        wire = server.smtp()
        wire.envelope()
        wire.say("DATA", "354")
        before = server.memory()
        for _ in range(64):
            wire.send(b"A" * (1 << 20))
            server.check_memory(before, 48)
        wire.say("\r\n.", "5")
        wire.say("NOOP", "250")
        still_serves(server)


GOOD_PATHS = ["a@b.test", "a@b", "a.b.c@d.test", '"a b"@c.test', '"a\\"b"@c.test', '"a@b"@c.test',
              '""@c.test', "@x.test:a@c.test", "@x.test,@y.test:a@c.test", "a@[127.0.0.1]",
              "a@[IPv6:::1]", "!#$%&'*+-/=?^_`{|}~@c.test", "x" * 64 + "@c.test",
              "a@" + ".".join(["x" * 60] * 4)]
BAD_PATHS = ["a", "a@", "@b", "a@b@c", "a..b@c", ".a@c", "a.@c", '"a"b@c', '"a@c', "a@-b.test",
             "a@b-.test", "a@b..test", "a@.test", "a b@c", "a@c d", "a@[999.1.1.1]", "a@[1.2.3]",
             "a@[IPv6:xyz]", "a@[", "x" * 65 + "@c.test", "a@" + "x" * 64 + ".test",
             "a@" + ".".join(["x" * 60] * 5), '"a"@b"@d', ";sleep 66;", "<a@b>", "a@b>x", "(a)a@b",
             "a@(b)c"]


@case
def paths_that_are_right():
    with Server(users=[BOB], **NO_ERROR_LIMIT) as server:
        wire = server.smtp()
        for path in GOOD_PATHS:
            wire.say(f"MAIL FROM:<{path}>", "250")
            wire.say("RSET", "250")


@case
def paths_that_are_wrong():
    with Server(users=[BOB], **NO_ERROR_LIMIT) as server:
        wire = server.smtp()
        for path in BAD_PATHS:
            wire.say(f"MAIL FROM:<{path}>", "501")
        wire.say("MAIL FROM:<a@b.test>", "250")
        for path in BAD_PATHS:
            reply = wire.say(f"RCPT TO:<{path}>")
            check(reply[:1] == "5", f"{path!r}: {reply!r}")
        wire.say("DATA", "503")


@case
def one_mailbox_by_every_spelling():
    """Quoting, case and source routes change nothing: one canonical form."""
    with Server(users=[BOB]) as server:
        spellings = ["bob@example.test", '"bob"@example.test', '"b\\ob"@example.test',
                     "BOB@EXAMPLE.test", "@relay.test:bob@example.test", "bob@example.test."]
        wire = server.smtp()
        for path in spellings[:5]:
            wire.envelope(to=[path])
            wire.expect(wire.data(b"x\r\n"), "250")
        equal(len(server.messages(BOB)), 5, "messages")


@case
def utf8_in_paths():
    with Server(users=[BOB], relay="trusted = {}", **NO_ERROR_LIMIT) as server:
        wire = server.smtp()
        wire.say("MAIL FROM:<ä@b.test>", "553 5.6.7 ")
        for local in (b"\xc0\xaf", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\xc3", b"\xff",
                      b"\xf4\x90\x80\x80"):
            wire.say(b"MAIL FROM:<a" + local + b"@b.test> SMTPUTF8", "5")
        wire.say("MAIL FROM:<ä@b.test> SMTPUTF8", "250")
        wire.say("RCPT TO:<bob@exämple.test>", "550")
        wire.say("RCPT TO:<bob@a\u2028b.test>", "5")


@case
def numbers_of_messages():
    with Server(users=[BOB], **NO_ERROR_LIMIT) as server:
        server.deliver(b"x\r\n")
        wire = server.pop(BOB)
        for number in ("0", "2", "-1", "+1", "1.0", "0x1", "4294967297", "18446744073709551617",
                       "a", "1 1", "", "１"):
            for command in ("RETR", "DELE", "TOP"):
                wire.say(f"{command} {number}" + (" 0" if command == "TOP" else ""), "-ERR")
        for count in ("-1", "", "a", "18446744073709551617"):
            wire.say(f"TOP 1 {count}", "-ERR")
        equal(wire.say("STAT", "+OK").split()[1], "1", "STAT")


def can_log_in(server):
    """Whether the maildrop is free; the session is ended in an orderly way."""
    wire = server.connect("pop3")
    wire.line()
    wire.say(f"USER {BOB}", "+OK")
    taken = wire.say("PASS secret").startswith("+OK")
    wire.say("QUIT", "+OK")
    return taken and wire.ended()


@case
def a_dropped_session_deletes_nothing():
    with Server(users=[BOB]) as server:
        server.deliver(b"x\r\n")
        for leave in ("close", "reset", "half_close"):
            wire = server.pop(BOB)
            wire.say("DELE 1", "+OK")
            getattr(wire, leave)()
            until(lambda: can_log_in(server), f"the end of the session after {leave}")
            equal(len(server.messages(BOB)), 1, f"messages after {leave}")


@case
def a_second_login_is_told():
    with Server(users=[BOB]) as server:
        first = server.pop(BOB)
        second = server.connect("pop3")
        second.line()
        second.say(f"USER {BOB}", "+OK")
        second.say("PASS secret", "-ERR [IN-USE] ")
        first.say("QUIT", "+OK")
        check(first.ended(), "still open after QUIT")
        server.pop(BOB)


@case
def unknown_user_and_wrong_password_are_alike():
    def attempt(server, user):
        wire = server.connect("pop3")
        wire.line()
        said = [wire.say(f"USER {user}", "+OK")]
        start = time.perf_counter()
        said.append(wire.say("PASS wrong", "-ERR [AUTH] "))
        taken = time.perf_counter() - start
        wire.close()
        return taken, said

    with Server(users=[BOB]) as server:
        pairs = [(attempt(server, BOB), attempt(server, "nobody@example.test")) for _ in range(5)]
        for (_, known), (_, unknown) in pairs:
            equal([w.replace(BOB, "X") for w in known],
                  [w.replace("nobody@example.test", "X") for w in unknown], "words")
        known, unknown = (min(pair[i][0] for pair in pairs) for i in (0, 1))
        check(max(known, unknown) < 4 * min(known, unknown) + 0.002,
              f"{known * 1000:.1f} ms for a known user, {unknown * 1000:.1f} ms for another")


@case
def names_that_mean_something_elsewhere():
    with Server(users=[BOB], **NO_ERROR_LIMIT) as server:
        for name in ("%s%n%x", "' OR 1=1 --", "../../etc/passwd", "%{user}", "$(id)", "\x00",
                     "a\x1bb", "bob@example.test\x00"):
            wire = server.connect("pop3")
            wire.line()
            if wire.say(f"USER {name}").startswith("+OK"):
                wire.say("PASS secret", "-ERR")
            wire.close()
        wire = server.smtp()
        wire.say("MAIL FROM:<a@b.test>", "250")
        for local in ("%s%n", "'OR1=1--", "%{x}", "../x", "$(id)", "`id`", "|id"):
            reply = wire.say(f'RCPT TO:<"{local}"@example.test>')
            check(reply[:3] == "550", f"{local}: {reply!r}")
        still_serves(server)


@case
def what_a_peer_says_is_one_log_line():
    with Server(users=[BOB], log='protocol = "all"') as server:
        wire = server.smtp()
        wire.say("EHLO x\x1b[31m\u202Eevil", "5")
        wire.say("NOOP \x1b]0;title\x07", "5")
        wire.envelope()
        wire.expect(wire.data(b"\x1b[2J\r\n2026-11-21T00:00:00Z forged -> 250 OK\r\n\x9b\r\n"),
                    "250")
        server.end()
        with open(server.log_name, "rb") as file:
            log = file.read()
        for octet in (b"\x1b", b"\x07", "\u202e".encode(), b"\x9b"):
            check(octet not in log, f"{octet!r} stands in the log")
        check(b"forged" in log and not re.search(rb"(?m)^2026-11-21T00:00:00Z forged", log),
              "a forged line")


@case
def content_is_no_line_of_a_log_of_commands():
    """However it is refused, and whatever it looks like."""
    with Server(users=[BOB], log='protocol = "commands"', relay="trusted = {}") as server:
        wire = server.smtp()
        wire.envelope()
        wire.expect(wire.data(b"x\n\r\nMAIL FROM:<forged@b.test>\r\n"), "550")
        for words, octets in (("BDAT 24", b"RCPT TO:<forged@b.test>\n"),
                              ("BDAT 13 FIRST", b"NOOP forged\r\n")):
            wire.send(words.encode() + b"\r\n" + octets)
            wire.expect(wire.reply(), "50")
        wire.say("NOOP the end", "250")
        server.end()
        check("<- NOOP the end" in server.log() and "forged" not in server.log(), server.log())


@case
def a_chunk_without_a_line_end_uncovers_no_password():
    secret = base64.b64encode(b"\0bob@example.test\0secret").decode()
    with Server(users=[BOB], log='protocol = "all"') as server:
        wire = server.smtp("EHLO client.test")
        wire.envelope()
        wire.expect(wire.bdat(b"the end"), "250")
        wire.say(f"AUTH PLAIN {secret}", "235")
        server.end()
        check("<- the end" in server.log() and secret not in server.log(), server.log())


@case
def addresses_from_the_command_line():
    with Server(users=[BOB]) as server:
        for address in ("a\nb@example.test", "a\rb@example.test", "a b@example.test", "a", "@x", "",
                        "a@example.test\n", "\x1b@example.test"):
            server.run("user", "add", "--password-stdin", address, text="secret\n", code=2)
        server.run("user", "add", "--password-stdin", "a@elsewhere.test", text="x\n", code=78)
        for password in ("", "\n", "a\rb\n"):
            server.run("user", "add", "--password-stdin", "a@example.test", text=password, code=2)
        server.run("user", "add", "--password-stdin", BOB, text="x\n", code=1)


HEAVY = {
    "addresses": b"To: " + b",\r\n ".join(b"user%d@b.test" % n for n in range(500000))
                 + b"\r\n\r\nx\r\n",
    "one-field": b"X-Long: " + (b"y" * 998 + b"\r\n ") * 10000 + b"end\r\n\r\nx\r\n",
    "parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 10000,
    "depth": b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
                      for n in range(10000)),
    "fields": b"a: b\r\n" * 500000 + b"\r\nx\r\n",
}


def heavy(content):
    def run():
        with Server(users=[BOB]) as server:
            start = time.monotonic()
            server.deliver(content)
            equal(content_of(server.only_message(BOB)), content, "content")
            check(time.monotonic() - start < 20, "it took more than 20 s")
            wire = server.pop(BOB)
            wire.say("TOP 1 0", "+OK")
            wire.body()
    return run


for heavy_name, heavy_content in HEAVY.items():
    add_case(f"heavy-{heavy_name}", heavy(heavy_content))


@case
def bad_commands_end_a_session():
    with Server(users=[BOB], limits='smtp_command = "1m"', abuse="errors = 5") as server:
        wire = server.smtp()
        wire.send(b"NONSENSE\r\n" * 1000)
        found = wire.all_until_end().split(b"\r\n")
        check(len(found) < 20, f"{len(found)} answers")
        check(found[-2].startswith(b"421 ") or found[-2].startswith(b"500 "), f"{found[-2]!r}")
        still_serves(server)


@case
def wrong_passwords_end_a_session():
    with Server(users=[BOB], abuse="logins = 3") as server:
        wire = server.connect("pop3")
        wire.line()
        wire.send(f"USER {BOB}\r\nPASS wrong\r\n".encode() * 50)
        found = wire.all_until_end()
        check(found.count(b"[AUTH]") <= 4, f"{found.count(b'[AUTH]')} guesses in a session")
        equal(server.messages(BOB), [], "messages")


def times_of(tries):
    """How long each of them takes."""
    times = []
    for attempt in tries:
        began = time.monotonic()
        attempt()
        times.append(time.monotonic() - began)
    return times


def check_grows(times):
    """The last two of five were held back, a quarter and half a second, as a loop counts
    them: in milliseconds, of which it knows the last turn's."""
    check(times[3] >= 0.24 and times[4] >= 0.49, f"they took {times}")


@case
def a_stranger_pays_for_mistakes_with_time():
    with stranger_server([BOB], abuse="errors = 5") as server:
        wire = server.smtp()
        check_grows(times_of([lambda: wire.say("XYZZY", "500")] * 5))
        wire.expect(wire.reply(), "421 4.7.0 ")
        check(wire.ended(), "the session goes on")


@case
def a_stranger_pays_for_wrong_passwords_with_time():
    with stranger_server([BOB], abuse="logins = 5", auth='cleartext = "always"') as server:
        wire = server.connect("pop3")
        wire.expect(wire.line(), "+OK")

        def log_in(user):
            wire.say(f"USER {user}", "+OK")
            wire.say("PASS wrong", "-ERR [AUTH]")
        check_grows(times_of([lambda u=u: log_in(u) for u in (BOB, "nobody", BOB, "nobody", BOB)]))
        check(wire.ended(), "the session goes on")
        wire = server.pop(BOB)
        wire.say("QUIT", "+OK")


@case
def slow_commands():
    """Octets that drip in do not keep a session alive."""
    with Server(users=[BOB], limits='smtp_command = "2s"') as server:
        wire = server.smtp()
        start = time.monotonic()
        wire.sock.settimeout(0.3)
        said = b""
        while time.monotonic() - start < 15 and b"421" not in said:
            try:
                wire.send(b"N")
                said += wire.sock.recv(1000)
            except TimeoutError:
                continue
            except OSError:
                break
        check(said.startswith(b"421 4.4.2 "), f"after {time.monotonic() - start:.1f} s: {said!r}")
        still_serves(server)


@case
def slow_content():
    with Server(users=[BOB], limits='smtp_message = "2s"') as server:
        wire = server.smtp()
        wire.envelope()
        wire.say("DATA", "354")
        start = time.monotonic()
        wire.sock.settimeout(0.3)
        said = b""
        while time.monotonic() - start < 15 and not said:
            try:
                wire.send(b"x")
                said += wire.sock.recv(1000)
            except TimeoutError:
                continue
            except OSError:
                break
        check(said.startswith(b"421 4.4.2 "), f"after {time.monotonic() - start:.1f} s: {said!r}")
        equal(server.messages(BOB), [], "messages")


@case
def many_idle_connections():
    with Server(users=[BOB]) as server:
        count = 500
        idle = [server.connect() for _ in range(count)]
        for wire in idle:
            wire.expect(wire.reply(), "220")
        start = time.monotonic()
        still_serves(server)
        check(time.monotonic() - start < 2, "a new session had to wait")
        for wire in idle:
            wire.say("NOOP", "250")


@case
def killed_after_an_answer():
    """kill -9 right behind the 250: the message is there."""
    with Server(users=[BOB]) as server:
        for number in range(5):
            wire = server.smtp()
            wire.envelope()
            wire.expect(wire.data(b"%d\r\n" % number), "250")
            server.restart(kill=True)
            equal(len(server.messages(BOB)), number + 1, "messages")
        check("error" not in server.run("check", "--store").lower(), "the store has findings")


@case
def clients_that_never_read():
    """A peer that asks and does not read costs bounded memory, and others are served."""
    with Server(users=[BOB], **NO_ERROR_LIMIT) as server:
        server.deliver((b"x" * 70 + b"\r\n") * 100000)
        before = server.memory()
        wire = server.pop(BOB)
        wire.sock.settimeout(2)
        try:
            for _ in range(200):
                wire.send(b"RETR 1\r\n" * 100)
        except OSError:
            pass
        deaf = server.smtp()
        deaf.sock.settimeout(2)
        try:
            for _ in range(2000):
                deaf.send(b"HELP\r\n" * 1000)
        except OSError:
            pass
        server.check_memory(before, 64)
        wire.reset()
        deaf.reset()
        still_serves(server)


if __name__ == "__main__":
    main()
