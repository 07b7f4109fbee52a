/* test_sandbox.c - what a process in the real sandbox can do, and what it cannot.
 *
 * Every case is a child that builds the sandbox and tries; nobody comes out of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "run/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_ROOM = 200, OWN = 0, LOG = 1, READ = 2, OUTSIDE = 3, FOLDERS };

struct world {
    char folders[FOLDERS][PATH_ROOM]; /* each has a file "there" */
};

static const char *in(const struct world *w, unsigned folder, const char *name)
{
    static char path[4][PATH_ROOM + 32];
    static unsigned next;
    char *at = path[next++ % 4];
    snprintf(at, sizeof path[0], "%s/%s", w->folders[folder], name);
    return at;
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    for (unsigned i = 0; i < FOLDERS; i++) {
        snprintf(w->folders[i], PATH_ROOM, "/tmp/godwit-sandbox-XXXXXX");
        assert_non_null(mkdtemp(w->folders[i]));
        int fd = open(in(w, i, "there"), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
        assert_true(fd >= 0);
        close(fd);
    }
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    char command[PATH_ROOM + 16];
    for (unsigned i = 0; i < FOLDERS; i++) {
        snprintf(command, sizeof command, "rm -rf %s", w->folders[i]);
        assert_int_equal(system(command), 0);
    }
    free(w);
    return 0;
}

static void build(const struct world *w)
{
    struct sandbox_folder folders[] = {
        { w->folders[OWN], SANDBOX_OWN },
        { w->folders[LOG], SANDBOX_LOG },
        { w->folders[READ], SANDBOX_READ },
        { "/no/such/folder", SANDBOX_OWN },
    };
    struct sandbox_walls walls = sandbox_build(folders, sizeof folders / sizeof *folders);
    if (!walls.landlock || !walls.seccomp)
        _exit(99);
}

/* How the child ended that builds the sandbox and then tries: minus a signal, or an exit code. */
static int ends(void **state, int (*try)(const struct world *))
{
    struct sandbox_walls walls = sandbox_possible();
    int status;
    if (!walls.landlock || !walls.seccomp) {
        print_message("skipped: %s\n", walls.words);
        skip();
    }
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        build(*state);
        _exit(try(*state));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* --- What ends the process --- */

static int try_exec(const struct world *w)
{
    char *const words[] = { "true", NULL };
    (void)w;
    execv("/bin/true", words);
    return 1;
}

static int try_exec_of_descriptor(const struct world *w)
{
    char *const words[] = { "true", NULL };
    int fd = open("/usr/bin/true", O_RDONLY | O_CLOEXEC);
    (void)w;
    fexecve(fd, words, words + 1);
    return 1;
}

static int try_ptrace(const struct world *w)
{
    (void)w;
    ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
    return 1;
}

static int try_to_read_memory(const struct world *w)
{
    char octet;
    struct iovec here = { &octet, 1 }, there = { &octet, 1 };
    (void)w;
    process_vm_readv(getppid(), &here, 1, &there, 1, 0);
    return 1;
}

static void test_deadly_calls(void **state)
{
    assert_int_equal(ends(state, try_exec), -SIGSYS);
    assert_int_equal(ends(state, try_exec_of_descriptor), -SIGSYS);
    assert_int_equal(ends(state, try_ptrace), -SIGSYS);
    assert_int_equal(ends(state, try_to_read_memory), -SIGSYS);
}

/* --- What does not exist --- */

static int try_unknown_calls(const struct world *w)
{
    static const long numbers[] = {
        SYS_mount,  SYS_unshare, SYS_setns,           SYS_chroot,
        SYS_kill,   SYS_bpf,     SYS_init_module,     SYS_keyctl,
        SYS_setuid, SYS_seccomp, SYS_perf_event_open, SYS_io_uring_setup
    };
    (void)w;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (syscall(numbers[i], 0, 0, 0, 0, 0, 0) != -1 || errno != ENOSYS)
            return (int)i + 1;
    if (fork() != -1 || errno != ENOSYS)
        return 50;
    if (socket(AF_PACKET, SOCK_RAW, 0) != -1 || errno != ENOSYS)
        return 51;
    return 0;
}

static void test_unknown_calls(void **state)
{
    assert_int_equal(ends(state, try_unknown_calls), 0);
}

/* --- Folders --- */

static bool can_open(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool is_denied(bool done)
{
    return !done && errno == EACCES;
}

static int try_outside(const struct world *w)
{
    return !is_denied(can_open(in(w, OUTSIDE, "there"), O_RDONLY))              ? 1
           : !is_denied(can_open(in(w, OUTSIDE, "there"), O_WRONLY))            ? 2
           : !is_denied(can_open(in(w, OUTSIDE, "new"), O_WRONLY | O_CREAT))    ? 3
           : !is_denied(can_open(w->folders[OUTSIDE], O_RDONLY))                ? 4
           : !is_denied(mkdir(in(w, OUTSIDE, "folder"), 0700) == 0)             ? 5
           : !is_denied(unlink(in(w, OUTSIDE, "there")) == 0)                   ? 6
           : !is_denied(can_open("/proc/1/status", O_RDONLY))                   ? 7
           : !is_denied(can_open("/etc/godwit-sandbox", O_WRONLY | O_CREAT))    ? 8
           : !is_denied(rename(in(w, OWN, "there"), in(w, READ, "moved")) == 0) ? 9
                                                                                : 0;
}

static int try_inside(const struct world *w)
{
    return !can_open(in(w, OWN, "new"), O_RDWR | O_CREAT | O_EXCL)       ? 1
           : rename(in(w, OWN, "new"), in(w, OWN, "other")) != 0         ? 2
           : !can_open(in(w, OWN, "other"), O_WRONLY | O_TRUNC)          ? 3
           : unlink(in(w, OWN, "other")) != 0                            ? 4
           : mkdir(in(w, OWN, "folder"), 0700) != 0                      ? 5
           : !can_open(in(w, OWN, "folder/deep"), O_WRONLY | O_CREAT)    ? 6
           : !can_open(in(w, LOG, "log"), O_WRONLY | O_CREAT | O_APPEND) ? 7
           : !is_denied(unlink(in(w, LOG, "log")) == 0)                  ? 8
           : !can_open(in(w, READ, "there"), O_RDONLY)                   ? 9
           : !is_denied(can_open(in(w, READ, "there"), O_WRONLY))        ? 10
           : !can_open("/etc/passwd", O_RDONLY)                          ? 11
           : !can_open("/dev/urandom", O_RDONLY)                         ? 12
           : !can_open("/usr", O_RDONLY)                                 ? 13
                                                                         : 0;
}

static void test_folders(void **state)
{
    assert_int_equal(ends(state, try_outside), 0);
    assert_int_equal(ends(state, try_inside), 0);
}

/* --- What a server does all day --- */

static void *say_yes(void *out)
{
    pthread_setname_np(pthread_self(), "yes");
    /* The thread is in the sandbox, too. */
    *(bool *)out = syscall(SYS_mount, 0, 0, 0, 0, 0) == -1 && errno == ENOSYS;
    return NULL;
}

static int try_threads(const struct world *w)
{
    pthread_t thread;
    bool yes = false;
    (void)w;
    if (pthread_create(&thread, NULL, say_yes, &yes) != 0 || pthread_join(thread, NULL) != 0)
        return 1;
    return yes ? 0 : 2;
}

static int try_loop(const struct world *w)
{
    int pair[2];
    struct epoll_event wish = { .events = EPOLLIN };
    int loop = epoll_create1(EPOLL_CLOEXEC), wake = eventfd(0, EFD_CLOEXEC);
    int changes = inotify_init1(IN_CLOEXEC);
    if (loop < 0 || wake < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, wake, &wish) != 0 ||
        eventfd_write(wake, 1) != 0 || epoll_wait(loop, &wish, 1, 0) != 1)
        return 1;
    if (changes < 0 || inotify_add_watch(changes, w->folders[READ], IN_CREATE) < 0)
        return 2;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0 ||
        send(pair[0], "x", 1, MSG_NOSIGNAL) != 1)
        return 3;
    if (socket(AF_INET, SOCK_STREAM, 0) < 0 || socket(AF_INET6, SOCK_DGRAM, 0) < 0 ||
        socket(AF_NETLINK, SOCK_RAW, 0) < 0)
        return 4;
    void *large = malloc(64 << 20);
    if (!large)
        return 5;
    memset(large, 1, 64 << 20);
    free(large);
    return 0;
}

static int try_large_file(const struct world *w)
{
    const off_t far = (off_t)5 << 30;
    struct stat status;
    struct iovec octet = { "x", 1 };
    int fd = open(in(w, OWN, "large"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || pwritev(fd, &octet, 1, far) != 1 || fdatasync(fd) != 0)
        return 1;
    if (fstat(fd, &status) != 0 || status.st_size != far + 1 || ftruncate(fd, 1) != 0)
        return 2;
    return close(fd) == 0 ? 0 : 3;
}

static int try_sqlite(const struct world *w)
{
    static const char words[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                                "CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(5000000));"
                                "CREATE INDEX i ON t (a); DELETE FROM t; VACUUM;"
                                "PRAGMA wal_checkpoint(TRUNCATE);";
    sqlite3 *db;
    if (sqlite3_open(in(w, OWN, "index.db"), &db) != SQLITE_OK)
        return 1;
    int status = sqlite3_exec(db, words, NULL, NULL, NULL);
    return sqlite3_close(db) == SQLITE_OK ? status : 2;
}

static int try_abort(const struct world *w)
{
    (void)w;
    abort();
}

static void test_a_days_work(void **state)
{
    assert_int_equal(ends(state, try_threads), 0);
    assert_int_equal(ends(state, try_loop), 0);
    assert_int_equal(ends(state, try_large_file), 0);
    assert_int_equal(ends(state, try_sqlite), 0);
    assert_int_equal(ends(state, try_abort), -SIGABRT); /* a failed CHECK is seen as one */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_deadly_calls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unknown_calls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_folders, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_days_work, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
