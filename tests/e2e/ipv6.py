"""ipv6 - strangers that come by IPv6, where a network of 2^64 addresses is one peer.

A suite of its own because it has a network of its own: a network namespace whose loopback device
has the addresses of documentation (RFC 3849).  Where none can be had, its cases are skipped."""

import os
import re
import shutil
import subprocess
import sys

from harness import Server, Skip, case, check, equal, main, until

BOB = "bob@example.test"
OURS = "2001:db8:1::1"
ADDRESSES = (OURS, "2001:db8:2::1", "2001:db8:2::ffff", "2001:db8:3::1")
ONE, NEIGHBOUR, OTHER = ADDRESSES[1:]
SETS_UP = "ip link set lo up && " + " && ".join(
    f"ip address add {address}/128 dev lo" for address in ADDRESSES) + ' && exec "$@"'
INSIDE = "GODWIT_TEST_NET"
MESSAGE = b"From: a@elsewhere.test\r\n\r\nwords\r\n"


def net_of_its_own():
    """The words that run a program in one, or None."""
    if not shutil.which("unshare") or not shutil.which("ip"):
        return None
    for unshare in (["unshare", "--net"], ["unshare", "--user", "--map-root-user", "--net"]):
        words = [*unshare, "sh", "-c", SETS_UP, "sh"]
        if subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0:
            return words
    return None


class SixServer(Server):
    """Listens by IPv6, where nobody is trusted."""

    def __init__(self, **sections):
        if not os.environ.get(INSIDE):
            raise Skip("no network of one's own can be had")
        super().__init__(users=[BOB], auth="cleartext = always", **sections)
        self.address = OURS
        self.write_config()

    def write_config(self):
        super().write_config()
        with open(self.config, encoding="utf-8") as file:
            text = file.read()
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(re.sub(rf'"{OURS}:(\d+)"', rf'"[{OURS}]:\1"', text))

    def greeted(self, source):
        wire = self.connect("smtp", source)
        wire.expect(wire.reply(), "220")
        wire.say("EHLO client.test", "250")
        return wire


@case
def a_stranger_brings_mail_and_relays_none():
    with SixServer() as server:
        wire = server.greeted(ONE)
        wire.say("MAIL FROM:<a@elsewhere.test>", "250")
        wire.say("RCPT TO:<b@elsewhere.test>", "550 5.7.1")
        wire.say(f"RCPT TO:<{BOB}>", "250")
        wire.expect(wire.data(MESSAGE), "250")
        mail, = server.messages(BOB)
        check(f"([IPv6:{ONE}])".encode() in mail, f"the literal of RFC 5321 4.1.3 in {mail[:300]}")
        until(lambda: f"peer=[{ONE}]:" in server.log(), "the peer in the log")


@case
def a_trusted_network_relays():
    with SixServer(relay='trusted = {"[2001:db8:2::]/64"}') as server:
        for source, wanted in ((NEIGHBOUR, "250"), (OTHER, "550 5.7.1")):
            wire = server.greeted(source)
            wire.say("MAIL FROM:<a@elsewhere.test>", "250")
            wire.say("RCPT TO:<b@elsewhere.invalid>", wanted)
            wire.say("QUIT", "221")


@case
def a_network_is_one_peer():
    with SixServer(limits="connections_per_peer = 2") as server:
        first = server.greeted(ONE)
        server.greeted(NEIGHBOUR)
        for source in (ONE, NEIGHBOUR):
            wire = server.connect("smtp", source)
            wire.expect(wire.reply(), "421 ")
        server.greeted(OTHER)
        first.say("QUIT", "221")
        check(first.ended(), "the end of one")
        server.greeted(NEIGHBOUR)


@case
def a_network_is_banned():
    with SixServer(abuse='ban = "1h"  errors = 2') as server:
        wire = server.greeted(ONE)
        for _ in range(4):
            wire.send(b"XYZZY\r\n")
        wire.all_until_end()
        until(lambda: "2001:db8:2::" in server.run("ban", "list"), "the ban")
        for source in (ONE, NEIGHBOUR):
            wire = server.connect("smtp", source)
            wire.expect(wire.reply(), "421 4.7.0 ")
        server.greeted(OTHER)
        server.run("ban", "lift", NEIGHBOUR)
        server.greeted(ONE)
        equal(server.messages(BOB), [], "messages")


if __name__ == "__main__":
    way = None if os.environ.get(INSIDE) else net_of_its_own()
    if way:
        os.environ[INSIDE] = "1"
        os.execvp(way[0], [*way, sys.executable, "-B", *sys.argv])
    main()
