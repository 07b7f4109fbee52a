"""lab_world - a lab that runs, for suites that want one: its servers, users, DNS, and sessions."""

import json
import select
import signal
import socket
import struct
import subprocess

from harness import TIMEOUT, TROUBLE, check, equal, godwit
from wire import Pop, Smtp


class Lab:
    """A running lab: `with Lab("--domains", "x.test") as lab: ...`."""

    def __init__(self, *words):
        self.words = words
        self.wires = []

    def __enter__(self):
        self.process = subprocess.Popen([godwit(), "lab", "--json", *self.words],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        ready, _, _ = select.select([self.process.stdout], [], [], TIMEOUT)
        line = self.process.stdout.readline() if ready else b""
        if not line:
            self.process.kill()
            raise AssertionError(f"no lab: {self.process.communicate()[1]!r}")
        self.book = json.loads(line)
        self.servers = {s["host"]: s for s in self.book["servers"]}
        self.homes = {d: s for s in self.book["servers"] for d in s["domains"]}
        self.passwords = {u["address"]: u["password"]
                          for s in self.book["servers"] for u in s["users"]}
        return self

    def __exit__(self, kind, error, trace):
        for wire in self.wires:
            wire.close()
        if self.process:
            code, told = self.end()
            if kind is None:
                equal(code, 0, f"exit code, {told!r}")
                check(not TROUBLE.search(told), told)

    def end(self, number=signal.SIGINT):
        """Ends it as Ctrl-C does; its exit code and what it told."""
        process, self.process = self.process, None
        process.send_signal(number)
        try:
            told = process.communicate(timeout=TIMEOUT)[1]
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return process.returncode, told.decode("utf-8", "replace")

    def home(self, address):
        return self.homes[address.split("@")[1]]

    def smtp(self, host):
        """A session that has been greeted, where people hand in their mail."""
        wire = Smtp(socket.create_connection((host["address"], host["entrance"]), TIMEOUT))
        self.wires.append(wire)
        wire.expect(wire.reply(), f"220 {host['host']}")
        wire.say("EHLO client.test", "250")
        return wire

    def pop(self, address, password=None):
        home = self.home(address)
        wire = Pop(socket.create_connection((home["address"], home["ports"]["pop3"]), TIMEOUT))
        self.wires.append(wire)
        wire.expect(wire.line(), "+OK")
        wire.say(f"USER {address}", "+OK")
        wire.say(f"PASS {password or self.passwords[address]}", "+OK")
        return wire

    def send(self, sender, recipient, subject="first flight"):
        wire = self.smtp(self.home(sender))
        wire.envelope(sender, [recipient])
        content = f"From: <{sender}>\r\nTo: <{recipient}>\r\nSubject: {subject}\r\n\r\nhello\r\n"
        wire.expect(wire.data(content.encode()), "250 2.0.0 accepted as ")
        wire.say("QUIT", "221")

    def count(self, address):
        """How many messages there are, by STAT."""
        wire = self.pop(address)
        number = int(wire.say("STAT", "+OK").split()[1])
        wire.say("QUIT", "+OK")
        return number

    def message(self, address, number=1):
        wire = self.pop(address)
        octets = wire.retr(number)
        wire.say("QUIT", "+OK")
        return octets

    def ask(self, name, kind):
        """The code, the number of answers and the octets of the reply to a DNS query."""
        labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".") if part)
        query = struct.pack(">6H", 4711, 0x100, 1, 0, 0, 0) + labels + struct.pack(">xHH", kind, 1)
        address, port = self.book["dns"].split(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(TIMEOUT)
            sock.sendto(query, (address, int(port)))
            reply = sock.recv(65536)
        number, flags, _, answers, _, _ = struct.unpack(">6H", reply[:12])
        equal(number, 4711, "the number of the reply")
        check(flags & 0x8400 == 0x8400, f"authoritative: {flags:x}")
        return flags & 15, answers, reply

    def check_answers(self, rows):
        for name, kind, code, answers in rows:
            equal(self.ask(name, kind)[:2], (code, answers), f"{name} {kind}")
