"""others - Postfix, Exim, OpenSMTPD and Dovecot as private instances, and a resolver for them, from
what tools/peers has unpacked.

Each runs in a view of the machine of its own: its programs stand under /usr as if they were
installed, its accounts in /etc/passwd, and whoever ends the instance ends all its processes.  That
takes root; without it, or without build/peers, a case is skipped.

An instance serves one domain with one user, `USER`; mail for anybody else at the domain is refused.
For all other domains it asks DNS, or hands all to one next hop.
"""

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile

from harness import Failure, Skip, check, equal, until
from wire import Smtp

USER = "carol"
PEERS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
                     "build", "peers")
ROOT = os.path.join(PEERS, "root")
START_SECONDS = 30

# $1: the unpacked packages, $2: the instance's folder.  What it mounts only it can see.
AS_INSTALLED = """
mount -t overlay -o "ro,lowerdir=$1/usr:/usr" overlay /usr || exit 77
for name in passwd group resolv.conf; do
    mount --bind "$2/etc/$name" "/etc/$name" || exit 77
done
for folder in /run /var/lib /var/spool; do
    mount -t tmpfs -o mode=755 tmpfs $folder || exit 77
done
mkdir -m 711 /var/spool/smtpd && mkdir -p -m 755 /var/lib/opensmtpd/empty || exit 77
shift 2
exec "$@"
"""
ACCOUNTS = (("Debian-exim", 901), ("opensmtpd", 902), ("opensmtpq", 903))


def environment():
    """For a program of the peers' that is called as it lies there."""
    try:
        with open(os.path.join(PEERS, "libraries"), encoding="utf-8") as file:
            libraries = ":".join(file.read().split())
    except FileNotFoundError:
        raise Skip("no build/peers: tools/peers makes it") from None
    return dict(os.environ, LD_LIBRARY_PATH=libraries, MAIL_CONFIG=os.path.join(PEERS, "none"))


def program(path):
    path = os.path.join(ROOT, path)
    if not os.path.exists(path):
        raise Skip(f"no {os.path.basename(path)}: tools/peers unpacks it")
    return path


def kill_namespace(process):
    """Ends an `unshare --pid --fork` and all that it has begun: they go with the first of their
    process namespace, which is its one child."""
    if process.poll() is None:
        with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as file:
            first = file.read().split()
        for pid in first or [process.pid]:
            os.kill(int(pid), signal.SIGKILL)
        process.wait()


class Other:
    """A server of another make: `with Postfix(address, "b.test", hop=(host, port)) as other`.  It
    is on port 25, where all expect it."""

    port = 25
    binary = None

    def __init__(self, address, domain, hop=None, dns=None, more=""):
        """`hop`: where all other mail goes; else `dns`, the address of a server on port 53, says
        where.  `more`: lines for its configuration."""
        self.address, self.domain, self.hop, self.dns = address, domain, hop, dns
        self.more = more
        program(self.binary)
        if os.getuid() != 0:
            raise Skip(f"{type(self).__name__} can be started by root only")
        self.folder = tempfile.mkdtemp(prefix="other-")
        os.chmod(self.folder, 0o755)
        self.process = None

    def file(self, name, text, mode=0o644):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def prepare(self):
        for name in ("passwd", "group"):
            with open(f"/etc/{name}", encoding="utf-8") as file:
                text = file.read()
            for account, number in ACCOUNTS:
                rest = f"{number}::/nonexistent:/bin/false" if name == "passwd" else ""
                text += f"{account}:x:{number}:{rest}\n"
            self.file(f"etc/{name}", text)
        self.file("etc/resolv.conf", f"nameserver {self.dns}\n" if self.dns else "")
        mail = pwd.getpwnam("mail")
        os.makedirs(self.folder + "/mail")
        os.chown(self.folder + "/mail", mail.pw_uid, mail.pw_gid)
        return self.names()

    def names(self):
        """What its configuration may name."""
        mail = pwd.getpwnam("mail")
        return {"folder": self.folder, "address": self.address, "port": self.port,
                "domain": self.domain, "uid": mail.pw_uid, "gid": mail.pw_gid, "user": USER,
                "hop": self.hop and "{}:{}".format(*self.hop)}

    def launch(self, *command):
        self.command = command
        self.start_again()

    def start_again(self):
        env = dict(os.environ, MAIL_CONFIG=self.folder + "/postfix")
        with open(os.path.join(self.folder, "output"), "ab") as output:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh",
                 "-c", AS_INSTALLED, "sh", ROOT, self.folder, *self.command],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env)
        until(self.is_ready, f"{type(self).__name__} greets", START_SECONDS)

    def is_ready(self):
        code = self.process.poll()
        if code == 77:
            raise Skip("no mounts of one's own: " + self.said()[-200:])
        check(code is None, f"{type(self).__name__} ended with {code}: {self.said()[-600:]}")
        try:
            with socket.create_connection((self.address, self.port), 1) as sock:
                sock.settimeout(2)
                return self.greets(sock)
        except OSError:
            return False

    def greets(self, sock):
        return sock.recv(512).startswith(b"220")

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def kill(self):
        """All its processes, at once."""
        process, self.process = self.process, None
        if process:
            kill_namespace(process)

    def __exit__(self, kind, error, trace):
        self.kill()
        if isinstance(error, Failure):
            error.log = getattr(error, "log", "") + self.said()[-3000:]
        shutil.rmtree(self.folder, ignore_errors=True)

    def said(self):
        """Its log, as far as it keeps one, and what it printed."""
        found = ""
        for name in ("log/main", "output"):
            path = os.path.join(self.folder, name)
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as file:
                    found += file.read()
        return found

    @property
    def user(self):
        return f"{USER}@{self.domain}"

    def submit(self, content, sender, *recipients, parameters=""):
        """Gives it a message as a client would."""
        wire = Smtp(socket.create_connection((self.address, self.port), START_SECONDS))
        try:
            wire.expect(wire.reply(), "220")
            wire.say("EHLO client.test", "250")
            wire.say(f"MAIL FROM:<{sender}>{parameters}", "250")
            for recipient in recipients:
                wire.say(f"RCPT TO:<{recipient}>", "250")
            wire.expect(wire.data(content), "250")
            wire.say("QUIT", "221")
        finally:
            wire.close()

    def mail(self):
        """What is in its user's mailbox, lines ended by CRLF as they came."""
        folder, found = os.path.join(self.folder, "mail", USER), []
        for part in ("new", "cur", "Maildir/new"):
            path = os.path.join(folder, part)
            for name in sorted(os.listdir(path)) if os.path.isdir(path) else ():
                with open(os.path.join(path, name), "rb") as file:
                    found.append(file.read().replace(b"\n", b"\r\n"))
        return found

    def wait_mail(self, count, seconds=60):
        """That many messages; a moment later they are no more."""
        until(lambda: len(self.mail()) >= count, f"{count} messages at {self.user}", seconds)
        check(len(self.mail()) == count, f"{len(self.mail())} messages, wanted {count}")
        return self.mail()

    def expect_logins(self, wanted):
        """Those with whom one can log in write of it when they get to it: these, and no others."""
        until(lambda: len(self.logins()) >= len(wanted), f"{len(wanted)} logins in its log")
        equal(self.logins(), wanted, "logins")


POSTFIX_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/lib
mail_owner = news
setgid_group = uucp
default_privs = nobody
import_environment = MAIL_CONFIG
myhostname = mx.{domain}
mydestination =
inet_interfaces = all
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
maillog_file = {folder}/log/main
maillog_file_prefixes = /
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = inline:{{ {{ {user}@{domain} = {user}/ }} }}
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_transport = virtual
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_mynetworks, reject
smtp_bind_address = {address}
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
"""
POSTFIX_BY_HOP = """
disable_dns_lookups = yes
relayhost = [{hop_host}]:{hop_port}
"""
POSTFIX_MASTER = """
{address}:{port} inet n - n - - smtpd
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       1       1       qmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
smtp      unix  -       -       n       -       -       smtp
relay     unix  -       -       n       -       -       smtp
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
virtual   unix  -       n       n       -       -       virtual
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
postlog   unix-dgram n  -       n       -       1       postlogd
"""
POSTFIX_QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming",
                  "private", "saved", "trace", "maildrop", "public", "pid")


class Postfix(Other):
    binary = "usr/lib/postfix/sbin/master"
    master = POSTFIX_MASTER

    def prepare_queue(self):
        news, uucp = pwd.getpwnam("news"), pwd.getpwnam("uucp")
        for name in ("lib", "log", "queue"):
            os.makedirs(os.path.join(self.folder, name))
        os.chown(self.folder + "/lib", news.pw_uid, -1)
        for name in POSTFIX_QUEUES:
            path = os.path.join(self.folder, "queue", name)
            os.mkdir(path, 0o700)
            os.chown(path, news.pw_uid if name != "pid" else 0, -1)
        for name, mode in (("maildrop", 0o730), ("public", 0o710)):
            path = os.path.join(self.folder, "queue", name)
            os.chown(path, news.pw_uid, uucp.pw_gid)
            os.chmod(path, mode)

    def start(self):
        names = self.prepare()
        self.prepare_queue()
        main = POSTFIX_MAIN
        if self.hop:
            main += POSTFIX_BY_HOP
            names["hop_host"], names["hop_port"] = self.hop
        self.file("postfix/main.cf", main.format(**names) + self.more)
        self.file("postfix/master.cf", self.master.format(**names))
        self.launch("/usr/lib/postfix/sbin/master", "-c", self.folder + "/postfix", "-d")


# Submission as it is offered to users: a login, and TLS before it.  On port 25 too.
POSTFIX_SUBMISSION = """
{address}:587 inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
{address}:465 inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
"""
POSTFIX_LOGINS = """
smtpd_tls_chain_files = {key}, {certificate}
smtpd_tls_received_header = yes
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
"""
# Whatever Dovecot is there for: one user with `password`.
DOVECOT = """
base_dir = {folder}/dovecot
state_dir = {folder}/dovecot
default_internal_user = news
default_internal_group = news
default_login_user = nobody
listen = {address}
auth_mechanisms = plain login scram-sha-1 scram-sha-256
auth_failure_delay = 0
stats_writer_socket_path =
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail
}}
"""
DOVECOT_AUTH = DOVECOT + """
log_path = {folder}/log/dovecot
protocols =
ssl = no
disable_plaintext_auth = no
service auth {{
  unix_listener {folder}/queue/private/auth {{
    mode = 0666
  }}
}}
"""


class ByDovecot:
    """Whoever is launched has Dovecot's library of mechanisms beside it."""

    mechanisms = ("plain", "login", "scram-sha-1", "scram-sha-256")

    def launch(self, *command):
        os.makedirs(os.path.join(self.folder, "queue", "private"), exist_ok=True)
        names = {**self.names(), "password": self.password}
        config = self.file("dovecot.conf", DOVECOT_AUTH.format(**names))
        super().launch("sh", "-c", '/usr/sbin/dovecot -c "$1" && shift && exec "$@"', "sh", config,
                       *command)


DOVECOT_POP3 = DOVECOT + """
log_path = {folder}/log/main
protocols = pop3
ssl = required
ssl_cert = <{pem}
ssl_key = <{key}
auth_verbose = yes
first_valid_uid = 1
mail_location = maildir:{folder}/mail/{user}
pop3_lock_session = yes
service pop3-login {{
  chroot =
}}
"""


class Dovecot(Other):
    """POP3 with TLS, on port 110 behind STLS and on 995, for one user with `password`."""

    port = 110
    binary = "usr/sbin/dovecot"
    mechanisms = ("user", "plain", "login", "scram-sha-1", "scram-sha-256")

    def __init__(self, address, domain, pem, password):
        super().__init__(address, domain)
        self.pem, self.password = pem, password

    def greets(self, sock):
        return sock.recv(512).startswith(b"+OK")

    def start(self):
        names = {**self.prepare(), "pem": self.pem, "key": self.pem[:-4] + ".key",
                 "password": self.password}
        os.makedirs(os.path.join(self.folder, "log"))
        config = self.file("dovecot.conf", DOVECOT_POP3.format(**names))
        self.launch("/usr/sbin/dovecot", "-F", "-c", config)

    def fill(self, contents):
        """The user's Maildir holds these and nothing else."""
        box, mail = os.path.join(self.folder, "mail", USER), pwd.getpwnam("mail")
        shutil.rmtree(box, ignore_errors=True)
        for part in ("", "cur", "new", "tmp"):
            os.makedirs(os.path.join(box, part), exist_ok=True)
            os.chown(os.path.join(box, part), mail.pw_uid, mail.pw_gid)
        for number, content in enumerate(contents):
            name = os.path.join(box, "new", f"{1600000000 + number}.M{number}.host")
            with open(name, "wb") as file:
                file.write(content.replace(b"\r\n", b"\n"))
            os.chown(name, mail.pw_uid, mail.pw_gid)

    def logins(self):
        """(mechanism, whether by TLS) of the sessions that were logged in."""
        return [(line.split("method=")[1].split(",")[0], ", TLS" in line)
                for line in self.said().splitlines() if "Login: user=<" in line]

    def sessions(self):
        """What was done in each session that ended: TOP, RETR and DELE that were obeyed, and how
        many messages there were."""
        found = re.findall(r"top=(\d+)/\d+, retr=(\d+)/\d+, del=(\d+)/(\d+)", self.said())
        return [tuple(map(int, each)) for each in found]

    def expect_sessions(self, wanted):
        until(lambda: len(self.sessions()) >= len(wanted), f"{len(wanted)} sessions in its log")
        equal(self.sessions(), wanted, "what Dovecot says was done")


class PostfixSubmission(ByDovecot, Postfix):
    """Postfix where one can log in with `password`: on ports 25 and 587 behind STARTTLS, on 465
    behind TLS from the first octet."""

    def __init__(self, address, domain, dns, pem, password):
        super().__init__(address, domain, dns=dns, more=POSTFIX_LOGINS.format(
            key=pem[:-4] + ".key", certificate=pem))
        self.password = password

    def start(self):
        self.master += POSTFIX_SUBMISSION
        super().start()

    def logins(self):
        """(mechanism, user) of the messages that it took."""
        return re.findall(r"sasl_method=(\S+), sasl_username=(\S+)", self.said())


EXIM = """
exim_path = /{binary}
primary_hostname = mx.{domain}
exim_user = mail
exim_group = mail
never_users =
local_interfaces = {address}
daemon_smtp_ports = {ports}
spool_directory = {folder}/spool
log_file_path = {folder}/log/%s
pid_file_path = {folder}/exim.pid
keep_environment =
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_max = 100
smtp_accept_max_per_connection = 10000
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
chunking_advertise_hosts = *
accept_8bitmime = true
acl_smtp_rcpt = judge
delay_warning =
{tls}

begin acl
judge:
  accept domains = {domain}
         local_parts = {user}
  deny   domains = {domain}
         message = no such user
  accept hosts = 127.0.0.0/8

begin routers
here:
  driver = accept
  domains = {domain}
  local_parts = {user}
  transport = box
nobody:
  driver = redirect
  domains = {domain}
  data = :fail: no such user
  allow_fail
{elsewhere}

begin transports
box:
  driver = appendfile
  maildir_format
  directory = {folder}/mail/$local_part_data
  create_directory
  delivery_date_add = false
  envelope_to_add = false
  return_path_add = false
  user = mail
  group = mail
smtp:
  driver = smtp
  port = {smtp_port}
  interface = {address}
  allow_localhost
  tls_try_verify_hosts =
  hosts_avoid_tls = *

begin retry
* * F,1h,1s

begin authenticators
{authenticators}
"""
EXIM_SUBMISSION = """
tls_advertise_hosts = *
tls_certificate = {pem}
tls_privatekey = {key}
tls_on_connect_ports = 465
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
"""
EXIM_AUTHENTICATORS = """
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if eq{{$auth3}}{{{password}}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if eq{{$auth2}}{{{password}}}}}
  server_set_id = $auth1
"""
EXIM_BY_HOP = """
elsewhere:
  driver = manualroute
  transport = smtp
  route_list = * {host}
  self = send
"""
EXIM_BY_DNS = """
elsewhere:
  driver = dnslookup
  transport = smtp
  ignore_target_hosts =
  self = send
"""


class Exim(Other):
    binary = "usr/sbin/exim4"
    ports = "25"
    tls = "tls_advertise_hosts ="
    authenticators = ""

    def start(self):
        names = self.prepare()
        mail = pwd.getpwnam("mail")
        for name in ("spool", "log"):
            os.makedirs(os.path.join(self.folder, name))
            os.chown(os.path.join(self.folder, name), mail.pw_uid, mail.pw_gid)
        names["smtp_port"] = self.hop[1] if self.hop else 25
        names["elsewhere"] = EXIM_BY_HOP.format(host=self.hop[0]) if self.hop else EXIM_BY_DNS
        config = self.file("exim.conf", EXIM.format(
            **names, binary=self.binary, ports=self.ports, tls=self.tls,
            authenticators=self.authenticators))
        self.launch("/" + self.binary, "-C", config, "-bdf", "-q1s")


class EximSubmission(Exim):
    """Exim where one can log in as on PostfixSubmission, with authenticators of its own."""

    mechanisms = ("plain", "login")
    own = EXIM_AUTHENTICATORS
    ports = "25 : 587 : 465"

    def __init__(self, address, domain, dns, pem, password):
        super().__init__(address, domain, dns=dns)
        os.chmod(pem[:-4] + ".key", 0o644)    # it is not root when it reads that
        self.tls = EXIM_SUBMISSION.format(pem=pem, key=pem[:-4] + ".key")
        self.password = password
        self.authenticators = self.own.format(password=password, folder=self.folder)

    def logins(self):
        """(mechanism, user) of the messages that it took."""
        found = re.findall(r" A=(\w+):(\S+)", self.said())
        return [(name.upper().replace("_", "-"), user) for name, user in found]


class EximByDovecot(ByDovecot, EximSubmission):
    """The larger of Debian's builds, which leaves logins to Dovecot."""

    binary = "usr/sbin/exim4-heavy"
    own = "".join(f"""
{mechanism.replace("-", "_")}:
  driver = dovecot
  public_name = {mechanism.upper()}
  server_socket = {{folder}}/queue/private/auth
  server_set_id = $auth1
""" for mechanism in ByDovecot.mechanisms)


OPENSMTPD = """
table users {{ {user} = "{uid}:{gid}:{folder}/mail" }}
listen on {address} port {port} hostname mx.{domain}
action "box" maildir "{folder}/mail/{user}" userbase <users>
action "next" relay src {address} {host}
match from any for domain "{domain}" action "box"
match from any for any action "next"
"""


class OpenSmtpd(Other):
    binary = "usr/sbin/smtpd"

    def start(self):
        names = self.prepare()
        names["host"] = f'host "smtp://{names["hop"]}"' if self.hop else ""
        config = self.file("smtpd.conf", OPENSMTPD.format(**names))
        self.launch("/usr/sbin/smtpd", "-d", "-f", config)


UNBOUND = """
server:
    interface: {address}
    username: ""
    chroot: ""
    directory: "{folder}"
    pidfile: ""
    use-syslog: no
    do-ip6: no
    do-not-query-localhost: no
    access-control: 127.0.0.0/8 allow
    local-zone: "test." nodefault
    trust-anchor-file: "{folder}/anchor"
    module-config: "validator iterator"
remote-control:
    control-enable: no
forward-zone:
    name: "."
    forward-addr: {dns}
"""


class Unbound(Other):
    """A resolver that validates, on port 53."""

    port = 53
    binary = "usr/sbin/unbound"

    def __init__(self, address, dns, anchor):
        """Asks the server `dns`; believes what this line of trust anchors leads to."""
        super().__init__(address, None, dns=dns)
        self.anchor = anchor

    def greets(self, sock):
        return True

    def start(self):
        names = self.prepare()
        self.file("anchor", self.anchor)
        config = self.file("unbound.conf", UNBOUND.format(**names, dns=self.dns))
        self.launch("/usr/sbin/unbound", "-d", "-c", config)
