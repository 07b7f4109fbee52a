"""queued - what is accepted for elsewhere waits in the queue, as it was asked for (RFC 3461).

The next hop is a port that nobody listens on, so that every recipient stays where it is.
"""

import re

from harness import Server, case, check, equal, main, until

BOB = "bob@example.test"
NEVER, SUCCESS, FAILURE, DELAY = 1, 2, 4, 8


def post_office(users=(BOB,), trusted=True, **sections):
    trust = "" if trusted else "trusted = {} "
    return Server(users=users, relay=trust + 'smarthost = "127.0.0.1:9"', **sections)


def waiting(server, columns):
    """The rows of the queue."""
    return server.index(f"SELECT {columns} FROM recipient WHERE state = 0 "
                        "ORDER BY message, number")


def send(server, rcpt, mail="", sender="a@elsewhere.test"):
    wire = server.smtp()
    wire.say(f"MAIL FROM:<{sender}>{mail}", "250")
    for words in rcpt:
        wire.say(f"RCPT TO:{words}", "250")
    reply = wire.data(b"Subject: x\r\n\r\nhello\r\n")
    wire.expect(reply, "250 2.0.0 accepted as ")
    return reply.split()[-1]


def check_report(report, action, recipient, original):
    """That it tells this of this recipient, and of nobody else."""
    words = report.decode()
    equal(re.findall(r"^Action: (.*)\r$", words, re.M), [action], "actions")
    equal(re.findall(r"^Final-Recipient: rfc822; (.*)\r$", words, re.M), [recipient], "recipients")
    equal(re.findall(r"^Original-Recipient: (.*)\r$", words, re.M), [original] if original else [],
          "original recipients")


@case
def a_trusted_client_may_send_anywhere():
    with post_office() as server:
        number = send(server, ["<X@Elsewhere.TEST>", f"<{BOB}>", "<x@elsewhere.test>",
                               "<X@elsewhere.test>", "<y@[192.0.2.1]>", '<"a b"@c.test>'])
        equal(waiting(server, "number, address, domain, notify, orcpt"),
              [(0, "X@elsewhere.test", "elsewhere.test", 0, ""),
               (1, "x@elsewhere.test", "elsewhere.test", 0, ""),
               (2, "y@[192.0.2.1]", "[192.0.2.1]", 0, ""),
               (3, '"a b"@c.test', "c.test", 0, "")], "rows")
        server.only_message(BOB)
        server.wait_log(f"queued id={number} to=X@elsewhere.test")


@case
def a_stranger_may_not():
    with post_office(trusted=False) as server:
        server.run("alias", "add", "away@example.test", "x@elsewhere.test")
        wire = server.smtp()
        wire.say("MAIL FROM:<a@elsewhere.test>", "250")
        wire.say("RCPT TO:<x@elsewhere.test>", "550 5.7.1 ")
        wire.say("RCPT TO:<away@example.test>", "250")
        wire.expect(wire.data(b"x\r\n"), "250")
        equal(waiting(server, "address"), [("x@elsewhere.test",)], "rows")


@case
def what_the_sender_asked_for_is_kept():
    with post_office() as server:
        send(server, ["<a@b.test> NOTIFY=NEVER", "<b@b.test> NOTIFY=SUCCESS,DELAY",
                      "<c@b.test> ORCPT=rfc822;C+2B1@b.test NOTIFY=failure",
                      "<a@b.test> NOTIFY=SUCCESS"], " RET=hdrs ENVID=QQ+2B3")
        equal(waiting(server, "address, notify, orcpt"),
              [("a@b.test", NEVER, ""), ("b@b.test", SUCCESS | DELAY, ""),
               ("c@b.test", FAILURE, "rfc822;C+2B1@b.test")], "rows")
        equal(server.index("SELECT sender, ret, envid, envelope FROM message"),
              [("a@elsewhere.test", "HDRS", "QQ+2B3", 0)], "envelope")


@case
def an_alias_forwards():
    carol = "carol@example.test"
    with post_office([BOB, carol]) as server:
        server.run("alias", "add", "one@example.test", "x@elsewhere.test")
        server.run("alias", "add", "many@example.test", BOB, "one@example.test", "y@b.test")
        equal(server.smtp().say("EXPN many@example.test", "250").split("\n"),
              [f"250-2.1.5 <{BOB}>", "250-2.1.5 <one@example.test>", "250 2.1.5 <y@b.test>"],
              "EXPN")
        send(server, ["<one@example.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;o@b.test"],
             sender=carol)
        equal(waiting(server, "address, notify, orcpt"),
              [("x@elsewhere.test", SUCCESS | DELAY, "rfc822;o@b.test")], "one to one")
        send(server, ["<many@example.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;o@b.test"],
             sender=carol)
        equal(waiting(server, "address, notify, orcpt")[1:],
              [("x@elsewhere.test", DELAY, "rfc822;o@b.test"),
               ("y@b.test", DELAY, "rfc822;o@b.test")], "one to many")
        send(server, ["<many@example.test> NOTIFY=SUCCESS"], sender=carol)
        equal(waiting(server, "address, notify")[3:],
              [("x@elsewhere.test", NEVER), ("y@b.test", NEVER)], "success only")
        equal(len(server.messages(BOB)), 2, "messages")
        for report, original in zip(server.wait_mail(carol, 2), ("rfc822; o@b.test", None)):
            check_report(report, "expanded", "many@example.test", original)


@case
def a_mailbox_that_was_reached_is_reported():
    """Under the name that the sender knows; nothing to the null sender."""
    carol = "carol@example.test"
    with post_office([BOB, carol]) as server:
        server.run("alias", "add", "robert@example.test", BOB)
        send(server, [f"<{BOB}> NOTIFY=SUCCESS"], sender="")
        send(server, [f"<{BOB}> NOTIFY=FAILURE,DELAY"], sender=carol)
        send(server, ["<robert@example.test> NOTIFY=SUCCESS ORCPT=rfc822;R@b.test"], sender=carol)
        equal(len(server.messages(BOB)), 3, "messages")
        check_report(server.wait_mail(carol)[0], "delivered", "robert@example.test",
                     "rfc822; R@b.test")


@case
def postmaster_may_be_elsewhere():
    """Then nobody here gets a copy."""
    domain = 'postmaster = "away@example.test"\ndomain "example.test" {}'
    with Server([domain], users=[BOB], relay='smarthost = "127.0.0.1:9"') as server:
        server.run("alias", "add", "away@example.test", "x@elsewhere.test")
        send(server, ["<postmaster>"])
        equal(waiting(server, "address"), [("x@elsewhere.test",)], "rows")
        equal(server.messages(BOB), [], "messages")


@case
def the_queue_outlives_the_server():
    with post_office() as server:
        number = send(server, ["<x@elsewhere.test> NOTIFY=DELAY"])
        server.restart(kill=True)
        equal(waiting(server, "printf('%X', message), address, notify")[0][1:],
              ("x@elsewhere.test", DELAY), number)


@case
def an_alias_puts_its_name_on_what_it_forwards():
    """Once, and only when nobody else is told by it."""
    with post_office() as server:
        server.run("alias", "add", "away@example.test", "x@elsewhere.test")
        server.run("alias", "add", "both@example.test", BOB, "x@elsewhere.test")
        server.run("alias", "add", BOB, BOB, "x@elsewhere.test")
        for to, fields in [
                (["<both@example.test>"], [BOB, "both@example.test"]), ([f"<{BOB}>"], [BOB]),
                ([f"<{BOB}>", "<away@example.test>"], [BOB])]:
            send(server, to)
            found = re.findall(r"^Delivered-To: (.*)\r$", server.messages(BOB)[-1].decode(), re.M)
            equal(found, fields, f"fields of mail to {to}")


@case
def what_comes_back_is_a_loop():
    with post_office(trusted=False) as server:
        server.run("alias", "add", "away@example.test", "x@elsewhere.test")
        for to, field, reply in [
                ([BOB], BOB, "554 5.4.6 "), (["away@example.test"], "Away@EXAMPLE.test",
                                             "554 5.4.6 "),
                ([BOB, "away@example.test"], BOB, "250 "), ([BOB], "x@elsewhere.test", "250 "),
                ([BOB], "bob@example.test.elsewhere.test", "250 ")]:
            wire = server.smtp()
            wire.envelope(to=to)
            wire.expect(wire.data(f"Subject: x\r\nDelivered-To: {field}\r\n\r\nx\r\n".encode()),
                        reply)
            wire.say("NOOP", "250")
        equal(len(server.messages(BOB)), 2, "messages")
        check(("x@elsewhere.test",) in waiting(server, "address"), "rows")


@case
def who_had_it_before_is_reported_beside_those_who_did_not():
    carol = "carol@example.test"
    with post_office([BOB, carol, "dan@example.test"]) as server:
        server.run("alias", "add", "team@example.test", BOB, "dan@example.test")
        for to, field, about in [(["team@example.test", BOB], "Bob@example.test", BOB),
                                 (["team@example.test"], BOB, BOB),
                                 ([BOB, "team@example.test"], "team@example.test",
                                  "team@example.test")]:
            wire = server.smtp()
            wire.envelope(sender=carol, to=to)
            wire.expect(wire.data(f"Delivered-To: {field}\r\n\r\nx\r\n".encode()), "250 ")
            check_report(server.wait_mail(carol)[0], "failed", about, None)
            until(lambda: not waiting(server, "address"), "the loop's row is settled")
            reader = server.pop(carol)
            reader.say("DELE 1", "+OK")
            reader.say("QUIT", "+OK")
        equal(len(server.messages(BOB)), 1, "messages of bob")
        equal(len(server.messages("dan@example.test")), 2, "messages of dan")


if __name__ == "__main__":
    main()
