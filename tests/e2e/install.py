"""install - what `meson install` puts where, into a folder of its own, and what a package has."""

import os
import shutil
import subprocess
import tempfile

from harness import Skip, case, check, equal, godwit, main, need

FILES = ["etc/godwit/godwit.conf", "usr/local/bin/godwit",
         "usr/local/lib/systemd/system/godwit.service", "usr/local/lib/sysusers.d/godwit.conf",
         "usr/local/lib/tmpfiles.d/godwit.conf", "usr/local/share/man/man1/godwit.1",
         "usr/local/share/man/man5/godwit.conf.5"]


ROLES = ["smtp", "submission", "submissions", "pop3", "pop3s"]
TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


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
        sockets = [installed.path(f"{os.path.dirname(FILES[2])}/godwit-{r}.socket") for r in ROLES]
        done = subprocess.run([analyze, "verify", "--man=no", name, *sockets], text=True,
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


class Package:
    """A package of the build, unpacked."""

    def __enter__(self):
        need("meson")
        need("dpkg-shlibdeps")
        self.folder = tempfile.mkdtemp(prefix="godwit-")
        build = os.path.dirname(os.path.dirname(godwit()))
        done = subprocess.run([os.path.join(TREE, "tools", "deb"), build, self.folder], text=True,
                              capture_output=True, check=False)
        check(done.returncode == 0, done.stdout + done.stderr)
        self.name, self.mta = done.stdout.split()
        self.dpkg("--raw-extract", os.path.join(self.folder, "root"))
        return self

    def __exit__(self, *why):
        shutil.rmtree(self.folder)

    def dpkg(self, action, *arguments):
        return subprocess.run([need("dpkg-deb"), action, self.name, *arguments], text=True,
                              capture_output=True, check=True).stdout

    def path(self, name):
        return os.path.join(self.folder, "root", name)

    def lines(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read().splitlines()


@case
def a_package_has_what_an_installation_has():
    with Package() as package:
        for name in FILES:
            name += ".gz" if "/man/" in name else ""
            check(os.path.exists(package.path(name)), f"no {name}")
        equal(package.lines("DEBIAN/conffiles"), ["/etc/godwit/godwit.conf"], "conffiles")
        owners = {row.split()[1] for row in package.dpkg("--contents").splitlines()}
        equal(owners, {"root/root"}, "owners")
        fields = package.dpkg("--field")
        for wanted in ("Package: godwit\n", "libuv1", "libsqlite3-0", "libssl3", "systemd"):
            check(wanted in fields, f"{wanted!r} is not in {fields}")


@case
def sendmail_is_a_package_of_its_own():
    """Who installs godwit beside another mail server keeps that one's names."""
    with Package() as package:
        check("sbin/sendmail" not in package.dpkg("--contents"), "godwit takes /usr/sbin/sendmail")
        for name in ("sendmail", "mailq", "newaliases"):
            link = os.readlink(package.path(f"usr/local/lib/godwit/{name}")
                               if os.path.lexists(package.path("usr/local"))
                               else package.path(f"usr/lib/godwit/{name}"))
            equal(link, "../../bin/godwit", name)
        package.name = package.mta
        for row in ("./usr/sbin/sendmail -> ../bin/godwit", "./usr/lib/sendmail -> ../bin/godwit",
                    "./usr/bin/mailq -> godwit", "./usr/bin/newaliases -> godwit"):
            check(row in package.dpkg("--contents"), f"no {row}")
        fields = package.dpkg("--field")
        for field in ("Provides", "Conflicts", "Replaces"):
            check(f"{field}: mail-transport-agent\n" in fields, f"no {field} in {fields}")


@case
def a_package_starts_nothing_of_itself():
    """Its scripts are right, and what starts the server asks whether it was there before."""
    with Package() as package:
        for script in ("postinst", "prerm", "postrm"):
            name = f"DEBIAN/{script}"
            check(os.access(package.path(name), os.X_OK), f"{script} cannot be run")
            subprocess.run(["sh", "-n", package.path(name)], check=True)
            for line in package.lines(name):
                if "systemctl" in line and "start" in line:
                    check('[ -z "$2" ]' in line and "try-restart" in line, line)
                check("rm " not in line, f"{script} removes something: {line}")


if __name__ == "__main__":
    main()
