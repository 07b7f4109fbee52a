"""soak_world - the server that is soaked: killed and started again on one DATA, on a disk of its
own that can be filled, and looked at from outside."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time

from harness import until
from relay_world import Net, Relay

INSIDE = "GODWIT_SOAK_INSIDE"
NEAR_BOXES, FAR_BOXES = 8, 2
LOG = 'file = "godwit.log"  protocol = "off"'


def enter_own_mounts():
    """Begins this program again where mounts are seen by nobody else, if that is possible."""
    way = ["unshare", "--mount", "--propagation", "private"]
    if os.environ.get(INSIDE) or os.getuid() != 0 or not shutil.which("unshare"):
        return
    if subprocess.run([*way, "true"], capture_output=True, check=False).returncode == 0:
        os.environ[INSIDE] = "1"
        os.execvp(way[0], [*way, sys.executable, "-B", *sys.argv])


class Disk:
    """A file system in a file, mounted where only this process and its children see it."""

    def __init__(self, image, folder, megabytes):
        self.image, self.folder, self.megabytes = image, folder, megabytes
        self.ballast = os.path.join(folder, "ballast")
        self.is_mounted = False

    def mount(self):
        """False where that is not allowed."""
        if not os.environ.get(INSIDE) or not shutil.which("mkfs.ext4", path="/usr/sbin:/sbin"):
            return False
        with open(self.image, "wb") as file:
            file.truncate(self.megabytes << 20)
        commands = (["/sbin/mkfs.ext4", "-q", "-F", "-m", "0", self.image],
                    ["mount", "-o", "loop", self.image, self.folder])
        self.is_mounted = all(subprocess.run(command, capture_output=True, check=False).returncode
                              == 0 for command in commands)
        if not self.is_mounted:
            os.unlink(self.image)
        return self.is_mounted

    def free(self):
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def fill(self, leave):
        """All but so many octets are taken at once."""
        with open(self.ballast, "ab") as file:
            room = self.free() - leave
            if room > 0:
                with contextlib.suppress(OSError):    # the server was faster: it is full
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, room)

    def empty(self):
        if os.path.exists(self.ballast):
            os.unlink(self.ballast)

    def unmount(self):
        if self.is_mounted:
            subprocess.run(["umount", self.folder], check=True)
            self.is_mounted = False


class Signs:
    """What a process takes of the machine.  Segments of the journal that were read stay open for
    the next reader, up to 512 of them, as long as they are there (src/store/local/descriptors.h):
    they are counted apart."""

    def __init__(self, server):
        process = f"/proc/{server.process.pid}"
        with open(f"{process}/status", encoding="ascii") as file:
            self.threads = int(re.search(r"Threads:\s+(\d+)", file.read())[1])
        self.memory = server.memory()
        files = [self.target(f"{process}/fd/{name}") for name in os.listdir(f"{process}/fd")]
        self.sockets = sum(file.startswith("socket:") for file in files)
        self.segments = sum(".seg" in file for file in files)
        self.others = len(files) - self.sockets - self.segments

    @staticmethod
    def target(name):
        try:
            return os.readlink(name)
        except FileNotFoundError:    # closed meanwhile
            return ""

    def descriptors(self):
        return self.sockets + self.segments + self.others

    def __str__(self):
        return (f"{self.memory / 1e6:.1f} MB, {self.threads} threads, {self.sockets} sockets, "
                f"{self.segments} segments and {self.others} other files open")


class SoakedServer(Relay):
    """Counts its lives, how long each took to begin, and how many a kill has ended.  `wrap`: words
    in front of its program; `told`: is called with the number of each life before it begins."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.wrap, self.told = [], None
        self.lives = self.kills = 0
        self.starts = []    # seconds
        self.disk = None
        self.log_file = os.path.join(self.folder, "godwit.log")

    def start(self, *wrap):
        self.lives += 1
        if self.told:
            self.told(self.lives)
        began = time.monotonic()
        super().start(*self.wrap, *wrap)
        self.starts.append(time.monotonic() - began)

    def end(self, kill=False):
        """A killed server cannot take away what libfaketime made for it."""
        pid = self.process.pid if self.process else 0
        self.kills += bool(kill and self.process)
        super().end(kill)
        for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"/dev/shm/{name}")

    def renew_log(self):
        """SIGHUP, as who rotates logs does it; what was written is thrown away, for it is large."""
        if os.path.exists(self.log_file):
            os.unlink(self.log_file)
        self.signal(signal.SIGHUP)
        until(lambda: os.path.exists(self.log_file), "a new log file")

    def retry_all(self):
        """What waits is tried now; that nothing may wait is no error."""
        subprocess.run([self.program, "queue", "retry", "all", "-c", self.config], cwd=self.folder,
                       capture_output=True, timeout=60, check=False)

    def signs(self):
        return Signs(self)

    def use_disk(self, megabytes):
        """Its DATA, empty, is on a disk of its own from now on, if that can be had."""
        disk = Disk(os.path.join(self.folder, "disk"), os.path.join(self.folder, "data"), megabytes)
        if disk.mount():
            self.disk = disk

    def remove(self):
        if self.disk:
            self.disk.unmount()
        super().remove()


class SoakNet(Net):
    ours = SoakedServer

    def __init__(self):
        super().__init__()
        self.dns.ttl = 1    # so that it is missed soon
        self.has_dns = True

    def stop_dns(self):
        if self.has_dns:
            self.has_dns = False
            self.dns.__exit__()

    def start_dns(self):
        self.dns.behave_always(None)
        if not self.has_dns:
            self.has_dns = True
            self.dns.__enter__()

    def soaked(self, disk_megabytes=0, users=()):
        """The server that mail is brought to, and the far one that it brings some of it to."""
        boxes = [f"box{number}@far.test" for number in range(NEAR_BOXES, NEAR_BOXES + FAR_BOXES)]
        far = self.server("mx.far.test", ["far.test"], boxes, log=LOG)
        near = self.server(users=(), log=LOG, relay=self.relay(retry="2s"))
        near.end()
        if disk_megabytes:
            near.use_disk(disk_megabytes)
        for user in [*(f"box{number}@a.test" for number in range(NEAR_BOXES)), *users]:
            near.add_user(user)
        near.start()
        return near, far
