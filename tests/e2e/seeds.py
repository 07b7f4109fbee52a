"""seeds - what the users' own documents ask for, row by row, with bare sockets.

The name of a case begins with the row that it shows.  The two clients of row S17 are here as they
were written: one line at a time, waiting for a code each time.
"""

import json
import re
import signal
import threading

from harness import Server, add_case, case, check, content_of, equal, main
from wire import Broken

BOB, ALICE = "bob@example.test", "alice@example.test"
STRANGERS = {"relay": "trusted = {}"}


@case
def s1_parameters_keep_their_case():
    with Server() as server:
        server.add_user("Bob@Example.Test")
        wire = server.smtp("ehlo client.test")
        wire.say("mail FROM:<Some.One@Elsewhere.TEST>", "250")
        wire.say("rcpt to:<BOB@EXAMPLE.TEST>", "250")
        wire.expect(wire.data(b"x\r\n"), "250")
        found = server.only_message(BOB)
        check(found.startswith(b"Return-Path: <Some.One@elsewhere.test>\r\n"), f"{found[:80]!r}")


@case
def s3_unknown_recipient():
    with Server(users=[BOB]) as server:
        wire = server.smtp()
        wire.say("MAIL FROM:<a@elsewhere.test>", "250")
        wire.say("RCPT TO:<nobody@example.test>", "550 5.1.1 ")
        wire.say("RCPT TO:<bob@example.test>", "250 2.1.5 ")
        wire.expect(wire.data(b"x\r\n"), "250")
        server.only_message(BOB)


@case
def s3_many_recipients():
    users = [f"user{n}@example.test" for n in range(100)]
    with Server(users=users[:10]) as server:
        wire = server.smtp()
        wire.say("MAIL FROM:<a@elsewhere.test>", "250")
        for user in users[:10] * 10:
            wire.say(f"RCPT TO:<{user}>", "250")
        wire.expect(wire.data(b"to many\r\n"), "250")
        for user in users[:10]:
            found = server.only_message(user)
            equal(content_of(found), b"to many\r\n", user)
            check(b"\r\n\tfor <" not in found and b" for <" not in found[:400],
                  "Received names one of many recipients")


@case
def s3_one_copy_for_one_mailbox():
    """The same mailbox by other names: case, plus, alias, and twice."""
    with Server(['domain "example.test" { plus_addressing = true }'], users=[BOB]) as server:
        server.run("alias", "add", "team@example.test", BOB)
        wire = server.smtp()
        wire.envelope(to=[BOB, "BOB@example.test", "Bob@EXAMPLE.test", "bob+x@example.test",
                          "team@example.test", BOB])
        wire.expect(wire.data(b"once\r\n"), "250")
        server.only_message(BOB)


@case
def s4_trusted_sender_must_exist():
    with Server(['domain "example.test" { catch_all = "bob@example.test" plus_addressing = true }'],
                users=[BOB]) as server:
        wire = server.smtp()
        for sender, code in (("nobody@example.test", "553 5.1.0 "), (BOB, "250 "),
                             ("bob+tag@example.test", "250 "), ("a@elsewhere.test", "250 "),
                             ("", "250 ")):
            wire.say(f"MAIL FROM:<{sender}>", code)
            wire.say("RSET", "250")


@case
def s4_stranger_sends_to_local_recipients_only():
    with Server(users=[BOB], **STRANGERS) as server:
        wire = server.smtp()
        for sender in ("a@elsewhere.test", "nobody@example.test", BOB, ""):
            wire.say(f"MAIL FROM:<{sender}>", "250")
            wire.say("RCPT TO:<x@elsewhere.test>", "550 5.7.1 ")
            wire.say(f"RCPT TO:<{BOB}>", "250")
            wire.say("RSET", "250")


@case
def s4_hello_is_not_judged():
    with Server(users=[BOB], **STRANGERS) as server:
        for name in ("example.test", "mx.example.test", "[127.0.0.1]", "localhost", "x_y", "!"):
            wire = server.smtp(f"HELO {name}")
            wire.envelope()
            wire.expect(wire.data(b"x\r\n"), "250")
        equal(len(server.messages(BOB)), 6, "messages")


@case
def s9_octet_counts_are_exact():
    contents = [b"", b".\r\n", b"..\r\n.\r\n", b"a" * 5000 + b"\r\n", b"\xff\r\n", b".x\r\n" * 300]
    with Server(users=[BOB]) as server:
        for content in contents:
            server.deliver(content)
        wire = server.pop(BOB)
        count, octets = map(int, wire.say("STAT", "+OK").split()[1:3])
        rows = [tuple(map(int, row.split())) for row in wire.listing("LIST")]
        equal(count, len(contents), "STAT")
        equal(sum(size for _, size in rows), octets, "the sum of LIST")
        for number, size in rows:
            found = wire.say(f"LIST {number}", "+OK").split()[1:3]
            equal(found, [str(number), str(size)], "LIST n")
            equal(len(wire.retr(number)), size, f"octets of {number}")


@case
def s9_top():
    with Server(users=[BOB]) as server:
        server.deliver(b"Subject: top\r\n\r\n1\r\n.2\r\n3\r\n")
        wire = server.pop(BOB)
        for count, body in ((0, []), (1, [b"1"]), (2, [b"1", b".2"]), (99, [b"1", b".2", b"3"])):
            wire.say(f"TOP 1 {count}", "+OK")
            lines = wire.lines()
            equal(lines[lines.index(b""):], [b"", *body], f"TOP 1 {count}")


@case
def s8_unique_ids_stay():
    with Server(users=[BOB]) as server:
        for number in range(3):
            server.deliver(b"%d\r\n" % number)
        before = server.pop(BOB).listing("UIDL")
        server.restart()
        wire = server.pop(BOB)
        equal(wire.listing("UIDL"), before, "UIDL after a restart")
        wire.say("DELE 2", "+OK")
        wire.say("QUIT", "+OK")
        server.deliver(b"new\r\n")
        after = [row.split()[1] for row in server.pop(BOB).listing("UIDL")]
        old = [row.split()[1] for row in before]
        equal(after[:2], [old[0], old[2]], "UIDL of those that stay")
        check(after[2] not in old, "a unique-id was used again")


@case
def s8_capa():
    with Server(users=[BOB]) as server:
        wire = server.connect("pop3")
        wire.expect(wire.line(), "+OK")
        found = wire.listing("CAPA")
        for word in ("TOP", "UIDL", "PIPELINING", "RESP-CODES", "AUTH-RESP-CODE", "USER",
                     "EXPIRE NEVER"):
            check(word in found, f"CAPA has no {word}: {found}")
        check(any(row.startswith("IMPLEMENTATION ") for row in found), f"{found}")
        check(any(row.split()[0] == "UTF8" for row in found), f"{found}")
        check("LANG" in found, f"{found}")
        check("SASL SCRAM-SHA-256 PLAIN LOGIN" in found, f"{found}")
        check("STLS" in found, f"{found}")


@case
def s16_auth_login():
    with Server(users=[BOB]) as server:
        for hello in ("EHLO client.test", "HELO client.test"):
            wire = server.smtp(hello)
            wire.say("auth login", "334 VXNlcm5hbWU6")
            wire.say("Ym9iQGV4YW1wbGUudGVzdA==", "334 UGFzc3dvcmQ6")
            wire.say("d3Jvbmc=", "535 5.7.8")
            wire.say("AUTH LOGIN", "334 VXNlcm5hbWU6")
            wire.say("Ym9iQGV4YW1wbGUudGVzdA==", "334 UGFzc3dvcmQ6")
            wire.say("c2VjcmV0", "235 2.7.0")


@case
def s11_messages_keep_all_their_headers():
    content = (b"From: a@test.ru\r\nTo: bob@test.ru\r\nSubject: =?utf-8?B?0Y8=?=\r\n"
               b"Message-ID: <1@test.ru>\r\nX-Mailer: Claws Mail\r\nMIME-Version: 1.0\r\n"
               b"Content-Type: text/plain; charset=US-ASCII\r\nDate: x\r\n\r\nbody\r\n")
    with Server(["test.ru"], users=["bob@test.ru", "petya@test.ru"]) as server:
        number = server.deliver(content, to=["bob@test.ru"])
        shown = server.run("mailbox", "show", "bob@test.ru", "1").encode()
        equal(content_of(shown), content, "mailbox show")
        check(number in server.run("mailbox", "list", "bob@test.ru"), "no id in mailbox list")
        equal(content_of(server.only_message("bob@test.ru")), content, "RETR")
        equal(server.messages("petya@test.ru"), [], "somebody else's mail")


@case
def s13_many_clients_at_once():
    clients, each = 40, 10
    with Server(users=[BOB]) as server:
        trouble, ids = [], []

        def client(number):
            try:
                wire = server.smtp(f"EHLO c{number}.test")
                for count in range(each):
                    wire.envelope()
                    reply = wire.data(b"%d %d\r\n" % (number, count))
                    ids.append(wire.expect(reply, "250").split()[-1])
                wire.say("QUIT", "221")
            except Exception as why:
                trouble.append(str(why))

        threads = [threading.Thread(target=client, args=(n,)) for n in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        equal(trouble, [], "clients in trouble")
        equal(len(set(ids)), clients * each, "ids")
        found = sorted(content_of(m) for m in server.messages(BOB))
        equal(found, sorted(b"%d %d\r\n" % (n, c) for n in range(clients) for c in range(each)),
              "contents")


@case
def s14_protocol_log():
    with Server(users=[BOB], log='protocol = "all"') as server:
        server.deliver(b"Subject: seen\r\n\r\n.dot\r\n")
        server.messages(BOB)
        server.end()
        log = server.log()
    for pattern in (r" -> 220 mx\.example\.test", r" <- EHLO client\.test",
                    r" <- MAIL FROM:<someone@elsewhere\.test>", r" -> 354 ",
                    r" <- Subject: seen", r" -> 250 2\.0\.0 accepted as \w+", r" <- PASS \*\*\*",
                    r" -> \+OK"):
        check(re.search(pattern, log), f"no {pattern} in {log[-3000:]}")
    check("secret" not in log, "a password stands in the log")
    sessions = {row.split()[1] for row in log.splitlines() if " <- " in row}
    equal(len(sessions), 2, "sessions in the log")


@case
def s14_protocol_log_as_json():
    with Server(users=[BOB], log='protocol = "commands" format = "json"') as server:
        server.deliver(b"Subject: unseen\r\n\r\nx\r\n")
        server.end()
        rows = [json.loads(row) for row in server.log().splitlines() if row.startswith("{")]
    lines = [(row.get("from"), row.get("line")) for row in rows]
    check(("client", "EHLO client.test") in lines, f"{lines}")
    check(not any("unseen" in (line or "") for _, line in lines), "content in a log of commands")


@case
def s15_a_log_file_of_its_own():
    with Server(users=[BOB], log='protocol = "commands" file = "godwit.log"') as server:
        server.deliver(b"x\r\n")
        server.end()
        with open(f"{server.folder}/godwit.log", encoding="utf-8") as file:
            check(" <- EHLO client.test" in file.read(), "nothing in the log file")


class Simple:
    """The client of the first seed: a line, then wait for the code."""

    def __init__(self, server):
        self.wire = server.connect()
        self.wait("220")

    def wait(self, code):
        self.wire.expect(self.wire.reply(), code)

    def send(self, text, code=""):
        self.wire.send(text.encode())
        if code:
            self.wait(code)


@case
def s17_first_client():
    """`MAIL FROM: <a>` with a space, HELO with a literal, names without a dot."""
    with Server(["denis", "another"], users=["denis@denis", "petya@another"]) as server:
        client = Simple(server)
        client.send("HELO [192.168.56.1]\r\n", "250")
        client.send("MAIL FROM: <denis@denis>\r\n", "250")
        client.send("RCPT TO: <petya@another>\r\n", "250")
        client.send("DATA\r\n", "354")
        client.send("From: denis@denis\r\nTo: petya@another\r\nSubject: hi\r\n")
        client.send("Content-Type:text/plain\t\n\r\nhello\r\n.\r\n", "250")
        client.send("QUIT\r\n")
        client.wire.close()
        equal(content_of(server.only_message("petya@another")),
              b"From: denis@denis\r\nTo: petya@another\r\nSubject: hi\r\n"
              b"Content-Type:text/plain\t\r\n\r\nhello\r\n", "content")


@case
def s17_second_client():
    """Lower-case verbs, several spaces, a message without any header."""
    with Server(users=[BOB, ALICE]) as server:
        client = Simple(server)
        client.send("helo client\r\n", "250")
        client.send("mail  from:  <alice@example.test>\r\n", "250")
        client.send("rcpt to:<bob@example.test>\r\n", "250")
        client.send("rcpt to: <alice@example.test>\r\n", "250")
        client.send("data\r\n", "354")
        client.send("\r\nno header at all\r\n")
        client.send(".\r\n", "250")
        client.send("quit\r\n", "221")
        for user in (BOB, ALICE):
            equal(content_of(server.only_message(user)), b"\r\nno header at all\r\n", user)


@case
def s17_quit_and_gone():
    """QUIT and an immediate close, twenty times, and a reset: the server goes on."""
    with Server(users=[BOB]) as server:
        for number in range(20):
            wire = server.smtp("HELO c")
            wire.envelope()
            wire.expect(wire.data(b"%d\r\n" % number), "250")
            wire.send(b"QUIT\r\n")
            wire.reset() if number % 2 else wire.close()
        equal(len(server.messages(BOB)), 20, "messages")


@case
def s17_one_octet_at_a_time():
    with Server(users=[BOB]) as server:
        wire = server.connect()
        wire.reply()
        for line in ("HELO c", "MAIL FROM:<a@b.test>", f"RCPT TO:<{BOB}>", "DATA", "x\r\n.",
                     "QUIT"):
            for octet in (line + "\r\n").encode():
                wire.send(bytes([octet]))
            check(wire.reply()[0] in "23", line)
        equal(content_of(server.only_message(BOB)), b"x\r\n", "content")


@case
def s19_verify_and_expand():
    with Server(users=[BOB, ALICE]) as server:
        server.run("alias", "add", "team@example.test", BOB, ALICE)
        wire = server.smtp()
        check(BOB in wire.say(f"VRFY {BOB}", "250"), "VRFY does not name the mailbox")
        wire.say("VRFY nobody@example.test", "550 5.1.1 ")
        found = wire.say("EXPN team@example.test", "250")
        check(BOB in found and ALICE in found, f"EXPN gave {found!r}")
        equal(len(found.split("\n")), 2, "lines of EXPN")
        wire.say("EXPN nobody@example.test", "550 5.1.1 ")
        check("EXPN" in wire.say("HELP", "214"), "HELP without the verbs")
        wire.say("NOOP", "250 2.0.0 ")
        wire.say("RSET", "250 2.0.0 ")


@case
def s19_strangers_learn_nothing():
    with Server(users=[BOB], **STRANGERS) as server:
        wire = server.smtp()
        same = [wire.say(f"VRFY {name}", "252 2.") for name in (BOB, "nobody@example.test")]
        equal(same[0].replace(BOB, "X"), same[1].replace("nobody@example.test", "X"), "VRFY")
        wire.say(f"EXPN {BOB}", "502 5.")


LIMITS = {
    "size-declared": ('message = "1K"', [("MAIL FROM:<a@b.test> SIZE=1025", "552 5.3.4 ")]),
    "size-of-content": ('message = "1K"', [
        ("MAIL FROM:<a@b.test>", "250"), (f"RCPT TO:<{BOB}>", "250"), ("DATA", "354"),
        ("x" * 900 + "\r\n" + "y" * 900 + "\r\n.", "552 5.3.4 "),
        (f"RCPT TO:<{BOB}>", "503"), ("MAIL FROM:<a@b.test>", "250")]),
    "recipients": ("recipients = 2", [
        ("MAIL FROM:<a@b.test>", "250"), (f"RCPT TO:<{BOB}>", "250"), (f"RCPT TO:<{ALICE}>", "250"),
        ("RCPT TO:<third@example.test>", "452 4.5.3 "), ("DATA", "354"), (".", "250")]),
    "line": ('line = "2K"', [
        ("MAIL FROM:<a@b.test>", "250"), (f"RCPT TO:<{BOB}>", "250"), ("DATA", "354"),
        ("x" * 3000 + "\r\n.", "5"), ("NOOP", "250")]),
    "hops": ("hops = 3", [
        ("MAIL FROM:<a@b.test>", "250"), (f"RCPT TO:<{BOB}>", "250"), ("DATA", "354"),
        ("Received: by a\r\n" * 5 + "\r\n.", "554 5.4.6 "), (f"RCPT TO:<{BOB}>", "503")]),
    "transactions": ("transactions = 1", [
        ("MAIL FROM:<a@b.test>", "250"), (f"RCPT TO:<{BOB}>", "250"), ("DATA", "354"), (".", "250"),
        ("MAIL FROM:<a@b.test>", "4")]),
}


def limit(body, dialogue):
    def run():
        with Server(users=[BOB, ALICE], limits=body) as server:
            wire = server.smtp()
            for line, code in dialogue:
                wire.say(line, code)
    return run


for name, row in LIMITS.items():
    add_case(f"s20-limit-{name}", limit(*row))


@case
def s20_limits_are_announced():
    with Server(limits='message = "1M" recipients = 7 transactions = 5') as server:
        found = server.smtp("").say("EHLO c", "250").split("\n")
        check("250-SIZE 1048576" in found or "250 SIZE 1048576" in found, f"{found}")
        words = next(row for row in found if row[4:].startswith("LIMITS")).split()
        check("RCPTMAX=7" in words and "MAILMAX=5" in words, f"{words}")


@case
def s20_421_when_full():
    with Server(users=[BOB], limits="connections = 2") as server:
        first, second = server.smtp(), server.smtp()
        third = server.connect()
        third.expect(third.reply(), "421 ")
        check(third.ended(), "still open after 421")
        first.say("QUIT", "221")
        check(first.ended(), "still open after QUIT")
        second.say("NOOP", "250")


@case
def s20_421_when_stopped():
    """SIGTERM: 421 to the idle; a message in flight is finished."""
    with Server(users=[BOB]) as server:
        idle, busy = server.smtp(), server.smtp()
        busy.envelope()
        busy.say("DATA", "354")
        busy.send(b"in flight\r\n")
        server.signal(signal.SIGTERM)
        idle.expect(idle.reply(), "421 4.3.2 mx.example.test")
        check(idle.ended(), "still open after 421")
        busy.expect(busy.say("more\r\n."), "250")
        busy.expect(busy.reply(), "421 ")
        equal(server.wait(), 0, "exit code")
        server.process = None
        server.start()
        equal(content_of(server.only_message(BOB)), b"in flight\r\nmore\r\n", "content")


@case
def s21_broken_connections():
    """Clients that vanish anywhere leave nothing behind and stop nobody."""
    lines = [b"EHLO c\r\n", b"MAIL FROM:<a@b.test>\r\n", f"RCPT TO:<{BOB}>\r\n".encode(),
             b"DATA\r\n", b"half a mess", b"age\r\n."]
    with Server(users=[BOB]) as server:
        for upto in range(len(lines) + 1):
            for leave in ("close", "reset", "half_close"):
                wire = server.connect()
                wire.reply()
                for line in lines[:upto]:
                    wire.send(line)
                getattr(wire, leave)()
        wire = server.connect()
        wire.send(b"".join(lines[:4]) + b"half")
        wire.half_close()
        wire.all_until_end()
        server.deliver(b"after\r\n")
        equal(content_of(server.only_message(BOB)), b"after\r\n", "content")


@case
def s21_words_after_the_end_still_count():
    """A client that sends all and closes its half gets every reply."""
    with Server(users=[BOB]) as server:
        wire = server.connect()
        wire.send(f"EHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<{BOB}>\r\nDATA\r\n"
                  "x\r\n.\r\n".encode())
        wire.half_close()
        found = wire.all_until_end()
        check(b"250 2.0.0 accepted as " in found, f"{found!r}")
        server.only_message(BOB)


@case
def s21_illegal_commands_do_not_end_a_session():
    with Server(users=[BOB]) as server:
        wire = server.smtp()
        for line in ("", "X", "MAIL", "MAIL FROM", "RCPT TO:<>", "DATA now", "QUIT now", "é"):
            reply = wire.say(line)
            check(reply[:1] == "5", f"{line!r}: {reply!r}")
        wire.envelope()
        wire.expect(wire.data(b"x\r\n"), "250")


@case
def s21_refused_connection_is_told():
    with Server(users=[BOB]) as server:
        server.end()
        try:
            server.connect()
        except OSError:
            return
        raise Broken("somebody answers on the port of a stopped server")


if __name__ == "__main__":
    main()
