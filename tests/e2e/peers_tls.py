"""peers_tls - Postfix with TLS on the other side, as next hop and as sender: DANE in a signed zone,
and MTA-STS.  Whom Postfix believes as sender comes from Unbound, which validates."""

import contextlib
import os
import re
import tempfile

import certificates
import others
from dns_signer import anchor
from harness import Skip, add_case, check, equal, main, until
from relay_world import ALICE, BOB
from signed_world import WRONG, SignedNet, tlsa
from web_policy import PolicyNet, policy_of

PEER, MX, OURS = "peer.example", "mx.peer.example", "mx.a.test"
TO = f"{others.USER}@{PEER}"
LETTER = b"From: carol@peer.example\r\nTo: bob@a.test\r\nSubject: peers\r\n\r\nwords\r\n"
WITH_TLS = """
smtpd_tls_security_level = may
smtpd_tls_chain_files = {key}, {pem}
smtpd_tls_loglevel = 1
smtpd_tls_received_header = yes
"""
WITH_DANE = """
smtp_tls_security_level = dane
smtp_dns_support_level = dnssec
smtp_tls_loglevel = 1
"""


def need_root():
    if os.getuid() != 0:
        raise Skip("port 25 is for root only")


@contextlib.contextmanager
def folder():
    """Where Postfix finds a key."""
    with tempfile.TemporaryDirectory() as path:
        os.chmod(path, 0o755)
        yield path


def postfix_at(net, more=""):
    """A Postfix that is the one MX host of its domain."""
    address = net.next_address()
    net.name(MX, address)
    net.mx(PEER, (10, MX))
    return net.stack.enter_context(others.Postfix(address, PEER, dns=net.dns.address, more=more))


def with_certificate(pem):
    return WITH_TLS.format(pem=pem, key=pem[:-4] + ".key")


def said_in_clear(postfix):
    """What Postfix counted of commands behind EHLO in sessions that had no TLS."""
    return [line for line in re.findall(r"disconnect from .*", postfix.said())
            if "starttls=1" not in line and re.search(r"\b(mail|rcpt|data|auth)=", line)]


def delivered(sender, postfix, verified):
    """It arrives through TLS, and our log says whom we found."""
    sender.send(TO)
    mail, = postfix.wait_mail(1)
    check(re.search(rb"using TLSv1\.[23] with cipher", mail), "TLS in its Received field")
    sender.wait_log(f"verified={verified}")
    equal(said_in_clear(postfix), [], "what was said in the clear")


def waits(sender, postfix, words):
    """It does not arrive; the queue says why, and Postfix has heard nothing of it."""
    sender.send(TO)
    until(lambda: words in sender.run("queue", "show", "all"), f"'{words}' in the queue")
    equal(sender.waiting(), [TO], "what waits")
    equal(postfix.mail(), [], "mail there")
    check(not re.search(r"disconnect from .* (mail|rcpt|data)=", postfix.said()),
          "it was told of the message")


# DANE: Postfix is the next hop

def signed_net():
    need_root()
    return SignedNet(port=25, dns_port=53)


def the_key_is_in_the_zone():
    with signed_net() as net, folder() as path:
        pem = certificates.make(path, host=MX)
        net.publish(MX, tlsa(3, 1, 1, pem))
        delivered(net.sender(), postfix_at(net, with_certificate(pem)), "dane")


def its_authority_is_in_the_zone():
    with signed_net() as net, folder() as path:
        authority = certificates.authority(path)
        pem = certificates.signed(path, MX)
        net.publish(MX, tlsa(2, 0, 1, authority))
        delivered(net.sender("dane"), postfix_at(net, with_certificate(pem)), "dane")


def another_key_is_in_the_zone():
    with signed_net() as net, folder() as path:
        net.publish(MX, WRONG)
        waits(net.sender(), postfix_at(net, with_certificate(certificates.make(path, host=MX))),
              "TLSA")


def the_zone_has_a_key_and_the_host_no_tls():
    with signed_net() as net:
        net.publish(MX, WRONG)
        waits(net.sender(), postfix_at(net), "TLS is required")


# MTA-STS: Postfix is the next hop

def policy_net():
    need_root()
    return PolicyNet(PEER, policy_of(MX), port=25, dns_port=53)


def the_policy_is_kept():
    with policy_net() as net, folder() as path:
        pem = certificates.signed(path, MX, net.folder)
        delivered(net.sender(), postfix_at(net, with_certificate(pem)), "yes")


def the_certificate_names_another():
    with policy_net() as net, folder() as path:
        pem = certificates.signed(path, "other.peer.example", net.folder)
        waits(net.sender(), postfix_at(net, with_certificate(pem)), "ostname mismatch")


def nobody_vouches_for_the_certificate():
    with policy_net() as net, folder() as path:
        pem = certificates.make(path, host=MX)
        waits(net.sender(), postfix_at(net, with_certificate(pem)), "certificate")


def there_is_a_policy_and_no_tls():
    with policy_net() as net:
        waits(net.sender(), postfix_at(net), "TLS is required")


# DANE: Postfix is the sender

@contextlib.contextmanager
def dane_client(record, level="dane"):
    """A server of ours with this record for it, `record(pem)`, and a Postfix that looks for it."""
    with signed_net() as net:
        server = net.server()
        pem = certificates.make(server.folder, host=OURS)
        server.sections["tls"] = f'certificate = "{pem}"  key = "{pem[:-4]}.key"'
        server.write_config()
        server.restart()
        if record:
            net.publish(OURS, record(pem))
        address = net.next_address()
        net.stack.enter_context(others.Unbound(address, net.dns.address, anchor()))
        postfix = net.stack.enter_context(others.Postfix(
            net.next_address(), PEER, dns=address, more=WITH_DANE.replace("= dane", f"= {level}")))
        yield server, postfix


def postfix_verifies_us(level):
    with dane_client(lambda pem: tlsa(3, 1, 1, pem), level) as (server, postfix):
        postfix.submit(LETTER, TO, BOB, ALICE)
        mail, = server.wait_mail(BOB, 1, 60)
        check(b" with ESMTPS " in mail, "the Received field says ESMTPS")
        until(lambda: "Verified TLS connection established to" in postfix.said(), "it verified us")


def postfix_does_not_find_us():
    with dane_client(lambda pem: WRONG) as (server, postfix):
        postfix.submit(LETTER, TO, BOB)
        until(lambda: "status=deferred (Server certificate not verified" in postfix.said(),
              "Postfix defers", 60)
        equal(server.messages(BOB), [], "messages")
        check("<- MAIL" not in server.log(), "we were told of the message")


def postfix_wants_a_record():
    with dane_client(None, "dane-only") as (server, postfix):
        postfix.submit(LETTER, TO, BOB)
        until(lambda: "status=deferred" in postfix.said(), "Postfix defers", 60)
        equal(server.messages(BOB), [], "messages")


for case in (the_key_is_in_the_zone, its_authority_is_in_the_zone, another_key_is_in_the_zone,
             the_zone_has_a_key_and_the_host_no_tls):
    add_case("dane-" + case.__name__.replace("_", "-"), case)
for case in (the_policy_is_kept, the_certificate_names_another, nobody_vouches_for_the_certificate,
             there_is_a_policy_and_no_tls):
    add_case("mta-sts-" + case.__name__.replace("_", "-"), case)
for one in ("dane", "dane-only"):
    add_case(f"{one}-postfix-verifies-us", lambda one=one: postfix_verifies_us(one))
add_case("dane-postfix-does-not-find-us", postfix_does_not_find_us)
add_case("dane-only-postfix-wants-a-record", postfix_wants_a_record)

if __name__ == "__main__":
    main()
