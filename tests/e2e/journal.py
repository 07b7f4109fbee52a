"""journal - reads the segments of a store as docs/store-format.md draws them, without godwit.

Checksums are not looked at (Python has no XXH3): what a batch's header says is believed.  So it is
for stores that are whole, to know where everything lies before something is damaged.
"""

import os
import re
import struct

ALIGN, FIRST_BATCH, LARGE_START = 4096, 8192, 4096
KINDS = {1: "mailbox", 2: "message", 3: "placed", 4: "expunged", 5: "purged", 6: "recipient",
         7: "envelope"}
DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"


def id_text(message):
    """A message's id as people see it: 13 digits of five bits."""
    return "".join(DIGITS[message >> 5 * place & 31] for place in range(12, -1, -1))


class Unit:
    """One unit: where it lies, and what it changes."""

    def __init__(self, segment, octets, at):
        self.segment, self.at = segment, at
        (self.message, self.content_octets, self.octets, changes, blocks,
         flags) = struct.unpack_from("<QQIIII", octets, at + 32)
        self.large = bool(flags & 1)
        self.changes_at = at + 72 + 8 * blocks
        self.content_at = self.changes_at + (changes + 7 & ~7)
        self.end = at + self.octets
        self.changes = list(read_changes(octets[self.changes_at:self.changes_at + changes]))


def read_changes(octets):
    at = 0
    while at < len(octets):
        kind, length = struct.unpack_from("<II", octets, at)
        yield KINDS.get(kind, kind), octets[at + 8:at + 8 + length]
        at += 8 + length


class Batch:
    def __init__(self, segment, octets, at):
        self.segment, self.at = segment, at
        self.octets, count = struct.unpack_from("<II", octets, at + 56)
        self.end = at + (self.octets + ALIGN - 1) // ALIGN * ALIGN
        self.units = []
        unit_at = at + 64
        for _ in range(count):
            self.units.append(Unit(segment, octets, unit_at))
            unit_at = self.units[-1].end


class Segment:
    def __init__(self, path):
        self.path, self.name = path, os.path.basename(path)
        with open(path, "rb") as file:
            octets = file.read()
        self.octets = len(octets)
        self.good = octets[:8] == b"GODWITJ1"
        self.version, = struct.unpack_from("<I", octets, 16) if self.good else (0,)
        self.number, = struct.unpack_from("<Q", octets, 40) if self.good else (0,)
        self.batches = []
        at = FIRST_BATCH
        while self.good and octets[at:at + 8] == b"GODWITB1":
            self.batches.append(Batch(self, octets, at))
            at = self.batches[-1].end

    def units(self):
        return [unit for batch in self.batches for unit in batch.units]


def read(data):
    """The segments of DATA, in order."""
    folder = os.path.join(data, "journal")
    return [Segment(os.path.join(folder, name)) for name in
            sorted(os.listdir(folder), key=lambda name: (len(name), name))
            if re.fullmatch(r"\d{8,}\.seg", name)]


def large_files(data):
    folder = os.path.join(data, "journal", "large")
    return sorted(os.path.join(folder, name) for name in os.listdir(folder))
