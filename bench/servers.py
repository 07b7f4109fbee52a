"""The servers under load, each a private instance: its own folder, a loopback address of its own.

Each has: name, start(), stop(), pid, the addresses of what it serves as (host, port), and drain(),
which returns when everything that was accepted is delivered.
"""

import os
import pathlib
import pwd
import re
import socket
import subprocess
import time

import world
from world import Trouble

DOMAIN = "bench.test"
PASSWORD = "secret"
BOX = f"box@{DOMAIN}"  # all mail goes to it
VISITORS = 10  # log in to empty maildrops: 0@bench.test and so on


def loopback(number):
    """An address that no other run on this machine uses: made of the process id."""
    pid = os.getpid()
    return f"127.{64 + (pid >> 8) % 64}.{pid & 255}.{number}"


def answers(address):
    """Whether a server says its greeting there."""
    try:
        with socket.create_connection(address, 1) as s:
            s.settimeout(2)
            return bool(s.recv(512))
    except OSError:
        return False


def visitors(count=VISITORS):
    return [f"{n}@{DOMAIN}" for n in range(count)]


class Server:
    name = "?"
    number = 0  # of its address

    def __init__(self, place):
        self.place = place
        self.folder = place.folder / re.sub("[^a-z]+", "-", self.name.lower())
        self.host = loopback(self.number)
        self.process = None
        self.smtp = self.lmtp = self.pop3 = None

    @property
    def pid(self):
        return self.process.pid

    def launch(self, command, address, **options):
        """Starts the program and waits for its greeting."""
        with open(self.folder / "output", "ab") as output:
            self.process = subprocess.Popen([str(c) for c in command], stdout=output,
                                            stderr=output, stdin=subprocess.DEVNULL, **options)

        def ready():
            if self.process.poll() is not None:
                words = (self.folder / "output").read_text(errors="replace")[-2000:]
                raise Trouble(f"{self.name} did not start: {words}")
            return answers(address)
        try:
            world.wait_for(f"{self.name} does not answer", ready)
        except Trouble:
            self.stop()
            raise

    def stop(self):
        if self.process:
            world.stop(self.process)
            self.process = None

    def drain(self):
        pass


class Godwit(Server):
    """The server that this is about."""
    name = "godwit"
    number = 1
    protocol = "off"
    number = 1

    def __init__(self, place, build):
        super().__init__(place)
        self.program = pathlib.Path(build, "src", "godwit").resolve()
        self.smtp, self.pop3 = (self.host, 2525), (self.host, 2110)
        self.configuration = self.folder / "godwit.conf"
        self.environment = dict(os.environ)

    def prepare(self, users=VISITORS):
        """A configuration, the box and so many visitors."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.configuration.write_text(f"""hostname = "mx.{DOMAIN}"
data = "{self.folder}/data"
listen smtp {{ address = "{self.host}:{self.smtp[1]}" }}
listen pop3 {{ address = "{self.host}:{self.pop3[1]}" }}
domain "{DOMAIN}" {{}}
limits {{ message = "50M"  connections = 12000  smtp_command = "10m" }}
log {{ file = "{self.folder}/log"  protocol = "{self.protocol}" }}
""")
        for address in [BOX, *visitors(users)]:
            self.add_user(address)

    def add_user(self, address):
        world.run(self.program, "user", "add", address, "--password-stdin",
                  "-c", self.configuration, input=PASSWORD + "\n")

    def start(self):
        if not self.configuration.exists():
            self.prepare()
        self.launch([self.program, "serve", "-c", self.configuration], self.smtp,
                    env=self.environment)

    def version(self):
        return world.run(self.program, "version").split("\n")[0].strip()


class LoggingGodwit(Godwit):
    """The same with a line in the log for each line of a session."""
    name = "godwit, log commands"
    number = 5
    protocol = "commands"


class FullGodwit(Godwit):
    """The same with a store that has been filled."""
    name = "godwit, full"
    number = 6


class Peers:
    """What tools/peers has unpacked."""

    def __init__(self, folder):
        self.root = pathlib.Path(folder, "root").resolve()
        libraries = pathlib.Path(folder, "libraries").read_text().split()
        self.environment = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": ":".join(libraries)}


class Peer(Server):
    """A server from unpacked packages."""

    def __init__(self, place, peers):
        super().__init__(place)
        self.root, self.environment = peers.root, peers.environment


class Sink(Peer):
    """smtp-sink throws messages away: what a server could reach that does nothing."""
    name = "smtp-sink"
    number = 2

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.smtp = (self.host, 2525)
        self.launch([self.root / "usr/sbin/smtp-sink", *(["-u", "daemon"] * (os.getuid() == 0)),
                     f"{self.host}:2525", "1000"], self.smtp, env=self.environment)


POSTFIX_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/lib
command_directory = {root}/usr/sbin
daemon_directory = {root}/usr/lib/postfix/sbin
shlib_directory = {root}/usr/lib/postfix
meta_directory = {root}/etc/postfix
mail_owner = news
setgid_group = uucp
default_privs = nobody
import_environment = MAIL_CONFIG LD_LIBRARY_PATH
myhostname = mx.{domain}
mydestination =
inet_interfaces = loopback-only
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = static:box/
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_mailbox_limit = 0
virtual_transport = virtual
message_size_limit = 52428800

# Tuned: no limits between client and server, no look-ups, processes that live on.
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_client_message_rate_limit = 0
smtpd_peername_lookup = no
disable_dns_lookups = yes
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions =
address_verify_map =
in_flow_delay = 0
max_use = 100000
default_process_limit = 100
default_destination_concurrency_limit = 50
initial_destination_concurrency = 50
"""

POSTFIX_MASTER = """
{host}:2525 inet n - n - - smtpd
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
virtual   unix  -       n       n       -       -       virtual
anvil     unix  -       -       n       -       1       anvil
"""


class Postfix(Peer):
    """SMTP in, delivered to a Maildir by its own agent.  Its master must be started by root."""
    name = "Postfix"
    number = 3
    queues = ("incoming", "active", "maildrop", "deferred")

    def __init__(self, place, peers):
        super().__init__(place, peers)
        self.smtp = (self.host, 2525)

    def prepare(self):
        mail, news, uucp = (pwd.getpwnam(n) for n in ("mail", "news", "uucp"))
        names = {"folder": self.folder, "root": self.root, "host": self.host, "domain": DOMAIN,
                 "uid": mail.pw_uid, "gid": mail.pw_gid}
        for name in ("etc", "lib", "mail", "queue"):
            (self.folder / name).mkdir(parents=True)
        os.chown(self.folder / "lib", news.pw_uid, -1)
        os.chown(self.folder / "mail", mail.pw_uid, mail.pw_gid)
        for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold",
                     "incoming", "private", "saved", "trace", "maildrop", "public", "pid"):
            folder = self.folder / "queue" / name
            folder.mkdir(mode=0o700)
            os.chown(folder, news.pw_uid if name != "pid" else 0, -1)
        for name, mode in (("maildrop", 0o730), ("public", 0o710)):
            os.chown(self.folder / "queue" / name, news.pw_uid, uucp.pw_gid)
            (self.folder / "queue" / name).chmod(mode)
        (self.folder / "etc/main.cf").write_text(POSTFIX_MAIN.format(**names))
        (self.folder / "etc/master.cf").write_text(POSTFIX_MASTER.format(**names))

    def start(self):
        if not self.folder.exists():
            self.prepare()
        environment = self.environment | {"MAIL_CONFIG": str(self.folder / "etc")}
        self.launch([self.root / "usr/lib/postfix/sbin/master", "-c", self.folder / "etc", "-d"],
                    self.smtp, env=environment)

    def drain(self):
        """Until no message is in the queue."""
        def empty():
            return not any(files for q in self.queues
                           for _, _, files in os.walk(self.folder / "queue" / q))
        world.wait_for("Postfix still delivers", empty, 120)

    def version(self):
        return "Postfix " + world.run(self.root / "usr/sbin/postconf", "-d", "-h", "mail_version",
                                      env=self.environment).strip()


DOVECOT = """
base_dir = {folder}/run
state_dir = {folder}/lib
default_internal_user = daemon
default_internal_group = daemon
default_login_user = nobody
log_path = {folder}/log
info_log_path = /dev/null
ssl = no
protocols = pop3 lmtp
listen = {host}
first_valid_uid = 1
disable_plaintext_auth = no
auth_mechanisms = plain
postmaster_address = postmaster@{domain}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%n
}}
mail_location = maildir:~/Maildir

# Tuned: processes that live on and serve many, no statistics, no limits.
stats_writer_socket_path =
mail_max_userip_connections = 0
service pop3-login {{
  chroot =
  service_count = 0
  process_min_avail = 2
  client_limit = 2000
  inet_listener pop3 {{
    port = 2110
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service pop3 {{
  service_count = 10000
  process_limit = 1000
}}
service lmtp {{
  service_count = 0
  process_limit = 100
  inet_listener lmtp {{
    port = 2424
  }}
}}
service auth {{
  client_limit = 12000
}}
service anvil {{
  client_limit = 12000
}}
"""


# Dovecot looks for its modules where it would be installed, whatever its configuration says; so it
# gets a view of the machine of its own in which they are there.
AS_INSTALLED = """
mount -t overlay -o "ro,lowerdir=$1/usr:/usr" overlay /usr || exit 1
shift
exec "$@"
"""


class Dovecot(Peer):
    """POP3 and LMTP with Maildir.  It must be started by root."""
    name = "Dovecot"
    number = 4

    def __init__(self, place, peers):
        super().__init__(place, peers)
        self.pop3, self.lmtp = (self.host, 2110), (self.host, 2424)

    def prepare(self):
        mail = pwd.getpwnam("mail")
        (self.folder / "mail").mkdir(parents=True)
        os.chown(self.folder / "mail", mail.pw_uid, mail.pw_gid)
        (self.folder / "dovecot.conf").write_text(DOVECOT.format(
            folder=self.folder, host=self.host, domain=DOMAIN, password=PASSWORD,
            uid=mail.pw_uid, gid=mail.pw_gid))

    def start(self):
        if not self.folder.exists():
            self.prepare()
        self.launch(["unshare", "--mount", "sh", "-c", AS_INSTALLED, "sh", self.root,
                     "/usr/sbin/dovecot", "-F", "-c", self.folder / "dovecot.conf"], self.pop3)

    def fill(self, count, octets):
        """Makes the Maildir of the box as LMTP would leave it, the sizes in the names; `octets` are
        those of a message as POP3 sends it.  What was there before goes."""
        maildir = self.folder / "mail" / "box" / "Maildir"
        owner = (self.folder / "mail").stat()
        world.run("rm", "-rf", maildir)
        for part in ("", "cur", "new", "tmp"):
            (maildir / part).mkdir(parents=True, exist_ok=True)
        line = b"X" * 78 + b"\n"
        body = b"From: sender\nSubject: filled\n\n"
        body += line * ((octets - len(body) - 3) // (len(line) + 1))
        size, wire = len(body), len(body) + body.count(b"\n")
        now = int(time.time())
        for n in range(count):
            name = maildir / "new" / f"{now}.M{n}P1.bench,S={size},W={wire}"
            name.write_bytes(body)
            os.chown(name, owner.st_uid, owner.st_gid)
        for part in (maildir.parent, maildir, *maildir.iterdir()):
            os.chown(part, owner.st_uid, owner.st_gid)

    def version(self):
        return "Dovecot " + world.run(self.root / "usr/sbin/dovecot", "--version",
                                      env=self.environment).split()[0]
