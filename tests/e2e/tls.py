"""tls - TLS from outside: STARTTLS, STLS, implicit; what is refused; certificates, renewed too."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time

import harness
from certificates import make, serial, trusting
from harness import Failure, Server, Skip, World, case, check, content_of, equal, need
from locked import BOB, MESSAGE, ROLES, Locked

V1_1, V1_2, V1_3 = (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


# --- The ways in ---


@case
def starttls_on_smtp():
    with Locked() as server:
        wire = server.smtp(None)
        check("STARTTLS" in wire.say("EHLO client.test", "250"), "EHLO has no STARTTLS")
        wire.say("STARTTLS", "220 2.0.0")
        wire.shake(server.trusting())
        offers = wire.say("EHLO client.test", "250")
        check("STARTTLS" not in offers, f"STARTTLS under TLS: {offers}")
        wire.envelope()
        wire.expect(wire.data(MESSAGE), "250")
        wire.say("QUIT", "221")
        check(wire.ended(), "the server did not close")
        found = server.only_message(BOB)
        equal(content_of(found), MESSAGE, "content")
        check(b"with ESMTPS id" in found, f"Received: {found!r}")
        server.wait_log(r"tls version=TLSv1.3 cipher=TLS_\w+ name=mx.example.test session=new")


@case
def stls_on_pop3():
    with Locked() as server:
        server.deliver(MESSAGE)
        wire = server.connect("pop3")
        wire.expect(wire.line(), "+OK")
        check("STLS" in wire.listing("CAPA"), "CAPA has no STLS")
        wire.say("STLS", "+OK")
        wire.shake(server.trusting())
        check("STLS" not in wire.listing("CAPA"), "CAPA has STLS under TLS")
        wire.say("STLS", "-ERR")
        wire.say(f"USER {BOB}", "+OK")
        wire.say("PASS secret", "+OK")
        equal(content_of(wire.retr(1)), MESSAGE, "content")
        wire.say("QUIT", "+OK")
        check(wire.ended(), "the server did not close")


@case
def pop3s_begins_with_tls():
    with Locked() as server:
        server.deliver(MESSAGE)
        wire = server.pop3s()
        wire.expect(wire.line(), "+OK")
        capabilities = wire.listing("CAPA")
        check("STLS" not in capabilities and "USER" in capabilities, f"CAPA: {capabilities}")
        wire.say(f"USER {BOB}", "+OK")
        wire.say("PASS secret", "+OK")
        equal(content_of(wire.retr(1)), MESSAGE, "content")
        wire.say("DELE 1", "+OK")
        wire.say("QUIT", "+OK")
        equal(server.messages(BOB), [], "what is left")


@case
def passwords_need_tls():
    """With cleartext = never, USER works only under TLS."""
    with Locked(auth='cleartext = "never"') as server:
        wire = server.connect("pop3")
        wire.expect(wire.line(), "+OK")
        check("USER" not in wire.listing("CAPA"), "CAPA has USER")
        wire.say(f"USER {BOB}", "-ERR [AUTH]")
        wire.say("STLS", "+OK")
        wire.shake(server.trusting())
        check("USER" in wire.listing("CAPA"), "CAPA has no USER under TLS")
        wire.say(f"USER {BOB}", "+OK")
        wire.say("PASS secret", "+OK")


@case
def a_large_message_both_ways():
    content = b"Subject: large\r\n\r\n" + b"0123456789abcdef" * 4 + b"\r\n"
    content += b"".join(b"%08d %s\r\n" % (n, b"x" * 60) for n in range(80000))
    with Locked() as server:
        wire = server.smtp_tls()
        wire.envelope()
        wire.expect(wire.data(content), "250")
        wire.say("QUIT", "221")
        reader = server.pop3s()
        reader.line()
        reader.say(f"USER {BOB}", "+OK")
        reader.say("PASS secret", "+OK")
        equal(content_of(reader.retr(1)), content, "content")


# --- Order, and what stands behind the command ---


@case
def starttls_has_its_place():
    with Locked() as server:
        wire = server.smtp(None)
        wire.say("STARTTLS", "503 5.5.1")
        wire.say("EHLO client.test", "250")
        wire.say("STARTTLS now", "501 5.5.4")
        wire.say("MAIL FROM:<a@b.test>", "250")
        wire.say("STARTTLS", "503 5.5.1")
        wire.say("RSET", "250")
        wire.say("STARTTLS", "220")
        wire.shake(server.trusting())
        wire.say("MAIL FROM:<a@b.test>", "503 5.5.1")    # EHLO is forgotten
        wire.say("EHLO client.test", "250")
        wire.say("STARTTLS", "503 5.5.1")
        wire.say("QUIT", "221")


@case
def commands_behind_starttls_are_thrown_away():
    with Locked() as server:
        wire = server.smtp()
        wire.send(b"STARTTLS\r\nEHLO evil.test\r\nMAIL FROM:<evil@evil.test>\r\n"
                  b"RCPT TO:<bob@example.test>\r\nDATA\r\nSubject: evil\r\n\r\n.\r\n")
        wire.expect(wire.reply(), "220")
        wire.shake(server.trusting())
        wire.say("NOOP", "250 2.0.0")                       # its own answer, the first one
        wire.say("MAIL FROM:<a@b.test>", "503 5.5.1")
        wire.say("EHLO client.test", "250")
        wire.say("RCPT TO:<bob@example.test>", "503")
        wire.say("QUIT", "221")
        server.wait_log(r"discarded .*\d+ octets came behind STARTTLS in the clear")
        check("evil" not in server.log(), "a command from the clear was obeyed")
        equal(server.messages(BOB), [], "messages")


@case
def commands_behind_stls_are_thrown_away():
    with Locked() as server:
        wire = server.connect("pop3")
        wire.expect(wire.line(), "+OK")
        wire.say(f"USER {BOB}", "+OK")
        wire.send(b"STLS\r\nUSER evil@example.test\r\nCAPA\r\n")
        wire.expect(wire.line(), "+OK")
        wire.shake(server.trusting())
        wire.say("NOOP", "-ERR log in first")
        wire.say("PASS secret", "-ERR say USER first")     # forgotten
        server.wait_log(r"discarded .*\d+ octets came behind STLS in the clear")
        wire.say("QUIT", "+OK")


@case
def words_in_the_clear_after_the_reply_end_it():
    with Locked() as server:
        wire = server.smtp()
        wire.say("STARTTLS", "220")
        wire.send(b"EHLO evil.test\r\n")
        wire.all_until_end()
        server.wait_log(r"tls-failed service=smtp .*not TLS")


# --- What is refused ---


@case
def old_versions_are_refused():
    with Locked() as server:
        context = server.trusting()
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = V1_1
        for connect in (lambda: server.smtp_tls(context=context), lambda: server.pop3s(context)):
            try:
                connect()
            except ssl.SSLError as error:
                check("PROTOCOL_VERSION" in str(error).upper(), f"the client was told {error}")
            else:
                raise Failure("TLS 1.1 was taken")
        server.wait_log(r"tls-failed service=smtp .*no shared protocol version")
        server.wait_log(r"tls-failed service=pop3s .*no shared protocol version")


@case
def weak_ciphers_are_refused():
    with Locked() as server:
        for cipher in ("AES256-SHA", "ECDHE-ECDSA-AES256-SHA", "AES128-GCM-SHA256"):
            context = server.trusting(maximum_version=V1_2)
            context.set_ciphers(cipher + ":@SECLEVEL=0")
            try:
                server.pop3s(context)
            except ssl.SSLError:
                continue
            raise Failure(f"{cipher} was taken")
        server.wait_log(r"tls-failed service=pop3s .*no shared cipher")


@case
def both_versions_are_taken():
    with Locked() as server:
        for version, name in ((V1_2, "TLSv1.2"), (V1_3, "TLSv1.3")):
            context = server.trusting(minimum_version=version, maximum_version=version)
            wire = server.smtp_tls(context=context)
            equal(wire.sock.version(), name, "version")
            wire.say("QUIT", "221")


@case
def renegotiation_is_refused():
    openssl = need("openssl")
    with Locked() as server:
        address = f"{server.address}:{server.ports['pop3s']}"
        with subprocess.Popen([openssl, "s_client", "-connect", address, "-tls1_2"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as client:
            server.wait_log(r"tls version=TLSv1.2")
            client.stdin.write(b"R\n")
            client.stdin.flush()
            said, _ = client.communicate(timeout=harness.TIMEOUT)
        check(b"no renegotiation" in said, f"s_client said {said[-300:]!r}")


@case
def what_is_no_handshake_is_told_in_plain_words():
    with Locked() as server:
        for octets, why in ((b"USER bob\r\n", "what the peer sends is not TLS"),
                            (b"GET / HTTP/1.1\r\n\r\n", "the peer speaks HTTP"),
                            (b"", "the peer hung up"),
                            (b"\x16\x03\x01\x00\x00", "handshake failed")):
            wire = server.connect("pop3s")
            wire.send(octets)
            wire.half_close()
            wire.all_until_end()
            server.wait_log(f"tls-failed service=pop3s .*{why}")
        wire = server.pop3s()
        wire.expect(wire.line(), "+OK")


@case
def a_peer_that_does_not_trust_us_is_logged():
    with Locked() as server:
        stranger = make(server.folder, "stranger")
        try:
            server.pop3s(trusting(stranger))
        except ssl.SSLError:
            pass
        server.wait_log(r"tls-failed .*|broken .*alert")


# --- Tickets ---


def taken(server, session, context):
    """Whether pop3s takes the session."""
    wire = server.pop3s(context, session)
    wire.expect(wire.line(), "+OK")
    wire.say("QUIT", "+OK")
    return wire.sock.session_reused


def tickets(version):
    def test():
        with Locked() as server:
            context = server.trusting(minimum_version=version, maximum_version=version)
            wire = server.pop3s(context)
            wire.expect(wire.line(), "+OK")
            check(taken(server, wire.sock.session, context), "a ticket was not taken")
            server.wait_log("session=resumed")
            mail = server.smtp_tls(context=context)
            mail.say("NOOP", "250")
            check(not taken(server, mail.sock.session, context), "pop3s took a ticket of smtp")
            session = wire.sock.session
            server.restart()
            check(not taken(server, session, context), "a ticket survived a restart")
    return test


harness.add_case("tickets-are-for-one-service-1.2", tickets(V1_2))
harness.add_case("tickets-are-for-one-service-1.3", tickets(V1_3))


@case
def a_ticket_survives_a_reload():
    with Locked() as server:
        context = server.trusting()
        wire = server.pop3s(context)
        wire.expect(wire.line(), "+OK")
        server.run("reload")
        check(taken(server, wire.sock.session, context), "the ticket was not taken")


# --- Certificates ---


@case
def a_certificate_for_each_name():
    hosts = 'host "mail.example.test" { certificate = "mail.pem" key = "mail.key" }'
    server = Locked(hosts=hosts)
    mail = make(server.folder, "mail", "mail.example.test",
                key=["-newkey", "rsa:2048"])
    with server:
        for name, wanted in (("mx.example.test", server.certificate), ("mail.example.test", mail),
                             ("MAIL.example.test", mail)):
            wire = server.connect("pop3s")
            wire.shake(trusting(wanted, check_hostname=False), name)
            equal(wire.sock.getpeercert()["serialNumber"], serial(wanted), f"for {name}")
        for name in ("other.example.test", None):
            wire = server.connect("pop3s")
            context = trusting(server.certificate, check_hostname=False)
            wire.shake(context, name)
            equal(wire.sock.getpeercert()["serialNumber"], serial(server.certificate),
                  f"for {name}")


@case
def only_a_host_has_a_certificate():
    server = Server(roles=ROLES, users=[BOB], tls='host "mail.example.test" '
                    '{ certificate = "mail.pem" key = "mail.key" }')
    mail = make(server.folder, "mail", "mail.example.test")
    with server:
        wire = server.connect("pop3s")
        wire.shake(trusting(mail), "mail.example.test")
        wire.expect(wire.line(), "+OK")
        wire = server.connect("pop3s")
        try:
            wire.shake(trusting(), "other.example.test")
        except ssl.SSLError as error:
            check("UNRECOGNIZED_NAME" in str(error), f"the client was told {error}")
        else:
            raise Failure("a handshake without a certificate")
        server.wait_log("no certificate for the name")
        check(re.search("^warn tls: only hosts", server.run("check"), re.MULTILINE), "check")


@case
def a_renewed_certificate_takes_effect_under_open_sessions():
    with Locked() as server:
        before = server.certificate
        first = serial(before)
        wire = server.smtp_tls()
        wire.say("MAIL FROM:<a@b.test>", "250")
        half = server.smtp()
        half.say("STARTTLS", "220")                        # its handshake comes after the reload
        shutil.copy(before, before + ".old")
        make(server.folder)
        check(serial(before) != first, "the same serial")
        server.run("reload")
        wire.say("RCPT TO:<bob@example.test>", "250")      # the old session goes on
        wire.expect(wire.data(MESSAGE), "250")
        fresh = server.pop3s()
        equal(fresh.sock.getpeercert()["serialNumber"], serial(before), "after the reload")
        half.shake(trusting(before + ".old"))              # begun before it
        half.say("EHLO client.test", "250")
        equal(len(server.messages(BOB)), 1, "messages")


@case
def a_bad_certificate_leaves_the_old_one():
    with Locked() as server:
        good = serial(server.certificate)
        os.rename(os.path.join(server.folder, "mx.key"), os.path.join(server.folder, "kept.key"))
        make(server.folder, "other")
        for change in (lambda: shutil.copy(os.path.join(server.folder, "other.key"),
                                           os.path.join(server.folder, "mx.key")),
                       lambda: open(os.path.join(server.folder, "mx.key"), "wb").close(),
                       lambda: os.unlink(os.path.join(server.folder, "mx.key"))):
            change()
            server.run("reload", code=78)
            wire = server.pop3s()
            equal(wire.sock.getpeercert()["serialNumber"], good, "after a failed reload")
        server.wait_log("reload-failed .*does not belong to")
        server.wait_log("reload-failed .*holds no private key")
        server.wait_log("reload-failed .*No such file")


@case
def a_start_with_a_bad_certificate_says_so():
    server = Server(roles=ROLES, tls='certificate = "mx.pem" key = "mx.key"')
    try:
        make(server.folder)
        make(server.folder, "other")
        shutil.copy(os.path.join(server.folder, "other.key"),
                    os.path.join(server.folder, "mx.key"))
        done = subprocess.run([server.program, "serve", "-c", server.config], check=False,
                              capture_output=True, timeout=harness.TIMEOUT)
        equal(done.returncode, 78, "exit")
        check(b"does not belong to" in done.stderr, f"{done.stderr!r}")
    finally:
        server.remove()


@case
def an_expired_certificate_is_used_and_told():
    server = Locked()
    make(server.folder, days=-2)
    with server:
        server.pop3s(trusting())
        server.wait_log("certificate-expired file=.*mx.pem .*until=20")
        make(server.folder, days=5)
        server.run("reload")
        server.wait_log("certificate file=.*mx.pem subject=.*mx.example.test.* serial=.* until=20")


def checked(words, wanted, code=0, **settings):
    """What godwit check says about a certificate made with these settings."""
    def test():
        world = World(roles=ROLES, tls='certificate = "mx.pem" key = "mx.key"')
        try:
            world.add_user(BOB)
            make(world.folder, **settings)
            if words == "mixed":
                make(world.folder, "other")
                shutil.copy(os.path.join(world.folder, "other.key"),
                            os.path.join(world.folder, "mx.key"))
            said = world.run("check", code=code)
            check(re.search(wanted, said, re.MULTILINE), f"{said!r}, without {wanted!r}")
        finally:
            world.remove()
    harness.add_case(f"check-tells-of-a-certificate-that-is-{words}", test)


checked("good", r"^ok tls: .*mx.pem: CN = mx.example.test, serial \w+, until 20\d\d-")
checked("old-soon", r"^warn tls: .*mx.pem expires in (9|10) days", days=10)
checked("expired", r"^error tls: .*mx.pem has expired at 20\d\d-", code=1, days=-2)
checked("for-another-name", r"^warn tls: .*mx.pem is not for the name mx.example.test",
        host="other.test")
checked("mixed", r"^error tls: the key .*mx.key does not belong to", code=78)
checked("weak", r"^error tls: .*mx.pem: its key is too short", code=78,
        key=["-newkey", "rsa:1024"])


@case
def root_brings_what_only_root_may_read():
    """The server is another user; the key belongs to root."""
    if os.geteuid() != 0:
        raise Skip("not root")
    server = Server(roles=ROLES, tls='certificate = "mx.pem" key = "mx.key"')
    make(server.folder)
    with open(server.config, encoding="utf-8") as file:
        config = file.read()
    with open(server.config, "w", encoding="utf-8") as file:
        file.write(config.replace('user = "root"', 'user = "nobody"'))
    os.chmod(server.folder, 0o755)
    os.chmod(os.path.join(server.folder, "mx.key"), 0o600)
    server.certificate = os.path.join(server.folder, "mx.pem")
    with server:
        wire = server.connect("pop3s")
        wire.shake(trusting(server.certificate))
        old = wire.sock.getpeercert()["serialNumber"]
        check("only root may read" in server.run("check"), "check")
        server.signal(1)                                   # without root's help nothing is lost
        server.wait_log("new configuration is in effect")
        check("mx.key stays as it was: the server may not read it" in server.log(), "no warning")
        make(server.folder)
        os.chmod(os.path.join(server.folder, "mx.key"), 0o600)
        server.run("reload")
        wire = server.connect("pop3s")
        wire.shake(trusting(server.certificate))
        check(wire.sock.getpeercert()["serialNumber"] != old, "the old certificate")


# --- Time and space ---


@case
def a_stop_does_not_wait_for_handshakes():
    with Locked() as server:
        server.connect("pop3s")
        half = server.smtp()
        half.say("STARTTLS", "220")
        begun = time.monotonic()
        server.end()
        check(time.monotonic() - begun < 10, "the stop waited")


@case
def idle_connections_are_small():
    count = 300
    with Locked(limits="connections_per_peer = 0") as server:
        context = server.trusting()
        for _ in range(20):
            server.pop3s(context).line()
        before = server.memory()
        for _ in range(count):
            server.pop3s(context).line()
        each = (server.memory() - before) / count
        print(f"# {each / 1024:.1f} KB for an idle TLS connection")
        check(each < 40 << 10 or harness.is_sanitized(), f"{each} octets each")


@case
def many_at_once():
    """Handshakes, half handshakes and hang-ups side by side."""
    with Locked(limits="connections_per_peer = 0") as server:
        context = trusting()
        troubles = []

        def client(number):
            try:
                for turn in range(10):
                    with socket.create_connection((server.address, server.ports["pop3s"]),
                                                  harness.TIMEOUT) as sock:
                        if (number + turn) % 4 == 0:
                            sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
                            continue
                        with context.wrap_socket(sock) as wrapped:
                            if not wrapped.recv(100).startswith(b"+OK"):
                                troubles.append("no greeting")
            except OSError as error:
                troubles.append(str(error))

        threads = [threading.Thread(target=client, args=(n,)) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        equal(troubles, [], "troubles")


if __name__ == "__main__":
    harness.main()
