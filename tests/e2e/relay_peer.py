"""relay_peer - whether the scripted peer of relay_world does what a script says: what the tests of
the relay rely on."""

import socket
import time

from harness import case, check, equal, main
from relay_world import Net
from scripted_peer import CUT, OFFERS, RESET, Reply, by_address
from wire import Broken, Smtp


def connect(host):
    return Smtp(socket.create_connection((host.address, host.port), 10))


def greeted(host, hello="EHLO client.test"):
    wire = connect(host)
    wire.expect(wire.reply(), "220")
    wire.say(hello, "250")
    return wire


@case
def takes_what_it_is_given():
    with Net() as net:
        host = net.peer(offers=(*OFFERS, "CHUNKING"))
        wire = greeted(host)
        for sender, content in (("a@a.test", b"one\r\n.\r\n..\r\n"), ("", b""), ("c@a.test", b".")):
            wire.say(f"MAIL FROM:<{sender}> SIZE=10 BODY=8BITMIME", "250")
            wire.say("RCPT TO:<x@b.test> NOTIFY=NEVER", "250")
            wire.expect(wire.data(content), "250")
        wire.say("MAIL FROM:<a@a.test>", "250")
        wire.say("RCPT TO:<x@b.test>", "250")
        wire.bdat(b"chunk\r\n", b".\r\n", b"")
        wire.say("QUIT", "221")
        wire.close()
        equal([one.content for one in host.taken],
              [b"one\r\n.\r\n..\r\n", b"", b".\r\n", b"chunk\r\n.\r\n"], "contents")
        equal(host.taken[0].parameters, ["SIZE=10", "BODY=8BITMIME"], "parameters of MAIL")
        equal(host.taken[0].recipient_parameters, {"x@b.test": ["NOTIFY=NEVER"]}, "of RCPT")
        equal([one.sender for one in host.taken[:2]], ["a@a.test", ""], "senders")
        equal(host.wrongs, [], "wrongs")


@case
def follows_its_script():
    with Net() as net:
        host = net.peer(EHLO=["502 no", None], MAIL=["451-4.0.0 not\n451 4.0.0 now", None],
                        RCPT=by_address({"x@b.test": ["450 later", "250 ok"], "y@b.test": "550 n"}),
                        end=["452 full", None], NOOP=Reply("250 ok", pieces=True))
        wire = connect(host)
        wire.expect(wire.reply(), "220")
        wire.say("EHLO client.test", "502")
        wire.say("EHLO client.test", "250")
        wire.say("MAIL FROM:<a@a.test>", "451-4.0.0 not\n451 4.0.0 now")
        for way in ("452", "250"):
            wire.say("MAIL FROM:<a@a.test>", "250")
            wire.say("RCPT TO:<x@b.test>", "450" if way == "452" else "250")
            wire.say("RCPT TO:<y@b.test>", "550")
            wire.say("RCPT TO:<z@b.test>", "250")
            wire.expect(wire.data(b"x\r\n"), way)
        wire.say("NOOP", "250 ok")
        equal([one.recipients for one in host.taken], [["x@b.test", "z@b.test"]], "recipients")
        equal(len(host.ends), 2, "contents")
        equal(host.count("MAIL"), 3, "MAIL")


@case
def cuts_where_it_is_told_to():
    with Net() as net:
        host = net.peer(cut_after=3, cuts=1)
        wire = greeted(host)
        wire.say("MAIL FROM:<a@a.test>", "250")
        check(wire.ended(), "no cut behind the third reply")
        greeted(host).envelope(to=["x@b.test"])
        for way in (CUT, RESET):
            host.set("MAIL", way)
            wire = greeted(host)
            wire.send(b"MAIL FROM:<a@a.test>\r\n")
            check(wire.ended(), "no cut instead of a reply")


@case
def sees_what_is_wrong():
    wrongs = (b"MAIL FROM:<a@a.test> BODY=8BITMIME\r\n", b"NOOP\r\nNOOP\r\nNOOP\r\n", b"NOOP\n",
              b"XYZZY\r\n")
    for line in wrongs:
        with Net() as net:
            host = net.peer(offers=("SIZE",))
            wire = greeted(host)
            wire.send(line)
            wire.reply()
            wire.send(b"QUIT\r\n")
            wire.all_until_end()
            check(host.wrongs, f"nothing wrong with {line!r}")
            host.wrongs.clear()


@case
def hangs_and_ends():
    with Net() as net:
        host = net.peer(greeting=Reply("", end="hang"))
        wire = connect(host)
        wire.sock.settimeout(0.1)
        try:
            wire.reply()
            check(False, "it greets")
        except Broken:
            pass
        began = time.monotonic()
    check(time.monotonic() - began < 5, "it took long to stop")


if __name__ == "__main__":
    main()
