"""sendmail_world - a server that other users of this machine reach, for suites about them."""

import contextlib
import os
import pwd
import subprocess

from harness import TIMEOUT, Server, Skip, check, equal

ME = pwd.getpwuid(os.geteuid()).pw_name
AT = "mx.example.test"


class Machine(Server):
    """A server that other users of this machine reach, and a copy of godwit that they may run."""

    def __init__(self, *arguments, local="", **sections):
        super().__init__(*arguments, local=f'socket = "run/submit.sock"  spool = "spool" {local}',
                         **sections)
        os.chmod(self.folder, 0o711)
        os.chmod(self.config, 0o644)
        os.mkdir(os.path.join(self.folder, "run"))
        os.chmod(os.path.join(self.folder, "run"), 0o755)
        os.mkdir(self.spool)
        os.chmod(self.spool, 0o3733)
        self.copy = None

    @property
    def spool(self):
        return os.path.join(self.folder, "spool")

    @property
    def socket(self):
        return os.path.join(self.folder, "run", "submit.sock")

    def postings(self):
        return sorted(n for n in os.listdir(self.spool) if not n.startswith("."))

    def link(self, name):
        """The program by another name."""
        if not self.copy:
            self.copy = os.path.join(self.folder, "bin")
            os.mkdir(self.copy)
            os.chmod(self.copy, 0o755)
            # By a process of its own: what is started meanwhile would have our descriptor, and a
            # file that is written to cannot be run.
            subprocess.run(["cp", self.program, os.path.join(self.copy, "godwit")], check=True)
            os.chmod(os.path.join(self.copy, "godwit"), 0o755)
        path = os.path.join(self.copy, name)
        if not os.path.lexists(path):
            os.symlink("godwit", path)
        return path

    def sendmail(self, *words, text="Subject: x\n\nx\n", code=0, user=None, env=()):
        """Runs it, maybe as another user; returns what it printed, on both outputs."""
        program = [self.program, "sendmail"] if user is None else [self.link("sendmail")]
        who = {} if user is None else {"user": user, "group": user, "extra_groups": []}
        octets = text if isinstance(text, bytes) else text.encode()
        done = subprocess.run([*program, "-C", self.config, *words], input=octets,
                              capture_output=True, timeout=TIMEOUT, check=False, cwd="/",
                              env={**os.environ, **dict(env)}, **who)
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        equal(done.returncode, code, f"sendmail {' '.join(words)}: {said!r}")
        check("anitizer" not in said and "godwit: bug" not in said, said)
        return said

    def check(self):
        """What godwit check says, however it ends."""
        return subprocess.run([self.program, "check", "-c", self.config], capture_output=True,
                              timeout=TIMEOUT, check=False, text=True).stdout

    @contextlib.contextmanager
    def down(self):
        """Nobody serves meanwhile."""
        self.end()
        yield
        self.start()


def nobody():
    """The uid of a user who is not us."""
    if os.geteuid() != 0:
        raise Skip("only root may be somebody else")
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        raise Skip("no account nobody") from None


def header(message):
    return message.partition(b"\r\n\r\n")[0].decode("utf-8", "replace")
