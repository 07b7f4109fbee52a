"""dns - the resolver behind run/dns.h, asked through its probe, against a server on loopback."""

import os
import re
import subprocess
import tempfile

from dns_server import (NXDOMAIN, REFUSED, SERVFAIL, DnsServer, in_turn, pack_record, raw, say,
                        silent, wire_name)
from dns_signer import Signer, anchor
from harness import Skip, case, check, equal, main, own_address

OPEN_MAX = 512
RECORDS_MAX = 200
FRESH = re.compile(r"^(\S+ \S+) (?:5\d|60) ")    # some seconds may have passed


def probe(servers, *lines, security="off", anchors="-", timeout=50):
    """Asks; returns a dictionary from "NAME TYPE" to the rest of its line."""
    program = os.environ.get("DNS_PROBE", "build/debug/tests/e2e/dns_probe")
    if not os.access(program, os.X_OK):
        raise Skip(f"no program {program}")
    resolvers = [server if isinstance(server, str) else server.resolver for server in servers]
    done = subprocess.run([program, security, anchors, *resolvers], text=True, timeout=timeout,
                          input="".join(line + "\n" for line in lines), capture_output=True,
                          check=False)
    check(done.returncode == 0 and not done.stderr, f"exit {done.returncode}: {done.stderr}")
    answers = {}
    for line in done.stdout.splitlines():
        words = line.split(" ", 2)
        key = words[0] if words[0] == "validates" else " ".join(words[:2])
        check(key not in answers, f"two answers about {key}")
        rest = " ".join(words[1:] if key == "validates" else words[2:])
        answers[key] = FRESH.sub(r"\1 60 ", rest)
    return answers


def ask(server, *lines, **options):
    return probe([server], *lines, **options)


def expect(answers, wanted):
    for key, text in wanted.items():
        equal(answers.get(key), text, key)


def begins(answers, wanted):
    for key, text in wanted.items():
        check(answers.get(key, "").startswith(text), f"{key}: {answers.get(key)!r}, wanted {text}")


def server(*lines, **options):
    return DnsServer(own_address(), *lines, **options)


@case
def every_type():
    table = ["mail.example.net A 192.0.2.1", "mail.example.net AAAA 2001:db8::1",
             "example.net MX 10 Mail.Example.NET", "example.net TXT v=spf1 -all",
             "_pop3s._tcp.example.net SRV 1 2 995 mail.example.net",
             "_25._tcp.mail.example.net TLSA 3 1 1 00ff", "null.example.net MX 0 .",
             "1.2.0.192.in-addr.arpa PTR mail.example.net"]
    with server(*table) as dns:
        expect(ask(dns, "mail.example.net A", "mail.example.net AAAA", "example.net MX",
                   "example.net TXT", "_pop3s._tcp.example.net SRV", "null.example.net MX",
                   "_25._tcp.mail.example.net TLSA", "1.2.0.192.in-addr.arpa PTR"), {
            "mail.example.net A": "found insecure 60 - [192.0.2.1] ",
            "mail.example.net AAAA": "found insecure 60 - [2001:db8::1] ",
            "example.net MX": "found insecure 60 - [10 mail.example.net] ",
            "example.net TXT": f"found insecure 60 - [{b'v=spf1-all'.hex()}] ",
            "_pop3s._tcp.example.net SRV": "found insecure 60 - [1 2 995 mail.example.net] ",
            "null.example.net MX": "found insecure 60 - [0 ] ",
            "_25._tcp.mail.example.net TLSA": "found insecure 60 - [030101" "00ff] ",
            "1.2.0.192.in-addr.arpa PTR": "found insecure 60 - [mail.example.net] "})


@case
def names_that_the_library_has_zones_for():
    """They go to the resolver, all but localhost."""
    asked = ["test", "x.test", "home.arpa", "x.home.arpa", "x.invalid", "x.onion", "x.local",
             "x.internal", "1.0.0.10.in-addr.arpa", "1.0.16.172.in-addr.arpa",
             "1.0.31.172.in-addr.arpa", "1.0.168.192.in-addr.arpa", "5.0.0.127.in-addr.arpa",
             "0.in-addr.arpa", "1.0.64.100.in-addr.arpa", "1.0.254.169.in-addr.arpa",
             "1.2.0.192.in-addr.arpa", "1.100.51.198.in-addr.arpa", "1.113.0.203.in-addr.arpa",
             "255.255.255.255.in-addr.arpa", "1.d.f.ip6.arpa", "1.8.e.f.ip6.arpa",
             "1.b.e.f.ip6.arpa", "1.8.b.d.0.1.0.0.2.ip6.arpa", "0." * 32 + "ip6.arpa",
             "1." + "0." * 31 + "ip6.arpa"]
    for security in ("off", "require"):
        with server(*(f"{name} PTR found.{name}" for name in asked), signer=None) as dns:
            answers = ask(dns, *(f"{name} PTR" for name in asked), "localhost A",
                          security=security)
            if security == "off":
                expect(answers, {f"{name} PTR": f"found insecure 60 - [found.{name}] "
                                 for name in asked})
            for name in asked:
                check(dns.asked_about(name), f"{security}: {name} was not asked about")
            begins(answers, {"localhost A": "found insecure "})
            equal(dns.asked_about("localhost"), [], "queries for localhost")


@case
def absence():
    with server("here.example.net A 192.0.2.1") as dns:
        dns.behave("fails.example.net", say(SERVFAIL))
        dns.behave("refuses.example.net", say(REFUSED))
        dns.behave("bare.example.net", say(NXDOMAIN))
        begins(ask(dns, "here.example.net MX", "example.net A", "gone.example.net A",
                   "fails.example.net A", "refuses.example.net A"), {
            "here.example.net MX": "no-data insecure 60 - [] ",
            "example.net A": "no-data insecure 60 - [] ",
            "gone.example.net A": "no-name insecure 60 - [] ",
            "fails.example.net A": "trouble insecure 0 - [] no usable answer",
            "refuses.example.net A": "trouble insecure 0 - [] no usable answer"})


@case
def impossible_names():
    """Nobody is asked."""
    names = [".", "a..example.net", ".example.net", "x" * 64 + ".example.net",
             ".".join(["x" * 63] * 4), "a\\.b.example.net", "ä.example.net"]
    with server() as dns:
        expect(ask(dns, *(f"{name} A" for name in names)), {
            f"{name} A": "no-name insecure 0 - [] not a domain name" for name in names})
        equal(dns.asked, [], "queries")


@case
def aliases():
    with server("a.example.net CNAME b.example.net", "b.example.net CNAME C.example.net",
                "c.example.net A 192.0.2.3", "lost.example.net CNAME nobody.example.net",
                "bare.example.net CNAME c.example.net", "loop.example.net CNAME pool.example.net",
                "pool.example.net CNAME loop.example.net") as dns:
        begins(ask(dns, "a.example.net A", "lost.example.net A", "bare.example.net MX",
                   "loop.example.net A"), {
            "a.example.net A": "found insecure 60 c.example.net [192.0.2.3] ",
            "lost.example.net A": "no-name insecure 60 nobody.example.net [] ",
            "bare.example.net MX": "no-data insecure 60 c.example.net [] ",
            "loop.example.net A": "trouble insecure "})


@case
def large_answers():
    hosts = [f"{i} host{i:03}.example.net" for i in range(100)]
    many = [f"{i} host{i:03}.x.net" for i in range(RECORDS_MAX + 100)]
    long = " ".join(["x" * 255] * 200)
    with server(*(f"example.net MX {host}" for host in hosts), f"long.example.net TXT {long}",
                *(f"many.example.net MX {host}" for host in many)) as dns:
        answers = ask(dns, "example.net MX", "many.example.net MX", "long.example.net TXT")
        for name, wanted in (("example.net", hosts), ("many.example.net", None)):
            begins(answers, {f"{name} MX": "found insecure 60 - ["})
            text = answers[f"{name} MX"]
            found = sorted(text[text.index("[") + 1:text.index("]")].split("; "))
            if wanted:
                equal(found, sorted(wanted), "hosts")
            else:
                equal(len(found), RECORDS_MAX, "hosts")
                check(set(found) <= set(many), "hosts that nobody named")
            check((name, "MX", "tcp") in dns.asked, f"no TCP for {name}")
        expect(answers, {"long.example.net TXT":
                         f"found insecure 60 - [{'78' * 255 * 200}] "})


def answer_of(name, kind, data):
    return raw(lambda query: (1, pack_record(name, kind, data)))


@case
def nonsense():
    """Short, looped, overlong and lying answers are trouble, for nobody else."""
    mx, a, txt = 15, 1, 16
    ways = {
        "empty": lambda query: b"",
        "header": lambda query: query.id + b"\x81\x80",
        "counts": raw(lambda query: (1000, b"")),
        "cut": raw(lambda query: (1, pack_record("cut.test", mx, b"\0\x0a\2mx\0")[:-3])),
        "loop": raw(lambda query: (1, pack_record("", mx, b"\0\x0a\xc0\x26", owner=b"\xc0\x0c"))),
        "self": raw(lambda query: (1, pack_record("", mx, b"\0\x0a\2mx\0", owner=b"\xc0\x16"))),
        "beyond": raw(lambda query: (1, pack_record("", mx, b"\0\x0a\xff\xff",
                                                    owner=b"\xc0\x0c"))),
        "label": answer_of("label.test", mx, b"\0\x0a\x7fmx\0"),
        "short": answer_of("short.test", mx, b"\0"),
        "stranger": answer_of("other.test", mx, b"\0\x0a" + wire_name("mx.test")),
        "id": lambda query: b"\0\0" + query.reply(0)[2:],
    }
    with server("good.test MX 10 mx.good.test") as dns:
        for name, way in ways.items():
            dns.behave(f"{name}.test", way)
        dns.add_data("odd.test", "MX", b"\0\x0a\4a.b!\0")
        dns.add("half.test MX 20 mx.half.test")
        dns.add_data("half.test", "MX", b"\0\x0a\4a.b!\0")
        dns.add_data("address.test", "A", b"\x7f\0\1")
        dns.add_data("text.test", "TXT", b"\x09abc")
        answers = ask(dns, *(f"{name}.test MX" for name in ways), "good.test MX", "odd.test MX",
                      "half.test MX", "address.test A", "text.test TXT")
        for name in ways:
            check(answers[f"{name}.test MX"].split()[0] in ("trouble", "no-data"),
                  f"{name}: {answers[f'{name}.test MX']}")
        begins(answers, {"good.test MX": "found insecure 60 - [10 mx.good.test]",
                         "half.test MX": "found insecure 60 - [20 mx.half.test]",
                         "odd.test MX": "trouble insecure 60 - [] no record in the answer about ",
                         "address.test A": "trouble ", "text.test TXT": "trouble "})


@case
def silence():
    """Names that nobody answers about end as trouble, and do not make the resolver look dead."""
    dead = [f"dead{i}.example.net" for i in range(100)]
    with server(*(f"good{i}.example.net A 192.0.2.{i}" for i in range(3))) as dns:
        for name in dead:
            dns.behave(name, silent)
        dns.behave("again.example.net", in_turn(silent, dns.answer))
        dns.add("again.example.net A 192.0.2.9")
        answers = ask(dns, *(f"{name} A" for name in dead[:50]), "good0.example.net A",
                      "again.example.net A", "wait", "good1.example.net A",
                      *(f"{name} A" for name in dead[50:]), "good2.example.net A")
        begins(answers, {f"{name} A": "trouble insecure 0 - [] no " for name in dead})
        expect(answers, {f"good{i}.example.net A": f"found insecure 60 - [192.0.2.{i}] "
                         for i in range(3)})
        expect(answers, {"again.example.net A": "found insecure 60 - [192.0.2.9] "})


@case
def second_resolver():
    with server("a.example.net A 192.0.2.1") as dns, server() as broken:
        broken.behave("a.example.net", say(SERVFAIL))
        expect(probe([broken, dns], "a.example.net A"),
               {"a.example.net A": "found insecure 60 - [192.0.2.1] "})


@case
def too_many():
    """A bound on open queries; cancelled ones keep their place until they are over."""
    with server() as dns:
        names = [f"dead{i}.example.net" for i in range(OPEN_MAX)]
        for name in names:
            dns.behave(name, silent)
        answers = ask(dns, *(f"cancel {name} A" for name in names), "more.example.net A")
        expect(answers, {"more.example.net A": f"refused {OPEN_MAX} questions are open, too many "
                         "to ask about more.example.net"})
        equal(len(answers), 2, "answers: none of a cancelled query")


@case
def cancelled():
    with server("a.example.net A 192.0.2.1", "b.example.net A 192.0.2.2") as dns:
        answers = ask(dns, "cancel a.example.net A", "b.example.net A", "cancel a..b A")
        equal(sorted(answers), ["b.example.net A", "validates"], "answers")


SIGNED = ["example.net MX 10 mx.example.net", "mx.example.net A 192.0.2.1",
          "alias.example.net CNAME mx.example.net", "_25._tcp.mx.example.net TLSA 3 1 1 00ff",
          "open NS ns.open", "plain.open A 192.0.2.2", "bad.example.net A 192.0.2.3",
          "x.test A 192.0.2.4", "1.0.0.10.in-addr.arpa PTR x.test", "x.home.arpa A 192.0.2.5"]


def signed_server(**options):
    signer = Signer(insecure={"open", "test", "in-addr.arpa", "home.arpa"},
                    broken={"bad.example.net"}, **options)
    return server(*SIGNED, signer=signer)


def ask_signed(dns, *lines, security="auto", anchors=None):
    with tempfile.NamedTemporaryFile("w", suffix=".key") as file:
        file.write(anchors or anchor())
        file.flush()
        return ask(dns, *lines, security=security, anchors=file.name)


@case
def validation():
    with signed_server() as dns:
        answers = ask_signed(dns, "example.net MX", "mx.example.net A", "alias.example.net A",
                             "_25._tcp.mx.example.net TLSA", "plain.open A", "bad.example.net A",
                             "mx.example.net AAAA", "gone.example.net A", "gone.open A")
        begins(answers, {
            "validates": "yes",
            "example.net MX": "found secure 60 - [10 mx.example.net] ",
            "mx.example.net A": "found secure 60 - [192.0.2.1] ",
            "alias.example.net A": "found secure 60 mx.example.net [192.0.2.1] ",
            "_25._tcp.mx.example.net TLSA": "found secure 60 - [03010100ff] ",
            "plain.open A": "found insecure 60 - [192.0.2.2] ",
            "bad.example.net A": "trouble bogus ",
            "mx.example.net AAAA": "no-data secure 60 - [] ",
            "gone.example.net A": "no-name secure 60 - [] ",
            "gone.open A": "no-name insecure 60 - [] "})
        check("[] DNSSEC: " in answers["bad.example.net A"], answers["bad.example.net A"])


@case
def validation_spares_private_names():
    """The root proves that they do not exist; a private resolver knows better."""
    with signed_server() as dns:
        expect(ask_signed(dns, "x.test A", "1.0.0.10.in-addr.arpa PTR", "x.home.arpa A"), {
            "x.test A": "found insecure 60 - [192.0.2.4] ",
            "1.0.0.10.in-addr.arpa PTR": "found insecure 60 - [x.test] ",
            "x.home.arpa A": "found insecure 60 - [192.0.2.5] ", "validates": "yes"})


@case
def no_validation():
    """Off, or automatically off with a resolver without signatures, or with another root."""
    wanted = {"validates": "no", "mx.example.net A": "found insecure 60 - [192.0.2.1] ",
              "bad.example.net A": "found insecure 60 - [192.0.2.3] "}
    with signed_server() as dns:
        expect(ask_signed(dns, "mx.example.net A", "bad.example.net A", security="off"), wanted)
        expect(ask_signed(dns, "mx.example.net A", "bad.example.net A",
                          anchors=". IN DS 20326 8 2 " + "E06D44B8" * 8), wanted)
        expect(ask(dns, "mx.example.net A", "bad.example.net A", security="auto"), wanted)
    with server(*SIGNED) as dns:
        expect(ask_signed(dns, "mx.example.net A", "bad.example.net A"), wanted)
    for silence_or_no in (silent, say(SERVFAIL), say(REFUSED)):
        with signed_server() as dns:
            dns.behave("", silence_or_no)
            expect(ask_signed(dns, "mx.example.net A", "bad.example.net A"), wanted)


@case
def required_validation():
    with server(*SIGNED) as dns:
        answers = ask_signed(dns, "mx.example.net A", security="require")
        begins(answers, {"validates": "yes", "mx.example.net A": "trouble bogus "})
    with signed_server() as dns:
        answers = ask_signed(dns, "mx.example.net A", security="require")
        begins(answers, {"mx.example.net A": "found secure 60 "})


if __name__ == "__main__":
    main()
