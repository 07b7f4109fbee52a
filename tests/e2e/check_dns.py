"""check_dns - godwit check: the DNS records that each domain needs, beside those that are found."""

import time

from dns_server import DnsServer, silent
from harness import World, case, check, equal, main, own_address

HOST = "mx.example.test"
REVERSE = "7.2.0.192.in-addr.arpa"


def findings(resolver, domains=("example.test",), **sections):
    """The lines about DNS, without their area."""
    quoted = f'resolvers = {{"{resolver}"}}' if resolver else ""
    world = World(domains, dns=quoted, **sections)
    try:
        lines = world.run("check").splitlines()
    finally:
        world.remove()
    return [line.replace(" dns: ", " ", 1) for line in lines if line.split()[1] == "dns:"]


def spf(dns, domain, *records):
    for record in records:
        dns.add_data(domain, "TXT", bytes([len(record)]) + record.encode())


def expect(found, level, words):
    check(any(line.startswith(f"{level} ") and words in line for line in found),
          f"no {level} with {words!r} in {found}")


@case
def all_is_well():
    with DnsServer(own_address(), f"{HOST} A 192.0.2.7", f"{REVERSE} PTR {HOST}",
                   f"example.test MX 10 {HOST}") as dns:
        spf(dns, "example.test", "some-token=1", "v=spf1 mx -all")
        found = findings(dns.resolver)
        expect(found, "ok", f"{HOST}. A 192.0.2.7")
        expect(found, "ok", f"{REVERSE}. PTR {HOST}.")
        expect(found, "ok", f"example.test. MX 10 {HOST}.")
        expect(found, "ok", 'example.test. TXT "v=spf1 mx -all"')
        expect(found, "ok", "DANE is off")
        equal([line for line in found if not line.startswith("ok")], [], "warnings")


@case
def an_mx_host_of_another_name_is_us_by_its_address():
    with DnsServer(own_address(), f"{HOST} A 192.0.2.7", "mail.b.test A 192.0.2.7",
                   "b.test MX 5 mail.b.test", "c.test MX 5 mail.c.test",
                   "mail.c.test A 192.0.2.9") as dns:
        found = findings(dns.resolver, ("b.test", "c.test"))
        expect(found, "ok", "b.test. MX 5 mail.b.test.")
        expect(found, "warn", f"c.test. needs MX 10 {HOST}., found: MX 5 mail.c.test.")


@case
def what_is_missing_or_different_is_told():
    with DnsServer(own_address(), f"{HOST} A 192.0.2.7", f"{REVERSE} PTR host7.isp.test",
                   "null.test MX 0 .", f"spf.test MX 10 {HOST}", f"two.test MX 10 {HOST}") as dns:
        spf(dns, "spf.test", "v=spf1 -all")
        spf(dns, "two.test", "v=spf1 mx -all", "v=spf1 a -all")
        found = findings(dns.resolver, ("null.test", "spf.test", "two.test", "none.test"))
        expect(found, "warn", f"{REVERSE}. needs PTR {HOST}., found: PTR host7.isp.test.")
        expect(found, "warn", f"null.test. needs MX 10 {HOST}., found: MX 0 .")
        expect(found, "warn", 'spf.test. TXT "v=spf1 -all" does not let us send')
        expect(found, "warn", "two.test. has 2 SPF records")
        expect(found, "warn", f"none.test. needs MX 10 {HOST}., found: no such name")
        expect(found, "warn", 'none.test. needs TXT "v=spf1 mx -all", found: no SPF record')


@case
def a_smarthost_answers_for_its_own_address():
    with DnsServer(own_address(), f"{HOST} A 192.0.2.7", f"example.test MX 10 {HOST}") as dns:
        spf(dns, "example.test", "v=spf1 include:isp.test -all")
        found = findings(dns.resolver, relay='smarthost = "smtp.isp.test"')
        equal([line for line in found if not line.startswith("ok")], [], "warnings")


@case
def a_host_without_an_address_is_told():
    with DnsServer(own_address(), "other.test A 192.0.2.7") as dns:
        expect(findings(dns.resolver), "warn", f"{HOST}. needs A or AAAA")


@case
def silence_is_a_warning_in_time():
    with DnsServer(own_address()) as dns:
        for name in (HOST, "example.test"):
            dns.behave(name, silent)
        began = time.monotonic()
        found = findings(dns.resolver)
        check(time.monotonic() - began < 8, "it took too long")
        expect(found, "warn", f"example.test. needs MX 10 {HOST}., found: no answer")


@case
def names_for_tests_are_not_asked_of_the_system():
    found = findings("")
    check(len(found) == 1 and "not for the public DNS" in found[0], found)


if __name__ == "__main__":
    main()
