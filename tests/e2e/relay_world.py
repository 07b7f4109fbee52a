"""relay_world - a small internet on loopback: a resolver, hosts that do what a script says, and
servers of ours that are found through DNS, all on one port and each on an address of its own.

    with Net() as net:
        host = net.peer("mx.b.test", MAIL="450 not now")
        net.mx("b.test", (10, "mx.b.test"))
        server = net.server()
        server.send("x@b.test")
        host.wait(1)

Leaving it stops all, and looks at what the hosts found wrong with their clients.
"""

import contextlib
import itertools
import os

from dns_server import DnsServer
from harness import Server, check, equal, until
from scripted_peer import Peer

ALICE, BOB = "alice@a.test", "bob@a.test"
FIRST, HOSTS = 130, 120    # of the second octets of a small internet's addresses
PORTS = 100    # that a process takes before it begins again
MESSAGE = b"From: alice@a.test\r\nSubject: relay\r\n\r\nwords\r\n.\r\n..dots\r\n"
ports = itertools.count()


def relay_port():
    """A port that no other small internet has, for addresses with the rest of our process's id."""
    return 20000 + (os.getpid() >> 16) * PORTS + next(ports) % PORTS


class Host(Peer):
    """A scripted peer that can be waited for."""

    def wait(self, count, seconds=30):
        """Until it took so many messages."""
        until(lambda: len(self.taken) >= count,
              f"{count} messages taken by {self.address}, so far {len(self.taken)}", seconds)
        return self.taken

    def only(self):
        """The one message that it took."""
        found = self.wait(1)
        equal(len(found), 1, "messages taken")
        return found[0]

    def wait_for(self, verb, count=1, seconds=30):
        until(lambda: self.count(verb) >= count, f"{count} times {verb}", seconds)


class Relay(Server):
    """A server of ours in a small internet."""

    def __init__(self, net, hostname, domains, sections):
        super().__init__(domains, **sections)
        self.hostname = hostname
        self.address, self.ports["smtp"] = net.next_address(), net.port
        self.write_config()

    def send(self, *recipients, content=MESSAGE, sender=ALICE, mail="", rcpt=""):
        """Gives it mail as a user of the machine does; returns its id.  `mail` and `rcpt` are the
        parameters of the commands."""
        wire = self.smtp()
        wire.say(f"MAIL FROM:<{sender}>{mail}", "250")
        for recipient in recipients:
            wire.say(f"RCPT TO:<{recipient}>{rcpt}", "250")
        reply = wire.data(content)
        wire.expect(reply, "250 2.0.0 accepted as ")
        wire.say("QUIT", "221")
        wire.close()
        self.wires.remove(wire)
        return reply.split()[-1]

    def waiting(self):
        """The addresses that wait in the queue."""
        return [address for address, in self.index(
            "SELECT address FROM recipient WHERE state = 0 ORDER BY message, number")]

    def wait_empty(self, seconds=30):
        """Until nothing waits any more: then nothing more will be sent."""
        until(lambda: not self.waiting(), "an empty queue", seconds)


class Net:
    ours = Relay
    in_turn = itertools.cycle(range(FIRST, FIRST + HOSTS))    # of those with the same port

    def __init__(self, port=0, dns_port=0):
        """`port`: of all hosts, 0 for one of its own that needs no privilege."""
        self.stack = contextlib.ExitStack()
        self.port = port or relay_port()
        self.addresses = Net.in_turn if port else iter(range(FIRST, FIRST + HOSTS))
        self.dns = DnsServer(self.next_address(), port=dns_port)
        self.peers, self.servers = [], []

    def next_address(self):
        """An address of the loopback network that nobody else takes for this port."""
        pid = os.getpid()
        return f"127.{next(self.addresses)}.{pid >> 8 & 255}.{pid & 255}"

    def name(self, name, address):
        """An address record."""
        self.dns.add(f"{name} {'AAAA' if ':' in address else 'A'} {address}")

    def mx(self, domain, *hosts):
        """Hosts as (preference, name)."""
        self.dns.add(*(f"{domain} MX {preference} {name}" for preference, name in hosts))

    def peer(self, *names, address=None, **script):
        """A host that answers to these names."""
        address = address or self.next_address()
        host = self.stack.enter_context(Host(address, self.port, **script))
        self.peers.append(host)
        for name in names:
            self.name(name, address)
        return host

    def domain(self, domain, **script):
        """A domain with one host, mx.DOMAIN."""
        self.mx(domain, (10, f"mx.{domain}"))
        return self.peer(f"mx.{domain}", **script)

    def nobody(self, *names):
        """An address where nobody listens."""
        address = self.next_address()
        for name in names:
            self.name(name, address)
        return address

    def relay(self, more="", retry="1s", warn="0", expire="5d"):
        return (f'port = {self.port}  tls = none  retry = {{"{retry}"}}  warn = "{warn}"  '
                f'expire = "{expire}"  {more}')

    def server(self, hostname="mx.a.test", domains=("a.test",), users=(ALICE, BOB), **sections):
        """A server of ours; `relay` is the body of that section, by default relay()."""
        sections.setdefault("relay", self.relay())
        sections.setdefault("dns", f'resolvers = {{"{self.dns.resolver}"}}  dnssec = off')
        server = self.ours(self, hostname, domains, sections)
        for user in users:
            server.add_user(user)
        self.name(hostname, server.address)
        for domain in domains:
            if "{" not in domain:
                self.mx(domain, (10, hostname))
        self.servers.append(server)
        return self.stack.enter_context(server)

    def __enter__(self):
        self.stack.enter_context(self.dns)
        return self

    def __exit__(self, kind, error, trace):
        log = "".join(server.log()[-4000:] for server in self.servers)
        if error and not hasattr(error, "log"):
            error.log = log
        self.stack.__exit__(kind, error, trace)
        if not error:
            for peer in self.peers:
                check(not peer.wrongs, f"what {peer.address} found wrong: {peer.wrongs[:5]}")
