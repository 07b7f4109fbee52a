"""peers_pop - godwit fetch and the maildrop of godwit agent with Dovecot: every mechanism, behind
STLS and in TLS from the first octet, with its own log as the witness of what was done."""

import contextlib
import os
import re
import socket
import tempfile

import certificates
import others
from agent_world import Home as AgentHome
from fetch import Home, in_files
from harness import CASES, Skip, add_case, case, check, equal, godwit, main
from relay_world import Net
from wire import Pop

CASES.clear()    # of the suites whose parts are used here
PEER, POP = "peer.test", "pop.peer.test"
USER, PASSWORD = f"{others.USER}@{PEER}", "open-sesame-17"
PLACES = {110: f"{POP}:110", 995: f"pop3s://{POP}:995"}
LETTERS = [b"Subject: one\r\n\r\n.a dot\r\n..\r\n.\r\nFrom here\r\n",
           b"Subject: two\r\n\r\n\x80\xff Gr\xc3\xbc\xc3\x9fe\r\n" + b"x" * 5000 + b"\r\n",
           b"Subject: three\r\n\r\nfirst\r\nsecond\r\nthird\r\n",
           b"Subject: large\r\n\r\n" + b"a line like any other\r\n" * 50000,
           b"Subject: nothing\r\n\r\n"]
COUNT = len(LETTERS)


@contextlib.contextmanager
def maildrop():
    """Dovecot, and the words with which it is found and believed."""
    if os.getuid() != 0:
        raise Skip("ports below 1024 are for root only")
    with Net(port=25, dns_port=53) as net, tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        authority = certificates.authority(folder)
        pem = certificates.signed(folder, POP)
        address = net.next_address()
        net.name(POP, address)
        with others.Dovecot(address, PEER, pem, PASSWORD) as dovecot:
            dovecot.fill(LETTERS)
            yield dovecot, ["--dns", f"{net.dns.address}:53", "--ca", authority, "--tls", "verify"]


def fetch(home, *words, **how):
    """What it printed, and what it told."""
    arguments = [godwit(), "fetch", USER, "--to", "maildir:M", *words]
    printed, told = home.run(arguments, how.get("code", 0), how.get("password", PASSWORD))
    return printed.decode(), told


def method(mechanism):
    """As Dovecot's log calls it."""
    return "PLAIN" if mechanism == "user" else mechanism.upper()


def check_pipeline(told):
    """Messages were asked for before the answer to the first had come."""
    said = re.findall(r"([CS]): (\S+)", told)
    first = said.index(("C", "RETR"))
    equal(said[first:first + COUNT], [("C", "RETR")] * COUNT, "the first words about messages")


def fetches(port):
    """Kept, found again, deleted: three sessions for each mechanism."""
    with maildrop() as (dovecot, words):
        for mechanism in dovecot.mechanisms:
            dovecot.fill(LETTERS)
            with Home() as home:
                words_now = ["--server", PLACES[port], "--auth", mechanism.upper(), *words]
                printed, told = fetch(home, *words_now, "--trace")
                check(f"{COUNT} fetched, 0 here before" in printed, printed)
                equal(home.maildir(), in_files([(None, m) for m in LETTERS]), "messages")
                check_pipeline(told)
                check("certificate verified" in told and PASSWORD not in told, told[:2000])
                equal("C: STLS" in told, port == 110, "STLS was said")
                printed, _ = fetch(home, *words_now)
                check(f"0 fetched, {COUNT} here before" in printed, printed)
                printed, _ = fetch(home, *words_now, "--delete")
                check(f"0 fetched, {COUNT} here before, {COUNT} deleted" in printed, printed)
            equal(dovecot.mail(), [], "left there")
        dovecot.expect_logins([(method(m), True) for m in dovecot.mechanisms for _ in range(3)])
        sessions = [(0, COUNT, 0, COUNT), (0, 0, 0, COUNT), (0, 0, COUNT, COUNT)]
        dovecot.expect_sessions(sessions * len(dovecot.mechanisms))


def reads(port):
    """What somebody does at the agent's prompt."""
    lines = ["pop", "stat", "list", "list 2", "uidl", "top 3 1", "retr 3", "show 2", "dele 1",
             "rset", "noop", "dele 3", "quit", "exit"]
    with maildrop() as (dovecot, words), AgentHome() as home:
        for mechanism in dovecot.mechanisms:
            dovecot.fill(LETTERS)
            talk = home.pipe(lines, "-e", USER, "-p", PASSWORD, "--pop", PLACES[port], "--auth",
                             mechanism.upper(), "--trace", *words)
            equal(talk.told, "", "nothing went wrong")
            talk.has("certificate verified", f"+OK {COUNT} ", "C: TOP 3 1",
                     "Subject: three\n\nfirst\n.\n", "Subject: three\n\nfirst\nsecond\nthird\n.\n",
                     "Subject: two\n", "Grüße")
            uids = re.findall(r"S: (\d+) (\S+)\n", talk.said.partition("C: UIDL")[2])
            equal([number for number, _ in uids], [str(n + 1) for n in range(COUNT)], "numbers")
            equal(len({uid for _, uid in uids}), COUNT, "unique-ids")
            left = sorted(dovecot.mail())
            equal(left, sorted(m for m in LETTERS if b"three" not in m), "left there")
        dovecot.expect_logins([(method(m), True) for m in dovecot.mechanisms])
        dovecot.expect_sessions([(1, 2, 1, COUNT)] * len(dovecot.mechanisms))


def refuses_a_wrong_password(port):
    with maildrop() as (dovecot, words), Home() as home, AgentHome() as other_home:
        for mechanism in dovecot.mechanisms:
            way = ["--auth", mechanism.upper(), *words]
            _, told = fetch(home, "--server", PLACES[port], *way, code=77, password="wrong")
            check("[AUTH]" in told or "uthenticat" in told, told)
            talk = other_home.pipe(["pop", "exit"], "-e", USER, "-p", "wrong", "--pop",
                                   PLACES[port], *way)
            talk.complains("at the login", "check the address and the")
        equal((dovecot.logins(), len(dovecot.mail())), ([], COUNT), "logins, and what is there")


for each in PLACES:
    for how in (fetches, reads, refuses_a_wrong_password):
        add_case(f"dovecot-{each}-{how.__name__.replace('_', '-')}",
                 lambda how=how, each=each: how(each))


@case
def a_maildrop_that_is_in_use():
    """Dovecot lets one session in at a time: the other waits for nothing, and loses nothing."""
    with maildrop() as (dovecot, words), Home() as home:
        wire = Pop(socket.create_connection((dovecot.address, 995), 30))
        wire.shake(certificates.trusting())
        wire.expect(wire.line(), "+OK")
        wire.say(f"USER {USER}", "+OK")
        wire.say(f"PASS {PASSWORD}", "+OK")
        _, told = fetch(home, "--server", PLACES[995], *words, code=75)
        check("[IN-USE]" in told or "in use" in told, told)
        wire.say("QUIT", "+OK")
        wire.close()
        check(f"{COUNT} fetched" in fetch(home, "--server", PLACES[995], *words)[0], "afterwards")


@case
def without_tls_it_is_told_why():
    with maildrop() as (dovecot, words), Home() as home:
        words = [word if word != "verify" else "none" for word in words]
        _, told = fetch(home, "--server", PLACES[110], *words, code=77)
        check("disallowed on non-secure" in told, told)
        equal(dovecot.logins(), [], "logins")


if __name__ == "__main__":
    main()
