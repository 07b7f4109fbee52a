"""relay_tls - STARTTLS with the next hop: what each value of relay.tls wants, and what happens when
the next hop has no TLS, broken TLS, or a certificate that nobody vouches for."""

import certificates
from harness import case, check, equal, main, until
from relay_world import ALICE, Net
from scripted_peer import CUT, OFFERS, Reply

TO = "carol@b.test"


def other(net, folder_of=None):
    """A server of b.test with a certificate of its own."""
    server = net.server("mx.b.test", ("b.test",), users=(TO,))
    certificate = certificates.make(server.folder, host="mx.b.test")
    server.sections["tls"] = f'certificate = "{certificate}"  key = "{certificate[:-4]}.key"'
    server.write_config()
    server.restart()
    return server


def sender(net, tls):
    return net.server(relay=net.relay().replace("tls = none", f"tls = {tls}"))


def delivered_with(tls):
    with Net() as net:
        hop = other(net)
        sender(net, tls).send(TO)
        mail, = hop.wait_mail(TO)
        return str(mail)


@case
def may_and_encrypt_use_what_is_offered():
    for tls in ("may", "encrypt"):
        check(" with ESMTPS " in delivered_with(tls), f"{tls}: the Received field says ESMTPS")


@case
def a_session_is_resumed():
    with Net() as net:
        hop = other(net)
        server = sender(net, "encrypt")
        server.send(TO)
        hop.wait_mail(TO)
        server.wait_log("resumed=no")
        hop.wait_log("disconnect service=smtp")
        server.send(TO)
        hop.wait_mail(TO, 2)
        server.wait_log("resumed=yes")


@case
def none_speaks_in_the_clear():
    check(" with ESMTP " in delivered_with("none"), "the Received field says ESMTP")


def waits_with(tls, words, **script):
    """Mail waits, its reason has the words, and the peer has not seen a transaction."""
    with Net() as net:
        host = net.domain("b.test", **script)
        server = sender(net, tls)
        server.send(TO)
        until(lambda: words in server.run("queue", "show", "all"), f"{words} in the queue")
        check(not host.count("MAIL"), "nothing was said of the message")
        host.wrongs.clear()  # a client's hello is no command


@case
def encrypt_waits_without_an_offer():
    waits_with("encrypt", "TLS is required")


@case
def encrypt_waits_when_the_handshake_fails():
    waits_with("encrypt", "TLS", offers=(*OFFERS, "STARTTLS"),
               STARTTLS=Reply(b"220 go\r\nthis is no TLS at all\r\n"))


@case
def may_goes_on_in_the_clear_when_the_handshake_fails():
    with Net() as net:
        host = net.domain("b.test", offers=(*OFFERS, "STARTTLS"),
                          STARTTLS=Reply(b"220 go\r\nthis is no TLS at all\r\n"))
        server = sender(net, "may")
        server.send(TO)
        host.only()
        server.wait_log("no-tls")
        host.wrongs.clear()  # a client's hello is no command


@case
def verify_wants_a_known_authority():
    with Net() as net:
        hop = other(net)
        server = sender(net, "verify")
        server.send(TO)
        until(lambda: "certificate" in server.run("queue", "show", "all"), "a reason in the queue")
        check(not hop.messages(TO), "nothing was delivered")
        check(server.waiting() == [TO], "it waits")


@case
def a_refusal_of_starttls_is_one_more_host_without():
    """On a new connection, at once, and the log says so: also when the host says nothing at all."""
    for way in ("454 4.7.0 not now", "502 5.5.1 what?", Reply("454 4.7.0 not now", end="close"),
                CUT):
        with Net() as net:
            host = net.domain("b.test", offers=(*OFFERS, "STARTTLS"), STARTTLS=way)
            server = sender(net, "may")
            server.send(TO, sender=ALICE)
            host.only()
            equal([session.lines.count("STARTTLS") for session in host.sessions], [1, 0],
                  "STARTTLS")
            server.wait_log("no-tls")
            check("deferred" not in server.log(), "it went at once")


if __name__ == "__main__":
    main()
