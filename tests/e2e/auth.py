"""auth - logging in from outside: AUTH in SMTP and POP3, who may then send as whom."""

import base64
import re
import ssl
import statistics
import time

import harness
from harness import case, check, content_of, equal
from locked import ALICE, BOB, MESSAGE, Doors, b64, plain
from logins import login, scram
from scram import Scram


# --- Offers ---


@case
def what_is_offered_where():
    """auth.cleartext decides in the clear; bound mechanisms need TLS."""
    clear = "AUTH SCRAM-SHA-256 PLAIN LOGIN"
    bound = "AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN"
    for setting, in_the_clear in (("never", None), ("loopback", clear), ("always", clear)):
        with Doors(auth=f'cleartext = "{setting}"') as server:
            for role in ("smtp", "submission"):
                wire = server.open(role, tls=False, hello=None)
                offers = wire.say("EHLO client.test", "250").split("\n")
                found = [line[4:] for line in offers if line[4:].startswith("AUTH")]
                equal(found, [in_the_clear] if in_the_clear else [], f"{role}, {setting}")
            for role in ("smtp", "submission", "submissions"):
                wire = server.open(role, hello=None)
                check(f"250-{bound}\n" in wire.say("EHLO client.test", "250"), f"{role}, TLS")
            wire = server.open("pop3", tls=False)
            sasl = [line for line in wire.listing("CAPA") if line.startswith("SASL")]
            equal(sasl, [clear.replace("AUTH", "SASL")] if in_the_clear else [], "CAPA")
            check(bound.replace("AUTH", "SASL") in server.open("pop3s").listing("CAPA"), "pop3s")


@case
def a_password_in_the_clear_is_refused():
    with Doors(auth='cleartext = "never"') as server:
        wire = server.open("smtp", tls=False)
        wire.say(f"AUTH PLAIN {plain(BOB, 'secret')}", "538 5.7.11")
        wire.say("AUTH LOGIN", "538 5.7.11")
        wire = server.open("submission", tls=False)
        wire.say("MAIL FROM:<bob@example.test>", "530 5.7.0")
        wire = server.open("pop3", tls=False)
        wire.say(f"AUTH PLAIN {plain(BOB, 'secret')}", "-ERR [AUTH]")
        wire.say(f"USER {BOB}", "-ERR [AUTH]")


# --- Mechanisms ---


@case
def s16_auth_login_word_for_word():
    with Doors() as server:
        for role in ("smtp", "submission"):
            for hello in ("EHLO client.test", "HELO client.test"):
                wire = server.open(role, tls=False, hello=hello)
                wire.say("auth login", "334 VXNlcm5hbWU6")
                wire.say("Ym9iQGV4YW1wbGUudGVzdA==", "334 UGFzc3dvcmQ6")
                wire.say("c2VjcmV0", "235 2.7.0")
                wire = server.open(role, tls=False, hello=hello)
                equal(login(wire, BOB, "wrong", "535"), login(wire, "nobody@example.test", "x",
                                                              "535"), "the words")


@case
def every_mechanism_in_smtp():
    with Doors() as server:
        for role in ("smtp", "submission", "submissions"):
            wire = server.open(role)
            login(wire, BOB, "wrong", "535 5.7.8")
            login(wire, BOB, "secret", "235 2.7.0")
            wire = server.open(role)
            wire.say(f"AUTH PLAIN {plain(BOB, 'wrong')}", "535 5.7.8")
            wire.say(f"AUTH PLAIN {plain(BOB, 'secret')}", "235 2.7.0")
            wire = server.open(role)
            wire.say("AUTH PLAIN", "334 ")
            wire.say(plain(BOB.upper(), "secret"), "235 2.7.0")
            wire = server.open(role)
            wire.say(f"AUTH LOGIN {b64(BOB)}", "334 UGFzc3dvcmQ6")
            wire.say(b64("secret"), "235 2.7.0")
            for initial in (True, False):
                wire = server.open(role)
                wire.expect(scram(wire, Scram(BOB, "wrong"), initial=initial), "535 5.7.8")
                wire.expect(scram(wire, Scram(BOB, "secret"), initial=initial), "235 2.7.0")


@case
def every_mechanism_in_pop3():
    with Doors() as server:
        server.deliver(MESSAGE)
        for role in ("pop3", "pop3s"):
            for log_in in (lambda w, p: w.say(f"AUTH PLAIN {plain(BOB, p)}"),
                           lambda w, p: (w.say("AUTH PLAIN", "+ "), w.say(plain(BOB, p)))[1],
                           lambda w, p: (w.say("AUTH LOGIN", "+ VXNlcm5hbWU6"),
                                         w.say(b64(BOB), "+ UGFzc3dvcmQ6"), w.say(b64(p)))[2],
                           lambda w, p: scram(w, Scram(BOB, p)),
                           lambda w, p: scram(w, Scram(BOB, p), initial=False)):
                wire = server.open(role)
                wire.expect(log_in(wire, "wrong"), "-ERR [AUTH] wrong user name or password")
                wire.expect(log_in(wire, "secret"), "+OK maildrop has 1 message")
                equal(content_of(wire.retr(1)), MESSAGE, "content")
                wire.say("QUIT", "+OK")


@case
def scram_bound_to_the_channel():
    with Doors() as server:
        for role in ("submission", "pop3s"):
            wire = server.open(role, maximum_version=ssl.TLSVersion.TLSv1_2)
            octets = wire.sock.get_channel_binding("tls-unique")
            right = (b"tls-unique", octets)
            wrong = (b"tls-unique", octets[::-1])
            refused = "535 5.7.8" if role == "submission" else "-ERR [AUTH]"
            accepted = "235 2.7.0" if role == "submission" else "+OK"
            plus = "SCRAM-SHA-256-PLUS"
            wire.expect(scram(wire, Scram(BOB, "secret", wrong), plus), refused)
            wire.expect(scram(wire, Scram(BOB, "secret", (b"tls-other", octets)), plus), refused)
            wire.expect(scram(wire, Scram(BOB, "wrong", right), plus), refused)
            # Whoever says that we cannot bind was told so by somebody in the middle.
            wire.expect(scram(wire, Scram(BOB, "secret", flag=b"y")), refused)
            wire.expect(scram(wire, Scram(BOB, "secret", right), plus), accepted)


@case
def scram_words_of_another_time():
    """What was overheard of an exchange opens nothing: the server's part of the nonce is new."""
    with Doors() as server:
        for role in ("submissions", "pop3s"):
            prompt, refused = ("+ ", "-ERR") if role == "pop3s" else ("334 ", "5")
            client = Scram(BOB, "secret")
            first = f"AUTH SCRAM-SHA-256 {b64(client.first())}"
            wire = server.open(role)
            said = wire.say(first, prompt)
            last = b64(client.last(base64.b64decode(said[len(prompt):])))
            wire.say(last, prompt)
            wire = server.open(role)
            again = wire.say(first, prompt)
            check(again != said, "the same challenge twice")
            wire.say(last, refused)
            wire = server.open(role)
            wire.say(first, prompt)
            changed = base64.b64decode(last).replace(b",r=", b",r=x")
            wire.say(b64(changed), refused)
            check(not re.search("-> (235|.OK maildrop)", server.log()), "it opened the door")


@case
def a_thousand_wrong_passwords():
    """They cost the server no memory, and in the end the right one is still right."""
    with Doors(abuse="errors = 0  logins = 0", auth="iterations = 4096") as server:
        wires = [server.open("submissions") for _ in range(4)]
        before = server.memory()
        for number in range(250):
            for wire in wires:
                wire.send(f"AUTH PLAIN {plain(BOB, f'wrong{number}')}\r\n".encode())
            for wire in wires:
                wire.expect(wire.reply(), "535 5.7.8")
        server.check_memory(before, 8)
        wires[0].say(f"AUTH PLAIN {plain(BOB, 'secret')}", "235")


@case
def names_and_whom_they_act_for():
    with Doors() as server:
        for said, wanted in ((plain("bob", "secret"), "235"),     # there is one domain
                             (plain("Bob@EXAMPLE.test", "secret"), "235"),
                             (plain(BOB, "secret", BOB), "235"),
                             (plain(BOB, "secret", "bob"), "235"),
                             (plain(BOB, "secret", ALICE), "535 5.7.8"),
                             (plain(ALICE, "wonder", BOB), "535 5.7.8"),
                             (plain("bob+x@example.test", "secret"), "535"),
                             (plain("bob@elsewhere.test", "secret"), "535"),
                             (plain("@", "secret"), "535"),
                             (b64("\0bob@example.test\0secret\0"), "501 5.5.2"),
                             (b64("\0bob\0sec\0ret"), "501 5.5.2"),
                             (b64("bob"), "501 5.5.2"),
                             ("=", "501 5.5.2")):
            for _ in range(2):                       # the second time from the cache
                wire = server.open("submissions")
                wire.say(f"AUTH PLAIN {said}", wanted)
        wire = server.open("submissions")
        wire.expect(scram(wire, Scram(BOB, "secret", acting_for=ALICE.encode())), "535")
        wire.expect(scram(wire, Scram(BOB, "secret", acting_for=BOB.encode())), "235")


@case
def a_password_that_changed():
    with Doors() as server:
        server.logged_in()
        server.run("user", "passwd", "--password-stdin", BOB, text="Schlüssel ä\n")
        wire = server.open("submission")
        wire.say(f"AUTH PLAIN {plain(BOB, 'secret')}", "535")
        wire.say(f"AUTH PLAIN {plain(BOB, 'Schlüssel ä')}", "235")
        wire = server.open("submission")
        wire.expect(scram(wire, Scram(BOB, "secret")), "535")
        wire.expect(scram(wire, Scram(BOB, "Schlüssel ä")), "235")
        server.run("user", "del", BOB)
        wire = server.open("submission")
        wire.say(f"AUTH PLAIN {plain(BOB, 'Schlüssel ä')}", "535")
        wire.expect(scram(wire, Scram(BOB, "Schlüssel ä")), "535")


# --- Codes, order, and bad input ---


@case
def codes_of_rfc_4954():
    with Doors(abuse="errors = 0  logins = 0") as server:
        wire = server.open("smtp", hello=None)
        wire.say("AUTH LOGIN", "503 5.5.1")                      # before EHLO
        wire.say("EHLO client.test", "250")
        wire.say("AUTH", "501 5.5.4")
        wire.say("AUTH CRAM-MD5", "504 5.5.4")
        wire.say("AUTH PLAIN !!!!", "501 5.5.2")
        wire.say("AUTH PLAIN AAA", "501 5.5.2")
        wire.say("AUTH LOGIN", "334")
        wire.say("*", "501 5.7.0")
        wire.say("AUTH SCRAM-SHA-256", "334 ")
        wire.say("*", "501 5.7.0")
        wire.say("NOOP", "250")
        wire.say("AUTH LOGIN", "334")
        wire.say("not base64", "501 5.5.2")
        wire.say("AUTH LOGIN", "334")
        wire.say("A" * 12300, "500 5.5.6")
        wire.say("AUTH SCRAM-SHA-256 " + b64("rubbish"), "501 5.5.2")
        wire.say("AUTH SCRAM-SHA-256 =", "501 5.5.2")
        wire.say("MAIL FROM:<a@b.test>", "250")
        wire.say("AUTH LOGIN", "503 5.5.1")                      # in a transaction
        wire.say("RSET", "250")
        login(wire, BOB, "secret", "235")
        wire.say("AUTH LOGIN", "503 5.5.1")                      # twice
        check("AUTH" not in wire.say("EHLO client.test", "250"), "AUTH after the login")
        wire.say(f"MAIL FROM:<{BOB}> AUTH=<>", "250")


@case
def too_many_failed_logins():
    with Doors(abuse="logins = 3") as server:
        wire = server.open("submissions")
        for _ in range(3):
            wire.say(f"AUTH PLAIN {plain(BOB, 'wrong')}", "535")
        wire.expect(wire.reply(), "421")
        check(wire.ended(), "the server did not close")
        wire = server.open("pop3s")
        for _ in range(3):
            wire.say(f"AUTH PLAIN {plain(BOB, 'wrong')}", "-ERR [AUTH]")
        check(wire.ended(), "the server did not close")


@case
def hang_ups_in_an_exchange():
    with Doors() as server:
        for lines in (b"AUTH LOGIN\r\n", b"AUTH LOGIN\r\nYm9i\r\n",
                      b"AUTH PLAIN " + plain(BOB, "x").encode() + b"\r\n",
                      b"AUTH SCRAM-SHA-256 " + b64(Scram(BOB, "x").first()).encode() + b"\r\n"):
            for role in ("submissions", "pop3s"):
                wire = server.open(role)
                wire.send(lines)
                wire.close()
        server.logged_in()


@case
def the_log_shows_no_secret():
    with Doors(log='protocol = "all"') as server:
        wire = server.open("submission")
        login(wire, BOB, "wrong-password", "535")
        wire.say(f"AUTH PLAIN {plain(BOB, 'secret')}", "235")
        wire.say("QUIT", "221")
        reader = server.open("pop3s")
        scram(reader, Scram(BOB, "secret"))
        reader.say("QUIT", "+OK")
        server.wait_log("login user=bob@example.test outcome=ok peer=127")
        server.wait_log('login user=bob@example.test outcome="wrong user or password"')
        server.wait_log("disconnect service=pop3s")
        log = server.log()
        for secret in ("secret", "wrong-password", b64("wrong-password"), plain(BOB, "secret"),
                       b64(BOB)):
            check(secret not in log, f"{secret} stands in the log")


@case
def unknown_users_cost_the_same():
    """Medians over interleaved rounds; what differs must be small beside the work itself."""
    if harness.is_sanitized():
        raise harness.Skip("a sanitizer's clock")
    with Doors(abuse="errors = 0  logins = 0") as server:
        wire = server.open("submissions")
        spans = {BOB: [], "nobody@example.test": []}
        for _ in range(15):
            for user, found in spans.items():
                begun = time.perf_counter()
                wire.say(f"AUTH PLAIN {plain(user, 'wrong')}", "535")
                found.append(time.perf_counter() - begun)
        known, unknown = (statistics.median(found) for found in spans.values())
        check(abs(known - unknown) < 0.4 * max(known, unknown),
              f"{known * 1000:.1f} ms known, {unknown * 1000:.1f} ms unknown")
        salts = []
        for _ in range(2):
            said = wire.say(f"AUTH SCRAM-SHA-256 {b64(Scram('nobody@example.test', 'x').first())}",
                            "334 ")
            salts.append(re.search(rb",s=[^,]*,i=\d+", base64.b64decode(said[4:]))[0])
            wire.say("*", "501")
        equal(salts[0], salts[1], "the salt of nobody")


# --- Who may send as whom ---


@case
def before_the_login():
    with Doors(relay="trusted = {}") as server:
        for role in ("submission", "submissions"):
            wire = server.open(role)
            wire.say(f"MAIL FROM:<{BOB}>", "530 5.7.0")
            wire.say("RCPT TO:<a@b.test>", "503")
            wire.say("VRFY bob", "252")


@case
def a_login_sends_as_itself():
    with Doors(relay="trusted = {}") as server:
        server.run("alias", "add", "sales@example.test", BOB)
        server.run("alias", "add", "team@example.test", BOB, ALICE)
        server.run("alias", "add", "others@example.test", ALICE)
        wire = server.logged_in()
        for sender, wanted in ((BOB, "250"), ("", "250"), ("Bob@Example.TEST", "250"),
                               ("bob+news@example.test", "250"), ("sales@example.test", "250"),
                               ("sales+x@example.test", "250"), ("team@example.test", "250"),
                               (ALICE, "553 5.7.1 bob@example.test may not send as alice@"),
                               ("others@example.test", "553 5.7.1"),
                               ("nobody@example.test", "553 5.7.1"),
                               ("bob@elsewhere.test", "553 5.7.1"),
                               ("bob", "5"), ("alice+bob@example.test", "553 5.7.1")):
            for _ in range(2):                       # the second time from the cache
                wire.say(f"MAIL FROM:<{sender}>", wanted)
                wire.say("RSET", "250")
        server.wait_log(r"refused what=sender address=alice@example.test code=553 .*may not send")


@case
def a_login_with_a_catch_all():
    with Doors(relay="trusted = {}") as server:
        with open(server.config, encoding="utf-8") as file:
            config = file.read()
        with open(server.config, "w", encoding="utf-8") as file:
            file.write(config.replace('domain "example.test" {}',
                                      f'domain "example.test" {{ catch_all = "{BOB}" }}'))
        server.run("reload")
        wire = server.logged_in()
        wire.say("MAIL FROM:<anything@example.test>", "553 5.7.1")


@case
def a_login_sends_anywhere():
    with Doors(relay="trusted = {}") as server:
        wire = server.open("smtp", tls=False)
        wire.say(f"MAIL FROM:<{BOB}>", "250")
        wire.say("RCPT TO:<far@elsewhere.test>", "550 5.7.1")
        wire.say("RSET", "250")
        wire.say(f"AUTH PLAIN {plain(BOB, 'secret')}", "235")
        wire.envelope(BOB, ["far@elsewhere.test", ALICE])
        wire.expect(wire.data(MESSAGE), "250")
        wire.say("VRFY alice@example.test", "250")
        found = server.messages(ALICE, "wonder")
        check(b"with ESMTPA id" in found[0], f"{found[0]!r}")
        wire = server.logged_in("submissions")
        wire.envelope(BOB, [ALICE])
        wire.expect(wire.data(b"Subject: bare\n\nline ends are mended"), "250")
        found = server.messages(ALICE, "wonder")
        check(b"with ESMTPSA id" in found[1], f"{found[1]!r}")
        check(found[1].endswith(b"\r\n\r\nline ends are mended\r\n"), f"{found[1]!r}")


@case
def who_logged_in_is_not_counted():
    """connections_per_peer is for strangers."""
    with Doors(limits="connections_per_peer = 2", relay="trusted = {}",
               auth='cleartext = "always"') as server:
        # Loopback is exempt in any case; what can be seen from here is that nothing breaks.
        wires = [server.logged_in("submissions") for _ in range(5)]
        for wire in wires:
            wire.say("QUIT", "221")
        server.logged_in("submissions")


if __name__ == "__main__":
    harness.main()
