"""peers_agent - godwit agent with submission services of other makes: Postfix with Dovecot's
mechanisms, and Exim with its own and with Dovecot's; behind STARTTLS on 25 and 587, and on 465,
with certificates verified by name."""

import contextlib
import os
import tempfile

import certificates
import others
from agent_world import Home
from harness import Skip, add_case, check, equal, main
from relay_world import Net

PEER, MX = "peer.test", "mx.peer.test"
JOE, PASSWORD = "joe@peer.test", "open-sesame-17"
KINDS = {"postfix": others.PostfixSubmission, "exim": others.EximSubmission,
         "exim-dovecot": others.EximByDovecot}
PORTS = (25, 587, 465)


@contextlib.contextmanager
def service(kind):
    """The service, and what the agent is told to find it."""
    if os.getuid() != 0:
        raise Skip("ports below 1024 are for root only")
    with Net(port=25, dns_port=53) as net, tempfile.TemporaryDirectory() as folder, Home() as home:
        os.chmod(folder, 0o755)
        authority = certificates.authority(folder)
        pem = certificates.signed(folder, MX)
        address = net.next_address()
        net.name(MX, address)
        with kind(address, PEER, net.dns.address, pem, PASSWORD) as other:
            words = ["-e", JOE, "--dns", f"{net.dns.address}:53", "--ca", authority, "--tls",
                     "verify"]
            yield other, home, words


def letter(other):
    return ["smtp", other.user, "", "Grüße", "words from the agent"]


def sends_by_every_mechanism(kind, port):
    with service(kind) as (other, home, words):
        for number, mechanism in enumerate(kind.mechanisms, 1):
            talk = home.pipe(letter(other), *words, "-p", PASSWORD, "--smtp", f"{MX}:{port}",
                             "--auth", mechanism.upper(), "--trace")
            talk.has("certificate verified", f"C: AUTH {mechanism.upper()}")
            equal(talk.told, "", "nothing went wrong")
            mail = other.wait_mail(number)[-1]
            check(b"d29yZHMgZnJvbSB0aGUgYWdlbnQ" in mail, mail)
        other.expect_logins([(name.upper(), JOE) for name in kind.mechanisms])


def refuses_a_wrong_password(kind, port):
    with service(kind) as (other, home, words):
        talk = home.pipe(letter(other), *words, "-p", "wrong", "--smtp", f"{MX}:{port}")
        talk.complains(f"{MX}[", f"]:{port}, at the login: 535 ", "check the address and the")
        equal((other.mail(), other.logins()), ([], []), "what it took")


for name, one in KINDS.items():
    for one_port in PORTS:
        for way in (sends_by_every_mechanism, refuses_a_wrong_password):
            add_case(f"{name}-{one_port}-{way.__name__.replace('_', '-')}",
                     lambda way=way, one=one, one_port=one_port: way(one, one_port))

if __name__ == "__main__":
    main()
