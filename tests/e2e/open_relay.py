"""open_relay - no form of address lets a stranger send through us to others.

Every form is tried with every kind of sender, on a server that refuses unknown names and on one
that takes them all (catch_all).  What is accepted must be for a mailbox of ours, and nothing
may ever be in the queue.  Prints the forms with their answers.
"""

from harness import Server, case, check, equal, main

BOB = "bob@example.test"
OTHER = "victim@elsewhere.test"

# {us} is our address, {here} its literal.
FORMS = [
    # plainly elsewhere
    "<victim@elsewhere.test>", "<VICTIM@ELSEWHERE.TEST>", "<victim@elsewhere.test.>",
    "<victim@[192.0.2.1]>", "<victim@[IPv6:2001:db8::1]>", "<victim@192.0.2.1>",
    "victim@elsewhere.test", "<bob@sub.example.test>", "<bob@example.test.elsewhere.test>",
    "<bob@xexample.test>", "<bob@[127.0.0.2]>", "<bob@localhost>", "<bob@mx.example.test>",
    # the percent sign as a route
    "<victim%elsewhere.test@example.test>", "<victim%elsewhere.test@{here}>",
    "<victim%elsewhere.test@mx.example.test>", "<victim%elsewhere.test>",
    "<victim%elsewhere.test%other.test@example.test>", "<victim%elsewhere.test@localhost>",
    "<victim%[192.0.2.1]@example.test>", "<\"victim%elsewhere.test\"@example.test>",
    # bang path
    "<elsewhere.test!victim>", "<elsewhere.test!victim@example.test>",
    "<elsewhere.test!victim@{here}>", "<example.test!elsewhere.test!victim>",
    "<example.test!victim@elsewhere.test>", "<elsewhere.test!victim%other.test@example.test>",
    # source route
    "<@example.test:victim@elsewhere.test>", "<@{here}:victim@elsewhere.test>",
    "<@example.test,@other.test:victim@elsewhere.test>",
    "<@elsewhere.test:victim%other.test@example.test>",
    "<@elsewhere.test,@other.test:bob@example.test>",
    "<@example.test:elsewhere.test!victim>", "@example.test:victim@elsewhere.test",
    "<@:victim@elsewhere.test>", "<@example.test:victim@elsewhere.test@example.test>",
    # quoted local part
    "<\"victim@elsewhere.test\"@example.test>", "<\"victim@elsewhere.test\"@{here}>",
    "<\"victim@elsewhere.test\">", "\"victim@elsewhere.test\"", "<\"victim\"@elsewhere.test>",
    "<\"victim\\@elsewhere.test\"@example.test>", "<victim\\@elsewhere.test@example.test>",
    "<\"<victim@elsewhere.test>\"@example.test>", "<\"elsewhere.test!victim\"@example.test>",
    "<\"victim@elsewhere.test,bob\"@example.test>", "<\"\"@elsewhere.test>",
    "<\"@example.test:victim@elsewhere.test\"@example.test>",
    # several at signs, several addresses
    "<victim@elsewhere.test@example.test>", "<victim@elsewhere.test@{here}>",
    "<bob@example.test@elsewhere.test>", "<bob@example.test,victim@elsewhere.test>",
    "<bob@example.test> <victim@elsewhere.test>", "<bob@example.test><victim@elsewhere.test>",
    "<bob@example.test>,<victim@elsewhere.test>", "<bob@example.test:victim@elsewhere.test>",
    "<bob@example.test;victim@elsewhere.test>", "<bob@example.test victim@elsewhere.test>",
    # our literals
    "<victim@{here}>", "<victim@[127.0.0.1]>", "<victim@[::1]>", "<victim@[IPv6:::1]>",
    "<bob@{here}>", "<bob@[{us}.]>", "<bob@{us}>",
    # without a domain, null forms, odd ends
    "<victim>", "<victim@>", "<@elsewhere.test>", "<@>", "<>", "<\"\">", "<victim@.>",
    "<victim@elsewhere..test>", "<victim@.elsewhere.test>", "<victim@elsewhere.test..>",
    "<bob@example.test.>", "<bob@EXAMPLE.TEST>", "<bob@example..test>",
    "<postmaster@elsewhere.test>",
    "<postmaster>", "<abuse@elsewhere.test>", "<victim+x@elsewhere.test>",
    "<bob+victim=elsewhere.test@example.test>", "<bob+victim@elsewhere.test>",
    "<victim(bob@example.test)@elsewhere.test>", "<victim@elsewhere.test(@example.test)>",
    "<victim@elsewhere.test\x00@example.test>", "<victim@elsewhere.test\r@example.test>",
    # parameters that name somebody else
    "<victim@elsewhere.test> ORCPT=rfc822;bob@example.test",
    "<bob@example.test> ORCPT=rfc822;victim@elsewhere.test",
]
SENDERS = ["spammer@elsewhere.test", BOB, "", "postmaster@example.test", "bob@{here}", OTHER]


def queued(server):
    return server.index("SELECT address FROM recipient")


def ask(wire, form):
    wire.send(b"RCPT TO:" + form.encode("latin-1") + b"\r\n")
    return wire.reply()


def try_all(server, sender):
    """The answers to all forms, in one transaction; its message is sent if there is a recipient."""
    names = {"us": server.address, "here": f"[{server.address}]"}
    wire = server.smtp()
    wire.say(f"MAIL FROM:<{sender.format(**names)}>", "250")
    answers = []
    for form in FORMS:
        form = form.format(**names)
        answers.append((form, ask(wire, form)))
    if any(reply.startswith("250") for _, reply in answers):
        wire.expect(wire.data(b"Subject: relayed?\r\n\r\nx\r\n"), "250")
    wire.close()
    return answers


def ours(form, server, everybody):
    """Whether the form names a mailbox of ours."""
    path = form.split("> ")[0].strip("<>").rsplit(":", 1)[-1] if not form.startswith('<"') else form
    local, _, domain = path.strip("<>").rpartition("@")
    domain = domain.lower().rstrip(".")
    if path.lower() == "postmaster":
        return True
    if domain not in ("example.test", f"[{server.address}]"):
        return False
    return everybody or local == "bob" or local.startswith("bob+")


def check_forms(everybody, show):
    domain = 'domain "example.test" { plus_addressing = true %s}' % (
        f'catch_all = "{BOB}" ' if everybody else "")
    relay = 'trusted = {} smarthost = "127.0.0.1:9"'
    with Server([domain, 'domain "other.test" {}'], users=[BOB], relay=relay,
                abuse="errors = 0") as server:
        for sender in SENDERS:
            answers = try_all(server, sender)
            for form, reply in answers:
                if show and sender == SENDERS[0]:
                    print(f"#   RCPT TO:{form!r:60} {reply.splitlines()[0]}")
                check(reply[:3] in ("250", "550", "501", "500", "553", "555"), f"{form}: {reply}")
                if reply.startswith("250"):
                    check(ours(form, server, everybody), f"{sender}: {form}: {reply}")
            equal(queued(server), [], f"queue after {sender}")
        # 250s were for a mailbox of ours, one copy for each sender
        equal(len(server.messages(BOB)), len(SENDERS), "messages of the only user")


@case
def no_form_relays():
    check(len(FORMS) >= 20, "too few forms")
    check_forms(everybody=False, show=True)


@case
def no_form_relays_with_a_catch_all():
    check_forms(everybody=True, show=False)


@case
def no_form_relays_through_an_alias():
    """An alias leads where its owner said, and nowhere else."""
    relay = 'trusted = {} smarthost = "127.0.0.1:9"'
    with Server(users=[BOB], relay=relay) as server:
        server.run("alias", "add", "away@example.test", "friend@elsewhere.test")
        wire = server.smtp()
        wire.say("MAIL FROM:<spammer@elsewhere.test>", "250")
        for form, code in [("<away@example.test>", "250"), ("<away%victim@example.test>", "550"),
                           ("<\"away@victim\"@example.test>", "550"),
                           ("<away@elsewhere.test>", "550"),
                           ("<@victim.test:away@example.test>", "250")]:
            check(ask(wire, form).startswith(code), form)
        wire.expect(wire.data(b"x\r\n"), "250")
        equal(queued(server), [("friend@elsewhere.test",)], "queue")


if __name__ == "__main__":
    main()
