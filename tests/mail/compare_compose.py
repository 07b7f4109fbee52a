#!/usr/bin/env python3
"""compare_compose.py - what we compose, read by Python's email package and by ourselves.

usage: compare_compose.py CASES     CASES makes messages from descriptions (compose_cases.c)
"""

import email
import email.header
import email.policy
import email.utils
import random
import re
import subprocess
import sys

from shown import values

COUNT = 200
POLICY = email.policy.default
BREAKS = [" ", " ", " ", ", ", ". ", "\n", "\n\n"]
SCRIPTS = [
    "plain words of a letter that goes on and on about nothing".split(),
    "съешь ещё этих мягких французских булок да выпей чаю".split(),
    "床前明月光 疑是地上霜 举头望明月 低头思故乡".split(),
    "نص حكيم له سر قاطع וזה מבחן קצר".split(),
    ["😀", "👨‍👩‍👧‍👦", "🏴‍☠️", "❤️", "👍🏽"],
    ["Grüße", "naïve", "Ærøskøbing", "Straße", "crème"],
    ["=?utf-8?q?a?=", "=", "a=3Db", "=20", "?=", "_", "--", "-", ".", "..", "From", ">x"],
    ["x" * 100, "ж" * 100, "長" * 60, "y" * 1500, "https://a.example/" + "z" * 90],
]
NAMES = ["", "Ann", "Ann B. Cole", 'Müller, "Jo" \\ Jürgen', "O'Neil (at home)", "山田太郎",
         "Олександр Константинопольський" * 3, "a@b.example", "=?utf-8?q?x?=", "محمد", "😀 x",
         "Word " * 30, "W" * 200]
FILES = ["", "a.txt", "Übersicht 2026.pdf", 'q"uo\\te.png', "日本語の長い長い長いファイル名" * 4 + ".doc",
         "semi;colon 'and' 100%.zip", "x" * 200 + ".tar", "a*b.c", "n=v.eml", "😀.gif"]
ADDRESSES = ["ann@a.example", "x.y+z@b.example", '"with space"@c.example', "u@[192.0.2.1]"]


def words(dice, most):
    script = dice.choice(SCRIPTS)
    out = "".join(dice.choice(script) + dice.choice(BREAKS) for _ in range(dice.randrange(most)))
    if dice.random() < 0.2:
        out += "".join(dice.choice(sum(SCRIPTS, [])) + " " for _ in range(5))
    return out


def mailbox(dice):
    name, address = dice.choice(NAMES).strip(), dice.choice(ADDRESSES)
    quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return (name, address), f"{quoted} <{address}>" if name else address


def describe(dice):
    """What goes in, as a dictionary of fields and as lines for the program."""
    want = {"subject": words(dice, 12).replace("\n", " ").strip(), "text": words(dice, 60),
            "files": [], "to": [], "cc": [], "html": "", "base64": dice.random() < 0.1}
    lines = []

    def add(key, *values):
        hexes = [v if isinstance(v, bytes) else v.encode() for v in values]
        lines.append(" ".join([key, *(h.hex() or "-" for h in hexes)]))
    box, written = mailbox(dice)
    want["from"] = [box]
    add("from", written)
    for key in "to", "cc":
        for _ in range(dice.randrange(3)):
            boxes = [mailbox(dice) for _ in range(dice.randrange(1, 4))]
            want[key] += [box for box, _ in boxes]
            add(key, ", ".join(text for _, text in boxes))
    add("subject", want["subject"])
    add("text", want["text"].replace("\n", "\r\n") if dice.random() < 0.3 else want["text"])
    if dice.random() < 0.3:
        want["html"] = "<p>" + words(dice, 40)
        add("html", want["html"])
    for _ in range(dice.choice([0, 0, 1, 3])):
        file = (dice.choice(FILES), dice.choice(["", "image/png", "text/plain; charset=utf-8"]),
                dice.randbytes(dice.choice([0, 1, 56, 57, 58, 3000])))
        want["files"].append(file)
        add("file", *file)
    want["extra"] = want["subject"].replace("=?", "=")  # which would be taken for encoded already
    add("extra", "X-Test", want["extra"])
    add("extra", "References", "<1@a.example> <2@b.example>")
    if want["base64"]:
        add("base64")
    return want, lines + ["end"]


def decoded(name):
    return str(email.header.make_header(email.header.decode_header(name)))


def boxes(message, name):
    """Display names and addresses.  The default policy keeps the spaces between two encoded-words
    of one name (RFC 2047 6.2), so names are decoded by email.header."""
    field = email.message_from_bytes(message, policy=email.policy.compat32)[name]
    if field is None:
        return []
    found = email.utils.getaddresses([re.sub(r"\r\n(?=[ \t])", "", field)])
    return [(decoded(name), address) for name, address in found]


def ended(text):
    """As the composer leaves a text: its last line has an end."""
    return text + "\n" if text and not text.endswith("\n") else text


def same(got, want, what):
    assert got == want, f"{what}: {got!r} instead of {want!r}"


def content(part):
    """The text; where format=flowed says so, as RFC 3676 reads it."""
    text = part.get_payload(decode=True).decode(part.get_content_charset()).replace("\r\n", "\n")
    if part.get_param("format") == "flowed":
        lines = [line if line == "-- " else line + "\n" if not line.endswith(" ") else line
                 for line in (x.removeprefix(" ") if not x.startswith(">") else x
                              for x in text.split("\n")[:-1])]
        text = "".join(x + "\n" if x == "-- " else x for x in lines)
    return text


def check_octets(raw):
    assert raw.endswith(b"\r\n") and all(c < 0x80 and c != 0 for c in raw)
    lines = raw.removesuffix(b"\r\n").split(b"\r\n")
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    header = raw.partition(b"\r\n\r\n")[0].split(b"\r\n")
    for line in lines:  # a further field keeps its words, see mail/compose.h
        assert len(line) <= (998 if b"zzz" in line or b"xxx" in line else 78), line
    assert not any(b"=?" in line and len(line) > 76 for line in header)


def check(raw, want):
    check_octets(raw)
    message = email.message_from_bytes(raw, policy=POLICY)
    same([d for p in message.walk() for d in p.defects], [], "defects")
    for name in "From", "To", "Cc":
        given = want[name.lower()]
        same([a.addr_spec for a in message[name].addresses] if message[name] else [],
             [address for _, address in given], name)
        if given:
            same(boxes(raw, name), given, name)
    same(message["Subject"], want["subject"], "Subject")
    same(message["X-Test"], want["extra"], "X-Test")
    same(message["References"], "<1@a.example> <2@b.example>", "References")
    same(message["Message-ID"], "<1.2@a.example>", "Message-ID")
    assert message["User-Agent"].startswith("godwit/")
    leaves = [p for p in message.walk() if not p.is_multipart()]
    same(content(leaves[0]), ended(want["text"]), "text")
    if want["base64"]:
        same(leaves[0]["Content-Transfer-Encoding"], "base64", "encoding")
    if want["html"]:
        same(content(leaves[1]), ended(want["html"]), "html")
        same(leaves[1].get_content_type(), "text/html", "type of the HTML")
    files = leaves[1 + bool(want["html"]):]
    same(len(files), len(want["files"]), "count of files")
    for part, (name, kind, octets) in zip(files, want["files"]):
        same(part.get_filename() or "", name, "file name")
        same(part.get_payload(decode=True), octets, "content")
        same(part.get_content_disposition(), "attachment", "disposition")
        if kind:
            same(part.get_content_type(), kind.split(";")[0], "type")


def quoted(name):
    escaped = name.replace('"', '\\"')
    return f'"{escaped}"' if set(name) & set('<>@,;:"') else name


def box(pair):
    return f"{quoted(pair[0])} <{pair[1]}>" if pair[0] else pair[1]


def check_shown(shown, want):
    """The round trip: what we show of it is what went in."""
    head, _, rest = shown.partition("\n\n")
    fields = dict(line.split(": ", 1) for line in head.rstrip("\n").split("\n"))
    for name in "From", "To", "Cc":
        same(fields.get(name, ""), ", ".join(map(box, want[name.lower()])) or
             ("undisclosed-recipients:;" if name == "To" and not want["cc"] else ""), name)
    same(fields["Subject"], want["subject"], "Subject shown")
    same(rest[:len(ended(want["text"]))], ended(want["text"]), "text shown")
    same("\nAttachments:\n" in "\n" + rest[len(ended(want["text"])):],
         bool(want["files"] or want["html"]), "attachments shown")


def check_attached(attached, want):
    forms = [("", b"\r\n".join(ended(want["html"]).encode().split(b"\n")))] if want["html"] else []
    files = forms + [(name, octets) for name, _, octets in want["files"]]
    same(len(attached), len(files), "count of attachments")
    for (name, file_name, octets), (want_name, want_octets) in zip(attached, files):
        same(name.decode(), want_name, "name")
        same(octets, want_octets, "content of an attachment")
        safe = file_name.decode()
        assert safe and "/" not in safe and safe[0] not in ".-" and len(file_name) <= 255, safe


def check_answer(answer, want):
    message, shown, *attached = answer
    same(message.split()[0], "message", message)
    check(values(message)[0], want)
    check_shown(values(shown)[0].decode(), want)
    check_attached([values(line) for line in attached], want)


def main():
    cases = [describe(random.Random(seed)) for seed in range(COUNT)]
    given = "".join(line + "\n" for _, lines in cases for line in lines)
    made = subprocess.run([sys.argv[1]], input=given, check=True, capture_output=True, text=True)
    answers = [block.splitlines() for block in made.stdout.removesuffix("end\n").split("end\n")]
    assert len(answers) == COUNT
    wrong = 0
    for seed, (answer, (want, _)) in enumerate(zip(answers, cases)):
        try:
            check_answer(answer, want)
        except AssertionError as e:
            wrong += 1
            print(f"case {seed}: {e}")
    print(f"{COUNT - wrong} of {COUNT} messages are what was asked for")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
