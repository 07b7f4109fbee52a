"""walk - the walk of the users' documents: two servers of ours, each with its domain, that find one
another through DNS; usr1@mail.sustech.edu.cn on exmail.qq.com, usr1@gmail.com on gmail.com.

Every case has a fresh pair.
"""

import base64

from harness import case, check, content_of, equal, main, until
from relay_world import Net
from report import Report

ONE, TWO = "usr1@mail.sustech.edu.cn", "usr1@gmail.com"
LETTER = (b"From: %s\r\nTo: %s\r\nSubject: hello\r\nMIME-Version: 1.0\r\n"
          b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
          + base64.b64encode("你好，世界\n".encode()) + b"\r\n")


class Pair(Net):
    def __enter__(self):
        super().__enter__()
        try:
            return (self.server("exmail.qq.com", ["mail.sustech.edu.cn"], [ONE]),
                    self.server("gmail.com", ["gmail.com"], [TWO]))
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise


def letter(sender, recipient):
    return LETTER % (sender.encode(), recipient.encode())


def arrives(server, user):
    """The one message of a user, once it is there."""
    return server.wait_mail(user)[0]


@case
def log_in_and_quit():
    with Pair() as (one, two):
        for server, user in ((one, ONE), (two, TWO)):
            server.pop(user).say("QUIT", "+OK")


@case
def across_and_list_shows_one():
    with Pair() as (one, two):
        one.send(TWO, content=letter(ONE, TWO), sender=ONE)
        found = arrives(two, TWO)
        equal(two.pop(TWO).listing("LIST"), [f"1 {len(found)}"], "LIST")
        check(found.endswith(letter(ONE, TWO)), "content")
        check(found.startswith(f"Return-Path: <{ONE}>\r\n".encode()), "Return-Path")
        check(b"Received: from exmail.qq.com " in found, "the trace")


@case
def back_and_stat_counts_one():
    with Pair() as (one, two):
        two.send(ONE, content=letter(TWO, ONE), sender=TWO)
        found = arrives(one, ONE)
        equal(one.pop(ONE).say("STAT", "+OK").split()[1:3], ["1", str(len(found))], "STAT")


@case
def both_ways_many():
    with Pair() as (one, two):
        for number in range(50):
            one.send(TWO, content=b"%d\r\n" % number, sender=ONE)
            two.send(ONE, content=b"%d\r\n" % number, sender=TWO)
        for server, user in ((one, ONE), (two, TWO)):
            found = server.wait_mail(user, 50)
            numbers = {int(message.split(b"\r\n")[-2]) for message in found}
            equal(numbers, set(range(50)), f"messages for {user}")
            check(all(content_of(message) for message in found), "trace fields")


@case
def within_a_domain():
    with Pair() as (one, _two):
        one.send(ONE, content=letter(ONE, ONE), sender=ONE)
        arrives(one, ONE)
        wire = one.pop(ONE)
        found = wire.retr(1)
        check(f"\r\nFrom: {ONE}\r\n".encode() in found and b"\r\nSubject: hello\r\n" in found,
              "From and Subject")
        for command in ("DELE 1", "RSET", "NOOP", "QUIT"):
            wire.say(command, "+OK")


@case
def to_nobody_there():
    with Pair() as (one, two):
        one.send("nobody@gmail.com", content=letter(ONE, TWO), sender=ONE)
        fields = Report(arrives(one, ONE)).expect("nobody@gmail.com", "failed", "5.1.1")
        equal(fields["Remote-MTA"], "dns; gmail.com", "Remote-MTA")
        equal(len(one.pop(ONE).listing("LIST")), 1, "LIST")
        one.wait_empty()
        until(lambda: not two.waiting(), "nothing waits there")


@case
def as_nobody_here():
    with Pair() as (one, two):
        wire = one.smtp()
        wire.say("MAIL FROM:<nobody@mail.sustech.edu.cn>", "553 5.1.0 ")
        wire.say("QUIT", "221")
        equal(two.messages(TWO), [], "messages")


if __name__ == "__main__":
    main(side_by_side=4)
