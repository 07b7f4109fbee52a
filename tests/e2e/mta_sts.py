"""mta_sts - policies that domains publish about TLS (RFC 8461): which are obeyed, which are none,
and what then becomes of mail."""

import certificates
from harness import case, check, equal, main, until
from scripted_peer import OFFERS
from web_policy import PLACE, PolicyNet, policy_of

TO, MX, WEB = "carol@b.test", "mx.b.test", "mta-sts.b.test"


def policy(mode="enforce", mx=MX):
    return policy_of(mx, mode)


class World(PolicyNet):
    """An authority, and b.test with a policy."""

    def __init__(self, web=WEB, **said):
        super().__init__("b.test", policy(**said), web)

    def hop(self, trusted=True):
        """A server of b.test whose certificate the authority vouches for, or nobody."""
        server = self.server(MX, ("b.test",), users=(TO,))
        pem = certificates.signed(self.folder, MX) if trusted else certificates.make(server.folder,
                                                                                      host=MX)
        server.sections["tls"] = f'certificate = "{pem}"  key = "{pem[:-4]}.key"'
        server.write_config()
        server.restart()
        return server


def delivered(world, hop, words, tls="may", more=""):
    """It arrives, and the log has the words."""
    server = world.sender(tls, more)
    server.send(TO)
    hop.wait_mail(TO)
    for word in words:
        server.wait_log(word)
    return server


def waits(world, words, tls="may"):
    server = world.sender(tls)
    server.send(TO)
    until(lambda: words in server.run("queue", "show", "all"), f"'{words}' in the queue")
    equal(server.waiting(), [TO], "what waits")
    return server


@case
def an_enforced_policy_wants_a_certificate():
    for mx in (MX, "*.b.test"):
        with World(mx=mx) as world:
            hop = world.hop()
            delivered(world, hop, ["by=mta-sts verified=yes", "mode=enforce"])
            equal(world.web.asked, [(WEB, PLACE)], "requests")


@case
def a_certificate_that_nobody_vouches_for_waits():
    with World() as world:
        hop = world.hop(trusted=False)
        waits(world, "certificate")
        check(not hop.messages(TO), "nothing was delivered")


@case
def a_host_that_is_not_named_is_not_called():
    with World(mx="other.b.test") as world:
        host = world.domain("b.test", offers=(*OFFERS, "STARTTLS"))
        waits(world, "does not name the host")
        check(not host.sessions, "it was not called")


@case
def an_offer_that_was_taken_away_is_not_believed():
    with World() as world:
        host = world.domain("b.test")
        waits(world, "TLS is required")
        check(not host.count("MAIL"), "nothing was said of the message")


@case
def a_policy_that_is_only_tested_stops_nothing():
    with World(mode="testing", mx="other.b.test") as world:
        hop = world.hop(trusted=False)
        delivered(world, hop, ["by=setting verified=no", "policy-test", "mode=testing"])


@case
def a_policy_of_none_and_no_wish_for_any():
    with World(mode="none") as world:
        hop = world.hop(trusted=False)
        delivered(world, hop, ["by=setting verified=no", "mode=none"])
    with World(mx="other.b.test") as world:
        hop = world.hop(trusted=False)
        delivered(world, hop, ["verified=no"], more="mta_sts = false")
        equal(world.web.asked, [], "requests")


@case
def what_is_no_policy():
    for said, why in (((404, "text/plain", policy()), "says 404"),
                      ((301, "text/plain", policy()), "says 301"),
                      ((200, "text/html", policy()), "not text/plain"),
                      ((200, "text/plain", "<html>"), "one of its lines"),
                      ((200, "text/plain", policy() + "x: y\r\n" * 20000), "longer than")):
        with World() as world:
            world.web.say = said
            hop = world.hop(trusted=False)
            delivered(world, hop, ["no-policy", why, "verified=no"])


@case
def a_web_server_that_is_somebody_else():
    with World(web="other.b.test") as world:
        hop = world.hop(trusted=False)
        delivered(world, hop, ["no-policy", "verified=no"])
        equal(world.web.asked, [], "requests")


@case
def a_web_server_that_does_not_answer():
    with World() as world:
        world.dns.table[WEB].clear()
        world.nobody(WEB)
        hop = world.hop(trusted=False)
        delivered(world, hop, ["no-policy", "verified=no"])


@case
def a_policy_outlives_its_record_and_the_server():
    with World() as world:
        hop = world.hop()
        server = delivered(world, hop, ["by=mta-sts"])
        world.dns.table["_mta-sts.b.test"].clear()
        world.web.say = (404, "text/plain", "")
        hop.sections["tls"] = hop.sections["tls"].replace(MX, "mx")
        certificates.make(world.folder, host=MX)
        hop.write_config()
        hop.restart()
        server.restart()
        server.send(TO)
        until(lambda: "certificate" in server.run("queue", "show", "all"), "a reason")
        equal(len(world.web.asked), 1, "requests")


if __name__ == "__main__":
    main()
