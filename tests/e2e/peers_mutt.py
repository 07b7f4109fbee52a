"""peers_mutt - mutt and neomutt read what godwit send composes, as godwit export writes it to an
mbox and to a Maildir: they show what was asked for, name by name and octet by octet."""

import dataclasses
import email.utils
import os
import random
import re
import subprocess
import sys

import mutt
import others
import portage
from harness import CASES, Server, Skip, add_case, equal, godwit, main, need
from send import ANN, BOB, Home

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.append(os.path.join(TESTS, "mail"))
import compare_compose

CASES.clear()    # of the suites whose parts are used here
READERS = {"mutt": lambda: others.program("usr/bin/mutt"), "neomutt": lambda: need("neomutt")}
PLAIN = "A letter.\n"
ROW = "a row of plain words that goes on and on "
OCTETS = bytes(range(256)) * 9
NAME = "日本語の長い長い長いファイル名"


@dataclasses.dataclass
class Letter:
    """What is asked of godwit send."""
    subject: str
    text: str = PLAIN
    sender: str = ANN
    to: str = BOB
    cc: str = ""
    files: dict = dataclasses.field(default_factory=dict)    # octets by names
    html: str = ""

    def send(self, home, port):
        words = ["--from", self.sender, "--to", self.to, "--subject", self.subject]
        words += ["--cc", self.cc] if self.cc else []
        for name, octets in self.files.items():
            words += ["--attach", home.write(name, octets)]
        if self.html:
            words += ["--html-file", home.write("page.html", self.html.encode())]
        home.send(*words, text=self.text.encode(), sender=None, port=port)


LETTERS = [
    Letter("plain"),
    Letter("no text at all", text=""),
    Letter("съешь ещё этих мягких французских булок " * 3, text="да выпей чаю\n" * 40),
    Letter("床前明月光 疑是地上霜", text="举头望明月 低头思故乡\n" * 70),
    Letter("نص حكيم له سر قاطع", text="זה מבחן\nنص حكيم\n", sender=f"محمد <{ANN}>"),
    Letter("😀 👨‍👩‍👧‍👦 ok", text="👍🏽\n❤️\n"),
    Letter("to many", sender=f'"Müller, Jürgen" <{ANN}>', to=f"Bob <{BOB}>, 山田太郎 <{ANN}>",
           cc=f"\"O'Neil (at home)\" <{ANN}>, {'Константин ' * 12}<{BOB}>"),
    Letter("=?utf-8?q?not=20encoded?= but written so", text="=20 =?utf-8?q?x?= =3D\n"),
    Letter("flowed", text=f"{ROW * 20}\n\n{ROW * 3}\n> a quotation\n -- \n-- \nAnn\n"),
    Letter("lines that are not safe", text="From here\n>From there\n.\n..\n\ttab \n--\n  \nend\n"),
    Letter("a line too long for mail", text="x" * 3000 + "ж" * 900 + "\nend\n"),
    Letter("in HTML too", text="Grüße\n", html="<p>Grüße</p>\n"),
    Letter("файлы", text="Grüße\n", html="<p>Grüße</p>\n", files={
        "a.bin": OCTETS, "Übersicht 2026.pdf": OCTETS[::-1], "empty.dat": b"",
        f"{NAME * 4}.doc": b"\0\r\n.\r\n", "q\"uo\\te; semi's 100%.bin": b"\n",
        "x" * 200 + ".tar": b"x" * 70000, "lines.zip": b"From x\n.\r\n\r" * 50}),
]


def header(letter):
    """What it should show of the header."""
    read = {"From": letter.sender, "To": letter.to, "Cc": letter.cc}
    return {"Subject": letter.subject.strip(),
            **{name: email.utils.getaddresses([value]) for name, value in read.items() if value}}


def split(shown):
    """Header, text, and names of what else is in it."""
    head, _, rest = shown.lstrip("\n").partition("\n\n")
    # Both fold what is longer than the screen; neomutt puts a tab where the space was.
    head = re.sub(r"\n(?!From: |To: |Cc: |Subject: )", "", head.replace("\n\t", " "))
    fields = dict(line.split(": ", 1) for line in head.split("\n"))
    fields = {name: value if name == "Subject" else email.utils.getaddresses([value])
              for name, value in fields.items()}
    pieces = re.split(r"^\[-- Attachment #\d+(?:: (.*))? --\]\n", rest, flags=re.MULTILINE)
    if len(pieces) == 1:
        return fields, rest, []
    return fields, pieces[2].partition("--]\n\n")[2], [name for name in pieces[3::2] if name]


def check_shown(letter, shown, box):
    fields, text, names = split(shown)
    wanted = letter.text.rstrip("\n")
    if box == "mbox":    # from whose quoted lines neither takes a ">"
        wanted = re.sub("^(>+From )", r">\1", wanted, flags=re.MULTILINE)
    equal(fields, header(letter), "the header")
    equal(text.rstrip("\n"), wanted, f"text of {letter.subject}")
    equal(names, list(letter.files), f"attachments of {letter.subject}")


def keys_for_all(count):
    return "<first-entry>" + "<display-message><next-entry>" * count + "<exit>"


FIRST_FILE = 4    # behind the two forms of the text, and what holds these


def keys_for_files(count):
    """Each attachment of the last message into a file of its own."""
    pipes = "".join(f"{number}<enter><pipe-entry>cat >part.{number}<enter>"
                    for number in range(FIRST_FILE, FIRST_FILE + count))
    return f"<last-entry><view-attachments>{pipes}<exit><exit>"


def forget(home):
    for name in os.listdir(home.folder):
        if name.startswith(("shown.", "part.")):
            os.unlink(home.path(name))


def reads(reader):
    program = READERS[reader]()
    with Server(users=[ANN, BOB]) as server, Home() as home:
        for letter in LETTERS:
            letter.send(home, server.ports["smtp"])
        server.run("export", BOB, f"mbox:{home.path('mbox')}")
        server.run("export", BOB, f"maildir:{home.path('maildir')}")
        for box in "mbox", "maildir":
            forget(home)
            mutt.run(program, home.path(box), keys_for_all(len(LETTERS)), home.folder,
                     others.environment())
            shown = {split(text)[0]["Subject"]: text for text in mutt.shown(home.folder)}
            equal(len(shown), len(LETTERS), f"letters shown of {box}")
            for letter in LETTERS:
                check_shown(letter, shown[letter.subject.strip()], box)
        files = LETTERS[-1].files
        mutt.run(program, home.path("mbox"), keys_for_files(len(files)), home.folder,
                 others.environment())
        for number, (name, octets) in enumerate(files.items(), FIRST_FILE):
            with open(home.path(f"part.{number}"), "rb") as file:
                equal(file.read(), octets, name)


# --- Whatever can be composed ---

RANDOM = 60


def compose(count):
    """What is wanted of messages that chance describes, and the messages."""
    program = os.path.join(os.path.dirname(godwit()), "..", "tests", "mail", "compose_cases")
    if not os.path.exists(program):
        raise Skip("no compose_cases beside the program")
    cases = [compare_compose.describe(random.Random(seed)) for seed in range(count)]
    lines = "".join(line + "\n" for _, lines in cases for line in lines)
    made = subprocess.run([program], input=lines, check=True, capture_output=True, text=True)
    messages = [compare_compose.values(block.split("\n")[0])[0]
                for block in made.stdout.removesuffix("end\n").split("end\n")]
    return [wanted for wanted, _ in cases], messages


def reads_at_random(reader):
    """Addresses are left to Python (compare_compose.py): the quotes that mutt shows of names and of
    local parts are not always those that are there."""
    program = READERS[reader]()
    wanted, messages = compose(RANDOM)
    with Home() as home:
        home.write("box", b"".join(b"From x@y.test Sat Nov 21 07:41:27 2026\n" +
                                   message.replace(b"\r\n", b"\n") + b"\n"
                                   for message in messages))
        mutt.run(program, home.path("box"), keys_for_all(RANDOM), home.folder,
                 others.environment())
        shown = mutt.shown(home.folder)
        equal(len(shown), RANDOM, "messages shown")
        for number, (want, seen) in enumerate(zip(wanted, shown)):
            fields, text, names = split(seen)
            equal((fields.get("Subject", ""), names),
                  (want["subject"], [name for name, _, _ in want["files"] if name]),
                  f"subject and attachments of {number}")
            equal(text.rstrip("\n"), want["text"].rstrip("\n"), f"text of {number}")


for each in READERS:
    add_case(f"{each}-reads-what-we-compose-and-export", lambda each=each: reads(each))
    add_case(f"{each}-reads-what-chance-composes", lambda each=each: reads_at_random(each))
add_case("mutt-reads-and-writes", lambda: portage.read_and_written_by(READERS["mutt"](),
                                                                      others.environment()))

if __name__ == "__main__":
    main()
