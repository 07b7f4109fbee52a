"""user_home - the home folder of a user, and the commands that he runs in it."""

import os
import shutil
import subprocess
import tempfile

from harness import TIMEOUT, TROUBLE, check


class UserHome:
    """Gone at the end, with all that is in it."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="godwit-")

    def __enter__(self):
        return self

    def __exit__(self, *why):
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def environment(self, password="secret"):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")}
        return dict(kept, HOME=self.folder, **{"GODWIT_PASSWORD": password} if password else {})

    def run(self, arguments, code=0, password="secret", text=b""):
        """Runs it to its end, without a terminal and with this text on standard input; returns
        standard output as octets, and what was told.  `code`: one, or several of which one must be
        it."""
        done = subprocess.run(arguments, input=text, cwd=self.folder, capture_output=True,
                              timeout=TIMEOUT, check=False, start_new_session=True,
                              env=self.environment(password))
        told = done.stderr.decode("utf-8", "replace")
        check(not TROUBLE.search(told), told)
        codes = code if isinstance(code, tuple) else (code,)
        check(done.returncode in codes, f"exit {done.returncode}: {done.stdout[:500]}{told}")
        if done.returncode:
            check("\n" in told and told.startswith("godwit: "), told)
        return done.stdout, told
