/* box_lock.c - an mbox that nobody else changes for a while. */
#include "folder/box_lock.h"

#include "run/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAUSE_MS = 100, NOTE_MAX = 64 };

static const struct text note = TEXT("godwit ");

/* One that a dead process of ours left behind says so. */
static bool is_left_behind(const char *dot)
{
    char words[NOTE_MAX];
    uint64_t pid = 0;
    int fd = open(dot, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, words, sizeof words) : 0;
    if (fd >= 0)
        close(fd);
    struct text rest = { words, got > 0 ? (size_t)got : 0 };
    if (!text_starts(rest, note) || !text_to_u64(text_skip(rest, note.len), &pid) || pid == 0 ||
        pid > INT32_MAX)
        return false;
    return kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

enum dot { DOT_TAKEN, DOT_BUSY, DOT_CANNOT };

static enum dot take_dot(const char *dot)
{
    int fd = open(dot, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST ? DOT_BUSY : DOT_CANNOT;
    bool ok = dprintf(fd, "%.*s%ld", TEXT_ARGS(note), (long)getpid()) > 0;
    ok = close(fd) == 0 && ok;
    if (!ok)
        unlink(dot);
    return ok ? DOT_TAKEN : DOT_CANNOT;
}

static bool take_region(int file)
{
    struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    return fcntl(file, F_SETLK, &all) == 0;
}

/* Until it comes about or time is over. */
static bool wait_for(struct box_lock *l, const char *path, struct error *e)
{
    bool region = false;
    for (uint64_t end = clock_monotonic_ms() + BOX_LOCK_WAIT_S * 1000;;) {
        enum dot dot = DOT_BUSY;
        region = region || take_region(l->file);
        if (region)
            dot = take_dot(l->dot);
        l->has_dot = dot == DOT_TAKEN;
        if (region && dot != DOT_BUSY)
            return true;
        if (region && is_left_behind(l->dot) && unlink(l->dot) == 0)
            continue;
        if (clock_monotonic_ms() >= end)
            return error_set(e, ERROR_TEMPORARY, "%.250s is locked by another program (%s)", path,
                             region ? "NAME.lock is there" : "fcntl");
        poll(NULL, 0, PAUSE_MS);
    }
}

/* Whoever held the lock may have put another file in its place. */
static bool is_still(const struct box_lock *l, const char *path)
{
    struct stat own, named;
    return fstat(l->file, &own) == 0 && stat(path, &named) == 0 && own.st_ino == named.st_ino &&
           own.st_dev == named.st_dev;
}

bool box_lock(const char *path, struct box_lock *l, struct error *e)
{
    struct stat at;
    *l = (struct box_lock){ .file = -1 };
    snprintf(l->dot, sizeof l->dot, "%s.lock", path);
    for (int tries = 0; tries < 10; tries++) {
        l->file = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
        if (l->file < 0 || fstat(l->file, &at) != 0) {
            error_system(e, ERROR_TEMPORARY, errno, "%.300s", path);
            break;
        }
        if (!S_ISREG(at.st_mode)) {
            error_set(e, ERROR_REFUSED, "%.300s is no file: mail cannot be kept there", path);
            break;
        }
        if (!wait_for(l, path, e))
            break;
        if (is_still(l, path))
            return true;
        box_unlock(l);
    }
    box_unlock(l);
    return false;
}

void box_unlock(struct box_lock *l)
{
    if (l->has_dot)
        unlink(l->dot);
    if (l->file >= 0)
        close(l->file);
    l->has_dot = false;
    l->file = -1;
}
