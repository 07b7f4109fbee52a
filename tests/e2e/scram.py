"""scram - the client's side of SCRAM (RFC 5802, RFC 7677), written from the RFCs alone."""

import base64
import hashlib
import hmac
import os


class Scram:
    """One exchange.  `binding`: None, or a pair of its name and octets, for -PLUS."""

    digest = "sha256"

    def __init__(self, user, password, binding=None, flag=b"n", acting_for=b""):
        self.password = password.encode()
        self.iterations = None      # what the server asked for
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

    def mac(self, key, words):
        return hmac.digest(key, words, self.digest)

    def last(self, server_first):
        fields = dict(field.split(b"=", 1) for field in server_first.split(b","))
        if not fields[b"r"].startswith(self.nonce):
            raise ValueError("the server's nonce does not begin with ours")
        self.iterations = int(fields[b"i"])
        salted = hashlib.pbkdf2_hmac(self.digest, self.password, base64.b64decode(fields[b"s"]),
                                     self.iterations)
        client_key = self.mac(salted, b"Client Key")
        without_proof = b"c=" + base64.b64encode(self.bound) + b",r=" + fields[b"r"]
        everything = self.bare + b"," + server_first + b"," + without_proof
        signature = self.mac(hashlib.new(self.digest, client_key).digest(), everything)
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        self.proof_wanted = b"v=" + base64.b64encode(
            self.mac(self.mac(salted, b"Server Key"), everything))
        return without_proof + b",p=" + base64.b64encode(proof)


class ScramSha1(Scram):
    digest = "sha1"
