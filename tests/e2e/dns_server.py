"""dns_server - a resolver of one's own on loopback that answers from a table.

    with DnsServer("127.64.0.1", "x.test MX 10 mx.x.test", "mx.x.test A 192.0.2.1") as dns:
        ... dns.resolver is "127.64.0.1:PORT" ...

It plays the recursive resolver that a mail server asks: it follows CNAMEs within its table, says
NXDOMAIN and NODATA, truncates what does not fit and answers again over TCP.  behave() makes it
misbehave about a name, behave_always() about all.  `dns.asked` lists (name, type, "udp" or "tcp")
of every query.  With a Signer, answers carry signatures for whoever wants them.  It may be left and
entered again.
"""

import itertools
import socket
import struct
import threading

from dns_signer import DNSKEY, DNSKEY_DATA, NS, NSEC, RRSIG, SOA, wire_name

TYPES = {"A": 1, "NS": NS, "CNAME": 5, "SOA": SOA, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28,
         "SRV": 33, "DS": 43, "TLSA": 52}
NAMES = {number: name for name, number in TYPES.items()}
OPT, CNAME = 41, 5
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)
TTL = 60
SOA_DATA = wire_name("ns.test") + wire_name("root.test") + struct.pack("!5L", 1, 60, 60, 60, TTL)
DO = 0x8000


def pack_txt(words):
    strings = [word.encode("latin-1") for word in words]
    return b"".join(bytes([len(string)]) + string for string in strings)


def pack_numbers_and_name(words):
    numbers = [int(word) for word in words[:-1]]
    return struct.pack(f"!{len(numbers)}H", *numbers) + wire_name(words[-1])


def pack_tlsa(words):
    return bytes(int(word) for word in words[:3]) + bytes.fromhex(words[3])


PACK = {
    "A": lambda words: socket.inet_pton(socket.AF_INET, words[0]),
    "AAAA": lambda words: socket.inet_pton(socket.AF_INET6, words[0]),
    "TXT": pack_txt, "TLSA": pack_tlsa, "MX": pack_numbers_and_name, "SRV": pack_numbers_and_name,
    "PTR": pack_numbers_and_name, "CNAME": pack_numbers_and_name, "NS": pack_numbers_and_name,
}


def pack_record(name, number, data, ttl=TTL, owner=None):
    """`owner`: the name's octets, when they are not to be those of the name."""
    return (owner or wire_name(name)) + struct.pack("!HHLH", number, 1, ttl, len(data)) + data


class Query:
    """What was asked; `wants_signatures` and `room` are what the asker's OPT record says."""

    def __init__(self, packet, transport):
        self.id, self.flags, self.transport = packet[:2], packet[2:4], transport
        labels, at = [], 12
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode("latin-1").lower())
            at += 1 + packet[at]
        self.question = packet[12:at + 5]
        self.name = ".".join(labels)
        self.type = int.from_bytes(packet[at + 1:at + 3], "big")
        self.room, self.wants_signatures, self.edns = 512, False, False
        rest = packet[at + 5:]
        if rest[:3] == b"\0\0" + bytes([OPT]):
            self.edns = True
            self.room = max(512, int.from_bytes(rest[3:5], "big"))
            self.wants_signatures = bool(int.from_bytes(rest[7:9], "big") & DO)
        if transport == "tcp":
            self.room = 65535

    def reply(self, rcode, answer=(), authority=(), truncated=False):
        flags = 0x8180 | (0x0200 if truncated else 0) | rcode
        opt = b"\0" + struct.pack("!HHLH", OPT, 1232, DO if self.wants_signatures else 0, 0)
        extra = [opt] if self.edns else []
        packet = (self.id + struct.pack("!5H", flags, 1, len(answer), len(authority), len(extra)) +
                  self.question + b"".join([*answer, *authority, *extra]))
        if len(packet) > self.room:
            return self.reply(rcode, truncated=True)
        return packet


class DnsServer:
    def __init__(self, address, *lines, signer=None, port=0):
        """Lines are "NAME TYPE WORDS...", of a TXT record each word is a string.  Port 0 is any."""
        self.address, self.signer, self.port = address, signer, port
        self.table, self.behaviour, self.asked = {}, {}, []
        self.ttl, self.always = TTL, None
        self.add(*lines)
        self.threads = []
        self.udp = self.tcp = None
        self.ending = threading.Event()

    def add(self, *lines):
        for line in lines:
            name, kind, *words = line.split()
            self.add_data(name, kind, PACK[kind](words))

    def add_data(self, name, kind, data):
        """A record by its octets, which may be nonsense."""
        name = name.lower().rstrip(".")
        self.table.setdefault(name, {}).setdefault(TYPES[kind], []).append(data)

    def behave(self, name, how):
        """`how`: a function of the Query that gives the reply's octets, or None for silence."""
        self.behaviour[name] = how

    def behave_always(self, how):
        """The same for every name that has none of its own; None: as the table says."""
        self.always = how

    @property
    def resolver(self):
        return f"{self.address}:{self.port}"

    def asked_about(self, name):
        return [row for row in self.asked if row[0] == name]

    # The table

    def exists(self, name):
        return name in self.table or any(other.endswith("." + name) for other in self.table)

    def signed_set(self, query, name, number, rows):
        records = [pack_record(name, number, row, self.ttl) for row in rows]
        if self.signer and query.wants_signatures and self.signer.signs(name):
            signature = self.signer.signature(name, number, self.ttl, rows)
            records.append(pack_record(name, RRSIG, signature))
        return records

    def absence(self, query, name):
        """The authority section of an answer without the records."""
        records = self.signed_set(query, "", SOA, [SOA_DATA])
        if self.signer and query.wants_signatures and self.signer.signs(name):
            if self.exists(name):
                types = self.table.get(name) or {TYPES["TXT"]: None}
                proof = self.signer.no_type(name, types)
            else:
                proof = self.signer.no_name(name)
            for owner, data in proof:
                records += self.signed_set(query, owner, NSEC, [data])
        return records

    def answer(self, query):
        if query.name == "":
            rows = {SOA: [SOA_DATA], DNSKEY: [DNSKEY_DATA] if self.signer else []}
            found = rows.get(query.type) or []
            return query.reply(NOERROR, self.signed_set(query, "", query.type, found)
                               if found else [], [] if found else self.absence(query, ""))
        records, name = [], query.name
        for _ in range(10):
            rows = self.table.get(name, {})
            if query.type in rows or CNAME not in rows:
                break
            records += self.signed_set(query, name, CNAME, rows[CNAME])
            name = unpack_name(rows[CNAME][0])
        if query.type in rows:
            return query.reply(NOERROR,
                               records + self.signed_set(query, name, query.type, rows[query.type]))
        return query.reply(NOERROR if self.exists(name) else NXDOMAIN, records,
                           self.absence(query, name))

    # The wire

    def respond(self, packet, transport):
        query = Query(packet, transport)
        self.asked.append((query.name, NAMES.get(query.type, query.type), transport))
        how = self.behaviour.get(query.name) or self.always or self.answer
        return how(query)

    def serve_udp(self):
        while True:
            packet, peer = self.udp.recvfrom(65535)
            if self.ending.is_set():
                return
            threading.Thread(target=self.respond_udp, args=(packet, peer), daemon=True).start()

    def respond_udp(self, packet, peer):
        reply = self.respond(packet, "udp")
        if reply is not None and not self.ending.is_set():
            self.udp.sendto(reply, peer)

    def serve_tcp(self):
        while True:
            connection, _ = self.tcp.accept()
            if self.ending.is_set():
                connection.close()
                return
            threading.Thread(target=self.respond_tcp, args=(connection,), daemon=True).start()

    def respond_tcp(self, connection):
        with connection, connection.makefile("rb") as stream:
            while len(size := stream.read(2)) == 2:
                packet = stream.read(int.from_bytes(size, "big"))
                reply = self.respond(packet, "tcp")
                if reply is None:
                    return
                connection.sendall(len(reply).to_bytes(2, "big") + reply)

    def bind(self):
        """One port for both transports."""
        wanted = self.port
        for _ in range(20):
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp.bind((self.address, wanted))
            self.port = self.udp.getsockname()[1]
            self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                self.tcp.bind((self.address, self.port))
                self.tcp.listen(64)
                return
            except OSError:
                self.tcp.close()
                self.udp.close()
        raise OSError("no port that is free for UDP and TCP")

    def __enter__(self):
        self.ending.clear()
        self.bind()
        for target in (self.serve_udp, self.serve_tcp):
            self.threads.append(threading.Thread(target=target, daemon=True))
            self.threads[-1].start()
        return self

    def __exit__(self, *error):
        self.ending.set()
        self.udp.sendto(b"", (self.address, self.port))
        socket.create_connection((self.address, self.port)).close()
        while self.threads:
            self.threads.pop().join()
        self.udp.close()
        self.tcp.close()


def unpack_name(octets):
    labels, at = [], 0
    while octets[at]:
        labels.append(octets[at + 1:at + 1 + octets[at]].decode("latin-1"))
        at += 1 + octets[at]
    return ".".join(labels)


# What a server may do about a name: for behave().

def say(rcode):
    return lambda query: query.reply(rcode)


def silent(_query):
    return None


def raw(make):
    """`make(query)` gives what stands behind the header and the question, and how many answers."""
    def respond(query):
        count, octets = make(query)
        return query.id + struct.pack("!5H", 0x8180, 1, count, 0, 0) + query.question + octets
    return respond


def in_turn(*ways):
    """One way after the other, the last one for good."""
    turns = itertools.chain(ways, itertools.repeat(ways[-1]))
    return lambda query: next(turns)(query)
