"""lab - godwit lab from outside: what it says is there, is there; and it leaves nothing behind.

The lab chooses its ports itself, so labs of several suites run side by side.
"""

import base64
import json
import os
import select
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import time

from harness import TIMEOUT, TROUBLE, add_case, case, check, equal, godwit, main, need, until
from lab_world import Lab
from wire import Smtp

MX, A, SOA, PTR, SRV, TXT = 15, 1, 6, 12, 33, 16
NOERROR, NXDOMAIN = 0, 3


@case
def two_domains_in_the_dns():
    with Lab() as lab:
        equal(sorted(lab.homes), ["a.test", "b.test"], "domains")
        lab.check_answers([
            ("a.test", MX, NOERROR, 1), ("b.test", MX, NOERROR, 1), ("mx.b.test", A, NOERROR, 1),
            ("a.test", TXT, NOERROR, 1), ("a.test", SOA, NOERROR, 1), ("a.test", A, NOERROR, 0),
            ("_pop3._tcp.a.test", SRV, NOERROR, 1), ("_imap._tcp.a.test", SRV, NOERROR, 1),
            ("2.0.0.127.in-addr.arpa", PTR, NOERROR, 1), ("nobody.test", MX, NXDOMAIN, 0),
            ("x.a.test", A, NXDOMAIN, 0), ("com", MX, NXDOMAIN, 0),
        ])
        home = lab.homes["b.test"]
        check(socket.inet_aton(home["address"]) in lab.ask("mx.b.test", A)[2], "the address of b")


@case
def dig_is_content():
    dig = need("dig")
    with Lab() as lab:
        address, port = lab.book["dns"].split(":")
        for words, wanted in (
                (["b.test", "MX"], "10 mx.b.test."), (["+tcp", "b.test", "MX"], "10 mx.b.test."),
                (["-x", "127.0.0.3"], "mx.b.test."), (["+noedns", "mx.a.test", "A"], "127.0.0.2"),
                (["+dnssec", "_pop3._tcp.a.test", "SRV"], "mx.a.test.")):
            done = subprocess.run([dig, f"@{address}", "-p", port, *words], capture_output=True,
                                  text=True, timeout=TIMEOUT, check=False)
            equal(done.returncode, 0, f"dig {words}: {done.stdout}{done.stderr}")
            check(wanted in done.stdout and "WARNING" not in done.stdout, done.stdout)


@case
def users_log_in_and_have_mail():
    with Lab() as lab:
        equal(len(lab.passwords), 4, "users")
        for address in lab.passwords:
            lab.pop(address).say("QUIT", "+OK")
        lab.send("alice@a.test", "bob@a.test", "within")
        message = lab.message("bob@a.test")
        check(b"Subject: within" in message and b"From: <alice@a.test>" in message, message)


@case
def users_log_in_to_send():
    with Lab() as lab:
        home = lab.homes["a.test"]
        wire = Smtp(socket.create_connection((home["address"], home["ports"]["submission"]),
                                             TIMEOUT))
        lab.wires.append(wire)
        wire.expect(wire.reply(), "220")
        wire.say("EHLO c", "250")
        wire.say("MAIL FROM:<alice@a.test>", "530")
        words = f"\0alice@a.test\0{lab.passwords['alice@a.test']}".encode()
        wire.say("AUTH PLAIN " + base64.b64encode(words).decode(), "235")
        wire.envelope("alice@a.test", ["bob@b.test"])
        wire.expect(wire.data(b"Subject: x\r\n\r\nx\r\n"), "250")
        until(lambda: lab.count("bob@b.test") == 1, "the message")
        equal(lab.ask("_submission._tcp.a.test", SRV)[2].count(struct.pack(
            ">H", home["ports"]["submission"])), 1, "the port in the DNS")


@case
def tls_everywhere_and_between_servers():
    with Lab() as lab:
        home = lab.homes["a.test"]
        context = ssl.create_default_context(
            cafile=os.path.join(os.path.dirname(home["config"]), "certificate.pem"))
        for role in ("pop3s", "submissions"):
            bare = socket.create_connection((home["address"], home["ports"][role]), TIMEOUT)
            with context.wrap_socket(bare, server_hostname=home["host"]) as sock:
                check(sock.recv(100)[:3] in (b"+OK", b"220"), role)
            equal(lab.ask(f"_{role}._tcp.a.test", SRV)[2].count(struct.pack(
                ">H", home["ports"][role])), 1, "the port in the DNS")
        lab.send("alice@a.test", "bob@b.test")
        until(lambda: lab.count("bob@b.test") == 1, "the message")
        check(b"with ESMTPS id" in lab.message("bob@b.test"), "it was not encrypted")
        key = os.stat(os.path.join(os.path.dirname(home["config"]), "key.pem"))
        equal(key.st_mode & 0o777, 0o600, "the mode of the key")


@case
def who_is_not_there_may_not_send():
    with Lab() as lab:
        wire = lab.smtp(lab.homes["a.test"])
        wire.say("MAIL FROM:<nobody@a.test>", "55")
        wire.say("MAIL FROM:<alice@a.test>", "250")
        wire.say("RCPT TO:<nobody@a.test>", "550")
        equal(lab.count("bob@a.test"), 0, "messages of bob")


@case
def names_that_look_real():
    with Lab("--domains", "gmail.com=gmail.com,exmail.qq.com=mail.sustech.edu.cn+sustech.edu.cn") \
            as lab:
        equal(sorted(lab.servers), ["exmail.qq.com", "gmail.com"], "servers")
        equal(lab.homes["mail.sustech.edu.cn"]["domains"], ["mail.sustech.edu.cn",
                                                            "sustech.edu.cn"], "domains")
        lab.check_answers([("mail.sustech.edu.cn", MX, NOERROR, 1), ("gmail.com", MX, NOERROR, 1),
                           ("gmail.com", A, NOERROR, 1), ("exmail.qq.com", A, NOERROR, 1),
                           ("qq.com", MX, NOERROR, 0), ("yahoo.com", MX, NXDOMAIN, 0)])
        lab.send("alice@mail.sustech.edu.cn", "bob@sustech.edu.cn")
        equal(lab.count("bob@sustech.edu.cn"), 1, "messages")


@case
def nothing_is_left_behind():
    with Lab() as lab:
        folder = lab.book["folder"]
        lab.send("alice@a.test", "bob@a.test")
        check(os.path.isdir(folder), folder)
        equal(lab.end(signal.SIGTERM), (0, ""), "the end")
        check(not os.path.exists(folder), f"{folder} is still there")


@case
def a_folder_of_ones_own_goes_on():
    folder = tempfile.mkdtemp(prefix="godwit-lab-test-")
    try:
        with Lab(folder, "--domains", "c.test") as lab:
            passwords = lab.passwords
            lab.send("alice@c.test", "bob@c.test")
        with open(os.path.join(folder, "lab.json"), encoding="utf-8") as file:
            equal(json.load(file), lab.book, "lab.json")
        with Lab(folder) as lab:
            equal(lab.passwords, passwords, "passwords")
            equal(lab.count("bob@c.test"), 1, "messages")
            listing = subprocess.run([godwit(), "mailbox", "list", "bob@c.test", "-c",
                                      lab.homes["c.test"]["config"]], capture_output=True,
                                     timeout=TIMEOUT, check=True)
            check(listing.stdout, "the listing is empty")
    finally:
        shutil.rmtree(folder)


@case
def what_waits_goes_on_after_a_restart():
    folder = tempfile.mkdtemp(prefix="godwit-lab-test-")
    try:
        with Lab(folder, "--faults", "b.test=dead") as lab:
            lab.send("alice@a.test", "bob@b.test")
            equal(lab.count("bob@b.test"), 0, "messages")
        with Lab(folder) as lab:
            until(lambda: lab.count("bob@b.test") == 1, "the message", 30)
    finally:
        shutil.rmtree(folder)


def run_shell(words):
    done = subprocess.run(["sh", "-ec", words], capture_output=True, text=True, timeout=TIMEOUT,
                          check=False)
    equal(done.returncode, 0, f"{words}: {done.stdout}{done.stderr}")
    return done.stdout


@case
def what_it_says_to_type_works():
    """The lines that a person would copy, but for those that do not end by themselves."""
    for program in ("swaks", "curl", "dig"):
        need(program)
    with subprocess.Popen([godwit(), "lab"], stdout=subprocess.PIPE, text=True) as process:
        try:
            words = "".join(iter(process.stdout.readline, "\n"))
            while "Ctrl-C" not in words:
                words += process.stdout.readline()
            lines = words.split("In another terminal:")[1].split("All of it is in")[0]
            send, rest = lines.split("  # read\n")
            read, rest = rest.split("  telnet")
            look, commands = rest.split("  # every word")
            run_shell(send)
            commands = commands.split("what is there\n")[1]
            until(lambda: len(run_shell(commands).splitlines()) == 3, "three messages")
            check("Subject: " in run_shell(read), "the message")
            check("mx.b.test." in run_shell(look[look.index("  dig"):]), "the mail host")
        finally:
            process.send_signal(signal.SIGINT)
        equal(process.wait(TIMEOUT), 0, "exit code")


@case
def a_folder_in_use_is_refused():
    folder = tempfile.mkdtemp(prefix="godwit-lab-test-")
    try:
        with Lab(folder) as lab:
            done = subprocess.run([godwit(), "lab", folder], capture_output=True, timeout=TIMEOUT,
                                  check=False)
            equal(done.returncode, 1, f"the second one, {done.stderr!r}")
            check(b"another lab" in done.stderr, done.stderr)
            with open(os.path.join(folder, "lab.json"), encoding="utf-8") as file:
                equal(json.load(file), lab.book, "lab.json")
            lab.send("alice@a.test", "bob@b.test")
            until(lambda: lab.count("bob@b.test") == 1, "the message")
    finally:
        shutil.rmtree(folder)


@case
def two_labs_at_once():
    with Lab() as one, Lab() as two:
        check(one.book["dns"] != two.book["dns"], "the same DNS")
        two.send("alice@a.test", "bob@a.test")
        equal(one.count("bob@a.test"), 0, "messages in the other lab")


FROM, TO = "alice@gmail.com", "bob@mail.sustech.edu.cn"
REAL = ("--domains", "gmail.com=gmail.com,exmail.qq.com=mail.sustech.edu.cn")


def walk(function):
    """A case of the walk between two servers, each from a fresh pair, both ways."""
    def run():
        for sender, recipient in ((FROM, TO), (TO.replace("bob", "alice"),
                                               FROM.replace("alice", "bob"))):
            with Lab(*REAL) as lab:
                function(lab, sender, recipient)
    add_case("walk-" + function.__name__.replace("_", "-"), run)
    return function


@walk
def login_and_quit(lab, sender, recipient):
    for address in (sender, recipient):
        lab.pop(address).say("QUIT", "+OK")


@walk
def across_and_list_shows_one(lab, sender, recipient):
    lab.send(sender, recipient)
    until(lambda: lab.count(recipient) == 1, "the message")
    wire = lab.pop(recipient)
    equal(len(wire.listing("LIST")), 1, "LIST")
    wire.say("QUIT", "+OK")
    message = lab.message(recipient)
    check(b"Subject: first flight" in message and sender.encode() in message, message)


@walk
def across_and_stat_counts_one(lab, sender, recipient):
    lab.send(sender, recipient)
    until(lambda: lab.count(recipient) == 1, "the message")
    octets = len(lab.message(recipient))
    equal(lab.pop(recipient).say("STAT"), f"+OK 1 {octets}", "STAT")


@walk
def within_a_domain(lab, sender, recipient):
    neighbour = sender.replace("alice", "bob")
    lab.send(sender, neighbour, "for a neighbour")
    message = lab.message(neighbour)
    check(b"Subject: for a neighbour" in message, message)
    check(b"From: <" + sender.encode() in message, message)
    wire = lab.pop(neighbour)
    for command in ("DELE 1", "RSET", "NOOP", "QUIT"):
        wire.say(command, "+OK")
    equal((lab.count(neighbour), lab.count(recipient)), (1, 0), "messages")


@walk
def to_nobody_elsewhere(lab, sender, recipient):
    lab.send(sender, recipient.replace("alice", "nobody").replace("bob", "nobody"))
    until(lambda: lab.count(sender) == 1, "the report")
    report = lab.message(sender)
    check(report.startswith(b"Return-Path: <>\r\n"), report)
    check(b"Action: failed" in report and b"Status: 5.1.1" in report, report)


@walk
def as_nobody(lab, sender, recipient):
    wire = lab.smtp(lab.home(sender))
    wire.say(f"MAIL FROM:<{sender.replace('alice', 'nobody')}>", "55")
    wire.say("QUIT", "221")
    equal(lab.count(recipient), 0, "messages")


# Faults that pass: mail arrives all the same, within the seconds that the retries take.
def add_retry_cases():
    for fault in ("busy:1", "defer:1", "cut:1", "greylist:1s", "slow:1s"):
        def run(fault=fault):
            with Lab("--faults", f"b.test={fault}") as lab:
                lab.send("alice@a.test", "bob@b.test")
                until(lambda: lab.count("bob@b.test") == 1, "the message", 30)
                equal(lab.count("alice@a.test"), 0, "reports")
        add_case(f"retry-{fault}", run)


add_retry_cases()


@case
def a_refusal_comes_back():
    with Lab("--faults", "b.test=refuse") as lab:
        lab.send("alice@a.test", "bob@b.test")
        until(lambda: lab.count("alice@a.test") == 1, "the report")
        check(b"550 5.7.1 mail from you is refused here" in lab.message("alice@a.test"), "why")


@case
def one_inbox_for_everybody():
    with Lab("--any", "--domains", "dev.test,b.test") as lab:
        host = lab.homes["dev.test"]
        wire = lab.smtp(host)
        wire.envelope("app@shop.example", ["customer@gmail.com", "x@dev.test", "y@[192.0.2.1]"])
        wire.expect(wire.data(b"Subject: your order\r\n\r\nx\r\n"), "250")
        wire.envelope("app@shop.example", ["bob@dev.test"])
        wire.expect(wire.data(b"Subject: for bob\r\n\r\nx\r\n"), "250")
        equal((lab.count("alice@dev.test"), lab.count("bob@dev.test")), (1, 1), "messages")
        check(b"your order" in lab.message("alice@dev.test"), "the message")
        wire = lab.smtp(lab.homes["b.test"])
        wire.say("MAIL FROM:<app@shop.example>", "250")
        wire.say("RCPT TO:<nobody@b.test>", "550")


# What a session with such a host comes to: the commands that are said, and the replies.
FAULTS = {
    "busy": [("", "421")],
    "refuse": [("", "220"), ("HELO c", "250"), ("MAIL FROM:<a@x.test>", "250"),
               ("RCPT TO:<bob@b.test>", "550"), ("QUIT", "221")],
    "defer": [("", "220"), ("EHLO c", "250"), ("MAIL FROM:<a@x.test>", "250"),
              ("RCPT TO:<bob@b.test>", "250"), ("DATA", "354"), ("x\r\n.", "451"), ("QUIT", "221")],
    "liar": [("", "220"), ("EHLO c", "250"), ("MAIL FROM:<a@x.test>", "250"),
             ("RCPT TO:<bob@b.test>", "250"), ("DATA", "354"), ("x\r\n.", "250"), ("QUIT", "221")],
    "cut": [("", "220"), ("EHLO c", "250"), ("MAIL FROM:<a@x.test>", "250"),
            ("RCPT TO:<bob@b.test>", "250"), ("DATA", "354"), ("x\r\n.", None)],
    "greylist:1h": [("", "220"), ("EHLO c", "250"), ("MAIL FROM:<a@x.test> SIZE=10", "250"),
                    ("RCPT TO:<bob@b.test>", "451 4.7.1"), ("DATA", "503"), ("QUIT", "221")],
    "greylist:0": [("", "220"), ("EHLO c", "250"), ("MAIL FROM:<a@x.test>", "250"),
                   ("RCPT TO:<bob@b.test>", "250"), ("BDAT 3\r\nx\r\nBDAT 0 LAST", "250"),
                   ("", "250"), ("MAIL FROM:<a@x.test>", "250"), ("RCPT TO:<bob@b.test>", "250"),
                   ("DATA", "354"), (".", "250"), ("QUIT", "221")],
}


def talk(lab, steps):
    """A session with the host that has the fault, where others call it."""
    home = lab.homes["b.test"]
    wire = Smtp(socket.create_connection((home["address"], home["ports"]["smtp"]), TIMEOUT))
    lab.wires.append(wire)
    for words, wanted in steps:
        if words:
            wire.send(words.encode() + b"\r\n")
        if wanted is None:
            check(wire.ended(), f"after {words!r} it goes on")
        else:
            wire.expect(wire.reply(), wanted)
    return wire


def add_fault_cases():
    for fault, steps in FAULTS.items():
        def run(fault=fault, steps=steps):
            with Lab("--faults", f"b.test={fault}") as lab:
                talk(lab, steps)
                passed = 2 if fault == "greylist:0" else 0
                equal(lab.count("bob@b.test"), passed, "messages")
                lab.send("alice@b.test", "bob@b.test")    # by the entrance all is well
                equal(lab.count("bob@b.test"), passed + 1, "messages")
        add_case(f"fault-{fault}", run)


add_fault_cases()


@case
def a_fault_for_some_sessions():
    with Lab("--faults", "mx.b.test=cut:1") as lab:
        talk(lab, FAULTS["cut"])
        talk(lab, FAULTS["liar"][:-2] + [("x\r\n.", "250 2.0.0 accepted as "), ("QUIT", "221")])
        equal(lab.count("bob@b.test"), 1, "messages")


@case
def commands_sent_ahead_pass_a_front_one_by_one():
    with Lab("--faults", "b.test=greylist:0") as lab:
        wire = talk(lab, [("", "220")])
        check("STARTTLS" not in wire.say("EHLO c", "250"), "a front cannot see through TLS")
        text = "x" * 70 + "\r\n"
        wire.send(("MAIL FROM:<a@x.test>\r\nRCPT TO:<bob@b.test>\r\nDATA\r\n" + text * 5000
                   + ".\r\nMAIL FROM:<>\r\nQUIT\r\n").encode())
        for wanted in ("250", "250", "354", "250 2.0.0", "250", "221"):
            wire.expect(wire.reply(), wanted)
        check(lab.message("bob@b.test").endswith((text * 5000).encode()), "the content")


@case
def a_chunk_that_is_refused_passes_a_front():
    with Lab("--faults", "b.test=greylist:0") as lab:
        wire = talk(lab, [("", "220"), ("EHLO c", "250")])
        wire.send(b"BDAT 5\r\nhello")
        wire.expect(wire.reply(), "503")
        for words, wanted in (("MAIL FROM:<a@x.test>", "250"), ("RSET", "250"), ("QUIT", "221")):
            wire.say(words, wanted)


@case
def a_silent_host_does_not_hold_up_the_end():
    with Lab("--faults", "b.test=silent") as lab:
        lab.send("alice@a.test", "bob@b.test")
        log = lab.homes["a.test"]["log"]
        until(lambda: "connected host=mx.b.test" in open(log, encoding="utf-8").read(), "the call")
        start = time.monotonic()
        equal(lab.end(), (0, ""), "the end")
        check(time.monotonic() - start < 10, "it took too long")


@case
def a_slow_host():
    with Lab("--faults", "b.test=slow:1s") as lab:
        start = time.monotonic()
        talk(lab, [("", "220"), ("NOOP", "250"), ("QUIT", "221")])
        check(time.monotonic() - start >= 2.9, "it is not slow")


@case
def a_dead_and_a_silent_host():
    with Lab("--faults", "b.test=dead,a.test=silent") as lab:
        try:
            talk(lab, [])
        except ConnectionRefusedError:
            pass
        else:
            raise AssertionError("the dead host listens")
        home = lab.homes["a.test"]
        sock = socket.create_connection((home["address"], home["ports"]["smtp"]), TIMEOUT)
        sock.sendall(b"EHLO c\r\n")
        equal(select.select([sock], [], [], 0.3)[0], [], "the silent host speaks")
        sock.close()


def run_script(text, *words):
    done = subprocess.run([godwit(), "lab", *words, "--script", "-"], input=text.encode(),
                          capture_output=True, timeout=120, check=False)
    told = done.stderr.decode()
    check(not TROUBLE.search(told), told)
    return done.returncode, done.stdout.decode(), told


@case
def scripts():
    script = """
# everything that there is
send alice@a.test bob@a.test hello there
wait 1 bob@a.test
expect bob@a.test 1 Subject: hello there
refused alice@a.test nobody@a.test
refused nobody@a.test bob@a.test
pop bob@a.test LIST
pop bob@a.test DELE 1
wait 0 bob@a.test 5
pause 0
"""
    code, said, told = run_script(script)
    equal((code, told), (0, ""), f"the script, {said}")
    check("ok wait 0 bob@a.test 5\n" in said and "\n+OK 1 messages\n1 " in said, said)
    for text, wanted, words in (
            ("wait 1 bob@a.test 0", 1, "line 1: wait 1 bob@a.test 0: not so, but +OK 0 0"),
            ("send alice@a.test nobody@a.test", 1, "550"),
            ("refused alice@a.test bob@a.test", 1, "not refused"),
            ("send alice@a.test bob@a.test\nexpect bob@a.test 1 xyz", 1, "not in the message"),
            ("pop bob@a.test RETR 1", 1, "-ERR"), ("\nfly", 2, "-:2: "), ("wait", 2, "write wait")):
        code, said, told = run_script(text)
        equal(code, wanted, f"{text!r}: {told}")
        check(words in told, f"{text!r}: {told}")


@case
def what_cannot_be_is_refused():
    for words, code in ((["--domains", "a..test"], 2), (["--domains", "a.test,a.test"], 2),
                        (["--domains", ""], 2), (["--domains", "x=a.test,x=b.test"], 2),
                        (["/"], 1), (["/nowhere/lab"], 1),
                        (["--faults", "c.test=dead"], 2), (["--faults", "a.test=ill"], 2),
                        (["--script", "/nowhere/script"], 2)):
        done = subprocess.run([godwit(), "lab", *words], capture_output=True, timeout=TIMEOUT,
                              check=False)
        equal((done.returncode, done.stdout), (code, b""), f"lab {words}, {done.stderr!r}")
        check(done.stderr.startswith(b"godwit: "), done.stderr)


if __name__ == "__main__":
    main()
