"""soak_weather - what befalls a server that is soaked, besides death: trouble of one kind each,
which comes and goes every few seconds.

Each has `change()`, which brings the next trouble or ends it, and `clear()`, after which there is
none; `kinds` counts what came.
"""

import collections
import os
import subprocess

import dns_server
import others
from harness import Skip, need


class Weather:
    prevents_start = False    # a server may rightly end with an error at its start

    def __init__(self, soak):
        self.soak, self.server, self.chance = soak, soak.near, soak.chance
        self.kinds = collections.Counter()
        self.is_bad = False

    def change(self):
        """Bad and fair weather take turns."""
        if self.is_bad:
            self.clear()
        else:
            self.kinds[self.spoil()] += 1
            self.is_bad = True

    def clear(self):
        self.is_bad = False
        self.mend()

    def spoil(self):
        """Brings trouble; returns its kind in a word or two."""
        raise NotImplementedError

    def mend(self):
        """Ends it."""


class FullDisk(Weather):
    """The file system of DATA has no room, or a little: within the server's reserve, or none at all
    in the middle of whatever it was writing."""

    name = "full-disk"
    prevents_start = True
    leaves = {"no room": 0, "1 MB": 1 << 20, "100 MB": 100 << 20}

    def __init__(self, soak):
        super().__init__(soak)
        if not self.server.disk:
            raise Skip("no disk of one's own: mounting takes root")

    def spoil(self):
        word = self.chance.choice(list(self.leaves))
        self.server.disk.fill(self.leaves[word])
        return word

    def mend(self):
        self.server.disk.empty()


class FewDescriptors(Weather):
    """Not one more than it has, or a few more."""

    name = "few-descriptors"

    def __init__(self, soak):
        super().__init__(soak)
        self.prlimit = need("prlimit")
        self.usual = self.limit()

    def limit(self):
        return subprocess.run([self.prlimit, "--pid", str(self.server.process.pid), "--nofile",
                               "--noheadings", "--output=SOFT"], check=True, capture_output=True,
                              text=True).stdout.strip()

    def set_limit(self, count):
        subprocess.run([self.prlimit, "--pid", str(self.server.process.pid), f"--nofile={count}:"],
                       check=True)

    def spoil(self):
        more = self.chance.choice((0, 2, 10))
        self.set_limit(self.server.signs().descriptors() + more)
        return f"{more} more"

    def mend(self):
        self.set_limit(self.usual)


class NoDns(Weather):
    """Nobody is at the resolver's address, or somebody who is silent or fails."""

    name = "no-dns"

    def spoil(self):
        word = self.chance.choice(("gone", "silent", "failing"))
        if word == "gone":
            self.soak.net.stop_dns()
        else:
            self.soak.net.dns.behave_always(
                dns_server.silent if word == "silent" else dns_server.say(dns_server.SERVFAIL))
        return word

    def mend(self):
        self.soak.net.start_dns()


class Clock(Weather):
    """The wall clock jumps; the one that only goes forward does as always."""

    name = "clock-jumps"
    jumps = {"+1 day": "+1d", "-1 day": "-1d", "+1 hour": "+1h", "-1 hour": "-1h"}

    def __init__(self, soak):
        super().__init__(soak)
        library = others.program("usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
        # In DATA, which the sandbox lets the server read.
        self.file = os.path.join(self.server.folder, "data", "faketime")
        self.write("+0")
        self.server.wrap = [
            "env", f"LD_PRELOAD={library}", f"FAKETIME_TIMESTAMP_FILE={self.file}",
            "FAKETIME_CACHE_DURATION=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1"]
        self.server.restart()

    def write(self, word):
        with open(self.file + ".new", "w", encoding="ascii") as file:
            file.write(word + "\n")
        os.rename(self.file + ".new", self.file)

    def spoil(self):
        word = self.chance.choice(list(self.jumps))
        self.write(self.jumps[word])
        return word

    def mend(self):
        self.write("+0")
