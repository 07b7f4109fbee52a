/* vfs.c - SQLite on a simulated disk: files from sim/medium.h, time and chance from the world.
 *
 * It syncs what SQLite's own file system for Unix syncs, and no more: the folder too with the first
 * sync of a new journal, and after removing a file where that is asked for.  Shared memory is
 * memory: it goes with the last connection, and is never on the disk.
 */
#include "sim/vfs.h"

#include "base/check.h"
#include "sim/medium.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REGIONS_MAX = 256, SLOTS = SQLITE_SHM_NLOCK, PATH_OCTETS = 256 };

/* What the connections to one database have in common: in the inode's annex. */
struct shared {
    unsigned users;
    unsigned readers;                     /* with a SHARED lock or more */
    void *reserved, *pending, *exclusive; /* which file holds it */
    unsigned mapped;
    void *regions[REGIONS_MAX];
    int region_octets;
    unsigned slot_readers[SLOTS];
    void *slot_writer[SLOTS];
};

struct file {
    sqlite3_file base;
    struct medium *medium;
    struct inode *node;
    struct shared *shared; /* of a database */
    int lock;
    bool mapped;
    uint8_t slots_shared, slots_exclusive;
    bool sync_folder; /* with the next sync */
};

static struct file *file_of(sqlite3_file *f)
{
    return (struct file *)(void *)f;
}

/* --- Octets --- */

static int vfs_read(sqlite3_file *base, void *to, int count, sqlite3_int64 offset)
{
    struct file *f = file_of(base);
    size_t got = 0;
    if (inode_read(f->node, (uint64_t)offset, to, (size_t)count, &got) != 0)
        return SQLITE_IOERR_READ;
    if (got == (size_t)count)
        return SQLITE_OK;
    memset((char *)to + got, 0, (size_t)count - got);
    return SQLITE_IOERR_SHORT_READ;
}

static int vfs_write(sqlite3_file *base, const void *octets, int count, sqlite3_int64 offset)
{
    struct iovec part = { (void *)(uintptr_t)octets, (size_t)count };
    int number = inode_write(file_of(base)->node, (uint64_t)offset, &part, 1);
    return number == 0 ? SQLITE_OK : number == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int vfs_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    return inode_truncate(file_of(base)->node, (uint64_t)size) == 0 ? SQLITE_OK
                                                                    : SQLITE_IOERR_TRUNCATE;
}

static int vfs_sync(sqlite3_file *base, int flags)
{
    struct file *f = file_of(base);
    char folder[MEDIUM_NAME_MAX];
    (void)flags;
    if (inode_sync(f->node) != 0)
        return SQLITE_IOERR_FSYNC;
    if (f->sync_folder && medium_sync_folder(f->medium, inode_folder(f->node, folder)) == 0)
        f->sync_folder = false; /* a folder that cannot be synced is no failure there either */
    return SQLITE_OK;
}

static int vfs_size(sqlite3_file *base, sqlite3_int64 *size)
{
    *size = (sqlite3_int64)inode_size(file_of(base)->node);
    return SQLITE_OK;
}

/* --- Locks of the file --- */

static int vfs_lock(sqlite3_file *base, int level)
{
    struct file *f = file_of(base);
    struct shared *s = f->shared;
    if (!s || f->lock >= level)
        return SQLITE_OK;
    bool others_write = (s->exclusive && s->exclusive != f) || (s->pending && s->pending != f);
    if (level == SQLITE_LOCK_SHARED) {
        if (others_write)
            return SQLITE_BUSY;
        s->readers++;
    } else if (level == SQLITE_LOCK_RESERVED) {
        if (others_write || (s->reserved && s->reserved != f))
            return SQLITE_BUSY;
        s->reserved = f;
    } else {
        if (others_write || (s->reserved && s->reserved != f))
            return SQLITE_BUSY;
        s->pending = f;
        if (s->readers > 1)
            return SQLITE_BUSY;
        s->exclusive = f;
    }
    f->lock = level;
    return SQLITE_OK;
}

static int vfs_unlock(sqlite3_file *base, int level)
{
    struct file *f = file_of(base);
    struct shared *s = f->shared;
    if (!s || f->lock <= level)
        return SQLITE_OK;
    if (s->reserved == f)
        s->reserved = NULL;
    if (s->pending == f)
        s->pending = NULL;
    if (s->exclusive == f)
        s->exclusive = NULL;
    if (level == SQLITE_LOCK_NONE)
        s->readers--;
    f->lock = level;
    return SQLITE_OK;
}

static int vfs_check_reserved(sqlite3_file *base, int *result)
{
    struct shared *s = file_of(base)->shared;
    *result = s && (s->reserved || s->pending || s->exclusive);
    return SQLITE_OK;
}

/* --- Shared memory --- */

static int shm_map(sqlite3_file *base, int region, int octets, int extend, void volatile **out)
{
    struct file *f = file_of(base);
    struct shared *s = f->shared;
    *out = NULL;
    CHECK(s);
    if (!f->mapped) {
        f->mapped = true;
        s->mapped++;
    }
    if (region >= REGIONS_MAX)
        return SQLITE_IOERR_SHMMAP;
    if (!s->regions[region] && extend)
        s->regions[region] = calloc(1, (size_t)octets);
    *out = s->regions[region];
    return *out || !extend ? SQLITE_OK : SQLITE_IOERR_NOMEM;
}

static int shm_lock(sqlite3_file *base, int first, int count, int flags)
{
    struct file *f = file_of(base);
    struct shared *s = f->shared;
    bool exclusive = flags & SQLITE_SHM_EXCLUSIVE, unlock = flags & SQLITE_SHM_UNLOCK;
    for (int i = first; i < first + count && !unlock; i++) {
        bool others_write = s->slot_writer[i] && s->slot_writer[i] != f;
        bool own = f->slots_shared >> i & 1;
        if (others_write || (exclusive && s->slot_readers[i] > (own ? 1u : 0u)))
            return SQLITE_BUSY;
    }
    for (int i = first; i < first + count; i++) {
        uint8_t bit = (uint8_t)(1u << i);
        if (exclusive) {
            s->slot_writer[i] = unlock ? NULL : f;
            f->slots_exclusive =
                (uint8_t)(unlock ? f->slots_exclusive & ~bit : f->slots_exclusive | bit);
        } else if (unlock == ((f->slots_shared & bit) != 0)) {
            s->slot_readers[i] += unlock ? -1u : 1u;
            f->slots_shared = (uint8_t)(f->slots_shared ^ bit);
        }
    }
    return SQLITE_OK;
}

static void shm_barrier(sqlite3_file *base)
{
    (void)base;
}

static int shm_unmap(sqlite3_file *base, int remove)
{
    struct file *f = file_of(base);
    struct shared *s = f->shared;
    (void)remove;
    if (!s || !f->mapped)
        return SQLITE_OK;
    f->mapped = false;
    if (--s->mapped > 0)
        return SQLITE_OK;
    for (int i = 0; i < REGIONS_MAX; i++) {
        free(s->regions[i]);
        s->regions[i] = NULL;
    }
    memset(s->slot_readers, 0, sizeof s->slot_readers);
    memset(s->slot_writer, 0, sizeof s->slot_writer);
    return SQLITE_OK;
}

/* --- Files --- */

static int vfs_control(sqlite3_file *base, int what, void *argument)
{
    (void)base;
    (void)what;
    (void)argument;
    return SQLITE_NOTFOUND;
}

static int vfs_sector(sqlite3_file *base)
{
    (void)base;
    return MEDIUM_PAGE;
}

static int vfs_characteristics(sqlite3_file *base)
{
    (void)base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int vfs_close(sqlite3_file *base)
{
    struct file *f = file_of(base);
    shm_unmap(base, 0);
    vfs_unlock(base, SQLITE_LOCK_NONE);
    if (f->shared && --f->shared->users == 0) {
        free(f->shared);
        *inode_annex(f->node) = NULL;
    }
    medium_let_go(&f->node);
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = vfs_close,
    .xRead = vfs_read,
    .xWrite = vfs_write,
    .xTruncate = vfs_truncate,
    .xSync = vfs_sync,
    .xFileSize = vfs_size,
    .xLock = vfs_lock,
    .xUnlock = vfs_unlock,
    .xCheckReservedLock = vfs_check_reserved,
    .xFileControl = vfs_control,
    .xSectorSize = vfs_sector,
    .xDeviceCharacteristics = vfs_characteristics,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

static int open_named(struct file *f, const char *path, int flags)
{
    const char *name;
    f->medium = world_disk_of_path(path, &name);
    if (!f->medium || !*name)
        return SQLITE_CANTOPEN;
    int number = medium_open(f->medium, name, &f->node);
    if (number == ENOENT && (flags & SQLITE_OPEN_CREATE)) {
        number = medium_make(f->medium, name, &f->node);
        f->sync_folder =
            flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL);
    }
    return number == 0 ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags,
                    int *flags_out)
{
    struct file *f = file_of(base);
    (void)vfs;
    *f = (struct file){ 0 };
    if (path) {
        int code = open_named(f, path, flags);
        if (code != SQLITE_OK)
            return code;
    } else {
        f->medium = world_current() && world_current()->disk ? world_current()->disk
                                                             : world_now()->hosts[1].disk;
        f->node = medium_scratch(f->medium);
    }
    if (flags & SQLITE_OPEN_MAIN_DB) {
        void **annex = inode_annex(f->node);
        if (!*annex)
            *annex = calloc(1, sizeof *f->shared);
        CHECK(*annex);
        f->shared = *annex;
        f->shared->users++;
    }
    base->pMethods = &methods;
    if (flags_out)
        *flags_out = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
    const char *name;
    struct medium *medium = world_disk_of_path(path, &name);
    (void)vfs;
    if (!medium)
        return SQLITE_IOERR_DELETE;
    int number = medium_unlink(medium, name);
    if (number)
        return number == ENOENT ? SQLITE_IOERR_DELETE_NOENT : SQLITE_IOERR_DELETE;
    if (sync_folder && medium_sync_folder(medium, ".") != 0)
        return SQLITE_IOERR_DIR_FSYNC;
    return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *result)
{
    const char *name;
    const struct medium *medium = world_disk_of_path(path, &name);
    (void)vfs;
    (void)flags;
    *result = medium && medium_has(medium, name);
    return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *path, int room, char *out)
{
    (void)vfs;
    return snprintf(out, (size_t)room, "%s", path) < room ? SQLITE_OK : SQLITE_CANTOPEN;
}

/* --- Chance and time --- */

static int vfs_randomness(sqlite3_vfs *vfs, int count, char *out)
{
    (void)vfs;
    for (int i = 0; i < count; i++)
        out[i] = (char)chance_below(256);
    return count;
}

/* Nobody else runs while we wait. */
static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return us;
}

static int vfs_time_ms(sqlite3_vfs *vfs, sqlite3_int64 *ms)
{
    static const sqlite3_int64 julian_ms_of_1970 = 210866760000000;
    (void)vfs;
    *ms = julian_ms_of_1970 + (sqlite3_int64)(world_time_us() / 1000);
    return SQLITE_OK;
}

static int vfs_time(sqlite3_vfs *vfs, double *days)
{
    sqlite3_int64 ms;
    vfs_time_ms(vfs, &ms);
    *days = (double)ms / 86400000.0;
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int room, char *out)
{
    (void)vfs;
    if (room > 0)
        out[0] = 0;
    return 0;
}

bool vfs_set_up(void)
{
    static const sqlite3_vfs model = {
        .iVersion = 2,
        .szOsFile = sizeof(struct file),
        .mxPathname = PATH_OCTETS,
        .zName = "world",
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_path,
        .xRandomness = vfs_randomness,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_time,
        .xGetLastError = vfs_last_error,
        .xCurrentTimeInt64 = vfs_time_ms,
    };
    /* SQLite links it with others: it lives as long as the process. */
    sqlite3_vfs *vfs = malloc(sizeof *vfs);
    if (!vfs)
        return false;
    *vfs = model;
    return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) == SQLITE_OK &&
           sqlite3_vfs_register(vfs, 1) == SQLITE_OK;
}
