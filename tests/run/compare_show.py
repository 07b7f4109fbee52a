#!/usr/bin/env python3
"""compare_show.py - Python writes messages in many character sets, and we must show what it meant.

usage: compare_show.py SHOW     SHOW FILE... prints what people see (show_message.c)
"""

import base64
import pathlib
import quopri
import random
import subprocess
import sys
import tempfile
import urllib.parse

sys.path.append(str(pathlib.Path(__file__).parent.parent / "mail"))
from shown import values  # noqa: E402

COUNT = 200
RUSSIAN = "съешь ещё этих мягких французских булок да выпей чаю"
JAPANESE = "日本語の文章はこのように続きます、カタカナも"
CHINESE = "床前明月光疑是地上霜举头望明月低头思故乡"
TRADITIONAL = "牀前明月光疑是地上霜舉頭望明月低頭思故鄉"
KOREAN = "다람쥐 헌 쳇바퀴에 타고파"
WESTERN = "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich"
# What mail calls a character set, what Python calls it, and text that it has.
SETS = [
    ("koi8-r", "koi8-r", RUSSIAN), ("KOI8-U", "koi8-u", RUSSIAN),
    ("windows-1251", "cp1251", RUSSIAN + " «№»"), ("iso-8859-5", "iso8859-5", RUSSIAN),
    ("shift_jis", "cp932", JAPANESE), ("iso-2022-jp", "iso2022-jp", JAPANESE),
    ("euc-jp", "euc-jp", JAPANESE), ("gb2312", "gb2312", CHINESE), ("GBK", "gbk", TRADITIONAL),
    ("gb18030", "gb18030", TRADITIONAL + "😀"), ("big5", "big5", TRADITIONAL.replace("牀", "床")),
    ("euc-kr", "euc-kr", KOREAN), ("ks_c_5601-1987", "cp949", KOREAN),
    ("iso-8859-1", "iso8859-1", WESTERN), ("iso-8859-1", "cp1252", WESTERN + " “€”"),
    ("windows-1252", "cp1252", WESTERN + " – …"), ("iso-8859-15", "iso8859-15", WESTERN + " €"),
    ("iso-8859-2", "iso8859-2", "Příliš žluťoučký kůň"), ("iso-8859-7", "iso8859-7", "Ελληνικά"),
    ("iso-8859-8-i", "iso8859-8", "זה מבחן קצר"), ("windows-1256", "cp1256", "نص حكيم"),
    ("tis-620", "tis-620", "ภาษาไทย"), ("utf-7", "utf-7", RUSSIAN),
    ("utf-8", "utf-8", JAPANESE + "😀"),
    ("macintosh", "mac-roman", WESTERN), ("ibm850", "cp850", WESTERN),
]
# What a file may have; a line end in quoted-printable would become mail's.
OCTETS = [c for c in range(256) if c not in b"\r\n"]


def some(dice, text):
    start = dice.randrange(len(text) // 2)
    return text[start:start + dice.randrange(1, 24)].strip() or "x"


def encoded_words(dice, text, name, codec):
    """RFC 2047: a word for every few characters, in either encoding."""
    out = []
    while text:
        piece, text = text[:8], text[8:]
        octets = piece.encode(codec)
        if dice.random() < 0.5:
            out.append(f"=?{name}?B?{base64.b64encode(octets).decode()}?=")
        else:
            out.append(f"=?{name}?q?" + "".join(f"={c:02X}" for c in octets) + "?=")
    return dice.choice(["\r\n ", " "]).join(out)


def file_name(dice, text, name, codec):
    """As RFC 2231 has it, or as many do."""
    octets = text.encode(codec)
    if dice.random() < 0.5:
        return f"filename*={name}'xx'{urllib.parse.quote(octets, safe='')}"
    words = encoded_words(dice, text, name, codec).replace("\r\n ", " ")
    return f'filename="{words}"'


def encoded(dice, octets):
    if dice.random() < 0.5:
        return b"base64", base64.encodebytes(octets).replace(b"\n", b"\r\n")
    return b"quoted-printable", quopri.encodestring(octets).replace(b"\n", b"\r\n")


def message(dice):
    name, codec, text = dice.choice(SETS)
    want = {"subject": some(dice, text), "from": some(dice, text).replace(",", ""),
            "text": "".join(some(dice, text) + "\n" for _ in range(dice.randrange(1, 9))),
            "name": some(dice, text) + ".txt",
            "octets": bytes(dice.choice(OCTETS) for _ in range(dice.randrange(1, 200)))}
    encoding, body = encoded(dice, want["text"].encode(codec))
    transfer, content = encoded(dice, want["octets"])
    head = (f"Subject: {encoded_words(dice, want['subject'], name, codec)}\r\n"
            f"From: {encoded_words(dice, want['from'], name, codec)} <a@b.example>\r\n"
            'Content-Type: multipart/mixed; boundary="=_b"\r\n\r\n--=_b\r\n'
            f'Content-Type: text/plain; charset="{name}"\r\nContent-Transfer-Encoding: ')
    place = (f"\r\n--=_b\r\nContent-Disposition: attachment;\r\n "
             f"{file_name(dice, want['name'], name, codec)}\r\nContent-Transfer-Encoding: ")
    return want, b"".join([head.encode(), encoding, b"\r\n\r\n", body, place.encode(), transfer,
                           b"\r\n\r\n", content, b"\r\n--=_b--\r\n"])


def differences(want, block):
    shown, attached = block
    shown = values(shown)[0].decode()
    name, _, octets = values(attached)
    text = (f"From: {want['from']} <a@b.example>\nSubject: {want['subject']}\n\n"
            f"{want['text']}")
    if not shown.startswith(text):
        yield shown, text
    if name.decode() != want["name"]:
        yield name.decode(), want["name"]
    if octets not in (want["octets"], want["octets"] + b"\r\n"):
        yield octets, want["octets"]


def main():
    made = [message(random.Random(seed)) for seed in range(COUNT)]
    with tempfile.TemporaryDirectory() as folder:
        files = [pathlib.Path(folder, str(n)) for n in range(COUNT)]
        for file, (_, raw) in zip(files, made):
            file.write_bytes(raw)
        ran = subprocess.run([sys.argv[1], *files], check=True, capture_output=True, text=True)
    blocks = ran.stdout.removesuffix("\n\n").split("\n\n")
    assert len(blocks) == COUNT
    wrong = 0
    for seed, ((want, _), block) in enumerate(zip(made, blocks)):
        for got, meant in differences(want, block.splitlines()):
            wrong += 1
            print(f"message {seed}: {got!r}\n  instead of {meant!r}")
    print(f"{COUNT} messages in {len(SETS)} character sets, {wrong} differences")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
