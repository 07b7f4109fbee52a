"""locked - a server with a certificate, and how clients get to it under TLS."""

import os
import re
import subprocess

import harness
from certificates import make, trusting
from harness import Server, check, until

BOB = "bob@example.test"
MESSAGE = b"Subject: locks\r\n\r\nfirst\r\n.dot\r\nlast\r\n"
ROLES = ("smtp", "pop3", "pop3s")


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

    def pop_tls(self, context=None):
        wire = self.connect("pop3")
        wire.expect(wire.line(), "+OK")
        wire.say("STLS", "+OK")
        wire.shake(context or self.trusting())
        return wire

    def pop3s(self, context=None, session=None):
        wire = self.connect("pop3s")
        wire.shake(context or self.trusting(), session=session)
        return wire

    def wait_log(self, pattern):
        until(lambda: re.search(pattern, self.log()), f"{pattern!r} in the log")


def run(program, *words, text=b"", env=None, code=0):
    done = subprocess.run([program, *words], input=text, capture_output=True, check=False,
                          timeout=harness.TIMEOUT, env=dict(os.environ, **(env or {})))
    told = (done.stdout + done.stderr).decode("utf-8", "replace")
    check(done.returncode == code, f"{os.path.basename(program)}: exit {done.returncode}: {told}")
    return told
