/* sandbox_calls.c - the system calls that a server needs, and who needs them.
 *
 * What is not here does not exist for the process (ENOSYS): libraries then do without, as on an
 * older kernel, and a newer library that asks for something new does no harm.  What only an
 * intruder asks for ends the process.  Names that this machine does not have are left out.
 */
#include "run/sandbox_inner.h"

#include <errno.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

static const char *const known[] = {
    /* The C library: memory (malloc, thread stacks, libraries that are loaded late). */
    "brk",
    "mmap",
    "mmap2",
    "munmap",
    "mprotect",
    "mremap",
    "madvise",
    /* Threads: ours, libunbound's, libcurl's; `clone` is among the rules below. */
    "futex",
    "futex_time64",
    "futex_waitv",
    "set_robust_list",
    "get_robust_list",
    "rseq",
    "set_tid_address",
    "sched_yield",
    "sched_getaffinity",
    "membarrier",
    "arch_prctl",
    "exit",
    /* Signals: libuv's pipe of signals, SIGPIPE, abort() of a failed CHECK. */
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigpending",
    "sigaltstack",
    "tgkill",
    "restart_syscall",
    "exit_group",
    /* Time, and waiting for it: mostly the vDSO, and its stand-ins. */
    "clock_gettime",
    "clock_gettime64",
    "clock_getres",
    "clock_getres_time64",
    "clock_nanosleep",
    "clock_nanosleep_time64",
    "nanosleep",
    "gettimeofday",
    "time",
    "times",
    /* Who and where we are, and our limits: SQLite and OpenSSL ask, libuv counts. */
    "getpid",
    "gettid",
    "getppid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getresuid",
    "getresgid",
    "getrandom",
    "uname",
    "sysinfo",
    "getrusage",
    "getcpu",
    "prlimit64",
    "getrlimit",
    "ugetrlimit",
    /* Event loops: libuv (epoll, eventfd, inotify), libevent in libunbound (timerfd), libcurl
     * (poll, socketpair). */
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_ctl_old",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "eventfd2",
    "pipe",
    "pipe2",
    "poll",
    "ppoll",
    "ppoll_time64",
    "select",
    "pselect6",
    "pselect6_time64",
    "_newselect",
    "timerfd_create",
    "timerfd_settime",
    "timerfd_gettime",
    "inotify_init1",
    "inotify_add_watch",
    "inotify_rm_watch",
    /* Connections; `socket` is among the rules below. */
    "bind",
    "listen",
    "accept",
    "accept4",
    "connect",
    "shutdown",
    "getsockname",
    "getpeername",
    "getsockopt",
    "setsockopt",
    "socketpair",
    "send",
    "sendto",
    "sendmsg",
    "sendmmsg",
    "recv",
    "recvfrom",
    "recvmsg",
    "recvmmsg",
    /* Descriptors and files: the store, SQLite, the log, libraries that read their files. */
    "read",
    "write",
    "readv",
    "writev",
    "pread64",
    "pwrite64",
    "preadv",
    "pwritev",
    "preadv2",
    "pwritev2",
    "open",
    "openat",
    "openat2",
    "close",
    "close_range",
    "dup",
    "dup2",
    "dup3",
    "fcntl",
    "fcntl64",
    "lseek",
    "_llseek",
    "stat",
    "stat64",
    "lstat",
    "lstat64",
    "fstat",
    "fstat64",
    "newfstatat",
    "fstatat64",
    "statx",
    "statfs",
    "statfs64",
    "fstatfs",
    "fstatfs64",
    "access",
    "faccessat",
    "faccessat2",
    "getcwd",
    "readlink",
    "readlinkat",
    "getdents",
    "getdents64",
    "umask",
    "fadvise64",
    "fadvise64_64",
    "readahead",
    /* What the store and SQLite do to files of their own; chmod for control.sock. */
    "fsync",
    "fdatasync",
    "sync_file_range",
    "sync_file_range2",
    "ftruncate",
    "ftruncate64",
    "fallocate",
    "flock",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "rmdir",
    "chmod",
    "fchmod",
    "fchmodat",
    "fchown",
    "fchown32",
    "utimensat",
    "copy_file_range",
    "sendfile",
    "sendfile64",
};

/* Nothing of ours starts a program or looks into another process. */
static const char *const deadly[] = {
    "execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev",
};

/* --- Calls that depend on what they are asked --- */

static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK /* getifaddrs() */ };
static const unsigned long controls[] = {
    FIONBIO,      FIONREAD,    FIOCLEX, /* libuv, libevent */
    TCGETS,                             /* isatty() */
    SIOCGIFINDEX, SIOCGIFNAME,          /* scopes of IPv6 addresses */
};
static const int process_controls[] = { PR_SET_NAME, PR_GET_NAME, PR_GET_NO_NEW_PRIVS,
                                        PR_GET_SECCOMP };

enum {
    NAMESPACES = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                 CLONE_NEWPID | CLONE_NEWNET
};

/* Threads, but no processes and no name spaces.  `clone3` hides its flags in memory, where a filter
 * cannot look: the C library then falls back to `clone`. */
static int allow_threads(scmp_filter_ctx filter)
{
#ifdef __s390x__
    enum { FLAGS = 1 };
#else
    enum { FLAGS = 0 };
#endif
    return seccomp_rule_add(
        filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
        SCMP_CMP(FLAGS, SCMP_CMP_MASKED_EQ, CLONE_THREAD | NAMESPACES, CLONE_THREAD));
}

static int allow_some(scmp_filter_ctx filter)
{
    int status = allow_threads(filter);
    for (size_t i = 0; i < sizeof families / sizeof *families && status == 0; i++)
        status = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                                  SCMP_A0_32(SCMP_CMP_EQ, (unsigned)families[i]));
    for (size_t i = 0; i < sizeof controls / sizeof *controls && status == 0; i++)
        status = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                                  SCMP_A1_32(SCMP_CMP_EQ, (unsigned)controls[i]));
    for (size_t i = 0; i < sizeof process_controls / sizeof *process_controls && status == 0; i++)
        status = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
                                  SCMP_A0_32(SCMP_CMP_EQ, (unsigned)process_controls[i]));
    return status;
}

/* --- The filter --- */

static int add(scmp_filter_ctx filter, uint32_t action, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int number = seccomp_syscall_resolve_name(names[i]);
        int status = number < 0 ? 0 : seccomp_rule_add(filter, action, number, 0);
        if (status != 0)
            return status;
    }
    return 0;
}

static int fill(scmp_filter_ctx filter)
{
    /* Only for speed, where they can be had.  Without the first, kernels before 5.16 slow the whole
     * process down (speculation); the second makes a tree of what would be a list. */
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    int status = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    status = status ? status : add(filter, SCMP_ACT_ALLOW, known, sizeof known / sizeof *known);
    status = status ? status
                    : add(filter, SCMP_ACT_KILL_PROCESS, deadly, sizeof deadly / sizeof *deadly);
    return status ? status : allow_some(filter);
}

bool sandbox_filter_calls(struct error *e)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    int status = filter ? fill(filter) : -ENOMEM;
    status = status ? status : seccomp_load(filter);
    seccomp_release(filter);
    return status == 0 || error_system(e, ERROR_REFUSED, -status,
                                       "the kernel has no filter of system calls for us");
}
