"""endings - what outlives what: peers that vanish or do not read, stops in the middle of things.

The cases are worth most with a program built with -Db_sanitize=address,undefined.
"""

import os
import re
import signal
import threading
import time

from faulty import FaultyServer
from harness import Server, case, check, content_of, equal, main, until

BOB = "bob@example.test"
LARGE = (b"x" * 998 + b"\r\n") * 30000


def processor_seconds(server):
    with open(f"/proc/{server.process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def session_ended(server, role):
    """Whether a session of this role is over."""
    return re.search(f'disconnect service="?{role}', server.log())


def stop_at_once(server):
    """SIGTERM; the server must end well although things are under way, and soon."""
    begun = time.monotonic()
    server.end()
    check(time.monotonic() - begun < 15, "the end took long")


# Peers that do not read


@case
def a_peer_that_never_reads_a_message_is_cut_off_at_its_idle_limit():
    with Server(users=[BOB], limits='pop3_idle = "2s"') as server:
        server.deliver(LARGE)
        wire = server.pop(BOB)
        before = processor_seconds(server)
        wire.send(b"RETR 1\r\n")
        until(lambda: session_ended(server, "pop3"), "the end of an idle session")
        check(processor_seconds(server) - before < 1, "the server was busy with waiting")
        server.pop(BOB)


@case
def a_peer_that_sends_and_never_reads_is_cut_off_at_its_limit():
    with Server(users=[BOB], limits='smtp_command = "2s"') as server:
        wire = server.smtp()
        wire.sock.setblocking(False)
        before = processor_seconds(server)
        begun = time.monotonic()
        with_replies = b"NOOP\r\n" * 10000
        try:
            while time.monotonic() - begun < 20:
                try:
                    wire.sock.send(with_replies)
                except BlockingIOError:
                    time.sleep(0.05)
            check(False, "the session never ends")
        except (ConnectionResetError, BrokenPipeError):
            pass
        check(processor_seconds(server) - before < 10, "the server was busy with waiting")


@case
def a_peer_that_reads_slowly_gets_all_of_it():
    with Server(users=[BOB], limits='pop3_idle = "2s"') as server:
        server.deliver(LARGE)
        wire = server.pop(BOB)
        wire.say("RETR 1", "+OK")
        for pause in range(1, 7):    # 4 MB every half second, longer than the limit in all
            time.sleep(0.5)
            while len(wire.unread) < pause << 22:
                wire.fill()
        equal(content_of(wire.body()), LARGE, "content")


@case
def a_peer_that_ended_its_direction_gets_all_its_replies():
    with Server(users=[BOB]) as server:
        wire = server.connect()
        wire.send(b"EHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n"
                  b"x\r\n.\r\nNOOP\r\n")
        wire.half_close()
        found = wire.all_until_end()
        check(b"\r\n250 2.0.0 accepted as " in found and found.endswith(b"250 2.0.0 ok\r\n"),
              f"{found!r}")
        wire = server.connect("pop3")
        wire.send(b"USER bob@example.test\r\nPASS secret\r\nDELE 1\r\nQUIT\r\n")
        wire.half_close()
        found = wire.all_until_end()
        equal(found.count(b"+OK"), 5, f"good replies in {found!r}")
        equal(server.messages(BOB), [], "messages")


# Peers that vanish


@case
def a_session_that_vanishes_in_any_state_leaves_nothing_behind():
    with Server(users=[BOB]) as server:
        server.deliver(LARGE)
        smtp = [b"", b"EHLO c\r\n", b"EHLO c\r\nMAIL FROM:<a@b.test>\r\n",
                b"EHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<bob@example.test>\r\n",
                b"EHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n"
                + LARGE[:3000000]]
        pop3 = [b"", b"USER bob@example.test\r\nPASS secret\r\n",
                b"USER bob@example.test\r\nPASS wrong\r\n",
                b"USER bob@example.test\r\nPASS secret\r\nRETR 1\r\n"]
        for role, openings in (("smtp", smtp), ("pop3", pop3)):
            for opening in openings:
                for wait in (0, 0.05):
                    wire = server.connect(role)
                    wire.send(opening)
                    time.sleep(wait)
                    wire.reset()
        until(lambda: server.log().count("disconnect") == server.log().count(" connect "),
              "all sessions are over")
        equal(len(server.messages(BOB)), 1, "messages")
        until(lambda: len(os.listdir(f"{server.folder}/data/journal/large")) == 1,
              "files of messages that never came")


# Stops in the middle


@case
def a_login_under_way_does_not_disturb_the_end():
    for wait in (0, 0.01, 0.03):
        with Server(users=[BOB]) as server:
            wires = [server.connect("pop3") for _ in range(8)]
            for wire in wires:
                wire.send(b"USER bob@example.test\r\nPASS wrong\r\n")
            time.sleep(wait)
            for wire in wires:
                wire.reset()
            stop_at_once(server)


@case
def a_commit_under_way_is_not_revoked_by_the_end():
    for vanishes in (False, True):
        with FaultyServer(users=[BOB]) as server:
            wire = server.smtp()
            wire.envelope()
            wire.say("DATA", "354")
            server.fault("slow")
            wire.send(b"x\r\n.\r\n")
            time.sleep(0.2)
            if vanishes:
                wire.reset()
                until(lambda: session_ended(server, "smtp"), "the end of the session")
            server.signal(signal.SIGTERM)
            if not vanishes:
                wire.expect(wire.reply(), "250 2.0.0 accepted as ")
                wire.expect(wire.reply(), "421 ")
            stop_at_once(server)
            os.unlink(server.fault_file)
            server.start()
            equal(content_of(server.only_message(BOB)), b"x\r\n", "content")


@case
def an_update_under_way_is_not_revoked_by_the_end():
    for vanishes in (False, True):
        with FaultyServer(users=[BOB]) as server:
            server.deliver(b"x\r\n")
            wire = server.pop(BOB)
            wire.say("DELE 1", "+OK")
            server.fault("slow")
            wire.send(b"QUIT\r\n")
            time.sleep(0.2)
            if vanishes:
                wire.reset()
                until(lambda: session_ended(server, "pop3"), "the end of the session")
            server.signal(signal.SIGTERM)
            if not vanishes:
                wire.expect(wire.line(), "+OK")
            stop_at_once(server)
            os.unlink(server.fault_file)
            server.start()
            equal(server.messages(BOB), [], "messages")


@case
def reloads_and_an_end_at_the_same_time():
    for delay in (0, 0.0005, 0.001, 0.002, 0.004, 0.008):
        with Server(users=[BOB]) as server:
            wire = server.smtp()
            for _ in range(5):
                server.signal(signal.SIGHUP)
                time.sleep(delay)
            wire.close()
            stop_at_once(server)


@case
def a_storm_of_reloads_disturbs_no_session():
    with Server(users=[BOB]) as server:
        over = threading.Event()

        def storm():
            while not over.is_set():
                server.signal(signal.SIGHUP)
                time.sleep(0.001)

        thread = threading.Thread(target=storm)
        thread.start()
        try:
            for number in range(30):
                server.deliver(b"%d\r\n" % number)
            found = [content_of(message) for message in server.messages(BOB)]
        finally:
            over.set()
            thread.join()
        equal(found, [b"%d\r\n" % number for number in range(30)], "messages")
        server.wait_log("reloaded")


@case
def the_server_ends_while_a_purge_is_under_way():
    with FaultyServer(users=[BOB]) as server:
        server.deliver(b"x\r\n")
        server.fault("slow")
        thread = threading.Thread(target=server.run,
                                  args=("user", "del", "--purge", BOB), kwargs={"code": 0})
        thread.start()
        time.sleep(0.3)
        stop_at_once(server)
        thread.join()


# A disk that dies: the outcome is unknown, nobody is told anything (store rule 14)


def ends_for_a_restart(server):
    equal(server.wait(), 75, "exit code")
    server.process = None


@case
def a_disk_that_dies_after_the_client_has_gone_ends_the_server():
    with FaultyServer(users=[BOB]) as server:
        wire = server.smtp()
        wire.envelope()
        wire.say("DATA", "354")
        server.fault("dying")
        wire.send(b"x\r\n.\r\n")
        time.sleep(0.2)
        wire.reset()
        ends_for_a_restart(server)


@case
def an_update_of_unknown_outcome_gets_no_reply():
    with FaultyServer(users=[BOB]) as server:
        server.deliver(b"x\r\n")
        wire = server.pop(BOB)
        wire.say("DELE 1", "+OK")
        server.fault("gone")
        wire.send(b"QUIT\r\n")
        equal(wire.all_until_end(), b"", "after QUIT")
        ends_for_a_restart(server)


# What the log may not show


@case
def a_long_secret_is_not_in_the_log():
    with Server(users=[BOB], log='protocol = "all"') as server:
        secret = b"s3cr3t" * 600
        wire = server.connect("pop3")
        wire.expect(wire.line(), "+OK")
        wire.say(b"USER bob@example.test", "+OK")
        wire.say(b"PASS " + secret, "-ERR")
        wire.say(b"PASS " + secret * 10, "-ERR")
        wire.close()
        wire = server.smtp()
        wire.say(b"AUTH PLAIN " + secret)
        wire.say(b"AUTH PLAIN " + secret * 10)
        wire.say("QUIT", "221")
        server.end()
        check("s3cr3t" not in server.log(), "the log shows a secret")
        check(server.log().count("PASS ***") == 2, "the log does not show PASS")


if __name__ == "__main__":
    main()
