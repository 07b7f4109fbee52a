"""tls_attacks - what is done to TLS from outside: words in the clear, hellos that are none, tickets
of others, peers that dawdle or hang up; and next hops that lie to us.

After each the server must still serve; the harness looks at its end and at what its sanitizers
report.
"""

import contextlib
import random
import re
import ssl
import subprocess
import tempfile
import time

import certificates
import client_hello
import harness
from certificates import trusting
from client_hello import Hello, record, records
from harness import Failure, add_case, case, check, equal, need, until
from locked import ALL, BOB, IMPLICIT, Doors, plain
from relay_world import Net
from scripted_peer import CUT, OFFERS, RESET, Reply
from wire import Broken

CLEAR = ("smtp", "submission", "pop3")
V1_2, V1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
HANDSHAKE_FAILURE, PROTOCOL_VERSION = 40, 70


def answer(wire):
    """What comes first: "hello", the number of an alert, or "end"."""
    while len(wire.unread) < 7 and wire.fill():
        pass
    if len(wire.unread) < 7:
        return "end"
    if wire.unread[0] == client_hello.ALERT:
        return wire.unread[6]
    equal(wire.unread[0], client_hello.HANDSHAKE, "the kind of the first record")
    return "hello"


def still_shakes(server):
    wire = server.open("pop3s")
    wire.say("QUIT", "+OK")


# --- Words in the clear ---


@case
def words_before_the_handshake_are_never_obeyed():
    """In a segment of their own behind the reply: they stand where the handshake should."""
    words = {"smtp": b"MAIL FROM:<evil@evil.test>\r\nRCPT TO:<bob@example.test>\r\n",
             "submission": b"AUTH PLAIN " + plain(BOB, "secret").encode() + b"\r\n",
             "pop3": f"USER {BOB}\r\nPASS secret\r\nSTAT\r\n".encode()}
    with Doors() as server:
        for role in CLEAR:
            wire = server.doorstep(role)
            wire.send(words[role])
            said = wire.all_until_end()
            check(b"250" not in said and b"235" not in said and b"+OK" not in said, f"{said!r}")
            server.wait_log(f"tls-failed service={role} .*not TLS")
        check("evil" not in server.log() and "outcome=ok" not in server.log(), "it was obeyed")


@case
def a_handshake_in_the_segment_of_the_command():
    """The hello is thrown away with all that came in the clear; one that comes in its place is not
    answered as if it were the first."""
    with Doors() as server:
        for role, command in (("smtp", b"STARTTLS\r\n"), ("pop3", b"STLS\r\n")):
            wire = server.open(role, tls=False)
            wire.send(command + client_hello.fresh())
            check(wire.line().startswith(("220", "+OK")), role)
            wire.shake(server.trusting())
            wire.say("NOOP", "250" if role == "smtp" else "-ERR")


@case
def a_login_comes_after_tls_or_without_it():
    with Doors(auth='cleartext = "loopback"') as server:
        for role in ("smtp", "submission"):
            wire = server.open(role, tls=False)
            wire.say(f"AUTH PLAIN {plain(BOB, 'secret')}", "235")
            wire.say("STARTTLS", "503 5.5.1")
            wire.say(f"MAIL FROM:<{BOB}>", "250")
        wire = server.open("pop3", tls=False)
        wire.say(f"AUTH PLAIN {plain(BOB, 'secret')}", "+OK")
        wire.say("STLS", "-ERR")
        wire.say("STAT", "+OK")


@case
def an_exchange_in_the_clear_does_not_go_on_under_tls():
    with Doors() as server:
        wire = server.open("submission", tls=False)
        wire.say("AUTH LOGIN", "334")
        wire.say("STARTTLS", "334")                        # it stands where a name should
        wire.say("*", "501")
        wire.say("STARTTLS", "220")
        wire.shake(server.trusting())
        wire.say("c2VjcmV0", "500")
        wire.say(f"MAIL FROM:<{BOB}>", "5")


# --- Hellos ---


@case
def old_versions_everywhere():
    with Doors() as server:
        for role in ALL:
            for minor, name, alert in ((0, "SSLv3", HANDSHAKE_FAILURE),
                                       (1, "TLSv1", PROTOCOL_VERSION),
                                       (2, "TLSv1.1", PROTOCOL_VERSION)):
                wire = server.doorstep(role)
                wire.send(bytes(Hello().of_version(3, minor)))
                equal(answer(wire), alert, f"{role}, {name}")
                server.wait_log(f"tls-failed service={role} peer=127\\S* version={name} "
                                "alert=\"sent (protocol version|handshake failure)\"")
        wire = server.doorstep("pop3s")
        wire.send(b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(37))    # SSL 2.0
        wire.half_close()
        check(answer(wire) != "hello", "SSL 2.0 was taken")
        still_shakes(server)


ODD_NAMES = {"nul": b"mx.example.test\0.evil.test", "empty": b"", "long": b"a" * 255,
             "longer": b"a" * 256, "longest": b"a" * 16000, "octets": bytes(range(128, 256)),
             "lines": b"x\r\n2026-01-01 forged", "address": b"127.0.0.1", "dots": b"." * 200,
             "format": b"%s%n%s%n", "path": b"../../etc/passwd"}


@case
def odd_server_names():
    """A name that nobody has gets the standard certificate, one that is none an alert."""
    with Doors() as server:
        for name, octets in ODD_NAMES.items():
            wire = server.doorstep("pop3s")
            wire.send(bytes(Hello().with_names(octets)))
            found = answer(wire)
            check(found == "hello" or isinstance(found, int), f"{name}: {found}")
            check(found != "hello" or name not in ("nul", "longer", "longest"), name)
        for octets in (b"", b"\0", b"\0\0", b"\0\5\0\0\1a", b"\0\4\1\0\1a", b"\0\4\0\0\2a",
                       b"\xff\xff\0\0\1a"):
            wire = server.doorstep("pop3s")
            wire.send(bytes(Hello().with_extension(client_hello.SERVER_NAME, octets)))
            check(answer(wire) not in ("end",), f"{octets!r}")
        wire = server.doorstep("pop3s")
        wire.send(bytes(Hello().with_names(b"mx.example.test", b"other.test")))
        check(answer(wire) != "hello", "two names were taken")
        still_shakes(server)


@case
def a_server_name_is_one_field_of_one_line():
    openssl = need("openssl")
    with Doors() as server:
        for name in (b"x\x1b[31m\r\n2026 S1 forged", b'a" peer="1.2.3.4', "évil".encode()):
            subprocess.run([openssl, "s_client", "-connect",
                            f"{server.address}:{server.ports['pop3s']}", "-servername", name],
                           input=b"QUIT\r\n", capture_output=True, timeout=harness.TIMEOUT,
                           check=False)
        until(lambda: server.log().count(" tls version=") == 3, "three handshakes in the log")
        check("\x1b" not in server.log(), "an escape in the log")
        check(not re.search("^2026 S1", server.log(), re.MULTILINE), "a forged line")


@case
def a_flood_of_server_names():
    """Each hello with another name, no handshake brought to its end."""
    with Doors(limits="connections_per_peer = 0") as server:
        still_shakes(server)
        hello = Hello()
        before = server.memory()
        for number in range(1000):
            with contextlib.closing(server.doorstep("pop3s")) as wire:
                wire.send(bytes(hello.with_names(b"%d." % number + b"x" * 240)))
                if number % 10 == 0:
                    equal(answer(wire), "hello", "the answer")
            server.wires.pop()
        server.check_memory(before, 8)
        still_shakes(server)


def bent(rng, octets):
    """With some octets changed, cut, doubled or thrown away."""
    octets = bytearray(octets)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(octets))
        way = rng.randrange(4)
        if way == 0:
            octets[at] = rng.randrange(256)
        elif way == 1:
            del octets[at:at + rng.randint(1, 20)]
        elif way == 2:
            octets[at:at] = octets[at:at + rng.randint(1, 200)]
        else:
            octets[at:at + 2] = rng.choice((b"\xff\xff", b"\0\0", b"\x7f\xff"))
        if not octets:
            break
    return bytes(octets)


@case
def garbage_for_a_handshake():
    """Bent hellos, records of other kinds, random octets; the same ones each time."""
    rng = random.Random(3207)
    with Doors() as server:
        still_shakes(server)
        before = server.memory()
        hello = client_hello.fresh()
        garbage = [bent(rng, hello) for _ in range(200)]
        garbage += [records(client_hello.handshake(bent(rng, hello[9:]))) for _ in range(100)]
        garbage += [record(rng.randbytes(rng.randrange(300)), kind) for kind in range(19, 26)
                    for _ in range(5)]
        garbage += [rng.randbytes(rng.randrange(2000)) for _ in range(50)]
        garbage += [record(b""), record(b"") * 1000, hello * 3,
                    record(b"\1\xff\xff\xff" + bytes(10000)), hello[:-1] + record(b"\x15")]
        for number, octets in enumerate(garbage):
            role = ALL[number % len(ALL)]
            wire = server.doorstep(role)
            with contextlib.suppress(ConnectionError):
                wire.send(octets)
                wire.half_close()
                wire.all_until_end()
            wire.close()
        server.check_memory(before, 8)
        still_shakes(server)
        until(lambda: server.log().count("tls-failed") >= 300, "failures in the log")


@case
def hellos_without_end():
    """A hello may be long; what is kept of one has a limit."""
    with Doors(limits="connections_per_peer = 0") as server:
        still_shakes(server)
        before = server.memory()
        body = client_hello.handshake(bytes(0xfffff0))
        for _ in range(20):
            wire = server.doorstep("pop3s")
            wire.sock.settimeout(5)
            with contextlib.suppress(OSError):
                wire.send(records(body[:4 << 20]))
            wire.close()
        server.check_memory(before, 8)
        still_shakes(server)


# --- Renegotiation, tickets ---


def renegotiate(role):
    def test():
        openssl = need("openssl")
        words = [] if role in IMPLICIT else ["-starttls", "pop3" if role == "pop3" else "smtp"]
        with Doors() as server:
            with subprocess.Popen([openssl, "s_client", "-tls1_2", *words, "-connect",
                                   f"{server.address}:{server.ports[role]}"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT) as client:
                server.wait_log(r"tls version=TLSv1.2")
                client.stdin.write(b"R\n")
                client.stdin.flush()
                said, _ = client.communicate(timeout=harness.TIMEOUT)
            check(b"no renegotiation" in said, f"s_client said {said[-300:]!r}")
            still_shakes(server)
    add_case(f"renegotiation-is-refused-at-{role}", test)


for each in ALL:
    renegotiate(each)


def ticket_of(server, role, context):
    wire = server.doorstep(role)
    wire.shake(context)
    if role in IMPLICIT:
        server.greeted(wire, role)
    wire.say("NOOP")
    return wire.sock.session


def tickets(version):
    def test():
        with Doors() as server:
            context = server.trusting(minimum_version=version, maximum_version=version)
            for issuer in ALL:
                for taker in ALL:
                    wire = server.doorstep(taker)
                    wire.shake(context, session=ticket_of(server, issuer, context))
                    equal(wire.sock.session_reused, issuer == taker,
                          f"{taker} takes a ticket of {issuer}")
                    wire.close()
    return test


add_case("a-ticket-of-each-service-at-each-1.2", tickets(V1_2))
add_case("a-ticket-of-each-service-at-each-1.3", tickets(V1_3))


@case
def a_ticket_is_no_password():
    """A session that goes on begins without a login."""
    with Doors() as server:
        context = server.trusting()
        wire = server.doorstep("submissions")
        wire.shake(context)
        wire.expect(wire.reply(), "220")
        wire.say("EHLO client.test", "250")
        wire.say(f"AUTH PLAIN {plain(BOB, 'secret')}", "235")
        again = server.doorstep("submissions")
        again.shake(context, session=wire.sock.session)
        again.expect(again.reply(), "220")
        check(again.sock.session_reused, "the ticket was not taken")
        again.say("EHLO client.test", "250")
        again.say(f"MAIL FROM:<{BOB}>", "530 5.7.0")


# --- Peers that dawdle or hang up ---


@case
def half_closed_within_the_handshake():
    with Doors() as server:
        hello = client_hello.fresh()
        for number, role in enumerate(ALL):
            for cut in (0, 1, 5, 100, len(hello)):
                wire = server.doorstep(role)
                wire.send(hello[:cut])
                wire.half_close()
                wire.all_until_end()
                wire.close()
            until(lambda r=role: len(re.findall(f"tls-failed service={r} .*hung up",
                                                server.log())) == 5, f"five failures at {role}")
            until(lambda n=number: server.log().count("disconnect ") == 5 * (n + 1), "all ended")
        still_shakes(server)


@case
def a_slow_handshake_has_an_end():
    """Silence, or an octet now and then: half a minute, then it is over; others are served."""
    with Doors() as server:
        hello = client_hello.fresh()
        dawdlers = [server.doorstep(role) for role in ALL]
        dripping, ends, began = dawdlers[:3], {}, time.monotonic()
        for at in range(100):
            if len(ends) == len(dawdlers):
                break
            for wire in dawdlers:
                if wire in ends:
                    continue
                wire.sock.settimeout(0.1)
                with contextlib.suppress(Broken):    # nothing came yet
                    if wire in dripping:
                        with contextlib.suppress(ConnectionError):
                            wire.send(hello[at:at + 1])
                    if wire.ended():
                        ends[wire] = time.monotonic() - began
        check(len(ends) == len(dawdlers), f"{len(ends)} have ended")
        check(all(20 < end < 40 for end in ends.values()), f"they ended after {ends.values()}")
        until(lambda: len(re.findall("tls-failed .*not complete after 30 s", server.log())) ==
              len(ALL), "all told in the log")
        still_shakes(server)


@case
def handshakes_that_go_no_further_are_small():
    """The answer to a hello waits for its end."""
    count = 200
    with Doors(limits="connections_per_peer = 0") as server:
        hello = client_hello.fresh()
        still_shakes(server)
        before = server.memory()
        for _ in range(count):
            wire = server.doorstep("pop3s")
            wire.send(hello)
            equal(answer(wire), "hello", "the answer")
        each = (server.memory() - before) / count
        print(f"# {each / 1024:.1f} KB for a handshake under way")
        check(each < 100 << 10 or harness.is_sanitized(), f"{each} octets each")
        still_shakes(server)


def cut_off(wire):
    """The connection ends as an attacker can end it: without close_notify."""
    wire.half_close()
    wire.all_until_end()


@case
def a_truncated_session_is_not_more_than_it_said():
    with Doors() as server:
        for ending in (b"", b".", b".\r", b"\r\n."):
            wire = server.open("smtp")
            wire.envelope()
            wire.say("DATA", "354")
            wire.send(b"Subject: cut\r\n\r\nwords\r\n" + ending)
            cut_off(wire)
        equal(server.messages(BOB), [], "messages")
        wire = server.open("smtp")
        wire.envelope()
        wire.say("DATA", "354")
        wire.send(b"Subject: whole\r\n\r\nwords\r\n.\r\n")
        cut_off(wire)
        server.wait_mail(BOB)
        for words in (b"", b"QUIT", b"QUIT\r"):
            wire = server.open("pop3s")
            wire.say(f"USER {BOB}", "+OK")
            wire.say("PASS secret", "+OK")
            wire.say("DELE 1", "+OK")
            wire.send(words)
            cut_off(wire)
        equal(len(server.messages(BOB)), 1, "messages")


# --- What the log says of failures ---


def shake_in_vain(server, role, context, name="mx.example.test"):
    try:
        wire = server.doorstep(role)
        wire.shake(context, name)
        wire.line()
    except (ssl.SSLError, ConnectionError, Broken):
        return
    raise Failure("the handshake went well")


@case
def failures_are_told_with_peer_alert_and_version():
    with Doors() as server:
        stranger = certificates.make(server.folder, "stranger")
        weak = trusting(maximum_version=V1_2)
        weak.set_ciphers("AES256-SHA:@SECLEVEL=0")
        start = "tls-failed service=pop3s peer=127"
        for context, words in (
                (trusting(stranger), 'version=TLSv1.3 alert="received unknown CA"'),
                (trusting(stranger, maximum_version=V1_2),
                 'version=TLSv1.2 alert="received unknown CA"'),
                (weak, 'version=TLSv1.2 alert="sent handshake failure" .*no shared cipher')):
            shake_in_vain(server, "pop3s", context)
            server.wait_log(f"{start}\\S* {words}")
        shake_in_vain(server, "pop3s", server.trusting(), "other.test")
        server.wait_log(f'{start}\\S* version=TLSv1.3 alert="received [^"]*certificate')
        wire = server.doorstep("pop3s")
        wire.send(b"QUIT\r\n")
        wire.all_until_end()
        server.wait_log(f"{start}\\S* version=none alert=\\S+ .*not TLS")


# --- Next hops that lie ---


class Liar:
    """What a host does at STARTTLS: says words in the clear, then shakes hands, or not."""

    def __init__(self, folder, said=b"220 go\r\n", later=b"", shakes=True, **settings):
        self.said, self.later, self.shakes = said, later, shakes
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate = certificates.make(folder, "hop", "mx.b.test")
        self.context.load_cert_chain(certificate, certificate[:-4] + ".key")
        for name, value in settings.items():
            setattr(self.context, name, value)

    def __call__(self, session, _):
        session.sock.sendall(self.said)
        if self.later:
            time.sleep(0.1)
            session.sock.sendall(self.later)
        if self.shakes:
            session.sock = self.context.wrap_socket(session.sock, server_side=True)
        session.unread.clear()
        session.offers = ()
        return Reply(end=None if self.shakes else "hang")


@contextlib.contextmanager
def lied_to(tls="encrypt", script=None, **lies):
    """A server of ours, and the host with mail for b.test, which offers STARTTLS at all times."""
    with Net() as net, tempfile.TemporaryDirectory() as folder:
        host = net.domain("b.test", offers=(*OFFERS, "STARTTLS"), STARTTLS=Liar(folder, **lies),
                          **(script or {}))
        server = net.server(relay=net.relay().replace("tls = none", f"tls = {tls}"))
        server.send("carol@b.test")
        yield server, host


def arrives(server, host):
    """It arrived once, under TLS, and nobody was told otherwise."""
    host.only()
    server.wait_empty()
    lines = host.sessions[0].lines
    at = lines.index("STARTTLS")
    check(lines[at + 1].startswith("EHLO "), f"behind STARTTLS came {lines[at + 1:]}")
    equal(lines.count("STARTTLS"), 1, "STARTTLS")
    check(not any(line.startswith("MAIL") for line in lines[:at]), "MAIL in the clear")
    equal(server.messages("alice@a.test"), [], "reports")


POISON = b"250-evil.test\r\n250 SIZE 1\r\n550 5.7.1 evil\r\n" + b"554 5.7.1 evil\r\n" * 5


@case
def replies_behind_the_reply_to_starttls_are_thrown_away():
    with lied_to(said=b"220 go\r\n" + POISON) as (server, host):
        arrives(server, host)
        check("evil" not in server.run("queue", "show", "all", code=1), "it was believed")


@case
def a_reply_to_starttls_before_the_question():
    """... and more behind it, in the segment of the reply to EHLO."""
    early = b"250-mx.b.test\r\n250 STARTTLS\r\n220 go\r\n" + POISON

    def lie(session, argument):
        session.sock.sendall(early)
        session.lines.append(session.sock.recv(len("STARTTLS\r\n")).decode().rstrip())
        return silent(session, argument)
    with tempfile.TemporaryDirectory() as folder:
        silent = Liar(folder, said=b"")
        with lied_to(script={"EHLO": [lie, None]}) as (server, host):
            arrives(server, host)


@case
def replies_in_the_clear_where_the_handshake_should_be():
    with lied_to(later=POISON, shakes=False) as (server, host):
        until(lambda: "TLS" in server.run("queue", "show", "all"), "the reason in the queue")
        check(not host.count("MAIL"), "it was sent in the clear")
        equal(server.waiting(), ["carol@b.test"], "what waits")
        host.wrongs.clear()


@case
def what_was_offered_in_the_clear_is_forgotten():
    offers = "250-mx.b.test\n250-SIZE 10\n250 STARTTLS"
    with lied_to(script={"EHLO": [offers, None]}) as (server, host):
        arrives(server, host)


@case
def a_reply_that_was_cut_off_is_none():
    """Whoever ends the connection without close_notify says nothing by it."""
    ends = [Reply(b"250 2.0", end="close"), Reply(b"25", end="close"),
            Reply(b"250 2.0.0 taken\r\n", end="close")]
    with lied_to(script={"end": ends}) as (server, host):
        until(lambda: len(host.ends) == 3, "three attempts")
        server.wait_empty()
        equal(server.messages("alice@a.test"), [], "reports")


@case
def old_versions_of_a_next_hop():
    with lied_to(maximum_version=ssl.TLSVersion.TLSv1_1,
                 minimum_version=ssl.TLSVersion.TLSv1) as (server, host):
        until(lambda: "TLS" in server.run("queue", "show", "all"), "the reason in the queue")
        check(not host.count("MAIL"), "it was sent in the clear")
        host.wrongs.clear()


def hangs_up(name, ending):
    def test():
        with lied_to(script={}, shakes=False) as (server, host):
            host.set("STARTTLS", Reply("220 go", end=ending.end))
            until(lambda: "TLS" in server.run("queue", "show", "all"), "the reason in the queue")
            check(not host.count("MAIL"), "it was sent in the clear")
            host.wrongs.clear()
    add_case(f"a-next-hop-that-{name}-within-the-handshake", test)


hangs_up("hangs-up", CUT)
hangs_up("resets", RESET)


if __name__ == "__main__":
    harness.main(side_by_side=2)
