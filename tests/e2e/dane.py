"""dane - TLSA records of the next hop (RFC 7672), in a zone that is signed for the test: what each
kind of record and of answer lets through, and what waits."""

import socket
import threading

import certificates
from dns_server import SERVFAIL, say
from harness import case, check, main, until
from scripted_peer import OFFERS
from signed_world import WRONG, SignedNet, tlsa

TO, MX = "carol@b.example", "mx.b.example"


class World(SignedNet):
    """The root zone is signed, and b.example is in it."""

    def records(self, *records, host=MX):
        self.publish(host, *records)

    def hop(self, make=None, **words):
        """A server of b.example; `make` gives its certificate's file."""
        server = self.server(MX, ("b.example",), users=(TO,))
        words.setdefault("host", MX)
        pem = make(server.folder) if make else certificates.make(server.folder, **words)
        server.sections["tls"] = f'certificate = "{pem}"  key = "{pem[:-4]}.key"'
        server.write_config()
        server.restart()
        return server, pem


def delivered(world, hop, verified, tls="may"):
    """It arrives through TLS, and the sender's log says who was verified."""
    server = world.sender(tls)
    server.send(TO)
    mail, = hop.wait_mail(TO)
    check(" with ESMTPS " in str(mail), "the Received field says ESMTPS")
    server.wait_log(f"verified={verified}")


def waits(world, words, tls="may"):
    """It does not arrive, and the queue says why."""
    server = world.sender(tls)
    server.send(TO)
    until(lambda: words in server.run("queue", "show", "all"), f"'{words}' in the queue")
    check(server.waiting() == [TO], "it waits")
    return server


@case
def a_certificate_that_a_record_names():
    for words in ((3, 1, 1), (3, 0, 1), (3, 1, 2), (3, 0, 0), (3, 1, 0)):
        with World() as world:
            hop, pem = world.hop()
            world.records(WRONG, tlsa(*words, pem))
            delivered(world, hop, "dane")


@case
def of_an_end_neither_names_nor_dates_count():
    with World() as world:
        hop, pem = world.hop(host="another.example", days=-1)
        world.records(tlsa(3, 1, 1, pem))
        delivered(world, hop, "dane", "dane")


@case
def another_key_waits_also_under_may():
    with World() as world:
        hop, _ = world.hop()
        world.records(WRONG)
        waits(world, "TLSA")
        check(not hop.messages(TO), "nothing was delivered")


@case
def an_authority_vouches_for_the_host_or_the_domain():
    for host in (MX, "b.example"):
        with World() as world:
            kept = {}

            def make(folder, host=host, kept=kept):
                kept["authority"] = certificates.authority(folder)
                pem = certificates.signed(folder, host)
                return pem
            hop, _ = world.hop(make)
            world.records(tlsa(2, 0, 1, kept["authority"]))
            delivered(world, hop, "dane", "verify")


@case
def an_authority_vouches_for_nobody_else():
    with World() as world:
        kept = {}

        def make(folder):
            kept["authority"] = certificates.authority(folder)
            pem = certificates.signed(folder, "another.example")
            return pem
        world.hop(make)
        world.records(tlsa(2, 0, 1, kept["authority"]))
        waits(world, "ostname mismatch")


@case
def records_that_smtp_has_no_use_for_mean_encryption():
    with World() as world:
        hop, pem = world.hop()
        world.records(tlsa(1, 1, 1, pem), "3 1 1 00")
        delivered(world, hop, "no")
    with World() as world:
        host = world.domain("b.example")
        world.records(f"1 1 1 {'00' * 32}")
        waits(world, "TLS is required")
        check(not host.count("MAIL"), "nothing was said of the message")


@case
def an_offer_that_was_taken_away_is_not_believed():
    with World() as world:
        host = world.domain("b.example")
        world.records(WRONG)
        waits(world, "TLS is required")
        check(not host.count("MAIL"), "nothing was said of the message")


@case
def a_failed_handshake_is_not_followed_by_clear_words():
    with World() as world:
        host = world.domain("b.example", offers=(*OFFERS, "STARTTLS"), STARTTLS="454 4.7.0 no")
        world.records(WRONG)
        waits(world, "refused to start it")
        check(not host.count("MAIL"), "nothing was said of the message")


def fail_once(listener):
    """One session that ends with the handshake; whoever calls again is refused."""
    sock, _ = listener.accept()
    listener.close()
    with sock, sock.makefile("rb") as lines:
        sock.sendall(b"220 mx1 ESMTP\r\n")
        lines.readline()
        sock.sendall(b"250-mx1\r\n250 STARTTLS\r\n")
        lines.readline()
        sock.sendall(b"220 go\r\n")
        lines.read(1)


@case
def one_host_in_the_clear_is_not_the_next_one_too():
    with World() as world:
        world.mx("b.example", (10, "mx1.b.example"), (20, MX))
        listener = socket.create_server((world.nobody("mx1.b.example"), world.port))
        thread = threading.Thread(target=fail_once, args=(listener,), daemon=True)
        thread.start()
        host = world.peer(MX, offers=(*OFFERS, "STARTTLS"), STARTTLS="454 4.7.0 no")
        world.records(WRONG)
        waits(world, "refused to start it")
        thread.join()
        check(not host.count("MAIL"), "nothing was said of the message")


@case
def dane_wants_records():
    with World() as world:
        host = world.domain("b.example", offers=(*OFFERS, "STARTTLS"))
        waits(world, "no TLSA record", "dane")
        check(not host.sessions, "it was not called at all")


@case
def records_that_cannot_be_looked_up():
    for signer, how in (({}, say(SERVFAIL)), ({"broken": ()}, None)):
        with World(**signer) as world:
            world.domain("b.example", offers=(*OFFERS, "STARTTLS"))
            name = f"_{world.port}._tcp.{MX}"
            world.records(WRONG)
            if how:
                world.dns.behave(name, how)
            else:
                world.dns.signer.broken.add(name)
            waits(world, "cannot be looked up")


@case
def what_is_not_signed_does_not_count():
    with World(insecure=("example",)) as world:
        world.dns.add("example NS ns.example")
        hop, _ = world.hop()
        world.records(WRONG)
        delivered(world, hop, "no")


@case
def records_of_the_name_behind_an_alias():
    with World() as world:
        hop, pem = world.hop()
        world.dns.table["b.example"].clear()
        world.mx("b.example", (10, "alias.example"))
        world.dns.add(f"alias.example CNAME {MX}")
        world.records(tlsa(3, 1, 1, pem))
        world.records(WRONG, host="alias.example")
        delivered(world, hop, "dane", "dane")


if __name__ == "__main__":
    main()
