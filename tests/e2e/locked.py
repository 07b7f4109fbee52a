"""locked - servers with a certificate, and how clients get to them under TLS and log in."""

import base64
import os
import subprocess

import harness
from certificates import make, trusting
from harness import Server, check

ALICE, BOB = "alice@example.test", "bob@example.test"
MESSAGE = b"Subject: locks\r\n\r\nfirst\r\n.dot\r\nlast\r\n"
ROLES = ("smtp", "pop3", "pop3s")
ALL = ("smtp", "submission", "submissions", "pop3", "pop3s")
IMPLICIT = ("submissions", "pop3s")


class Locked(Server):
    """A server with a certificate for mx.example.test, and Bob."""

    def __init__(self, roles=ROLES, hosts="", **sections):
        super().__init__(roles=roles, users=[BOB],
                         tls=f'certificate = "mx.pem" key = "mx.key" {hosts}', **sections)
        self.certificate = make(self.folder)

    def trusting(self, **settings):
        return trusting(self.certificate, **settings)

    def smtp_tls(self, hello="EHLO client.test", context=None, name="mx.example.test"):
        wire = self.smtp()
        wire.say("STARTTLS", "220 2.0.0")
        wire.shake(context or self.trusting(), name)
        if hello:
            wire.say(hello, "250")
        return wire

    def pop3s(self, context=None, session=None):
        wire = self.connect("pop3s")
        wire.shake(context or self.trusting(), session=session)
        return wire


def b64(words):
    octets = words if isinstance(words, bytes) else words.encode()
    return base64.b64encode(octets).decode()


def plain(user, password, acting_for=""):
    return b64(f"{acting_for}\0{user}\0{password}")


class Doors(Locked):
    """All five services, Bob and Alice."""

    def __init__(self, **sections):
        super().__init__(roles=ALL, **sections)
        self.add_user(ALICE, "wonder")

    def doorstep(self, role):
        """A session whose next octets are a handshake."""
        wire = self.connect(role)
        if role in IMPLICIT:
            return wire
        self.greeted(wire, role)
        if role == "pop3":
            wire.say("STLS", "+OK")
        else:
            wire.say("EHLO client.test", "250")
            wire.say("STARTTLS", "220")
        return wire

    @staticmethod
    def greeted(wire, role):
        if role.startswith("pop3"):
            wire.expect(wire.line(), "+OK")
        else:
            wire.expect(wire.reply(), "220")

    def open(self, role, tls=True, hello="EHLO client.test", session=None, **settings):
        """A session that has been greeted, under TLS."""
        if tls or role in IMPLICIT:
            wire = self.doorstep(role)
            wire.shake(self.trusting(**settings), session=session)
        else:
            wire = self.connect(role)
        if not tls or role in IMPLICIT:
            self.greeted(wire, role)
        if hello and not role.startswith("pop3"):
            wire.say(hello, "250")
        return wire

    def logged_in(self, role="submission", user=BOB, password="secret"):
        wire = self.open(role)
        wire.say(f"AUTH PLAIN {plain(user, password)}", "235 2.7.0")
        return wire


def run(program, *words, text=b"", env=None, code=0):
    done = subprocess.run([program, *words], input=text, capture_output=True, check=False,
                          timeout=harness.TIMEOUT, env=dict(os.environ, **(env or {})))
    told = (done.stdout + done.stderr).decode("utf-8", "replace")
    check(done.returncode == code, f"{os.path.basename(program)}: exit {done.returncode}: {told}")
    return told
