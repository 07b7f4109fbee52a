"""relay_rude - hosts that hang up, refuse, lie and talk nonsense, and resolvers likewise.

What was taken was taken once, whatever happened around it; what was not taken is sent again; nobody
else waits for it, and no host has the server's memory.
"""

import collections
import socket
import struct
import threading

from dns_server import pack_record, raw
from harness import case, check, equal, main, until
from relay_world import ALICE, BOB, MESSAGE, Net
from report import Report
from scripted_peer import CUT, OFFERS, RESET, Reply, address_in

LARGE = MESSAGE + (b"0123456789" * 7 + b"\r\n") * 30000
WAYS = {"plain": (), "pipelined": ("PIPELINING", "SIZE"), "chunks": (*OFFERS, "CHUNKING")}
REPLIES = {"plain": 8, "pipelined": 8, "chunks": 7}    # of a session with two recipients


def everybody(net, ways):
    """A domain for each way to behave, {name: script}; a server that sends to all of them."""
    hosts = {f"{name}.test": net.domain(f"{name}.test", **script) for name, script in ways.items()}
    server = net.server()
    for domain in hosts:
        server.send(f"x@{domain}", f"y@{domain}")
    return hosts, server


def taken_by(host):
    """How often each recipient was taken care of."""
    return collections.Counter(user for one in host.taken for user in one.recipients)


def each_once(hosts, server, seconds=60):
    server.wait_empty(seconds)
    for domain, host in hosts.items():
        equal(taken_by(host), {f"x@{domain}": 1, f"y@{domain}": 1}, f"what {domain} took")
        check(all(one.content.endswith(MESSAGE) for one in host.taken), f"content at {domain}")
    equal(server.messages(ALICE), [], "reports")


# Connections that end

@case
def a_cut_behind_every_reply():
    ways = {f"{way}-{reply}": {"offers": offers, "cut_after": reply}
            for way, offers in WAYS.items() for reply in range(1, REPLIES[way] + 1)}
    with Net() as net:
        hosts, server = everybody(net, ways)
        each_once(hosts, server)
        until(lambda: all(host.cuts <= 0 for host in hosts.values()), "all have cut")


@case
def a_cut_instead_of_a_reply():
    """Of the content's end too: then it is sent again, which is the one time that a host may get
    two copies."""
    steps = ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "end", "QUIT")
    ways = {f"{how}-{way}-{step.lower()}": {"offers": offers, step: [end, None]}
            for how, end in (("cut", CUT), ("reset", RESET)) for way, offers in WAYS.items()
            for step in steps}
    with Net() as net:
        hosts, server = everybody(net, ways)
        each_once(hosts, server)
        for domain, host in hosts.items():
            equal(len(host.ends), 2 if "-end." in domain else 1, f"contents at {domain}")


@case
def a_cut_within_the_content():
    """The host reads a part of a large message and resets the connection."""
    class Reader:
        def __init__(self, count):
            self.left = [count]

        def __call__(self, session, _argument):
            if not self.left:
                return None
            session.sock.sendall(b"354 go on\r\n")
            session.read_exactly(self.left.pop())
            return RESET

    with Net() as net:
        hosts = [net.domain(f"b{n}.test", offers=("PIPELINING",), DATA=Reader(count))
                 for n, count in enumerate((1, 1000, 100000, 2000000))]
        server = net.server()
        for number in range(len(hosts)):
            server.send(f"x@b{number}.test", content=LARGE)
        for host in hosts:
            check(host.only().content.endswith(LARGE), "content")
        server.wait_empty()


@case
def a_close_behind_the_yes():
    """A host that closes after each message instead of waiting for QUIT; many messages."""
    with Net() as net:
        host = net.domain("b.test", end=Reply("250 2.0.0 taken", end="close"))
        server = net.server()
        for number in range(20):
            server.send(f"x{number}@b.test")
        host.wait(20, 60)
        server.wait_empty()
        equal(taken_by(host), {f"x{n}@b.test": 1 for n in range(20)}, "recipients")


# Words

@case
def not_now_at_every_step():
    """4xx, and 421 with and without a goodbye; it goes through the next time."""
    steps = ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "end")
    says = {"450": "450 4.2.0 later", "421": Reply("421 4.3.2 closing", end="close"),
            "stays": "421 4.3.2 closing", "bare": "451"}
    ways = {f"{name}-{step.lower()}": {step: [reply] * (2 if step == "RCPT" else 1) + [None]}
            for name, reply in says.items() for step in steps}
    with Net() as net:
        hosts, server = everybody(net, ways)
        each_once(hosts, server)


@case
def a_sender_that_is_put_off():
    """4xx to one sender's MAIL, again and again, is nothing for the mail of others to wait for."""
    def judge(_session, argument):
        return "451 4.1.8 try later" if address_in(argument) == ALICE else None

    with Net() as net:
        host = net.domain("b.test", MAIL=judge)
        server = net.server(relay=net.relay(retry="1h"))
        for number in range(6):
            server.send(f"x{number}@b.test")
        until(lambda: server.log().count(" deferred ") == 6, "all were tried")
        server.send("x@b.test", sender=BOB)
        equal(host.only().sender, BOB, "sender")
        check("hop-down" not in server.log(), "the hop went down")
        server.end(kill=True)


@case
def greylisting():
    """Every recipient is refused at first; nothing else is asked for."""
    def judge(session, argument):
        first = argument not in session.peer.seen
        session.peer.seen.add(argument)
        return "451 4.7.1 greylisted, come back" if first else None

    with Net() as net:
        host = net.domain("b.test", RCPT=judge)
        host.seen = set()
        server = net.server()
        server.send("x@b.test", "y@b.test")
        server.wait_empty()
        equal(taken_by(host), {"x@b.test": 1, "y@b.test": 1}, "recipients")


def shaped(shape):
    """A script that says everything in this shape: a function of code, enhanced code and words."""
    ehlo = shape("250", "", "peer.test")
    return {"greeting": shape("220", "", "peer.test ESMTP"), "EHLO": ehlo,
            "MAIL": shape("250", "2.1.0", "ok"), "RCPT": shape("250", "2.1.5", "ok"),
            "DATA": shape("354", "", "go on"), "end": shape("250", "2.0.0", "taken"),
            "QUIT": shape("221", "2.0.0", "bye"), "offers": ()}


@case
def replies_of_any_shape():
    def lines(count):
        return lambda code, status, words: "\n".join(
            [f"{code}-{words} {n}" for n in range(count)] + [f"{code} {status} {words}"])

    ways = {
        "pieces": shaped(lambda code, status, words: Reply(f"{code}-a\n{code} {words}",
                                                           pieces=True)),
        "lines": shaped(lines(20)),
        "bare": shaped(lambda code, status, words: code),
        "space": shaped(lambda code, status, words: f"{code} "),
        "no-hyphen": shaped(lambda code, status, words: f"{code}-{words}\n{code}"),
        "glued": shaped(lambda code, status, words: f"{code}{words}"),
        "garbage": shaped(lambda code, status, words: code.encode() + b" \x80\xff\0\x1b[2J\r\n"),
        "lf": shaped(lambda code, status, words: f"{code} {words}\n".encode()),
        "long": shaped(lambda code, status, words: f"{code} " + "x" * 1500),
        "mixed": shaped(lambda code, status, words: f"{code}-a\n{code}- b\n{code}-\n{code} c"),
        "tab": shaped(lambda code, status, words: f"{code}\t{words}"),
        "utf8": shaped(lambda code, status, words: f"{code} Grüße, 世界"),
    }
    with Net() as net:
        hosts, server = everybody(net, ways)
        each_once(hosts, server)


@case
def offers_of_any_shape():
    """What stands in the EHLO reply, absurd or not: mail goes."""
    ways = {
        "many": {"offers": tuple(f"X{n}" for n in range(500)) + ("PIPELINING",)},
        "lower": {"EHLO": "250-peer\n250-pipelining\n250-size 1000000\n250 8bitmime",
                  "offers": ("PIPELINING", "SIZE", "8BITMIME")},
        "size-word": {"EHLO": "250-peer\n250 SIZE abc", "offers": ("SIZE",)},
        "size-zero": {"EHLO": "250-peer\n250 SIZE 0", "offers": ("SIZE",)},
        "size-huge": {"EHLO": "250-peer\n250 SIZE 99999999999999999999999", "offers": ("SIZE",)},
        "size-minus": {"EHLO": "250-peer\n250 SIZE -1", "offers": ("SIZE",)},
        "equals": {"EHLO": "250-peer\n250-AUTH=LOGIN PLAIN\n250-SIZE=1000000\n250 X=Y",
                   "offers": ("SIZE",)},
        "garbage": {"EHLO": b"250-\xff\xfe\r\n250-\0\r\n250-\r\n250  \r\n"},
        "long": {"EHLO": "250-peer\n250 " + "X" * 1900, "offers": ()},
        "starttls": {"offers": ("STARTTLS", "PIPELINING")},
        "one": {"EHLO": "250 peer", "offers": ()},
    }
    with Net() as net:
        hosts, server = everybody(net, ways)
        each_once(hosts, server)


@case
def nonsense_is_not_a_yes():
    """What is no reply, or no reply to this, is trouble for now: nothing counts as taken."""
    nonsense = {"http": b"HTTP/1.1 400 Bad Request\r\n\r\n", "code": "999 what", "low": "150 hm",
                "letters": "abc def", "empty": b"\r\n\r\n", "three": "334 go on", "minus": "-50 no",
                "other-code": "250-one\n550 two", "endless": ("250-more\r\n" * 200000).encode()}
    steps = ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "end")
    ways = {f"{name}-{step.lower()}": {step: text} for name, text in nonsense.items()
            for step in steps if (name, step) != ("three", "DATA")}
    with Net() as net:
        hosts, server = everybody(net, ways)
        until(lambda: all(host.sessions for host in hosts.values()), "all are called")
        until(lambda: all(len(host.sessions) >= 2 for host in hosts.values()),
              "all are called again", 60)
        waiting = collections.Counter(server.waiting())
        told = "".join(Report(message).words for message in server.messages(ALICE))
        for domain in hosts:
            for user in ("x", "y"):
                check(waiting[f"{user}@{domain}"] or f"{user}@{domain}" in told,
                      f"{user}@{domain} is nowhere")
        server.end(kill=True)


@case
def a_yes_to_everything():
    """250 to all, the greeting and DATA too, and then the end."""
    with Net() as net:
        host = net.domain("b.test", greeting=b"250 ok\r\n" * 20, end=CUT)
        server = net.server()
        server.send("x@b.test")
        until(lambda: len(host.sessions) >= 2, "a second try", 60)
        equal(server.waiting(), ["x@b.test"], "waiting")
        server.end(kill=True)
        host.wrongs.clear()    # it was led on


@case
def a_host_that_speaks_first():
    """Replies to what was not yet said do not make anything count as sent."""
    early = "354 go on\r\n250 2.0.0 taken\r\n250 2.0.0 taken\r\n250 2.0.0 taken\r\n"
    with Net() as net:
        host = net.domain("b.test", offers=(), DATA=Reply(early.encode(), end="close"))
        server = net.server()
        server.send("x@b.test")
        until(lambda: len(host.sessions) >= 2, "a second try", 60)
        equal(server.waiting(), ["x@b.test"], "waiting")
        server.end(kill=True)
        host.wrongs.clear()    # as above


# Size and time

@case
def lies_about_size():
    """More is promised than taken, and less: 552 at the end is final, whatever was offered."""
    with Net() as net:
        big = net.domain("b.test", offers=("SIZE 99999999",), end="552 5.3.4 too much after all")
        server = net.server()
        server.send("x@b.test", content=LARGE)
        Report(server.wait_mail(ALICE)[0]).expect("x@b.test", "failed", "5.3.4")
        equal(len(big.ends), 1, "attempts")
        server.wait_empty()


@case
def endless_lines():
    """Hosts that never end a line, or a reply: their sessions end, memory does not grow."""
    def pour(octets):
        def act(session, _argument):
            for _ in range(64):
                session.sock.sendall(octets)
            return CUT
        return act

    ways = {"line": {"greeting": pour(b"220 " + b"x" * (1 << 20))},
            "reply": {"EHLO": pour(b"250-peer.test says hello once more\r\n" * 30000)},
            "mail": {"MAIL": pour(b"x" * (1 << 20))},
            "end": {"end": pour(b"\0" * (1 << 20))},
            "unasked": {"MAIL": pour(b"250 ok\r\n" * (1 << 17))}}
    with Net() as net:
        hosts = {name: net.domain(f"{name}.test", **way) for name, way in ways.items()}
        server = net.server()
        before = server.memory()
        for name in ways:
            server.send(f"x@{name}.test")
        until(lambda: all(host.sessions and host.sessions[0].ended for host in hosts.values()),
              "the sessions end", 60)
        server.check_memory(before, 64)
        server.end(kill=True)


@case
def hosts_that_do_not_read():
    """Twenty large messages into hosts that stop reading: others are served, memory stays, and a
    stop is not held up."""
    class Deaf(threading.Thread):
        """Greets, agrees to everything at once, and reads nothing."""
        def __init__(self, address, port):
            super().__init__(daemon=True)
            self.listener = socket.create_server((address, port))
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self.sockets = []

        def run(self):
            while True:
                sock, _ = self.listener.accept()
                self.sockets.append(sock)
                sock.sendall(b"220 deaf ESMTP\r\n250 deaf\r\n250 ok\r\n250 ok\r\n354 go\r\n")

    with Net() as net:
        address = net.nobody("mx.deaf.test")
        net.mx("deaf.test", (10, "mx.deaf.test"))
        deaf = Deaf(address, net.port)
        deaf.start()
        host = net.domain("b.test")
        server = net.server()
        before = server.memory()
        for number in range(20):
            server.send(f"x{number}@deaf.test", content=LARGE)
        server.send("x@b.test")
        host.only()
        until(lambda: deaf.sockets, "the deaf one is called")
        server.check_memory(before, 80)
        server.restart()
        for sock in deaf.sockets:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
        server.end(kill=True)


# Resolvers

@case
def answers_that_are_nonsense():
    """Short, looped and lying answers about a domain: its mail waits, the rest goes."""
    ways = {
        "empty": lambda query: b"",
        "header": lambda query: query.id + b"\x81\x80",
        "counts": raw(lambda query: (1000, b"")),
        "cut": raw(lambda query: (1, pack_record("cut.test", 15, b"\0\x0a\2mx\0")[:-3])),
        "loop": raw(lambda query: (1, pack_record("", 15, b"\0\x0a\xc0\x26", owner=b"\xc0\x0c"))),
        "beyond": raw(lambda query: (1, pack_record("", 15, b"\0\x0a\xff\xff", owner=b"\xc0\x0c"))),
    }
    with Net() as net:
        for name, way in ways.items():
            net.dns.behave(f"{name}.test", way)
        net.dns.add("ring.test CNAME gnir.test", "gnir.test CNAME ring.test")
        host = net.domain("b.test")
        server = net.server()
        for name in (*ways, "ring", "b"):
            server.send(f"x@{name}.test")
        host.only()
        until(lambda: all(net.dns.asked_about(f"{name}.test") for name in ways), "all are asked")
        equal(server.messages(ALICE), [], "reports")
        server.end(kill=True)


@case
def a_null_mx_beside_what_is_no_name():
    """Half of the answer makes no sense: the other half does not stand for the whole."""
    hosts = (b"\0\0\0", b"\0\x0a\4m\0x!\0")
    with Net() as net:
        net.dns.behave("b.test", raw(lambda _: (2, b"".join(
            pack_record("", 15, host, owner=b"\xc0\x0c") for host in hosts))))
        server = net.server()
        server.send("x@b.test")
        server.wait_log("deferred")
        equal((server.waiting(), server.messages(ALICE)), (["x@b.test"], []), "waiting, reports")
        server.end(kill=True)


@case
def a_hundred_hosts():
    """100 MX, the first that answers among those that are tried; and 100 addresses of one host."""
    with Net() as net:
        nobody = net.nobody()
        for number in range(100):
            net.name(f"mx{number}.b.test", nobody if number != 3 else net.next_address())
        net.mx("b.test", *((number, f"mx{number}.b.test") for number in range(4, 100)))
        best = net.peer("best.b.test")
        net.mx("b.test", (3, "best.b.test"))
        for number in range(100):
            net.name("mx.c.test", f"127.255.{number}.255")
        net.mx("c.test", (10, "mx.c.test"), (20, "spare.c.test"))
        spare = net.peer("spare.c.test")
        server = net.server()
        server.send("x@b.test", "x@c.test")
        best.only()
        spare.only()
        server.wait_empty()


@case
def hosts_with_impossible_names():
    with Net() as net:
        net.dns.add_data("b.test", "MX", b"\0\x05\4a.b!\0")
        net.mx("b.test", (10, "[127.0.0.1]"), (20, "mx.b.test"))
        host = net.peer("mx.b.test")
        server = net.server()
        server.send("x@b.test")
        host.only()


if __name__ == "__main__":
    main(side_by_side=6)
