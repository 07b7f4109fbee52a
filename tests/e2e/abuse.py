"""abuse - strangers who try: what is counted, who is banned and who never is, the rules about HELO,
DNS and greylisting; and that every refusal names its rule, to the peer and in the log.
"""

import base64
import os
import re
import resource
import subprocess
import time

import harness
from dns_server import REFUSED, SERVFAIL, DnsServer
from harness import Server, Skip, case, check, content_of, equal, until
from strangers import own_address, stranger_server

BOB = "bob@example.test"
CLEAR = 'cleartext = "always"'


def stranger(users=(BOB,), abuse="", **sections):
    sections.setdefault("auth", CLEAR)
    return stranger_server(users, abuse=abuse, **sections)


def refused(server, role="smtp"):
    """The first line of a connection that is turned away."""
    wire = server.connect(role)
    line = wire.line()
    check(wire.ended(), f"the session goes on after {line!r}")
    return line


def welcome(server):
    wire = server.smtp()
    wire.say("QUIT", "221")


def guess(server, times, password="wrong", role="pop3"):
    """So many wrong passwords on one connection; returns the last answer."""
    wire = server.connect(role)
    wire.expect(wire.line(), "+OK")
    answer = ""
    for _ in range(times):
        wire.say(f"USER {BOB}", "+OK")
        answer = wire.say(f"PASS {password}")
    wire.close()
    return answer


def listed(server):
    return server.rows("ban", "list")


def logged(server, *words):
    """A line of the log that has all these words."""
    def lines():
        return [line for line in server.log().splitlines() if all(word in line for word in words)]
    until(lines, f"a line of the log with {words}")
    return lines()[0]


# --- Bans ---

@case
def failed_logins_ban_for_a_while():
    me = own_address()
    with stranger(abuse='ban = "1h"  logins = 3') as server:
        equal(listed(server), [], "bans")
        server.run("ban", "why", me, code=1)
        guess(server, 3)
        until(lambda: listed(server), "a ban")
        line = refused(server)
        check(line.startswith("421 4.7.0 ") and "rule logins" in line and "banned" in line, line)
        line = refused(server, "pop3")
        check(line.startswith("-ERR [SYS/TEMP] ") and "rule logins" in line, line)
        logged(server, "banned", f"address={me}", "rule=logins")
        logged(server, "turned-away", "rule logins", me)
        ban = listed(server)[0]
        equal((ban["address"], ban["rule"]), (me, "logins"), "the ban")
        check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", ban["expires"]), ban["expires"])
        check(me in server.run("ban", "list"), "the list for people")
        check("rule logins" in server.run("ban", "why", me), "why")
        server.restart()
        check("rule logins" in refused(server), "the ban is gone with a restart")
        server.restart(kill=True)
        check("rule logins" in refused(server), "the ban is gone with a crash")
        check("let in again" in server.run("ban", "lift", me), "lift")
        welcome(server)
        equal(listed(server), [], "bans after lifting")
        server.run("ban", "lift", me, code=1)
        logged(server, "ban-lifted", me)


@case
def bans_without_a_server():
    me = own_address()
    with stranger(abuse='ban = "1h"  logins = 3') as server:
        guess(server, 3)
        until(lambda: listed(server), "a ban")
        server.end()
        equal([ban["address"] for ban in listed(server)], [me], "bans")
        check("rule logins" in server.run("ban", "why", me), "why")
        server.run("ban", "lift", me)
        server.run("ban", "lift", me, code=1)
        server.run("ban", "why", me, code=1)
        server.run("ban", "lift", "example.org", code=2)
        server.start()
        welcome(server)


@case
def bans_before_there_is_any_data():
    server = Server()
    try:
        equal(server.run("ban", "list"), "", "list")
        server.run("ban", "why", "192.0.2.1", code=1)
        server.run("ban", "lift", "192.0.2.1", code=1)
        check(not os.path.exists(os.path.join(server.folder, "data")), "DATA was made")
    finally:
        server.remove()


@case
def a_ban_ends():
    with stranger(abuse='ban = "2s"  logins = 3') as server:
        guess(server, 3)
        check("rule logins" in refused(server), "no ban")

        def is_welcome():
            wire = server.connect()
            return wire.reply().startswith("220")
        until(is_welcome, "the end of the ban")
        equal(listed(server), [], "bans")


@case
def errors_ban():
    with stranger(abuse='ban = "1h"  errors = 4') as server:
        wire = server.smtp()
        wire.send(b"XYZZY\r\n" * 100)
        check(b"421 4.7.0" in wire.all_until_end(), "the session goes on")
        check("rule errors" in refused(server), "no ban")
        logged(server, "refused", "rule=errors")


@case
def a_reload_switches_bans_on_and_off():
    with stranger(abuse="logins = 3") as server:
        server.sections["abuse"] = 'ban = "1h"  logins = 3'
        server.write_config()
        server.run("reload")
        guess(server, 3)
        check("rule logins" in refused(server), "no ban")
        server.sections["abuse"] = "logins = 3"
        server.write_config()
        server.run("reload")
        welcome(server)
        check("abuse.ban is off" in server.run("ban", "why", own_address()), "why")


@case
def nobody_is_banned_unless_it_is_configured():
    with stranger(abuse="logins = 3") as server:
        guess(server, 3)
        welcome(server)
        equal(listed(server), [], "bans")


@case
def the_near_are_never_banned():
    limits = 'ban = "1h"  logins = 3  hourly_logins = 3'
    with Server(users=[BOB], abuse=limits) as server:    # loopback
        for _ in range(3):
            guess(server, 3)
        welcome(server)
        equal(listed(server), [], "bans of loopback")
        check("this machine itself" in run_told(server, "ban", "why", server.address), "why")
    me = own_address()
    for sections in ({"abuse": f'{limits}  allow = {{"{me}"}}'},
                     {"abuse": limits, "relay": f'trusted = {{"{me}"}}'}):
        with stranger(**sections) as server:
            for _ in range(3):
                guess(server, 3)
            welcome(server)
            equal(listed(server), [], f"bans with {sections}")


def run_told(server, *words):
    """What a command that says no tells on standard error."""
    done = subprocess.run([server.program, *words, "-c", server.config], cwd=server.folder,
                          capture_output=True, timeout=30, check=False)
    equal(done.returncode, 1, f"exit code of {words}")
    return done.stderr.decode()


@case
def who_has_logged_in_is_not_banned_for_a_day():
    """User pain 11: the admin's telephone with the old password."""
    me = own_address()
    with stranger(abuse='ban = "1h"  logins = 3  hourly_logins = 3') as server:
        server.pop(BOB).say("QUIT", "+OK")
        for _ in range(3):
            guess(server, 3)
        welcome(server)
        equal(listed(server), [], "bans")
        check("logged in from it" in run_told(server, "ban", "why", me), "why")
        server.restart()
        guess(server, 3)
        welcome(server)
        equal(listed(server), [], "bans after a restart")


@case
def a_damaged_cache_stops_nothing():
    with stranger(abuse='ban = "1h"  logins = 3') as server:
        guess(server, 3)
        until(lambda: listed(server), "a ban")
        server.end()
        name = os.path.join(server.folder, "data", "cache.db")
        for suffix in ("-wal", "-shm"):
            if os.path.exists(name + suffix):
                os.unlink(name + suffix)
        with open(name, "wb") as file:
            file.write(b"no database" * 1000)
        server.run("ban", "list", code=1)
        server.start()
        logged(server, "cache", "made anew")
        server.deliver(b"words\r\n")
        guess(server, 3)
        until(lambda: listed(server), "a ban in the new cache")


# --- What is counted across sessions ---

@case
def a_harvest_of_names_ends():
    with stranger(abuse='hourly_unknown = 5') as server:
        wire = server.smtp()
        wire.say("MAIL FROM:<a@elsewhere.test>", "250")
        for number in range(6):
            wire.say(f"RCPT TO:<nobody{number}@example.test>", "550 5.1.1")
        line = wire.reply()
        check(line.startswith("421 4.7.0 ") and "rule hourly_unknown" in line, line)
        check(wire.ended(), "the session goes on")
        line = refused(server)
        check("rule hourly_unknown" in line and "come again in" in line, line)
        logged(server, "too-much", "rule=hourly_unknown")
        check("hourly_unknown" in server.run("ban", "why", own_address()), "why")
        server.run("ban", "lift", own_address(), code=1)    # no ban, but forgotten
        welcome(server)


@case
def a_harvest_bans():
    with stranger(abuse='hourly_unknown = 3  ban = "1h"') as server:
        wire = server.smtp()
        wire.say("MAIL FROM:<a@elsewhere.test>", "250")
        for number in range(4):
            wire.say(f"RCPT TO:<nobody{number}@example.test>", "550 5.1.1")
        until(lambda: listed(server), "a ban")
        equal(listed(server)[0]["rule"], "hourly_unknown", "rule")
        equal(listed(server)[0]["count"], 4, "count")


@case
def failed_logins_of_many_sessions():
    with stranger(abuse='hourly_logins = 4') as server:
        for _ in range(5):
            guess(server, 1)
        check("rule hourly_logins" in refused(server), "more guesses")
        server.restart()    # what is counted is not kept
        welcome(server)


@case
def earlier_mistakes_cost_time_in_the_next_session():
    with stranger() as server:
        for _ in range(10):
            guess(server, 3)
        wire = server.smtp()
        began = time.monotonic()
        wire.say("XYZZY", "500")
        check(time.monotonic() - began >= 0.25, "the first mistake was free")
        wire = server.smtp()    # patience is asked of those who make mistakes only
        began = time.monotonic()
        wire.envelope()
        check(time.monotonic() - began < 0.25, "all is slow")


@case
def connections_within_an_hour():
    with stranger(abuse='hourly_connections = 3') as server:
        for _ in range(3):
            welcome(server)
        line = refused(server)
        check(line.startswith("421 4.7.0 ") and "rule hourly_connections" in line, line)


@case
def commands_within_an_hour():
    """Whatever they are, in one session or many; a session that goes over is ended."""
    with stranger(abuse='hourly_commands = 10') as server:
        for _ in range(2):
            wire = server.smtp()
            for _ in range(3):
                wire.say("NOOP", "250")
        wire = server.smtp()
        wire.send(b"NOOP\r\n" * 5)
        found = wire.all_until_end().decode()
        check("rule hourly_commands" in found, found)
        line = refused(server)
        check(line.startswith("421 4.7.0 ") and "rule hourly_commands" in line, line)


@case
def a_thousand_failed_logins():
    """Whoever guesses gets the same words each time, and everybody else is served."""
    with Server(users=[BOB], abuse="errors = 0  logins = 0") as server:
        wires = [server.connect("pop3") for _ in range(4)]
        for wire in wires:
            wire.expect(wire.line(), "+OK")
            wire.send(f"USER {BOB}\r\nPASS wrong\r\n".encode() * 250)
        began = time.monotonic()
        server.deliver(b"words\r\n")
        check(time.monotonic() - began < 5, "others have to wait")
        answers = set()
        for wire in wires:
            for _ in range(250):
                wire.expect(wire.line(), "+OK")
                answers.add(wire.line())
        equal(len(answers), 1, f"answers {answers}")
        equal(content_of(server.only_message(BOB)), b"words\r\n", "the message")


@case
def a_hundred_thousand_bad_commands():
    with Server(users=[BOB], abuse="errors = 0") as server:
        wire = server.smtp()
        before = server.memory()
        for _ in range(100):
            wire.send(b"XYZZY\r\n" * 1000)
            for _ in range(1000):
                wire.expect(wire.line(), "500 5.5.2")
        server.check_memory(before, 8)
        wire.say("QUIT", "221")


@case
def nine_thousand_idle_connections():
    count = 9000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count + 1000:
        raise Skip(f"at most {hard} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 1000), hard))
    with Server(users=[BOB]) as server:
        before = server.memory()
        idle = [server.connect() for _ in range(count)]
        for wire in idle:
            wire.expect(wire.reply(), "220")
        server.check_memory(before, count * 8 >> 10)    # 8 KB each
        began = time.monotonic()
        server.deliver(b"words\r\n")
        check(time.monotonic() - began < 2, "a new session had to wait")
        idle[-1].say("NOOP", "250")


# --- The greeting ---

@case
def early_talkers():
    with stranger(abuse='greeting_delay = "2s"') as server:
        began = time.monotonic()
        wire = server.smtp()
        check(time.monotonic() - began >= 2, "greeted at once")
        wire.say("QUIT", "221")
        wire = server.connect()
        wire.send(b"HELO client\r\n")
        line = wire.reply()
        check(line.startswith("554 5.5.1 ") and "rule greeting_delay" in line, line)
        check(wire.ended(), "the session goes on")
        logged(server, "refused", "rule=greeting_delay")
    with Server(abuse='greeting_delay = "1m"') as server:    # loopback
        welcome(server)


# --- Rules about who it is ---

class Judged:
    """A server with rules, whose clients are strangers, and the DNS that it asks."""

    def __init__(self, abuse, *records):
        self.me = own_address()
        self.reversed = ".".join(reversed(self.me.split(".")))
        self.dns = DnsServer(harness.own_address(), *records)
        self.abuse = abuse

    def __enter__(self):
        self.dns.__enter__()
        self.server = stranger(
            abuse=self.abuse, dns=f'resolvers = {{"{self.dns.resolver}"}}  dnssec = off')
        self.server.__enter__()
        return self

    def __exit__(self, *error):
        self.server.__exit__(*error)
        self.dns.__exit__(*error)

    def rcpt(self, to=BOB, hello="EHLO client.elsewhere.test", sender="a@elsewhere.test"):
        """The answer to RCPT."""
        wire = self.server.smtp(hello)
        wire.say(f"MAIL FROM:<{sender}>", "250")
        answer = wire.say(f"RCPT TO:<{to}>")
        wire.say("RSET", "250")
        wire.say("QUIT", "221")
        return answer


def blocklists(**actions):
    return "  ".join(f'blocklist "{zone}.test" {{ action = "{action}" }}'
                     for zone, action in actions.items())


@case
def a_listed_address():
    with Judged(blocklists(good="reject", bad="reject")) as judged:
        equal(judged.rcpt()[:3], "250", "not listed")
        judged.dns.add(f"{judged.reversed}.bad.test A 127.0.0.4")
        judged.server.restart()
        answer = judged.rcpt()
        equal(answer, f"550 5.7.1 rule blocklist: {judged.me} is listed by bad.test", "answer")
        judged.dns.add(f"{judged.reversed}.bad.test TXT see_http://bad.test/why\n")
        judged.server.restart()
        check(judged.rcpt().endswith(": see_http://bad.test/why"), "its words")
        logged(judged.server, "refused", "rule blocklist", f"address={BOB}")
        equal(judged.rcpt("postmaster@example.test")[:3], "250", "postmaster")
        equal(judged.rcpt("postmaster")[:3], "250", "postmaster alone")


@case
def a_listing_defers_or_warns():
    with Judged(blocklists(slow="defer", quiet="warn")) as judged:
        judged.dns.add(f"{judged.reversed}.quiet.test A 127.0.0.2")
        equal(judged.rcpt()[:3], "250", "a warning")
        logged(judged.server, "warned", "rule=blocklist", "quiet.test")
        judged.dns.add(f"{judged.reversed}.slow.test A 127.0.0.2")
        judged.server.restart()
        check(judged.rcpt().startswith("450 4.7.1 rule blocklist: "), "deferred")


@case
def trouble_of_a_list_refuses_nobody():
    with Judged(blocklists(over="reject", wild="reject", fails="reject", no="reject")) as judged:
        judged.dns.add(f"{judged.reversed}.over.test A 127.255.255.254",
                       f"{judged.reversed}.wild.test A 198.51.100.1")
        judged.dns.behave(f"{judged.reversed}.fails.test", lambda query: query.reply(SERVFAIL))
        judged.dns.behave(f"{judged.reversed}.no.test", lambda query: query.reply(REFUSED))
        equal(judged.rcpt()[:3], "250", "answer")
        logged(judged.server, "blocklist", "zone=over.test", "127.255.255.254")
        logged(judged.server, "blocklist", "zone=wild.test")


@case
def a_list_that_is_silent_is_waited_for_briefly():
    with Judged(blocklists(silent="reject")) as judged:
        judged.dns.behave(f"{judged.reversed}.silent.test", lambda query: None)
        began = time.monotonic()
        equal(judged.rcpt()[:3], "250", "answer")
        check(4 < time.monotonic() - began < 10, f"{time.monotonic() - began:.1f} s")
        logged(judged.server, "dns-slow")
        wire = judged.server.smtp()    # goes while it is asked
        wire.say("MAIL FROM:<a@elsewhere.test>", "250")
        wire.send(f"RCPT TO:<{BOB}>\r\n".encode())
        wire.reset()
        judged.server.end()    # does not wait for it


@case
def reverse_dns():
    with Judged('reverse_dns = "reject"') as judged:
        name = f"{judged.reversed}.in-addr.arpa"
        check(judged.rcpt().startswith("550 5.7.25 rule reverse_dns: "), "no name")
        judged.dns.add(f"{name} PTR host.elsewhere.test")
        judged.server.restart()
        answer = judged.rcpt()
        check(answer.startswith("550 5.7.25 ") and "does not have this address" in answer, answer)
        judged.dns.add(f"host.elsewhere.test A {judged.me}")
        judged.server.restart()
        equal(judged.rcpt()[:3], "250", "a name that has the address")
        judged.dns.behave(name, lambda query: query.reply(SERVFAIL))
        judged.server.restart()
        equal(judged.rcpt()[:3], "250", "trouble")


@case
def names_to_greet_with():
    with Judged('helo_name = "reject"  helo_ours = "defer"') as judged:
        equal(judged.rcpt()[:3], "250", "a name")
        equal(judged.rcpt(hello="HELO [192.0.2.77]")[:3], "250", "a literal")
        equal(judged.rcpt(hello="EHLO friend"),
              "550 5.7.1 rule helo_name: friend is no full host name to greet with", "a word")
        check(judged.rcpt(hello="EHLO mx.example.test").startswith("450 4.7.1 rule helo_ours: "),
              "our name")
        check(judged.rcpt(hello=f"EHLO [{judged.me}]").startswith("450 4.7.1 rule helo_ours: "),
              "our address")


@case
def who_logs_in_is_not_judged():
    with Judged('helo_name = "reject"  greylist = "1h"') as judged:
        wire = judged.server.smtp("EHLO friend")
        wire.say("AUTH PLAIN " + base64.b64encode(f"\0{BOB}\0secret".encode()).decode(), "235")
        wire.say(f"MAIL FROM:<{BOB}>", "250")
        wire.say(f"RCPT TO:<{BOB}>", "250")
    with Server(users=[BOB], abuse='helo_name = "reject"  greylist = "1h"') as server:    # loopback
        wire = server.smtp("EHLO friend")
        wire.envelope()


# --- Greylisting ---

@case
def greylisting():
    with Judged('greylist = "2s"') as judged:
        answer = judged.rcpt()
        check(answer.startswith("450 4.7.1 rule greylist: ") and "come again in 2 s" in answer,
              answer)
        logged(judged.server, "refused", "rule greylist")
        check(judged.rcpt("nobody@example.test").startswith("550 5.1.1"), "nobody")
        equal(judged.rcpt("postmaster@example.test")[:3], "250", "postmaster")
        judged.server.restart()    # it is kept
        until(lambda: judged.rcpt().startswith("250"), "the end of the wait")
        equal(judged.rcpt()[:3], "250", "again")
        equal(judged.rcpt(sender="b@elsewhere.test")[:3], "450", "another sender")
        wire = judged.server.smtp()
        wire.say("MAIL FROM:<a@elsewhere.test>", "250")
        wire.say(f"RCPT TO:<{BOB}>", "250")
        wire.expect(wire.data(b"words\r\n"), "250")
        equal(content_of(judged.server.only_message(BOB)), b"words\r\n", "the message")


@case
def pipelined_recipients_of_a_greylist():
    with Judged('greylist = "1h"  ' + blocklists(list="reject")) as judged:
        wire = judged.server.smtp()
        wire.send(b"MAIL FROM:<a@elsewhere.test>\r\n" + f"RCPT TO:<{BOB}>\r\n".encode() * 3 +
                  b"RCPT TO:<nobody@example.test>\r\nRCPT TO:<postmaster@example.test>\r\n"
                  b"DATA\r\n")
        codes = [wire.reply()[:3] for _ in range(7)]
        equal(codes, ["250", "450", "450", "450", "550", "250", "354"], "replies")


# --- The log ---

@case
def what_strangers_say_is_escaped():
    with Judged('helo_name = "warn"') as judged:
        judged.dns.add(f"{judged.reversed}.list.test A 127.0.0.2")
        wire = judged.server.smtp(None)
        wire.say("EHLO a\\b'\"<script>", "250")
        wire.say("MAIL FROM:<a@elsewhere.test>", "250")
        wire.say(f"RCPT TO:<{BOB}>", "250")
        line = logged(judged.server, "warned", "rule=helo_name")
        check("a\\\\b" in line, line)


if __name__ == "__main__":
    harness.main()
