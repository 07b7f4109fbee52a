"""peers - the tools of other servers, as tools/peers unpacks them, against ours."""

import os
import subprocess

from harness import Server, Skip, case, check, content_of, equal, main

BOB = "bob@example.test"
PEERS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
                     "build", "peers")


def smtp_source(server, *options):
    """Postfix's load generator, to its end."""
    program = os.path.join(PEERS, "root", "usr", "sbin", "smtp-source")
    if not os.path.exists(program):
        raise Skip("no smtp-source: tools/peers unpacks it")
    with open(os.path.join(PEERS, "libraries"), encoding="utf-8") as file:
        libraries = ":".join(file.read().split())
    done = subprocess.run(
        [program, *options, "-M", "client.test", "-f", "a@elsewhere.test", "-t", BOB,
         f"inet:{server.address}:{server.ports['smtp']}"], capture_output=True, text=True,
        timeout=120, check=False,
        env=dict(os.environ, LD_LIBRARY_PATH=libraries, MAIL_CONFIG=os.path.join(PEERS, "none")))
    check(done.returncode == 0, f"smtp-source: {done.stdout}{done.stderr}")


@case
def smtp_source_a_connection_for_each():
    with Server(users=[BOB]) as server:
        smtp_source(server, "-s", "20", "-m", "500", "-l", "5120")
        equal(len(server.messages(BOB)), 500, "messages")


@case
def smtp_source_connections_reused():
    with Server(users=[BOB]) as server:
        smtp_source(server, "-d", "-s", "10", "-m", "2000", "-l", "5120")
        found = server.messages(BOB)
        equal(len(found), 2000, "messages")
        check(all(len(content_of(m)) >= 5120 for m in found), "a message was cut")


@case
def smtp_source_large():
    with Server(users=[BOB]) as server:
        smtp_source(server, "-s", "4", "-m", "8", "-l", str(5 << 20))
        equal(len(server.messages(BOB)), 8, "messages")


@case
def smtp_source_many_recipients():
    """-r: user numbers are put before the address; ours has a catch-all."""
    with Server([f'domain "example.test" {{ catch_all = "{BOB}" }}'], users=[BOB]) as server:
        smtp_source(server, "-s", "2", "-m", "20", "-r", "50", "-l", "1000")
        equal(len(server.messages(BOB)), 20, "messages: one copy each for one mailbox")


if __name__ == "__main__":
    main()
