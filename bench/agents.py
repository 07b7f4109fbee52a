"""The user's side: godwit fetch beside mpop and fetchmail, godwit send beside msmtp in a loop, and
how long a command takes that does nothing.

A peer that is not installed is left out.  mpop pipelines as godwit does; each fetching program
fills a Maildir.  fetchmail, which has no Maildir, is given the simplest program that does it."""

import os
import shutil
import subprocess
import time

import world
from servers import BOX, DOMAIN, PASSWORD, Dovecot, Sink

MESSAGES = 10000  # to be fetched
SENT = 1000
OCTETS = 2048
STARTS = 41


def seconds_of(command, folder, **environment):
    """How long a command takes that must succeed."""
    start = time.monotonic()
    done = subprocess.run([str(c) for c in command], capture_output=True, check=False, cwd=folder,
                          env={**os.environ, "HOME": str(folder), **environment})
    if done.returncode:
        raise world.Trouble(f"{command[0]}: exit {done.returncode}: {done.stderr.decode()[-300:]}")
    return time.monotonic() - start


def private(folder, name, text):
    path = folder / name
    path.write_text(text)
    path.chmod(0o600)
    return path


def fetch_godwit(bench, server, folder):
    host, port = server.pop3
    program = bench.build / "src" / "godwit"
    return seconds_of([program.resolve(), "fetch", BOX, "--to", "maildir:Maildir", "--server",
                       f"{host}:{port}", "--tls", "none"], folder, GODWIT_PASSWORD=PASSWORD)


def fetch_mpop(_bench, server, folder):
    host, port = server.pop3
    for part in ("cur", "new", "tmp"):
        (folder / "Maildir" / part).mkdir(parents=True)
    rc = private(folder, "mpoprc", f"account x\nhost {host}\nport {port}\nuser {BOX}\n"
                 f"password {PASSWORD}\nauth user\ntls off\nkeep on\nuidls_file {folder}/uidls\n"
                 f"delivery maildir {folder}/Maildir\n")
    return seconds_of(["mpop", "-C", rc, "-q", "x"], folder)


def fetch_fetchmail(_bench, server, folder):
    host, port = server.pop3
    (folder / "Maildir" / "new").mkdir(parents=True)
    rc = private(folder, "fetchmailrc", f'poll {host} protocol POP3 service {port} uidl\n'
                 f'user "{BOX}" password "{PASSWORD}" is "box" here keep fetchall sslproto ""\n'
                 f'mda "cat >{folder}/Maildir/new/$$"\n')
    return seconds_of(["fetchmail", "-f", rc, "--nosyslog", "-s", "-i", folder / "ids"], folder,
                      FETCHMAILHOME=str(folder))


FETCHERS = {"godwit": fetch_godwit, "mpop": fetch_mpop, "fetchmail": fetch_fetchmail}


def fetch(bench, place):
    """{program: [messages a second, ...]}"""
    if not bench.with_peers:
        return {}
    server = Dovecot(place, bench.peers)
    server.start()
    found = {}
    try:
        server.fill(MESSAGES, OCTETS)
        for _ in range(bench.rounds):
            for name, run in FETCHERS.items():
                folder = place.folder / "home"
                if name != "godwit" and not shutil.which(name):
                    continue
                world.run("rm", "-rf", folder)
                folder.mkdir()
                found.setdefault(name, []).append(MESSAGES / run(bench, server, folder))
        bench.say(f"{place.name}: fetching {MESSAGES} messages")
    finally:
        server.stop()
    return found


def send_godwit(bench, server, folder, names):
    host, port = server.smtp
    program = bench.build / "src" / "godwit"
    return seconds_of([program.resolve(), "send", "-t", "-f", f"a@{DOMAIN}", "--auth", "off",
                       "--tls", "none", "--server", f"{host}:{port}", "--quiet", *names], folder)


def send_msmtp(_bench, server, folder, names):
    host, port = server.smtp
    loop = ('for file; do msmtp --host="$HOST" --port="$PORT" --auth=off --tls=off '
            f'--from=a@{DOMAIN} -t <"$file" || exit 1; done')
    return seconds_of(["sh", "-c", loop, "sh", *names], folder, HOST=host, PORT=str(port))


def send(bench, place):
    """{program: [messages a second, ...]}"""
    server = Sink(place, bench.peers)
    server.start()
    found = {}
    folder = place.folder / "home"
    try:
        world.run("rm", "-rf", folder)
        folder.mkdir()
        names = [f"m{n}" for n in range(SENT)]
        for name in names:
            (folder / name).write_text(f"From: a@{DOMAIN}\nTo: {BOX}\nSubject: {name}\n\n"
                                       + ("X" * 78 + "\n") * (OCTETS // 79))
        for _ in range(bench.rounds):
            found.setdefault("godwit", []).append(SENT / send_godwit(bench, server, folder, names))
            if shutil.which("msmtp"):
                found.setdefault("msmtp", []).append(
                    SENT / send_msmtp(bench, server, folder, names))
        bench.say(f"{place.name}: sending {SENT} messages")
    finally:
        server.stop()
    return found


def starts(bench):
    """Milliseconds from the call to the end of a command that prints one line: {program: ms}."""
    commands = {"godwit": [(bench.build / "src" / "godwit").resolve(), "version"],
                "msmtp": ["msmtp", "--version"], "true": ["true"]}
    found = {}
    for name, command in commands.items():
        if isinstance(command[0], str) and not shutil.which(command[0]):
            continue
        times = [seconds_of(command, "/") * 1e3 for _ in range(STARTS)]
        found[name] = sorted(times)[STARTS // 2]
    return found


def agent(bench, place):
    return {"fetch": fetch(bench, place), "send": send(bench, place), "starts_ms": starts(bench)}
