"""peers_relay - Postfix, Exim and OpenSMTPD on the other side: as sender and as next hop."""

import email
import email.policy
import itertools
import os

from harness import Server, add_case, check, content_of, equal, main, until
from others import Exim, OpenSmtpd, Postfix

BOB, ALICE = "bob@example.test", "alice@example.test"
PEER = "peer.test"
OTHERS = {"postfix": Postfix, "exim": Exim, "opensmtpd": OpenSmtpd}
numbers = itertools.count(128)


def host_address():
    """An address of the loopback network that no other host of this or another test has."""
    pid = os.getpid()
    return f"127.{next(numbers)}.{pid >> 8 & 255}.{pid & 255}"


class Pair:
    """A godwit and a server of another make that hands it all mail for others."""

    def __init__(self, kind):
        self.server = Server(users=[BOB, ALICE])
        self.other = kind(host_address(), PEER,
                          hop=(self.server.address, self.server.ports["smtp"]))

    def __enter__(self):
        self.server.__enter__()
        try:
            self.other.__enter__()
        except BaseException as error:
            self.server.__exit__(type(error), error, None)
            raise
        return self.server, self.other

    def __exit__(self, *why):
        self.other.__exit__(*why)
        self.server.__exit__(*why)


def header(*more):
    fields = (b"From: carol@peer.test", b"To: bob@example.test", b"Subject: peers",
              b"Date: Sat, 21 Nov 2026 07:41:27 +0000", b"Message-ID: <1.2@peer.test>", *more)
    return b"".join(field + b"\r\n" for field in fields) + b"\r\n"


MIME_8BIT = (b"MIME-Version: 1.0", b"Content-Type: text/plain; charset=utf-8",
             b"Content-Transfer-Encoding: 8bit")
SHAPES = {
    "plain": header() + b"one line\r\n",
    "dots": header() + b".\r\n..\r\n.a\r\n...\r\n",
    "8bit": header(*MIME_8BIT) + "Grüße, 世界\r\n".encode() * 50,
    "long-lines": header() + (b"x" * 997 + b"\r\n") * 20,
    "no-body": header(),
    "empty-lines": header() + b"\r\n" * 100,
    "large": header() + (b"0123456789" * 7 + b"\r\n") * 40000,
}


def wait_messages(server, user, count):
    until(lambda: len(server.messages(user)) >= count, f"{count} messages for {user}", 60)
    found = server.messages(user)
    equal(len(found), count, f"messages for {user}")
    return found


def body_of(message):
    return message[message.index(b"\r\n\r\n") + 4:]


def sends_every_shape(kind):
    """Bodies arrive as they were given, each once; what other servers add stands in the header."""
    with Pair(kind) as (server, other):
        for content in SHAPES.values():
            other.submit(content, other.user, BOB, parameters=" BODY=8BITMIME")
        found = wait_messages(server, BOB, len(SHAPES))
        equal(sorted(map(body_of, found), key=hash),
              sorted(map(body_of, SHAPES.values()), key=hash), "bodies")
        for message in found:
            check(message.startswith(f"Return-Path: <{other.user}>\r\n".encode()), "Return-Path")
            check(b"mx.peer.test" in content_of(message), "the other's trace is gone")


def sends_many(kind):
    with Pair(kind) as (server, other):
        for number in range(100):
            other.submit(header() + b"%d\r\n" % number, other.user, BOB, ALICE)
        for user in (BOB, ALICE):
            found = wait_messages(server, user, 100)
            equal({int(body_of(message)) for message in found}, set(range(100)), "messages")


def is_told_of_unknown_users(kind):
    """Ours refuses at RCPT, so the other one tells the sender, and the others get their mail."""
    with Pair(kind) as (server, other):
        other.submit(SHAPES["plain"], other.user, BOB, "nobody@example.test", ALICE)
        wait_messages(server, BOB, 1)
        wait_messages(server, ALICE, 1)
        report = email.message_from_bytes(other.wait_mail(1)[0], policy=email.policy.default)
        text = report.as_string()
        check("nobody@example.test" in text and "5.1.1" in text, f"report: {text[:2000]}")


for name, one in OTHERS.items():
    for way in (sends_every_shape, sends_many, is_told_of_unknown_users):
        add_case(f"{name}-{way.__name__.replace('_', '-')}",
                 lambda one=one, way=way: way(one))

if __name__ == "__main__":
    main()
