"""TLS and logins: submission, POP3 and idle connections under TLS 1.3, beside Postfix and Dovecot.

All have the same certificate (P-256).  Postfix asks Dovecot's auth service, as it is mostly done;
what that uses counts as Postfix's.  `new`: each connection shakes hands in full; `again`: it brings
the ticket of the one before, as mail programs do.
"""

import json
import socket
import ssl
import time

import world
from loads import Crowd
from servers import BOX, DOMAIN, Dovecot, Godwit, Postfix
from world import Trouble

KINDS = ("new", "again")
OCTETS = 5120
RUN_S = 2
CROWD, FEW = 10000, 60
SUBMISSIONS, POP3S = 2465, 2995


def make_certificate(place):
    """One pair of files for all; returns their names."""
    certificate, key = place.folder / "locks.pem", place.folder / "locks.key"
    if not certificate.exists():
        world.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                  "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN=mx.{DOMAIN}",
                  "-keyout", key, "-out", certificate)
    return certificate, key


class LockedGodwit(Godwit):
    name = "godwit"
    number = 10

    def __init__(self, place, build):
        super().__init__(place, build)
        self.folder = place.folder / "godwit-locks"
        self.configuration = self.folder / "godwit.conf"
        self.submissions, self.pop3s = (self.host, SUBMISSIONS), (self.host, POP3S)

    def prepare(self, users=FEW):
        super().prepare(users)
        certificate, key = make_certificate(self.place)
        with open(self.configuration, "a", encoding="utf-8") as file:
            file.write(f"""listen submissions {{ address = "{self.host}:{SUBMISSIONS}" }}
listen pop3s {{ address = "{self.host}:{POP3S}" }}
tls {{ certificate = "{certificate}"  key = "{key}" }}
""")

    def pids(self):
        return [self.pid]


class LockedDovecot(Dovecot):
    """With an auth service for Postfix too."""
    number = 11

    def __init__(self, place, peers):
        super().__init__(place, peers)
        self.folder = place.folder / "dovecot-locks"
        self.pop3s = (self.host, POP3S)
        self.auth = self.folder / "auth"

    def prepare(self):
        super().prepare()
        certificate, key = make_certificate(self.place)
        file = self.folder / "dovecot.conf"
        text = file.read_text()
        text = text.replace("ssl = no\n", f"ssl = yes\nssl_cert = <{certificate}\n"
                            f"ssl_key = <{key}\nssl_min_protocol = TLSv1.2\n")
        text = text.replace("inet_listener pop3s {\n    port = 0\n",
                            f"inet_listener pop3s {{\n    port = {POP3S}\n    ssl = yes\n")
        text = text.replace("service auth {\n", "service auth {\n  unix_listener "
                            f"{self.auth} {{\n    mode = 0666\n  }}\n")
        file.write_text(text)

    def pids(self):
        return [self.pid]


class LockedPostfix(Postfix):
    number = 12

    def __init__(self, place, peers, dovecot):
        super().__init__(place, peers)
        self.folder = place.folder / "postfix-locks"
        self.submissions = (self.host, SUBMISSIONS)
        self.dovecot = dovecot

    def prepare(self):
        super().prepare()
        certificate, key = make_certificate(self.place)
        with open(self.folder / "etc/main.cf", "a", encoding="utf-8") as file:
            file.write(f"""
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_loglevel = 0
smtpd_sasl_type = dovecot
smtpd_sasl_path = {self.dovecot.auth}
smtpd_sasl_security_options = noanonymous
tls_random_source = dev:/dev/urandom
""")
        with open(self.folder / "etc/master.cf", "a", encoding="utf-8") as file:
            file.write(f"""{self.host}:{SUBMISSIONS} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
""")

    def pids(self):
        return [self.pid, self.dovecot.pid]


# --- Loads ---


def run(bench, server, count, words):
    """One run of tlsload: rates, and what the server used for each connection."""
    world.wait_for_calm(bench.clients.patience_s)
    host, port = server.submissions if words[0] == "submit" else server.pop3s
    before = [world.usage(pid) for pid in server.pids()]
    start = time.monotonic()
    got = json.loads(world.run(bench.clients.tlsload, host, port, words[0], count, *words[1:]))
    if words[0] == "submit":
        server.drain()
    seconds = time.monotonic() - start
    used = sum(world.usage(pid).since(then).cpu_s
               for pid, then in zip(server.pids(), before))
    if (got["resumed"] > 0) != (words[-1] == "again"):
        raise Trouble(f"{server.name}: {got['resumed']} of {count} sessions resumed, "
                      f"where they should be {words[-1]}")
    return {"per_s": count / seconds, "cpu_us": used / count * 1e6, "resumed": got["resumed"],
            "seconds": seconds}


def compare(bench, chosen, words):
    """{server: [run, ...]}, in turn; how many is tried with a few."""
    counts = []
    for server in chosen:
        run(bench, server, 100, words)
        few = run(bench, server, 200, words)
        counts.append(max(200, int(200 * RUN_S / few["seconds"])))
    found = {server.name: [] for server in chosen}
    for _ in range(bench.rounds):
        for server, count in zip(chosen, counts):
            found[server.name].append(run(bench, server, count, words))
    return found


class TlsCrowd(Crowd):
    """The same behind a handshake."""

    def __init__(self, address, dialogue):
        super().__init__(address, dialogue)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE

    def connect(self):
        return self.context.wrap_socket(socket.create_connection(self.address, 10))


def idle(bench, server, address, dialogue, size):
    """Memory for one of so many idle connections under TLS; the server is started and stopped."""
    server.start()
    crowd = TlsCrowd(address, dialogue)
    try:
        crowd.grow(20)
        crowd.leave()
        time.sleep(0.2)
        before = sum(world.memory_kb(pid, "Pss") for pid in server.pids())
        crowd.grow(size)
        after = sum(world.memory_kb(pid, "Pss") for pid in server.pids())
        newcomers = sorted(crowd.newcomer_ms() for _ in range(21))
    finally:
        crowd.leave()
        server.stop()
    bench.say(f"{server.name}: {size} idle connections under TLS")
    return {"connections": size, "kb_each": (after - before) / size, "before_kb": before,
            "after_kb": after, "newcomer_ms": newcomers[10]}


LOGIN = ["USER {n}@" + DOMAIN, "PASS secret", "STAT"]


def idle_all(bench, place, godwit, dovecot):
    found = {"submissions": {"godwit": idle(bench, godwit, godwit.submissions,
                                            ["EHLO client.test"], CROWD)},
             "pop3s": {"godwit": idle(bench, godwit, godwit.pop3s, ["CAPA"], CROWD)},
             "pop3s, logged in": {}}
    logged_in = found["pop3s, logged in"]
    logged_in["godwit"] = idle(bench, godwit, godwit.pop3s, LOGIN, FEW)
    if dovecot:
        logged_in["Dovecot"] = idle(bench, dovecot, dovecot.pop3s, LOGIN, FEW)
    return found


def tls(bench, place):
    """{"submit": {kind: {server: [run, ...]}}, "pop3": the same, "idle": {what: {server: ...}}}."""
    godwit = LockedGodwit(place, bench.build)
    dovecot = LockedDovecot(place, bench.peers) if bench.with_peers else None
    postfix = LockedPostfix(place, bench.peers, dovecot) if bench.with_peers else None
    found = {"submit": {}, "pop3": {}}
    running = bench.started([s for s in (godwit, dovecot, postfix) if s])
    try:
        for kind in KINDS:
            place.measure_sync()
            found["submit"][kind] = compare(bench, [s for s in (godwit, postfix) if s],
                                            ("submit", OCTETS, kind))
            bench.say(f"{place.name}: submissions with AUTH to {BOX}, {kind}")
        for kind in KINDS:
            found["pop3"][kind] = compare(bench, [s for s in (godwit, dovecot) if s],
                                          ("pop3", kind))
            bench.say(f"{place.name}: POP3 sessions under TLS, {kind}")
    finally:
        for server in running[::-1]:
            server.stop()
    if place.name == "in memory":
        found["idle"] = idle_all(bench, place, godwit, dovecot)
    return found
