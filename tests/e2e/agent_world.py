"""agent_world - godwit agent with somebody at it: on a terminal, or behind a pipe; and hosts that
say whatever a test wants."""

import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import termios
import threading
import time

from harness import TIMEOUT, TROUBLE, Failure, check, equal, godwit, own_address, until

FIRST, POP = "[smtp|pop|exit]>>> ", "[pop]>>> "


class Home:
    """A user's home folder, and the environment that goes with it."""

    def __init__(self, **environment):
        self.folder = tempfile.mkdtemp(prefix="godwit-agent-")
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith(("XDG_", "GODWIT", "LC_")) and name not in ("EDITRC",)}
        self.environment = {**kept, "HOME": self.folder, "LANG": "C.UTF-8", "TERM": "xterm",
                            **environment}

    def __enter__(self):
        return self

    def __exit__(self, *why):
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, words, mode=0o600):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(words)
        os.chmod(path, mode)
        return path

    def pipe(self, lines, *words, code=0, wrap=(), **environment):
        """The agent behind a pipe, maybe under another program: what it printed, and what went
        wrong."""
        done = subprocess.run([*wrap, godwit(), "agent", *words], capture_output=True, check=False,
                              input="".join(line + "\n" for line in lines).encode(),
                              timeout=2 * TIMEOUT, cwd=self.folder, start_new_session=True,
                              env={**self.environment, **environment})
        said, told = done.stdout, done.stderr.decode("utf-8", "replace")
        check(not TROUBLE.search(told), told)
        equal(done.returncode, code, f"exit code, {said!r} {told!r}")
        check(b"\x1b" not in done.stdout + done.stderr, f"an escape: {done.stdout!r}")
        return Talk(said, told)


class Talk:
    """What an agent said."""

    def __init__(self, octets, told):
        self.octets, self.told = octets, told
        self.said = octets.decode("utf-8", "replace")

    def has(self, *words):
        for word in words:
            check(word in self.said, f"{word!r} is not in {self.said!r}; {self.told!r}")

    def complains(self, *words):
        for word in words:
            check(word in self.told, f"{word!r} is not in {self.told!r}; {self.said!r}")


class Terminal:
    """The agent on a terminal: what is typed is seen, and so is what it says."""

    def __init__(self, home, *words, **environment):
        self.seen = ""
        # libedit keeps the names of the functions that it is given, to the end.
        environment = {**home.environment, "ASAN_OPTIONS": "detect_leaks=0", **environment}
        program = [godwit(), "agent", *words]
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.chdir(home.folder)
            try:
                os.execve(program[0], program, environment)
            finally:
                os._exit(127)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        os.close(self.master)
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def fill(self, deadline, words="the end"):
        ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            raise Failure(f"no {words!r} came behind {self.seen[-600:]!r}")
        try:
            octets = os.read(self.master, 65536)
        except OSError:    # the other side is gone
            octets = b""
        self.seen += octets.decode("utf-8", "replace")
        return len(octets) > 0

    def expect(self, words):
        """Reads until the words were seen, and forgets everything up to their end; returns it."""
        deadline = time.monotonic() + TIMEOUT
        while words not in self.seen:
            if not self.fill(deadline, words):
                raise Failure(f"it ended before {words!r}: {self.seen[-600:]!r}")
        at = self.seen.index(words) + len(words)
        before, self.seen = self.seen[:at], self.seen[at:]
        return before

    def type(self, words):
        """Keys for whoever reads lines: the prompt is shown a moment before it listens."""
        until(lambda: not termios.tcgetattr(self.master)[3] & termios.ECHO, "a prompt that listens")
        os.write(self.master, words.encode())

    def interrupt(self):
        """Ctrl-C while something is under way."""
        os.write(self.master, b"\x03")

    def line(self, words, then):
        """Types a line; what came up to `then`."""
        self.type(words + "\r")
        return self.expect(then)

    def end(self):
        """Waits until it is over; its exit code."""
        deadline = time.monotonic() + TIMEOUT
        while self.fill(deadline):
            pass
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def memory(self):
        """The most octets that it ever had in memory."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmHWM:\s+(\d+) kB", file.read())[1]) << 10


def plain(seen):
    """Without what moves the cursor, as it stands on the screen line by line."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\x07", "", seen).replace("\r\n", "\n")


class Host:
    """A port on loopback whose every connection is served by a function of the test."""

    def __init__(self, serve, tls=None, first=False):
        """`tls`: a context; `first`: TLS begins with the connection."""
        self.serve, self.tls, self.first = serve, tls, first
        self.lines, self.threads, self.sockets = [], [], []
        self.listener = socket.create_server((own_address(), 0))
        self.address, self.port = self.listener.getsockname()
        self.name = f"{self.address}:{self.port}"

    def __enter__(self):
        self.threads.append(threading.Thread(target=self.accept, daemon=True))
        self.threads[0].start()
        return self

    def __exit__(self, *why):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for sock in self.sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self.threads:
            thread.join(TIMEOUT)

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.settimeout(TIMEOUT)
            self.sockets.append(sock)
            self.threads.append(threading.Thread(target=self.run, args=(sock,), daemon=True))
            self.threads[-1].start()

    def run(self, sock):
        try:
            with sock:
                self.serve(Guest(self, sock))
        except (OSError, EOFError):
            pass


class Guest:
    """One connection of a Host."""

    def __init__(self, host, sock):
        self.host, self.sock, self.held, self.in_tls = host, sock, b"", False
        if host.first:
            self.shake()

    def shake(self):
        self.sock = self.host.tls.wrap_socket(self.sock, server_side=True)
        self.in_tls = True

    def say(self, *lines):
        self.sock.sendall(b"".join(
            (line if isinstance(line, bytes) else line.encode()) + b"\r\n" for line in lines))

    def read(self):
        """A line without its end."""
        while b"\n" not in self.held:
            octets = self.sock.recv(65536)
            if not octets:
                raise EOFError
            self.held += octets
        line, self.held = self.held.split(b"\n", 1)
        self.host.lines.append(line.rstrip(b"\r").decode("utf-8", "replace"))
        return self.host.lines[-1]

    def rest(self):
        """Until the other side has gone."""
        while self.sock.recv(65536):
            pass


def pop_host(answers, messages=2):
    """A POP3 server: `answers` gives lines to commands by their front, the longest first, or calls
    a function with the guest."""
    standard = {"CAPA": ["+OK", "USER", "PIPELINING", "UIDL", "TOP", "."], "USER": ["+OK"],
                "PASS": ["+OK in"], "STAT": [f"+OK {messages} 200"], "QUIT": ["+OK bye"],
                "NOOP": ["+OK"], "GREETING": ["+OK ready"], **answers}

    def serve(guest):
        way = standard["GREETING"]
        while True:
            if callable(way):
                way(guest)
            else:
                guest.say(*way)
            line = guest.read()
            fronts = [front for front in standard if line.startswith(front)]
            way = standard[max(fronts, key=len)] if fronts else ["-ERR what?"]
    return serve
