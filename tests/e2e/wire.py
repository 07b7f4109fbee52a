"""wire - one connection, in octets: what is sent is what the caller wrote, what comes is read by
lines.  No client library stands between, so nothing is mended on the way."""

import re
import socket


class Broken(Exception):
    """The server said something else, or nothing more."""


def stuff(content):
    """Content as DATA carries it, without the final dot."""
    return re.sub(rb"(^|\r\n)\.", rb"\1..", content)


class Wire:
    """Lines both ways over a socket."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.unread = bytearray()
        self.closed = False

    def send(self, octets):
        self.sock.sendall(octets)

    def fill(self):
        """Reads what is there; false at the end."""
        try:
            octets = self.sock.recv(1 << 18)
        except TimeoutError:
            raise Broken("nothing came") from None
        self.unread += octets
        return bool(octets)

    def octets_line(self):
        """The next line without its CRLF."""
        start = 0
        while True:
            at = self.unread.find(b"\r\n", start)
            if at >= 0:
                line = bytes(self.unread[:at])
                del self.unread[:at + 2]
                return line
            start = max(0, len(self.unread) - 1)
            if not self.fill():
                raise Broken(f"the connection ended after {bytes(self.unread[-200:])!r}")

    def line(self):
        return self.octets_line().decode("utf-8", "replace")

    def expect(self, found, wanted):
        if not found.startswith(wanted):
            raise Broken(f"{found!r}, wanted {wanted!r}")
        return found

    def ended(self):
        """Whether the server has closed and said nothing more."""
        try:
            return not self.unread and not self.fill()
        except ConnectionResetError:
            return True

    def all_until_end(self):
        """Everything that still comes until the server closes."""
        try:
            while self.fill():
                pass
        except ConnectionResetError:
            pass
        return bytes(self.unread)

    def shake(self, context, name="mx.example.test", session=None):
        """TLS from here on; what was read before belongs to the clear."""
        if self.unread:
            raise Broken(f"before the handshake came {bytes(self.unread)!r}")
        self.sock = context.wrap_socket(self.sock, server_hostname=name, session=session)

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        """Ends the connection without a goodbye (RST)."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close()

    def close(self):
        if not self.closed:
            self.closed = True
            self.sock.close()


class Smtp(Wire):
    """An SMTP client of bare lines."""

    def reply(self):
        """One reply, its lines joined by newlines."""
        lines = [self.line()]
        while lines[-1][3:4] == "-":
            lines.append(self.line())
        return "\n".join(lines)

    def say(self, line, wanted=""):
        """Sends a line, returns the reply; `wanted` is how that must begin."""
        octets = line if isinstance(line, bytes) else line.encode()
        self.send(octets + b"\r\n")
        try:
            return self.expect(self.reply(), wanted)
        except Broken as why:
            raise Broken(f"to {octets[:80]!r}: {why}") from None

    def envelope(self, sender="someone@elsewhere.test", to=("bob@example.test",)):
        self.say(f"MAIL FROM:<{sender}>", "250")
        for recipient in to:
            self.say(f"RCPT TO:<{recipient}>", "250")

    def data(self, content):
        """DATA with this content; returns the reply to its end."""
        self.say("DATA", "354")
        self.send(stuff(content) + (b"" if content.endswith(b"\r\n") or not content else b"\r\n"))
        return self.say(".")

    def bdat(self, *chunks):
        """The content in these chunks, one reply after another; returns the last."""
        reply = ""
        for number, chunk in enumerate(chunks):
            last = b" LAST" if number == len(chunks) - 1 else b""
            self.send(b"BDAT %d%s\r\n" % (len(chunk), last) + chunk)
            reply = self.reply()
            if not reply.startswith("250"):
                break
        return reply


class Pop(Wire):
    """A POP3 client of bare lines."""

    def say(self, line, wanted=""):
        octets = line if isinstance(line, bytes) else line.encode()
        self.send(octets + b"\r\n")
        try:
            return self.expect(self.line(), wanted)
        except Broken as why:
            raise Broken(f"to {octets[:80]!r}: {why}") from None

    def lines(self):
        """The rest of a multi-line answer, dots undone, up to the final dot."""
        found = []
        while (line := self.octets_line()) != b".":
            found.append(line[1:] if line.startswith(b".") else line)
        return found

    def listing(self, command):
        """The lines of an answer to LIST, UIDL, CAPA or the like."""
        self.say(command, "+OK")
        return [line.decode("utf-8", "replace") for line in self.lines()]

    def body(self):
        """A message, dots undone: as `lines`, but quick for messages of many megabytes."""
        start = 0
        while True:
            if self.unread.startswith(b".\r\n"):
                end = 0
                break
            end = self.unread.find(b"\r\n.\r\n", start)
            if end >= 0:
                end += 2
                break
            start = max(0, len(self.unread) - 4)
            if not self.fill():
                raise Broken("the connection ended within a message")
        octets = bytes(self.unread[:end])
        del self.unread[:end + 3]
        return re.sub(rb"(^|\r\n)\.", rb"\1", octets)

    def retr(self, number):
        self.say(f"RETR {number}", "+OK")
        return self.body()
