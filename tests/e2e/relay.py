"""relay - where mail goes, and how it gets there: DNS, routes, hosts and connections.

What hosts may say or do besides is in relay_rude.py, what senders are told in reports.py.
"""

import collections
import signal
import time

from dns_server import SERVFAIL, in_turn, say, silent
from harness import Skip, case, check, equal, main, until
from relay_world import ALICE, BOB, MESSAGE, Net
from report import Report
from scripted_peer import CUT, HANG, Reply, by_address

UNREACHABLE = "127.255.255.255"    # a broadcast address: the kernel says so at once
TRACE = b"Received: from client.test ([127.0.0.1])\r\n\tby mx.a.test with ESMTP id "


def only_report(server, status, user=ALICE):
    """The one report in a mailbox, about one recipient with this status."""
    report = Report(server.wait_mail(user)[0])
    equal([fields["Status"] for fields in report.recipients], [status], "Status")
    return report


# Where it goes

@case
def the_mx_host_gets_it():
    with Net() as net:
        host = net.domain("b.test")
        server = net.server()
        number = server.send("x@b.test", "y@b.test")
        one = host.only()
        equal(one.sender, ALICE, "sender")
        equal(sorted(one.recipients), ["x@b.test", "y@b.test"], "recipients")
        check(one.content.startswith(TRACE + number.encode()), f"trace: {one.content[:200]!r}")
        check(one.content.endswith(b"\r\n" + MESSAGE), f"content: {one.content!r}")
        equal(host.sessions[0].lines[0], "EHLO mx.a.test", "greeting")
        server.wait_empty()
        equal(len(host.taken), 1, "messages taken")


@case
def the_best_host_that_answers():
    """Refused, unreachable and unknown hosts are passed by, each in the same attempt."""
    with Net() as net:
        net.nobody("refused.b.test")
        net.name("unreachable.b.test", UNREACHABLE)
        best, last = net.peer("best.b.test"), net.peer("last.b.test")
        net.mx("b.test", (40, "last.b.test"), (30, "best.b.test"), (5, "nowhere.b.test"),
               (10, "refused.b.test"), (20, "unreachable.b.test"))
        server = net.server(relay=net.relay(retry="1h"))
        server.send("x@b.test")
        best.only()
        server.wait_empty()
        equal(len(last.sessions), 0, "sessions with the last host")


@case
def a_host_that_says_no_at_once():
    """421, 5xx and silence without a greeting: the next host, in the same attempt."""
    for greeting in ("421 4.3.2 not now", "554 5.3.2 no service", b"junk\r\n", Reply(end="close"),
                     Reply(end="reset")):
        with Net() as net:
            first, second = net.peer("one.b.test", greeting=greeting), net.peer("two.b.test")
            net.mx("b.test", (1, "one.b.test"), (2, "two.b.test"))
            server = net.server(relay=net.relay(retry="1h"))
            server.send("x@b.test")
            second.only()
            check(first.sessions, "the first host was not called")


@case
def several_addresses_of_one_host():
    with Net() as net:
        net.name("mx.b.test", net.nobody())
        net.name("mx.b.test", UNREACHABLE)
        host = net.peer("mx.b.test")
        net.mx("b.test", (10, "mx.b.test"))
        server = net.server(relay=net.relay(retry="1h"))
        server.send("x@b.test")
        host.only()


@case
def ipv6_and_ipv4_in_turn():
    with Net() as net:
        try:
            net.peer("six.b.test", address="::1")
        except OSError:
            raise Skip("no IPv6") from None
        net.mx("b.test", (10, "six.b.test"))
        net.name("mx.d.test", "fe80::1")    # of which link it does not say: never reachable
        six = net.peers[0]
        four = net.peer("mx.d.test")
        net.mx("d.test", (10, "mx.d.test"))
        server = net.server(relay=net.relay(retry="1h"))
        server.send("x@b.test", "y@d.test")
        six.only()
        four.only()
        server.wait_empty()


@case
def equal_hosts_share():
    """Thirty messages, one by one, on hosts of equal preference; each gets some."""
    with Net() as net:
        hosts = [net.peer(f"mx{n}.b.test", QUIT=None) for n in range(3)]
        net.mx("b.test", *((10, f"mx{n}.b.test") for n in range(3)), (20, "spare.b.test"))
        spare = net.peer("spare.b.test")
        domains = [f"d{n}.test" for n in range(30)]
        for domain in domains:
            net.mx(domain, *((10, f"mx{n}.b.test") for n in range(3)), (20, "spare.b.test"))
        server = net.server()
        for domain in domains:
            server.send(f"x@{domain}")
        server.wait_empty()
        equal(sum(len(host.taken) for host in hosts), 30, "messages")
        check(all(host.taken for host in hosts), "a host got nothing")
        equal(len(spare.sessions), 0, "sessions with the spare host")


@case
def a_domain_without_mx():
    with Net() as net:
        host = net.peer("b.test")
        server = net.server()
        server.send("x@b.test")
        host.only()


@case
def aliases_in_dns():
    """A domain, and an MX host, that are CNAMEs."""
    with Net() as net:
        net.dns.add("b.test CNAME real.test", "mx.real.test CNAME host.real.test")
        net.mx("real.test", (10, "mx.real.test"))
        host = net.peer("host.real.test")
        server = net.server()
        server.send("x@b.test")
        equal(host.only().recipients, ["x@b.test"], "recipients")


@case
def a_null_mx():
    with Net() as net:
        net.dns.add("b.test MX 0 .", "b.test A 127.0.0.1")
        server = net.server()
        server.send("x@b.test")
        only_report(server, "5.1.10")


@case
def a_domain_that_does_not_exist():
    with Net() as net:
        server = net.server()
        server.send("x@nowhere.test")
        only_report(server, "5.1.2")


@case
def a_domain_without_any_address():
    """It has records, and MX hosts without addresses: no host that mail could go to."""
    with Net() as net:
        net.dns.add("b.test TXT words")
        server = net.server()
        server.send("x@b.test")
        only_report(server, "5.1.2")


@case
def resolvers_in_trouble():
    """SERVFAIL for MX, then for the host's addresses, and then it goes."""
    with Net() as net:
        host = net.domain("b.test")
        net.dns.behave("b.test", in_turn(*[say(SERVFAIL)] * 4, net.dns.answer))
        net.dns.behave("mx.b.test", in_turn(*[say(SERVFAIL)] * 4, net.dns.answer))
        server = net.server()
        server.send("x@b.test")
        host.wait(1, 60)
        server.wait_empty()
        equal(server.messages(ALICE), [], "reports")


@case
def a_host_that_cannot_be_looked_up_may_take_it():
    """What another refuses for good waits for it."""
    with Net() as net:
        net.mx("b.test", (10, "mx1.b.test"), (20, "mx2.b.test"))
        net.peer("mx1.b.test", greeting="554 5.7.1 no service here")
        host = net.peer("mx2.b.test")
        net.dns.behave("mx2.b.test", say(SERVFAIL))
        server = net.server()
        server.send("x@b.test")
        server.wait_log("deferred")
        equal((server.waiting(), server.messages(ALICE)), (["x@b.test"], []), "waiting, reports")
        check("cannot look up the addresses of some hosts" in server.run("queue", "show", "all"),
              "the queue says why")
        net.dns.behave("mx2.b.test", net.dns.answer)
        host.only()


@case
def an_mx_that_is_ourselves():
    """By name, by address, and behind hosts that are better and do not answer."""
    with Net() as net:
        server = net.server()
        net.mx("name.test", (10, "mx.a.test"))
        net.name("alias.test", server.address)
        net.mx("address.test", (10, "alias.test"))
        net.nobody("worse.test")
        net.mx("worse.test", (10, "mx.a.test"), (20, "worse.test"))
        for domain in ("name.test", "address.test", "worse.test"):
            server.send(f"x@{domain}")
        reports = [Report(message) for message in server.wait_mail(ALICE, 3)]
        equal([report.recipients[0]["Status"] for report in reports], ["5.4.6"] * 3, "Status")


@case
def a_backup_for_a_better_host():
    """We are the second MX: mail goes to the first, and waits when that is down."""
    with Net() as net:
        server = net.server()
        host = net.peer("mx.b.test", greeting=["421 4.3.2 not now", None])
        net.mx("b.test", (10, "mx.b.test"), (20, "mx.a.test"), (30, "mx.c.test"))
        third = net.peer("mx.c.test")
        server.send("x@b.test")
        host.only()
        equal(len(third.sessions), 0, "sessions with a host that is worse than we are")


@case
def address_literals():
    with Net() as net:
        host = net.peer()
        server = net.server()
        server.send(f"x@[{host.address}]")
        equal(host.only().recipients, [f"x@[{host.address}]"], "recipients")
        equal(net.dns.asked, [], "questions to DNS")


@case
def our_own_literal():
    with Net() as net:
        server = net.server()
        wire = server.smtp()
        wire.say(f"MAIL FROM:<{ALICE}>", "250")
        reply = wire.say(f"RCPT TO:<x@[{server.address}]>")
        if reply.startswith("250"):
            wire.expect(wire.data(MESSAGE), "250")
            only_report(server, "5.4.6")
        else:
            check(reply.startswith("550 5."), f"RCPT: {reply}")


@case
def a_smarthost():
    with Net() as net:
        direct, smart = net.domain("b.test"), net.peer("smart.test")
        net.mx("smart.test", (10, "mx.b.test"))    # only A and AAAA are asked for
        server = net.server(relay=net.relay(f'smarthost = "smart.test:{net.port}"'))
        server.send("x@b.test", "y@nowhere.test", BOB)
        server.wait_empty()
        equal(sorted(user for one in smart.taken for user in one.recipients),
              ["x@b.test", "y@nowhere.test"], "recipients")
        equal(len(direct.sessions), 0, "sessions with the MX host")
        server.wait_mail(BOB)


@case
def a_route_for_a_domain():
    with Net() as net:
        direct, smart = net.domain("b.test"), net.peer("smart.test")
        routed = net.peer()
        server = net.server(relay=net.relay(
            f'smarthost = "smart.test:{net.port}" '
            f'route "b.test" {{ host = "{routed.address}:{net.port}" }}'))
        server.send("x@B.test", "y@c.test")
        equal(routed.only().recipients, ["x@b.test"], "recipients of the route")
        equal(smart.only().recipients, ["y@c.test"], "recipients of the smarthost")
        equal(len(direct.sessions), 0, "sessions with the MX host")


@case
def a_reload_reaches_what_waits():
    with Net() as net:
        dead, alive = net.nobody(), net.peer()
        server = net.server(relay=net.relay(f'route "b.test" {{ host = "{dead}:{net.port}" }}'))
        server.send("x@b.test")
        until(lambda: "b.test" in server.log().split("queued", 1)[-1], "an attempt")
        server.sections["relay"] = net.relay(
            f'route "b.test" {{ host = "{alive.address}:{net.port}" }}')
        server.write_config()
        server.run("reload")
        alive.wait(1, 30)


@case
def a_domain_that_becomes_ours():
    """What waits for it is delivered to its mailbox."""
    with Net() as net:
        net.mx("b.test", (10, "mx.b.test"))
        net.nobody("mx.b.test")
        server = net.server()
        server.send("x@b.test")
        server.domains.append("b.test")
        server.write_config()
        server.run("user", "add", "--password-stdin", "x@b.test", text="secret\n")
        server.run("reload")
        found = server.wait_mail("x@b.test")[0]
        check(found.startswith(b"Return-Path: <alice@a.test>\r\nDelivered-To: x@b.test\r\n"),
              f"{found[:200]!r}")


# How it gets there

@case
def connections_are_used_again():
    with Net() as net:
        host = net.domain("b.test")
        server = net.server()
        for number in range(30):
            server.send(f"x{number}@b.test")
        host.wait(30)
        server.wait_empty()
        check(len(host.sessions) <= 20, f"{len(host.sessions)} sessions for 30 messages")
        equal(len(host.taken), 30, "messages")


@case
def many_recipients_share_transactions():
    with Net() as net:
        host = net.domain("b.test")
        server = net.server()
        users = [f"x{number}@b.test" for number in range(250)]
        server.send(*users)
        until(lambda: sum(len(one.recipients) for one in host.taken) >= 250, "250 recipients")
        server.wait_empty()
        found = collections.Counter(user for one in host.taken for user in one.recipients)
        equal(found, collections.Counter(users), "recipients")
        check(len(host.taken) <= 5, f"{len(host.taken)} transactions")


@case
def a_host_that_takes_few_recipients():
    """452 to the eleventh (RFC 5321 4.5.3.1.10): the rest is sent again, not waited for a day."""
    def judge(session, _argument):
        return "452 4.5.3 too many" if len(session.recipients) >= 10 else None

    with Net() as net:
        host = net.domain("b.test", RCPT=judge)
        server = net.server()
        users = [f"x{number}@b.test" for number in range(35)]
        server.send(*users)
        until(lambda: sum(len(one.recipients) for one in host.taken) >= 35, "35 recipients")
        server.wait_empty()
        found = collections.Counter(user for one in host.taken for user in one.recipients)
        equal(found, collections.Counter(users), "recipients")


@case
def chunks_where_they_are_offered():
    large = MESSAGE + (b"0123456789" * 7 + b"\r\n.\r\n") * 40000
    for offers in (("CHUNKING", "PIPELINING", "SIZE"), ("CHUNKING",), ("PIPELINING",), ()):
        with Net() as net:
            host = net.domain("b.test", offers=offers)
            server = net.server()
            server.send("x@b.test", content=large)
            one = host.only()
            check(one.content.endswith(large), "content")
            equal(host.count("BDAT") > 0, "CHUNKING" in offers, f"BDAT with {offers}")
            equal(bool(one.parameters), "SIZE" in offers, f"SIZE= with {offers}")


@case
def helo_for_those_who_know_no_ehlo():
    for refusal in ("500 5.5.1 what?", "502 5.5.1 not here", "554 5.5.1 never"):
        with Net() as net:
            host = net.domain("b.test", offers=("SIZE",), EHLO=refusal)
            server = net.server()
            server.send("x@b.test")
            equal(host.only().parameters, [], "parameters without ESMTP")
            equal(host.sessions[-1].lines[:2], ["EHLO mx.a.test", "HELO mx.a.test"], "greetings")


# One does not wait for the other

@case
def the_dead_do_not_delay_the_living():
    """Domains that hang, refuse, and do not exist for DNS, each with many messages, and a healthy
    one behind them."""
    with Net() as net:
        net.domain("hangs.test", greeting=HANG)
        net.domain("slow.test", MAIL=Reply("250 ok", delay=5))
        net.nobody("mx.refuses.test")
        net.mx("refuses.test", (10, "mx.refuses.test"))
        net.dns.behave("silent.test", silent)
        net.dns.behave("fails.test", say(SERVFAIL))
        host = net.domain("b.test")
        server = net.server()
        for number in range(10):
            for domain in ("hangs", "slow", "refuses", "silent", "fails"):
                server.send(*(f"x{number}-{n}@{domain}.test" for n in range(20)))
        began = time.monotonic()
        server.send("x@b.test")
        host.wait(1)
        check(time.monotonic() - began < 3, "the healthy domain waited")
        server.end(kill=True)


@case
def one_slow_host_among_recipients():
    """A message for several domains: each is on its own."""
    with Net() as net:
        net.domain("hangs.test", DATA=HANG)
        hosts = [net.domain(f"b{n}.test") for n in range(5)]
        server = net.server()
        server.send("x@hangs.test", *(f"x@b{n}.test" for n in range(5)))
        for host in hosts:
            equal(len(host.only().recipients), 1, "recipients")
        server.end(kill=True)


# Stops and starts

@case
def a_restart_with_deferred_mail():
    with Net() as net:
        host = net.domain("b.test", RCPT=by_address({"x@b.test": ["450 4.2.0 later"] * 2 + [None]}))
        server = net.server()
        server.send("x@b.test")
        host.wait_for("RCPT")
        server.restart()
        host.wait(1)
        server.wait_empty()
        equal(len(host.taken), 1, "messages")


@case
def words_for_each_step():
    """The queue names the host, and where it went wrong; the log does not say the host twice."""
    with Net() as net:
        net.domain("b.test", end=CUT)
        net.domain("c.test", RCPT="450 4.2.1 later")
        net.domain("d.test")
        server = net.server()
        server.send("x@b.test", "x@c.test", "x@d.test")
        until(lambda: server.log().count("deferred id=") == 2 and "sent id=" in server.log(),
              "three results")
        log, queue = server.log(), server.run("queue")
        for words in ('why="the server closed the connection (at the end of data)" next=',
                      'said="450 4.2.1 later (in reply to RCPT TO)" next=',
                      '(in reply to the end of data)"\n'):
            check(words in log, f"no {words} in {log}")
        for words in ("]: the server closed the connection (at the end of data)",
                      "] said: 450 4.2.1 later (in reply to RCPT TO)"):
            check(words in queue, f"no {words} in {queue}")


@case
def a_stop_lets_what_is_under_way_end():
    """SIGTERM between the dot and its answer: the answer is waited for, and counts."""
    with Net() as net:
        host = net.domain("b.test", end=[Reply("250 2.0.0 taken", delay=1), None])
        server = net.server()
        server.send("x@b.test")
        until(lambda: host.ends, "the end of the content")
        server.restart()
        server.wait_empty()
        equal(len(host.ends), 1, "messages taken")


@case
def a_stop_does_not_wait_for_the_silent():
    with Net() as net:
        net.domain("b.test", greeting=HANG)
        net.domain("c.test", MAIL=HANG)
        idle = net.domain("d.test")
        server = net.server()
        server.send("x@b.test", "x@c.test", "x@d.test")
        idle.only()
        until(lambda: all(peer.sessions for peer in net.peers), "all are called")
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        server.wait()
        check(time.monotonic() - began < 5, "the stop took long")
        server.process = None


if __name__ == "__main__":
    main(side_by_side=8)
