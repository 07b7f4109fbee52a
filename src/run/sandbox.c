/* sandbox.c - what this process may still do: folders by Landlock, and the order of the walls.
 *
 * Debian 12's C library has no functions for Landlock, hence the system calls; its headers are
 * older than many kernels, hence the rights that are named here.  The calls are in sandbox_calls.c.
 */
#include "run/sandbox_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A sanitizer keeps threads of its own, writes reports, and looks at itself with ptrace. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif

#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define LOG                                                                                        \
    (READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |                          \
     LANDLOCK_ACCESS_FS_TRUNCATE)
#define OWN                                                                                        \
    (LOG | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                        \
     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REFER)

/* What libraries read when they run.  None of it is secret: whoever may read only what everybody
 * may finds no more in there. */
static const struct sandbox_folder needed[] = {
    { "/etc", SANDBOX_READ }, /* resolv.conf, hosts, nsswitch.conf, services, localtime, ssl */
    { "/usr", SANDBOX_READ }, /* CA certificates, anchors of DNSSEC, locales, time zones, gconv */
    { "/lib", SANDBOX_READ }, /* libraries that the C library loads late, libgcc_s for one */
    { "/lib64", SANDBOX_READ },
    { "/run/systemd/resolve", SANDBOX_READ }, /* where resolv.conf may really be */
    { "/run/resolvconf", SANDBOX_READ },
    { "/run/NetworkManager", SANDBOX_READ },
    { "/dev", SANDBOX_READ },                    /* null, urandom */
    { "/proc/sys", SANDBOX_READ },               /* overcommit_memory: malloc */
    { "/sys/devices/system/cpu", SANDBOX_READ }, /* how many processors: malloc */
};

static const char sanitized[] = "built with a sanitizer: no sandbox";

/* --- Landlock --- */

/* Each version knows more rights; those that it does not know it does not restrict. */
static uint64_t rights_of(unsigned version)
{
    uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
    rights |= version >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0;
    rights |= version >= 3 ? LANDLOCK_ACCESS_FS_TRUNCATE : 0;
    rights |= version >= 5 ? LANDLOCK_ACCESS_FS_IOCTL_DEV : 0;
    return rights;
}

/* 0: none, and errno says why. */
static unsigned landlock_version(void)
{
    long version =
        syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);
    return version > 0 ? (unsigned)version : 0;
}

static bool allow(int ruleset, uint64_t rights, const struct sandbox_folder *folder)
{
    static const uint64_t uses[] = {
        [SANDBOX_READ] = READ, [SANDBOX_LOG] = LOG, [SANDBOX_OWN] = OWN
    };
    struct landlock_path_beneath_attr rule = {
        .allowed_access = uses[folder->use] & rights,
        .parent_fd = open(folder->path, O_PATH | O_DIRECTORY | O_CLOEXEC),
    };
    if (rule.parent_fd < 0)
        return true; /* missing, or out of our reach anyway */
    bool ok = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
    int number = errno;
    close(rule.parent_fd);
    errno = number;
    return ok;
}

static bool allow_all(int ruleset, uint64_t rights, const struct sandbox_folder *folders,
                      size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!allow(ruleset, rights, &folders[i]))
            return false;
    return true;
}

/* The version, or 0 with *error. */
static unsigned restrict_folders(const struct sandbox_folder *folders, size_t count,
                                 struct error *e)
{
    unsigned version = landlock_version();
    uint64_t rights = rights_of(version);
    struct landlock_ruleset_attr all = { .handled_access_fs = rights };
    int ruleset = -1;
    if (version)
        ruleset = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof all.handled_access_fs, 0);
    bool ok = ruleset >= 0 && allow_all(ruleset, rights, needed, sizeof needed / sizeof *needed) &&
              allow_all(ruleset, rights, folders, count) &&
              syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    if (!ok)
        error_system(e, ERROR_REFUSED, errno, "the kernel has no Landlock for us");
    if (ruleset >= 0)
        close(ruleset);
    return ok ? version : 0;
}

/* --- The walls --- */

static void miss(struct sandbox_walls *walls, const char *why)
{
    size_t len = strlen(walls->words);
    snprintf(walls->words + len, sizeof walls->words - len, "%s%s", len ? "; " : "", why);
}

struct sandbox_walls sandbox_build(const struct sandbox_folder *folders, size_t count)
{
    struct sandbox_walls walls = { 0 };
    struct error e;
    if (SANITIZED) {
        miss(&walls, sanitized);
        return walls;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        miss(&walls, "the kernel has no no_new_privs");
        return walls;
    }
    /* In this order: the filter does not know Landlock's calls. */
    walls.landlock = restrict_folders(folders, count, &e);
    if (!walls.landlock)
        miss(&walls, e.words);
    walls.seccomp = sandbox_filter_calls(&e);
    if (!walls.seccomp)
        miss(&walls, e.words);
    return walls;
}

struct sandbox_walls sandbox_possible(void)
{
    struct sandbox_walls walls = { 0 };
    if (SANITIZED) {
        miss(&walls, sanitized);
        return walls;
    }
    walls.landlock = landlock_version();
    if (!walls.landlock)
        miss(&walls, "the kernel has no Landlock for us");
    walls.seccomp = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
    if (!walls.seccomp)
        miss(&walls, "the kernel has no filter of system calls for us");
    return walls;
}
