"""The clients: smtp-source, pop3load, and connections that do nothing."""

import json
import pathlib
import resource
import socket
import threading
import time

import servers
import world
from world import Trouble


class SmtpLoad:
    """A way of sending: so many sessions at a time, each for one message or kept."""

    def __init__(self, name, sessions, reused):
        self.name, self.sessions, self.reused = name, sessions, reused


ONCE = SmtpLoad("connection per message, 50 sessions", 50, False)
KEPT = SmtpLoad("connections reused, 10 sessions", 10, True)
MANY = SmtpLoad("connections reused, 100 sessions", 100, True)
LARGE = SmtpLoad("25 MB messages, 4 sessions", 4, True)


class Clients:
    """Where the load programs are."""

    def __init__(self, build, peers, patience_s=0):
        self.patience_s = patience_s
        self.pop3load = pathlib.Path(build, "bench", "pop3load").resolve()
        self.tlsload = self.pop3load.with_name("tlsload")
        self.peers = peers

    def smtp_command(self, load, count, octets, recipient):
        return [self.peers.root / "usr/sbin/smtp-source", "-s", load.sessions, "-m", count,
                *(["-d"] if load.reused else []), "-l", octets, "-M", "client.test",
                "-f", "sender@client.test", "-t", recipient]

    def send(self, server, load, count, octets=5120, recipient=servers.BOX):
        """Sends; returns what it took: rates of acceptance and of delivery, and what the server
        used for each message."""
        lmtp = server.smtp is None
        host, port = server.lmtp if lmtp else server.smtp
        command = self.smtp_command(load, count, octets, recipient)
        world.wait_for_calm(self.patience_s)
        before, threads = world.usage(server.pid), world.threads_s(server.pid)
        start = time.monotonic()
        world.run(*command, *(["-L"] if lmtp else []), f"inet:{host}:{port}",
                  env=self.peers.environment)
        accepted = time.monotonic() - start
        server.drain()
        delivered = time.monotonic() - start
        used = world.usage(server.pid).since(before)
        by_thread = {name: (seconds - threads.get(name, 0)) / count * 1e6
                     for name, seconds in world.threads_s(server.pid).items()}
        return {"accepted_per_s": count / accepted, "delivered_per_s": count / delivered,
                "cpu_us": used.cpu_s / count * 1e6, "switches": used.switches / count,
                "seconds": delivered, "threads_us": by_thread}

    def pop3(self, server, *words):
        """One run of pop3load: what it printed."""
        host, port = server.pop3
        world.wait_for_calm(self.patience_s)
        return json.loads(world.run(self.pop3load, host, port, *words))


class Crowd:
    """Connections that have said their first words and then nothing."""

    def __init__(self, address, dialogue):
        """`dialogue` lists what to send, a reply before each and one after the last."""
        self.address, self.dialogue = address, dialogue
        self.members = []

    def grow(self, count):
        for n in range(count):
            member = self.connect()
            self.members.append(member)
            self.hear(member)
            for words in self.dialogue:
                member.sendall(words.replace("{n}", str(n)).encode() + b"\r\n")
                self.hear(member)

    def connect(self):
        return socket.create_connection(self.address, 10)

    @staticmethod
    def hear(member):
        reply = member.recv(4096)
        if not reply or reply[:1] not in b"2+":
            raise Trouble(f"a connection of the crowd heard {reply[:80]!r}")

    def leave(self):
        for member in self.members:
            member.close()
        self.members = []

    def newcomer_ms(self):
        """How long one more connection waits for its greeting."""
        start = time.monotonic()
        with self.connect() as s:
            self.hear(s)
        return (time.monotonic() - start) * 1e3


def raise_descriptor_limit():
    """Lets this process and the servers that it starts hold many connections; tells how many."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class MemoryWatch:
    """Follows the resident memory of a server while something happens."""

    def __init__(self, pid):
        self.pid = pid
        self.first_kb = self.peak_kb = world.memory_kb(pid)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        while not self.over.wait(0.02):
            self.peak_kb = max(self.peak_kb, world.memory_kb(self.pid))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
