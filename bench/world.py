"""The machine as the benchmark sees it: places for data, processes and what they used."""

import os
import pathlib
import platform
import shutil
import signal
import statistics
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")
ROOT = pathlib.Path(__file__).resolve().parent.parent


class Trouble(Exception):
    """The measurement cannot go on; the words are for the person who started it."""


class Place:
    """A folder for the data of all: on the disk, or in memory where a sync costs nothing."""

    def __init__(self, name, folder):
        self.name = name
        self.folder = pathlib.Path(folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        # The peers' accounts must reach what is theirs in it.
        self.folder.chmod(0o755)
        self.sync_times = {"append": [], "prepared": []}
        self.measure_sync()

    def measure_sync(self):
        """Again and again: a disk that others use as well is not the same all the time."""
        for kind, times in self.sync_times.items():
            times.append(sync_ms(self.folder, kind == "prepared"))

    def sync_ms(self):
        """The medians so far, by kind."""
        return {kind: statistics.median(times) for kind, times in self.sync_times.items()}

    def room(self):
        """Free octets."""
        return shutil.disk_usage(self.folder).free

    def clear(self):
        """Leaves nothing of the block before."""
        run("find", self.folder, "-mindepth", "1", "-delete")

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def sync_ms(folder, prepared, count=30):
    """The median time of a write of 4 KB and its fdatasync: at the end of a file, or over blocks
    that were written before."""
    name = folder / "sync"
    times = []
    fd = os.open(name, os.O_WRONLY | os.O_CREAT, 0o600)
    if prepared:
        os.write(fd, bytes(4096 * count))
        os.fsync(fd)
    for n in range(count):
        start = time.monotonic()
        os.pwrite(fd, bytes(4096), n * 4096)
        os.fdatasync(fd)
        times.append((time.monotonic() - start) * 1e3)
    os.close(fd)
    name.unlink()
    return statistics.median(times)


def parents():
    """The parent of each process of the machine."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                fields = pathlib.Path("/proc", name, "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            found[int(name)] = int(fields[1])
    return found


def family(pid):
    """The process and all that descend from it."""
    by_parent = {}
    for child, parent in parents().items():
        by_parent.setdefault(parent, []).append(child)
    found = [pid]
    for each in found:
        found += by_parent.get(each, [])
    return found


class Usage:
    """What a family of processes used so far, the dead included."""

    def __init__(self, cpu_s=0.0, switches=0):
        self.cpu_s, self.switches = cpu_s, switches

    def since(self, before):
        return Usage(self.cpu_s - before.cpu_s, self.switches - before.switches)


def usage(pid):
    """CPU time, user and system, exact for what lives; what has been waited for counts in ticks."""
    total = Usage()
    for each in family(pid):
        base = pathlib.Path("/proc", str(each))
        try:
            fields = (base / "stat").read_text().rsplit(")", 1)[1].split()
            total.cpu_s += (int(fields[13]) + int(fields[14])) / TICKS
            for task in (base / "task").iterdir():
                total.cpu_s += int((task / "schedstat").read_text().split()[0]) / 1e9
                for line in (task / "status").read_text().splitlines():
                    if "ctxt_switches" in line:
                        total.switches += int(line.split()[1])
        except OSError:
            continue
    return total


def threads_s(pid):
    """CPU time of a process by the names of its threads; those of one name together, and the first
    thread, which has the program's, with the loops that it is one of."""
    found = {}
    for task in pathlib.Path("/proc", str(pid), "task").iterdir():
        try:
            name = "loop" if task.name == str(pid) else (task / "comm").read_text().strip()
            seconds = int((task / "schedstat").read_text().split()[0]) / 1e9
        except OSError:
            continue
        found[name] = found.get(name, 0) + seconds
    return found


def memory_kb(pid, field="VmRSS"):
    """Resident memory of the family; with "Pss" shared pages are divided among those who share."""
    total = 0
    for each in family(pid):
        file = "smaps_rollup" if field == "Pss" else "status"
        try:
            for line in pathlib.Path("/proc", str(each), file).read_text().splitlines():
                if line.startswith(field + ":"):
                    total += int(line.split()[1])
        except OSError:
            continue
    return total


def wait_for(what, condition, seconds=20.0):
    """Asks until `condition` holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Trouble(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.01)


def stop(process, seconds=20.0):
    """Asks a server to stop and waits; a server that does not is killed with its family."""
    if process.poll() is not None:
        return
    members = family(process.pid)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        for each in members:
            try:
                os.kill(each, signal.SIGKILL)
            except ProcessLookupError:
                pass
        process.wait()


def run(*command, **options):
    """A program's output; it must succeed."""
    done = subprocess.run([str(c) for c in command], text=True, capture_output=True, check=False,
                          **options)
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip()
        raise Trouble(f"{' '.join(map(str, command))}: exit {done.returncode}: {words}")
    return done.stdout


def busy_part(seconds=0.25):
    """How much of the processors is in use, from 0 to 1."""
    def look():
        fields = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
        times = [int(f) for f in fields]
        return sum(times), times[3] + times[4]
    before, idle_before = look()
    time.sleep(seconds)
    after, idle_after = look()
    return 1 - (idle_after - idle_before) / max(1, after - before)


def wait_for_calm(seconds):
    """Until nobody else uses the processors to speak of, at most so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and busy_part() > 0.08:
        pass


def load():
    return os.getloadavg()[0]


def machine():
    """What this was measured on, as a dictionary of words."""
    model = "unknown"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return {"processor": model, "cores": os.cpu_count(), "memory_gb": round(memory, 1),
            "kernel": platform.release(), "libc": " ".join(platform.libc_ver()),
            "date": time.strftime("%Y-%m-%d"), "load_at_start": round(load(), 2)}


def file_system(folder):
    return run("stat", "-f", "-c", "%T", folder).strip()
