"""peers_auth - logging in with submission services of other makes, by STARTTLS and by TLS from the
first octet: Postfix with Dovecot's mechanisms, and Exim with its own, with Dovecot's, and with
another TLS library."""

import os
import re
import tempfile

import certificates
import others
from harness import Skip, add_case, check, equal, main, until
from relay_world import Net

PEER, MX = "peer.test", "mx.peer.test"
JOE, PASSWORD = "joe@peer.test", "open-sesame-17"
LETTER = b"From: joe@peer.test\r\nSubject: login\r\n\r\nwords\r\n"
KINDS = {"postfix": others.PostfixSubmission, "exim": others.EximSubmission,
         "exim-dovecot": others.EximByDovecot}
PORTS = (25, 587, 465)


class Pair(Net):
    """A submission service, with a certificate that the sender's authority vouches for, and a
    server of ours that hands it everything."""

    def __init__(self, kind, port):
        if os.getuid() != 0:
            raise Skip("ports below 1024 are for root only")
        super().__init__(port=25, dns_port=53)
        self.kind, self.hop_port = kind, port

    def relay_to(self, more):
        words = self.relay(f'ca = "{self.ca}"').replace("tls = none", "")
        return f'{words} smarthost = "{MX}:{self.hop_port}" user = "{JOE}" {more}'

    def __enter__(self):
        super().__enter__()
        try:
            folder = self.stack.enter_context(tempfile.TemporaryDirectory())
            os.chmod(folder, 0o755)
            self.ca = certificates.authority(folder)
            pem = certificates.signed(folder, MX)
            address = self.next_address()
            self.name(MX, address)
            other = self.stack.enter_context(
                self.kind(address, PEER, self.dns.address, pem, PASSWORD))
            return self.server(relay=self.relay_to(f'password = "{PASSWORD}"')), other
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise

    def restart(self, server, more):
        server.sections["relay"] = self.relay_to(more)
        server.write_config()
        server.restart()


def send(server, other):
    server.send(other.user, sender=JOE, content=LETTER)


def takes_every_mechanism(kind, port):
    net = Pair(kind, port)
    with net as (server, other):
        mechanisms = ("auto", *kind.mechanisms)
        for number, mechanism in enumerate(mechanisms):
            if number:
                net.restart(server, f'password = "{PASSWORD}" mechanism = {mechanism}')
            send(server, other)
            mail = other.wait_mail(number + 1)[-1]
            check(re.search(rb"(?i)tls", mail), "TLS in its Received field")
        strongest = "scram-sha-256" if "scram-sha-256" in mechanisms else "plain"
        other.expect_logins([(name.upper(), JOE) for name in (strongest, *kind.mechanisms)])
        until(lambda: server.log().count("verified=yes") == len(mechanisms),
              "verified hosts in the log")
        check(PASSWORD not in server.log(), "the password is in the log")


def refuses_a_wrong_password(kind, port):
    net = Pair(kind, port)
    with net as (server, other):
        for mechanism in kind.mechanisms:
            net.restart(server, f'password = "wrong" mechanism = {mechanism}')
            send(server, other)
            until(lambda: f"AUTH as {JOE}" in server.run("queue", "show", "all"), "the reason")
            server.wait_log("login-failed")
            server.run("queue", "drop", "all")
        equal((other.mail(), other.logins()), ([], []), "what it took")
        net.restart(server, f'password = "{PASSWORD}"')
        send(server, other)
        other.wait_mail(1)
        server.wait_empty()


for name, one in KINDS.items():
    for hop_port in PORTS:
        for way in (takes_every_mechanism, refuses_a_wrong_password):
            add_case(f"{name}-{hop_port}-{way.__name__.replace('_', '-')}",
                     lambda way=way, one=one, hop_port=hop_port: way(one, hop_port))

if __name__ == "__main__":
    main()
