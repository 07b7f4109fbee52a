"""peers_testssl - testssl.sh looks at every port that has TLS: nothing above low.

The certificate is one as an authority makes them, since what is wrong with a self-signed one is no
news.  A port takes a minute or two.
"""

import json
import os
import shutil
import subprocess

import certificates
import harness
from harness import Skip, add_case, check
from locked import ALL, IMPLICIT, Doors

GOOD = ("OK", "INFO", "LOW")
# What the tool could not find out says nothing about us.
UNKNOWN = ("WARN", "DEBUG")
PATIENCE_S = 900


def testssl():
    for name in ("testssl", "testssl.sh"):
        if shutil.which(name):
            return shutil.which(name)
    raise Skip("no testssl.sh")


def look_at(server, role):
    """What testssl.sh finds at a port: [(severity, id, words), ...]."""
    found = os.path.join(server.folder, f"{role}.json")
    words = [] if role in IMPLICIT else ["-t", "pop3" if role == "pop3" else "smtp"]
    done = subprocess.run(
        [testssl(), "--quiet", "--color", "0", "--warnings", "off", "--ip", server.address,
         "--add-ca", server.authority, "--jsonfile", found, *words,
         f"{server.hostname}:{server.ports[role]}"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    check(os.path.exists(found), f"testssl.sh ended with {done.returncode}: {done.stdout[-500:]}"
          f"{done.stderr[-500:]}")
    with open(found, encoding="utf-8") as file:
        rows = json.load(file)
    check(len(rows) > 50, f"testssl.sh found only {len(rows)} things: {done.stdout[-1500:]}")
    return [(row["severity"], row["id"], row["finding"]) for row in rows]


def looked_at(role):
    def test():
        testssl()
        server = Doors(limits="connections_per_peer = 0")
        server.certificate, server.authority = certificates.make_signed(server.folder)
        with server:
            rows = look_at(server, role)
        for severity, name, words in rows:
            if severity not in ("OK", "INFO"):
                print(f"# {role}: {severity} {name}: {words}", flush=True)
        bad = [row for row in rows if row[0] not in GOOD + UNKNOWN]
        check(not bad, f"{bad}")
    add_case(f"testssl-at-{role}", test)


for each in ALL:
    looked_at(each)


if __name__ == "__main__":
    harness.main()
