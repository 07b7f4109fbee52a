"""client_hello - a TLS client's first words in octets, to be bent (RFC 8446 4.1.2)."""

import ssl
import struct

SERVER_NAME, SUPPORTED_VERSIONS = 0, 43
ALERT, HANDSHAKE = 21, 22


def fresh(name="mx.example.test"):
    """What a client of today says, in one record."""
    coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    session = context.wrap_bio(coming, going, server_hostname=name)
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return going.read()


def record(payload, kind=HANDSHAKE):
    return struct.pack(">BHH", kind, 0x0301, len(payload)) + payload


def records(payload):
    """The same in as many as it takes."""
    return b"".join(record(payload[at:at + 16384]) for at in range(0, len(payload), 16384))


def handshake(body):
    return b"\x01" + struct.pack(">I", len(body))[1:] + body


class Hello:
    """A hello taken apart; bytes() puts it together again."""

    def __init__(self, name="mx.example.test"):
        body = fresh(name)[9:]
        self.version = body[:2]
        at = 34 + 1 + body[34]                                  # random, session id
        at += 2 + int.from_bytes(body[at:at + 2])               # cipher suites
        at += 1 + body[at]                                      # compression
        self.head = body[2:at]
        self.extensions = []
        at += 2
        while at < len(body):
            kind, size = struct.unpack_from(">HH", body, at)
            self.extensions.append((kind, body[at + 4:at + 4 + size]))
            at += 4 + size

    def without(self, kind):
        self.extensions = [e for e in self.extensions if e[0] != kind]
        return self

    def with_extension(self, kind, octets):
        self.without(kind)
        self.extensions.append((kind, octets))
        return self

    def with_names(self, *names):
        """These as the list of server names; each is octets of any kind."""
        listed = b"".join(b"\0" + struct.pack(">H", len(n)) + n for n in names)
        return self.with_extension(SERVER_NAME, struct.pack(">H", len(listed)) + listed)

    def of_version(self, major, minor):
        """As a client says that has never heard of TLS 1.3."""
        self.version = bytes((major, minor))
        return self.without(SUPPORTED_VERSIONS)

    def body(self):
        listed = b"".join(struct.pack(">HH", kind, len(octets)) + octets
                          for kind, octets in self.extensions)
        return handshake(self.version + self.head + struct.pack(">H", len(listed)) + listed)

    def __bytes__(self):
        return records(self.body())
