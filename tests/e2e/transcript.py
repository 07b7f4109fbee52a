"""transcript - runs dialogues that are written as a person would type them.

Each *.transcript beside this file is a dialogue with a server of its own:

    # words               for the reader
    relay { ... }         a section of the configuration, before the first connect
    user ADDRESS          a user, password `secret`, before the first connect
    connect ROLE [FROM]   opens a connection, maybe from another loopback address
    C: text               sent with CRLF; lines that follow each other go out in one write
    C- text               sent without CRLF
    S: text               the next line is this; `*` is anything within it, `?` one character
    S* text               lines are skipped up to this one
    S. text               as S:, and then the rest of a multi-line SMTP reply is skipped
    end                   the server has closed
    close                 we close, and wait until the server has

Within text, \\r \\n \\t \\0 \\\\ and \\xHH are octets.

usage: transcript.py [NAME...]
"""

import fnmatch
import glob
import os
import re

import harness

ESCAPE = re.compile(rb"\\(x[0-9A-Fa-f]{2}|.)")
PLAIN = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}


def octets(text):
    return ESCAPE.sub(lambda m: bytes([int(m[1][1:], 16)]) if m[1][:1] == b"x" and len(m[1]) > 1
                      else PLAIN[m[1]], text.encode())


def matches(line, pattern):
    """`*` stands for anything, `?` for one character; a bracket is a bracket."""
    return fnmatch.fnmatchcase(line, pattern.replace("[", "[[]"))


class Dialogue:
    """One file, run from top to bottom."""

    def __init__(self, path):
        self.path = path
        self.server = None
        self.wire = None
        self.pending = b""
        self.sections, self.users = {}, []

    def run(self):
        with open(self.path, encoding="utf-8") as file:
            rows = [(number, row.rstrip("\n")) for number, row in enumerate(file, 1)]
        body = next(i for i, (_, row) in enumerate(rows) if row.startswith("connect "))
        for _, row in rows[:body]:
            self.prepare(row)
        with harness.Server(users=self.users, **self.sections) as self.server:
            for number, row in rows[body:]:
                try:
                    self.step(row)
                except Exception as why:
                    raise harness.Failure(f"line {number}: {row!r}: {why}") from why

    def prepare(self, row):
        section = re.fullmatch(r"(\w+) \{(.*)\}", row)
        if section:
            self.sections[section[1]] = section[2]
        elif row.startswith("user "):
            self.users.append(row.split()[1])
        elif row and not row.startswith("#"):
            raise harness.Failure(f"not understood: {row!r}")

    def step(self, row):
        word, text = row[:2], row[3:]
        if word in ("C:", "C-"):
            self.pending += octets(text) + (b"\r\n" if word == "C:" else b"")
            return
        if self.pending:
            self.wire.send(self.pending)
            self.pending = b""
        if word in ("S:", "S.", "S*"):
            self.expect(word, text)
        elif row.startswith("connect "):
            self.connect(*row.split()[1:])
        elif row == "end":
            harness.check(self.wire.ended(), "the connection is still open")
        elif row == "close":
            self.wire.half_close()
            self.wire.all_until_end()
            self.wire.close()
        elif row and not row.startswith("#"):
            raise harness.Failure("not understood")

    def connect(self, role, source=None):
        self.wire = self.server.connect(role, source)

    def expect(self, word, pattern):
        line = self.wire.line()
        while word == "S*" and not matches(line, pattern):
            line = self.wire.line()
        harness.check(matches(line, pattern), f"the server said {line!r}")
        while word == "S." and line[3:4] == "-":
            line = self.wire.line()


for name in sorted(glob.glob(os.path.join(os.path.dirname(__file__), "*.transcript"))):
    harness.add_case(os.path.basename(name)[:-len(".transcript")], Dialogue(name).run)

if __name__ == "__main__":
    harness.main()
