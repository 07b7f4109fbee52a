"""Relaying: servers that send everything on, what they send it to, and how long that takes.

The next hop is one smtp-sink for everybody; it counts nothing, so a server has sent its mail when
its own queue is empty.  For godwit that is asked of its index, which any program may read.
"""

import os
import socket
import sqlite3
import sys
import threading
import time

import servers
import world
from loads import KEPT, MANY, SmtpLoad
from servers import Godwit, Postfix, Sink, loopback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/e2e"))
from dns_server import DnsServer  # noqa: E402


class Hop(Sink):
    """What everything is relayed to."""
    name = "next hop"
    number = 7
    port = 2525


class RelayingGodwit(Godwit):
    """A smarthost for all, or hosts found in DNS."""
    name = "godwit"
    number = 8

    def __init__(self, place, build, relay, dns=""):
        super().__init__(place, build)
        self.folder = place.folder / "godwit-relay"
        self.configuration = self.folder / "godwit.conf"
        self.relay, self.dns = relay, dns

    def prepare(self, users=0):
        super().prepare(0)
        with open(self.configuration, "a", encoding="utf-8") as file:
            file.write(f"relay {{ {self.relay} }}\n{self.dns}\n")

    def waiting(self, where="1"):
        """How many recipients are in the queue."""
        index = sqlite3.connect(f"file:{self.folder}/data/index.db?mode=ro", uri=True)
        try:
            query = f"SELECT count(*) FROM recipient WHERE state = 0 AND {where}"
            return index.execute(query).fetchone()[0]
        finally:
            index.close()

    def drain(self):
        world.wait_for("godwit still relays", lambda: self.waiting() == 0, 120)


class RelayingPostfix(Postfix):
    """The same, with as many connections at once as it is allowed to have."""
    number = 9

    def __init__(self, place, peers, host):
        super().__init__(place, peers)
        self.folder = place.folder / "postfix-relay"
        self.relay = host

    def prepare(self):
        super().prepare()
        with open(self.folder / "etc/main.cf", "a", encoding="utf-8") as file:
            file.write(f"relayhost = [{self.relay[0]}]:{self.relay[1]}\n"
                       "default_transport = smtp\nrelay_transport = smtp\n"
                       "smtp_tls_security_level = none\nsmtp_dns_support_level = disabled\n"
                       "smtp_connection_cache_on_demand = yes\n"
                       "smtp_host_lookup = native\n")
        with open(self.folder / "etc/master.cf", "a", encoding="utf-8") as file:
            file.write("smtp      unix  -       -       n       -       -       smtp\n"
                       "relay     unix  -       -       n       -       -       smtp\n"
                       "scache    unix  -       -       n       -       1       scache\n")


def relay_once(bench, server, load, count):
    """Sends mail for elsewhere through a server; rates from the first acceptance to the last
    delivery."""
    return bench.clients.send(server, load, count, recipient=f"box@elsewhere.{servers.DOMAIN}")


class DeadHost:
    """An address that takes no connection and refuses none: its queue of connections is full."""

    def __init__(self, host, port):
        self.listener = socket.socket()
        self.listener.bind((host, port))
        self.listener.listen(0)
        self.fillers = []
        for _ in range(2):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((host, port))
            self.fillers.append(filler)

    def close(self):
        for held in (self.listener, *self.fillers):
            held.close()


class Injection(threading.Thread):
    """Sends its share of messages, each to a domain of its own, as fast as one session can."""

    def __init__(self, address, recipients):
        super().__init__()
        self.address, self.recipients = address, recipients
        self.body = b"Subject: bench\r\n\r\n" + (b"X" * 78 + b"\r\n") * 12 + b".\r\n"
        self.trouble = None

    def run(self):
        try:
            with socket.create_connection(self.address, 60) as wire:
                self.talk(wire, wire.makefile("rb"))
        except (OSError, world.Trouble) as error:
            self.trouble = error

    @staticmethod
    def hear(replies, wanted):
        while True:
            line = replies.readline()
            if not line.startswith(wanted):
                raise world.Trouble(f"said {line!r} instead of {wanted!r}")
            if line[3:4] == b" ":
                return

    def talk(self, wire, replies):
        self.hear(replies, b"220")
        wire.sendall(b"EHLO client.test\r\n")
        self.hear(replies, b"250")
        for recipient in self.recipients:
            wire.sendall(b"MAIL FROM:<sender@client.test>\r\nRCPT TO:<" + recipient.encode() +
                         b">\r\nDATA\r\n")
            for code in (b"250", b"250", b"354"):
                self.hear(replies, code)
            wire.sendall(self.body)
            self.hear(replies, b"250")
        wire.sendall(b"QUIT\r\n")
        self.hear(replies, b"221")


def inject(address, recipients, sessions=20):
    """Everything is accepted when it returns; the seconds that it took."""
    shares = [Injection(address, recipients[n::sessions]) for n in range(sessions)]
    start = time.monotonic()
    for share in shares:
        share.start()
    for share in shares:
        share.join()
        if share.trouble:
            raise world.Trouble(f"injection: {share.trouble}")
    return time.monotonic() - start


HEALTHY, DEAD, EACH = 900, 100, 50  # domains, and messages for each
DEFERRED = 100000


def zone(hop, dead_host):
    """Healthy domains h0.test and so on, dead ones d0.test: each with a mail host of its own."""
    for kind, count, address in (("h", HEALTHY, hop), ("d", DEAD, dead_host)):
        for n in range(count):
            yield f"{kind}{n}.test MX 10 mx.{kind}{n}.test"
            yield f"mx.{kind}{n}.test A {address}"


def healthy_left(server):
    return server.waiting("domain GLOB 'h*'")


def many_domains(bench, place, dead):
    """Seconds from the first acceptance to the last delivery to a healthy domain."""
    hop = Hop(place, bench.peers)
    dead_host = DeadHost(loopback(10), hop.port)
    recipients = [f"x@h{n}.test" for _ in range(EACH) for n in range(HEALTHY)]
    if dead:
        step = HEALTHY // DEAD + 1
        for n in range(DEAD * EACH):
            recipients.insert(n * step, f"x@d{n % DEAD}.test")
    with DnsServer(loopback(11), *zone(hop.host, loopback(10))) as dns:
        server = RelayingGodwit(place, bench.build, f'port = {hop.port} tls = "none"',
                                f'dns {{ resolvers = {{"{dns.resolver}"}} dnssec = "off" }}')
        running = bench.started([hop, server])
        try:
            start = time.monotonic()
            inject(server.smtp, recipients)
            world.wait_for("healthy domains wait", lambda: healthy_left(server) == 0, 300)
            return time.monotonic() - start
        finally:
            for each in running:
                each.stop()
            dead_host.close()
            place.clear()


def beside_deferred(bench, place):
    """Rates of acceptance into the box: with an empty queue and with one that is full of what
    cannot be sent now; seconds that a restart takes with it."""
    hop = Hop(place, bench.peers)
    dead_host = DeadHost(loopback(10), hop.port)
    server = RelayingGodwit(place, bench.build,
                            f'smarthost = "{loopback(10)}:{hop.port}" tls = "none"')
    found = {"empty": [], "deferred": []}
    bench.started([server])
    try:
        count = 10000
        for _ in range(bench.rounds):
            found["empty"].append(bench.clients.send(Flowing(server), KEPT, count))
        bench.clients.send(Flowing(server), MANY, DEFERRED, 1024, "x@dead.test")
        for _ in range(bench.rounds):
            found["deferred"].append(bench.clients.send(Flowing(server), KEPT, count))
        found["waiting"] = server.waiting()
        server.stop()
        start = time.monotonic()
        server.start()
        found["start_s"] = time.monotonic() - start
    finally:
        server.stop()
        dead_host.close()
    return found


class Flowing:
    """A server whose queue nobody waits for."""

    def __init__(self, server):
        self.smtp, self.lmtp, self.pid = server.smtp, None, server.pid

    def drain(self):
        pass


RELAYED = (SmtpLoad("relay, 10 sessions in", 10, False),
           SmtpLoad("relay, 50 sessions in", 50, False))


def relay(bench, place):
    """{"loads": {load: {server: [run, ...]}}, "domains": {...}, "deferred": {...}}."""
    hop = Hop(place, bench.peers)
    wanted = [hop, RelayingGodwit(place, bench.build,
                                  f'smarthost = "{hop.host}:{hop.port}" tls = "none"')]
    if bench.with_peers:
        wanted.append(RelayingPostfix(place, bench.peers, (hop.host, hop.port)))
    running = bench.started(wanted)
    found = {"loads": {}}
    try:
        for load in RELAYED:
            runs = found["loads"][load.name] = {s.name: [] for s in running}
            for _ in range(bench.rounds):
                for server, count in zip(running, (10000, 10000, 1500)):
                    runs[server.name].append(relay_once(bench, server, load, count))
            bench.say(f"{place.name}: {load.name}")
    finally:
        for server in running:
            server.stop()
    place.clear()
    found["domains"] = {"without_s": many_domains(bench, place, False),
                        "with_s": many_domains(bench, place, True)}
    bench.say(f"{place.name}: 1,000 domains")
    found["deferred"] = beside_deferred(bench, place)
    bench.say(f"{place.name}: {DEFERRED} deferred")
    return found
