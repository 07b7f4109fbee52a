"""install - what `meson install` puts where, into a folder of its own."""

import os
import shutil
import subprocess
import tempfile

from harness import Skip, case, check, equal, godwit, main, need

FILES = ["etc/godwit/godwit.conf", "usr/local/bin/godwit",
         "usr/local/lib/systemd/system/godwit.service", "usr/local/lib/sysusers.d/godwit.conf",
         "usr/local/lib/tmpfiles.d/godwit.conf", "usr/local/share/man/man1/godwit.1",
         "usr/local/share/man/man5/godwit.conf.5"]


class Installation:
    """A build installed under a temporary folder."""

    def __enter__(self):
        self.build = os.path.dirname(os.path.dirname(godwit()))
        self.folder = tempfile.mkdtemp(prefix="godwit-")
        self.install()
        return self

    def __exit__(self, *why):
        shutil.rmtree(self.folder)

    def install(self):
        done = subprocess.run([need("meson"), "install", "-C", self.build, "--no-rebuild"],
                              env=dict(os.environ, DESTDIR=self.folder), capture_output=True,
                              text=True, check=False)
        check(done.returncode == 0, done.stdout + done.stderr)

    def path(self, name):
        return os.path.join(self.folder, name)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()


@case
def everything_is_put_in_place():
    with Installation() as installed:
        for name in FILES:
            check(os.path.exists(installed.path(name)), f"no {name}")
        check(os.access(installed.path(FILES[1]), os.X_OK), "the program cannot be run")


@case
def a_configuration_that_is_there_stays():
    with Installation() as installed:
        with open(installed.path(FILES[0]), "a", encoding="utf-8") as file:
            file.write("# mine\n")
        before = installed.read(FILES[0])
        installed.install()
        equal(installed.read(FILES[0]), before, "godwit.conf")


@case
def the_example_configuration_is_right():
    """`godwit check` may miss the user and the ports, but not understand the file."""
    with Installation() as installed:
        done = subprocess.run([godwit(), "check", "-c", installed.path(FILES[0])], text=True,
                              capture_output=True, timeout=30, check=False)
        check(done.returncode in (0, 1), f"exit {done.returncode}: {done.stdout}{done.stderr}")
        equal([row for row in done.stdout.splitlines() if row.startswith("error config")], [],
              "errors")


@case
def the_unit_is_right():
    """systemd understands every line, and starts what was installed."""
    analyze = need("systemd-analyze")
    with Installation() as installed:
        unit = installed.read(FILES[2])
        check("ExecStart=/usr/local/bin/godwit serve\n" in unit, "another program is started")
        name = installed.path("godwit.service")
        with open(name, "w", encoding="utf-8") as file:
            file.write(unit.replace("/usr/local", installed.path("usr/local")))
        done = subprocess.run([analyze, "verify", "--man=no", name], text=True,
                              capture_output=True, check=False)
        if "Failed to initialize manager" in done.stderr:
            raise Skip("systemd-analyze does not work here")
        equal(done.stderr, "", "what systemd-analyze says")


@case
def the_man_pages_are_right():
    mandoc = need("mandoc")
    with Installation() as installed:
        for name in FILES[5:]:
            done = subprocess.run([mandoc, "-T", "lint", "-W", "warning", installed.path(name)],
                                  text=True, capture_output=True, check=False)
            equal(done.stdout + done.stderr, "", f"what mandoc says of {name}")


if __name__ == "__main__":
    main()
