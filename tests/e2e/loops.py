"""loops - two servers whose aliases lead to each other: mail dies out, with one report."""

from harness import Server, case, check, equal, main, until

CAROL = "carol@a.test"


def neighbours(**sections):
    """Two servers, a.test and b.test, each the next hop of the other."""
    a = Server(['domain "a.test" {}'], users=[CAROL], **sections)
    b = Server(['domain "b.test" {}'], users=["dave@b.test"], **sections)
    for server, other, domain in ((a, b, "b.test"), (b, a, "a.test")):
        server.sections["relay"] = (f'route "{domain}" {{ host = '
                                    f'"{other.address}:{other.ports["smtp"]}" }}')
        server.write_config()
    return a, b


def waiting(server, condition="1"):
    return server.index(f"SELECT address FROM recipient WHERE state = 0 AND {condition}")


def one_report(a, b, *about):
    """The sender has one report that names them all, and nothing is under way any more."""
    a.wait_mail(CAROL)
    until(lambda: not waiting(a) and not waiting(b), "the queues are empty")
    report = a.only_message(CAROL).decode()
    check("Status: 5.4.6" in report, report)
    for address in about:
        check(f"Final-Recipient: rfc822; {address}\r\n" in report, report)
    for server in (a, b):
        equal(server.log().count(" report id="), 1 if "report id=" in server.log() else 0,
              "reports in the log")


@case
def aliases_that_name_each_other():
    a, b = neighbours()
    with a, b:
        a.run("alias", "add", "x@a.test", "x@b.test")
        b.run("alias", "add", "x@b.test", "x@a.test")
        a.deliver(b"Subject: round\r\n\r\nx\r\n", sender=CAROL, to=["x@a.test"])
        one_report(a, b, "x@a.test")


@case
def beside_somebody_who_is_reached():
    """The mailbox of a list that is in a loop gets one copy."""
    a, b = neighbours()
    with a, b:
        a.run("alias", "add", "list@a.test", "x@b.test")
        b.run("alias", "add", "x@b.test", "list@a.test", "dave@b.test")
        a.deliver(b"Subject: round\r\n\r\nx\r\n", sender=CAROL, to=["list@a.test"])
        one_report(a, b, "list@a.test")
        b.only_message("dave@b.test")


@case
def two_loops_at_once_end_by_their_received_fields():
    """Sent together, neither says whose it was; what counts the hops ends them."""
    a, b = neighbours(limits="hops = 10")
    with a, b:
        for name in ("x", "y"):
            a.run("alias", "add", f"{name}@a.test", f"{name}@b.test")
            b.run("alias", "add", f"{name}@b.test", f"{name}@a.test")
        a.deliver(b"Subject: round\r\n\r\nx\r\n", sender=CAROL, to=["x@a.test", "y@a.test"])
        until(lambda: a.messages(CAROL), "a report")
        until(lambda: not waiting(a) and not waiting(b), "the queues are empty")
        check(len(a.messages(CAROL)) <= 2, "reports")


@case
def a_row_for_ourselves_that_has_been_here():
    """The queue brings it to our own door, where it is known: it ends, and is reported."""
    with Server(['domain "a.test" {}'], users=[CAROL],
                relay='smarthost = "127.0.0.1:9"') as server:
        content = b"Delivered-To: x@late.test\r\n\r\nx\r\n"
        server.deliver(content, sender=CAROL, to=["x@late.test"])
        until(lambda: waiting(server, "attempts = 1"), "it was tried once")
        server.domains.append("late.test")
        server.write_config()
        server.add_user("x@late.test")
        server.run("reload")
        server.run("queue", "retry", "all")
        until(lambda: not waiting(server), "the row is settled")
        report = server.only_message(CAROL).decode()
        check("554 5.4.6" in report, report)
        check("Final-Recipient: rfc822; x@late.test\r\n" in report, report)
        equal(server.messages("x@late.test"), [], "messages")


if __name__ == "__main__":
    main()
