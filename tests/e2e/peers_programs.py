"""peers_programs - programs that call sendmail, which is godwit here: git send-email, cron, mutt
and three that are called mail.

Each runs in a view of the machine of its own, where Debian's packages of them (tools/peers) and
godwit are installed: it finds /usr/sbin/sendmail, that finds /etc/godwit/godwit.conf, and nobody
has told either of the other.  Users of the machine run them, not root, and the server judges who
they are.  The view takes root.
"""

import email
import email.policy
import os
import pwd
import re
import subprocess

import others
from harness import TIMEOUT, Skip, add_case, case, check, content_of, equal, main, need, until
from sendmail_world import AT, Machine, nobody

BOB, CAROL = "bob@example.test", "carol@example.test"
NOBODY, POSTMASTER = "nobody@example.test", "postmaster@example.test"

# $1: the unpacked packages, $2: godwit, $3: the folder of its server.  What it mounts only those
# see who begin with it.
AS_INSTALLED = """
mount -t overlay -o "ro,lowerdir=$1/usr:/usr" overlay /usr &&
    mount -t overlay -o "ro,lowerdir=$3/etc:/etc" overlay /etc &&
    mount --bind "$2" /usr/sbin/sendmail && mount --bind "$3" /etc/godwit &&
    cat /etc/mailname >/proc/sys/kernel/hostname || exit 77
for folder in /etc/cron.d /run /var/spool; do
    mount -t tmpfs -o mode=755 tmpfs $folder || exit 77
done
shift 3
exec "$@"
"""


class Installed(Machine):
    """A server, and the view in which all is installed.  Nobody is a user of the machine, and of
    the server."""

    def __init__(self, *users):
        nobody()
        others.environment()
        super().__init__(users=(NOBODY, POSTMASTER, *users))
        self.home = os.path.join(self.folder, "home")
        os.mkdir(self.home)
        os.chown(self.home, pwd.getpwnam("nobody").pw_uid, -1)
        for name in ("godwit", "cron.d"):
            os.makedirs(os.path.join(self.folder, "etc", name))
        self.write("etc/mailname", AT + "\n")

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o644)
        return path

    def words(self, *command, user=None):
        """To run a command in the view."""
        self.link("sendmail")
        who = ["setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}",
               "--clear-groups"] if user else []
        return ["unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc",
                "sh", "-c", AS_INSTALLED, "sh", others.ROOT, os.path.join(self.copy, "godwit"),
                self.folder, *who, *command]

    @property
    def environment(self):
        return {"HOME": self.home, "PATH": "/usr/bin:/usr/sbin:/bin:/sbin", "LANG": "C.UTF-8",
                "TERM": "dumb", "LOGNAME": "nobody", "USER": "nobody"}

    def run_in_view(self, *command, user="nobody", text="", cwd=None):
        """What it printed, on both outputs."""
        done = subprocess.run(self.words(*command, user=user), input=text.encode(),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              timeout=TIMEOUT, cwd=cwd or self.home, env=self.environment)
        said = done.stdout.decode("utf-8", "replace")
        if done.returncode == 77:
            raise Skip(f"no mounts of one's own: {said[-200:]}")
        equal(done.returncode, 0, f"{' '.join(command)}: {said}")
        return said

    def letters(self, user, count):
        """That many at least: what comes by the clock goes on coming."""
        until(lambda: len(self.messages(user)) >= count, f"{count} messages of {user}", 60)
        return [Letter(message) for message in self.messages(user)]


class Letter:
    """A message as it lies in a mailbox, and as Python reads it."""

    def __init__(self, raw):
        self.sender = re.match(rb"Return-Path: <(.*)>", raw)[1].decode()
        self.raw = content_of(raw)
        self.trace = raw[:-len(self.raw)].decode()
        self.read = email.message_from_bytes(self.raw, policy=email.policy.default)

    def __getitem__(self, name):
        return self.read[name]

    @property
    def text(self):
        part = self.read.get_body(("plain",))
        return part.get_content().replace("\r\n", "\n")


def check_user(letter, name="nobody", sender=f"nobody@{AT}"):
    """The server knows who it was."""
    uid = pwd.getpwnam(name).pw_uid
    check(f"Received: from {name} (uid {uid})" in letter.trace, letter.trace)
    equal(letter.sender, sender, "the sender")


# --- git send-email ---

FIRST, SECOND = "Grüße aus Köln", "a second line"
WORDS = "From here on it speaks two languages.\n\n>From there too.\n.\nLast.\n"
COVER = "two patches\n\nWhat they are for: 很好.\n"


class Repository:
    """Nobody's, with two commits that want to go to Bob."""

    def __init__(self, machine):
        self.machine = machine
        need("git")
        others.program("usr/lib/git-core/git-send-email")
        machine.write("home/.gitconfig", "[user]\nname = Jürgen Müller\n"
                      f"email = {NOBODY}\n[init]\ndefaultBranch = main\n"
                      "[sendemail]\nassume8bitEncoding = UTF-8\n")
        self.folder = os.path.join(machine.home, "project")
        os.mkdir(self.folder)
        os.chown(self.folder, pwd.getpwnam("nobody").pw_uid, -1)
        self.git("init", "-q")
        self.commit("base", "first\n\ttab  \nFrom x\n.\n")
        self.commit(f"{FIRST}\n\n{WORDS}", "first\n\ttab  \nFrom x\n.\nGrüße\nno end")
        self.commit(SECOND, "first\n\ttab  \n.\nGrüße\nno end")

    def git(self, *words, text="", cwd=None):
        return self.machine.run_in_view("git", *words, text=text, cwd=cwd or self.folder)

    def commit(self, words, text):
        path = os.path.join(self.folder, "file")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        self.git("add", "file")
        self.git("commit", "-q", "-F", "-", text=words)

    def series(self):
        """The files of the series, its cover letter written."""
        names = self.git("format-patch", "-2", "--cover-letter", "-o", "out").split()
        equal(len(names), 3, "files")
        path = os.path.join(self.folder, names[0])
        with open(path, encoding="utf-8") as file:
            text = file.read()
        subject, _, blurb = COVER.partition("\n\n")
        text = text.replace("*** SUBJECT HERE ***", subject).replace("*** BLURB HERE ***", blurb)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return names

    def apply(self, box):
        """In another copy: what it has then."""
        self.git("clone", "-q", self.folder, "copy", cwd=self.machine.home)
        copy = os.path.join(self.machine.home, "copy")
        self.git("reset", "-q", "--hard", "HEAD~2", cwd=copy)
        self.git("am", "-q", "--empty=drop", "--patch-format=mboxrd", box, cwd=copy)
        return self.history(copy)

    def history(self, cwd=None):
        return self.git("log", "--format=%T %an <%ae> %B", cwd=cwd)


def git_sends_a_series(sender, *words):
    """Two patches and their cover letter, to two people; what has come can be applied."""
    with Installed(BOB, CAROL) as machine:
        repository = Repository(machine)
        names = repository.series()
        words = [word.format(folder=machine.folder) for word in words]
        repository.git(*words, "send-email", "--confirm=never", f"--to=Bob <{BOB}>",
                       f"--cc={CAROL}", "--quiet", *names)
        letters = machine.letters(BOB, 3)
        equal(len(machine.letters(CAROL, 3)), 3, "copies")
        equal([letter["Subject"] for letter in letters],
              ["[PATCH 0/2] two patches", f"[PATCH 1/2] {FIRST}", f"[PATCH 2/2] {SECOND}"],
              "subjects")
        cover = letters[0]
        for letter in letters:
            check_user(letter, sender=sender)
            equal(letter["From"], f"Jürgen Müller <{NOBODY}>", "From")
        for letter in letters[1:]:
            equal((letter["In-Reply-To"], letter["References"]), (cover["Message-ID"],) * 2,
                  "the thread")
        equal(len({letter["Message-ID"] for letter in letters}), 3, "different names")
        check("很好" in cover.text, cover.text)
        box = machine.write("home/box", machine.run("export", BOB, "-"))
        equal(repository.apply(box), repository.history(), "what git am makes of it")


LOGIN = f"nobody@{AT}"    # where no envelope is said
for how, git_words in {
        "as-it-is-installed": (LOGIN,),
        "by-its-path": (LOGIN, "-c", "sendemail.smtpServer=/usr/sbin/sendmail"),
        "by-a-command": (LOGIN, "-c", "sendemail.sendmailCmd={folder}/bin/godwit sendmail "
                                      "-C {folder}/godwit.conf"),
        "with-an-envelope": (NOBODY, "-c", "sendemail.envelopeSender=auto")}.items():
    add_case(f"git-send-email-{how}", lambda git_words=git_words: git_sends_a_series(*git_words))


# --- cron ---

# Debian's asks PAM, which shall say yes.
PAM = "".join(f"{what} required pam_permit.so\n" for what in ("auth", "account", "session"))
SYSTEM_JOBS = """\
SHELL=/bin/sh
@reboot root echo from the system
@reboot nobody true
@reboot nobody echo from a user of the system
"""
USER_JOBS = f"""\
MAILTO={BOB}
@reboot printf 'Grüße\\n.\\nFrom here\\nlast'
* * * * * echo every minute
"""
START_CRON = """
mkdir -m 1730 -p /var/spool/cron/crontabs && cp "$1" /etc/cron.d/jobs &&
    crontab -u nobody "$2" && exec cron -f -L 7
"""


class Cron:
    """Debian's own, with these files of jobs."""

    def __init__(self, machine, *files):
        others.program("usr/sbin/cron")
        machine.write("etc/pam.d/cron", PAM)
        machine.write("etc/crontab", "")
        self.machine = machine
        self.words = ["sh", "-c", START_CRON, "sh", *files]

    def __enter__(self):
        with open(os.path.join(self.machine.folder, "cron.output"), "wb") as output:
            self.process = subprocess.Popen(
                self.machine.words(*self.words), stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"})
        return self

    def runs(self):
        code = self.process.poll()
        with open(os.path.join(self.machine.folder, "cron.output"), encoding="utf-8") as file:
            said = file.read()
        if code == 77:
            raise Skip(f"no mounts of one's own: {said[-200:]}")
        check(code is None, f"cron ended with {code}: {said}")
        return True

    def __exit__(self, *why):
        others.kill_namespace(self.process)


@case
def cron_mails_what_jobs_print():
    """It starts with the machine, before there is a server; and then lives on with it."""
    with Installed(BOB) as machine:
        jobs = machine.write("jobs", SYSTEM_JOBS), machine.write("mine", USER_JOBS)
        machine.end()
        with Cron(machine, *jobs) as cron:
            until(lambda: cron.runs() and len(machine.postings()) >= 3, "mail in the spool", 60)
            machine.start()
            until(lambda: cron.runs() and len(machine.messages(BOB)) >= 2, "the minute's job", 120)
        letters = machine.letters(BOB, 2)
        equal({letter.text for letter in letters},
              {"Grüße\n.\nFrom here\nlast\n", "every minute\n"}, "what the user's jobs printed")
        for letter in letters:
            check_user(letter)
            equal(letter["To"], BOB, "To")
            check(letter["Subject"].startswith("Cron <nobody@"), letter["Subject"])
            check(letter["X-Cron-Env"], "no X-Cron-Env")
        of_root, = machine.letters(POSTMASTER, 1)
        equal(of_root.text, "from the system\n", "what root's job printed")
        check_user(of_root, "root", f"root@{AT}")
        of_nobody, = machine.letters(NOBODY, 1)
        equal(of_nobody.text, "from a user of the system\n", "what nobody's job printed")
        check_user(of_nobody)


# --- mail and mutt ---

TEXT = "Grüße, 世界\n.\nFrom here on\n\nlast\n"
MUTTRC = f"""\
set realname = "Jürgen Müller"
set from = "{NOBODY}"
set use_from use_envelope_from
set copy = no
"""
MAILERS = {
    "bsd-mailx": ["usr/bin/bsd-mailx", "-s", "von mütt", BOB],
    "mailutils": ["usr/bin/mail.mailutils", "-a", "MIME-Version: 1.0", "-a",
                  "Content-Type: text/plain; charset=utf-8", "-s", "von mütt", BOB],
    "s-nail": ["s-nail", "-n", "-s", "von mütt", BOB],
    "mutt": ["usr/bin/mutt", "-n", "-F", "{home}/muttrc", "-s", "von mütt", BOB],
    "neomutt": ["neomutt", "-n", "-F", "{home}/muttrc", "-s", "von mütt", BOB],
}


def mails(name):
    program, *words = MAILERS[name]
    if "/" in program:
        others.program(program)
        program = "/" + program
    else:
        need(program)
    with Installed(BOB) as machine:
        machine.write("home/muttrc", MUTTRC)
        machine.run_in_view(program, *(word.format(home=machine.home) for word in words), text=TEXT)
        letter, = machine.letters(BOB, 1)
        equal(letter["Subject"], "von mütt", "Subject")
        equal(letter.text, TEXT, "text")
        check_user(letter, sender=NOBODY if "mutt" in name else f"nobody@{AT}")
        if "mutt" in name:
            equal(letter["From"], f"Jürgen Müller <{NOBODY}>", "From")


for mailer in MAILERS:
    add_case(f"{mailer}-sends", lambda mailer=mailer: mails(mailer))


if __name__ == "__main__":
    main()
