"""signed_world - a small internet whose zones are signed, and what a host's certificate is called
in them (RFC 6698)."""

import hashlib
import os
import subprocess

from dns_signer import Signer, anchor
from harness import need
from relay_world import Net


def openssl(*words, given=None):
    return subprocess.run([need("openssl"), *words], input=given, check=True, capture_output=True,
                          timeout=60).stdout


def certificate_octets(pem):
    return openssl("x509", "-in", pem, "-outform", "DER")


def key_octets(pem):
    public = openssl("x509", "-in", pem, "-noout", "-pubkey")
    return openssl("pkey", "-pubin", "-outform", "DER", given=public)


def tlsa(usage, selector, matching, pem):
    """The words of a record for this certificate."""
    octets = key_octets(pem) if selector == 1 else certificate_octets(pem)
    if matching:
        octets = (hashlib.sha256, hashlib.sha512)[matching - 1](octets).digest()
    return f"{usage} {selector} {matching} {octets.hex()}"


WRONG = f"3 1 1 {'00' * 32}"


class SignedNet(Net):
    """Its root zone is signed; `signer`: what is not, or wrongly."""

    def __init__(self, port=0, dns_port=0, **signer):
        super().__init__(port, dns_port)
        self.dns.signer = Signer(**signer)

    def publish(self, host, *records):
        """TLSA records for the port that mail goes to."""
        self.dns.add(*(f"_{self.port}._tcp.{host} TLSA {record}" for record in records))

    def sender(self, tls="may", more=""):
        """A server that believes what the zone's key has signed."""
        server = self.server(relay=self.relay(more).replace("tls = none", f"tls = {tls}"))
        with open(os.path.join(server.folder, "anchor"), "w", encoding="ascii") as file:
            file.write(anchor())
        server.sections["dns"] = (f'resolvers = {{"{self.dns.resolver}"}}  dnssec = require  '
                                  'anchors = "anchor"')
        server.write_config()
        server.restart()
        return server
