"""scram - the client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), written from the RFCs alone."""

import base64
import hashlib
import hmac
import os


def mac(key, words):
    return hmac.digest(key, words, "sha256")


class Scram:
    """One exchange.  `binding`: None, or a pair of its name and octets, for -PLUS."""

    def __init__(self, user, password, binding=None, flag=b"n", acting_for=b""):
        self.password = password.encode()
        if binding:
            flag = b"p=" + binding[0]
        self.gs2 = flag + b"," + (b"a=" + acting_for if acting_for else b"") + b","
        self.bound = self.gs2 + (binding[1] if binding else b"")
        user = user.encode().replace(b"=", b"=3D").replace(b",", b"=2C")
        self.nonce = base64.b64encode(os.urandom(18))
        self.bare = b"n=" + user + b",r=" + self.nonce
        self.proof_wanted = b""

    def first(self):
        return self.gs2 + self.bare

    def last(self, server_first):
        fields = dict(field.split(b"=", 1) for field in server_first.split(b","))
        if not fields[b"r"].startswith(self.nonce):
            raise ValueError("the server's nonce does not begin with ours")
        salted = hashlib.pbkdf2_hmac("sha256", self.password, base64.b64decode(fields[b"s"]),
                                     int(fields[b"i"]))
        client_key = mac(salted, b"Client Key")
        without_proof = b"c=" + base64.b64encode(self.bound) + b",r=" + fields[b"r"]
        everything = self.bare + b"," + server_first + b"," + without_proof
        signature = mac(hashlib.sha256(client_key).digest(), everything)
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        self.proof_wanted = b"v=" + base64.b64encode(mac(mac(salted, b"Server Key"), everything))
        return without_proof + b",p=" + base64.b64encode(proof)
