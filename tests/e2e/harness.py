"""harness - a godwit of one's own, seen from outside.

Each Server is a world: a folder of its own under the system's temporary one and a loopback address
of its own, 127.x.y.z, made of this process's id, so that suites may run side by side.  Nothing here
sleeps: the server says READY=1 and we wait for that; its end is waited for, and looked at.

A suite is a file with functions marked @case, and `harness.main()` at its end.  It prints one line
a case, "ok NAME", "FAIL NAME: why" or "skip NAME: why", and the counts.

    GODWIT=PROGRAM python3 SUITE.py [CASE...]       KEEP=1 leaves the folders of failed cases
                                                    GODWIT_PATIENCE=N waits N times as long
"""

import concurrent.futures
import contextlib
import functools
import getpass
import itertools
import json
import os
import re
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import traceback

from wire import Broken, Pop, Smtp

PATIENCE = int(os.environ.get("GODWIT_PATIENCE", "1"))    # more under a sanitizer
TIMEOUT = 30 * PATIENCE
TROUBLE = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|godwit: bug:")
ROLES = {"smtp": 0, "submission": 1, "submissions": 2, "pop3": 3, "pop3s": 4}


class Failure(Exception):
    """What a case claims does not hold."""


class Skip(Exception):
    """The case cannot be run here; the words say why."""


def check(condition, words):
    if not condition:
        raise Failure(words)


def equal(found, wanted, what):
    """Compares values; of long octet strings the words show the place where they part."""
    if found == wanted:
        return
    if isinstance(found, bytes) and isinstance(wanted, bytes):
        at = len(os.path.commonprefix([found, wanted]))
        what += f" ({len(found)} octets, wanted {len(wanted)}, apart at {at})"
        found, wanted = found[max(0, at - 20):at + 40], wanted[max(0, at - 20):at + 40]
    raise Failure(f"{what}: {found!r}, wanted {wanted!r}")


def until(holds, what, seconds=20):
    """Waits for something that the server does on its own; asks again and again, briefly."""
    seconds *= PATIENCE
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise Failure(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def need(program):
    """The path of a program that a case calls; the case is skipped where there is none."""
    path = shutil.which(program)
    if not path:
        raise Skip(f"no {program}")
    return path


def godwit():
    path = os.environ.get("GODWIT", "build/debug/src/godwit")
    check(os.access(path, os.X_OK), f"no program {path}")
    return os.path.abspath(path)


@functools.cache
def is_sanitized():
    """Whether the program's memory is a sanitizer's affair."""
    with open(godwit(), "rb") as file:
        return re.search(rb"__[at]san_init", file.read()) is not None


def own_address():
    """An address of the loopback network that no other living process takes."""
    pid = os.getpid()
    return f"127.{64 + (pid >> 16)}.{pid >> 8 & 255}.{pid & 255}"


class World:
    """A folder with a configuration in it, and the commands run on it."""

    counter = itertools.count()
    hostname = "mx.example.test"

    def __init__(self, domains=("example.test",), roles=("smtp", "pop3"), **sections):
        """`sections`: the body of a section by its name, e.g. relay="trusted = {}"."""
        self.program = godwit()
        self.folder = tempfile.mkdtemp(prefix="godwit-")
        self.address = own_address()
        first_port = 10000 + 10 * next(World.counter)
        self.ports = {role: first_port + ROLES[role] for role in roles}
        self.config = os.path.join(self.folder, "godwit.conf")
        self.log_name = os.path.join(self.folder, "log")
        self.sections = {"log": 'protocol = "commands"', **sections}
        self.domains = list(domains)
        self.write_config()

    def write_config(self):
        lines = [f'hostname = "{self.hostname}"', 'data = "data"', f'user = "{getpass.getuser()}"']
        lines += [f'listen {role} {{ address = "{self.address}:{port}" }}'
                  for role, port in self.ports.items()]
        lines += [d if "{" in d else f'domain "{d}" {{}}' for d in self.domains]
        lines += [f"{name} {{ {body} }}" for name, body in self.sections.items() if body]
        with open(self.config, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")

    def run(self, *words, text=None, code=0):
        """Runs a command on this world; checks its exit code and returns what it printed."""
        done = subprocess.run([self.program, *words, "-c", self.config], cwd=self.folder,
                              input=(text or "").encode(), capture_output=True, timeout=TIMEOUT,
                              check=False)
        said, told = (octets.decode("utf-8", "replace") for octets in (done.stdout, done.stderr))
        check(done.returncode == code, f"godwit {' '.join(words)}: exit {done.returncode}, wanted "
              f"{code}: {said}{told}")
        check(not TROUBLE.search(told), f"godwit {' '.join(words)}: {told}")
        return said

    def rows(self, *words):
        """What a command lists, in JSON Lines; no key stands twice in one."""
        def once(pairs):
            equal(len(dict(pairs)), len(pairs), "different keys")
            return dict(pairs)
        return [json.loads(line, object_pairs_hook=once)
                for line in self.run(*words, "--json").split("\n") if line]

    def check_store(self):
        """With nobody running: what the index says must be what the journal says."""
        self.run("check", "--store")
        equal(self.dump("live"), self.dump("rebuilt"), "the index, and one made anew")

    def index(self, question):
        """Rows straight from the store's index, whoever serves it meanwhile."""
        name = os.path.join(self.folder, "data", "index.db")
        with contextlib.closing(sqlite3.connect(f"file:{name}?mode=ro", uri=True)) as index:
            return index.execute(question).fetchall()

    def dump(self, what):
        program = os.path.join(os.path.dirname(self.program), "..", "tests", "store", "dump")
        if not os.access(program, os.X_OK):
            raise Skip(f"no program {program}")
        return subprocess.run([program, os.path.join(self.folder, "data"), what], check=True,
                              capture_output=True).stdout

    def add_user(self, address, password="secret"):
        self.run("user", "add", "--password-stdin", address, text=password + "\n")

    def log(self):
        if not os.path.exists(self.log_name):
            return ""
        with open(self.log_name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_log(self, pattern):
        """The log is written a moment later than what it tells of can be seen."""
        until(lambda: re.search(pattern, self.log()), f"{pattern!r} in the log")

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class Server(World):
    """A running server: `with Server() as server: ...`.  Leaving stops it and looks at its end."""

    def __init__(self, *arguments, users=(), **sections):
        super().__init__(*arguments, **sections)
        self.process = None
        self.wires = []
        for user in users:
            self.add_user(user)

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.end(kill=True)
            raise
        return self

    def __exit__(self, kind, error, trace):
        for wire in self.wires:
            wire.close()
        try:
            if self.process:
                self.end(kill=kind is not None)
        finally:
            if error and not hasattr(error, "log"):
                error.log = self.log()[-4000:]
            if error and os.environ.get("KEEP"):
                print(f"# kept: {self.folder}")
            else:
                self.remove()

    def start(self, *wrap):
        """Starts the server, maybe under another program, and waits until it says it is ready."""
        name = os.path.join(self.folder, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(name)
            os.chmod(name, 0o777)    # the server may be somebody else
            try:
                with open(self.log_name, "ab") as log:
                    self.process = subprocess.Popen(
                        [*wrap, self.program, "serve", "-c", self.config], cwd=self.folder,
                        stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                        env=dict(os.environ, NOTIFY_SOCKET=name))
                self.wait_ready(notify)
            finally:
                os.unlink(name)

    def wait_ready(self, notify):
        """Whatever comes first: the word, or the end of the process."""
        ended = os.pidfd_open(self.process.pid)
        deadline = time.monotonic() + TIMEOUT
        try:
            while True:
                ready, _, _ = select.select([notify, ended], [], [],
                                            max(0, deadline - time.monotonic()))
                if notify in ready and b"READY=1" in notify.recv(4096).split(b"\n"):
                    return
                check(ready, "the server did not become ready")
                check(ended not in ready or notify in ready,
                      f"the server ended with {self.process.poll()}: {self.log()[-300:]}")
        finally:
            os.close(ended)

    def memory(self):
        """The resident octets."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+) kB", file.read())[1]) << 10

    def check_memory(self, before, megabytes):
        """It has not grown by more than this since it was `before`."""
        grown = self.memory() - before >> 20
        check(grown <= megabytes or is_sanitized(), f"memory grew by {grown} MB")

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        """The exit code of a server that is on its way out."""
        try:
            return self.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failure(f"the server did not end within {TIMEOUT} s") from None

    def end(self, kill=False):
        """Stops the server; without `kill` it must end well and have nothing to report."""
        process, self.process = self.process, None
        if not process:
            return
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        self.process = process
        code = self.wait()
        self.process = None
        while self.wires:
            self.wires.pop().close()
        trouble = None if kill else TROUBLE.search(self.log())
        if not kill and (code or trouble):
            failure = Failure(f"the server ended with {code} and reports trouble")
            failure.log = self.log()[trouble.start():][:6000] if trouble else self.log()[-4000:]
            raise failure

    def restart(self, kill=False):
        self.end(kill)
        self.start()

    def connect(self, role="smtp", source=None):
        """A bare connection, nothing read from it yet."""
        where = (self.address, self.ports[role])
        sock = socket.create_connection(where, TIMEOUT, (source, 0) if source else None)
        wire = (Pop if role.startswith("pop3") else Smtp)(sock)
        self.wires.append(wire)
        return wire

    def smtp(self, hello="EHLO client.test", source=None):
        """A session that has been greeted."""
        wire = self.connect("smtp", source)
        wire.expect(wire.reply(), "220")
        if hello:
            wire.say(hello, "250")
        return wire

    def pop(self, user, password="secret"):
        """A session that is logged in."""
        wire = self.connect("pop3")
        wire.expect(wire.line(), "+OK")
        wire.say(f"USER {user}", "+OK")
        wire.say(f"PASS {password}", "+OK")
        return wire

    def deliver(self, content, sender="someone@elsewhere.test", to=("bob@example.test",)):
        """Sends content by DATA, dots doubled here; returns the message's id."""
        wire = self.smtp()
        wire.say(f"MAIL FROM:<{sender}>", "250")
        for recipient in to:
            wire.say(f"RCPT TO:<{recipient}>", "250")
        reply = wire.data(content)
        wire.expect(reply, "250 2.0.0 accepted as ")
        wire.say("QUIT", "221")
        wire.close()
        return reply.split()[-1]

    def messages(self, user, password="secret"):
        """All messages of a maildrop, octet for octet."""
        wire = self.pop(user, password)
        count = int(wire.say("STAT", "+OK").split()[1])
        found = [wire.retr(number) for number in range(1, count + 1)]
        wire.say("QUIT", "+OK")
        wire.close()
        return found

    def only_message(self, user):
        found = self.messages(user)
        equal(len(found), 1, f"messages of {user}")
        return found[0]

    def wait_mail(self, user, count=1, seconds=30):
        """That many messages of a user."""
        until(lambda: len(self.messages(user)) >= count, f"{count} messages for {user}", seconds)
        found = self.messages(user)
        equal(len(found), count, f"messages for {user}")
        return found


TRACE = re.compile(rb"Return-Path: <[^\r\n]*>\r\nDelivered-To: [^\r\n]*\r\n"
                   rb"Received: [^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")


def content_of(message):
    """A stored message without the trace fields that the server put on top."""
    trace = TRACE.match(message)
    check(trace, f"no trace fields on top of {message[:300]!r}")
    return message[trace.end():]


CASES = []


def case(function):
    """Marks a function as a case; its name becomes the case's."""
    CASES.append((function.__name__.replace("_", "-"), function))
    return function


def add_case(name, function):
    CASES.append((name, function))


class Tally:
    """One line a case, and the counts."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.lock = threading.Lock()

    def run(self, name, function):
        try:
            function()
        except Skip as why:
            with self.lock:
                self.skipped += 1
                print(f"skip {name}: {why}", flush=True)
        except Exception as error:  # whatever a case runs into, the others go on
            with self.lock:
                self.failed += 1
                self.tell(name, error)
        else:
            with self.lock:
                self.passed += 1
                print(f"ok {name}", flush=True)

    def tell(self, name, error):
        words = str(error).replace("\n", " ")[:500] or type(error).__name__
        print(f"FAIL {name}: {words}")
        told = getattr(error, "log", "").splitlines()[-60:]
        if not isinstance(error, (Failure, Broken)):
            told = "".join(traceback.format_exception(error)).splitlines() + told
        for line in told:
            print(f"    {line}", flush=True)


def main(side_by_side=1):
    """Runs the cases that are named, or all; so many at the same time, for those that wait."""
    tally = Tally()
    wanted = sys.argv[1:]
    with concurrent.futures.ThreadPoolExecutor(side_by_side) as pool:
        runs = [pool.submit(tally.run, name, function) for name, function in CASES
                if not wanted or name in wanted]
        try:
            concurrent.futures.wait(runs)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    sys.exit(1 if tally.failed or not tally.passed + tally.skipped else 0)
