"""requiretls - mail that requires TLS on all of its way, and mail that waives it (RFC 8689): which
hosts it goes to, what comes back, and what it never shares with other mail."""

import ssl
import tempfile

import certificates
from harness import case, check, equal, main, until
from relay_world import ALICE, BOB, MESSAGE
from report import Report
from scripted_peer import OFFERS
from signed_world import WRONG, SignedNet

TO, MX = "carol@b.example", "mx.b.example"
WAIVED = b"TLS-Required: No\r\n" + MESSAGE


class World(SignedNet):
    """The root zone is signed, b.example is in it, and there is an authority for certificates."""

    def __init__(self, **signer):
        super().__init__(**signer)
        self.folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.ca = certificates.authority(self.folder)

    def hop(self, preference=10):
        """A server of b.example, which announces REQUIRETLS."""
        server = self.server(MX, ("b.example",), users=(TO,))
        pem = certificates.signed(self.folder, MX)
        server.sections["tls"] = f'certificate = "{pem}"  key = "{pem[:-4]}.key"'
        server.write_config()
        server.restart()
        if preference != 10:
            self.dns.table["b.example"].clear()
            self.mx("b.example", (preference, MX))
        return server

    def secure_peer(self, *names, certified, address=None, offers=OFFERS):
        """A scripted host with TLS; the offers are those behind it."""
        pem = certificates.signed(self.folder, certified)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem, pem[:-4] + ".key")
        host = self.peer(*names, address=address)
        host.secure(context, offers)
        return host

    def host(self, name="mx2.b.example", preference=10, offers=OFFERS):
        """A scripted host of b.example with TLS."""
        self.mx("b.example", (preference, name))
        return self.secure_peer(name, certified=name, offers=offers)

    def sender(self, tls="may", more=""):
        """A server that believes what the zone's key has signed, and the authority."""
        return super().sender(tls, f'ca = "{self.ca}"  {more}')


def secured(server):
    """A session with a server of ours, through TLS."""
    wire = server.smtp()
    wire.say("STARTTLS", "220")
    wire.shake(certificates.trusting(), server.hostname)
    check("REQUIRETLS" in wire.say("EHLO client.test", "250"), "EHLO has no REQUIRETLS")
    return wire


def send(server, *to, sender=ALICE, mail=" REQUIRETLS", rcpt="", content=MESSAGE):
    wire = secured(server)
    wire.say(f"MAIL FROM:<{sender}>{mail}", "250")
    for address in to or (TO,):
        wire.say(f"RCPT TO:<{address}>{rcpt}", "250")
    wire.expect(wire.data(content), "250 2.0.0 accepted as ")
    wire.say("QUIT", "221")
    wire.close()
    server.wires.remove(wire)


def bounced(server, status, words):
    """The sender is told at once, with no more than the header; nothing waits."""
    octets, = server.wait_mail(ALICE)
    report = Report(octets)
    report.expect(TO, "failed", status)
    check(words in report.words, report.words)
    check(not report.whole, "the whole message came back")
    server.wait_empty()
    return report


# --- Coming in ---


@case
def nobody_may_ask_for_it_in_the_clear():
    with World() as world:
        wire = world.sender().smtp(None)
        check("REQUIRETLS" not in wire.say("EHLO client.test", "250"), "EHLO has REQUIRETLS")
        wire.say(f"MAIL FROM:<{ALICE}> REQUIRETLS", "555 5.5.4")


@case
def a_mailbox_of_ours_is_no_way():
    with World() as world:
        server = world.sender()
        send(server, BOB)
        server.wait_mail(BOB)


# --- Going out ---


@case
def dnssec_vouches_for_the_host_and_an_authority_for_its_certificate():
    with World() as world:
        hop, server = world.hop(), world.sender()
        send(server)
        hop.wait_mail(TO)
        server.wait_log("by=requiretls verified=yes")
        hop.wait_log(" REQUIRETLS")


@case
def the_configuration_names_the_host():
    with World(insecure=("example",)) as world:
        world.dns.add("example NS ns.example")
        hop = world.hop()
        server = world.sender(more=f'route "b.example" {{ host = "{MX}:{world.port}" }}')
        send(server)
        hop.wait_mail(TO)
        server.wait_log("by=requiretls verified=yes")


@case
def a_host_that_nobody_vouches_for_is_not_called():
    with World(insecure=("example",)) as world:
        world.dns.add("example NS ns.example")
        host = world.host(offers=(*OFFERS, "REQUIRETLS"))
        server = world.sender("verify")
        send(server, mail=" REQUIRETLS RET=FULL")
        bounced(server, "5.7.30", "vouches")
        check(not host.sessions, "it was called")


@case
def a_host_that_does_not_promise_the_same():
    with World() as world:
        host, server = world.host(), world.sender()
        send(server, mail=" REQUIRETLS RET=FULL")
        bounced(server, "5.7.30", "REQUIRETLS")
        check(not host.count("MAIL"), "something was said of the message")
        equal(host.count("QUIT"), 1, "QUIT")


@case
def a_host_without_tls():
    with World() as world:
        host, server = world.domain("b.example"), world.sender()
        send(server)
        bounced(server, "5.7.10", "REQUIRETLS")
        check(not host.count("MAIL"), "something was said of the message")


@case
def the_next_host_may_do():
    with World() as world:
        hop = world.hop(preference=30)
        first, second = world.host(), world.host(name="mx3.b.example", preference=20)
        server = world.sender()
        send(server)
        hop.wait_mail(TO)
        check(first.sessions and second.sessions, "the others were not asked")
        check(not first.count("MAIL") and not second.count("MAIL"), "they heard of the message")
        server.wait_empty()
        equal(server.messages(ALICE), [], "reports")


@case
def a_certificate_of_nobody_known_waits():
    with World() as world:
        hop = world.hop()
        pem = certificates.make(hop.folder, host=MX)
        hop.sections["tls"] = f'certificate = "{pem}"  key = "{pem[:-4]}.key"'
        hop.write_config()
        hop.restart()
        server = world.sender()
        send(server)
        until(lambda: "certificate" in server.run("queue", "show", "all"), "a reason in the queue")
        equal(server.waiting(), [TO], "what waits")
        check(not hop.messages(TO), "it was delivered")


@case
def it_shares_nothing_with_other_mail():
    """In one domain, at one time: what requires nothing goes to a host that the rest may not use,
    and is told of no failure of the rest."""
    with World() as world:
        host, server = world.host(), world.sender()
        for _ in range(3):
            send(server)
            send(server, mail="")
        host.wait(3)
        equal({" ".join(one.parameters).count("REQUIRETLS") for one in host.taken}, {0},
              "parameters")
        server.wait_mail(ALICE, 3)
        server.wait_empty()


@case
def it_is_remembered():
    """While it waits, over a restart and over an index that is made anew."""
    with World() as world:
        world.mx("b.example", (10, MX))
        address = world.nobody(MX)
        server = world.sender()
        send(server)
        until(lambda: "refused" in server.run("queue", "show", "all"), "a first attempt")
        server.end()
        server.run("check", "--rebuild")
        server.start()
        check("REQUIRETLS" in server.run("queue", "show", "domain:b.example"), "what it said")
        check("b.example requiretls: 1 recipient" in server.run("queue", "list"), "its line")
        world.secure_peer(address=address, certified=MX)
        server.run("queue", "retry", "all")
        bounced(server, "5.7.30", "REQUIRETLS")


# --- Reports ---


@case
def a_report_needs_what_the_message_needed():
    with World() as world:
        hop = world.hop()
        world.domain("c.example")
        server = world.sender()
        send(server, "x@c.example", sender=TO, mail=" REQUIRETLS RET=FULL")
        octets, = hop.wait_mail(TO)
        report = Report(octets)
        report.expect("x@c.example", "failed", "5.7.10")
        check(not report.whole, "the whole message came back")
        hop.wait_log("MAIL FROM:<> .*REQUIRETLS")


@case
def a_report_waives_what_the_message_waived():
    with World() as world:
        hop = world.hop()
        world.dns.add(f"_{world.port}._tcp.{MX} TLSA {WRONG}")
        world.domain("c.example", RCPT="550 5.1.1 nobody")
        server = world.sender()
        send(server, "x@c.example", sender=TO, mail="", content=WAIVED)
        octets, = hop.wait_mail(TO)
        equal(Report(octets).message["TLS-Required"], "No", "TLS-Required of the report")


# --- TLS-Required: No ---


@case
def what_a_domain_publishes_is_waived():
    with World() as world:
        hop = world.hop()
        world.dns.add(f"_{world.port}._tcp.{MX} TLSA {WRONG}")
        server = world.sender()
        send(server, mail="")
        until(lambda: "TLSA" in server.run("queue", "show", "all"), "a reason in the queue")
        send(server, mail="", content=WAIVED)
        mail, = hop.wait_mail(TO)
        check(b"TLS-Required: No\r\n" in mail and b" with ESMTPS " in mail, "as it was sent")
        equal(server.waiting(), [TO], "what waits")


@case
def what_the_operator_wants_is_not():
    with World() as world:
        host, server = world.domain("b.example"), world.sender("encrypt")
        send(server, mail="", content=WAIVED)
        until(lambda: "TLS is required" in server.run("queue", "show", "all"), "a reason")
        check(not host.count("MAIL"), "something was said of the message")


@case
def the_parameter_has_the_last_word():
    with World() as world:
        server = world.sender()
        world.host()
        send(server, content=WAIVED)
        bounced(server, "5.7.30", "REQUIRETLS")


if __name__ == "__main__":
    main()
