"""reports - what senders are told: who gets a report, about whom, and whether any reader of mail
understands it (RFC 3461, 3464, 6522, 6533)."""


from harness import case, check, equal, main, until
from relay_world import ALICE, BOB, MESSAGE, Net
from report import Report
from scripted_peer import Reply, by_address

UTF8_USER = "用户@b.test"
EIGHT_BIT = MESSAGE + "Grüße\r\n".encode()


def reports_of(server, user=ALICE, count=1, seconds=30):
    return [Report(message) for message in server.wait_mail(user, count, seconds)]


def no_report(server, user=ALICE):
    """Nothing waits any more, and nobody was told."""
    server.wait_empty()
    equal(server.messages(user), [], f"messages for {user}")


@case
def a_bounce_at_once():
    """Refused at RCPT; the report is made with that very attempt, without another, and says all."""
    reply = "550-5.1.1 <x@b.test>: no such user here;\n550 5.1.1 see https://b.test/help"
    with Net() as net:
        host = net.domain("b.test", RCPT=reply)
        server = net.server(relay=net.relay(retry="1h"))
        number = server.send("x@b.test")
        report = reports_of(server)[0]
        equal(host.count("RCPT"), 1, "attempts")
        fields = report.expect("x@b.test", "failed", "5.1.1")
        equal(fields["Remote-MTA"], "dns; mx.b.test", "Remote-MTA")
        equal(fields["Diagnostic-Code"], "smtp; " + reply.replace("\n", " "), "Diagnostic-Code")
        equal(report.to, ALICE, "To")
        equal(report.message["From"].addresses[0].domain, "a.test", "From")
        equal(report.subject, "Undelivered mail: x@b.test", "Subject")
        equal(report.fields["Reporting-MTA"], "dns; mx.a.test", "Reporting-MTA")
        check(number in report.octets.decode(), "our id is not in it")
        check("x@b.test" in report.words and "no such user here" in report.words, report.words)
        check(b"Subject: relay\r\n" in report.returned and b"words" not in report.returned,
              f"returned: {report.returned!r}")
        check(not report.whole, "all of it came back")
        server.wait_empty()


@case
def refusals_at_every_step():
    steps = {"MAIL": "550 5.7.1 not you", "RCPT": "551 5.1.6 moved", "DATA": "554 5.6.0 no data",
             "end": "552 5.3.4 too large after all", "greeting": "554 5.3.2 no service here"}
    with Net() as net:
        for step, reply in steps.items():
            net.domain(f"{step.lower()}.test", **{step: reply})
        net.domain("hello.test", EHLO="550 5.7.0 go away", HELO="550 5.7.0 go away")
        steps["hello"] = "550 5.7.0 go away"
        server = net.server()
        for step in steps:
            server.send(f"x@{step.lower()}.test")
        found = reports_of(server, count=len(steps))
        told = {report.recipients[0]["Final-Recipient"]: report for report in found}
        for step, reply in steps.items():
            report = told[f"rfc822; x@{step.lower()}.test"]
            fields = report.expect(f"x@{step.lower()}.test", "failed", reply.split()[1])
            equal(fields["Diagnostic-Code"], f"smtp; {reply}", "Diagnostic-Code")


@case
def replies_without_an_enhanced_code():
    with Net() as net:
        net.domain("b.test", RCPT="550 nobody")
        server = net.server()
        server.send("x@b.test")
        status = reports_of(server)[0].recipients[0]["Status"]
        check(status[0] == "5", f"Status: {status}")


@case
def odd_replies_are_quoted_safely():
    """Nothing that a peer says ends a line, a part or the report."""
    odd = (b"550-5.1.1 \x1b[2J\0 \xff\xfe\r\n550-\r\n550-5.1.1 --boundary\r\n"
           b"550 5.1.1 " + b"x" * 3000 + b"\r\n")
    with Net() as net:
        net.domain("b.test", RCPT=odd)
        server = net.server()
        server.send("x@b.test")
        fields = reports_of(server)[0].expect("x@b.test", "failed", "5.1.1")
        check(fields["Diagnostic-Code"].isascii() and "\0" not in fields["Diagnostic-Code"],
              fields["Diagnostic-Code"])


@case
def some_recipients_refused():
    """One report with those, and the mail goes to the others."""
    with Net() as net:
        host = net.domain("b.test", RCPT=by_address({
            "bad1@b.test": "550 5.1.1 nobody", "bad2@b.test": "553 5.1.3 what?",
            "later@b.test": ["450 4.2.1 later", None]}))
        server = net.server()
        server.send("ok1@b.test", "bad1@b.test", "later@b.test", "ok2@b.test", "bad2@b.test", BOB)
        host.wait(2)
        server.wait_empty()
        equal(sorted(host.taken[0].recipients), ["ok1@b.test", "ok2@b.test"], "taken at first")
        equal(host.taken[1].recipients, ["later@b.test"], "taken later")
        report = reports_of(server)[0]
        equal(len(report.recipients), 2, "recipients in the report")
        report.expect("bad1@b.test", "failed", "5.1.1")
        report.expect("bad2@b.test", "failed", "5.1.3")
        server.wait_mail(BOB)


@case
def no_report_to_nobody():
    """The null sender gets none, and nobody else does instead."""
    with Net() as net:
        net.domain("b.test", RCPT="550 5.1.1 nobody")
        server = net.server()
        server.send("x@b.test", sender="")
        no_report(server)
        no_report(server, BOB)


@case
def a_sender_elsewhere():
    """The report is sent to him, from nobody; that it bounces is the end."""
    with Net() as net:
        net.domain("b.test", RCPT="550 5.1.1 nobody")
        host = net.domain("c.test", RCPT=[None, "550 5.1.1 nobody either"])
        server = net.server()
        for sender in ("one@c.test", "two@c.test"):
            server.send("x@b.test", sender=sender)
            server.wait_empty()
        one = host.only()
        equal((one.sender, one.recipients), ("", ["one@c.test"]), "the report's envelope")
        report = Report(b"Return-Path: <>\r\n" + one.content)
        report.expect("x@b.test", "failed", "5.1.1")
        equal(host.count("RCPT"), 2, "attempts")
        no_report(server)


@case
def a_report_that_has_to_wait():
    with Net() as net:
        net.domain("b.test", RCPT="550 5.1.1 nobody")
        host = net.domain("c.test", MAIL=["451 4.3.0 later", None])
        server = net.server()
        server.send("x@b.test", sender="one@c.test")
        equal(host.only().sender, "", "sender")
        server.wait_empty()


@case
def notify_never_and_delay():
    with Net() as net:
        net.domain("b.test", RCPT="550 5.1.1 nobody")
        server = net.server()
        for words in ("NEVER", "DELAY", "SUCCESS", "SUCCESS,DELAY"):
            server.send("x@b.test", rcpt=f" NOTIFY={words}")
        no_report(server)
        server.send("x@b.test", rcpt=" NOTIFY=FAILURE,DELAY")
        reports_of(server)


@case
def notify_success():
    """A host that knows DSN is told what is wanted; of one that does not, we say `relayed`."""
    with Net() as net:
        knows = net.domain("b.test")
        plain = net.domain("c.test", offers=("PIPELINING",))
        server = net.server()
        server.send("x@b.test", rcpt=" NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Old+2B@d.test",
                    mail=" RET=HDRS ENVID=QQ+3D1")
        one = knows.only()
        equal(sorted(one.recipient_parameters["x@b.test"]),
              ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;Old+2B@d.test"], "parameters of RCPT")
        check({"RET=HDRS", "ENVID=QQ+3D1"} <= set(one.parameters), f"MAIL: {one.parameters}")
        no_report(server)
        server.send("x@c.test", rcpt=" NOTIFY=SUCCESS ORCPT=rfc822;Old+2B@d.test",
                    mail=" RET=FULL ENVID=QQ+3D1")
        plain.only()
        report = reports_of(server)[0]
        fields = report.about("x@c.test")
        equal(fields["Action"], "relayed", "Action")
        check(fields["Status"].startswith("2."), fields["Status"])
        equal(fields["Original-Recipient"], "rfc822; Old+@d.test", "Original-Recipient")
        equal(report.fields["Original-Envelope-Id"], "QQ=1", "Original-Envelope-Id")
        check(not report.whole, "a success that returns all of the message")


@case
def notify_success_at_home():
    with Net() as net:
        server = net.server()
        server.send(BOB, rcpt=" NOTIFY=SUCCESS")
        fields = reports_of(server)[0].about(BOB)
        equal(fields["Action"], "delivered", "Action")
        server.wait_mail(BOB)


@case
def what_is_returned():
    with Net() as net:
        net.domain("b.test", RCPT="550 5.1.1 nobody")
        server = net.server()
        server.send("x@b.test", mail=" RET=FULL ENVID=me+2B1")
        server.wait_mail(ALICE)
        server.send("x@b.test", mail=" RET=HDRS")
        server.wait_mail(ALICE, 2)
        server.send("x@b.test", mail=" RET=FULL BODY=8BITMIME", content=EIGHT_BIT)
        full, header, eight = reports_of(server, count=3)
        check(full.whole and full.returned.endswith(MESSAGE), f"returned: {full.returned!r}")
        equal(full.fields["Original-Envelope-Id"], "me+1", "Original-Envelope-Id")
        check(not header.whole and b"words" not in header.returned, "RET=HDRS")
        check(eight.whole and eight.returned.endswith(EIGHT_BIT), "RET=FULL of 8-bit content")


@case
def delayed_and_given_up():
    """First the word that it takes longer, then the end."""
    with Net() as net:
        net.domain("b.test", RCPT="450 4.2.0 <x@b.test> mailbox\\busy")
        server = net.server(relay=net.relay(warn="2s", expire="5s"))
        server.send("x@b.test")
        first = reports_of(server)[0]
        fields = first.expect("x@b.test", "delayed", "4.2.0")
        check("Will-Retry-Until" in fields, "no Will-Retry-Until")
        equal(first.subject, "Delayed mail: x@b.test", "Subject")
        last = reports_of(server, count=2)[1]
        fields = last.about("x@b.test")
        equal(fields["Action"], "failed", "Action")
        check("450 4.2.0" in fields["Diagnostic-Code"], fields["Diagnostic-Code"])
        server.wait_empty()
        reports_of(server, count=2)


@case
def given_up_without_an_answer():
    """A host that refuses connections, and DNS that fails: delayed, then given up; no report about
    a delay for those who do not want it."""
    with Net() as net:
        net.mx("b.test", (10, "mx.b.test"))
        net.nobody("mx.b.test")
        server = net.server(relay=net.relay(warn="1s", expire="3s"))
        server.send("x@b.test", rcpt=" NOTIFY=FAILURE")
        fields = reports_of(server)[0].about("x@b.test")
        equal(fields["Action"], "failed", "Action")
        check("Remote-MTA" not in fields or "smtp;" not in fields.get("Diagnostic-Code", ""),
              f"nobody spoke: {fields}")
        server.wait_empty()


@case
def a_no_for_good_that_is_none_for_all():
    """One host cannot be reached, the other refuses the session for good: that is a delay."""
    with Net() as net:
        net.mx("b.test", (10, "mx1.b.test"), (20, "mx2.b.test"))
        net.nobody("mx1.b.test")
        net.peer("mx2.b.test", greeting="554 5.7.1 no service here")
        server = net.server(relay=net.relay(warn="1s"))
        server.send("x@b.test")
        fields = reports_of(server)[0].expect("x@b.test", "delayed", "4.7.1")
        equal(fields["Diagnostic-Code"], "smtp; 554 5.7.1 no service here", "Diagnostic-Code")
        server.end(kill=True)


@case
def a_host_without_a_name():
    with Net() as net:
        host = net.peer(RCPT="550 5.1.1 nobody")
        server = net.server()
        server.send(f"x@[{host.address}]")
        fields = reports_of(server)[0].expect(f"x@[{host.address}]", "failed", "5.1.1")
        equal(fields["Remote-MTA"], f"dns; [{host.address}]", "Remote-MTA")


@case
def too_large_for_the_host():
    """SIZE is looked at first: not an octet of the content is sent."""
    with Net() as net:
        host = net.domain("b.test", offers=("PIPELINING", "SIZE 1000"))
        server = net.server()
        server.send("x@b.test", content=MESSAGE + b"x\r\n" * 1000)
        reports_of(server)[0].expect("x@b.test", "failed", "5.3.4")
        equal(host.count("DATA"), 0, "DATA")
        server.send("x@b.test")
        host.wait(1)


@case
def what_a_host_cannot_take():
    """An 8-bit header without 8BITMIME: 5.6.3; a UTF-8 address without SMTPUTF8: 5.6.7."""
    with Net() as net:
        net.domain("b.test", offers=("PIPELINING",))
        server = net.server()
        server.send("x@b.test", content=b"Subject: Gr\xc3\xbc\xc3\x9fe\r\n" + EIGHT_BIT,
                    mail=" BODY=8BITMIME")
        reports_of(server)[0].expect("x@b.test", "failed", "5.6.3")
        server.send(UTF8_USER, mail=" SMTPUTF8")
        report = reports_of(server, count=2)[1]
        check(report.is_global, "not a global report")
        report.expect(UTF8_USER, "failed", "5.6.7")


@case
def utf8_where_it_is_known():
    with Net() as net:
        host = net.domain("b.test", RCPT=by_address({UTF8_USER: [None, "550 5.1.1 用户?"]}))
        server = net.server()
        for _ in range(2):
            server.send(UTF8_USER, mail=" SMTPUTF8 BODY=8BITMIME", content=EIGHT_BIT)
        one = host.only()
        equal(one.recipients, [UTF8_USER], "recipients")
        check({"SMTPUTF8", "BODY=8BITMIME"} <= set(one.parameters), f"MAIL: {one.parameters}")
        report = reports_of(server)[0]
        report.expect(UTF8_USER, "failed", "5.1.1")
        server.wait_empty()


@case
def eight_bit_where_it_is_known():
    with Net() as net:
        host = net.domain("b.test")
        server = net.server()
        server.send("x@b.test", content=EIGHT_BIT)
        one = host.only()
        check("BODY=8BITMIME" in one.parameters, f"MAIL: {one.parameters}")
        check(one.content.endswith(EIGHT_BIT), "content")


@case
def an_alias_that_leads_elsewhere():
    with Net() as net:
        host = net.domain("b.test", RCPT=by_address({"bad@b.test": "550 5.1.1 nobody"}))
        server = net.server()
        server.run("alias", "add", "team@a.test", "good@b.test", "bad@b.test", BOB)
        server.send("team@a.test")
        equal(host.only().recipients, ["good@b.test"], "recipients")
        server.wait_mail(BOB)
        fields = reports_of(server)[0].about("bad@b.test")
        equal(fields["Status"], "5.1.1", "Status")


@case
def two_domains_that_lead_to_each_other():
    """Mail between aliases of two servers dies out, with one report to the sender."""
    with Net() as net:
        one = net.server()
        two = net.server("mx.b.test", ["b.test"], users=["x@b.test"])
        one.run("alias", "add", "round@a.test", "round@b.test")
        two.run("alias", "add", "round@b.test", "round@a.test")
        one.send("round@a.test")
        report = reports_of(one, seconds=60)[0]
        check(report.recipients[0]["Status"] == "5.4.6", f"{report.recipients}")
        one.wait_empty()
        two.wait_empty()
        reports_of(one)
        equal(two.messages("x@b.test"), [], "messages elsewhere")


@case
def a_report_is_not_sent_twice_by_a_slow_host():
    """The host says no only after a while; meanwhile the server is told to stop."""
    with Net() as net:
        net.domain("b.test", RCPT=Reply("550 5.1.1 nobody", delay=1))
        server = net.server()
        server.send("x@b.test")
        until(lambda: net.peers[0].count("RCPT"), "RCPT")
        server.restart()
        server.wait_empty()
        reports_of(server)


if __name__ == "__main__":
    main(side_by_side=8)
