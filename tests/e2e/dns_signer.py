"""dns_signer - signs a flat root zone, so that validation can be tested without the network.

RSA/SHA-256 (RFC 5702) with a key that everybody knows.  Every name stands in the root zone itself,
except what lies below a name in `insecure`, which is delegated without a DS record.  Absence is
proven by records made for the question (RFC 4470).
"""

import hashlib
import time

P, Q = (int(half, 16) for half in ((
    "e86f5ddafa36da79918639997e1fe7b9b7563c1bfd26a2122ba009206827c42f"
    "2cda995c6fd83a010d98e76e705ba832d872bfc1f9be84910e275ea65e332849"), (
    "c6f526886fa141d8813f860f7781acb4be07d9a0f786a00e7cdb0ae1f74292d5"
    "8f42558a99e8a4458c7082a1f015253e8d888a5e69dc712a6e2fcfd1f2328129")))
E, N = 65537, P * Q
D = pow(E, -1, (P - 1) * (Q - 1))
OCTETS = (N.bit_length() + 7) // 8
SHA256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")    # RFC 8017 9.2
DNSKEY_DATA = b"\x01\x01\x03\x08\x03" + E.to_bytes(3, "big") + N.to_bytes(OCTETS, "big")
SOA, NS, RRSIG, NSEC, DNSKEY = 6, 2, 46, 47, 48


def wire_name(name):
    """A name of text, the root is "" or "."; lower case, as what is signed has to be."""
    labels = [label.encode("latin-1") for label in name.lower().strip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def key_tag(data=DNSKEY_DATA):
    """RFC 4034 appendix B."""
    total = sum(octet << 8 if i % 2 == 0 else octet for i, octet in enumerate(data))
    return (total + (total >> 16)) & 0xFFFF


def anchor():
    """A line for a file of trust anchors."""
    digest = hashlib.sha256(b"\0" + DNSKEY_DATA).hexdigest()
    return f". IN DS {key_tag()} 8 2 {digest}\n"


def rsa_sign(octets):
    digest = SHA256_PREFIX + hashlib.sha256(octets).digest()
    padded = b"\0\1" + b"\xff" * (OCTETS - len(digest) - 3) + b"\0" + digest
    return pow(int.from_bytes(padded, "big"), D, N).to_bytes(OCTETS, "big")


def type_bitmap(types):
    """RFC 4034 4.1.2; all our types are in window 0."""
    octets = bytearray(max(types) // 8 + 1)
    for number in types:
        octets[number // 8] |= 0x80 >> number % 8
    return bytes([0, len(octets)]) + bytes(octets)


class Signer:
    def __init__(self, insecure=(), broken=()):
        """`broken`: names whose signatures are wrong."""
        self.insecure, self.broken = set(insecure), set(broken)

    def signs(self, name):
        labels = name.split(".")
        return not any(".".join(labels[i:]) in self.insecure for i in range(1, len(labels)))

    def signature(self, name, number, ttl, rows):
        """The data of the RRSIG record over a set of records' data."""
        now = int(time.time())
        labels = len([label for label in name.split(".") if label])
        head = (number.to_bytes(2, "big") + bytes([8, labels]) + ttl.to_bytes(4, "big") +
                (now + 86400).to_bytes(4, "big") + (now - 3600).to_bytes(4, "big") +
                key_tag().to_bytes(2, "big") + b"\0")
        owner = wire_name(name) + number.to_bytes(2, "big") + b"\0\1" + ttl.to_bytes(4, "big")
        signed = head + b"".join(owner + len(row).to_bytes(2, "big") + row for row in sorted(rows))
        signature = bytearray(rsa_sign(signed))
        if name in self.broken:
            signature[-1] ^= 1
        return head + bytes(signature)

    def no_type(self, name, types):
        """(owner, data) of the NSEC record: the name exists, with those types only."""
        return [(name, wire_name(chr(0) + "." + name) + type_bitmap({*types, RRSIG, NSEC}))]

    def no_name(self, name):
        """NSEC records around the name, and around the wildcard that might have matched."""
        label, _, parent = name.partition(".")
        before = label[:-1] + chr(ord(label[-1]) - 1) + "~"
        return [(f"{owner}.{parent}", wire_name(f"{following}.{parent}") +
                 type_bitmap({RRSIG, NSEC}))
                for owner, following in ((before, label + "!"), (")~", "+"))]
