"""send - godwit send: mail for scripts, to any server, with the exit codes that scripts go by."""

import email
import email.policy
import os
import re

from harness import Server, case, check, content_of, equal, godwit, main, own_address
from scripted_peer import CUT, Peer
from user_home import UserHome

ANN, BOB = "ann@example.test", "bob@example.test"
MESSAGE = b"Subject: hello\nTo: %s\n\nText\n.dot\n" % BOB.encode()


class Home(UserHome):
    """A user's home, and his godwit send."""

    def write(self, name, octets):
        with open(self.path(name), "wb") as file:
            file.write(octets)
        return name

    def send(self, *words, port=None, code=0, said="", **how):
        """Runs it to its end; returns standard output and what was told.  `how`: text (of standard
        input), password, sender, auth; None for none of the last three."""
        sender, auth, password = (how.get(name, usual) for name, usual in
                                  (("sender", ANN), ("auth", "off"), ("password", "secret")))
        arguments = [godwit(), "send", *(["--from", sender] if sender else []), "--tls", "none",
                     *(["--auth", auth] if auth else []),
                     *(["--server", f"{own_address()}:{port}"] if port else []), *words]
        printed, told = self.run(arguments, code, password, how.get("text", b""))
        check(re.search(said, told), f"{told!r} without {said!r}")
        return printed.decode(), told


def read(octets):
    return email.message_from_bytes(octets, policy=email.policy.default)


# --- Composed ---

@case
def composed_from_options():
    picture = bytes(range(256)) * 40
    with Server(users=[ANN, BOB]) as server, Home() as home:
        home.write("Bild ü.png", picture)
        out, _ = home.send("--from", "Jürgen Müller <ann@example.test>", "--to", f"Bob <{BOB}>",
                           "--cc", ANN, "--subject", "Grüße", "--attach", "Bild ü.png",
                           text="Schöne Grüße\n.\nFrom me\n".encode(), sender=None,
                           port=server.ports["smtp"])
        message = server.only_message(BOB)
        check(out.strip() in message.decode("latin-1"), f"queue id {out!r}")
        found = read(content_of(message))
        equal(found["From"], "Jürgen Müller <ann@example.test>", "From")
        equal(found["Subject"], "Grüße", "Subject")
        equal(found["To"], f"Bob <{BOB}>", "To")
        check(found["Date"] and found["Message-ID"], "Date and Message-ID")
        text, attachment = found.iter_parts()
        equal(text.get_content().replace("\r\n", "\n"), "Schöne Grüße\n.\nFrom me\n", "text")
        equal(attachment.get_filename(), "Bild ü.png", "name")
        equal(attachment.get_content(), picture, "picture")
        equal(len(server.messages(ANN)), 1, "the copy")


@case
def the_same_in_html():
    """Another form of the text, beside files that are attached."""
    with Server(users=[ANN, BOB]) as server, Home() as home:
        home.write("html", "<p>Grüße</p>\n".encode())
        home.write("file", b"octets")
        home.send("--to", BOB, "--html-file", "html", "--attach", "file", "--subject", "both",
                  text="Grüße\n".encode(), port=server.ports["smtp"])
        found = read(content_of(server.only_message(BOB)))
        equal([part.get_content_type() for part in found.walk()],
              ["multipart/mixed", "multipart/alternative", "text/plain", "text/html",
               "application/octet-stream"], "the tree")
        equal([found.get_body((kind,)).get_content().strip() for kind in ("plain", "html")],
              ["Grüße", "<p>Grüße</p>"], "the forms")
        home.send("--to", BOB, "--html-file", "missing", code=66, said="missing: No such", port=1)
        home.send("-t", "--html-file", "html", code=2, said="compose a message", port=1)
        home.send("--to", BOB, "--html-file", home.write("b", b"\xff\n"), code=2, said="UTF-8",
                  port=1)


@case
def a_hidden_copy_is_hidden():
    with Server(users=[ANN, BOB]) as server, Home() as home:
        home.write("text", b"the text\n")
        home.send("--bcc", BOB, "--body-file", "text", "--subject", "", port=server.ports["smtp"])
        found = content_of(server.only_message(BOB))
        check(b"bcc" not in found.lower() and BOB.encode() not in found, f"{found}")
        check(b"the text\r\n" in found, f"{found}")


@case
def without_a_password_nobody_logs_in():
    with Server(users=[ANN, BOB], roles=("smtp", "submission", "pop3")) as server, Home() as home:
        home.send("--to", BOB, auth=None, password=None, text=b"hi\n", port=server.ports["smtp"])
        server.only_message(BOB)
        home.send("--to", BOB, auth=None, password=None, text=b"hi\n",
                  port=server.ports["submission"], code=1, said="530 5.7.0.*give a password")
        for half in (("--user", ANN), ("--auth", "PLAIN")):
            home.send("--to", BOB, *half, auth=None, password=None, text=b"hi\n", code=2,
                      port=server.ports["submission"], said="no terminal to ask")


@case
def a_password_on_the_command_line():
    with Server(users=[ANN, BOB], roles=("submission", "pop3")) as server, Home() as home:
        for word, code, said in (("secret", 0, ""), ("wrong", 77, "535 5.7.8")):
            home.send("--to", BOB, "-p", word, auth=None, password=None, text=b"hi\n", code=code,
                      said=said, port=server.ports["submission"])
        server.only_message(BOB)


@case
def with_a_login():
    with Server(users=[ANN, BOB], roles=("smtp", "submission", "pop3")) as server, Home() as home:
        for auth in (None, "PLAIN", "LOGIN", "SCRAM-SHA-256"):
            home.send("--to", BOB, "--subject", f"by {auth}", auth=auth,
                      port=server.ports["submission"], text=b"x\n")
        equal(len(server.messages(BOB)), 4, "messages")
        home.send("--to", BOB, auth=None, password="wrong", code=77, said="check the address and",
                  port=server.ports["submission"])
        home.send("--to", BOB, code=1, said="wants a login", port=server.ports["submission"])


@case
def over_tls():
    with Server(users=[ANN, BOB], roles=("smtp", "submission", "submissions", "pop3")) as server, \
            Home() as home:
        place = f"smtps://{server.address}:{server.ports['submissions']}"
        words = ["--to", BOB, "--server"]
        home.send(*words, place, "--tls", "encrypt", auth=None)
        home.send(*words, place, "--tls", "verify", auth=None, code=76, said="certificate")
        home.send(*words, place, "--tls", "verify", "--ca",
                  os.path.join(server.folder, "data", "certificate.pem"), auth=None, code=76,
                  said="127|name|certificate")
        _, told = home.send("--to", BOB, "--tls", "encrypt", "--trace", auth=None,
                            port=server.ports["submission"])
        check("C: STARTTLS" in told and "***" in told and "secret" not in told, told)
        equal(len(server.messages(BOB)), 2, "messages")


# --- Whole messages ---

@case
def a_whole_message():
    with Server(users=[ANN, BOB]) as server, Home() as home:
        home.send("-t", port=server.ports["smtp"],
                  text=MESSAGE.replace(b"To:", b"Bcc: ann@example.test\nTo:"))
        found = content_of(server.only_message(BOB))
        check(found.endswith(b"\r\n\r\nText\r\n.dot\r\n"), f"{found}")
        equal(read(found)["From"], ANN, "From")
        check(b"Bcc" not in found, f"{found}")
        equal(len(server.messages(ANN)), 1, "the hidden copy")


@case
def files_for_whom_is_said():
    with Server(users=[ANN, BOB]) as server, Home() as home:
        home.write("a", b"Subject: a\r\nTo: nobody@elsewhere.test\r\n\r\n\r\n")
        out, _ = home.send("--to", BOB, "a", port=server.ports["smtp"])
        check(re.fullmatch(r"[a-z0-9]+\n", out), out)
        equal(read(content_of(server.only_message(BOB)))["To"], "nobody@elsewhere.test", "To")


@case
def a_thousand_over_one_connection():
    with Peer(own_address(), 0) as peer, Home() as home:
        names = [home.write(f"m{i}", b"To: %s\nSubject: %d\n\n%d\n" % (BOB.encode(), i, i))
                 for i in range(1000)]
        out, _ = home.send("-t", *names, port=peer.port)
        equal(len(out.splitlines()), 1000, "queue ids")
        equal([line.split()[1] for line in out.splitlines()], names, "in their order")
        equal(len(peer.taken), 1000, "messages")
        equal(len(peer.sessions), 1, "connections")
        equal(peer.wrongs, [], "wrongs")


@case
def a_large_message():
    with Server(users=[ANN, BOB]) as server, Home() as home:
        body = b"".join(b"%07d %s\n" % (i, b"x" * 60) for i in range(200000))
        home.send("-t", port=server.ports["smtp"], text=MESSAGE + body)
        check(server.only_message(BOB).endswith((b".dot\n" + body).replace(b"\n", b"\r\n")),
              "the message has changed")


@case
def one_bad_file_does_not_stop_the_others():
    with Server(users=[ANN, BOB]) as server, Home() as home:
        home.write("a", MESSAGE)
        home.write("empty", b"")
        home.write("nobody", b"Subject: x\n\n")
        home.write("bad", b"To: <>, @@\n\n")
        home.write("z", MESSAGE)
        os.mkdir(home.path("folder"))
        out, told = home.send("-t", "missing", "a", "folder", "empty", "nobody", "bad", "z",
                              port=server.ports["smtp"], code=66)
        equal([line.split()[1] for line in out.splitlines()], ["a", "z"], "sent")
        for words in ("missing: No such file", "folder is a folder", "empty: empty",
                      "nobody: it names no recipient", "bad: its To has no good address"):
            check(words in told, f"{told} without {words}")
        equal(told.count("\n"), 5, f"lines of {told}")
        equal(len(server.messages(BOB)), 2, "messages")


# --- What servers say ---

@case
def refusals():
    with Server(users=[ANN, BOB], limits='message = "100K"') as server, Home() as home:
        port = server.ports["smtp"]
        out, told = home.send("--to", f"{BOB}, carol@example.test", "--subject", "half", code=67,
                              said="carol@example.test", port=port)
        check(re.fullmatch(r"[a-z0-9]+\n", out), f"the id of what was taken: {out!r}")
        equal(told.count("\n"), 1, f"lines of {told}")
        home.send("-t", port=port, code=65, text=MESSAGE + b"x" * 70 + b"\n" + b"x\n" * 100000,
                  said=".")
        equal(len(server.messages(BOB)), 1, "messages")


@case
def answers_of_all_kinds():
    for script, code, said in [
            ({"greeting": "554 go away"}, 1, "go away"),
            ({"greeting": "421 busy"}, 75, "busy"),
            ({"MAIL": "550 5.7.1 not you"}, 1, "not you"),
            ({"MAIL": "451 4.3.0 later"}, 75, "later"),
            ({"RCPT": "550 5.1.1 who"}, 67, "bob@example.test.*who"),
            ({"RCPT": "452 4.2.2 full"}, 75, "full"),
            ({"end": "554 5.6.0 no"}, 1, "no"),
            ({"end": "452 4.3.1 disk"}, 75, "disk"),
            ({"end": CUT}, 75, "sent again it may come twice"),
            ({"EHLO": CUT}, 75, "."),
            ({"DATA": "250 so be it"}, 76, "answered DATA with 250"),
            ({"RCPT": "550-5.1.1 who\n550 5.1.1 is that"}, 67, "550 5.1.1 who is that; check"),
            ({"greeting": "+OK POP3"}, 76, "is that a mail server"),
            ({"greeting": b"\xff\x1b[31m nonsense\r\n"}, 76, "is that a mail server")]:
        with Peer(own_address(), 0, **script) as peer, Home() as home:
            _, told = home.send("--to", BOB, port=peer.port, code=code, said=said)
            check("\x1b" not in told, f"{told!r}")
            equal(told.count("\n"), 1, f"lines of {told!r}")


@case
def logins_of_all_kinds():
    for script, code, said in [
            ({"AUTH": "235 2.7.0 in"}, 0, ""),
            ({"AUTH": "535 5.7.8 the password has expired"}, 77, "expired; check the address and"),
            ({"AUTH": "454 4.7.0 not now"}, 75, "not now; try again later"),
            ({"AUTH": "334 !"}, 76, "not base64"),
            ({"AUTH": CUT}, 75, "closed the connection; try again later"),
            ({"offers": ()}, 77, "no way to log in")]:
        with Peer(own_address(), 0, **{"offers": ("AUTH PLAIN",), **script}) as peer, \
                Home() as home:
            _, told = home.send("--to", BOB, port=peer.port, code=code, said=said, auth=None)
            equal(told.count("\n"), int(code > 0), f"lines of {told!r}")


@case
def tls_that_does_not_come_about():
    for script, said in [
            ({"offers": ()}, "the server does not offer it; --tls none does without"),
            ({"offers": ("STARTTLS",), "STARTTLS": "454 4.7.0 no entropy"},
             "refused to start it: 454 4.7.0 no entropy; --tls none"),
            ({"offers": ("STARTTLS",), "STARTTLS": "220 go\n250 injected"}, "handshake|behind")]:
        with Peer(own_address(), 0, **script) as peer, Home() as home:
            home.send("--to", BOB, "--tls", "encrypt", port=peer.port, code=76, said=said)


@case
def a_session_that_ends_between():
    with Peer(own_address(), 0, end=["250 ok"] * 3 + [CUT]) as peer, Home() as home:
        names = [home.write(f"m{i}", MESSAGE) for i in range(8)]
        out, told = home.send("-t", *names, port=peer.port, code=75)
        equal([line.split()[1] for line in out.splitlines()], names[:3], "sent")
        check("m3 was not sent" in told, told)


@case
def reports_are_asked_for():
    with Peer(own_address(), 0) as peer, Home() as home:
        home.send("--to", BOB, "--notify", "success,delay", "--ret", "hdrs", port=peer.port)
        said = "\n".join(peer.lines)
        check("NOTIFY=SUCCESS,DELAY" in said and "RET=HDRS" in said, said)


@case
def nobody_there():
    with Home() as home:
        home.send("--to", BOB, port=1, code=75, said="127")
        home.send("--to", BOB, "--server", "nowhere.invalid", "--dns", f"{own_address()}:1",
                  code=75, said="nowhere.invalid")


# --- The command line ---

@case
def usage():
    with Home() as home:
        home.write("m", MESSAGE)
        for words, said in [
                ([], "to whom"),
                (["m"], "-t for whom the message names"),
                (["-t", "m", "--subject", "x"], "compose a message"),
                (["--to", "a@b.test\r\nRCPT TO:<x@y.test>"], "a line end in an address"),
                (["--to", "<>"], "user@example.org"),
                (["--to", ","], "name nobody"),
                (["--cc", "undisclosed-recipients:;"], "name nobody"),
                (["--to", "a b c@d"], "user@example.org"),
                (["--from", "x\r\ny@z.test", "--to", BOB], "write user@example.org"),
                (["--from", "a@b.test, c@d.test", "--to", BOB], "write user@example.org"),
                (["--to", BOB, "--subject", "a\r\nBcc: x@y.test"], "subject|Subject"),
                (["--to", BOB, "--notify", "never,delay"], "success,failure,delay, or never"),
                (["--to", BOB, "--tls", "sure"], "one of"),
                (["--too", BOB], "nearest: --to")]:
            home.send(*words, code=2, said=said, port=1)
        home.send("--to", BOB, "--attach", "missing", code=66, said="missing: No such", port=1)
        home.send("--to", BOB, "--body-file", ".", code=66, said="is a folder", port=1)
        home.send("--to", BOB, "--body-file", home.write("b", b"\xff\xfe\n"), code=2, said="UTF-8",
                  port=1)
        home.send("--to", BOB, "--user", ANN, auth=None, password=None, code=2,
                  said="password", port=1)
        home.send("--to", BOB, "--server", "x y:1", code=2, said="--server: x y:1 is no server")
        home.send("-t", code=65, said="standard input: empty", port=1)
        home.send("--to", BOB, sender=None, code=2,
                  said="whose mail. Give --from ADDRESS: agent.conf")


if __name__ == "__main__":
    main()
