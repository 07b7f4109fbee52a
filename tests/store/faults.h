/* faults.h - a disk and a clock that obey the test: linked around run's with the linker's --wrap.
 *
 * Files are told apart by the beginning of their names.  Counts are of calls that match; all
 * threads.
 */
#ifndef TESTS_STORE_FAULTS_H
#define TESTS_STORE_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

/* The calls after the next `after` ones fail, `times` of them (-1: all). */
struct fault {
    const char *name; /* NULL: none fails */
    int after, times;
};

struct faults {
    struct fault write, sync, make;
    bool log_is_full;     /* the write-ahead logs of SQLite take nothing */
    bool log_fails;       /* a sync of one does not work */
    uint64_t free_octets; /* 0: as the disk says */
    uint64_t clock_ms;    /* added to the monotonic clock */
    uint64_t slept_us;    /* that SQLite asked for, while another held a lock */
    int crash_at; /* the process is gone at the n-th of: before a write, sync, make, rename or
                             unlink, and behind a sync */
    int calls;    /* of these so far */
};

/* Everything back to health. */
void faults_clear(void);
/* FAULT(write, (struct fault){ "journal/0", 0, 1 }); */
#define FAULT(member, ...)                                                                         \
    do {                                                                                           \
        faults_hold()->member = __VA_ARGS__;                                                       \
        faults_release();                                                                          \
    } while (0)
/* SQLite too uses a disk that obeys, from now on. */
void faults_register(void);
struct faults *faults_hold(void);
void faults_release(void);

#endif
