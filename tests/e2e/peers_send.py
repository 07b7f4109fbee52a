"""peers_send - godwit send and godwit fetch with servers of other makes: Postfix and Exim take mail
by every mechanism that they offer, Dovecot gives ten thousand messages."""

import os
import shutil
import subprocess
import sys
import tempfile

from fetch import Home
from harness import CASES, TIMEOUT, Skip, add_case, case, check, equal, godwit, main
from peers_auth import JOE, KINDS, MX, PASSWORD, PORTS, Pair

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MANY = 10000
CASES.clear()    # of the suites whose parts are used here


def send(net, other, *words, text=b"words\n", password=PASSWORD):
    with Home() as home:
        return subprocess.run(
            [godwit(), "send", "--from", JOE, "--to", other.user, "--dns", f"{net.dns.address}:53",
             "--ca", net.ca, "--tls", "verify", *words], input=text, capture_output=True,
            cwd=home.folder, env=home.environment(password), timeout=TIMEOUT, check=False)


def sends(kind, port):
    """By each mechanism; then a wrong password."""
    net = Pair(kind, port)
    with net as (_, other):
        place = f"{'smtps' if port == 465 else 'smtp'}://{MX}:{port}"
        for number, mechanism in enumerate(kind.mechanisms):
            done = send(net, other, "--server", place, "--auth", mechanism.upper(),
                        "--subject", "Grüße")
            equal(done.returncode, 0, f"exit by {mechanism}: {done.stderr}")
            check(done.stdout.strip() and done.stdout.strip() != b"sent", "no queue id")
            mail = other.wait_mail(number + 1)[-1]
            check(b"\nwords" in mail and b"=?utf-8?" in mail.lower(), f"{mail}")
        done = send(net, other, "--server", place, password="wrong")
        equal(done.returncode, 77, f"exit with a wrong password: {done.stderr}")
        equal(len(other.mail()), len(kind.mechanisms), "what it took")
        other.expect_logins([(name.upper(), JOE) for name in kind.mechanisms])


for kind_name, kind_of in KINDS.items():
    for port_of in PORTS:
        add_case(f"send-{kind_name}-{port_of}",
                 lambda kind=kind_of, port=port_of: sends(kind, port))


class DovecotBox:
    """Dovecot with many messages, as the benchmark starts it."""

    def __enter__(self):
        if os.getuid() != 0:
            raise Skip("Dovecot must be started by root")
        peers = os.path.join(ROOT, "build", "peers")
        if not os.path.exists(os.path.join(peers, "libraries")):
            raise Skip("no build/peers: tools/peers makes it")
        sys.path.append(os.path.join(ROOT, "bench"))
        import servers
        import world
        self.folder = tempfile.mkdtemp(prefix="godwit-peer-")
        self.server = servers.Dovecot(world.Place("here", self.folder), servers.Peers(peers))
        self.server.start()
        self.server.fill(MANY, 1024)
        self.user, self.password = servers.BOX, servers.PASSWORD
        return self

    def __exit__(self, *why):
        self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def fetch(self, home, *words):
        host, port = self.server.pop3
        done = subprocess.run([godwit(), "fetch", self.user, "--server", f"{host}:{port}", "--tls",
                               "none", *words], cwd=home.folder, capture_output=True, check=False,
                              env=home.environment(self.password), timeout=10 * TIMEOUT)
        equal(done.returncode, 0, f"exit: {done.stderr}")
        return done.stdout.decode()


@case
def ten_thousand_from_dovecot():
    with DovecotBox() as box, Home() as home:
        check(f"{MANY} fetched" in box.fetch(home, "--to", "maildir:M"), "all are fetched")
        equal(len(os.listdir(home.path("M", "new"))), MANY, "messages")
        said = box.fetch(home, "--to", "maildir:M", "--delete")
        check(f"0 fetched, {MANY} here before, {MANY} deleted" in said, said)
        said = box.fetch(home, "--to", "mbox:box")
        check("0 fetched, 0 here before" in said, said)


if __name__ == "__main__":
    main()
