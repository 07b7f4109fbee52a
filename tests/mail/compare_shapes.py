#!/usr/bin/env python3
"""compare_shapes.py - a corpus of messages, read by us and, where they are well formed, by Python's
email package; none may do harm, also where it is cut short.

usage: compare_shapes.py MIME SHOW     MIME FILE... prints the parts (show_mime.c),
                                       SHOW FILE... what people are shown (show_files.c)
"""

import email
import email.policy
import pathlib
import subprocess
import sys
import tempfile
import unicodedata

import mime_shapes
from compare_mime import POLICY, expected, seen
from shown import values

CUTS = 7    # pieces of which ever more are left of a message that is cut short
CUT_OCTETS_MAX = 20000    # of such a message


def with_crlf(message):
    return message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def run(program, folder, messages):
    """What it prints of each, as a list of lines."""
    names = []
    for number, message in enumerate(messages):
        names.append(pathlib.Path(folder, f"{number}.eml"))
        names[-1].write_bytes(message)
    done = subprocess.run([program, *names], check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{program}: exit {done.returncode}: {done.stderr[-2000:]}"
    blocks = [block.splitlines() for block in done.stdout.removesuffix("\n\n").split("\n\n")]
    assert len(blocks) == len(messages), f"{len(blocks)} answers for {len(messages)} messages"
    return blocks


# --- Trees ---

def outline(rows, at=0):
    """The tree of rows as the corpus writes it, and the row behind it."""
    depth, kind, name = rows[at][:3]
    word, _, sub = name.partition("/")
    children, at = [], at + 1
    while at < len(rows) and rows[at][0] > depth:
        child, at = outline(rows, at)
        children.append(child)
    name = sub if word in ("text", "multipart") or name == "message/rfc822" else name
    return name + (f"({', '.join(children)})" if kind else ""), at


def decoded_type(line):
    """depth, kind and type of a part, and where it lies."""
    words = line.split("\t")
    name = "/".join(bytes.fromhex(word).decode("utf-8", "replace") for word in words[2:4])
    return int(words[0]), int(words[1]), name.lower(), [int(word) for word in words[7:10]]


def check_places(lines, octets):
    """Each part lies within the one around it, and behind the one before."""
    around, behind = [(0, octets)], 0
    for line in lines:
        depth, _, _, (header, body, end) = decoded_type(line)
        del around[depth + 1:]
        first, last = around[-1]
        assert first <= header <= body <= end <= last, (header, body, end, around)
        assert header >= behind or depth == 0, (header, behind)
        around.append((body, end))
        behind = header


def check_tree(lines, tree):
    got, _ = outline([decoded_type(line)[:3] for line in lines])
    assert tree is None or got == tree, f"{got} instead of {tree}"


def check_python(lines, raw):
    want = expected(email.message_from_bytes(raw, policy=POLICY), 0, [])
    got = [seen(line, raw) for line in lines]
    assert list(map(caseless, got)) == list(map(caseless, want)), f"\n  {got}\n  {want}"


def caseless(row):
    """A part without the case of type, encoding, disposition and the names of parameters."""
    depth, kind, *words, ident, of_type, of_place, body = row
    of_type, of_place = ({name.lower(): value for name, value in params.items()}
                         for params in (of_type, of_place))
    return depth, kind, *map(str.lower, words), ident, of_type, of_place, body


# --- What people are shown ---

def check_harmless(lines, octets):
    """Text, no controls, nothing that turns the line around; names for any folder."""
    shown = values(lines[0])[0].decode()
    bad = {c for c in shown if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"}
    assert not bad and "\u202e" not in shown, f"{bad} in {shown[:500]!r}"
    assert len(shown) < 2000 + 20 * octets, f"{len(shown)} characters of {octets} octets"
    for line in lines[1:]:
        name, file_name, content = values(line)
        safe = file_name.decode()
        assert safe and "/" not in safe and safe[0] not in ".-" and len(file_name) <= 255, safe
        assert all(unicodedata.category(c) not in ("Cc", "Cs") for c in safe + name.decode()), safe
        assert len(content) <= octets


def fields_of(shown):
    head, _, rest = shown.partition("\n\n")
    return dict(line.split(": ", 1) for line in head.split("\n") if ": " in line), rest


def check_text(lines, raw):
    """The text that Python would show, and every file that it would save."""
    message = email.message_from_bytes(raw, policy=POLICY)
    _, rest = fields_of(values(lines[0])[0].decode())
    body = message.get_body(("plain",))
    if body is not None and not body.is_attachment() and message.get_content_type() != \
            "message/rfc822":
        text = body.get_content().replace("\r\n", "\n").strip("\n")
        assert text in rest, f"{text!r} is not in {rest!r}"
    attached = [values(line)[2] for line in lines[1:]]
    for part in message.walk():
        if part.get_content_maintype() in ("image", "application"):
            assert part.get_payload(decode=True) in attached, f"{part} is not attached"


def check_subject(lines, raw, wanted):
    """White space counts as white space: we show a folded field on one line."""
    fields, _ = fields_of(values(lines[0])[0].decode())
    read = [email.message_from_bytes(raw, policy=POLICY)["Subject"], fields["Subject"]]
    assert [subject.split() for subject in read] == [wanted.split()] * 2, f"{read}"


def check_name(lines, raw, wanted):
    names = [email.message_from_bytes(raw, policy=POLICY).get_filename(),
             values(lines[1])[0].decode()]
    assert names == [wanted] * 2, f"Python and we read {names}"


# --- All of them ---

class Corpus:
    """Rows of (name, message, checks of its parts, checks of what is shown)."""

    def __init__(self):
        self.rows = []

    def add(self, name, message, tree_checks, shown_checks):
        self.rows.append((name, message, tree_checks, shown_checks))

    def run(self, show_mime, show_files):
        wrong = 0
        messages = [message for _, message, _, _ in self.rows]
        with tempfile.TemporaryDirectory() as folder:
            trees, shown = (run(program, folder, messages) for program in (show_mime, show_files))
        for row, tree, people in zip(self.rows, trees, shown):
            name, message, tree_checks, shown_checks = row
            try:
                check_places(tree, len(message))
                check_harmless(people, len(message))
                for check in tree_checks:
                    check(tree)
                for check in shown_checks:
                    check(people)
            except (AssertionError, KeyError, UnicodeDecodeError) as error:
                wrong += 1
                print(f"{name}: {error}")
        return wrong


def corpus():
    found = Corpus()
    for name, lf, tree in mime_shapes.GOOD:
        raw = with_crlf(lf)
        found.add(name, raw, [lambda t, tree=tree: check_tree(t, tree),
                              lambda t, raw=raw: check_python(t, raw)],
                  [lambda s, raw=raw: check_text(s, raw)])
    for name, lf, tree in mime_shapes.GOOD + mime_shapes.BAD:
        for end, raw in ("LF", lf), ("CRLF", with_crlf(lf)):
            found.add(f"{name}, {end}", raw, [lambda t, tree=tree: check_tree(t, tree)], [])
        for cut in range(1, CUTS) if len(lf) < CUT_OCTETS_MAX else ():
            at = len(lf) * cut // CUTS
            found.add(f"{name}, cut at {at}", with_crlf(lf[:at]), [], [])
    for number, (subject, wanted) in enumerate(mime_shapes.SUBJECTS):
        raw = with_crlf(b"Subject: " + subject + b"\n\nhello\n")
        found.add(f"subject {number}", raw, [],
                  [lambda s, raw=raw, wanted=wanted: check_subject(s, raw, wanted)])
    for number, (place, wanted) in enumerate(mime_shapes.NAMES):
        raw = with_crlf(b"Content-Type: application/x\nContent-Disposition: " + place + b"\n\nx\n")
        found.add(f"name {number}", raw, [],
                  [lambda s, raw=raw, wanted=wanted: check_name(s, raw, wanted)])
    return found


def main():
    found = corpus()
    wrong = found.run(*sys.argv[1:3])
    print(f"{len(found.rows) - wrong} of {len(found.rows)} messages are read as they should be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
