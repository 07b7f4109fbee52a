/* fault.c - a disk that fails on demand: preloaded into the server by faulty.py.
 *
 * The file named by GODWIT_FAULT says what goes wrong, one word:
 *   sync    the next fdatasync of a journal segment fails with EIO, once
 *   write   the next write into a journal segment fails with ENOSPC, once
 *   short   the next write into a journal segment writes a part of it, once
 *   full    the file system has no room left, until the file is removed
 *   gone    every fdatasync of a journal segment fails with EIO, until the file is removed
 *   slow    every fdatasync of a journal segment takes a second, until the file is removed
 *   dying   both
 * A fault that happens once removes the file.  Offsets are of 64 bits: the calls have those names.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

static bool wanted(const char *fault)
{
    const char *name = getenv("GODWIT_FAULT");
    char word[16] = "";
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return false;
    ssize_t got = read(file, word, sizeof word - 1);
    close(file);
    return got > 0 && strcmp(word, fault) == 0;
}

static bool happens_once(const char *fault)
{
    return wanted(fault) && unlink(getenv("GODWIT_FAULT")) == 0;
}

static bool is_segment(int file)
{
    char link[64], path[4096] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t len = readlink(link, path, sizeof path - 1);
    return len > 4 && strcmp(path + len - 4, ".seg") == 0;
}

int fdatasync(int file)
{
    static int (*real)(int);
    if (!real)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    if (is_segment(file) && (wanted("slow") || wanted("dying")))
        sleep(1);
    if (is_segment(file) && (wanted("gone") || wanted("dying") || happens_once("sync"))) {
        errno = EIO;
        return -1;
    }
    return real(file);
}

typedef ssize_t writer(int, const struct iovec *, int, off_t);

static ssize_t faulty_write(writer *real, int file, const struct iovec *slices, off_t offset,
                            int count)
{
    if (is_segment(file) && happens_once("write")) {
        errno = ENOSPC;
        return -1;
    }
    if (is_segment(file) && happens_once("short")) {
        struct iovec part = { slices[0].iov_base, slices[0].iov_len / 2 };
        return real(file, &part, 1, offset);
    }
    return real(file, slices, count, offset);
}

ssize_t pwritev(int file, const struct iovec *slices, int count, off_t offset)
{
    static writer *real;
    if (!real)
        real = (writer *)dlsym(RTLD_NEXT, "pwritev64");
    return faulty_write(real, file, slices, offset, count);
}

int fstatvfs(int file, struct statvfs *out)
{
    static int (*real)(int, struct statvfs *);
    if (!real)
        real = (int (*)(int, struct statvfs *))dlsym(RTLD_NEXT, "fstatvfs64");
    int done = real(file, out);
    if (done == 0 && wanted("full"))
        out->f_bavail = 1;
    return done;
}
