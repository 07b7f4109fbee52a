"""renewal - certificates that appear and change while nobody says anything: the server's own, and
those that somebody renews behind its back."""

import os
import re
import shutil
import ssl
import subprocess

import harness
from certificates import make, serial, trusting
from harness import Server, World, case, check, equal, need, until
from locked import BOB, MESSAGE, ROLES, Locked

OWN = "data/certificate.pem"


def shown(server, context=None):
    """The serial number of the certificate that pop3s shows."""
    wire = server.connect("pop3s")
    if not context:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    wire.shake(context)
    wire.expect(wire.line(), "+OK")
    octets = wire.sock.getpeercert(binary_form=True)
    wire.say("QUIT", "+OK")
    return octets


def own(server):
    with open(os.path.join(server.folder, OWN), encoding="ascii") as file:
        return file.read()


def public_key(server):
    name = os.path.join(server.folder, OWN)
    return subprocess.run([need("openssl"), "x509", "-noout", "-pubkey", "-in", name],
                          capture_output=True, check=True).stdout


def renewed(server, wanted):
    """Waits until pop3s shows the certificate of this file."""
    until(lambda: shown(server) == ssl.PEM_cert_to_DER_cert(first_certificate(wanted)),
          f"{wanted} in effect")


def first_certificate(name):
    with open(name, encoding="ascii") as file:
        return re.search("-----BEGIN CERTIFICATE-.*?-END CERTIFICATE-----\n", file.read(), re.S)[0]


# --- The server's own ---


@case
def tls_works_without_a_certificate():
    with Server(roles=ROLES, users=[BOB]) as server:
        equal(os.stat(os.path.join(server.folder, OWN)).st_mode & 0o7777, 0o600, "its mode")
        context = trusting(os.path.join(server.folder, OWN))     # it is for mx.example.test
        wire = server.smtp(None)
        check("STARTTLS" in wire.say("EHLO client.test", "250"), "EHLO has no STARTTLS")
        wire.say("STARTTLS", "220 2.0.0")
        wire.shake(context)
        wire.say("EHLO client.test", "250")
        wire.envelope()
        wire.expect(wire.data(MESSAGE), "250")
        reader = server.connect("pop3")
        reader.line()
        check("STLS" in reader.listing("CAPA"), "CAPA has no STLS")
        reader.say("STLS", "+OK")
        reader.shake(context)
        reader.say(f"USER {BOB}", "+OK")
        shown(server, context)
        until(lambda: re.search(r"certificate file=.*/data/certificate.pem .*what=.made by godwit, "
                                r"since tls { } names none", server.log()), "the log says so")
        said = server.run("check")
        check(re.search(r"^warn tls: no certificate is named: the server has made .*certificate.pem"
                        r".*certbot", said, re.M), said)
        check(re.search(r"^ok tls: .*certificate.pem: CN = made by godwit, serial", said, re.M),
              said)
        before = own(server)
        server.run("reload")
        server.restart()
        equal(own(server), before, "the certificate after a restart")


@case
def check_makes_no_certificate():
    world = World(roles=ROLES)
    try:
        world.add_user(BOB)
        said = world.run("check")
        check("the first start makes" in said, said)
        check(not os.path.exists(os.path.join(world.folder, OWN)), "it was made")
    finally:
        world.remove()


def plant(server, name, **settings):
    """A certificate of this common name where the server's own is."""
    make(server.folder, "planted", **settings)
    base = os.path.join(server.folder, "planted")
    with open(base + ".key", encoding="ascii") as key:
        pem = key.read()
    subprocess.run([need("openssl"), "x509", "-new", "-subj", f"/CN={name}", "-days",
                    str(settings.get("days", 90)), "-key", base + ".key", "-out", base + ".pem",
                    "-extfile", "/dev/stdin"], check=True,
                   input=f"subjectAltName=DNS:{settings.get('host', 'mx.example.test')}".encode())
    with open(base + ".pem", encoding="ascii") as certificate:
        pem += certificate.read()
    with open(os.path.join(server.folder, OWN), "w", encoding="ascii") as file:
        file.write(pem)
    return pem


@case
def its_own_is_renewed_with_the_same_key():
    for settings in ({"days": 20}, {"days": 300, "host": "old.example.test"}):
        server = Server(roles=ROLES, users=[BOB])
        before = plant(server, "made by godwit", **settings)
        key = public_key(server)
        with server:
            check(own(server) != before, f"not renewed: {settings}")
            equal(public_key(server), key, "the key")
            shown(server, trusting(os.path.join(server.folder, OWN)))


@case
def its_own_stays_while_it_is_good():
    server = Server(roles=ROLES, users=[BOB])
    before = plant(server, "made by godwit", days=40)
    with server:
        equal(own(server), before, "its own certificate")


@case
def what_somebody_put_there_is_used():
    server = Server(roles=ROLES, users=[BOB])
    before = plant(server, "somebody", days=20)
    with server:
        equal(own(server), before, "the certificate")
        shown(server, trusting(os.path.join(server.folder, OWN)))


@case
def a_damaged_one_is_made_anew():
    server = Server(roles=ROLES, users=[BOB])
    with open(os.path.join(server.folder, OWN), "w", encoding="ascii") as file:
        file.write("nothing\n")
    with server:
        shown(server, trusting(os.path.join(server.folder, OWN)))
        before = own(server)
        os.unlink(os.path.join(server.folder, OWN))
        server.run("reload")
        equal(own(server), before, "what was in effect and came back")


# --- Renewed by others ---


@case
def a_renewed_file_needs_no_word():
    with Locked() as server:
        wire = server.smtp_tls()
        wire.say("MAIL FROM:<a@b.test>", "250")
        with open(server.config, "a", encoding="utf-8") as file:
            file.write("somebody is writing this f")
        make(server.folder)
        renewed(server, server.certificate)
        wire.say("RCPT TO:<bob@example.test>", "250")      # the old session goes on
        wire.expect(wire.data(MESSAGE), "250")
        server.wait_log("reloaded what=.renewed certificates are in effect")
        check("somebody" not in server.log(), "the configuration was read, too")


@case
def a_link_that_leads_elsewhere_needs_no_word():
    """As certbot does it: live/ has links into archive/."""
    server = Server(roles=ROLES, users=[BOB], tls='certificate = "live/mx.pem" key = "live/mx.key"')
    for name in ("live", "archive"):
        os.mkdir(os.path.join(server.folder, name))

    def point(generation):
        make(os.path.join(server.folder, "archive"), generation)
        for kind in ("pem", "key"):
            link = os.path.join(server.folder, "live", f"mx.{kind}")
            if os.path.lexists(link):
                os.unlink(link)
            os.symlink(f"../archive/{generation}.{kind}", link)
        return os.path.join(server.folder, "archive", f"{generation}.pem")

    first = point("one")
    with server:
        renewed(server, first)
        renewed(server, point("two"))
        third = os.path.join(server.folder, "archive", "two")
        make(os.path.join(server.folder, "archive"), "two")    # in place, where the links lead
        renewed(server, third + ".pem")


@case
def a_renewal_that_cannot_be_used_is_told_once():
    with Locked() as server:
        good = shown(server)
        make(server.folder, "other")
        key = os.path.join(server.folder, "mx.key")
        shutil.copy(key, key + ".kept")
        for _ in range(2):
            shutil.copy(os.path.join(server.folder, "other.key"), key)
            server.wait_log("renewal-failed .*does not belong to")
            server.run("mailbox", "list", BOB)
        equal(shown(server), good, "what is in effect")
        shutil.copy(os.path.join(server.folder, "other.pem"), server.certificate)
        renewed(server, server.certificate)
        equal(server.log().count("renewal-failed"), 1, "how often it was told")


@case
def a_pair_of_which_one_may_not_be_read_stays():
    """The certificate is renewed and can be read, its key is root's: nothing is mixed."""
    if os.geteuid() != 0:
        raise harness.Skip("not root")
    server = Locked()
    with open(server.config, encoding="utf-8") as file:
        config = file.read().replace('user = "root"', 'user = "nobody"')
    with open(server.config, "w", encoding="utf-8") as file:
        file.write(config)
    shutil.rmtree(os.path.join(server.folder, "data"))
    os.chmod(server.folder, 0o755)
    os.chmod(os.path.join(server.folder, "mx.key"), 0o600)
    with server:
        good = shown(server)
        make(server.folder)
        os.chmod(os.path.join(server.folder, "mx.key"), 0o600)
        server.signal(1)
        server.wait_log("mx.key stays as it was")
        equal(shown(server), good, "what is in effect")
        check("failed" not in server.log(), "a failure")
        server.run("reload")
        renewed(server, server.certificate)
        equal(serial(server.certificate) != "", True, "a serial")


if __name__ == "__main__":
    harness.main(4)
