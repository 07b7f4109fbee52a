"""soak_load - the load program of the soak (tests/soak), told what to do."""

import json
import os
import select
import subprocess

from harness import Failure, Skip, check, equal

ANSWER_SECONDS = 180    # it waits for sessions to end, and each may be silent for a minute


class Load:
    """Senders and readers beside this process; what they find wrong they write to a file."""

    def __init__(self, seed, near, near_boxes, far, far_boxes):
        program = os.path.join(os.path.dirname(near.program), "..", "tests", "soak", "soakload")
        if not os.access(program, os.X_OK):
            raise Skip(f"no program {program}")
        self.wrong_name = os.path.join(near.folder, "wrong")
        with open(self.wrong_name, "wb") as wrong:
            self.process = subprocess.Popen(
                [program, str(seed), near.address, str(near.ports["smtp"]),
                 str(near.ports["pop3"]), str(near_boxes), far.address, str(far.ports["pop3"]),
                 str(far_boxes)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=wrong)

    def ask(self, line):
        """Tells it something; returns its figures when it is done."""
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], ANSWER_SECONDS)
        answer = self.process.stdout.readline() if ready else b""
        if not answer:
            raise Failure(f"the load did not answer to {line!r}: {self.wrongs()[:5]}")
        figures = json.loads(answer)
        check(figures["done"], f"the load could not do {line!r}: {self.wrongs()[:5]}")
        return figures

    def figures(self):
        return self.ask("figures")

    def set(self, senders, readers):
        """So many of each work from now on; returns when those before have come to rest."""
        return self.ask(f"load {senders} {readers}")

    def wrongs(self):
        with open(self.wrong_name, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()

    def end(self):
        """It must end well, and have had no trouble of its own."""
        self.process.stdin.close()
        equal(self.process.wait(ANSWER_SECONDS), 0, "the load's exit code")
        strange = [line for line in self.wrongs() if not line.startswith("wrong: ")]
        equal(strange[:20], [], "what the load says of itself")

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
