"""agent_find - which servers godwit agent calls, and whom it tells a password: names, SRV records,
certificates that are good, false, expired, or for somebody else."""

import ssl

import certificates
from agent_world import Home, Host, pop_host
from dns_server import DnsServer, say
from harness import case, check, equal, main, own_address

WHO = ("-e", "a@a.test", "-p", "geheim")
SERVFAIL = 2


def papers(home, **certificate):
    """A certificate of its own making, and a context that shows it."""
    pem = certificates.make(home.folder, **certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, pem[:-4] + ".key")
    return pem, context


def was_said(host):
    return any(line.startswith(("PASS", "AUTH")) for line in host.lines)


def records(*hosts, more=()):
    """A DNS in which names are addresses of hosts."""
    return DnsServer(own_address(), *(f"{name} A {host.address}" for name, host in hosts), *more)


def pops(home, dns, *words):
    return home.pipe(["pop", "stat", "quit"], *WHO, "--dns", dns.resolver, *words)


@case
def a_certificate_must_have_the_name():
    for settings, words, name, wanted in (
            ({"host": "pop.a.test"}, ("--tls", "verify"), "pop.a.test", True),
            ({"host": "*.a.test"}, ("--tls", "verify"), "pop.a.test", True),
            ({"host": "pop.b.test"}, ("--tls", "verify"), "pop.a.test", False),
            ({"host": "pop.a.test", "days": -1}, ("--tls", "verify"), "pop.a.test", False),
            ({"host": "pop.b.test", "days": -1}, ("--tls", "encrypt"), "pop.a.test", True),
            ({"host": "pop.b.test"}, (), "pop.a.test", True)):    # this machine
        for first in (True, False):
            with Home() as home:
                pem, context = papers(home, **settings)
                with Host(pop_host_with_stls() if not first else pop_host({}), tls=context,
                          first=first) as host, records((name, host)) as dns:
                    scheme = "pop3s" if first else "pop3"
                    talk = pops(home, dns, *words, "--ca", pem, "--pop",
                                f"{scheme}://{name}:{host.port}")
                    equal(was_said(host), wanted, f"{settings} {words}: {talk.said} {talk.told}")
                    if wanted:
                        talk.has("+OK 2 200")
                    else:
                        talk.complains(f"{name}[{host.address}]:{host.port}", "certificate",
                                       "the password was not said", "--tls encrypt")


@case
def an_authority_that_nobody_knows():
    with Home() as home:
        _, context = papers(home, host="pop.a.test")
        with Host(pop_host({}), tls=context, first=True) as host, \
                records(("pop.a.test", host)) as dns:
            where = ("--pop", f"pop3s://pop.a.test:{host.port}", "--tls", "verify")
            pops(home, dns, *where).complains("certificate")
            for file, said in (("/nowhere", "No such file"), (home.folder, "PEM"),
                               ("/dev/null", "PEM")):
                home.pipe([], *WHO, "--dns", dns.resolver, *where, "--ca", file, code=78).complains(
                    file, said)
            check(not was_said(host), host.lines)


def pop_host_with_stls():
    """As pop_host({}), and STLS is offered in the clear."""
    def capabilities(guest):
        guest.say("+OK", "USER", *([] if guest.in_tls else ["STLS"]), ".")

    def secure(guest):
        guest.say("+OK go")
        guest.shake()
    return pop_host({"CAPA": capabilities, "STLS": secure})


@case
def no_password_without_tls_where_tls_is_demanded():
    for words, wanted in ((("--tls", "verify"), False), (("--tls", "encrypt"), False),
                          (("--tls", "none"), True), (("--tls", "may"), True), ((), True)):
        with Home() as home, Host(pop_host({})) as host, records(("pop.a.test", host)) as dns:
            talk = pops(home, dns, *words, "--pop", f"pop.a.test:{host.port}")
            equal(was_said(host), wanted, f"{words}: {talk.told}")


@case
def srv_records_in_their_order():
    with Home() as home, Host(pop_host({})) as host, Host(lambda guest: None) as broken:
        with records(("one.a.test", broken), ("two.a.test", host), ("no.a.test", broken),
                     more=(f"_pop3._tcp.a.test SRV 5 0 {broken.port} one.a.test",
                           f"_pop3._tcp.a.test SRV 7 0 {host.port} two.a.test",
                           "_pop3s._tcp.a.test SRV 0 0 1 no.a.test")) as dns:
            pops(home, dns).has("+OK 2 200")
            asked = [name for name, kind, _ in dns.asked if kind == "A"]
            check(asked.index("one.a.test") < asked.index("two.a.test"), asked)


@case
def a_service_that_is_said_not_to_be():
    with Home() as home, records(more=("_pop3._tcp.a.test SRV 0 0 0 .",)) as dns:
        pops(home, dns).complains("a.test offers no POP3, its DNS says", "--pop HOST:PORT")
        check(all(kind == "SRV" or name != "pop.a.test" for name, kind, _ in dns.asked), dns.asked)


@case
def a_server_outside_of_the_domain_gets_no_password():
    with Home() as home:
        pem, context = papers(home, host="pop.provider.test")
        with Host(pop_host({}), tls=context, first=True) as host, records(
                ("pop.provider.test", host),
                more=(f"_pop3s._tcp.a.test SRV 0 0 {host.port} pop.provider.test",)) as dns:
            talk = pops(home, dns, "--tls", "verify", "--ca", pem)
            talk.complains("outside of the domain", "RFC 6186 6", "name it yourself")
            check(not was_said(host), host.lines)
            pops(home, dns, "--tls", "verify", "--ca", pem, "--pop",
                 f"pop3s://pop.provider.test:{host.port}").has("+OK 2 200")


@case
def no_server_at_all():
    with Home() as home, records() as dns:
        pops(home, dns).complains("a.test has no server by any usual name", "--pop HOST:PORT")
        pops(home, dns, "--pop", "x.b.test").complains("x.b.test: the DNS knows no such server")
        dns.behave("_pop3._tcp.c.test", say(SERVFAIL))
        home.pipe(["pop"], "-e", "a@c.test", "-p", "x", "--dns", dns.resolver).complains(
            "the DNS cannot be asked for the servers of c.test")


if __name__ == "__main__":
    main()
