"""mta_sts - policies that domains publish about TLS (RFC 8461): which are obeyed, which are none,
and what then becomes of mail."""

import http.server
import ssl
import tempfile
import threading

import certificates
from harness import case, check, equal, main, until
from relay_world import Net
from scripted_peer import OFFERS

TO, MX, WEB = "carol@b.test", "mx.b.test", "mta-sts.b.test"
PLACE = "/.well-known/mta-sts.txt"


def policy(mode="enforce", mx=MX, age=86400):
    return f"version: STSv1\r\nmode: {mode}\r\nmx: {mx}\r\nmax_age: {age}\r\n"


class WebServer:
    """Answers every request with what `say` holds: (status, type, text)."""

    def __init__(self, address, pem):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):    # pylint: disable=invalid-name
                outer.asked.append((self.headers["Host"].split(":")[0], self.path))
                status, kind, text = outer.say
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Location", "https://elsewhere.test/")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_words):    # pylint: disable=arguments-differ
                pass

        self.say, self.asked = (200, "text/plain", policy()), []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem, pem[:-4] + ".key")
        self.server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
        self.server.handle_error = lambda *_request: None    # a client that hangs up
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()


class World(Net):
    """An authority, and b.test with a policy."""

    def __init__(self, web=WEB, **said):
        super().__init__()
        self.folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.ca = certificates.authority(self.folder)
        pem = certificates.signed(self.folder, web)
        address = self.next_address()
        self.web = self.stack.enter_context(WebServer(address, pem))
        self.web.say = (200, "text/plain", policy(**said))
        self.name(WEB, address)
        self.dns.add("_mta-sts.b.test TXT v=STSv1;id=1;")

    def hop(self, trusted=True):
        """A server of b.test whose certificate the authority vouches for, or nobody."""
        server = self.server(MX, ("b.test",), users=(TO,))
        pem = certificates.signed(self.folder, MX) if trusted else certificates.make(server.folder,
                                                                                      host=MX)
        server.sections["tls"] = f'certificate = "{pem}"  key = "{pem[:-4]}.key"'
        server.write_config()
        server.restart()
        return server

    def sender(self, tls="may", more=""):
        return self.server(relay=self.relay(f'ca = "{self.ca}"  mta_sts_port = {self.web.port}  '
                                            + more).replace("tls = none", f"tls = {tls}"))


def delivered(world, hop, words, tls="may", more=""):
    """It arrives, and the log has the words."""
    server = world.sender(tls, more)
    server.send(TO)
    hop.wait_mail(TO)
    for word in words:
        until(lambda word=word: word in server.log(), f"{word} in the log")
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
