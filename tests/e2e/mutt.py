"""mutt - mutt, or neomutt, at a box, on a terminal that nobody sees: keys are typed for it, and
what it would show is kept in files."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

from harness import TIMEOUT, Failure

COLUMNS = 4000    # so wide that no line is broken for the terminal's sake
# Nothing is asked, and nothing but what keys say is done.
QUIET = """\
set mbox_type=mbox confirmappend=no confirmcreate=no quit=yes delete=no mark_old=no copy=no move=no
set wait_key=no prompt_after=no resolve=no sort=mailbox-order header_cache="" pager_format=""
set reflow_wrap={columns} implicit_autoview=no include_encrypted=no
set folder={folder} spoolfile={box}
set pager="sh {folder}/keep"
ignore *
unignore from: to: cc: subject:
unhdr_order *
hdr_order from: to: cc: subject:
push '{keys}'
"""
# Copies what is shown into the next of shown.1, shown.2 ...
KEEP = """\
number=1
while [ -e "shown.$number" ]; do number=$((number + 1)); done
exec cp "$1" "shown.$number"
"""


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def type_at(words, folder, environment):
    """Runs it until it ends."""
    child, terminal = pty.fork()
    if child == 0:
        try:    # the terminal is as wide as that before it looks
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
            os.chdir(folder)
            os.execve(words[0], words, environment)
        finally:
            os._exit(127)
    deadline = time.monotonic() + TIMEOUT
    seen = b""
    try:
        while time.monotonic() < deadline:
            if select.select([terminal], [], [], 0.1)[0]:
                seen = (seen + os.read(terminal, 65536))[-4000:]
        raise Failure(f"{words[0]} did not end: {seen!r}")
    except OSError:    # its end, as Linux says it
        pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.close(terminal)
        os.waitpid(child, 0)


def run(program, box, keys, folder, environment=None):
    """`program` opens the box; the keys are typed, and must end it."""
    write(folder, "keep", KEEP)
    text = QUIET.format(folder=folder, box=box, keys=keys, columns=COLUMNS)
    if os.path.exists(program + "_dotlock"):    # its helper, which lies beside it
        text = f"set dotlock_program={program}_dotlock\n{text}"
    config = write(folder, "muttrc", text)
    type_at([program, "-n", "-F", config, "-f", box], folder,
            {**(environment or os.environ), "TERM": "xterm", "HOME": folder, "LANG": "C.UTF-8",
             "LC_ALL": "C.UTF-8"})


def shown(folder):
    """What it has shown, in that order."""
    found = []
    while os.path.exists(path := os.path.join(folder, f"shown.{len(found) + 1}")):
        with open(path, encoding="utf-8", errors="replace", newline="\n") as file:
            found.append(file.read())
    return found
