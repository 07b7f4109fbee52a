/* counter.c - counts what a program asks of the allocator and of the disk's sync; preloaded.
 *
 * The counts stand in the file that BENCH_COUNTS names, as an array of 64-bit numbers in the order
 * of `enum count`, readable while the program runs.  Without that file it counts into nothing.
 * It is for a run of its own: a program that is counted is not timed.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum count { ALLOCATIONS, ALLOCATED_OCTETS, FREES, JOURNAL_SYNCS, OTHER_SYNCS, COUNTS };

/* The allocator's own names, exported by glibc for such as us. */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void __libc_free(void *);

static _Atomic uint64_t nowhere[COUNTS];
static _Atomic uint64_t *counts = nowhere;

static void count(enum count which, uint64_t by)
{
    atomic_fetch_add_explicit(&counts[which], by, memory_order_relaxed);
}

__attribute__((constructor)) static void open_counts(void)
{
    const char *name = getenv("BENCH_COUNTS");
    int fd = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *at = mmap(NULL, sizeof nowhere, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (at != MAP_FAILED)
        counts = at;
}

static void count_allocation(size_t octets)
{
    count(ALLOCATIONS, 1);
    count(ALLOCATED_OCTETS, octets);
}

void *malloc(size_t octets)
{
    count_allocation(octets);
    return __libc_malloc(octets);
}

void *calloc(size_t members, size_t octets)
{
    count_allocation(members * octets);
    return __libc_calloc(members, octets);
}

void *realloc(void *old, size_t octets)
{
    count_allocation(octets);
    return __libc_realloc(old, octets);
}

void free(void *old)
{
    if (old)
        count(FREES, 1);
    __libc_free(old);
}

/* A sync of the journal by the name of the file, any other (the index, folders) apart. */
static void count_sync(int fd)
{
    char link[40], name[512];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, name, sizeof name - 1);
    name[len > 0 ? len : 0] = 0;
    count(strstr(name, "/journal/") ? JOURNAL_SYNCS : OTHER_SYNCS, 1);
}

int fdatasync(int fd)
{
    count_sync(fd);
    return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    count_sync(fd);
    return (int)syscall(SYS_fsync, fd);
}
