/* test_process.c - users, limits, and what a service manager says and hears. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "run/process.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_users(void **state)
{
    (void)state;
    struct process_user user;
    struct error e;
    assert_true(process_find_user("root", &user, &e));
    assert_int_equal(user.uid, 0);
    assert_string_equal(user.name, "root");
    assert_false(process_find_user("no-such-user-here", &user, &e));
    assert_int_equal(e.kind, ERROR_REFUSED);
    assert_non_null(strstr(e.words, "no-such-user-here"));
    assert_int_equal(process_uid(), geteuid());
    assert_int_equal(process_is_root(), geteuid() == 0);
}

/* In a child: 0 when it became the user for good. */
static int become(const struct process_user *user)
{
    struct error e;
    uid_t real, effective, saved;
    gid_t groups[64];
    if (!process_become(user, &e))
        return 1;
    getresuid(&real, &effective, &saved);
    if (real != user->uid || effective != user->uid || saved != user->uid)
        return 2;
    if (getgid() != user->gid || getegid() != user->gid)
        return 3;
    int count = getgroups(64, groups);
    for (int i = 0; i < count; i++)
        if (groups[i] == 0 && user->gid != 0)
            return 4;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return 5;
    return setuid(0) == 0 || setgid(0) == 0 ? 6 : 0;
}

static int in_a_child(int (*act)(const struct process_user *), const struct process_user *user)
{
    pid_t child = fork();
    if (child == 0)
        _exit(act(user));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_becoming_somebody(void **state)
{
    (void)state;
    struct process_user nobody, owner = { .uid = 54321, .gid = 54322 };
    struct error e;
    if (geteuid() != 0 || !process_find_user("nobody", &nobody, &e))
        skip();
    assert_int_equal(in_a_child(become, &nobody), 0);
    assert_int_equal(in_a_child(become, &owner), 0); /* of a directory: he has no account */
}

static int fail_to_become(const struct process_user *user)
{
    struct error e;
    if (geteuid() == 0 && setuid(user->uid) != 0)
        return 1;
    const struct process_user root = { .name = "root" };
    return process_become(&root, &e) || e.kind != ERROR_TEMPORARY ? 2 : 0;
}

static void test_only_root_becomes_somebody(void **state)
{
    (void)state;
    const struct process_user owner = { .uid = 54321 };
    assert_int_equal(in_a_child(fail_to_become, &owner), 0);
}

static void test_descriptors(void **state)
{
    (void)state;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 64;
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_true(process_raise_descriptors() == limit.rlim_max);
    getrlimit(RLIMIT_NOFILE, &limit);
    assert_true(limit.rlim_cur == limit.rlim_max);
}

static void notify_by(const char *name, socklen_t len, bool abstract)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    memcpy(address.sun_path, name, strlen(name));
    if (abstract)
        address.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    process_notify("READY=1\nSTATUS=serving");
    char got[64] = { 0 };
    assert_int_equal(recv(fd, got, sizeof got - 1, MSG_DONTWAIT), 22);
    assert_string_equal(got, "READY=1\nSTATUS=serving");
    close(fd);
}

static void test_notify(void **state)
{
    (void)state;
    char folder[] = "/tmp/godwit-notify-XXXXXX", path[64], name[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/sock", folder);
    notify_by(path, sizeof(struct sockaddr_un), false);
    process_notify("nobody listens any more");
    unlink(path);
    rmdir(folder);
    snprintf(name, sizeof name, "@godwit-test-%d", (int)getpid());
    notify_by(name, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name)), true);
    setenv("NOTIFY_SOCKET", "vsock:2:1234", 1); /* a kind that we do not know */
    process_notify("READY=1");
    unsetenv("NOTIFY_SOCKET");
    process_notify("READY=1");
}

static void test_handed_sockets(void **state)
{
    (void)state;
    char self[32];
    snprintf(self, sizeof self, "%d", (int)getpid());
    const struct {
        const char *pid, *count, *names;
        int expected;
    } cases[] = {
        { NULL, NULL, NULL, 0 },  { self, NULL, NULL, 0 },       { "1", "2", "smtp:pop3", 0 },
        { self, "x", "smtp", 0 }, { self, "99999999", NULL, 0 }, { self, "0", "", 0 },
        { self, "-1", NULL, 0 },  { self, "2", "smtp:pop3", 2 }, { self, "1", NULL, 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const variables[][2] = { { "LISTEN_PID", cases[i].pid },
                                             { "LISTEN_FDS", cases[i].count },
                                             { "LISTEN_FDNAMES", cases[i].names } };
        for (int v = 0; v < 3; v++) {
            if (variables[v][1])
                setenv(variables[v][0], variables[v][1], 1);
            else
                unsetenv(variables[v][0]);
        }
        struct text names;
        assert_int_equal(process_handed_sockets(&names), cases[i].expected);
        assert_true(text_equal(names, cases[i].expected ? text_of(cases[i].names) : T("")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_becoming_somebody),
        cmocka_unit_test(test_only_root_becomes_somebody),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_notify),
        cmocka_unit_test(test_handed_sockets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
