#!/usr/bin/env python3
"""compare_convert.py - Python's email package reads the same in a converted message as before.

usage: compare_convert.py CONVERT     CONVERT 7|8 FILE... writes FILE.out (convert_files.c)
"""

import email
import email.policy
import pathlib
import random
import re
import subprocess
import sys
import tempfile

COUNT = 150
TEXTS = [b"", b"hello\r\n", "Grüße\r\nan alle\r\n".encode(), "日本語\r\n".encode() * 20,
         b"x" * 2000 + b"\r\n", b"trailing \t\r\n.\r\n", b"Gr\xfc\xdfe", "ж".encode() * 700]
BINARY = [b"\0", b"\r", b"\n", b"unix\ntext\n", bytes(range(256)), b"\xff" * 5000]


def leaf(dice, binary):
    if dice.random() < 0.5:
        header, body = b"Content-Type: text/plain; charset=utf-8\r\n", dice.choice(TEXTS)
    else:
        header = b"Content-Type: application/octet-stream\r\n"
        body = dice.choice(TEXTS + (BINARY if binary else []))
    label = b"binary" if binary else dice.choice([b"8bit", b""])
    if label:
        header += b"Content-Transfer-Encoding: " + label + b"\r\n"
    return header, body


def tree(dice, binary, depth=0):
    """The header's Content- fields and the body of a part."""
    kind = dice.random()
    if depth == 4 or kind < 0.4:
        return leaf(dice, binary)
    label = b"Content-Transfer-Encoding: " + (b"binary" if binary else b"8bit") + b"\r\n"
    if kind < 0.55:
        header, body = tree(dice, binary, depth + 1)
        return (b"Content-Type: message/rfc822\r\n" + label,
                b"Subject: x\r\nMIME-Version: 1.0\r\n" + header + b"\r\n" + body)
    boundary = b"=_%x" % dice.getrandbits(64)
    parts = [tree(dice, binary, depth + 1) for _ in range(dice.randrange(1, 4))]
    body = b"".join(b"--" + boundary + b"\r\n" + h + b"\r\n" + b + b"\r\n" for h, b in parts)
    header = b"Content-Type: multipart/mixed;\r\n boundary=\"" + boundary + b"\"\r\n" + label
    return header, body + b"--" + boundary + b"--\r\n"


def message(seed):
    dice = random.Random(seed)
    header, body = tree(dice, seed % 3 == 0)
    whole = b"Subject: x\r\nMIME-Version: 1.0\r\n" + header + b"\r\n" + body
    return whole if seed % 3 == 0 or whole.endswith(b"\r\n") else whole + b"\r\n"


def leaves(raw):
    """As Python reads them."""
    whole = email.message_from_bytes(raw, policy=email.policy.SMTP)
    return [(p.get_content_type(), p.get_payload(decode=True)) for p in whole.walk()
            if not p.is_multipart()]


def expected(seed):
    """The leaves as they were made, since no reader is sure to keep binary ones."""
    dice = random.Random(seed)
    out = []

    def walk(header, body):
        if b"multipart/" in header:
            boundary = re.search(rb'boundary="(.*)"', header)[1]
            for part in body.split(b"--" + boundary)[1:-1]:
                inner, _, rest = part[2:-2].partition(b"\r\n\r\n")
                walk(inner + b"\r\n", rest)
        elif b"message/rfc822" in header:
            inner, _, rest = body.partition(b"\r\n\r\n")
            walk(inner + b"\r\n", rest)
        else:
            kind = re.search(rb"Content-Type: ([^;\r]*)", header)[1].decode()
            out.append((kind, body))

    walk(*tree(dice, seed % 3 == 0))
    return out


def same(want, got, target, raw):
    if re.search(rb"[^\r]\n|\r[^\n]|\0" + (rb"|[\x80-\xff]" if target == "7" else b""), raw):
        return False
    if max(map(len, raw.split(b"\r\n"))) > 998 or not raw.endswith(b"\r\n"):
        return False
    if want and got and got[-1][1] == want[-1][1] + b"\r\n":
        want[-1] = got[-1]  # a last line without an end
    return want == got


def main():
    wrong = 0
    for target in "78":
        with tempfile.TemporaryDirectory() as folder:
            names = [pathlib.Path(folder, f"{i}.eml") for i in range(COUNT)]
            for seed, name in enumerate(names):
                name.write_bytes(message(seed))
            subprocess.run([sys.argv[1], target, *names], check=True)
            for seed, name in enumerate(names):
                raw = pathlib.Path(f"{name}.out").read_bytes()
                if not same(expected(seed), leaves(raw), target, raw):
                    wrong += 1
                    print(f"message {seed} to {target} bits:", message(seed), raw, sep="\n")
    print(f"{2 * COUNT - wrong} of {2 * COUNT} conversions read alike")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
