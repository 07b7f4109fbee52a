"""peers_claws - Claws Mail on a screen that nobody sees: reads by POP3 and sends by submission,
both under TLS.  What it shows in the end is left in build/claws.png, for people."""

import contextlib
import email
import os
import subprocess

import harness
from certificates import make
from harness import check, content_of, equal, need, until
from locked import ALICE, BOB, Doors

MESSAGE = (b"From: Alice <alice@example.test>\r\nTo: bob@example.test\r\n"
           b"Date: Sat, 21 Nov 2026 07:41:27 +0000\r\nMessage-ID: <1.2@example.test>\r\n"
           b"Subject: a bird\r\n\r\nIt flies 13,560 km.\r\n.\r\nWithout landing.\r\n")
PICTURE = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
                       "build", "claws.png")
SIZE = "1100x800"
FOLDERS = {"inbox": "inbox", "sent": "outbox", "draft": "draft", "queue": "queue", "trash": "trash"}

ACCOUNT = """[Account: 1]
account_name=bob
is_default=1
name=Bob
address={user}
protocol=0
receive_server={host}
smtp_server={host}
user_id={user}
remove_mail=0
receive_at_get_all=1
use_smtp_auth=1
set_popport=1
pop_port={pop3}
set_smtpport=1
smtp_port={submission}
ssl_pop={tls}
ssl_smtp={tls}
set_domain=1
domain=client.test
ssl_certs_auto_accept=1
save_message_to_folder=1
inbox=#mh/Mail/inbox
"""
GENERAL = """[Common]
last_run_version=4.1.1
warn_queued_on_exit=0
confirm_on_exit=0
no_recv_err_panel=1
show_recv_err_dialog=0
show_trayicon=0
paranoid_mode=0
close_receive_dialog=1
send_dialog_invisible=1
receive_dialog_mode=2
enable_aspell=0
"""
FOLDER_LIST = """<?xml version="1.0" encoding="UTF-8"?>
<folderlist>
<folder type="mh" name="Mail" path="{mail}" collapsed="0">
<folderitem type="normal" name="Mail" path="" collapsed="0">
{items}
</folderitem>
</folder>
</folderlist>
"""
STARTTLS, TUNNEL = 2, 1


class Screen:
    """An X server of one's own."""

    def __enter__(self):
        read, write = os.pipe()
        self.server = subprocess.Popen([need("Xvfb"), "-displayfd", str(write), "-screen", "0",
                                        SIZE + "x24", "-nolisten", "tcp", "-noreset"],
                                       pass_fds=[write], stderr=subprocess.DEVNULL)
        os.close(write)
        with open(read, encoding="ascii") as file:
            self.name = ":" + file.readline().strip()    # or the end, when it ends
        check(self.name != ":", "Xvfb did not start")
        return self

    def __exit__(self, *why):
        self.server.terminate()
        self.server.wait()

    def tool(self, *words):
        return subprocess.run([need("xdotool"), *words], env=dict(os.environ, DISPLAY=self.name),
                              capture_output=True, text=True, timeout=20, check=False).stdout

    def windows(self, title):
        return self.tool("search", "--onlyvisible", "--name", title).split()

    def keys(self, title, *keys):
        """Types into a window that must come."""
        until(lambda: self.windows(title), f"a window {title}", 30)
        window = self.windows(title)[-1]
        self.tool("windowfocus", "--sync", window)
        for key in keys:
            self.tool("key", "--delay", "20", *([key] if len(key) > 1 else [key]))

    def keep_picture(self):
        os.makedirs(os.path.dirname(PICTURE), exist_ok=True)
        subprocess.run([need("import"), "-window", "root", PICTURE], timeout=30, check=False,
                       env=dict(os.environ, DISPLAY=self.name))


class Claws:
    """The program with one account, Bob's."""

    def __init__(self, server, screen, tls):
        self.server, self.screen = server, screen
        self.home = os.path.join(server.folder, "home")
        self.folder = os.path.join(self.home, "claws")
        self.mail = os.path.join(self.home, "Mail")
        self.env = dict(os.environ, DISPLAY=screen.name, HOME=self.home, LC_ALL="C.UTF-8",
                        SSL_CERT_FILE=server.certificate, NO_AT_BRIDGE="1", GTK_THEME="Adwaita",
                        XDG_RUNTIME_DIR=self.home, TMPDIR=self.home)
        self.env.pop("DBUS_SESSION_BUS_ADDRESS", None)
        for name in FOLDERS:
            os.makedirs(os.path.join(self.mail, name))
        os.makedirs(self.folder)
        ports = server.ports
        self.file("accountrc", ACCOUNT.format(
            user=BOB, host=server.address, tls=tls,
            pop3=ports["pop3" if tls == STARTTLS else "pop3s"],
            submission=ports["submission" if tls == STARTTLS else "submissions"]))
        self.file("clawsrc", GENERAL)
        items = "\n".join(f'<folderitem type="{kind}" name="{name}" path="{name}"/>'
                          for name, kind in FOLDERS.items())
        self.file("folderlist.xml", FOLDER_LIST.format(mail=self.mail, items=items))

    def file(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)
        return file.name

    def __enter__(self):
        self.process = self.start()
        until(lambda: self.screen.windows("Claws Mail"), "its window", 60)
        return self

    def __exit__(self, *why):
        self.screen.keep_picture()
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()
        self.process.wait()

    def start(self, *words):
        return subprocess.Popen([need("claws-mail"), "--alternate-config-dir", self.folder, *words],
                                env=self.env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(self, *words):
        """Tells the one that runs."""
        self.start(*words).wait(60)

    def password(self):
        self.screen.keys("password", *"secret", "Return")

    def stored(self, name):
        folder = os.path.join(self.mail, name)
        found = []
        for each in sorted(os.listdir(folder)):
            if each.isdigit():
                with open(os.path.join(folder, each), "rb") as file:
                    found.append(file.read())
        return found


def reads_and_sends(tls):
    def test():
        for program in ("claws-mail", "Xvfb", "xdotool", "import"):
            need(program)
        server = Doors()
        server.certificate = make(server.folder, host=f"{server.hostname},IP:{server.address}")
        with server, Screen() as screen, Claws(server, screen, tls) as claws:
            server.deliver(MESSAGE)
            claws.ask("--receive-all")
            claws.password()
            until(lambda: claws.stored("inbox"), "the message in its inbox", 60)
            equal(content_of(claws.stored("inbox")[0].replace(b"\n", b"\r\n")), MESSAGE,
                  "what it keeps")
            letter = claws.file("letter", f"To: {ALICE}\nSubject: an answer\n\n"
                                ".dot\nGrüße, 世界\n")
            claws.ask("--compose-from-file", letter)
            screen.keys("an answer", "ctrl+Return")
            claws.password()
            until(lambda: server.messages(ALICE, "wonder"), "the answer", 60)
            claws.ask("--select", "#mh/Mail/inbox/1")    # for the picture
            until(lambda: claws.stored("sent"), "a copy of what was sent")
            found, = server.messages(ALICE, "wonder")
            check(b"with ESMTPSA id" in found, f"{found!r}")
            parsed = email.message_from_bytes(found)
            equal(parsed["Subject"], "an answer", "subject")
            check(".dot" in parsed.get_payload(decode=True).decode(), "content")
    return test


harness.add_case("claws-mail-with-starttls", reads_and_sends(STARTTLS))
harness.add_case("claws-mail-with-implicit-tls", reads_and_sends(TUNNEL))


if __name__ == "__main__":
    harness.main()
