"""conversion - mail that its next hop does not take as it is: 8-bit content and long lines, for
hosts with and without 8BITMIME.  What arrives decodes to what was sent."""

import random

from harness import case, check, equal, main
from parts import leaves
from relay_world import ALICE, Net
from report import Report

PLAIN = ("PIPELINING", "SIZE 52428800")    # no 8BITMIME
EIGHT = ("PIPELINING", "8BITMIME", "SIZE 52428800")
HEADER = b"From: alice@a.test\r\nSubject: conversion\r\n"
GREETING = "Grüße an alle, die es lesen, und an die anderen auch\r\n".encode()


def mixed(*parts, kind=b"mixed"):
    return (HEADER + b"MIME-Version: 1.0\r\nContent-Type: multipart/" + kind + b"; boundary=bb\r\n"
            b"Content-Transfer-Encoding: 8bit\r\n\r\n"
            + b"".join(b"--bb\r\n" + part + b"\r\n" for part in parts) + b"--bb--\r\n")


def fits(content):
    check(max(content) < 0x80, "8-bit octets are left")
    check(all(len(line) <= 998 for line in content.split(b"\r\n")), "a long line is left")


@case
def eight_bit_text():
    with Net() as net:
        host = net.domain("b.test", offers=PLAIN)
        server = net.server()
        server.send("x@b.test", content=HEADER + b"\r\n" + GREETING, mail=" BODY=8BITMIME")
        one = host.only()
        fits(one.content)
        check(b"quoted-printable" in one.content, "no quoted-printable")
        equal(leaves(one.content), [("text/plain", "utf-8", GREETING)], "the text")
        equal([p for p in one.parameters if p.startswith("BODY")], [], "BODY")
        equal([p for p in one.parameters if p.startswith("SIZE")], [f"SIZE={len(one.content)}"],
              "SIZE")


@case
def parts_of_every_kind():
    """Text becomes quoted-printable or base64, the picture base64, in one piece or in chunks."""
    picture = random.Random(1).randbytes(100000).replace(b"\r", b"").replace(b"\n", b"") \
        .replace(b"\0", b"")
    lines = b"\r\n".join(picture[at:at + 500] for at in range(0, len(picture), 500))
    parts = [b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + GREETING,
             "Content-Type: text/plain; charset=utf-8\r\n\r\nжизнь".encode(),
             b"Content-Type: image/x\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + lines]
    with Net() as net:
        hosts = [net.domain("b.test", offers=PLAIN),
                 net.domain("c.test", offers=(*PLAIN, "CHUNKING"))]
        server = net.server()
        server.send("x@b.test", "x@c.test", content=mixed(*parts), mail=" BODY=8BITMIME")
        for host in hosts:
            one = host.only()
            fits(one.content)
            equal(leaves(one.content),
                  [("text/plain", "utf-8", GREETING), ("text/plain", "utf-8", "жизнь".encode()),
                   ("image/x", None, lines)], "the parts")


@case
def more_than_a_turn():
    """Five megabytes: looked at in several turns, sent to two slices of recipients."""
    line = "привет, мир! ".encode() * 5 + b"\r\n"
    text = line * (5_000_000 // len(line))
    with Net() as net:
        host = net.domain("b.test", offers=(*PLAIN, "LIMITS RCPTMAX=1"))
        server = net.server()
        server.send("x@b.test", "y@b.test", content=HEADER + b"\r\n" + text)
        both = host.wait(2, 60)
        equal(sorted(one.recipients[0] for one in both), ["x@b.test", "y@b.test"], "recipients")
        for one in both:
            fits(one.content)
            check(b"base64" in one.content[:2000], "not base64")
            equal(leaves(one.content)[0][2], text, "the text")


@case
def as_it_is_where_it_fits():
    with Net() as net:
        host = net.domain("b.test", offers=EIGHT)
        server = net.server()
        content = HEADER + b"\r\n" + GREETING
        server.send("x@b.test", content=content)
        check(host.only().content.endswith(content), "changed")


@case
def long_lines():
    """They become quoted-printable, but for mail whose signature would break."""
    body = b"x" * 3000 + b"\r\n"
    with Net() as net:
        host = net.domain("b.test", offers=EIGHT)
        server = net.server()
        server.send("x@b.test", content=HEADER + b"\r\n" + body)
        fits(host.only().content)
        equal(leaves(host.only().content)[0][2], body, "the text")
        signed = b"DKIM-Signature: v=1\r\n" + HEADER + b"\r\n" + body
        server.send("x@b.test", content=signed)
        check(host.wait(2)[1].content.endswith(signed), "what is signed was changed")


@case
def signed_mail_comes_back():
    signed = mixed(b"Content-Transfer-Encoding: 8bit\r\n\r\n" + GREETING,
                   b"Content-Type: application/pgp-signature\r\n\r\nx\r\n", kind=b"signed")
    with Net() as net:
        host = net.domain("b.test", offers=PLAIN)
        server = net.server()
        server.send("x@b.test", content=signed, mail=" BODY=8BITMIME")
        report = Report(server.wait_mail(ALICE)[0])
        report.expect("x@b.test", "failed", "5.6.3")
        check("signed" in report.words, report.words)
        equal(host.count("MAIL"), 0, "MAIL")


@case
def utf8_asked_for_in_vain():
    """SMTPUTF8 for a message whose header is ASCII: hosts without it take that."""
    with Net() as net:
        host = net.domain("b.test", offers=EIGHT)
        server = net.server()
        content = HEADER + b"\r\n" + GREETING
        server.send("x@b.test", content=content, mail=" SMTPUTF8 BODY=8BITMIME")
        one = host.only()
        check(one.content.endswith(content), "changed")
        check("SMTPUTF8" not in one.parameters, "SMTPUTF8")


if __name__ == "__main__":
    main(side_by_side=4)
