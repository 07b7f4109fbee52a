"""relay_trouble - trouble of our own while mail goes out defers it: nothing bounces, nothing is
sent twice; and what waits behind a host that is down is warned about and given up like all else."""

import collections
import os
import subprocess

from faulty import FaultyServer
from harness import Skip, case, check, equal, main, need, until
from relay_world import ALICE, MESSAGE, Net, Relay
from report import Report
from scripted_peer import Reply


class FaultyRelay(Relay, FaultyServer):
    """A relay whose disk fails on demand."""


class FaultyNet(Net):
    ours = FaultyRelay


def told(server):
    """How often each address was told of, by (action, address)."""
    return collections.Counter(
        (fields["Action"], fields["Final-Recipient"].split("; ")[1])
        for message in server.messages(ALICE) for fields in Report(message).recipients)


@case
def a_failed_sync_after_a_yes():
    """The result is kept a moment later, and the message does not go again."""
    for fault in ("sync", "write"):
        with FaultyNet() as net:
            host = net.domain("b.test", end=Reply("250 2.0.0 taken", delay=0.5))
            server = net.server()
            server.send("x@b.test", "y@b.test")
            until(lambda host=host: host.ends, "the end of the content")
            server.fault(fault)
            server.wait_empty()
            check(server.fault_happened(), f"no {fault} failed")
            equal((len(host.ends), told(server)), (1, {}), "contents sent, and reports")


@case
def a_failed_sync_after_a_no():
    """The report is put off, and with it the result; then it comes, once."""
    with FaultyNet() as net:
        host = net.domain("b.test", RCPT=Reply("550 5.1.1 nobody", delay=0.3))
        server = net.server()
        server.send("x@b.test", "y@b.test")
        until(lambda: host.count("RCPT") == 2, "RCPT")
        server.fault("sync")
        server.wait_log("report-put-off")
        equal(sorted(server.waiting()), ["x@b.test", "y@b.test"], "waiting")
        server.run("queue", "retry", "all")
        server.wait_empty()
        equal(told(server), {("failed", "x@b.test"): 1, ("failed", "y@b.test"): 1}, "reports")


def set_descriptors(server, count):
    subprocess.run([need("prlimit"), "--pid", str(server.process.pid), f"--nofile={count}:"],
                   check=True)


@case
def no_descriptors_left():
    """Nobody can be called, for longer than mail is kept; nothing bounces, and then it goes."""
    with Net() as net:
        hosts = [net.peer() for _ in range(5)]
        server = net.server(relay=net.relay(expire="2s"))
        wire = server.smtp()
        open_now = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        set_descriptors(server, open_now)
        wire.envelope(ALICE, [f"x@[{host.address}]" for host in hosts])
        wire.expect(wire.data(MESSAGE), "250")
        until(lambda: server.log().count("Too many open files") >= 20, "trouble for some time")
        equal(len(server.waiting()), 5, "waiting")
        set_descriptors(server, open_now + 100)
        for host in hosts:
            host.only()
        server.wait_empty()
        equal(server.messages(ALICE), [], "reports")


@case
def no_descriptors_for_questions():
    """The same before anybody was asked for: the resolver's library lives on."""
    with Net() as net:
        host = net.domain("b.test")
        server = net.server()
        wire = server.smtp()
        open_now = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        set_descriptors(server, open_now)
        wire.envelope(ALICE, ["x@b.test"])
        wire.expect(wire.data(MESSAGE), "250")
        server.wait_log("deferred")
        set_descriptors(server, open_now + 100)
        host.only()


@case
def behind_a_host_that_is_down():
    """Forty messages with three recipients each: of every one its sender is told once that it is
    late, and once that it was given up."""
    with Net() as net:
        net.mx("b.test", (10, "mx.b.test"))
        net.nobody("mx.b.test")
        server = net.server(relay=net.relay(warn="2s", expire="6s"))
        users = [f"x{number}@b.test" for number in range(120)]
        for at in range(0, len(users), 3):
            server.send(*users[at:at + 3])
        server.wait_empty(60)
        wanted = {(action, user): 1 for action in ("delayed", "failed") for user in users}
        found = told(server)
        equal(sum((found - collections.Counter(wanted)).values()), 0, "told too often")
        equal(sorted(collections.Counter(wanted) - found)[:3], [], "not told of")


@case
def a_host_that_comes_back():
    """It was down for long; when it is there again all goes within one step, each once."""
    with Net() as net:
        net.mx("b.test", (10, "mx.b.test"))
        address = net.nobody("mx.b.test")
        server = net.server()
        for number in range(30):
            server.send(f"x{number}@b.test")
        server.wait_log("hop-down")
        host = net.peer(address=address)
        server.wait_empty(60)
        equal(collections.Counter(user for one in host.taken for user in one.recipients),
              {f"x{number}@b.test": 1 for number in range(30)}, "recipients")


@case
def other_resolvers_by_reload():
    with Net() as net, Net() as other:
        host = net.peer("mx.b.test")
        other.mx("b.test", (10, "mx.b.test"))
        other.name("mx.b.test", host.address)
        server = net.server(dns='resolvers = {"127.0.0.1:9"}  dnssec = off')
        server.send("x@b.test")
        until(lambda: "cannot look up" in server.log(), "an attempt", 60)
        server.sections["dns"] = f'resolvers = {{"{other.dns.resolver}"}}  dnssec = off'
        server.write_config()
        server.run("reload")
        host.wait(1)


@case
def a_reload_while_it_goes_out():
    """Reloads in the middle of forty messages: each goes once."""
    with Net() as net:
        host = net.domain("b.test", end=Reply("250 2.0.0 taken", delay=0.02))
        server = net.server()
        for number in range(40):
            server.send(f"x{number}@b.test")
            if number % 8 == 7:
                server.run("reload")
        server.wait_empty()
        equal(collections.Counter(user for one in host.taken for user in one.recipients),
              {f"x{number}@b.test": 1 for number in range(40)}, "recipients")


@case
def an_ipv6_literal():
    with Net() as net:
        try:
            host = net.peer(address="::1")
        except OSError:
            raise Skip("no IPv6") from None
        server = net.server()
        server.send("x@[IPv6:::1]")
        equal(host.only().recipients, ["x@[IPv6:::1]"], "recipients")


if __name__ == "__main__":
    main(side_by_side=8)
