"""clients - real programs send, read and delete; octets are compared.

A program that is not installed is skipped by its name.
"""

import os
import poplib
import smtplib
import subprocess

from harness import Server, case, check, content_of, equal, main, need

BOB = "bob@example.test"
SENDER = "alice@elsewhere.test"
MESSAGE = (b"From: Alice <alice@elsewhere.test>\r\nTo: bob@example.test\r\n"
           b"Date: Sat, 21 Nov 2026 07:41:27 +0000\r\nMessage-ID: <1.2@elsewhere.test>\r\n"
           b"Subject: octets\r\nX-Mailer: by hand\r\nMIME-Version: 1.0\r\n"
           b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
           b".a dot first\r\n..two\r\n.\r\n\r\nFrom here on\r\n" + "Grüße, 世界\r\n".encode()
           + b"x" * 900 + b"\r\n.\r\n last\r\n")


def run(*command, text=b"", env=None):
    """Runs a client to its end; it must succeed."""
    done = subprocess.run(command, input=text, capture_output=True, timeout=60, check=False,
                          env=dict(os.environ, **env) if env else None)
    check(done.returncode == 0, f"{command[0]} ended with {done.returncode}: "
          f"{done.stdout[-400:]!r} {done.stderr[-600:]!r}")
    return done.stdout


class Mail:
    """A server with one user, and files in its folder for a client's use."""

    def __enter__(self):
        self.server = Server(users=[BOB]).__enter__()
        self.host, self.ports = self.server.address, self.server.ports
        return self

    def __exit__(self, *why):
        self.server.__exit__(*why)

    def file(self, name, content=b"", mode=0o600):
        path = os.path.join(self.server.folder, name)
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, mode)
        return path

    def check_arrived(self, content=MESSAGE):
        equal(content_of(self.server.only_message(BOB)), content, "content")

    def deliver_three(self):
        """Three different messages; returns what a client should find."""
        contents = [MESSAGE.replace(b"octets", b"octets %d" % n) for n in range(3)]
        for content in contents:
            self.server.deliver(content, SENDER)
        return contents

    def check_empty(self):
        equal(self.server.messages(BOB), [], "messages left")


def unix(content):
    return content.replace(b"\r\n", b"\n")


@case
def swaks_sends():
    program = need("swaks")
    with Mail() as mail:
        name = mail.file("message", unix(MESSAGE)[:-1])    # swaks ends the last line itself
        run(program, "--server", mail.host, "--port", str(mail.ports["smtp"]), "--from", SENDER,
            "--to", BOB, "--helo", "client.test", "--data", f"@{name}", "--suppress-data")
        mail.check_arrived()


@case
def swaks_sends_pipelined():
    program = need("swaks")
    with Mail() as mail:
        name = mail.file("message", unix(MESSAGE)[:-1])    # swaks ends the last line itself
        run(program, "--server", mail.host, "--port", str(mail.ports["smtp"]), "--from", SENDER,
            "--to", BOB, "--helo", "client.test", "--data", f"@{name}", "--pipeline")
        mail.check_arrived()


@case
def curl_sends():
    program = need("curl")
    with Mail() as mail:
        run(program, "-sS", f"smtp://{mail.host}:{mail.ports['smtp']}/client.test", "--mail-from",
            SENDER, "--mail-rcpt", BOB, "-T", mail.file("message", MESSAGE))
        mail.check_arrived()


@case
def curl_verifies():
    """curl -X VRFY: the name is really looked up for a trusted peer."""
    program = need("curl")
    with Mail() as mail:
        found = run(program, "-sS", f"smtp://{mail.host}:{mail.ports['smtp']}", "--mail-rcpt", BOB)
        check(BOB.encode() in found, f"VRFY gave {found!r}")


@case
def curl_reads_and_deletes():
    program = need("curl")
    with Mail() as mail:
        contents = mail.deliver_three()
        url = f"pop3://{mail.host}:{mail.ports['pop3']}"
        login = ("--user", f"{BOB}:secret")
        equal(len(run(program, "-sS", url, *login).splitlines()), 3, "lines of LIST")
        for number, content in enumerate(contents, 1):
            found = run(program, "-sS", f"{url}/{number}", *login)
            equal(content_of(found), content, f"message {number}")
            found = run(program, "-sS", url, *login, "-X", f"TOP {number} 0")
            check(found.startswith(b"Return-Path: "), f"TOP {number} gave {found!r}")
        for _ in contents:
            run(program, "-sS", f"{url}/1", *login, "-X", "DELE", "-I")
        mail.check_empty()


@case
def smtplib_sends():
    with Mail() as mail:
        with smtplib.SMTP(mail.host, mail.ports["smtp"], "client.test", timeout=30) as client:
            client.sendmail(SENDER, [BOB], MESSAGE, ["BODY=8BITMIME"])
            for word in ("pipelining", "size", "8bitmime", "smtputf8", "chunking",
                         "binarymime", "enhancedstatuscodes", "limits"):
                check(client.has_extn(word), f"EHLO has no {word}")
        mail.check_arrived()


@case
def smtplib_sends_to_many():
    """One refused recipient among many does not stop the others."""
    with Mail() as mail:
        users = [f"user{n}@example.test" for n in range(20)]
        for user in users[1:4]:
            mail.server.add_user(user)
        with smtplib.SMTP(mail.host, mail.ports["smtp"], "client.test", timeout=30) as client:
            refused = client.sendmail(SENDER, users + [BOB], MESSAGE)
        equal(sorted(refused), sorted(users[:1] + users[4:]), "refused")
        for user in users[1:4]:
            equal(content_of(mail.server.only_message(user)), MESSAGE, user)
        mail.check_arrived()


@case
def smtplib_sends_utf8_addresses():
    with Mail() as mail:
        mail.server.add_user("грета@example.test")
        with smtplib.SMTP(mail.host, mail.ports["smtp"], "client.test", timeout=30) as client:
            client.ehlo()
            client.command_encoding = "utf-8"
            client.sendmail("алиса@elsewhere.test", ["грета@example.test"], MESSAGE, ["SMTPUTF8"])
        found = mail.server.only_message("грета@example.test")
        equal(content_of(found), MESSAGE, "content")
        check(b"with UTF8SMTP" in found, "no UTF8SMTP in Received")


@case
def poplib_reads_and_deletes():
    with Mail() as mail:
        contents = mail.deliver_three()
        client = poplib.POP3(mail.host, mail.ports["pop3"], timeout=30)
        client.user(BOB)
        client.pass_("secret")
        count, octets = client.stat()
        equal(count, 3, "STAT")
        sizes = [int(line.split()[1]) for line in client.list()[1]]
        equal(sum(sizes), octets, "sum of LIST")
        for number, content in enumerate(contents, 1):
            found = b"".join(line + b"\r\n" for line in client.retr(number)[1])
            equal(content_of(found), content, f"message {number}")
            equal(len(found), sizes[number - 1], f"octets of {number}")
            client.dele(number)
        equal(len({line.split()[1] for line in client.uidl()[1]}), 0, "UIDL after DELE of all")
        check("TOP" in client.capa(), "CAPA has no TOP")
        client.quit()
        mail.check_empty()


@case
def msmtp_sends():
    program = need("msmtp")
    with Mail() as mail:
        run(program, "--file=/dev/null", f"--host={mail.host}", f"--port={mail.ports['smtp']}",
            "--domain=client.test", "--auth=off", "--tls=off", f"--from={SENDER}", BOB,
            text=unix(MESSAGE))
        mail.check_arrived()


@case
def mpop_reads_and_deletes():
    program = need("mpop")
    with Mail() as mail:
        contents = mail.deliver_three()
        box = os.path.join(mail.server.folder, "box")
        for folder in ("", "new", "cur", "tmp"):
            os.mkdir(os.path.join(box, folder))
        config = mail.file("mpoprc", f"""account x
host {mail.host}
port {mail.ports['pop3']}
user {BOB}
password secret
auth user
tls off
keep off
received_header off
delivery maildir {box}
uidls_file {mail.server.folder}/uidls
""".encode())
        run(program, "-C", config, "x")
        found = []
        for name in os.listdir(os.path.join(box, "new")):
            with open(os.path.join(box, "new", name), "rb") as file:
                found.append(content_of(file.read().replace(b"\n", b"\r\n")))
        equal(sorted(found), sorted(contents), "what mpop kept")
        mail.check_empty()


@case
def fetchmail_reads_and_deletes():
    program = need("fetchmail")
    with Mail() as mail:
        contents = mail.deliver_three()
        box = os.path.join(mail.server.folder, "box")
        keeper = mail.file("keep", f"#!/bin/sh\ncat >{box}.$$\n".encode(), 0o700)
        config = mail.file("fetchmailrc", f"""poll {mail.host} protocol POP3 service \
{mail.ports['pop3']} auth password no dns
  user "{BOB}" there with password "secret" is "root" here
  mda "{keeper}" fetchall no keep no rewrite sslproto ""
""".encode())
        run(program, "-f", config, "--invisible", "--nosyslog",
            env={"FETCHMAILHOME": mail.server.folder, "HOME": mail.server.folder})
        found = []
        for name in os.listdir(mail.server.folder):
            if name.startswith("box."):
                with open(os.path.join(mail.server.folder, name), "rb") as file:
                    found.append(content_of(file.read().replace(b"\n", b"\r\n")))
        equal(sorted(found), sorted(contents), "what fetchmail kept")
        mail.check_empty()


@case
def s_nail_sends():
    program = need("s-nail")
    with Mail() as mail:
        run(program, "-:/", "-Sv15-compat", f"-Smta=smtp://{mail.host}:{mail.ports['smtp']}",
            "-Ssmtp-auth=none", "-Shostname=client.test", f"-Sfrom={SENDER}",
            "-s", "octets", BOB, text="first line\n.dot\nGrüße\n".encode(),
            env={"LC_ALL": "C.UTF-8"})
        found = content_of(mail.server.only_message(BOB))
        check(b"\r\nSubject: octets\r\n" in b"\r\n" + found, f"no subject in {found!r}")
        check(found.endswith(b"\r\n\r\nfirst line\r\n.dot\r\n" + "Grüße\r\n".encode())
              or b"=C3=BC" in found, f"the text is {found!r}")


@case
def s_nail_reads_and_deletes():
    program = need("s-nail")
    with Mail() as mail:
        mail.deliver_three()
        if b"+pop3" not in run(program, "-:/", "-Xversion", "-Xxit", text=b"").lower():
            need("s-nail with POP3")
        user = BOB.replace("@", "%40")
        shown = run(program, "-:/", "-Sv15-compat", "-Snopop3-use-starttls", "-f",
                    f"pop3://{user}:secret@{mail.host}:{mail.ports['pop3']}",
                    text=b"headers\ntype 2\ndelete 1-3\nquit\n", env={"LC_ALL": "C.UTF-8"})
        check(b"octets 1" in shown, f"s-nail showed {shown[-600:]!r}")
        mail.check_empty()


if __name__ == "__main__":
    main()
