"""scripted_pop - a POP3 server that lies, stops and cuts where a test wants, and writes all down.

    with PopPeer("127.128.0.1", messages=[("uid", b"octets")], cut_at=3) as peer:
        peer.port, peer.said, peer.mail

The mail is what a good server would have: QUIT deletes what was marked.  What is wrong with it is
said by its options.
"""

import socket
import threading

CAPA = ("TOP", "UIDL", "PIPELINING", "USER", "RESP-CODES")


class Half(bytes):
    """The last octets of a session."""


class Cut(Exception):
    """The session ends here."""


def stuffed(octets):
    body = octets if octets.endswith(b"\r\n") else octets + b"\r\n"
    return (b"\r\n" + body).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"


class PopPeer:
    """`cut_after`: octets of the whole session that go out before it breaks off.  `quit`: what QUIT
    is answered with, None to break off before (deletes all the same), "lost" to break off without
    deleting.  `instead`: {"RETR 2": octets} as they are; behind Half(octets) it breaks off.
    `on`: {"DELE": function} is called with the argument before the answer."""

    def __init__(self, address, messages=(), **options):
        self.mail = list(messages)
        self.capa = options.get("capa", CAPA)
        self.cut_after = options.get("cut_after")
        self.quit = options.get("quit", "+OK bye")
        self.instead = options.get("instead", {})
        self.on = options.get("on", {})
        self.said = []  # commands, of all sessions
        self.sessions = 0
        self.socket = socket.create_server((address, 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *why):
        self.socket.close()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.sessions += 1
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                Session(self, connection).run()
            except (Cut, OSError, ValueError):
                pass
            finally:
                connection.close()


class Session:
    def __init__(self, peer, connection):
        self.peer = peer
        self.connection = connection
        self.lines = connection.makefile("rb")
        self.left = peer.cut_after
        self.marked = set()

    def send(self, octets):
        if self.left is not None and len(octets) >= self.left:
            self.connection.sendall(octets[:self.left])
            raise Cut
        if self.left is not None:
            self.left -= len(octets)
        self.connection.sendall(octets)

    def run(self):
        self.send(b"+OK hello\r\n")
        for line in self.lines:
            command = line.decode("latin-1").rstrip("\r\n")
            self.peer.said.append(command)
            if command in self.peer.instead:
                octets = self.peer.instead[command]
                self.send(bytes(octets))
                if isinstance(octets, Half):
                    return
                continue
            verb, _, argument = command.partition(" ")
            if verb in self.peer.on:
                self.peer.on[verb](argument)
            if verb == "QUIT":
                self.goodbye()
                return
            self.send(self.answer(verb, argument))

    def goodbye(self):
        if self.peer.quit != "lost":
            self.peer.mail = [m for i, m in enumerate(self.peer.mail, 1) if i not in self.marked]
        if self.peer.quit and self.peer.quit != "lost":
            self.send(self.peer.quit.encode() + b"\r\n")

    def answer(self, verb, argument):
        mail = self.peer.mail
        if verb == "CAPA":
            return b"+OK\r\n" + "".join(f"{c}\r\n" for c in self.peer.capa).encode() + b".\r\n"
        if verb == "UIDL" and "UIDL" not in self.peer.capa:
            return b"-ERR what?\r\n"
        if verb in ("LIST", "UIDL"):
            rows = [f"{i} {m[0] if verb == 'UIDL' else len(m[1])}\r\n"
                    for i, m in enumerate(mail, 1)]
            return b"+OK\r\n" + "".join(rows).encode("latin-1") + b".\r\n"
        if verb == "RETR":
            return b"+OK\r\n" + stuffed(mail[int(argument) - 1][1])
        if verb == "DELE":
            self.marked.add(int(argument))
        return b"+OK\r\n"
