"""peers_relay - Postfix, Exim and OpenSMTPD on the other side: as sender and as next hop, each side
found through DNS, on port 25 of addresses on loopback."""

import email
import email.policy
import os
import re

import others
from harness import Skip, add_case, check, content_of, equal, main, until
from relay_world import ALICE, BOB, Net
from report import Report

PEER = "peer.test"
OTHERS = {"postfix": others.Postfix, "exim": others.Exim, "opensmtpd": others.OpenSmtpd}


class Pair(Net):
    """A godwit for a.test and a server of another make for peer.test."""

    def __init__(self, kind):
        if os.getuid() != 0:
            raise Skip("port 25 is for root only")
        super().__init__(port=25, dns_port=53)
        self.kind = kind

    def __enter__(self):
        super().__enter__()
        try:
            address = self.next_address()
            self.name(f"mx.{PEER}", address)
            self.mx(PEER, (10, f"mx.{PEER}"))
            server = self.server()
            return server, self.stack.enter_context(
                self.kind(address, PEER, dns=self.dns.address))
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise


def header(*more):
    fields = (b"From: carol@peer.test", b"To: bob@a.test", b"Subject: peers",
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


def body_of(message):
    return message[message.index(b"\r\n\r\n") + 4:]


def check_shapes(found):
    """Bodies arrive as they were given, each once; what servers add stands in the header."""
    equal(sorted(map(body_of, found), key=hash), sorted(map(body_of, SHAPES.values()), key=hash),
          "bodies")


# The other one sends to ours

def sends_every_shape(kind):
    with Pair(kind) as (server, other):
        for content in SHAPES.values():
            other.submit(content, other.user, BOB, parameters=" BODY=8BITMIME")
        found = server.wait_mail(BOB, len(SHAPES), 60)
        check_shapes(found)
        for message in found:
            check(message.startswith(f"Return-Path: <{other.user}>\r\n".encode()), "Return-Path")
            check(b"mx.peer.test" in content_of(message), "the other's trace is gone")


def sends_many(kind):
    with Pair(kind) as (server, other):
        for number in range(100):
            other.submit(header() + b"%d\r\n" % number, other.user, BOB, ALICE)
        for user in (BOB, ALICE):
            found = server.wait_mail(user, 100, 60)
            equal({int(body_of(message)) for message in found}, set(range(100)), "messages")


def is_told_of_unknown_users(kind):
    """Ours refuses at RCPT, so the other one tells the sender, and the others get their mail."""
    with Pair(kind) as (server, other):
        other.submit(SHAPES["plain"], other.user, BOB, "nobody@a.test", ALICE)
        server.wait_mail(BOB, 1, 60)
        server.wait_mail(ALICE, 1, 60)
        report = email.message_from_bytes(other.wait_mail(1)[0], policy=email.policy.default)
        text = report.as_string()
        check("nobody@a.test" in text and "5.1.1" in text, f"report: {text[:2000]}")


# Ours sends to the other one

def receives_every_shape(kind):
    with Pair(kind) as (server, other):
        for content in SHAPES.values():
            server.send(other.user, content=content)
        check_shapes(other.wait_mail(len(SHAPES)))
        server.wait_empty()
        equal(server.messages(ALICE), [], "reports")


def receives_many(kind):
    with Pair(kind) as (server, other):
        for number in range(200):
            server.send(other.user, content=header() + b"%d\r\n" % number)
        found = other.wait_mail(200)
        equal({int(body_of(message)) for message in found}, set(range(200)), "messages")
        server.wait_empty()


def refuses_unknown_users(kind):
    """Its refusal comes back as our report; the others get their mail."""
    with Pair(kind) as (server, other):
        server.send(other.user, f"nobody@{PEER}", BOB)
        other.wait_mail(1)
        server.wait_mail(BOB)
        report = Report(server.wait_mail(ALICE)[0])
        fields = report.about(f"nobody@{PEER}")
        equal(fields["Action"], "failed", "Action")
        equal(fields["Remote-MTA"], f"dns; mx.{PEER}", "Remote-MTA")
        check(fields["Status"].startswith("5.") and "550" in fields["Diagnostic-Code"],
              f"fields: {fields}")
        server.wait_empty()


def reports_success(kind):
    """Who wants to be told of success is told by the other one, or by ours if it cannot; once."""
    with Pair(kind) as (server, other):
        server.send(other.user, mail=" ENVID=tell+2Bme", rcpt=" NOTIFY=SUCCESS")
        other.wait_mail(1)
        server.wait_mail(ALICE, 1, 60)
        server.wait_empty()
        found = server.wait_mail(ALICE)[0]
        for words in (rb"(?m)^Action: (delivered|relayed)\r$", rb"(?m)^Status: 2\.\d\.\d\b",
                      rb"(?mi)^Final-Recipient: rfc822; ?carol@peer\.test\r$"):
            check(re.search(words, found), f"no {words} in {found[-1500:]!r}")


def is_down_for_a_while(kind):
    """Mail waits for a server that is not there yet."""
    with Pair(kind) as (server, other):
        other.kill()
        server.send(other.user)
        until(lambda: server.waiting() == [other.user], "it waits")
        server.wait_log("refused")
        other.start_again()
        other.wait_mail(1)
        server.wait_empty()


def walk(kind):
    """The walk of two servers: across, back, to nobody there, as nobody here."""
    with Pair(kind) as (server, other):
        server.pop(ALICE).say("QUIT", "+OK")
        server.send(other.user)
        equal(other.wait_mail(1)[0].count(b"Subject: relay"), 1, "subjects")
        other.submit(SHAPES["plain"], other.user, ALICE)
        server.wait_mail(ALICE, 1, 60)
        wire = server.pop(ALICE)
        equal([row.split()[0] for row in wire.listing("LIST")], ["1"], "LIST")
        check(b"Subject: peers\r\n" in wire.retr(1), "RETR")
        for command in ("DELE 1", "RSET", "NOOP", "DELE 1", "QUIT"):
            wire.say(command, "+OK")
        server.send(f"nobody@{PEER}")
        server.wait_mail(ALICE, 1, 60)
        equal(server.pop(ALICE).say("STAT", "+OK").split()[1], "1", "STAT")
        wire = server.smtp()
        wire.say("MAIL FROM:<nobody@a.test>", "553 5.1.0 ")
        equal(len(other.mail()), 1, "messages there")


WAYS = (sends_every_shape, sends_many, is_told_of_unknown_users, receives_every_shape,
        receives_many, refuses_unknown_users, reports_success, is_down_for_a_while, walk)
for name, one in OTHERS.items():
    for way in WAYS:
        add_case(f"{name}-{way.__name__.replace('_', '-')}",
                 lambda one=one, way=way: way(one))

if __name__ == "__main__":
    main(side_by_side=4)
