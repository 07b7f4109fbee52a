"""corpus - message shapes that must come back octet for octet under the trace fields.

A shape is what a message looks like and how it is sent.  All of a kind go to one user in one
session; each is found again by the id in the reply and in Received.  The count of each kind is
printed first.
"""

import functools
import itertools
import re

from harness import TRACE, Server, add_case, check, content_of, equal, main
from wire import Broken, stuff

USER = "bob@example.test"
MEGABYTE = 1 << 20
TEXT = b"From: a@b.test\r\nSubject: dots\r\n\r\nfirst\r\nse.cond\r\n\r\nlast\r\n"


class Shape:
    """A message, the way it is sent, and what must be stored when that is not the message."""

    def __init__(self, name, content, **how):
        self.name, self.content = name, content
        self.wanted = how.get("wanted", content)
        self.chunks = how.get("chunks")    # BDAT with these lengths; else DATA
        self.slices = how.get("slices")    # octets in one write to the network
        self.found, self.trouble = None, ""

    def send(self, wire):
        """Sends it; returns the id that the server gave."""
        wire.envelope()
        if self.chunks is not None:
            cuts = itertools.accumulate(self.chunks)
            reply = wire.bdat(*(self.content[end - size:end]
                                for end, size in zip(cuts, self.chunks)))
        elif self.slices:
            wire.say("DATA", "354")
            octets = stuff(self.content) + b".\r\n"
            for at in range(0, len(octets), self.slices):
                wire.send(octets[at:at + self.slices])
            reply = wire.reply()
        else:
            reply = wire.data(self.content)
        return wire.expect(reply, "250 2.0.0 accepted as ").split()[-1]


def dots():
    """A dot, two dots, and a line with a lone dot at every position of a text."""
    for at in range(len(TEXT) - 1):
        for name, what in (("one", b"."), ("two", b".."), ("lone", b"\r\n.\r\n")):
            if TEXT[at - 1:at] != b"\r":
                yield Shape(f"{name}-at-{at}", TEXT[:at] + what + TEXT[at:])
    for count in range(1, 21):
        yield Shape(f"only-{count}", b"." * count + b"\r\n")
    for count in (2, 3, 100):
        yield Shape(f"lone-lines-{count}", b".\r\n" * count)


def long_lines():
    for size in (78, 79, 510, 511, 512, 513, 996, 997, 998, 999, 1000, 1001, 2046, 2047, 2048, 4095,
                 4096, 4097, 8191, 8192, 8193, 16383, 16384, 16385, 32768, 65000):
        yield Shape(f"body-{size}", b"Subject: l\r\n\r\n" + b"x" * size + b"\r\n")
        yield Shape(f"dot-{size}", b"Subject: l\r\n\r\n." + b"x" * (size - 1) + b"\r\n")
    for size in (998, 4096, 20000, 60000):
        yield Shape(f"field-{size}", b"X-Long: " + b"y" * size + b"\r\n\r\nbody\r\n")
        yield Shape(f"utf8-{size}", b"Subject: l\r\n\r\n" + "ж".encode() * (size // 2) + b"\r\n")


def octets():
    """Every octet in a line of its own, but CR and LF."""
    for value in range(256):
        if value not in (10, 13):
            name = f"{value:02x}"
            yield Shape(name, b"Subject: %s\r\n\r\nbefore\r\n%c after\r\n" % (name.encode(), value))
    every = bytes(v for v in range(256) if v not in (10, 13))
    yield Shape("all", b"Subject: all\r\n\r\n" + every + b"\r\n")
    yield Shape("all-in-a-field", b"Subject: " + every[1:] + b"\r\n\r\n\r\n")
    yield Shape("nul-line", b"\0\r\n")
    yield Shape("nul-before-dot", b"a\r\n\0.\r\nb\r\n")
    yield Shape("nul-many", b"\0" * 5000 + b"\r\n")
    yield Shape("utf8", "Subject: Grüße, 世界 🐦\r\n\r\nпривет\r\n".encode())
    yield Shape("utf8-cut", b"\xf0\x9f\x90\r\n\xc3\r\n")
    yield Shape("latin1", "Subject: Grüße\r\n\r\nGrüße\r\n".encode("latin-1"))
    yield Shape("utf16", "Subject: wide".encode("utf-16-le") + b"\r\n")


def small():
    yield Shape("empty", b"")
    yield Shape("empty-line", b"\r\n")
    yield Shape("two-empty-lines", b"\r\n\r\n")
    yield Shape("many-empty-lines", b"\r\n" * 1000)
    yield Shape("empty-line-first", b"\r\nbody\r\n")
    yield Shape("empty-line-then-header", b"\r\nSubject: late\r\n\r\nbody\r\n")
    yield Shape("space-line", b" \r\n")
    yield Shape("tab-first", b"\tfolded onto nothing\r\n")
    for octet in b"aZ09 .:-~\x80\xff":
        yield Shape(f"one-octet-{octet:02x}", b"%c\r\n" % octet)
        yield Shape(f"one-octet-bdat-{octet:02x}", b"%c" % octet, chunks=[1],
                    wanted=b"%c\r\n" % octet)


def headers():
    plain = b"Subject: h\r\n\r\nbody\r\n"
    for name, content in {
            "none": b"just words\r\nand more\r\n",
            "only": b"Subject: no body\r\n",
            "only-and-empty-line": b"Subject: no body\r\n\r\n",
            "folded": b"Subject: a\r\n b\r\n\tc\r\n\r\nbody\r\n",
            "fold-of-spaces": b"Subject: a\r\n \r\n b\r\n\r\nbody\r\n",
            "no-space": b"Subject:x\r\n\r\nbody\r\n",
            "space-before-colon": b"Subject : x\r\n\r\nbody\r\n",
            "no-name": b": x\r\n\r\nbody\r\n",
            "broken-line": b"Subject: x\r\nnot a field\r\nTo: y\r\n\r\nbody\r\n",
            "from-line": b"From alice Sat Nov 21 07:41:27 2026\r\nSubject: x\r\n\r\nFrom b\r\n",
            "own-return-path": b"Return-Path: <forged@elsewhere.test>\r\n" + plain,
            "own-delivered-to": b"Delivered-To: forged@elsewhere.test\r\n" + plain,
            "own-received": b"Received: from a by b; Sat, 21 Nov 2026 07:41:27 +0000\r\n" + plain,
            "received-99": b"Received: from a by b\r\n" * 99 + plain,
            "bcc": b"Bcc: secret@elsewhere.test\r\n" + plain,
            "twice": b"Subject: one\r\nSubject: two\r\n" + plain,
            "many-fields": b"".join(b"X-%d: v\r\n" % n for n in range(5000)) + plain,
            "many-addresses": b"To: " + b",\r\n ".join(b"u%d@b.test" % n for n in range(5000))
                              + b"\r\n" + plain}.items():
        yield Shape(name, content)


def mime():
    for parts in (1, 2, 10, 1000):
        yield Shape(f"parts-{parts}", b'Content-Type: multipart/mixed; boundary="=_b"\r\n\r\n'
                    + b"".join(b"--=_b\r\nContent-Type: text/plain\r\n\r\n%d\r\n" % n
                               for n in range(parts)) + b"--=_b--\r\n")
    for depth in (2, 10, 500):
        yield Shape(f"depth-{depth}", b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
            for n in range(depth)) + b"\r\nin\r\n")
    for width in (60, 72, 76, 77):
        yield Shape(f"base64-{width}", b"Content-Transfer-Encoding: base64\r\n\r\n"
                    + (b"QUJD" * 25)[:width] * 3 + b"\r\n")
    yield Shape("quoted-printable", b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
                b"soft=\r\n.dot=\r\n=2E\r\n=\r\n")
    yield Shape("format-flowed", b"Content-Type: text/plain; format=flowed\r\n\r\n"
                b"a \r\n b \r\n-- \r\n")


def chunkings():
    """BDAT: every way to cut eight octets, and some larger ones."""
    for cuts in range(1 << 7):
        sizes, size = [], 1
        for bit in range(7):
            if cuts >> bit & 1:
                sizes.append(size)
                size = 0
            size += 1
        sizes.append(size)
        yield Shape("cut-" + "-".join(map(str, sizes)), b"%03d\r\n.\r\n.\r\n" % cuts,
                    chunks=[3 + sizes[0]] + sizes[1:])
    text = TEXT * 200
    for size in (1, 2, 3, 7, 64, 1000, 4096, len(text) - 1):
        whole, rest = divmod(len(text), size)
        yield Shape(f"of-{size}", text, chunks=[size] * whole + [rest])
    yield Shape("empty", b"", chunks=[0])
    yield Shape("empty-last", TEXT, chunks=[len(TEXT), 0])
    yield Shape("empty-first", TEXT, chunks=[0, len(TEXT)])
    yield Shape("no-line-end", b"Subject: n\r\n\r\nno end", chunks=[22],
                wanted=b"Subject: n\r\n\r\nno end\r\n")
    yield Shape("dots-are-plain", b"..\r\n.\r\n.x\r\n", chunks=[4, 7])


def bare():
    """From a trusted network a bare CR or LF becomes CRLF, and nothing ends early."""
    for name, end in {"lf": b"\n", "cr": b"\r", "lf-lf": b"\n\n", "lf-cr": b"\n\r",
                      "cr-cr": b"\r\r", "lf.lf": b"\n.\n", "cr.cr": b"\r.\r", "lf.crlf": b"\n.\r\n",
                      "crlf.lf": b"\r\n.\n", "cr.crlf": b"\r.\r\n", "cr.lf": b"\r.\n",
                      "cr-crlf": b"\r\r\n", "crlf.cr": b"\r\n.\r"}.items():
        content = b"Subject: bare\r\n\r\nbefore" + end + b"after\r\n"
        wanted = re.sub(rb"\r\n|\r|\n", b"\r\n", content)
        yield Shape(f"bdat-{name}", content, chunks=[len(content)], wanted=wanted)
        if b"." not in end:
            yield Shape(f"data-{name}", content, wanted=wanted)
    yield Shape("tab-lf", b"Content-Type:text/plain\t\nx\r\n",
                wanted=b"Content-Type:text/plain\t\r\nx\r\n")


def sizes():
    line = b"0123456789" * 7 + b"\r\n"
    for size in (2, 3, 100, 1023, 1024, 1025, 4094, 4095, 4096, 4097, 8192, 16383, 16384, 16385,
                 65534, 65535, 65536, 65537, 131072, 262144, MEGABYTE - 1, MEGABYTE, MEGABYTE + 1,
                 4 * MEGABYTE, 4 * MEGABYTE + 1):
        content = (line * (size // len(line) + 1))[:size - 2] + b"\r\n"
        content = content.replace(b"\r\r\n", b"x\r\n")
        yield Shape(f"data-{size}", content)
        yield Shape(f"bdat-{size}", content, chunks=[size])
    big = (line * (25 * MEGABYTE // len(line)))
    yield Shape("data-25M", big)
    yield Shape("bdat-25M", big, chunks=[MEGABYTE] * 24 + [len(big) - 24 * MEGABYTE])
    yield Shape("dots-5M", b"." * 70 + b"\r\n" + b".\r\n" * (5 * MEGABYTE // 3))


def slices():
    """The same text, written to the network in pieces."""
    text = b"Subject: s\r\n\r\n.\r\n..\r\n.x\r\n\r\n.\r\nend\r\n"
    for size in range(1, len(text)):
        yield Shape(f"of-{size}", text, slices=size)


KINDS = [dots, long_lines, octets, small, headers, mime, chunkings, bare, sizes, slices]


class Kind:
    """All shapes of a kind go through a server of their own."""

    def __init__(self, make):
        self.name = make.__name__.replace("_", "-")
        self.shapes = list(make())
        self.trouble = "not sent"
        self.begun = False

    def exchange(self):
        """Sends all, reads all back and gives each shape what was found."""
        self.begun = True
        with Server(users=[USER]) as server:
            sent = self.send(server)
            for message in server.messages(USER):
                number = re.search(rb"\sid ([0-9A-Za-z]+)", message)
                check(number and number[1].decode() in sent, f"a stranger: {message[:300]!r}")
                sent[number[1].decode()].found = message
        self.trouble = "did not come back"

    def send(self, server):
        """The shapes by the id that each was given; what is refused ends its session only."""
        sent, wire = {}, server.smtp()
        for shape in self.shapes:
            try:
                sent[shape.send(wire)] = shape
            except Broken as why:
                shape.trouble = str(why)
                wire.close()
                wire = server.smtp()
        wire.say("QUIT", "221")
        return sent

    def compare(self, shape):
        """The case: nothing but trace fields stands above what was sent."""
        if not self.begun:
            try:
                self.exchange()
            except Exception as why:
                self.trouble = str(why)
                raise
        check(shape.found is not None, shape.trouble or self.trouble)
        above = shape.found[:len(shape.found) - len(shape.wanted)]
        if not shape.found.endswith(shape.wanted) or not TRACE.fullmatch(above):
            equal(content_of(shape.found), shape.wanted, "content")


for kind in map(Kind, (dots, long_lines, octets, small, headers, mime, chunkings, bare, sizes,
                       slices)):
    print(f"# {len(kind.shapes):4} {kind.name}")
    for one in kind.shapes:
        add_case(f"{kind.name}/{one.name}", functools.partial(kind.compare, one))

if __name__ == "__main__":
    main()
