"""faults - a disk that fails: the answers are those of store rules 13 and 14, nothing is lost."""

import os
import threading

from faulty import FaultyServer
from harness import case, check, content_of, equal, main

MESSAGE = b"Subject: x\r\n\r\nbody\r\n"


def try_to_send(server, content):
    wire = server.smtp()
    wire.envelope()
    reply = wire.data(content)
    wire.close()
    return reply


def refused_once(word):
    """One message meets the fault and is refused; those before and behind it are there."""
    with FaultyServer(users=["bob@example.test"]) as server:
        server.deliver(b"before\r\n")
        server.fault(word)
        reply = try_to_send(server, b"refused\r\n")
        check(reply.startswith("451 4.3.0"), f"a failed {word} gives {reply!r}")
        check(server.fault_happened(), f"no {word} failed")
        server.deliver(b"behind\r\n")
        server.restart()
        server.deliver(b"later\r\n")
        found = [message.rsplit(b"\r\n", 2)[1] for message in server.messages("bob@example.test")]
        equal(found, [b"before", b"behind", b"later"], "messages")


@case
def a_failed_sync_is_451_and_the_server_goes_on():
    refused_once("sync")


@case
def a_failed_write_is_451_and_the_server_goes_on():
    refused_once("write")


@case
def a_short_write_is_451_and_the_server_goes_on():
    refused_once("short")


@case
def a_disk_that_is_gone_gets_no_wrong_answer():
    """The session ends without a 250, and the server with it, for a restart."""
    with FaultyServer(users=["bob@example.test"]) as server:
        server.deliver(b"before\r\n")
        wire = server.smtp()
        wire.envelope()
        wire.say("DATA", "354")
        server.fault("gone")
        wire.send(b"unknown\r\n.\r\n")
        found = wire.all_until_end()
        check(found[:3] in (b"", b"451"), f"answered {found!r}")
        check(server.wait() != 0, "the server ended as if all were well")
        server.process = None
        os.unlink(server.fault_file)
        server.start()
        contents = [content_of(message) for message in server.messages("bob@example.test")]
        check(contents in ([b"before\r\n"], [b"before\r\n", b"unknown\r\n"]), f"{contents}")
        server.deliver(b"after\r\n")


def until(server, wanted):
    """Sends until MAIL answers this; returns how many messages were accepted on the way."""
    accepted = 0
    for _ in range(200):
        wire = server.smtp()
        reply = wire.say("MAIL FROM:<a@elsewhere.test>")
        if reply.startswith("250"):
            wire.say("RCPT TO:<bob@example.test>", "250")
            accepted += wire.data(MESSAGE).startswith("250")
        wire.close()
        if reply.startswith(wanted):
            return accepted
        threading.Event().wait(0.05)  # the server looks at the disk once a second
    check(False, f"MAIL never answers {wanted}, but {reply!r}")


@case
def a_full_disk_is_452_at_mail_and_passes():
    with FaultyServer(users=["bob@example.test"]) as server:
        server.fault("full")
        accepted = until(server, "452 4.3.1")
        equal(len(server.messages("bob@example.test")), accepted, "messages on a full disk")
        os.unlink(server.fault_file)
        accepted += until(server, "250")
        server.restart()
        equal(len(server.messages("bob@example.test")), accepted, "messages")


if __name__ == "__main__":
    main()
