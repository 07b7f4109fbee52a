"""binary - BODY=BINARYMIME (RFC 3030): taken in chunks, served by POP3 as lines that decode to the
same octets, and passed on as it came to hosts that take it."""

import random

from harness import Server, case, check, content_of, equal, main
from parts import leaves
from relay_world import ALICE, Net
from report import Report
from scripted_peer import OFFERS

SENDER, BOB = "someone@elsewhere.test", "bob@example.test"
EVERY = bytes(range(256)) * 5
BINARY_OFFERS = (*OFFERS, "CHUNKING", "BINARYMIME")
HEADER = b"From: alice@a.test\r\nSubject: binary\r\nMIME-Version: 1.0\r\n"
ONE = HEADER + b"Content-Type: application/x\r\nContent-Transfer-Encoding: binary\r\n\r\n"


def mixed(octets, kind=b"mixed"):
    return (HEADER + b"Content-Type: multipart/" + kind + b"; boundary=bb\r\n"
            b"Content-Transfer-Encoding: binary\r\n\r\n--bb\r\n"
            b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
            + "Grüße\r\n".encode() + b"\r\n--bb\r\nContent-Type: application/x\r\n"
            b"Content-Transfer-Encoding: binary\r\n\r\n" + octets + b"\r\n--bb--\r\n")


def submit(server, content, *recipients, wanted="250 2.0.0 accepted as ", chunk=1 << 16):
    """Gives it the content with BODY=BINARYMIME, and leaves."""
    wire = server.smtp()
    wire.say(f"MAIL FROM:<{ALICE}> BODY=BINARYMIME", "250")
    for recipient in recipients:
        wire.say(f"RCPT TO:<{recipient}>", "250")
    chunks = [content[at:at + chunk] for at in range(0, len(content), chunk)]
    reply = wire.expect(wire.bdat(*chunks), wanted)
    wire.say("QUIT", "221")
    wire.close()
    server.wires.remove(wire)
    return reply


def check_lines(content):
    """What POP3 may transfer, and others take."""
    check(content.endswith(b"\r\n"), "no line end at its end")
    check(b"\0" not in content, "NUL")
    lines = content.split(b"\r\n")
    check(not any(b"\r" in line or b"\n" in line for line in lines), "a CR or LF alone")
    check(max(map(len, lines)) <= 998, "a long line")


def served(server, user=BOB):
    """The one message of a user; LIST, STAT, RETR and UIDL count the same, and TOP shows it."""
    with_pop = server.pop(user)
    _, count, octets = with_pop.say("STAT", "+OK").split()
    announced = with_pop.say("RETR 1", "+OK")
    message = with_pop.body()
    equal((count, octets), ("1", str(len(message))), "STAT")
    equal(with_pop.say("LIST 1", "+OK"), f"+OK 1 {len(message)}", "LIST")
    check(str(len(message)) in announced, announced)
    with_pop.say("TOP 1 1000000", "+OK")
    equal(with_pop.body(), message, "TOP of all")
    with_pop.say("QUIT", "+OK")
    with_pop.close()
    server.wires.remove(with_pop)
    return message


def check_served(content, parts):
    with Server(users=[BOB]) as server:
        submit(server, content, BOB)
        message = served(server)
        check_lines(message)
        equal(leaves(message), parts, "the parts")
        server.run("check", "--store")
        return message


@case
def one_part():
    """It ends without a line end, and decodes to what was sent, no octet more."""
    check_served(ONE + EVERY, [("application/x", None, EVERY)])


@case
def text_and_binary():
    message = check_served(mixed(EVERY), [("text/plain", "utf-8", "Grüße\r\n".encode()),
                                          ("application/x", None, EVERY)])
    check("Grüße".encode() in message, "the text was changed")
    check(b"Content-Transfer-Encoding: binary" not in message, "a label is left")


@case
def large():
    """Through files: four megabytes of anything."""
    octets = random.Random(3).randbytes(4_000_000)
    check_served(mixed(octets), [("text/plain", "utf-8", "Grüße\r\n".encode()),
                                 ("application/x", None, octets)])


@case
def said_to_be_binary_but_lines():
    """Lines stay as they are; a line end that is missing at the end is added."""
    text = HEADER + b"\r\nplain\r\n.dot"
    with Server(users=[BOB]) as server:
        submit(server, text, BOB)
        check(content_of(served(server)).endswith(b"plain\r\n.dot\r\n"), "content")


@case
def refused():
    with Server(users=[BOB]) as server:
        for content, why in ((mixed(EVERY, b"signed"), "it is signed or encrypted"),
                             (b"Subject: a\nb\r\n\r\nx", "structure has binary octets")):
            reply = submit(server, content, BOB, wanted="554 5.6.3")
            check(why in reply, reply)
        wire = server.smtp()
        wire.say(f"MAIL FROM:<{SENDER}> BODY=BINARYMIME", "250")
        wire.say(f"RCPT TO:<{BOB}>", "250")
        wire.say("DATA", "503 5.5.1")
        wire.expect(wire.bdat(ONE, EVERY), "250")
        served(server)


@case
def gone_in_the_middle():
    """A client that leaves before the end leaves nothing; the server goes on."""
    with Server(users=[BOB]) as server:
        wire = server.smtp()
        wire.say(f"MAIL FROM:<{SENDER}> BODY=BINARYMIME", "250")
        wire.say(f"RCPT TO:<{BOB}>", "250")
        wire.expect(wire.bdat(ONE, EVERY * 2000, b"x")[:3], "250")
        served(server)
        other = server.smtp()
        other.say(f"MAIL FROM:<{SENDER}> BODY=BINARYMIME", "250")
        other.say(f"RCPT TO:<{BOB}>", "250")
        other.send(b"BDAT 5000000 LAST\r\n" + ONE + EVERY * 1000)
        other.close()
        equal(len(server.messages(BOB)), 1, "messages")


@case
def passed_on_as_it_came():
    with Net() as net:
        host = net.domain("b.test", offers=BINARY_OFFERS)
        server = net.server()
        submit(server, ONE + EVERY, "x@b.test")
        one = host.only()
        check("BODY=BINARYMIME" in one.parameters, f"MAIL: {one.parameters}")
        check(one.content.endswith(ONE + EVERY), "content")


@case
def converted_for_others():
    """Next hops with and without 8BITMIME, each after what it offers."""
    with Net() as net:
        hosts = [net.domain("b.test"), net.domain("c.test", offers=("PIPELINING",)),
                 net.domain("d.test", offers=(*OFFERS, "BINARYMIME"))]
        server = net.server()
        submit(server, mixed(EVERY), "x@b.test", "x@c.test", "x@d.test")
        for host in hosts:
            one = host.only()
            check_lines(one.content)
            equal(leaves(one.content), [("text/plain", "utf-8", "Grüße\r\n".encode()),
                                        ("application/x", None, EVERY)], "the parts")


@case
def here_and_elsewhere():
    """Lines for both: the content is stored once."""
    with Net() as net:
        host = net.domain("b.test", offers=BINARY_OFFERS)
        server = net.server()
        submit(server, ONE + EVERY, "x@b.test", ALICE)
        for content in (host.only().content, served(server, ALICE)):
            check_lines(content)
            equal(leaves(content), [("application/x", None, EVERY)], "the part")


@case
def a_report_about_it():
    """It returns the header, whatever was asked for: a report is lines."""
    with Net() as net:
        net.domain("b.test", offers=BINARY_OFFERS, RCPT="550 5.1.1 nobody")
        server = net.server()
        wire = server.smtp()
        wire.say(f"MAIL FROM:<{ALICE}> BODY=BINARYMIME RET=FULL", "250")
        wire.say("RCPT TO:<x@b.test>", "250")
        wire.expect(wire.bdat(ONE + EVERY), "250")
        octets = server.wait_mail(ALICE)[0]
        check_lines(octets)
        report = Report(octets)
        report.expect("x@b.test", "failed", "5.1.1")
        check(not report.whole and b"Subject: binary" in report.returned, "what is returned")


if __name__ == "__main__":
    main(side_by_side=4)
