"""submission - mail of those who have logged in: what is added to it, taken away and refused."""

import re

import harness
from harness import case, check, content_of, equal, until
from locked import ALICE, BOB, Doors, b64, plain
from logins import login, scram
from scram import Scram, ScramSha1

DATE = rb"Date: \w{3}, \d\d? \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}\r\n"
FROM = rb"From: bob@example\.test\r\n"
ID = rb"Message-ID: <(\w+)@mx\.example\.test>\r\n"
HAS = b"Date: d\r\nFrom: Bob <bob@example.test>\r\nMessage-ID: <i@bob>\r\n"


def send(wire, content, wanted="250 2.0.0", sender=BOB, to=(ALICE,)):
    wire.envelope(sender, list(to))
    return wire.expect(wire.data(content), wanted)


class Office(Doors):
    """Nobody is trusted; Alice's messages are looked at."""

    def __init__(self, **sections):
        super().__init__(relay="trusted = {}", **sections)

    def last(self):
        return self.messages(ALICE, "wonder")[-1]

    def check_last(self, pattern, what):
        content = content_of(self.last())
        check(re.fullmatch(pattern, content, re.DOTALL), f"{what}: {content!r}")
        return content


# --- The header ---


FIXES = (
    ("nothing but an end", b"\r\nhello\r\n", DATE + FROM + ID + rb"\r\nhello\r\n"),
    ("no header and no end", b"hello\r\n", DATE + FROM + ID + rb"\r\nhello\r\n"),
    ("nothing at all", b"", DATE + FROM + ID),
    ("bare line feeds", b"\nhello\n.dot\r\n", DATE + FROM + ID + rb"\r\nhello\r\n\.dot\r\n"),
    ("a subject", b"Subject: s\r\n\r\nhello\r\n",
     rb"Subject: s\r\n" + DATE + FROM + ID + rb"\r\nhello\r\n"),
    ("all is there", HAS + b"\r\n..\r\n.\r\n" + HAS, re.escape(HAS + b"\r\n..\r\n.\r\n" + HAS)),
    ("Bcc", b"Bcc: x@y,\r\n\tz@y\r\n" + HAS + b"bcc:\r\nTo: a\r\n\r\nBcc: stays\r\n",
     re.escape(HAS + b"To: a\r\n\r\nBcc: stays\r\n")),
    ("no field", HAS + b"no field\r\nFrom: a@b\r\n",
     re.escape(HAS + b"\r\nno field\r\nFrom: a@b\r\n")),
)


@case
def what_the_header_lacks():
    with Office() as server:
        for role in ("submission", "submissions", "smtp"):
            wire = server.logged_in(role)
            for what, content, pattern in FIXES:
                send(wire, content)
                server.check_last(pattern, f"{what}, {role}")
        reader = server.pop(ALICE, "wonder")
        sizes = [int(line.split()[1]) for line in reader.listing("LIST")]
        for number, size in enumerate(sizes, 1):
            equal(len(reader.retr(number)), size, f"the octets of message {number}")


@case
def the_id_is_the_one_of_the_reply():
    with Office() as server:
        said = send(server.logged_in(), b"\r\n")
        name = re.search(r"accepted as (\w+)", said)[1]
        check(f"Message-ID: <{name}@mx.example.test>\r\n".encode() in server.last(), name)
        check(f" id {name}".encode() in server.last(), "Received")


@case
def an_author_for_the_null_sender():
    with Office() as server:
        server.run("alias", "add", "sales@example.test", BOB)
        wire = server.logged_in()
        send(wire, b"\r\n", sender="")
        check(b"\r\nFrom: bob@example.test\r\n" in server.last(), "<>")
        send(wire, b"\r\n", sender="Sales@example.test")
        check(b"\r\nFrom: Sales@example.test\r\n" in server.last(), "the alias")


@case
def in_chunks_and_octet_by_octet():
    content = b"Subject: s\r\nBcc: a@b,\r\n c@d\r\nX-A: b\r\n\r\n.hello\r\n"
    wanted = rb"Subject: s\r\nX-A: b\r\n" + DATE + FROM + ID + rb"\r\n\.hello\r\n"
    with Office() as server:
        wire = server.logged_in()
        for size in (1, 2, 3, 7, 1000):
            pieces = [content[at:at + size] for at in range(0, len(content), size)]
            wire.envelope(BOB, [ALICE])
            wire.expect(wire.bdat(*pieces), "250")
            server.check_last(wanted, f"chunks of {size}")
        wire.envelope(BOB, [ALICE])
        wire.say("DATA", "354")
        for octet in content.replace(b"\r\n.", b"\r\n..") + b".\r\n":
            wire.send(bytes([octet]))
        wire.expect(wire.reply(), "250")
        server.check_last(wanted, "octets")


@case
def binary():
    """What is added stands in front of what was converted; a foreign author is refused as ever."""
    header = (b"Bcc: a@b\r\nMIME-Version: 1.0\r\nContent-Type: application/x\r\n"
              b"Content-Transfer-Encoding: binary\r\n")
    with Office() as server:
        wire = server.logged_in()
        for author, wanted in ((b"", "250"), (b"From: x@elsewhere.test\r\n", "5")):
            wire.say(f"MAIL FROM:<{BOB}> BODY=BINARYMIME", "250")
            wire.say(f"RCPT TO:<{ALICE}>", "250")
            wire.expect(wire.bdat(author + header + b"\r\n\0\n", b"\xff\r"), wanted)
        server.check_last(rb"MIME-Version: 1\.0\r\nContent-Type: application/x\r\n"
                          + DATE + FROM + ID
                          + rb"Content-Transfer-Encoding: base64\r\n\r\nAAr/DQ==\r\n", "binary")


@case
def large_and_many():
    """Past what is kept in memory, and a header of any size."""
    with Office() as server:
        wire = server.logged_in()
        body = b"".join(b"%d %s\r\n" % (number, b"x" * 70) for number in range(60000))
        send(wire, HAS + b"Bcc: x@y\r\n\r\n" + body)
        equal(content_of(server.last()), HAS + b"\r\n" + body, "a large body")
        header = b"".join(b"X-%d: y\r\nBcc: %s\r\n" % (n, b"z@y," * 20) for n in range(20000))
        send(wire, header + b"\r\n")
        kept = b"".join(b"X-%d: y\r\n" % n for n in range(20000))
        server.check_last(re.escape(kept) + DATE + FROM + ID + rb"\r\n", "a large header")


@case
def the_size_that_counts_is_the_sender_s():
    with Office(limits='message = "2K"') as server:
        wire = server.logged_in()
        send(wire, HAS + b"\r\n" + b"x" * 1950 + b"\r\n")
        send(wire, b"\r\n" + b"x" * 2000 + b"\r\n" + b"y" * 40 + b"\r\n")
        send(wire, HAS + b"\r\n" + b"x" * 2048 + b"\r\n", "552 5.3.4")


@case
def others_are_not_altered():
    content = b"Bcc: x@y\r\nSubject: s\r\n\r\nhello\r\n"
    for trusted in ("{}", '{"127.0.0.0/8"}'):
        with Doors(relay=f"trusted = {trusted}") as server:
            server.deliver(content, to=(BOB,))
            server.deliver(b"\r\nhello\r\n", to=(BOB,))
            found = [content_of(message) for message in server.messages(BOB)]
            equal(found, [content, b"\r\nhello\r\n"], trusted)


# --- Who the author may be ---


AUTHORS = (
    ("bob@example.test", "250"),
    ("Bob <BOB@example.TEST>", "250"),
    ("\"Bob, the\" <bob+news@example.test>", "250"),
    ("=?utf-8?q?B=C3=B6b?= <bob@example.test>", "250"),
    ("bob@example.test, Sales <sales@example.test>", "250"),
    ("<sales+x@example.test>", "250"),
    ("root (Cron Daemon)", "250"),
    ("team: bob@example.test;", "250"),
    ("alice@example.test", "550 5.7.1 submission.from: From names alice@example.test; "
                           "bob@example.test may write only as itself"),
    ("bob@example.test, alice@example.test", "550 5.7.1"),
    ("bob@example.test <alice@example.test>", "550 5.7.1"),
    ("others@example.test", "550 5.7.1"),
    ("nobody@example.test", "550 5.7.1"),
    ("bob@elsewhere.test", "550 5.7.1 submission.from: From names bob@elsewhere.test"),
    ("alice@example.test bob@example.test", "550 5.7.1 submission.from: the From field cannot"),
    ("\"alice@example.test\"", "550 5.7.1"),
    ("<>", "550 5.7.1"),
    ("x\r\n <alice@example.test>", "550 5.7.1"),
    ("bob@example.test\r\nFrom: alice@example.test", "550 5.7.1 submission.from: the header has"),
    ("bob@example.test\r\nno field\r\nFrom: alice@example.test", "250"),
    (", ".join(["bob@example.test"] * 21), "550 5.7.1 submission.from: the header names too many"),
    ("x" * 3000 + " <bob@example.test>", "550 5.7.1 submission.from: the From field is too long"),
)


@case
def the_author_is_the_login():
    with Office(abuse="errors = 0") as server:
        server.run("alias", "add", "sales@example.test", BOB)
        server.run("alias", "add", "others@example.test", ALICE)
        for role in ("submission", "smtp"):
            wire = server.logged_in(role)
            for author, wanted in AUTHORS:
                for _ in range(2):                   # the second time from the cache
                    send(wire, f"From: {author}\r\n\r\nhi\r\n".encode(), wanted)
        server.wait_log(r"refused what=message address=bob@example.test code=550 .*names alice")
        accepted = sum(2 * 2 for _, wanted in AUTHORS if wanted == "250")
        equal(len(server.messages(ALICE, "wonder")), accepted, "what was refused is not delivered")


@case
def any_author_where_that_is_set():
    with Office(submission='from = "any"') as server:
        wire = server.logged_in()
        for author, _ in AUTHORS:
            send(wire, f"From: {author}\r\n\r\nhi\r\n".encode())


@case
def strangers_may_be_anybody():
    with Doors() as server:
        server.deliver(b"From: ceo@bank.test\r\n\r\nhi\r\n", to=(BOB,))
        check(b"From: ceo@bank.test\r\n" in server.only_message(BOB), "From")


@case
def who_goes_away_while_it_is_asked():
    with Office() as server:
        for _ in range(20):
            wire = server.logged_in()
            wire.envelope(BOB, [ALICE])
            wire.say("DATA", "354")
            wire.send(b"From: nobody@example.test, others@example.test\r\n\r\n.\r\n")
            wire.reset()
        server.logged_in()


# --- How much ---


@case
def messages_an_hour():
    with Office(submission="messages = 3") as server:
        wire = server.logged_in()
        for number in range(3):
            send(wire, b"%d\r\n" % number)
        said = "450 4.7.1 submission.messages: bob@example.test may send 3 messages within an hour"
        wire.say(f"MAIL FROM:<{BOB}>", said)
        server.logged_in("smtp").say("MAIL FROM:<>", "450 4.7.1")
        send(server.logged_in(user=ALICE, password="wonder"), b"hi\r\n", sender=ALICE, to=[BOB])
        server.deliver(b"hi\r\n", to=(ALICE,))       # a stranger's
        server.wait_log("refused what=sender .*code=450 .*submission.messages")


@case
def recipients_an_hour():
    with Office(submission="recipients = 3") as server:
        wire = server.logged_in()
        send(wire, b"\r\n", to=[ALICE, BOB])
        wire.say(f"MAIL FROM:<{BOB}>", "250")
        for _ in range(3):
            wire.say("RCPT TO:<nobody@example.test>", "550 5.1.1")       # does not count
        wire.say(f"RCPT TO:<{ALICE}>", "250")
        wire.say(f"RCPT TO:<{BOB}>", "450 4.7.1 submission.recipients: bob@example.test may send")
        wire.expect(wire.data(b"for one\r\n"), "250")
        equal(len(server.messages(ALICE, "wonder")), 2, "messages")


# --- Passwords ---


@case
def scram_sha_1():
    """Only for passwords that were set after it was enabled."""
    with Doors(auth="iterations = 4096") as server:
        check("SHA-1" not in server.open("submission").say("EHLO c", "250"), "not offered")
        server.open("submission").say("AUTH SCRAM-SHA-1", "504 5.5.4")
        with open(server.config, encoding="utf-8") as file:
            config = file.read()
        with open(server.config, "w", encoding="utf-8") as file:
            file.write(config.replace("iterations = 4096",
                                      "iterations = 5000\nscram_sha_1 = true"))
        server.run("reload")
        plus = "AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN"
        check(plus in server.open("submission").say("EHLO c", "250"), "offered")
        for role, right, wrong in (("submission", "235", "535 5.7.8"),
                                   ("pop3s", "+OK", "-ERR [AUTH]")):
            old = ScramSha1(BOB, "secret")
            wire = server.open(role)
            wire.expect(scram(wire, old, "SCRAM-SHA-1"), wrong)
            wire.expect(scram(wire, Scram(BOB, "secret")), right)
            wire.say("QUIT")
        server.run("user", "passwd", "--password-stdin", BOB, text="new\n")
        for role, right, wrong in (("submission", "235", "535 5.7.8"),
                                   ("pop3s", "+OK", "-ERR [AUTH]")):
            wire = server.open(role)
            for password in ("secret", "wrong"):
                client = ScramSha1(BOB, password)
                wire.expect(scram(wire, client, "SCRAM-SHA-1"), wrong)
            client = ScramSha1(BOB, "new")
            wire.expect(scram(wire, client, "SCRAM-SHA-1"), right)
            equal(client.iterations, 5000, "iterations")
            wire.say("QUIT")
        wire = server.open("submission")
        wire.say(f"AUTH PLAIN {plain(BOB, 'new')}", "235")


@case
def the_work_factor():
    with Doors(auth="iterations = 4096") as server:
        client = Scram(BOB, "secret")
        wire = server.open("submission")
        wire.expect(scram(wire, client), "235")
        equal(client.iterations, 4096, "as set")
        for user in (ALICE, "nobody@example.test"):
            client = Scram(user, "wrong")
            wire = server.open("submission")
            wire.expect(scram(wire, client), "535")
            equal(client.iterations, 4096, user)


@case
def a_login_that_says_the_password_hashes_it_anew():
    """Not so SCRAM, which never says it; and never with less work."""
    def settings(server, words):
        server.sections["auth"] = words
        server.write_config()
        server.run("reload")

    def asked_for(server, user, password):
        client = Scram(user, password)
        wire = server.open("submission")
        wire.expect(scram(wire, client), "235")
        return client.iterations

    with Doors(auth="iterations = 4096") as server:
        settings(server, "iterations = 5000  scram_sha_1 = true")
        equal(asked_for(server, BOB, "secret"), 4096, "SCRAM leaves it")
        for user, password, log_in in (
                (BOB, "secret", lambda: server.logged_in("submission", BOB, "secret")),
                (ALICE, "wonder", lambda: server.pop(ALICE, "wonder").say("QUIT", "+OK"))):
            log_in()
            server.wait_log(f"rehashed user={user} iterations=5000")
            equal(asked_for(server, user, password), 5000, user)
            wire = server.open("pop3s")
            wire.expect(scram(wire, ScramSha1(user, password), "SCRAM-SHA-1"), "+OK")
            wire.say("QUIT")
        settings(server, "iterations = 4096")
        server.logged_in("submission", BOB, "secret")
        until(lambda: server.log().count(f"rehashed user={BOB} iterations=5000") == 2,
              "a new verifier without SHA-1")
        equal(asked_for(server, BOB, "secret"), 5000, "no less work")


# --- Attacks ---


@case
def a_thousand_failed_logins():
    """In sessions of ten each, by every mechanism; then the right one still works."""
    with Doors(auth="iterations = 4096") as server:
        done = 0
        while done < 1000:
            wire = server.open("submissions")
            for attempt in range(10):
                user = (BOB, "nobody@example.test")[attempt % 2]
                if attempt % 3 == 0:
                    wire.say(f"AUTH PLAIN {plain(user, f'guess {done}')}", "535 5.7.8")
                elif attempt % 3 == 1:
                    login(wire, user, f"guess {done}", "535 5.7.8")
                else:
                    wire.expect(scram(wire, Scram(user, f"guess {done}")), "535 5.7.8")
                done += 1
            wire.expect(wire.reply(), "421 4.7.0")
            check(wire.ended(), "the server did not close")
        server.logged_in()
        until(lambda: server.log().count('outcome="wrong user or password"') >= done, "the log")


@case
def a_nonce_that_was_used():
    """What proved something once proves nothing in another exchange."""
    class Replayed(Scram):
        """Answers whatever the server says as it answered the first time."""
        said = None

        def last(self, server_first):
            if not self.said:
                self.said = super().last(server_first)
            return self.said

    with Doors(auth="iterations = 4096") as server:
        client = Replayed(BOB, "secret")
        wire = server.open("submission")
        wire.expect(scram(wire, client), "235")
        for role, wrong in (("submission", "535 5.7.8"), ("pop3s", "-ERR [AUTH]")):
            wire = server.open(role)
            wire.expect(scram(wire, client), wrong)


@case
def rubbish_in_every_place():
    with Doors(auth="iterations = 4096", abuse="errors = 0  logins = 0") as server:
        wire = server.open("submissions")
        for said, wanted in (("AUTH PLAIN \x01", "500"), ("AUTH PLAIN =AAA", "501 5.5.2"),
                             ("AUTH PLAIN AAAA AAAA", "501 5.5.4"),
                             ("AUTH PLAIN A===", "501 5.5.2"),
                             (f"AUTH PLAIN {b64(bytes(3))}", "501"),
                             (f"AUTH PLAIN {b64(bytes(9000))}", "501 5.5.2"),
                             (f"AUTH PLAIN {plain('b' * 2000, 'x')}", "535"),
                             (f"AUTH PLAIN {plain(BOB, 'x' * 8000)}", "535"),
                             (f"AUTH PLAIN {plain(BOB, 'x' * 9300)}", "500 5.5.6"),
                             (f"AUTH SCRAM-SHA-256 {b64('n,,n=bob,r=')}", "5"),
                             (f"AUTH SCRAM-SHA-256 {b64('n,,n=,r=abc')}", "5")):
            wire.say(said, wanted)
        wire.say(f"AUTH PLAIN {plain(BOB, 'secret')}", "235")


if __name__ == "__main__":
    harness.main()
