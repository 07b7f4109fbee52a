/* faults.c - a disk and a clock that obey the test. */
#include "faults.h"

#include "run/clock.h"
#include "run/disk.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FILES_MAX = 256, NAME_OCTETS = 64 };

static struct {
    pthread_mutex_t mutex;
    struct faults set;
    struct {
        const struct disk_file *file;
        char name[NAME_OCTETS];
    } files[FILES_MAX];
} world = { .mutex = PTHREAD_MUTEX_INITIALIZER };

struct faults *faults_hold(void)
{
    pthread_mutex_lock(&world.mutex);
    return &world.set;
}

void faults_release(void)
{
    pthread_mutex_unlock(&world.mutex);
}

void faults_clear(void)
{
    pthread_mutex_lock(&world.mutex);
    world.set = (struct faults){ .clock_ms = world.set.clock_ms };
    pthread_mutex_unlock(&world.mutex);
}

/* With the mutex held. */
static void count_call(void)
{
    if (++world.set.calls == world.set.crash_at)
        _exit(0);
}

static bool fails(struct fault *f, const char *name)
{
    if (!f->name || strncmp(name, f->name, strlen(f->name)) != 0)
        return false;
    if (f->after > 0) {
        f->after--;
        return false;
    }
    if (f->times == 0)
        return false;
    f->times -= f->times > 0;
    return true;
}

static bool fails_by_name(struct fault *f, const char *name)
{
    pthread_mutex_lock(&world.mutex);
    count_call();
    bool failed = fails(f, name);
    pthread_mutex_unlock(&world.mutex);
    return failed;
}

static bool fails_by_file(struct fault *f, const struct disk_file *file)
{
    const char *name = "";
    pthread_mutex_lock(&world.mutex);
    count_call();
    for (int i = 0; i < FILES_MAX; i++)
        if (world.files[i].file == file)
            name = world.files[i].name;
    bool failed = fails(f, name);
    pthread_mutex_unlock(&world.mutex);
    return failed;
}

static void remember(const struct disk_file *file, const char *name)
{
    pthread_mutex_lock(&world.mutex);
    for (int i = 0; i < FILES_MAX; i++) {
        if (world.files[i].file)
            continue;
        world.files[i].file = file;
        snprintf(world.files[i].name, NAME_OCTETS, "%s", name);
        break;
    }
    pthread_mutex_unlock(&world.mutex);
}

static void forget(const struct disk_file *file)
{
    pthread_mutex_lock(&world.mutex);
    for (int i = 0; i < FILES_MAX; i++)
        if (world.files[i].file == file)
            world.files[i].file = NULL;
    pthread_mutex_unlock(&world.mutex);
}

/* --- SQLite's files --- */

static int (*real_open)(sqlite3_vfs *, sqlite3_filename, sqlite3_file *, int, int *);
static int (*real_sleep)(sqlite3_vfs *, int);
static const sqlite3_io_methods *real_methods;
static sqlite3_io_methods log_methods;

static int log_write(sqlite3_file *file, const void *octets, int count, sqlite3_int64 offset)
{
    pthread_mutex_lock(&world.mutex);
    bool is_full = world.set.log_is_full;
    pthread_mutex_unlock(&world.mutex);
    return is_full ? SQLITE_FULL : real_methods->xWrite(file, octets, count, offset);
}

static int log_sync(sqlite3_file *file, int flags)
{
    pthread_mutex_lock(&world.mutex);
    bool fails = world.set.log_fails;
    pthread_mutex_unlock(&world.mutex);
    return fails ? SQLITE_IOERR_FSYNC : real_methods->xSync(file, flags);
}

static int open_log(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
                    int *flags_out)
{
    int code = real_open(vfs, name, file, flags, flags_out);
    if (code == SQLITE_OK && (flags & SQLITE_OPEN_WAL)) {
        pthread_mutex_lock(&world.mutex);
        if (!real_methods) {
            real_methods = file->pMethods;
            log_methods = *real_methods;
            log_methods.xWrite = log_write;
            log_methods.xSync = log_sync;
        }
        pthread_mutex_unlock(&world.mutex);
        file->pMethods = &log_methods;
    }
    return code;
}

static int sleep_counted(sqlite3_vfs *vfs, int us)
{
    pthread_mutex_lock(&world.mutex);
    world.set.slept_us += (uint64_t)us;
    pthread_mutex_unlock(&world.mutex);
    return real_sleep(vfs, us);
}

void faults_register(void)
{
    static sqlite3_vfs vfs;
    if (real_open)
        return;
    vfs = *sqlite3_vfs_find(NULL);
    real_open = vfs.xOpen;
    real_sleep = vfs.xSleep;
    vfs.xOpen = open_log;
    vfs.xSleep = sleep_counted;
    vfs.zName = "obeys the test";
    sqlite3_vfs_register(&vfs, 1);
}

/* --- What is linked in the place of run's --- */

uint64_t __real_clock_monotonic_ms(void);
uint64_t __wrap_clock_monotonic_ms(void);
uint64_t __wrap_clock_monotonic_ms(void)
{
    pthread_mutex_lock(&world.mutex);
    uint64_t ahead = world.set.clock_ms;
    pthread_mutex_unlock(&world.mutex);
    return __real_clock_monotonic_ms() + ahead;
}

bool __real_disk_free_space(struct disk *, uint64_t *, struct error *);
bool __wrap_disk_free_space(struct disk *, uint64_t *, struct error *);
bool __wrap_disk_free_space(struct disk *d, uint64_t *octets_out, struct error *e)
{
    pthread_mutex_lock(&world.mutex);
    uint64_t octets = world.set.free_octets;
    pthread_mutex_unlock(&world.mutex);
    if (!octets)
        return __real_disk_free_space(d, octets_out, e);
    *octets_out = octets;
    return true;
}

bool __real_disk_file_open(struct disk *, const char *, enum disk_mode, struct disk_file **,
                           struct error *);
bool __wrap_disk_file_open(struct disk *, const char *, enum disk_mode, struct disk_file **,
                           struct error *);
bool __wrap_disk_file_open(struct disk *d, const char *name, enum disk_mode mode,
                           struct disk_file **out, struct error *e)
{
    if (mode == DISK_CREATE && fails_by_name(&world.set.make, name)) {
        *out = NULL;
        return error_system(e, ERROR_TEMPORARY, ENOSPC, "cannot make %s", name);
    }
    if (!__real_disk_file_open(d, name, mode, out, e))
        return false;
    remember(*out, name);
    return true;
}

void __real_disk_file_close(struct disk_file **);
void __wrap_disk_file_close(struct disk_file **);
void __wrap_disk_file_close(struct disk_file **file)
{
    if (*file)
        forget(*file);
    __real_disk_file_close(file);
}

bool __real_disk_file_write(struct disk_file *, uint64_t, const struct iovec *, int,
                            struct error *);
bool __wrap_disk_file_write(struct disk_file *, uint64_t, const struct iovec *, int,
                            struct error *);
/* A write that fails has written its first part. */
bool __wrap_disk_file_write(struct disk_file *file, uint64_t offset, const struct iovec *parts,
                            int count, struct error *e)
{
    if (!fails_by_file(&world.set.write, file))
        return __real_disk_file_write(file, offset, parts, count, e);
    __real_disk_file_write(file, offset, parts, 1, e);
    return error_system(e, ERROR_TEMPORARY, ENOSPC, "cannot write");
}

bool __real_disk_file_sync(struct disk_file *, struct error *);
bool __wrap_disk_file_sync(struct disk_file *, struct error *);
bool __wrap_disk_file_sync(struct disk_file *file, struct error *e)
{
    if (fails_by_file(&world.set.sync, file))
        return error_system(e, ERROR_TEMPORARY, EIO, "cannot sync");
    bool ok = __real_disk_file_sync(file, e);
    pthread_mutex_lock(&world.mutex);
    count_call(); /* between a sync and what follows from it */
    pthread_mutex_unlock(&world.mutex);
    return ok;
}

bool __real_disk_rename(struct disk *, const char *, const char *, struct error *);
bool __wrap_disk_rename(struct disk *, const char *, const char *, struct error *);
bool __wrap_disk_rename(struct disk *d, const char *from, const char *to, struct error *e)
{
    struct fault none = { 0 };
    fails_by_name(&none, from);
    return __real_disk_rename(d, from, to, e);
}

bool __real_disk_unlink(struct disk *, const char *, struct error *);
bool __wrap_disk_unlink(struct disk *, const char *, struct error *);
bool __wrap_disk_unlink(struct disk *d, const char *name, struct error *e)
{
    struct fault none = { 0 };
    fails_by_name(&none, name);
    return __real_disk_unlink(d, name, e);
}
