#!/usr/bin/env python3
"""compare_mime.py - Python's email package writes messages, and both of us must read the same.

usage: compare_mime.py SHOW     SHOW FILE... prints what the scanner sees (show_mime.c)
"""

import email
import email.message
import email.policy
import pathlib
import random
import subprocess
import sys
import tempfile

COUNT = 200
POLICY = email.policy.SMTP
WORDS = ["plain", "über", "日本語のなまえ", "a b", 'q"uo\\te', "semi;colon", "pct%41", "it's",
         "x" * 90, "ж" * 60]
TEXTS = ["", "hello\n", "Grüße\nan alle\n", "日本語\n" * 20, "x" * 2000 + "\n", "trailing \t\n--\n",
         "--=not a delimiter\n", "no line end", "=3D = \n", "\n\n"]


def leaf(dice):
    part = email.message.EmailMessage(policy=POLICY)
    if dice.random() < 0.6:
        part.set_content(dice.choice(TEXTS), subtype=dice.choice(["plain", "html", "x-a.b+c"]),
                         cte=dice.choice(["quoted-printable", "base64"]))
    else:
        part.set_content(dice.randbytes(dice.randrange(300)), "application", "octet-stream",
                         disposition="attachment", filename=dice.choice(WORDS))
    if dice.random() < 0.3:
        part["Content-ID"] = f"<{dice.getrandbits(32)}@a.example>"
    return part


def tree(dice, depth):
    kind = dice.random()
    if depth == 4 or kind < 0.4:
        return leaf(dice)
    whole = email.message.EmailMessage(policy=POLICY)
    if kind < 0.55:
        inner = tree(dice, depth + 1)
        inner["Subject"] = dice.choice(WORDS)
        whole["Content-Type"] = "message/rfc822"
        whole.set_payload([inner])
        return whole
    whole["Content-Type"] = f'multipart/{dice.choice(["mixed", "alternative", "related"])}'
    whole.set_boundary(f"=_{dice.getrandbits(64):x}_" + dice.choice(["", " '()+,-./:=?"]) + "end")
    whole.set_payload([tree(dice, depth + 1) for _ in range(dice.randrange(1, 4))])
    if dice.random() < 0.3:
        whole.preamble = "This is a preamble.\n"
        whole.epilogue = "And this is none.\n"
    return whole


def message(seed):
    dice = random.Random(seed)
    root = tree(dice, 0)
    root["Subject"] = dice.choice(WORDS)
    return root.as_bytes(policy=POLICY)


def expected(part, depth, out):
    """The parts as Python reads them, in order: what can be compared."""
    kind = 1 if part.get_content_maintype() == "multipart" else \
        2 if part.get_content_type() == "message/rfc822" else 0
    type_params = dict(part["Content-Type"].params) if part["Content-Type"] else {}
    place = part["Content-Disposition"]
    body = part.get_payload(decode=True) if kind == 0 else b""
    out.append((depth, kind, part.get_content_type(), part["Content-Transfer-Encoding"] or "",
                part.get_content_disposition() or "", part["Content-ID"] or "", type_params,
                dict(place.params) if place else {}, body))
    for child in part.get_payload() if kind else []:
        expected(child, depth + 1, out)
    return out


def words(hexes):
    return bytes.fromhex(hexes).decode()


def params(shown):
    return {words(n): words(v) for n, v in (pair.split("=") for pair in shown.split())}


def seen(line, raw):
    (depth, kind, word, sub, encoding, place, ident, header_at, body_at, end_at, values,
     body) = line.split("\t")
    assert int(header_at) <= int(body_at) <= int(end_at) <= len(raw)
    header = raw[int(header_at):int(body_at)]
    assert header == b"\r\n" or header.endswith(b"\r\n\r\n"), header
    of_type, of_place = map(params, values.split(";"))
    return (int(depth), int(kind), f"{words(word)}/{words(sub)}", words(encoding), words(place),
            words(ident), of_type, of_place, bytes.fromhex(body))


def main():
    with tempfile.TemporaryDirectory() as folder:
        names = [pathlib.Path(folder, f"{i}.eml") for i in range(COUNT)]
        for seed, name in enumerate(names):
            name.write_bytes(message(seed))
        shown = subprocess.run([sys.argv[1], *names], check=True, capture_output=True, text=True)
        blocks = shown.stdout.removesuffix("\n\n").split("\n\n")
        assert len(blocks) == COUNT
        wrong = 0
        for name, block in zip(names, blocks):
            raw = name.read_bytes()
            want = expected(email.message_from_bytes(raw, policy=POLICY), 0, [])
            got = [seen(line, raw) for line in block.splitlines()]
            if got != want:
                wrong += 1
                print(f"message {name.stem}:", *zip(got, want), sep="\n  ")
    print(f"{COUNT - wrong} of {COUNT} messages read alike")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
