"""sandbox - what a running server may still do, as the kernel tells it, and how one gets around."""

import os
import re
import shutil
import tempfile

import harness
from certificates import make, serial
from harness import Server, Skip, case, check, equal, until
from locked import BOB, Locked


def walls(server):
    """The words that `check` has for the server that runs; skips where none can stand."""
    said = server.run("check")
    found = re.findall(r"^(ok|warn) sandbox: (.*)$", said, re.M)
    check(len(found) >= 1, said)
    if harness.is_sanitized() or "the kernel has no" in found[0][1]:
        raise Skip(found[0][1])
    return found


def states(server, field):
    """What the threads have in this field of their status."""
    folder = f"/proc/{server.process.pid}/task"
    found = set()
    for thread in os.listdir(folder):
        with open(f"{folder}/{thread}/status", encoding="ascii") as file:
            found.add(re.search(rf"^{field}:\s+(\d+)", file.read(), re.M)[1])
    return found


@case
def every_thread_is_in_it():
    with Server(users=[BOB]) as server:
        found = walls(server)
        equal([level for level, _ in found], ["ok", "ok"], f"{found}")
        check(found[1][1].startswith("the server that runs: folders (Landlock"), found[1])
        server.deliver(b"Subject: x\r\n\r\nx\r\n")
        check(len(os.listdir(f"/proc/{server.process.pid}/task")) > 5, "threads")
        equal(states(server, "Seccomp"), {"2"}, "filters")
        equal(states(server, "NoNewPrivs"), {"1"}, "no_new_privs")
        until(lambda: 'sandbox what="folders (Landlock' in server.log(), "a line in the log")


@case
def it_can_be_switched_off():
    server = Server(users=[BOB])
    with open(server.config, "a", encoding="utf-8") as file:
        file.write("sandbox = false\n")
    with server:
        found = walls(server)
        equal(found, [("warn", "no sandbox: sandbox = false"),
                      ("warn", "the server that runs: no sandbox: sandbox = false")], "check")
        equal(states(server, "Seccomp"), {"0"}, "filters")
        with open(server.config, "r+", encoding="utf-8") as file:
            words = file.read().replace("sandbox = false", "sandbox = true")
            file.seek(0)
            file.truncate()
            file.write(words)
        server.run("reload")
        server.wait_log("needs-restart key=sandbox")
        server.restart()
        equal(states(server, "Seccomp"), {"2"}, "filters")


@case
def other_folders_are_out_of_reach():
    """Not even for root; what godwit reload brings needs no folder."""
    elsewhere = tempfile.mkdtemp(prefix="godwit-")
    try:
        with Locked() as server:
            walls(server)
            make(elsewhere)
            with open(server.config, encoding="utf-8") as file:
                words = file.read().replace('"mx.pem', f'"{elsewhere}/mx.pem')
                words = words.replace('"mx.key', f'"{elsewhere}/mx.key')
            with open(server.config, "w", encoding="utf-8") as file:
                file.write(words)
            server.signal(1)
            server.wait_log("reload-failed .*cannot read .*/mx.pem: the server may not; run godwit "
                            "reload as root")
            server.run("reload")
            server.certificate = os.path.join(elsewhere, "mx.pem")
            wire = server.pop3s()
            equal(wire.sock.getpeercert()["serialNumber"], serial(server.certificate), "shown")
    finally:
        shutil.rmtree(elsewhere)


@case
def a_log_is_rotated_in_it():
    server = Server(users=[BOB], log='file = "log" protocol = "commands"')
    with server:
        walls(server)
        os.rename(server.log_name, server.log_name + ".1")
        server.run("reload")
        server.wait_log("reloaded")


if __name__ == "__main__":
    harness.main()
