"""operations - what the machine and its administrator do to a running server.

Stops, reloads, a second server, handed-over sockets, privileges, a disk that is full.
"""

import contextlib
import os
import pwd
import re
import select
import shutil
import signal
import socket
import subprocess
import sys

from harness import TIMEOUT, Server, Skip, case, check, content_of, equal, main, need, until
from wire import Broken

BOB = "bob@example.test"


def read(name):
    """What is in a file; nothing if it is not there."""
    if not os.path.exists(name):
        return ""
    with open(name, encoding="utf-8") as file:
        return file.read()


def refused_start(server, words):
    """Starting this one must end with 1 and these words."""
    done = subprocess.run([server.program, "serve", "-c", server.config], cwd=server.folder,
                          capture_output=True, text=True, timeout=30, check=False)
    equal(done.returncode, 1, f"exit code, {done.stderr!r}")
    check(words in done.stderr, f"{words!r} is not in {done.stderr!r}")


@case
def a_second_server_on_the_same_data_is_refused():
    with Server(users=[BOB]) as first:
        second = Server()
        second.write_config()
        text = read(second.config).replace('"data"', f'"{first.folder}/data"')
        with open(second.config, "w", encoding="utf-8") as file:
            file.write(text)
        refused_start(second, "lock")
        second.remove()
        first.deliver(b"x\r\n")


@case
def a_store_starts_again_whatever_segments_were_prepared():
    """Each start leaves a segment behind that was made ahead of need; folders list in any order."""
    content = (b"x" * 98 + b"\r\n") * 9000
    with Server(users=[BOB]) as server:
        for start in range(1, 7):
            for _ in range(3):
                server.deliver(content)
            server.restart(kill=start % 2 == 0)
        equal(len(server.messages(BOB)), 18, "messages")


@case
def a_port_in_use_is_refused():
    with Server(users=[BOB]) as first:
        second = Server()
        second.ports = first.ports
        second.write_config()
        refused_start(second, f"{first.address}:{first.ports['smtp']}")
        second.remove()
        first.deliver(b"x\r\n")


@case
def sighup_keeps_sessions_and_takes_what_is_new():
    with Server(users=[BOB]) as server:
        wire, pop = server.smtp(), server.pop(BOB)
        wire.say("MAIL FROM:<a@b.test>", "250")
        server.domains.append("new.test")
        server.write_config()
        server.add_user("bob@new.test")
        server.signal(signal.SIGHUP)
        until(lambda: server.smtp().say("MAIL FROM:<a@b.test>", "250")
              and server.wires[-1].say("RCPT TO:<bob@new.test>")[:3] == "250", "the new domain")
        wire.say(f"RCPT TO:<{BOB}>", "250")
        wire.expect(wire.data(b"x\r\n"), "250")
        pop.say("QUIT", "+OK")
        server.only_message(BOB)


@case
def sighup_opens_the_log_anew():
    with Server(users=[BOB], log='protocol = "commands" file = "godwit.log"') as server:
        name = os.path.join(server.folder, "godwit.log")
        server.smtp("EHLO before.test")
        until(lambda: "before.test" in read(name), "a line in the log file")
        os.rename(name, name + ".1")
        server.signal(signal.SIGHUP)
        until(lambda: os.path.exists(name), "a new log file")
        server.smtp("EHLO after.test")
        server.end()
        check("after.test" in read(name) and "before.test" not in read(name), read(name))


@case
def a_bad_file_does_not_keep_the_log_from_being_opened_anew():
    with Server(users=[BOB], log='protocol = "commands" file = "godwit.log"') as server:
        name = os.path.join(server.folder, "godwit.log")
        server.sections["limts"] = "x = 1"
        server.write_config()
        until(lambda: os.path.exists(name), "the log file")
        os.rename(name, name + ".1")
        server.signal(signal.SIGHUP)
        until(lambda: "limts" in read(name), "the reason in a new log file")


@case
def a_sighup_during_a_reload_is_another_reload():
    """The first one reads a pipe, and so is under way for as long as wanted."""
    with Server(users=[BOB]) as server:
        os.rename(server.config, server.config + ".old")
        os.mkfifo(server.config)
        server.signal(signal.SIGHUP)
        with open(server.config, "w", encoding="utf-8") as pipe:    # waits for its reader
            os.unlink(server.config)
            server.sections["limits"] = 'message = "300K"'
            server.write_config()
            server.signal(signal.SIGHUP)
            server.smtp("EHLO meanwhile.test")
            pipe.write(read(server.config + ".old"))
        until(lambda: f"SIZE {300 * 1024}" in server.smtp().say("EHLO x.test", "250"), "300K")


@case
def a_bad_file_changes_nothing():
    with Server(users=[BOB]) as server:
        server.sections["limts"] = "x = 1"
        server.write_config()
        server.signal(signal.SIGHUP)
        server.wait_log("limts")
        server.deliver(b"x\r\n")
        equal(server.run("reload", code=78), "", "output")
        del server.sections["limts"]
        server.write_config()
        server.run("reload")


ACTIVATE = """
import os, socket, sys
names, address = sys.argv[1].split(":"), sys.argv[2]
for number, port in enumerate(map(int, sys.argv[3].split(":"))):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, port))
    sock.listen(100)
    os.dup2(sock.fileno(), 100 + number)
for number in range(len(names)):
    os.dup2(100 + number, 3 + number, inheritable=True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(names)),
                  LISTEN_FDNAMES=":".join(names))
os.execv(sys.argv[4], sys.argv[4:])
"""


@case
def sockets_that_the_service_manager_hands_over():
    """The configuration has other ports for them: they must not be needed."""
    with Server(users=[BOB]) as server:
        server.end()
        ports = dict(server.ports)
        server.ports = {role: port + 5 for role, port in ports.items()}
        server.start(sys.executable, "-c", ACTIVATE, ":".join(server.ports), server.address,
                     ":".join(map(str, server.ports.values())))
        server.deliver(b"x\r\n")
        server.only_message(BOB)
        server.ports = ports
        try:
            server.connect()
        except ConnectionRefusedError:
            return
        raise Broken("the port of the file was opened too")


@case
def ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as probe:
            port = probe.getsockname()[1]
    except OSError:
        raise Skip("no IPv6") from None
    with Server(users=[BOB]) as server:
        server.end()
        server.address, server.ports["smtp"] = "[::1]", port
        server.ports["pop3"] = port
        text = re.sub(r"listen smtp.*", f'listen smtp {{ address = "[::1]:{port}" }}',
                      read(server.config))
        with open(server.config, "w", encoding="utf-8") as file:
            file.write(text)
        server.start()
        server.address = "::1"
        server.deliver(b"x\r\n")
        server.end()
        shown = server.run("mailbox", "show", BOB, "1")
        check("[IPv6:::1]" in shown, f"no IPv6 literal in {shown!r}")


@case
def root_is_given_up():
    """Bound as root, run as somebody else, with DATA his own and nothing to go back with."""
    if os.getuid() != 0:
        raise Skip("not root")
    nobody = pwd.getpwnam("nobody")
    server = Server()
    os.chmod(server.folder, 0o755)
    text = re.sub(r'(?m)^user .*', 'user = "nobody"', read(server.config))
    with open(server.config, "w", encoding="utf-8") as file:
        file.write(text)
    server.add_user(BOB)
    with server:
        status = read(f"/proc/{server.process.pid}/status")
        equal(re.search(r"Uid:\s+(.*)", status)[1].split(), [str(nobody.pw_uid)] * 4, "uids")
        equal(re.search(r"Groups:\s*(.*)", status)[1].split(), [str(nobody.pw_gid)], "groups")
        equal(re.search(r"CapEff:\s+(.*)", status)[1], "0" * 16, "capabilities")
        equal(re.search(r"NoNewPrivs:\s+(.*)", status)[1], "1", "no_new_privs")
        data = os.stat(os.path.join(server.folder, "data"))
        equal((data.st_uid, data.st_mode & 0o777), (nobody.pw_uid, 0o700), "DATA")
        server.deliver(b"x\r\n")
        server.only_message(BOB)


@case
def descriptors_run_out():
    """With 100 descriptors 150 clients come: the rest wait, nobody is lost, and it goes on."""
    prlimit = need("prlimit")
    with Server(users=[BOB]) as server:
        server.end()
        server.start(prlimit, "--nofile=100:100")
        wires = [server.connect() for _ in range(150)]
        # Which ones are greeted is for the kernel to say: each loop has a queue of its own.
        greeted, _, _ = select.select([wire.sock for wire in wires[:120]], [], [], TIMEOUT)
        check(any(sock.recv(3) == b"220" for sock in greeted), "nobody is greeted")
        for wire in wires[:120]:
            wire.close()
        last = wires[-1]
        check(last.reply()[:3] in ("220", "421"), "the last client was forgotten")
        for wire in wires[120:]:
            wire.close()
        server.deliver(b"x\r\n")
        server.only_message(BOB)


@case
def a_disk_that_is_full():
    """452 at MAIL while the reserve is touched; with room again the server goes on by itself."""
    mount = need("mount")
    with Server(users=[BOB]) as server:
        server.end()
        data = os.path.join(server.folder, "data")
        if subprocess.run([mount, "-t", "tmpfs", "-o", "size=8G,mode=700", "tmpfs", data],
                          capture_output=True, check=False).returncode:
            raise Skip("mount is not allowed")
        try:
            server.add_user(BOB)
            server.start()
            server.deliver(b"before\r\n")
            resize = [mount, "-o", "remount,size=200M", data]
            subprocess.run(resize, check=True)

            accepted = [b"before\r\n"]

            def is_refused():
                wire = server.smtp()
                reply = wire.say("MAIL FROM:<a@b.test>")
                if reply.startswith("250"):
                    wire.say(f"RCPT TO:<{BOB}>", "250")
                    accepted.append(b"%d\r\n" % len(accepted))
                    wire.expect(wire.data(accepted[-1]), "250")
                wire.close()
                return reply.startswith("452 4.3.1 ")

            until(is_refused, "452 at MAIL")
            equal([content_of(m) for m in server.messages(BOB)], accepted, "while it is full")
            resize[2] = "remount,size=8G"
            subprocess.run(resize, check=True)
            until(lambda: not is_refused(), "250 at MAIL")
            equal([content_of(m) for m in server.messages(BOB)], accepted, "with room again")
            server.end()
        finally:
            server.end(kill=True)
            subprocess.run([shutil.which("umount"), data], check=True)


# The control socket: only the server's user and root reach it, and they may say anything.

ODD_REQUESTS = [
    b"\n", b"{}\n", b"[]\n", b'"x"\n', b"{\n", b"\xff\xff\n", b'{"do":5}\n', b'{"do":"x"}\n',
    b'{"do":"a\\u0000b"}\n', b"[" * 60000 + b"\n", b"x" * 70000, b'{"do":"purge"}\n',
    b'{"do":"purge","mailbox":""}\n', b'{"do":"purge","mailbox":"zz"}\n',
    b'{"do":"purge","mailbox":"0"}\n', b'{"do":"purge","mailbox":"-1"}\n',
    b'{"do":"purge","mailbox":"ffffffffffffffff"}\n',
    b'{"do":"purge","mailbox":"ffffffffffffffffffffff"}\n',
]


def ask_control(server, octets):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(20)
    sock.connect(f"{server.folder}/data/control.sock")
    with contextlib.suppress(BrokenPipeError):    # too many ask at once: it hung up
        sock.sendall(octets)
    return sock


@case
def odd_requests_to_the_control_socket():
    with Server(users=[BOB]) as server:
        for request in ODD_REQUESTS:
            with ask_control(server, request) as sock:
                reply = sock.recv(4096)
                check(b'"ok":false' in reply, f"{request[:40]!r}: {reply!r}")
        for _ in range(100):
            ask_control(server, b'{"do":"reload"}\n').close()
        idle = [ask_control(server, b"{") for _ in range(64)]
        for sock in idle:
            sock.close()
        until(lambda: subprocess.run([server.program, "reload", "-c", server.config], check=False,
                                     capture_output=True).returncode == 0, "a reload")
        server.deliver(b"x\r\n")


if __name__ == "__main__":
    main()
