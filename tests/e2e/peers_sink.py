"""peers_sink - Postfix's smtp-sink as next hop, with each of its ways to fail."""

import os
import pwd
import subprocess
import tempfile

import others
from harness import add_case, check, equal, main, until
from relay_world import ALICE, MESSAGE, Net
from report import Report

COUNT = 5
LARGE = MESSAGE + (b"0123456789" * 7 + b"\r\n") * 30000
STEPS = ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA", ".", "QUIT")


class Sink:
    """One on an address and a port; what it takes it writes to a folder, a file for each."""

    def __init__(self, address, port, *options):
        self.where = f"{address}:{port}"
        self.folder = tempfile.TemporaryDirectory(prefix="sink-")
        account = []
        if os.getuid() == 0:
            account = ["-u", "daemon"]
            os.chown(self.folder.name, pwd.getpwnam("daemon").pw_uid, -1)
        self.command = [others.program("usr/sbin/smtp-sink"), *account, *options, "-d",
                        self.folder.name + "/m.", self.where, "100"]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, env=others.environment(),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        until(self.listens, "smtp-sink listens")
        return self

    def listens(self):
        check(self.process.poll() is None, f"smtp-sink ended: {self.command}")
        with open("/proc/net/tcp", encoding="ascii") as file:
            address, port = self.where.split(":")
            octets = bytes(map(int, address.split(".")))[::-1].hex().upper()
            return any(f" {octets}:{int(port):04X} 00000000:0000 0A" in line for line in file)

    def taken(self):
        """The files of what came to its end."""
        found = []
        for name in sorted(os.listdir(self.folder.name)):
            with open(os.path.join(self.folder.name, name), "rb") as file:
                found.append(file.read())
        return [one for one in found if one.rstrip().endswith(b"dots")
                or b"0123456789\n" in one[-100:]]

    def __exit__(self, *why):
        self.process.kill()
        self.process.communicate()
        self.folder.cleanup()


class World(Net):
    """A server of ours, and the place of a sink for b.test."""

    def __enter__(self):
        super().__enter__()
        self.place = self.nobody("mx.b.test"), self.port
        self.mx("b.test", (10, "mx.b.test"))
        return self


def fails_for_now(*options):
    """Mail waits, nobody is told, and another sink at the same place gets each once."""
    with World() as net:
        server = net.server()
        with Sink(*net.place, *options):
            for number in range(COUNT):
                server.send(f"x{number}@b.test")
            server.wait_log("deferred")
            equal(len(server.waiting()), COUNT, "waiting")
        with Sink(*net.place) as sink:
            server.wait_empty(60)
            equal(len(sink.taken()), COUNT, "messages")
        equal(server.messages(ALICE), [], "reports")


def fails_for_good(*options):
    with World() as net:
        server = net.server()
        with Sink(*net.place, *options):
            server.send("x@b.test", "y@b.test")
            report = Report(server.wait_mail(ALICE)[0])
            equal({fields["Status"][0] for fields in report.recipients}, {"5"}, "Status")
            equal(len(report.recipients), 2, "recipients")
            server.wait_empty()


def works(content, *options):
    with World() as net:
        server = net.server()
        with Sink(*net.place, *options) as sink:
            for number in range(COUNT):
                server.send(f"x{number}@b.test", content=content)
            server.wait_empty(60)
            equal(len(sink.taken()), COUNT, "messages")
        equal(server.messages(ALICE), [], "reports")


for step in STEPS:
    word = {".": "dot"}.get(step, step.lower())
    if step != "QUIT":
        add_case(f"closes-at-{word}", lambda step=step: fails_for_now("-q", step))
        add_case(f"says-421-at-{word}", lambda step=step: fails_for_now("-Q", step))
        add_case(f"refuses-for-now-at-{word}",
                 lambda step=step: fails_for_now("-r", step + (",HELO" * (step == "EHLO"))))
    if step not in ("QUIT", "EHLO"):
        add_case(f"refuses-for-good-at-{word}", lambda step=step: fails_for_good("-f", step))
for name, how in {
        "closes-at-quit": ("-q", "QUIT"), "421-at-quit": ("-Q", "QUIT"), "no-ehlo": ("-f", "EHLO"),
        "no-esmtp": ("-e",), "pix": ("-P",), "no-pipelining": ("-p",), "no-dsn": ("-N",),
        "no-8bitmime": ("-8",), "slow-data": ("-w", "1"), "slow-dot": ("-W", ".:1")}.items():
    add_case(name, lambda how=how: works(MESSAGE, *how))
add_case("reads-late", lambda: works(LARGE, "-H", "1", "-T", "4096"))
add_case("says-550-within-the-content", lambda: fails_for_good("-A", "0"))

if __name__ == "__main__":
    main(side_by_side=6)
