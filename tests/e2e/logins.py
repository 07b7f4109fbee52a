"""logins - AUTH LOGIN, and SCRAM in either protocol, as clients do them."""

import base64

from harness import equal
from locked import b64


def login(wire, user, password, wanted):
    """AUTH LOGIN, a line at a time."""
    wire.say("AUTH LOGIN", "334 VXNlcm5hbWU6")
    wire.say(b64(user), "334 UGFzc3dvcmQ6")
    return wire.say(b64(password), wanted)


def scram(wire, client, mechanism="SCRAM-SHA-256", initial=True):
    """The exchange in either protocol; returns the last line."""
    prompt = "334 " if hasattr(wire, "reply") else "+ "

    def ask(line):
        wire.send(line.encode() + b"\r\n")
        return wire.line()
    first = b64(client.first())
    if initial:
        said = ask(f"AUTH {mechanism} {first}")
    else:
        equal(ask(f"AUTH {mechanism}").rstrip(), prompt.rstrip(), "the empty challenge")
        said = ask(first)
    if not said.startswith(prompt):
        return said
    said = ask(b64(client.last(base64.b64decode(said[len(prompt):]))))
    if not said.startswith(prompt):
        return said
    equal(base64.b64decode(said[len(prompt):]), client.proof_wanted, "the server's proof")
    return ask("")
