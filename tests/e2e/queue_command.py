"""queue_command - godwit queue: what people see of mail on its way out, and what they do to it.

The next hop is a port that nobody listens on: recipients are tried in vain, and stay.
"""

import datetime
import json
import os
import re
import subprocess

from harness import TIMEOUT, Server, case, check, equal, main, until
from relay_world import ALICE, Net

BOB = "bob@example.test"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def post_office(**sections):
    return Server(users=(BOB,), relay='smarthost = "127.0.0.1:9"', **sections)


def send(server, rcpt, mail="", sender="a@elsewhere.test"):
    wire = server.smtp()
    wire.say(f"MAIL FROM:<{sender}>{mail}", "250")
    for words in rcpt:
        wire.say(f"RCPT TO:{words}", "250")
    reply = wire.data(b"Subject: x\r\n\r\nhello\r\n")
    wire.expect(reply, "250 2.0.0 accepted as ")
    return reply.split()[-1]


def queue(server, *words, code=0):
    """Exit code checked; what it printed, and what it complained of."""
    done = subprocess.run([server.program, "queue", *words, "-c", server.config], text=True,
                          cwd=server.folder, capture_output=True, timeout=TIMEOUT, check=False)
    equal(done.returncode, code, f"exit of queue {' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout, done.stderr


def listed(server, *words):
    said, _ = queue(server, "--json", *words)
    return [json.loads(line) for line in said.splitlines()]


def states(server, *words):
    return {(message["id"], recipient["address"]): recipient["state"]
            for message in listed(server, *words) for recipient in message["recipients"]}


@case
def an_empty_queue_says_nothing():
    with post_office() as server:
        for words in ([], ["list"], ["--json"]):
            equal(queue(server, *words), ("", ""), f"queue {words}")
        for words in (["all"], ["list", "all"], ["show", "all"], ["--json", "domain:b.test"],
                      ["hold", "all"], ["drop", "all"]):
            said, told = queue(server, *words, code=1)
            equal(said, "", "output")
            check("nothing in the queue" in told, told)
        server.end()
        equal(queue(server), ("", ""), "without a server")
        queue(server, "retry", "all", code=1)


@case
def nothing_is_made_where_no_data_is():
    server = Server(users=())
    try:
        equal(queue(server), ("", ""), "queue")
        queue(server, "drop", "all", code=1)
        check(not os.path.exists(os.path.join(server.folder, "data")), "a data folder was made")
    finally:
        server.remove()


@case
def json_lines_have_what_was_promised():
    with post_office() as server:
        one = send(server, ["<x@b.test>", "<y@b.test>", f"<{BOB}>", "<z@c.test>"])
        two = send(server, ["<x@b.test>"], sender="")
        for _ in range(2):
            queue(server, "hold", "domain:c.test")
            found = listed(server)
            keys = ["id", "sender", "size", "arrived", "expires", "state", "recipients"]
            equal([list(message) for message in found], [keys, keys], "keys")
            equal([(m["id"], m["sender"], m["state"]) for m in found],
                  [(one, "a@elsewhere.test", "waiting"), (two, "", "waiting")], "messages")
            equal([[r["address"] for r in m["recipients"]] for m in found],
                  [["x@b.test", "y@b.test", "z@c.test"], ["x@b.test"]], "recipients")
            for recipient in found[0]["recipients"]:
                equal(list(recipient), ["address", "state", "next", "attempts", "last"], "keys")
                held = recipient["address"] == "z@c.test"
                equal(recipient["state"], "held" if held else "waiting", "state")
                check(recipient["next"] is None if held else TIME.fullmatch(recipient["next"]),
                      f"next is {recipient['next']}")
                check(isinstance(recipient["attempts"], int), "attempts")
            times = [datetime.datetime.fromisoformat(found[0][key].replace("Z", "+00:00"))
                     for key in ("arrived", "expires")]
            equal(times[1] - times[0], datetime.timedelta(days=5), "life")
            if server.process:
                server.end()


@case
def json_lines_move_no_terminal():
    """Nor does U+009B, which some terminals take for an escape: all of it is ASCII."""
    with post_office() as server:
        wire = server.smtp()
        wire.say("EHLO x", "250")
        wire.say("MAIL FROM:<a@elsewhere.test> SMTPUTF8", "250")
        wire.say("RCPT TO:<gr\u00fc\u00df@b.test>", "250")
        wire.data(b"Subject: x\r\n\r\nhello\r\n")
        said, _ = queue(server, "--json")
        check(said.isascii() and r"gr\u00FC\u00DF@b.test" in said, said)
        equal(json.loads(said)["recipients"][0]["address"], "gr\u00fc\u00df@b.test", "address")


@case
def selectors_join():
    with post_office() as server:
        one = send(server, ["<x@b.test>", "<y@b.test>", "<z@c.test>"])
        two = send(server, ["<x@b.test>"], sender="")
        everything = {(one, "x@b.test"), (one, "y@b.test"), (one, "z@c.test"), (two, "x@b.test")}
        for words, wanted in [
                (["all"], everything),
                ([one], {row for row in everything if row[0] == one}),
                ([one, two], everything),
                (["domain:B.test"], everything - {(one, "z@c.test")}),
                (["domain:b.test", "domain:c.test", one], everything - {(two, "x@b.test")}),
                (["to:x@b.test", "from:<>"], {(two, "x@b.test")}),
                (["from:a@elsewhere.test", "domain:c.test", "older:0"], {(one, "z@c.test")})]:
            equal(set(states(server, *words)), wanted, f"queue {words}")
        queue(server, "--json", "older:1h", code=1)
        for words in (["hodl", "all"], ["list", "domain:"], ["drop", "older:soon"], ["hold"],
                      ["show"], ["retry", "from:x"]):
            said, told = queue(server, *words, code=2)
            equal(said, "", "output")
            check(told.startswith("godwit: "), told)


def steer_all(server, one, two):
    queue(server, "hold", one)
    equal(set(states(server, one).values()), {"held"}, "held")
    equal(set(states(server, two).values()), {"waiting"}, "the other message")
    check("left alone: 2, held" in queue(server, "retry", "all")[0], "retry leaves held ones alone")
    check(queue(server, "hold", one)[0].startswith("0 recipients held"), "hold twice")
    queue(server, "release", "to:x@b.test", one)
    equal(states(server, one), {(one, "x@b.test"): "waiting", (one, "y@c.test"): "held"}, "some")
    queue(server, "drop", "domain:c.test")
    equal(set(states(server)), {(one, "x@b.test"), (two, "x@b.test")}, "what is left")
    queue(server, "release", "all")


@case
def a_person_steers_a_running_server():
    with post_office() as server:
        one = send(server, ["<x@b.test>", "<y@c.test>"])
        steer_all(server, one, send(server, ["<x@b.test>"], sender=""))
        until(lambda: re.search(f'dropped id={one} from=a@elsewhere.test to=y@c.test '
                                'rule="godwit queue drop"', server.log()), "the log says so")
        queue(server, "drop", "all")
        equal(queue(server), ("", ""), "the queue")
        server.restart(kill=True)
        equal(queue(server), ("", ""), "the queue after a crash")


@case
def a_person_steers_a_store_without_a_server():
    with post_office(log='file = "steer.log"') as server:
        one = send(server, ["<x@b.test>", "<y@c.test>"])
        two = send(server, ["<x@b.test>"], sender="")
        server.end()
        steer_all(server, one, two)
        with open(os.path.join(server.folder, "steer.log"), encoding="utf-8") as file:
            check(f"dropped id={one} from=a@elsewhere.test to=y@c.test" in file.read(), "log")
        server.start()
        equal(len(states(server)), 2, "what is left")


@case
def a_listing_is_for_people():
    with post_office() as server:
        one = send(server, ["<x@b.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;q+2B1@b.test",
                            "<y@b.test>", "<z@c.test>"], " RET=HDRS ENVID=QQ")
        send(server, ["<x@b.test>"], sender="")
        queue(server, "hold", "domain:c.test")
        said = queue(server)[0]
        check(re.search(r"^b\.test: 3 recipients", said, re.M), said)
        check(re.search(r"^c\.test: 1 recipient, all held$", said, re.M), said)
        check(re.search(rf"^    {one}  \d+B  {TIME.pattern}  a@elsewhere\.test$", said, re.M), said)
        check(re.search(rf"^    \w+  \d+B  {TIME.pattern}  <>$", said, re.M), said)
        check(re.search(r"^2 messages, 4 recipients, \d+B, 1 held$", said, re.M), said)
        said = queue(server, "show", one)[0]
        for words in (rf"^message +{one}$", r"^from +a@elsewhere\.test$", r"^ENVID +QQ$",
                      r"^expires .*\(in 5d\)$", r"^to +x@b\.test$", r"^  NOTIFY +SUCCESS,DELAY$",
                      r"^  ORCPT +rfc822;q\+2B1@b\.test$", r"^to +z@c\.test\n  state +held\b"):
            check(re.search(words, said, re.M), f"no {words} in {said}")


@case
def many_recipients_in_many_messages():
    with post_office() as server:
        wire = server.smtp()
        for _ in range(3):
            wire.say("MAIL FROM:<a@elsewhere.test>", "250")
            for number in range(400):
                wire.say(f"RCPT TO:<u{number}@d{number % 7}.test>", "250")
            wire.expect(wire.data(b"x\r\n"), "250")
        check(queue(server, "hold", "all")[0].startswith("1200 recipients held"), "hold")
        check(queue(server, "drop", "domain:d3.test")[0].startswith("171 recipients"), "drop")
        equal(len(states(server)), 1200 - 171, "what is left")


def tried(server, attempts=1):
    """Waits until all that waits has been tried so often."""
    until(lambda: all(recipient["attempts"] == attempts for message in listed(server)
                      for recipient in message["recipients"]), f"{attempts} attempts")


@case
def the_reason_stands_in_the_listing():
    with Net() as net:
        net.domain("b.test", RCPT="450-4.2.0 come back\n450 4.2.0 \x1b[1mlater")
        server = net.server(relay=net.relay(retry="1h"))
        one = server.send("x@b.test", "y@b.test")
        tried(server)
        said = queue(server)[0]
        check(re.search(r"^b\.test: 2 recipients, next at .*m\)$", said, re.M), said)
        check(re.search(r"^  \S.* said: 450.4\.2\.0 come back / 450 4\.2\.0 .*later \(in reply",
                        said, re.M), said)
        check("\x1b" not in said, "a peer's words reach the terminal as they are")
        equal(said.count(one), 1, "times that the message is listed")
        last = queue(server, "show", "to:x@b.test")[0].split("  last ", 1)[1]
        equal(len(last.strip().splitlines()), 2, "lines of the reply")
        check("come back" in listed(server)[0]["recipients"][0]["last"], "JSON has it too")


@case
def retry_is_now():
    with Net() as net:
        host = net.domain("b.test", RCPT=["450 4.2.0 later", None])
        server = net.server(relay=net.relay(retry="1h"))
        server.send("x@b.test")
        tried(server)
        queue(server, "retry", "domain:b.test")
        equal(host.only().recipients, ["x@b.test"], "recipients")
        server.wait_empty()


@case
def its_time_comes_without_anybody():
    with Net() as net:
        host = net.domain("b.test", RCPT=["450 4.2.0 later", "450 4.2.0 later", None])
        server = net.server(relay=net.relay(retry="1s"))
        server.send("x@b.test")
        equal(host.only().recipients, ["x@b.test"], "recipients")
        server.wait_empty()


@case
def what_is_held_is_not_sent():
    with Net() as net:
        host = net.domain("b.test", RCPT=["450 4.2.0 later", "450 4.2.0 later", None])
        server = net.server(relay=net.relay(retry="1h"))
        server.send("x@b.test", "y@b.test")
        tried(server)
        queue(server, "hold", "to:x@b.test")
        queue(server, "retry", "all")
        equal(host.only().recipients, ["y@b.test"], "recipients")
        until(lambda: len(states(server)) == 1, "the other one waits")
        queue(server, "release", "all")
        queue(server, "retry", "all")
        equal(host.wait(2)[1].recipients, ["x@b.test"], "recipients")
        server.wait_empty()


@case
def a_host_that_is_down_is_listed():
    with Net() as net:
        address = net.nobody("mx.b.test")
        net.mx("b.test", (10, "mx.b.test"))
        server = net.server(relay=net.relay(retry="1h"))
        server.send("x@b.test")
        server.send("y@b.test")
        until(lambda: "\ndown: b.test, tried again " in queue(server)[0], "a host that is down")
        check("b.test: 2 recipients, waiting for b.test, which is down\n" in queue(server)[0],
              "the destination says so")
        host = net.peer(address=address)
        queue(server, "retry", "all")
        host.wait(2)
        server.wait_empty()


@case
def many_that_cannot_be_called_make_a_hint():
    with Net() as net:
        for domain in ("b.test", "c.test", "d.test"):
            net.nobody(f"mx.{domain}")
            net.mx(domain, (10, f"mx.{domain}"))
        server = net.server(relay=net.relay(retry="1h"))
        server.send("x@b.test", "x@c.test")
        until(lambda: queue(server)[0].count("cannot connect") >= 2, "two reasons")
        check("hint:" not in queue(server)[0], "two are no pattern")
        server.send("x@d.test")
        until(lambda: f"hint: no host of 3 domains could be called on port {net.port}" in
              queue(server)[0], "a hint")


@case
def what_is_dropped_while_it_is_tried_stays_so():
    with Net() as net:
        host = net.domain("b.test", RCPT="450 4.2.0 later")
        server = net.server(relay=net.relay(retry="1s"))
        for number in range(20):
            server.send(f"u{number}@b.test")
        host.wait_for("RCPT", 30)
        queue(server, "drop", "all")
        server.wait_empty()
        equal(server.messages(ALICE), [], "reports")


if __name__ == "__main__":
    main()
