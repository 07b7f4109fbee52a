/* process.c - the process as the system sees it: users, service manager, limits.
 *
 * Everything here is for the start, before any thread exists, except process_notify() and looking
 * for an account by its number.
 */
#include "run/process.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ACCOUNT_OCTETS_MAX = 16 * 1024, HANDED_FIRST = 3, HANDED_MAX = 1024 };

static bool take_account(const struct passwd *found, struct process_user *out)
{
    if (!found || strlen(found->pw_name) >= sizeof out->name)
        return false;
    *out = (struct process_user){ .uid = found->pw_uid, .gid = found->pw_gid };
    memcpy(out->name, found->pw_name, strlen(found->pw_name));
    return true;
}

bool process_find_user(const char *name, struct process_user *out, struct error *e)
{
    char room[ACCOUNT_OCTETS_MAX];
    struct passwd account, *found = NULL;
    int number = getpwnam_r(name, &account, room, sizeof room, &found);
    if (number != 0 && number != ENOENT)
        return error_system(e, ERROR_TEMPORARY, number, "cannot look up the user %s", name);
    return take_account(found, out) ||
           error_set(e, ERROR_REFUSED, "there is no user %s on this machine", name);
}

bool process_find_uid(unsigned uid, struct process_user *out, struct error *e)
{
    char room[ACCOUNT_OCTETS_MAX];
    struct passwd account, *found = NULL;
    int number = getpwuid_r(uid, &account, room, sizeof room, &found);
    if (number != 0 && number != ENOENT)
        return error_system(e, ERROR_TEMPORARY, number, "cannot look up the user %u", uid);
    return take_account(found, out) ||
           error_set(e, ERROR_REFUSED, "the user %u has no account on this machine", uid);
}

bool process_find_self(struct process_user *out, struct error *e)
{
    return process_find_uid(geteuid(), out, e);
}

bool process_is_root(void)
{
    return geteuid() == 0;
}

unsigned process_uid(void)
{
    return geteuid();
}

/* The groups that the administrator gave the account, for instance to read certificates; an owner
 * of files who has no account has his one group only. */
static int take_groups(const struct process_user *user)
{
    gid_t group = user->gid;
    return user->name[0] ? initgroups(user->name, group) : setgroups(1, &group);
}

bool process_become(const struct process_user *user, struct error *e)
{
    /* Groups first: without root they cannot be changed any more. */
    if (take_groups(user) != 0 || setresgid(user->gid, user->gid, user->gid) != 0 ||
        setresuid(user->uid, user->uid, user->uid) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return error_system(e, ERROR_TEMPORARY, errno, "cannot become the user %u (%s)", user->uid,
                            user->name);
    /* There must be no way back. */
    CHECK(user->uid == 0 || setuid(0) != 0);
    return true;
}

uint64_t process_raise_descriptors(void)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before;
}

/* Service manager */

/* NOTIFY_SOCKET is a path, or "@name" in the abstract name space; 0 for anything else. */
static socklen_t notify_address(const char *name, struct sockaddr_un *out)
{
    size_t len = strlen(name);
    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof out->sun_path)
        return 0;
    memcpy(out->sun_path, name, len);
    if (name[0] == '@')
        out->sun_path[0] = 0;
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

void process_notify(const char *state)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address;
    socklen_t len = name ? notify_address(name, &address) : 0;
    if (len == 0)
        return;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    /* Whether anybody listens is the service manager's affair. */
    sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address, len);
    close(fd);
}

static bool number_from(const char *variable, uint64_t *out)
{
    return text_to_u64(text_of(getenv(variable)), out);
}

int process_handed_sockets(struct text *names_out)
{
    *names_out = (struct text){ 0 };
    uint64_t pid, count;
    /* Variables that were meant for a parent are inherited, too. */
    if (!number_from("LISTEN_PID", &pid) || pid != (uint64_t)getpid() ||
        !number_from("LISTEN_FDS", &count) || count > HANDED_MAX)
        return 0;
    for (int i = 0; i < (int)count; i++)
        fcntl(HANDED_FIRST + i, F_SETFD, FD_CLOEXEC);
    *names_out = text_of(getenv("LISTEN_FDNAMES"));
    return (int)count;
}

unsigned process_processors(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count > 0 ? (unsigned)count : 1;
}
