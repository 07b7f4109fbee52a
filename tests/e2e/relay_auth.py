"""relay_auth - logging in with a smarthost: our own submission service, with every mechanism, and
hosts that refuse; where the password may go; that it is nowhere in the log."""

import base64
import os
import re
import subprocess

import certificates
from harness import case, check, equal, main, until
from relay_world import Net
from scripted_peer import OFFERS, Reply

JOE, TO, PASSWORD = "joe@b.test", "carol@b.test", "open-sesame-17"
LETTER = b"From: joe@b.test\r\nSubject: relay\r\n\r\nwords\r\n"
PLAIN = base64.b64encode(f"\0{JOE}\0{PASSWORD}".encode()).decode()


def submission_port(net):
    """Beyond those that relay_world gives to others."""
    return net.port + 10000


def provider(net):
    """A server of b.test with a submission service, where Joe can log in."""
    server = net.server("mx.b.test", ("b.test",), users=(TO,))
    server.add_user(JOE, PASSWORD)
    server.certificate = certificates.make(server.folder, host="mx.b.test")
    server.sections["tls"] = (f'certificate = "{server.certificate}"  '
                              f'key = "{server.certificate[:-4]}.key"')
    server.ports["submission"] = submission_port(net)
    server.ports["submissions"] = submission_port(net) + 10000
    server.write_config()
    server.restart()
    return server


def relay_of(net, more, port=None):
    """The section relay of a server that hands everything to the provider."""
    words = net.relay().replace("tls = none", "")
    return f'{words} smarthost = "mx.b.test:{port or submission_port(net)}" user = "{JOE}" {more}'


def sender(net, more, port=None):
    return net.server(relay=relay_of(net, more, port))


def secret_is_nowhere(*servers):
    for server in servers:
        for words in (PASSWORD, PLAIN, base64.b64encode(PASSWORD.encode()).decode()):
            check(words not in server.log(), f"the password is in the log of {server.hostname}")


def waits(server, *reasons):
    """One recipient waits, and the queue says why."""
    def shown():
        return server.run("queue", "show", "all")
    for words in reasons:
        until(lambda words=words: words in shown(), f"{words} in the queue: {shown()}")
    equal(server.waiting(), [TO], "what waits")


def logs_in(more, mechanism):
    with Net() as net:
        hop = provider(net)
        server = sender(net, more)
        server.send(TO, sender=JOE, content=LETTER)
        mail, = hop.wait_mail(TO)
        check(b" with ESMTPSA " in mail, "the Received field says ESMTPSA")
        server.wait_log(f"mechanism={mechanism}")
        secret_is_nowhere(server, hop)


@case
def the_strongest_mechanism_is_taken():
    logs_in(f'tls = encrypt password = "{PASSWORD}"', "SCRAM-SHA-256-PLUS")


@case
def each_mechanism_that_is_asked_for():
    for name in ("plain", "login", "scram-sha-256"):
        logs_in(f'tls = encrypt password = "{PASSWORD}" mechanism = {name}', name.upper())


@case
def the_password_comes_from_a_file_or_the_environment():
    with Net() as net:
        hop = provider(net)
        name = os.path.join(hop.folder, "password")
        with open(name, "w", encoding="ascii") as file:
            file.write(PASSWORD + "\n")
        sender(net, f'tls = encrypt password_file = "{name}"').send(TO, sender=JOE, content=LETTER)
        hop.wait_mail(TO)
    os.environ["GODWIT_TEST_PASSWORD"] = PASSWORD
    logs_in('tls = encrypt password = "${GODWIT_TEST_PASSWORD}"', "SCRAM-SHA-256-PLUS")


def over_tls(net, more):
    """Hands everything to the provider, by TLS from the first octet."""
    return sender(net, f"tls_begins = connect {more}", submission_port(net) + 10000)


@case
def tls_from_the_first_octet():
    for more, mechanism in (("", "SCRAM-SHA-256-PLUS"), ("mechanism = plain", "PLAIN")):
        with Net() as net:
            hop = provider(net)
            server = over_tls(net, f'tls = encrypt password = "{PASSWORD}" {more}')
            server.send(TO, sender=JOE, content=LETTER)
            mail, = hop.wait_mail(TO)
            check(b" with ESMTPSA " in mail, "the Received field says ESMTPSA")
            for words in (f"mechanism={mechanism}", "by=setting verified=no"):
                server.wait_log(words)
            check("<- STARTTLS" not in hop.log(), "nobody said STARTTLS")
            secret_is_nowhere(server, hop)


@case
def tls_from_the_first_octet_verifies_too():
    with Net() as net:
        hop = provider(net)
        server = over_tls(net, f'password = "{PASSWORD}"')
        server.send(TO, sender=JOE, content=LETTER)
        waits(server, "certificate")
        check("<- EHLO" not in hop.log(), "nothing was said")
        server.sections["relay"] += f' ca = "{hop.certificate}"'
        server.write_config()
        server.restart()
        hop.wait_mail(TO)
        server.wait_log("by=setting verified=yes")


@case
def tls_from_the_first_octet_is_never_without():
    """A host that speaks in the clear, or nothing, on a port where TLS was expected."""
    with Net() as net:
        hop = provider(net)
        server = sender(net, f'tls = may tls_begins = connect password = "{PASSWORD}"')
        server.send(TO, sender=JOE, content=LETTER)
        waits(server, "is not TLS")
        server.wait_log("no-tls")
        check(re.search(r" no-tls host=\S+ version=\S+ why=", server.log()), "with a version")
        check("<- AUTH" not in hop.log() and "<- MAIL" not in hop.log(), "nothing was said")
        secret_is_nowhere(server, hop)


@case
def a_password_file_that_changes():
    """Its folder is watched: nobody says reload."""
    with Net() as net:
        hop = provider(net)
        name = os.path.join(hop.folder, "password")

        def write(password):
            with open(name + ".new", "w", encoding="ascii") as file:
                file.write(password + "\n")
            os.rename(name + ".new", name)
        write("wrong")
        server = sender(net, f'tls = encrypt password_file = "{name}"')
        server.send(TO, sender=JOE, content=LETTER)
        waits(server, f"AUTH as {JOE}")
        write(PASSWORD)
        hop.wait_mail(TO)
        secret_is_nowhere(server, hop)


@case
def a_certificate_is_verified_unless_tls_says_otherwise():
    with Net() as net:
        hop = provider(net)
        server = sender(net, f'password = "{PASSWORD}"')
        server.send(TO, sender=JOE, content=LETTER)
        waits(server, "certificate")
        check("<- AUTH" not in hop.log(), "nobody tried to log in")
        os.environ["SSL_CERT_FILE"] = hop.certificate
        try:
            server.restart()
        finally:
            del os.environ["SSL_CERT_FILE"]
        hop.wait_mail(TO)


@case
def a_wrong_password_waits_and_is_said_once():
    with Net() as net:
        hop = provider(net)
        server = sender(net, 'tls = encrypt password = "wrong"')
        server.send(TO, sender=JOE, content=LETTER)
        waits(server, "mx.b.test", "535 5.7.8", f"AUTH as {JOE}")
        until(lambda: "login-failed" in server.log() and f"user={JOE}" in server.log(),
              "the failure in the log")
        listed = server.run("queue", "list")
        check("mx.b.test[" in listed and f"AUTH as {JOE}" in listed,
              f"the smarthost and the user in the list: {listed}")
        server.sections["relay"] = relay_of(net, f'tls = encrypt password = "{PASSWORD}"')
        server.write_config()
        server.run("reload")
        hop.wait_mail(TO)
        server.wait_empty()
        secret_is_nowhere(server, hop)


@case
def without_tls_the_password_stays_here():
    with Net() as net:
        hop = provider(net)
        server = sender(net, f'tls = none cleartext = never password = "{PASSWORD}"')
        server.send(TO, sender=JOE, content=LETTER)
        waits(server, "not said without TLS", f"AUTH as {JOE}")
        check("<- AUTH" not in hop.log(), "nobody tried to log in")
        secret_is_nowhere(server, hop)


@case
def to_this_machine_it_goes_in_the_clear():
    with Net() as net:
        hop = provider(net)
        sender(net, f'tls = none password = "{PASSWORD}"').send(TO, sender=JOE, content=LETTER)
        mail, = hop.wait_mail(TO)
        check(b" with ESMTPA " in mail, "the Received field says ESMTPA")


def refused(words, **script):
    """A scripted smarthost; returns it, and the server whose mail waits."""
    with Net() as net:
        host = net.domain("b.test", **script)
        server = sender(net, f'tls = none password = "{PASSWORD}"', net.port)
        server.send(TO, sender=JOE, content=LETTER)
        waits(server, *words)
        check(not host.taken, "nothing was taken")
        secret_is_nowhere(server)
        host.wrongs.clear()    # it knows no AUTH


@case
def a_host_that_offers_no_login():
    refused(("offers no way to log in", f"AUTH as {JOE}"))


@case
def a_host_that_offers_only_others():
    refused(("the server offers GSSAPI",), offers=(*OFFERS, "AUTH GSSAPI"))


@case
def a_host_that_cannot_now():
    refused(("454 4.7.0 later", f"AUTH as {JOE}"), offers=(*OFFERS, "AUTH PLAIN"),
            AUTH="454 4.7.0 later")


@case
def a_host_that_says_yes_to_scram_at_once():
    refused(("before it had shown",), offers=(*OFFERS, "AUTH SCRAM-SHA-256"), AUTH="235 2.7.0 ok")


@case
def a_host_that_asks_for_years_of_computing():
    def first(_, argument):
        nonce = base64.b64decode(argument.split()[1]).split(b"r=")[1]
        words = b"r=" + nonce + b"x,s=QSXCR+Q6sek8bf92,i=2000000000"
        return Reply(b"334 " + base64.b64encode(words) + b"\r\n")
    refused(("more computed", f"AUTH as {JOE}"), offers=(*OFFERS, "AUTH SCRAM-SHA-256"), AUTH=first)


@case
def a_smarthost_that_wants_a_login_bounces_nothing():
    with Net() as net:
        host = net.domain("b.test", MAIL="530 5.7.0 Authentication required")
        words = net.relay(f'smarthost = "mx.b.test:{net.port}"')
        server = net.server(relay=words)
        server.send(TO, sender=JOE, content=LETTER)
        waits(server, "530 5.7.0")
        check(not host.taken, "nothing was taken")


def findings(server):
    """What godwit check says, whatever it comes to."""
    done = subprocess.run([server.program, "check", "-c", server.config], capture_output=True,
                          timeout=60, check=False, text=True)
    return done.stdout + done.stderr


@case
def check_tells_of_passwords():
    with Net() as net:
        hop = provider(net)
        name = os.path.join(hop.folder, "password")
        with open(name, "w", encoding="ascii") as file:
            file.write(PASSWORD + "\n")
        server = sender(net, f'password_file = "{name}"')
        os.chmod(name, 0o644)
        said = findings(server)
        check(f"as {JOE}" in said and "everybody on this machine may read" in said, said)
        check("first octet" not in said, said)
        server.sections["relay"] += " tls = none tls_begins = connect"
        server.write_config()
        check("expects TLS from the first octet" in findings(server), "a port for TLS, and none")
        os.unlink(name)
        said = findings(server)
        check(f"error relay: cannot read {name}" in said, said)
        check(PASSWORD not in said, "the password is told")


if __name__ == "__main__":
    main()
