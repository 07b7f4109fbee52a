"""scripted_peer - an SMTP server that does at every step what a test wants, and writes all down.

    with Peer("127.128.0.1", 2525, MAIL="450 not now") as peer:
        ...
        peer.taken     the transactions that it took
        peer.sessions  what was said in each session
        peer.wrongs    what the client may not do but did

A script says what happens at a step: greeting, EHLO, HELO, MAIL, RCPT, DATA, end (of the content),
BDAT (a chunk that is not the last), RSET, NOOP, QUIT, STARTTLS,
AUTH.  What happens is a text, "250 ok"
(lines of a reply are separated by newlines), octets to be sent as they are, a Reply, a list of such
things (one after the other, the last one for good), a function of the session and the command's
argument that gives one, or None: what a good server would say.
"""

import re
import socket
import struct
import threading
import time

OFFERS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "SIZE 52428800")
TIMEOUT = 60
LINE_MAX = 4096
CONTENT_MAX = 64 << 20


class Reply:
    """Something to say, and what follows: `end` is "close", "reset" (an RST), "hang" (nothing more
    is read or said) or None."""

    def __init__(self, text="", delay=0, end=None, pieces=False):
        self.text, self.delay, self.end, self.pieces = text, delay, end, pieces

    @property
    def octets(self):
        if isinstance(self.text, bytes) or not self.text:
            return self.text or b""
        return self.text.replace("\n", "\r\n").encode("utf-8", "surrogateescape") + b"\r\n"

    @property
    def kind(self):
        """The first digit of the code."""
        return self.octets[:1].decode("latin-1")


CUT = Reply(end="close")
RESET = Reply(end="reset")
HANG = Reply(end="hang")


def by_address(table):
    """For RCPT: what becomes of each address; lists in turn, for each address its own."""
    turns = {address: Turns(ways) for address, ways in table.items()}

    def judge(session, argument):
        way = turns.get(address_in(argument))
        return way.next() if way else None
    return judge


def address_in(argument):
    found = re.match(r"(?i)(?:from|to):\s*<([^>]*)>", argument)
    return found[1] if found else ""


class Turns:
    """One thing after the other, the last one for good."""

    def __init__(self, ways):
        self.ways = list(ways) if isinstance(ways, (list, tuple)) else [ways]

    def next(self):
        return self.ways.pop(0) if len(self.ways) > 1 else self.ways[0]


class Taken:
    """A transaction whose content came to its end; `said`: what we then said, "" for nothing."""

    def __init__(self, session, content, said):
        self.session, self.content, self.said = session, content, said
        self.sender, self.parameters = session.sender, session.parameters
        self.recipients = [address for address, _ in session.recipients]
        self.recipient_parameters = dict(session.recipients)
        self.at = time.monotonic()


class Ended(Exception):
    """The session is over."""


class Session:
    """One connection: the commands, and how far the transaction is."""

    def __init__(self, peer, sock, source):
        self.peer, self.sock, self.source = peer, sock, source
        self.began, self.ended = time.monotonic(), None
        self.lines, self.replies, self.offers, self.in_tls = [], 0, (), False
        self.unread = bytearray()
        self.body_open = False
        self.reset()

    def reset(self):
        self.sender, self.parameters, self.recipients, self.chunks = None, [], [], bytearray()

    # Octets

    def fill(self):
        octets = self.sock.recv(1 << 16)
        if not octets:
            raise Ended
        self.unread += octets

    def read_line(self):
        while (at := self.unread.find(b"\n")) < 0:
            if len(self.unread) > LINE_MAX:
                raise Ended
            self.fill()
        line = bytes(self.unread[:at + 1])
        del self.unread[:at + 1]
        if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
            self.wrong(f"a line that does not end with CRLF: {line!r}")
        return line.rstrip(b"\r\n").decode("utf-8", "surrogateescape")

    def read_exactly(self, count):
        while len(self.unread) < count:
            self.fill()
        octets = bytes(self.unread[:count])
        del self.unread[:count]
        return octets

    def read_content(self):
        """What DATA brings, without transparency."""
        self.unread[:0] = b"\r\n"
        start = 0
        while (end := self.unread.find(b"\r\n.\r\n", start)) < 0:
            if len(self.unread) > CONTENT_MAX:
                raise Ended
            start = max(0, len(self.unread) - 4)
            self.fill()
        octets = bytes(self.unread[:end + 2])
        del self.unread[:end + 5]
        return octets.replace(b"\r\n.", b"\r\n")[2:]

    def wrong(self, words):
        self.peer.wrongs.append(words)

    # Saying

    def give(self, reply):
        """Says it; returns the first digit.  Raises Ended when that was the last."""
        if reply.delay:
            self.peer.stopping.wait(reply.delay)
        octets = reply.octets
        if reply.pieces:
            for at in range(len(octets)):
                self.sock.sendall(octets[at:at + 1])
                time.sleep(0.001)
        elif octets:
            self.sock.sendall(octets)
        self.replies += bool(octets)
        self.leave(reply.end)
        if octets and self.replies == self.peer.cut_after and self.peer.may_cut():
            self.leave("close")
        return reply.kind

    def leave(self, end):
        if end == "reset":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if end == "hang":
            self.peer.stopping.wait()
        if end:
            raise Ended

    def act(self, step, argument, default):
        """What the script says about a step, or else the default."""
        way = self.peer.next(step, default)
        if callable(way):
            way = way(self, argument)
        way = default if way is None else way
        return way if isinstance(way, Reply) else Reply(way)

    # Steps

    def run(self):
        self.give(self.act("greeting", "", "220 peer.test ESMTP"))
        while True:
            self.read_command()

    def read_command(self):
        """Only behind MAIL, RCPT, RSET, content and chunks may more be here already (RFC 2920)."""
        early = bool(self.unread) and "PIPELINING" not in self.offers
        line = self.read_line()
        if early:
            self.wrong(f"pipelined without the offer: {line[:80]}")
        self.lines.append(line)
        verb, _, argument = line.partition(" ")
        step = getattr(self, "on_" + verb.lower(), None)
        if step is None:
            self.wrong(f"an unknown command: {line[:80]}")
            self.give(Reply("500 5.5.1 what?"))
        else:
            step(argument)

    def must_end_group(self, verb):
        if self.unread:
            self.wrong(f"more behind {verb} than may be")

    def on_ehlo(self, argument):
        self.must_end_group("EHLO")
        offers = self.peer.offers_in_tls if self.in_tls else self.peer.offers
        lines = ["peer.test", *offers]
        text = "\n".join(f"250{'-' if n < len(lines) - 1 else ' '}{line}"
                         for n, line in enumerate(lines))
        self.reset()
        if self.give(self.act("EHLO", argument, text)) == "2":
            self.offers = tuple(offer.split()[0] for offer in offers)

    def on_helo(self, argument):
        self.must_end_group("HELO")
        self.reset()
        self.give(self.act("HELO", argument, "250 peer.test"))

    def check_parameters(self, words, table):
        for word in words:
            wanted = table.get(word) or table.get(word.split("=")[0].upper())
            if wanted not in self.offers:
                self.wrong(f"a parameter without its offer: {word}")

    def on_mail(self, argument):
        if self.sender is not None:
            self.wrong("MAIL within a transaction")
        words = argument[argument.find(">") + 1:].split()
        self.check_parameters(words, {"SIZE": "SIZE", "BODY": "8BITMIME", "SMTPUTF8": "SMTPUTF8",
                                      "BODY=BINARYMIME": "BINARYMIME",
                                      "RET": "DSN", "ENVID": "DSN", "REQUIRETLS": "REQUIRETLS"})
        if self.give(self.act("MAIL", argument, "250 2.1.0 ok")) == "2":
            self.sender, self.parameters = address_in(argument), words

    def on_rcpt(self, argument):
        words = argument[argument.find(">") + 1:].split()
        self.check_parameters(words, {"NOTIFY": "DSN", "ORCPT": "DSN"})
        if self.sender is None:
            self.give(Reply("503 5.5.1 no MAIL"))
        elif self.give(self.act("RCPT", argument, "250 2.1.5 ok")) == "2":
            self.recipients.append((address_in(argument), words))

    def on_data(self, argument):
        self.must_end_group("DATA")
        if "BODY=BINARYMIME" in (self.parameters or ()):
            self.wrong("DATA behind BODY=BINARYMIME")
        if not self.recipients:
            self.give(Reply("554 5.5.1 no valid recipients"))
        elif self.give(self.act("DATA", argument, "354 go on")) == "3":
            self.take(self.read_content())

    def on_bdat(self, argument):
        words = argument.split()
        if "CHUNKING" not in self.offers:
            self.wrong("BDAT without the offer")
        chunk = self.read_exactly(int(words[0]))
        if not self.recipients:
            self.give(Reply("503 5.5.1 no valid recipients"))
            return
        self.chunks += chunk
        if words[1:] == ["LAST"]:
            self.take(bytes(self.chunks))
        elif self.give(self.act("BDAT", argument, "250 2.0.0 a chunk")) != "2":
            self.reset()

    def take(self, content):
        if "BODY=BINARYMIME" not in self.parameters:
            if re.search(rb"[\x80-\xff]", content) and "BODY=8BITMIME" not in self.parameters:
                self.wrong("8-bit content that was not declared")
            if re.search(rb"(?<!\r)\n|\r(?!\n)", content):
                self.wrong("a bare CR or LF in the content")
        reply = self.act("end", "", "250 2.0.0 taken")
        self.peer.take(Taken(self, content, reply.octets.decode("latin-1")))
        self.reset()
        self.give(reply)

    def on_rset(self, argument):
        self.reset()
        self.give(self.act("RSET", argument, "250 2.0.0 ok"))

    def on_noop(self, argument):
        self.give(self.act("NOOP", argument, "250 2.0.0 ok"))

    def on_auth(self, argument):
        self.must_end_group("AUTH")
        self.give(self.act("AUTH", argument, "535 5.7.8 no"))

    def on_starttls(self, argument):
        reply = self.act("STARTTLS", argument,
                         "220 2.0.0 go" if self.peer.tls else "454 4.7.0 not now")
        if self.give(reply) == "2" and self.peer.tls:
            self.sock = self.peer.tls.wrap_socket(self.sock, server_side=True)
            self.in_tls, self.offers = True, ()
            self.reset()

    def on_quit(self, argument):
        self.give(self.act("QUIT", argument, "221 2.0.0 bye"))
        raise Ended


class Peer:
    """A host on an address and a port; port 0 is any."""

    def __init__(self, address, port=0, offers=OFFERS, cut_after=0, cuts=1, **script):
        """`cut_after`: hangs up behind so many replies, in the first `cuts` sessions."""
        self.address, self.offers = address, offers
        self.cut_after, self.cuts = cut_after, cuts
        self.tls = self.offers_in_tls = None
        self.script = {step: Turns(ways) for step, ways in script.items()}
        self.sessions, self.ends, self.wrongs, self.threads = [], [], [], []
        self.lock, self.stopping = threading.Lock(), threading.Event()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, port))
        self.port = self.listener.getsockname()[1]

    def secure(self, context, offers=OFFERS):
        """STARTTLS is offered, and behind it something else."""
        self.tls, self.offers_in_tls = context, offers
        self.offers = (*self.offers, "STARTTLS")

    @property
    def taken(self):
        """The transactions that it said yes to."""
        return [one for one in self.ends if one.said.startswith("2")]

    @property
    def lines(self):
        """The commands of all sessions."""
        return [line for session in self.sessions for line in session.lines]

    def count(self, verb):
        return sum(line.split(" ")[0].upper() == verb for line in self.lines)

    def set(self, step, ways):
        """Another script for a step, from now on."""
        with self.lock:
            self.script[step] = Turns(ways)

    def next(self, step, default):
        with self.lock:
            turns = self.script.get(step)
            return turns.next() if turns else default

    def take(self, one):
        with self.lock:
            self.ends.append(one)

    def may_cut(self):
        with self.lock:
            self.cuts -= 1
            return self.cuts >= 0

    def serve(self, session):
        try:
            session.run()
        except (Ended, OSError):
            pass
        finally:
            session.ended = time.monotonic()
            session.sock.close()

    def accept(self):
        while True:
            sock, source = self.listener.accept()
            if self.stopping.is_set():
                sock.close()
                return
            sock.settimeout(TIMEOUT)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = Session(self, sock, source)
            self.sessions.append(session)
            thread = threading.Thread(target=self.serve, args=(session,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def start(self):
        self.listener.listen(128)
        self.threads.append(threading.Thread(target=self.accept, daemon=True))
        self.threads[-1].start()

    def stop(self):
        """Hangs up on everybody."""
        self.stopping.set()
        socket.create_connection(self.listener.getsockname()[:2]).close()
        self.threads[0].join()
        self.listener.close()
        for session in self.sessions:
            try:
                session.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self.threads[1:]:
            thread.join(TIMEOUT)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *why):
        self.stop()
