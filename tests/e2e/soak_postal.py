"""soak_postal - Debian's postal and rabid as a second opinion on a server that is soaked: one sends
and writes down the MD5 of what was accepted, the other reads, checks the MD5 and deletes."""

import os
import re
import shutil
import subprocess

import others
from harness import check, equal

USERS = [f"post{number}@a.test" for number in range(4)]
THREADS, SENT_A_MINUTE, VISITS_A_MINUTE = 4, "12000", "1200"
HASH = re.compile(rb"^X-PostalHash: ([0-9a-f]{32})\r\n", re.M)


class Postal:
    """Both stop for good when their server dies, so they are started with each of its lives."""

    def __init__(self, server):
        self.server = server
        self.programs = [others.program(f"usr/sbin/{name}") for name in ("postal", "rabid")]
        self.environment = others.environment()
        self.list = os.path.join(server.folder, "postal-users")
        with open(self.list, "w", encoding="ascii") as file:
            file.writelines(f"{user} secret\n" for user in USERS)
        self.processes, self.folder, self.lives = [], None, 0
        self.sent, self.read, self.mismatches = set(), set(), []

    def start(self):
        self.lives += 1
        self.folder = os.path.join(self.server.folder, f"postal-{self.lives}")
        os.mkdir(self.folder)    # each life begins its logs anew
        address, ports = self.server.address, self.server.ports
        for program, port, *options in (
                (self.programs[0], ports["smtp"], "-t", str(THREADS), "-c", "20", "-m", "50", "-r",
                 SENT_A_MINUTE),
                (self.programs[1], ports["pop3"], "-p", "2", "-r", VISITS_A_MINUTE)):
            with open(f"{self.folder}/{os.path.basename(program)}.out", "wb") as out:
                self.processes.append(subprocess.Popen(
                    [program, *options, f"[{address}]{port}", self.list], stdin=subprocess.DEVNULL,
                    stdout=out, stderr=out, cwd=self.folder, env=self.environment))

    def stop(self):
        while self.processes:
            process = self.processes.pop()
            process.kill()
            process.wait()
        if self.folder:
            # A connection that dies before the answer gives a line too: one for each thread.
            self.sent.update(self.sums("postal.log")[:-THREADS])
            self.read.update(self.sums("rabid.log"))
            self.mismatches += [line for line in self.lines("rabid.out") if "mis-match" in line]
            shutil.rmtree(self.folder)
            self.folder = None

    def lines(self, name):
        """The whole lines of a file, none when there was no time to begin it."""
        try:
            with open(os.path.join(self.folder, name), encoding="latin-1") as file:
                return [line for line in file if line.endswith("\n")]
        except FileNotFoundError:
            return []

    def sums(self, name):
        """The MD5s of a log: the first word of each line."""
        return [line[:32] for line in self.lines(name)]

    def check(self):
        """All that was accepted was read or is there; nothing was bent on the way."""
        self.stop()
        there = {HASH.search(message)[1].decode() for user in USERS
                 for message in self.server.messages(user)}
        equal(self.mismatches[:3], [], "what rabid says of MD5s")
        lost = self.sent - self.read - there
        check(not lost, f"{len(lost)} of {len(self.sent)} messages of postal are lost: "
              f"{sorted(lost)[:3]}")
