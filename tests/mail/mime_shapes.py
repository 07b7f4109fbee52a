"""mime_shapes.py - a corpus of messages for whoever reads MIME: the shapes that mail has, well
formed and not.  Each is written with LF, and stands for itself with CRLF too.

A shape is its name, the message, and its tree as readers should see it: "mixed(plain, png)" are the
types without "text/" and the like.  GOOD are those that every reader must read alike; of BAD the
tree is what a person would make of it, and mostly what RFC 2045 5.2 says of such.
"""

TEXT = b"Content-Type: text/plain; charset=utf-8\n"
HTML = b"Content-Type: text/html; charset=utf-8\n"
GIF = b"Content-Type: image/gif\nContent-Transfer-Encoding: base64\n"
GIF_BODY = b"R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs=\n"
HEAD = b"""\
From: Ann <ann@a.example>
To: bob@b.example
Subject: a shape
MIME-Version: 1.0
"""


def parts(boundary, *contents, end=b"--\n"):
    """A body of these parts, each with its header."""
    line = b"\n--" + boundary
    return (line.join([b"", *(b"\n" + content for content in contents), end])).lstrip(b"\n")


def multipart(subtype, *contents, boundary=b"b0", more=b""):
    """A header's Content-Type and a body."""
    return (b"Content-Type: multipart/" + subtype + b'; boundary="' + boundary + b'"\n' + more +
            b"\n" + parts(boundary, *contents))


PLAIN = TEXT + b"\nhello"
ALTERNATIVE = multipart(b"alternative", PLAIN, HTML + b"\n<p>hello</p>", boundary=b"alt")


def field(name, *values):
    """One shape for each way to write a field of a part with a text in it."""
    return [(f"{name} {number}", HEAD + name.encode() + b": " + value + b"\n\nhello\n", tree)
            for number, (value, tree) in enumerate(values, 1)]


GOOD = [
    ("no MIME at all", b"From: a@b.example\nSubject: x\n\nhello\n", "plain"),
    ("an empty body", HEAD + b"\n", "plain"),
    ("empty lines", HEAD + TEXT + b"\n\n\n\n", "plain"),
    ("8 bit", HEAD + TEXT + b"Content-Transfer-Encoding: 8bit\n\nGr\xc3\xbc\xc3\x9fe\n", "plain"),
    ("latin-1", HEAD + b"Content-Type: text/plain; charset=iso-8859-1\n"
     b"Content-Transfer-Encoding: quoted-printable\n\nGr=FC=DFe\n", "plain"),
    ("quoted-printable", HEAD + TEXT + b"Content-Transfer-Encoding: Quoted-Printable\n\n"
     b"a soft=\n break, =3D, a space =20\n=C3=BC and=09a tab=\n\n", "plain"),
    ("base64", HEAD + TEXT + b"Content-Transfer-Encoding: BASE64\n\nR3LDvMOf\nZQo=\n", "plain"),
    ("a picture", HEAD + GIF + b"\n" + GIF_BODY, "image/gif"),
    ("alternative", HEAD + ALTERNATIVE, "alternative(plain, html)"),
    ("mixed", HEAD + multipart(b"mixed", PLAIN, GIF + b"\n" + GIF_BODY), "mixed(plain, image/gif)"),
    ("mixed, alternative, related", HEAD + multipart(
        b"mixed", multipart(b"related", ALTERNATIVE, GIF + b"Content-ID: <1@a>\n\n" + GIF_BODY,
                            boundary=b"rel"), PLAIN),
     "mixed(related(alternative(plain, html), image/gif), plain)"),
    ("preamble and epilogue", HEAD + multipart(b"mixed", PLAIN).replace(
        b"\n\n--", b"\n\nThis is MIME.\n\n--", 1) + b"and that\nwas all\n", "mixed(plain)"),
    ("boundaries that begin alike", HEAD + multipart(
        b"mixed", multipart(b"mixed", PLAIN, boundary=b"b0b0"), PLAIN, boundary=b"b0"),
     "mixed(mixed(plain), plain)"),
    ("a boundary of all characters", HEAD + multipart(
        b"mixed", PLAIN, boundary=b"0'()+_,-./:=? x"), "mixed(plain)"),
    ("a boundary of 70", HEAD + multipart(b"mixed", PLAIN, boundary=b"=" * 70), "mixed(plain)"),
    ("blanks behind the delimiter", HEAD + multipart(b"mixed", PLAIN).replace(
        b"--b0\n", b"--b0 \t \n").replace(b"--b0--\n", b"--b0-- \t\n"), "mixed(plain)"),
    ("no line end behind the last", (HEAD + multipart(b"mixed", PLAIN))[:-1], "mixed(plain)"),
    ("lines like delimiters", HEAD + multipart(
        b"mixed", TEXT + b"\n--\n-- \n --b0\n-b0\n--b\n---b0\nb0"), "mixed(plain)"),
    ("parts without a header", HEAD + multipart(b"mixed", b"\nhello", b"\nyou"),
     "mixed(plain, plain)"),
    ("a part without a body", HEAD + multipart(b"mixed", TEXT, PLAIN), "mixed(plain, plain)"),
    ("digest", HEAD + multipart(b"digest", b"\nSubject: one\n\nhello", b"\nSubject: two\n\nyou"),
     "digest(rfc822(plain), rfc822(plain))"),
    ("a message in it", HEAD + multipart(
        b"mixed", PLAIN, b"Content-Type: message/rfc822\nContent-Disposition: attachment\n\n" +
        HEAD + ALTERNATIVE), "mixed(plain, rfc822(alternative(plain, html)))"),
    ("nothing but a message", HEAD + b"Content-Type: message/rfc822\n\n" + HEAD + PLAIN,
     "rfc822(plain)"),
    ("a message in a message in a message",
     HEAD + 3 * (b"Content-Type: message/rfc822\n\n" + HEAD) + PLAIN,
     "rfc822(rfc822(rfc822(plain)))"),
    ("signed", HEAD + multipart(b'signed; protocol="application/pgp-signature"', PLAIN,
                                b"Content-Type: application/pgp-signature; name=s.asc\n\n--x\n"),
     "signed(plain, application/pgp-signature)"),
    ("an invitation", HEAD + multipart(b"alternative", PLAIN, b"Content-Type: text/calendar; "
                                       b"method=REQUEST; charset=utf-8\n\nBEGIN:VCALENDAR\n"),
     "alternative(plain, calendar)"),
    ("a type that nobody knows", HEAD + multipart(
        b"x-new", PLAIN, b"Content-Type: x-a/x-b.c+d; q=1\n\nwhat?"), "x-new(plain, x-a/x-b.c+d)"),
    ("many fields", HEAD + b"".join(b"Received: from a by b;\n\tSat, 21 Nov 2026 07:41:27 +0000\n"
                                    for _ in range(60)) + PLAIN + b"\n", "plain"),
    *field("Content-Type",
           (b"TEXT/PLAIN; CHARSET=UTF-8", "plain"),
           (b"text/plain;\n charset=utf-8;\n\tformat=flowed", "plain"),
           (b'text/plain; charset="utf-8"; x="a\\"b\\\\c; d=e"', "plain"),
           (b"text/plain; charset*=us-ascii'en'utf-8", "plain"),
           (b"application/x; name*=utf-8''Gr%C3%BC%C3%9Fe%20%25.txt", "application/x"),
           (b"application/x; name*0=abc; name*1=def;\n name*2=\"g h\"", "application/x"),
           (b"application/x; name*0*=utf-8'de'Gr%C3%BC; name*1=\"%\"; name*2*=%C3%9F",
            "application/x"),
           (b"application/x; name*1=b; name*0=a", "application/x")),
    *field("Content-Disposition",
           (b"attachment; filename=a.txt", "plain"),
           (b'inline; filename="a b.txt"; size=5', "plain"),
           (b"ATTACHMENT; FILENAME=\"X.TXT\"", "plain")),
]

SUBJECTS = [    # and what they say, for Python and for us
    (b"=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
    (b"=?UTF-8?B?R3LDvMOfZQ==?= =?iso-8859-1?Q?_aus_K=F6ln?=", "Grüße aus Köln"),
    (b"=?utf-8?q?a?=\n =?utf-8?q?b?= c =?utf-8?q?d?=", "ab c d"),
    (b"=?utf-8*de?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
    (b"no =? word?= at =?all", "no =? word?= at =?all"),
    (b"folded\n and\n\tfolded", "folded and folded"),
]

NAMES = [    # of an attachment, as its Content-Disposition has them, and as people read them
    (b"attachment; filename=a.txt", "a.txt"),
    (b'attachment; filename="a b\\"c.txt"', 'a b"c.txt'),
    (b"attachment; filename*=iso-8859-1''%FCber.txt", "über.txt"),
    (b"attachment; filename*=UTF-8''%e6%97%a5%E6%9C%AC.doc", "日本.doc"),
    (b"attachment; filename*0*=utf-8''Gr%C3%BC; filename*1*=%C3%9F; filename*2=e.txt", "Grüße.txt"),
    (b"attachment; filename*0=one; filename*1=two; filename*2=.txt", "onetwo.txt"),
    (b'attachment; filename="=?utf-8?q?Gr=C3=BC=C3=9Fe=2Etxt?="', "Grüße.txt"),
]

LINES = b"\nhello\n"
BAD = [
    ("nothing", b"", "plain"),
    ("an octet", b"x", "plain"),
    ("line ends", b"\n\n\n", "plain"),
    ("no header", b"hello\nyou\n", "plain"),
    ("no body", HEAD, "plain"),
    ("no line end in the header", HEAD[:-1], "plain"),
    ("a line that is no field", HEAD + b"this is none\n" + PLAIN, "plain"),
    ("a From_ line on top", b"From a@b Sat Nov 21 07:41:27 2026\n" + HEAD + ALTERNATIVE, None),
    ("a fold on top", b" folded\n" + HEAD + b"\nhello\n", "plain"),
    ("8 bit in the header", HEAD + b"X: \xff\xfe\nContent-Type: text/plain; x=\xe9\n\nhello\n",
     "plain"),
    ("NUL anywhere", HEAD + b"X: \0\n" + TEXT + b"\nhe\0llo\n", "plain"),
    ("CR anywhere", HEAD + b"X: a\rb\n" + TEXT + b"\nhe\rllo\r\n", "plain"),
    ("a line of 100,000", HEAD + b"X: " + b"y" * 100000 + b"\n" + PLAIN + b"z" * 100000, "plain"),
    ("a type that is none", HEAD + b"Content-Type: text\n\nhello\n", "plain"),
    ("a type that is empty", HEAD + b"Content-Type:\n\nhello\n", "plain"),
    ("a type of garbage", HEAD + b"Content-Type: ;;=\"/\\,\n\nhello\n", "plain"),
    ("a type twice", HEAD + b"Content-Type: text/html\n" + TEXT + b"\n<b>hello\n", "html"),
    ("types of many parameters", HEAD + b"Content-Type: text/plain" +
     b"".join(b"; p%d=%d" % (i, i) for i in range(2000)) + b"\n\nhello\n", "plain"),
    ("a quote that never ends", HEAD + b"Content-Type: text/plain; charset=\"utf-8\n\nhello\n",
     "plain"),
    ("a parameter without a value", HEAD + b"Content-Type: text/plain; charset; x=\n\nhello\n",
     "plain"),
    ("pieces with holes", HEAD + b"Content-Type: text/plain; a*0=x; a*2=z; b*1=y; c*0*=%Z%\n\n"
     b"hello\n", "plain"),
    ("a character set that nobody knows", HEAD + b"Content-Type: text/plain; charset=x-none\n\n"
     b"hello\n", "plain"),
    ("an encoding that nobody knows", HEAD + TEXT + b"Content-Transfer-Encoding: x-uue\n\nhello\n",
     "plain"),
    ("octets that are no UTF-8", HEAD + TEXT + b"\nhello \xff\xc3\n", "plain"),
    ("base64 of garbage", HEAD + TEXT + b"Content-Transfer-Encoding: base64\n\na GVs*bG8\n!\n",
     "plain"),
    ("base64 that ends early", HEAD + TEXT + b"Content-Transfer-Encoding: base64\n\naGVsbG8\n",
     "plain"),
    ("base64 behind its end", HEAD + TEXT + b"Content-Transfer-Encoding: base64\n\n"
     b"aGVsbG8=\nignored\n", "plain"),
    ("bad quoted-printable", HEAD + TEXT + b"Content-Transfer-Encoding: quoted-printable\n\n"
     b"hello =ZZ =4 = x =\n", "plain"),
    ("no boundary", HEAD + b"Content-Type: multipart/mixed\n" + LINES, "plain"),
    ("an empty boundary", HEAD + b"Content-Type: multipart/mixed; boundary=\"\"\n" + LINES,
     "plain"),
    ("a boundary of 1,000", HEAD + multipart(b"mixed", PLAIN, boundary=b"b" * 1000), "plain"),
    ("a boundary that never comes", HEAD + b"Content-Type: multipart/mixed; boundary=b0\n" + LINES,
     "mixed()"),
    ("a multipart that never ends", HEAD + multipart(b"mixed", PLAIN, PLAIN)[:-7] + b"\n",
     "mixed(plain, plain)"),
    ("an inner one that never ends", HEAD + multipart(
        b"mixed", ALTERNATIVE.replace(b"--alt--\n", b""), PLAIN),
     "mixed(alternative(plain, html), plain)"),
    ("ended at once", HEAD + b"Content-Type: multipart/mixed; boundary=b0\n\n--b0--\nhello\n",
     "mixed()"),
    ("parts behind the end", HEAD + multipart(b"mixed", PLAIN) + b"--b0\n\nmore\n--b0--\n",
     "mixed(plain)"),
    ("the same boundary inside", HEAD + multipart(
        b"mixed", multipart(b"mixed", PLAIN), PLAIN), None),
    ("a multipart in base64", HEAD + multipart(
        b"mixed", PLAIN, more=b"Content-Transfer-Encoding: base64\n"), "mixed(plain)"),
    ("a message in base64", HEAD + b"Content-Type: message/rfc822\n"
     b"Content-Transfer-Encoding: base64\n\nU3ViamVjdDogeAoKaGVsbG8K\n",
     "application/octet-stream"),
    ("an empty message in it", HEAD + multipart(b"mixed", b"Content-Type: message/rfc822\n"),
     "mixed(rfc822(plain))"),
    ("a delimiter in the header", HEAD + b"Content-Type: multipart/mixed; boundary=b0\n"
     b"--b0\n\nhello\n--b0--\n", "mixed(plain)"),
    ("no empty line in a part", HEAD + multipart(b"mixed", TEXT + b"hello\nyou"), "mixed(plain)"),
    ("the wrong case", HEAD + multipart(b"mixed", PLAIN, boundary=b"b0").replace(
        b"--b0", b"--B0"), "mixed()"),
    ("an encoded name in quotes", HEAD + b"Content-Type: application/x;\n"
     b" name=\"=?utf-8?q?Gr=C3=BC=C3=9Fe?=.txt\"\n\nhello\n", "application/x"),
    ("names that lead elsewhere", HEAD + multipart(b"mixed", *(
        b"Content-Type: application/x\nContent-Disposition: attachment; filename=\"" + name +
        b"\"\n\nhello" for name in (b"../../etc/passwd", b"/etc/passwd", b"C:\\\\x\\\\y.exe", b"..",
                                    b"-rf", b"a\x1b[2Jb", b"\xff\xfe", b"", b"x" * 5000))),
     "mixed(" + ", ".join(["application/x"] * 9) + ")"),
    ("escapes for terminals", HEAD.replace(b"a shape", b"\x1b[31mred\x07\x9b2J") + TEXT +
     b"\nhe\x1b]0;title\x07llo\x9b31m \xe2\x80\xae right to left\n", "plain"),
    ("HTML of all kinds", HEAD + HTML + b"\n<html><head><title>x</title><script>alert(1)</script>"
     b"<style>p{}</style><p>hello<br>&amp;&#228;&#x1b;[2J&nbsp;&bogus;<a href='javascript:x'>y</a>"
     b"<!-- <p>gone --><table><tr><td>1<td>2</table><", "html"),
    ("a delimiter where a body should begin", HEAD + b"Content-Type: multipart/mixed; boundary=b\n"
     b"\n--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\nX: y\n\n--b\nX: y\n--b--\n",
     "mixed(mixed(plain), plain)"),
    ("parts in parts in parts", b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(300)) +
     b"\nhello\n", None),
    ("messages in messages", b"Content-Type: message/rfc822\n\n" * 300 + b"hello\n", None),
    ("5,000 parts", HEAD + multipart(b"mixed", *[b"\nx"] * 5000), None),
    ("nothing but delimiters", HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n" +
     b"--b\n" * 5000, None),
    ("an octet before each delimiter", HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n" +
     b"x--b\n" * 5000, "mixed()"),
]
