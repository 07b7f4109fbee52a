"""tls_clients - real programs over TLS: every way in, every mechanism that they have, wrong
passwords, and certificates that they must not take.

A program that is not installed is skipped by its name, and so is a mechanism that it was built
without.
"""

import os
import poplib
import re
import smtplib
import ssl
import subprocess

import harness
from certificates import make, trusting
from harness import Skip, add_case, case, check, content_of, equal, need
from locked import ALICE, BOB, Doors, b64

MESSAGE = (b"From: bob@example.test\r\nTo: alice@example.test\r\nSubject: locks\r\n"
           b"Date: Sat, 21 Nov 2026 07:41:27 +0000\r\nMessage-ID: <1.2@example.test>\r\n\r\n"
           b"first\r\n.dot\r\nlast\r\n")
RIGHT, WRONG = "secret", "wrong"
REFUSED = re.compile("535 5.7.8|535|wrong user name or password|uthenticat|uthoriz|ogin", re.ASCII)


class Told:
    """How a client ended, and what it said."""

    def __init__(self, well, words=""):
        self.well, self.words = well, words


def run(program, *words, text=b"", env=None):
    done = subprocess.run([program, *words], input=text, capture_output=True, check=False,
                          timeout=60, env=dict(os.environ, **(env or {})))
    return Told(done.returncode == 0, (done.stdout + done.stderr).decode("utf-8", "replace"))


class Place:
    """Where a client goes: a server's port, by its address, and what it should trust."""

    def __init__(self, server, role, trust=None):
        self.server, self.role, self.trust = server, role, trust or server.certificate
        self.host, self.port = server.address, server.ports[role]
        self.implicit = role in ("submissions", "pop3s")
        self.context = trusting(self.trust)

    def file(self, name, text, mode=0o600):
        path = os.path.join(self.server.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path


def reached(**certificate):
    """A server whose certificate is for its address too, or what else is wished."""
    server = Doors(abuse="errors = 0  logins = 0")
    settings = {"host": f"{server.hostname},IP:{server.address}", **certificate}
    server.certificate = make(server.folder, **settings)
    return server


# --- Those that send ---


def by_smtplib(place, mechanism, password):
    try:
        kind = smtplib.SMTP_SSL if place.implicit else smtplib.SMTP
        words = {"context": place.context} if place.implicit else {}
        with kind(place.host, place.port, "client.test", timeout=30, **words) as client:
            if not place.implicit:
                client.starttls(context=place.context)
            client.ehlo()
            client.user, client.password = BOB, password
            client.auth(mechanism, getattr(client, f"auth_{mechanism.lower()}"))
            client.sendmail(BOB, [ALICE], MESSAGE)
    except (smtplib.SMTPException, ssl.SSLError) as error:
        return Told(False, str(error))
    return Told(True)


def by_swaks(place, mechanism, password):
    return run(need("swaks"), "--server", place.host, "--port", str(place.port), "--helo",
               "client.test", "--tls-on-connect" if place.implicit else "--tls", "--tls-verify",
               "--tls-ca-path", place.trust, "--auth", mechanism, "--auth-user", BOB,
               "--auth-password", password, "--from", BOB, "--to", ALICE, "--data",
               place.file("message", MESSAGE.decode().replace("\r\n", "\\n")[:-2]))


def curl_words(place, mechanism, password):
    if mechanism.startswith("SCRAM") and "gsasl" not in run(need("curl"), "--version").words:
        raise Skip(f"this curl has no {mechanism}")
    return ["-sS", "--ssl-reqd", "--cacert", place.trust, "--user", f"{BOB}:{password}",
            "--login-options", f"AUTH={mechanism}"]


def by_curl(place, mechanism, password):
    scheme = "smtps" if place.implicit else "smtp"
    return run(need("curl"), *curl_words(place, mechanism, password), "--mail-from", BOB,
               "--mail-rcpt", ALICE, "--upload-file", "-",
               f"{scheme}://{place.host}:{place.port}/client.test", text=MESSAGE)


def has_mechanism(program, mechanism):
    """Whether one of the brothers msmtp and mpop was built with it."""
    if mechanism.lower() not in run(program, "--version").words.lower().split():
        raise Skip(f"this {os.path.basename(program)} has no {mechanism}")
    return mechanism.lower()


def by_msmtp(place, mechanism, password):
    program = need("msmtp")
    return run(program, "--file=/dev/null", f"--host={place.host}", f"--port={place.port}",
               "--domain=client.test", f"--auth={has_mechanism(program, mechanism)}", "--tls=on",
               f"--tls-starttls={'off' if place.implicit else 'on'}",
               f"--tls-trust-file={place.trust}", f"--user={BOB}", f"--from={BOB}",
               f"--passwordeval=echo {password}", ALICE, text=MESSAGE.replace(b"\r\n", b"\n"))


def by_neomutt(place, mechanism, password):
    """It never asks, and trusts one file.  Left to itself, the one of Debian 12 chooses -PLUS and
    then has nothing to bind to."""
    scheme, user = "smtps" if place.implicit else "smtp", BOB.replace("@", "%40")
    config = place.file("muttrc", f"""
set from = "{BOB}"
set hostname = "client.test"
set ssl_ca_certificates_file = "{place.trust}"
set certificate_file = "/dev/null"
set ssl_starttls = yes
set ssl_force_tls = yes
set abort_nosubject = no
set copy = no
set folder = "{place.server.folder}"
set smtp_url = "{scheme}://{user}@{place.host}:{place.port}/"
set smtp_authenticators = "{mechanism.lower()}"
set smtp_pass = "{password}"
""")
    return run(need("neomutt"), "-n", "-F", config, "-s", "locks", ALICE,
               text=b"first\n.dot\nlast\n",
               env={"TERM": "dumb", "HOME": place.server.folder})


def by_gsasl(place, mechanism, password):
    """GNU SASL's own client logs in and goes; it has no other way than STARTTLS."""
    if place.implicit:
        return None
    return run(need("gsasl"), "--smtp", "--client", "--connect", f"{place.host}:{place.port}",
               "--mechanism", mechanism, "--authentication-id", BOB, "--authorization-id", "",
               "--password", password, "--x509-ca-file", place.trust, "--hostname", "client.test",
               "--service", "smtp", "--verbose",
               # Whoever could bind must (RFC 5802 6), unless told not to.
               *(() if mechanism.endswith("-PLUS") else ("--no-cb",)), text=b"QUIT\r\n")


SENDERS = {by_smtplib: ("PLAIN", "LOGIN"), by_swaks: ("PLAIN", "LOGIN"),
           by_curl: ("PLAIN", "LOGIN", "SCRAM-SHA-256"),
           by_msmtp: ("PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"),
           by_neomutt: ("PLAIN", "LOGIN"),
           by_gsasl: ("PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS")}
SUBMIT = ("submission", "submissions", "smtp")


def refused(told, who):
    check(not told.well, f"{who} took a wrong password for a right one: {told.words}")
    check(REFUSED.search(told.words), f"{who} said {told.words}")


def sends(client, mechanism):
    def test():
        with reached() as server:
            arrived = 0
            for role in SUBMIT:
                place = Place(server, role)
                told = client(place, mechanism, WRONG)
                if told is None:
                    continue
                refused(told, f"{client.__name__} at {role}")
                told = client(place, mechanism, RIGHT)
                check(told.well, f"{client.__name__} at {role}: {told.words}")
                arrived += client is not by_gsasl
            found = server.messages(ALICE, "wonder")
            equal(len(found), arrived, "messages")
            for message in found:
                check(b"with ESMTPSA id" in message, f"{message!r}")
                check(message.endswith(b"\r\n\r\nfirst\r\n.dot\r\nlast\r\n"), f"{message!r}")
    add_case(f"{client.__name__[3:]}-sends-{mechanism.lower()}", test)


# --- Those that read ---


def by_poplib(place, _, password):
    try:
        if place.implicit:
            client = poplib.POP3_SSL(place.host, place.port, timeout=30, context=place.context)
        else:
            client = poplib.POP3(place.host, place.port, timeout=30)
            client.stls(place.context)
        client.user(BOB)
        client.pass_(password)
        text = b"\r\n".join(client.retr(1)[1])
        client.quit()
    except (poplib.error_proto, ssl.SSLError) as error:
        return Told(False, str(error))
    return Told(True, text.decode())


def curl_reads(place, mechanism, password):
    scheme = "pop3s" if place.implicit else "pop3"
    return run(need("curl"), *curl_words(place, mechanism, password),
               f"{scheme}://{place.host}:{place.port}/1")


def what(place, name, told):
    """What a client put into a file, behind its own words."""
    path = os.path.join(place.server.folder, name)
    if told.well and os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            told.words += file.read()
        os.unlink(path)
    return told


def by_mpop(place, mechanism, password):
    program = need("mpop")
    config = place.file("mpoprc", f"""account x
host {place.host}
port {place.port}
user {BOB}
password {password}
auth {has_mechanism(program, mechanism)}
tls on
tls_starttls {'off' if place.implicit else 'on'}
tls_trust_file {place.trust}
keep on
delivery mbox {place.server.folder}/box
uidls_file {place.server.folder}/uidls-{place.role}
""")
    return what(place, "box", run(program, "-C", config, "x"))


def by_fetchmail(place, _, password):
    keeper = place.file("keep", f"#!/bin/sh\ncat >{place.server.folder}/box\n", 0o700)
    config = place.file("fetchmailrc", f"""poll {place.host} protocol POP3 service {place.port} \
auth password no dns
  user "{BOB}" there with password "{password}" is "root" here
  mda "{keeper}" fetchall keep no rewrite {'ssl' if place.implicit else 'sslproto "TLS1.2+"'}
  sslcertck sslcertfile "{place.trust}" sslcommonname "mx.example.test"
""")
    return what(place, "box", run(need("fetchmail"), "-f", config, "--invisible", "--nosyslog",
                                  env={"FETCHMAILHOME": place.server.folder,
                                       "HOME": place.server.folder}))


READERS = {by_poplib: ("USER",), curl_reads: ("PLAIN", "LOGIN", "SCRAM-SHA-256"),
           by_mpop: ("USER", "PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"),
           by_fetchmail: ("USER",)}


def reads(client, mechanism):
    def test():
        with reached() as server:
            server.deliver(MESSAGE)
            for role in ("pop3", "pop3s"):
                place = Place(server, role)
                refused(client(place, mechanism, WRONG), f"{client.__name__} at {role}")
                told = client(place, mechanism, RIGHT)
                check(told.well, f"{client.__name__} at {role}: {told.words}")
                check("Subject: locks" in told.words, f"{client.__name__} found {told.words}")
            equal(content_of(server.only_message(BOB)), MESSAGE, "content")
    name = client.__name__.removeprefix("by_").removesuffix("_reads")
    add_case(f"{name}-reads-{mechanism.lower()}", test)


for each, mechanisms in SENDERS.items():
    for one in mechanisms:
        sends(each, one)
for each, mechanisms in READERS.items():
    for one in mechanisms:
        reads(each, one)


# --- Certificates that they must not take ---


# swaks and gsasl do not ask whose certificate it is.
NAMELESS = (by_swaks, by_gsasl)
CERTIFICATES = {"of-a-stranger": {}, "of-another-name": {"host": "other.test"},
                "that-has-expired": {"days": -2}}


def distrusts(client, wrong):
    def test():
        if client in NAMELESS and wrong == "of-another-name":
            raise Skip("it takes a certificate for any name")
        with reached(**CERTIFICATES[wrong]) as server:
            server.deliver(MESSAGE)
            trust = make(server.folder, "stranger") if wrong == "of-a-stranger" else None
            for role in SUBMIT if client in SENDERS else ("pop3", "pop3s"):
                mechanism = (SENDERS | READERS)[client][0]
                told = client(Place(server, role, trust), mechanism, RIGHT)
                check(told is None or not told.well, f"at {role}: {told and told.words}")
            check("outcome=ok" not in server.log(), "it logged in all the same")
            equal(server.messages(ALICE, "wonder"), [], "messages")
    name = client.__name__.removeprefix("by_").replace("_", "-")
    add_case(f"{name}-distrusts-a-certificate-{wrong}", test)


for each in (*SENDERS, *READERS):
    for one in CERTIFICATES:
        distrusts(each, one)


# --- Clients on bare sockets, as users wrote them ---


class Dialogue:
    """S18: greets, logs in with base64, shows both sides, stops at a code that is not expected."""

    def __init__(self, wire):
        self.wire, self.shown = wire, []

    def hear(self, code):
        said = self.wire.reply()
        self.shown.append(f"S: {said}")
        self.wire.expect(said, code)
        return said

    def say(self, line, code):
        self.shown.append(f"C: {line}")
        self.wire.send(line.encode() + b"\r\n")
        return self.hear(code)

    def send(self, sender, password, recipients, content):
        self.say("AUTH LOGIN", "334 VXNlcm5hbWU6")
        self.say(b64(sender), "334 UGFzc3dvcmQ6")
        self.say(b64(password), "235")
        self.say(f"MAIL FROM: <{sender}>", "250")
        for recipient in recipients:
            self.say(f"RCPT TO: <{recipient}>", "250")
        self.say("DATA", "354")
        self.wire.send(content)
        self.say(".", "250")
        self.say("QUIT", "221")


CONTENT = (b"from: bob@example.test\r\nto: alice@example.test\r\nsubject: hi\r\n"
           b"Content-Type:text/plain\t\n\r\nhello\r\n")


@case
def s17_bare_sockets_log_in_after_helo():
    """On 25 and 587, in the clear from this machine: HELO with a literal, verbs of any case."""
    with Doors() as server:
        for role in ("smtp", "submission"):
            client = Dialogue(server.connect(role))
            client.hear("220")
            client.say("helo [192.168.56.1]", "250")
            client.send(BOB, "secret", [ALICE], CONTENT)
        found = server.messages(ALICE, "wonder")
        equal(len(found), 2, "messages")
        for message in found:
            check(b"\r\nContent-Type:text/plain\t\r\n" in message, f"{message!r}")
            check(b"\r\nMessage-ID: <" in message, f"{message!r}")
            check(message.endswith(b"\r\n\r\nhello\r\n"), f"{message!r}")


@case
def s18_the_provider_wants_tls_first():
    """Ports 25, 465 and 587; where passwords need TLS the server's words say so."""
    with Doors(auth='cleartext = "never"') as server:
        client = Dialogue(server.connect("submission"))
        client.hear("220")
        client.say("EHLO client", "250")
        client.say("AUTH LOGIN", "538 5.7.11 log in over TLS only: say STARTTLS first")
        for role in ("submission", "submissions", "smtp"):
            client = Dialogue(server.doorstep(role))
            client.wire.shake(server.trusting())
            if role == "submissions":
                client.hear("220")
            client.say("EHLO client", "250")
            client.send(BOB, "secret", [ALICE, BOB], CONTENT)
        wire = server.open("pop3s")
        wire.say(f"USER {BOB}", "+OK")
        wire.say("PASS secret", "+OK maildrop has 3 messages")


@case
def s18_a_wrong_password_is_told():
    with Doors() as server:
        client = Dialogue(server.open("submissions", hello="EHLO client"))
        client.say("AUTH LOGIN", "334 VXNlcm5hbWU6")
        client.say(b64(BOB), "334 UGFzc3dvcmQ6")
        client.say(b64("wrong"), "535 5.7.8")
        client.say("AUTH LOGIN", "334")
        client.say(b64("nobody"), "334")
        client.say(b64("wrong"), "535 5.7.8")
        client.say("QUIT", "221")


if __name__ == "__main__":
    harness.main(side_by_side=2)
