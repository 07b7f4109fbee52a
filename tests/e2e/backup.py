"""backup - the store as a folder that can be kept elsewhere, and the way back: beside a server that
takes and deletes mail, again and again into the same folder, and cut off at any moment."""

import os
import shutil
import subprocess
import threading
import time

from harness import Failure, Server, case, check, content_of, equal, main

ALICE, BOB = "alice@example.test", "bob@example.test"
NEXT = 'b.test'


def folder(server):
    return os.path.join(server.folder, "kept")


def backup(server, code=0):
    return server.run("backup", folder(server), code=code)


class Restored(Server):
    """A server of what a backup holds."""

    def __init__(self, kept, **sections):
        super().__init__(**sections)
        self.told = self.run("restore", kept)


def contents(server, user):
    return sorted(content_of(message) for message in server.messages(user))


def uids(server, user):
    """What UIDL says, and the mailbox's uidvalidity."""
    wire = server.pop(user)
    wire.say("UIDL", "+OK")
    lines = []
    while (line := wire.line()) != ".":
        lines.append(line.split()[1])
    wire.say("QUIT", "+OK")
    return lines


def body(number, octets=2000):
    line = b"%06d\r\n" % number
    return b"Subject: %d\r\n\r\n" % number + line * (octets // len(line))


@case
def mail_accounts_and_uids_come_back():
    with Server(users=[ALICE, BOB]) as server:
        for number in range(6):
            server.deliver(body(number), to=(ALICE, BOB) if number % 2 else (BOB,))
        server.deliver(body(9, 2000000))
        server.run("alias", "add", "info@example.test", ALICE)
        said = backup(server)
        check("copied 1 segments and 1 large messages" in said, said)
        wanted = {user: (contents(server, user), uids(server, user)) for user in (ALICE, BOB)}
        with Restored(folder(server)) as other:
            check("2 mailboxes with 10 messages" in other.told, other.told)
            for user, (mail, names) in wanted.items():
                equal(contents(other, user), mail, f"mail of {user}")
                equal(uids(other, user), names, "UIDL")
            check(other.run("alias", "list").startswith("info@example.test"), "the alias")
            other.deliver(body(77), to=(ALICE,))
            check(uids(other, ALICE)[-1] not in wanted[BOB][1], "a name is given twice")
            check("every message" in other.run("check", "--store"), "check")


@case
def only_what_is_new_is_copied():
    with Server(users=[BOB]) as server:
        server.deliver(body(1, 1500000))
        server.deliver(body(2))
        backup(server)
        check("copied 0 segments and 0 large messages" in backup(server), "nothing was new")
        server.deliver(body(3))
        check("copied 1 segments and 0 large" in backup(server), "one segment had grown")
        server.restart()
        server.deliver(body(4, 1500000))
        said = backup(server)
        check("copied 1 segments and 1 large messages" in said or
              "copied 2 segments and 1 large messages" in said, said)
        with Restored(folder(server)) as other:
            equal(contents(other, BOB), contents(server, BOB), "mail")


@case
def a_busy_server_is_copied_as_it_was_at_one_moment():
    with Server(users=[BOB]) as server:
        stop, acknowledged = threading.Event(), []

        def work():
            wire = server.smtp()
            number = 0
            while not stop.is_set():
                number += 1
                wire.envelope()
                wire.expect(wire.data(body(number, 1200000 if number % 20 == 0 else 3000)), "250")
                acknowledged.append(number)
            wire.close()
            server.wires.remove(wire)

        worker = threading.Thread(target=work)
        worker.start()
        try:
            for _ in range(3):
                before = len(acknowledged)
                while len(acknowledged) < before + 30:
                    time.sleep(0.005)
                before = len(acknowledged)
                backup(server)
                check("every message verifies" in server.run("restore", "--verify",
                                                             folder(server)), "it verifies")
        finally:
            stop.set()
            worker.join()
        with Restored(folder(server)) as other:
            numbers = sorted(int(mail.split(b"\r\n")[0].split()[1])
                             for mail in contents(other, BOB))
            equal(numbers, list(range(1, len(numbers) + 1)), "a beginning without a gap")
            check(len(numbers) >= before, "what was acknowledged before is in it")


@case
def mail_on_its_way_out_is_held():
    with Server(users=[BOB], relay='port = 9', dns='resolvers = {"127.0.0.1:9"}') as server:
        server.deliver(body(1), sender=BOB, to=(f"x@{NEXT}",))
        backup(server)
        done = subprocess.run([server.program, "restore", folder(server), "-c", "-"],
                              capture_output=True, check=False)
        equal(done.returncode, 78, "no such configuration")
        with Restored(folder(server), relay='port = 9',
                      dns='resolvers = {"127.0.0.1:9"}') as other:
            shown = other.run("queue", "show", "all")
            check("held" in shown and f"x@{NEXT}" in shown, shown)
            other.run("queue", "release", "all")


@case
def a_backup_that_is_cut_off_is_still_one():
    with Server(users=[BOB]) as server:
        for number in range(4):
            server.deliver(body(number, 1200000))
        backup(server)
        first = contents(server, BOB)
        for number in range(4, 40):
            server.deliver(body(number, 1200000 if number % 2 else 3000))
        for delay in range(6):
            process = subprocess.Popen([server.program, "backup", folder(server), "-c",
                                        server.config], stdout=subprocess.DEVNULL)
            time.sleep(0.004 * delay)
            process.kill()
            process.wait()
            check("every message verifies" in server.run("restore", "--verify", folder(server)),
                  "it verifies")
        with Restored(folder(server)) as other:
            found = contents(other, BOB)
            check(all(mail in found for mail in first), "the first backup's mail is in it")
        backup(server)
        with Restored(folder(server)) as other:
            equal(contents(other, BOB), contents(server, BOB), "mail")


@case
def what_is_wrong_is_said():
    with Server(users=[BOB]) as server:
        server.deliver(body(1, 30000))
        server.deliver(body(2, 30000))
        backup(server)
        name = os.path.join(folder(server), "journal", "00000001.seg")
        with open(name, "r+b") as file:
            file.seek(8192 + 6000)
            octet = file.read(1)
            file.seek(8192 + 6000)
            file.write(bytes([octet[0] ^ 1]))
        said = server.run("restore", "--verify", folder(server), code=1)
        check("is lost: its content cannot be read" in said, said)


@case
def it_never_writes_over_anything():
    with Server(users=[BOB]) as server:
        server.deliver(body(1))
        backup(server)
        server.run("restore", folder(server), code=1)       # there is a store, in use too
        server.run("backup", os.path.join(server.folder, "data"), code=1)
        server.run("restore", server.folder, code=1)        # no backup
        with Server(users=[BOB]) as other:
            other.deliver(body(2))
            other.run("backup", folder(server), code=1)     # of another store
        served = Server()
        shutil.rmtree(os.path.join(served.folder, "data"), ignore_errors=True)
        shutil.copytree(folder(server), os.path.join(served.folder, "data"))
        try:
            served.start()
            raise Failure("a backup was served")
        except Failure as failure:
            check("godwit restore" in str(failure), str(failure))
        finally:
            served.end(kill=True)
            served.remove()


if __name__ == "__main__":
    main()
