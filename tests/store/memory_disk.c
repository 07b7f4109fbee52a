/* memory_disk.c - run/disk.h in memory, for tests and fuzzers: it fails and crashes when told. */
#include "memory_disk.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_OCTETS = 64 };

struct memory_octets {
    uint8_t *at;
    size_t len, room;
};

struct memory_file {
    char name[NAME_MAX_OCTETS];
    bool is_linked, was_linked; /* now; at the last sync of the folder */
    bool is_locked;
    struct memory_octets now, synced;
    struct memory_octets dirty; /* one octet for each sector of `now`: written and not synced */
    struct memory_file *next;
};

struct disk {
    struct memory_file *files;
    unsigned open_files;
    uint64_t operations, failing, dying;
    bool is_dead, is_cold;
};

struct disk_file {
    struct disk *disk;
    struct memory_file *file;
};

/* --- Octets --- */

static void set_length(struct memory_octets *o, size_t len)
{
    if (len > o->room) {
        size_t room = o->room * 2 > len ? o->room * 2 : len;
        o->at = realloc(o->at, room);
        CHECK(o->at != NULL);
        o->room = room;
    }
    if (len > o->len)
        memset(o->at + o->len, 0, len - o->len);
    o->len = len;
}

static void put_octets(struct memory_octets *o, size_t offset, const void *from, size_t len)
{
    if (len == 0)
        return;
    if (o->len < offset + len)
        set_length(o, offset + len);
    memcpy(o->at + offset, from, len);
}

static void copy_octets(struct memory_octets *to, const struct memory_octets *from)
{
    set_length(to, from->len);
    put_octets(to, 0, from->at, from->len);
}

/* --- Files --- */

static struct memory_file *find(const struct disk *d, const char *name)
{
    struct memory_file *f = d->files;
    while (f && (!f->is_linked || strcmp(f->name, name) != 0))
        f = f->next;
    return f;
}

static struct memory_file *add(struct disk *d, const char *name)
{
    struct memory_file *f = calloc(1, sizeof *f);
    CHECK(f != NULL);
    snprintf(f->name, sizeof f->name, "%s", name);
    f->is_linked = true;
    f->next = d->files;
    d->files = f;
    return f;
}

struct disk *memory_disk_new(void)
{
    struct disk *d = calloc(1, sizeof *d);
    CHECK(d != NULL);
    return d;
}

struct disk *memory_disk_copy(const struct disk *from)
{
    struct disk *d = memory_disk_new();
    for (const struct memory_file *f = from->files; f; f = f->next) {
        struct memory_file *copy = add(d, f->name);
        copy->is_linked = f->is_linked;
        copy->was_linked = f->was_linked;
        copy_octets(&copy->now, &f->now);
        copy_octets(&copy->synced, &f->synced);
        copy_octets(&copy->dirty, &f->dirty);
    }
    return d;
}

void memory_disk_free(struct disk **disk_ref)
{
    struct disk *d = *disk_ref;
    CHECK(d->open_files == 0);
    while (d->files) {
        struct memory_file *next = d->files->next;
        free(d->files->now.at);
        free(d->files->synced.at);
        free(d->files->dirty.at);
        free(d->files);
        d->files = next;
    }
    free(d);
    *disk_ref = NULL;
}

uint8_t *memory_disk_octets(struct disk *d, const char *name, size_t *len_out)
{
    struct memory_file *f = find(d, name);
    *len_out = f ? f->now.len : 0;
    return f ? f->now.at : NULL;
}

void memory_disk_put(struct disk *d, const char *name, const void *octets, size_t len)
{
    struct memory_file *f = add(d, name);
    f->was_linked = true;
    put_octets(&f->now, 0, octets, len);
    put_octets(&f->synced, 0, octets, len);
}

/* --- Trouble --- */

enum operation { OPERATION_WORKS, OPERATION_FAILS, OPERATION_IS_DEAD };

static enum operation operate(struct disk *d, struct error *e)
{
    uint64_t number = ++d->operations;
    bool was_dead = d->is_dead;
    d->is_dead |= number == d->dying;
    if (!d->is_dead && number != d->failing)
        return OPERATION_WORKS;
    error_set(e, ERROR_TEMPORARY, "the disk was told to fail");
    return was_dead ? OPERATION_IS_DEAD : OPERATION_FAILS;
}

uint64_t memory_disk_operations(const struct disk *d)
{
    return d->operations;
}

void memory_disk_fail(struct disk *d, uint64_t operation)
{
    d->failing = operation;
}

void memory_disk_die(struct disk *d, uint64_t operation)
{
    d->dying = operation;
}

static uint64_t next_random(uint64_t *seed)
{
    *seed += 0x9e3779b97f4a7c15u;
    uint64_t z = *seed;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Takes sector `i` to the disk, as far as the disk's length goes. */
static void sync_sector(struct memory_file *f, size_t i)
{
    size_t at = i * MEMORY_SECTOR;
    size_t end = f->now.len < f->synced.len ? f->now.len : f->synced.len;
    if (at < end)
        put_octets(&f->synced, at, f->now.at + at,
                   end - at < MEMORY_SECTOR ? end - at : MEMORY_SECTOR);
}

/* Takes every `step`th sector there and takes all for clean. */
static void sync_octets(struct memory_file *f, size_t step)
{
    set_length(&f->synced, f->now.len);
    for (size_t i = 0; i < f->dirty.len; i += step)
        if (f->dirty.at[i])
            sync_sector(f, i);
    set_length(&f->dirty, 0);
}

static void crash_octets(struct memory_file *f, uint64_t *seed)
{
    /* The length may have reached the disk without the octets. */
    if (f->now.len != f->synced.len && next_random(seed) % 2)
        set_length(&f->synced, f->now.len);
    for (size_t i = 0; i < f->dirty.len; i++)
        if (f->dirty.at[i] && next_random(seed) % 2)
            sync_sector(f, i);
    set_length(&f->dirty, 0);
    copy_octets(&f->now, &f->synced);
}

void memory_disk_crash(struct disk *d, uint64_t seed)
{
    for (struct memory_file *f = d->files; f; f = f->next) {
        crash_octets(f, &seed);
        if (f->is_linked != f->was_linked && next_random(&seed) % 2)
            f->was_linked = f->is_linked;
        f->is_linked = f->was_linked;
    }
    d->is_dead = false;
    d->failing = d->dying = 0;
}

void memory_disk_set_warm(struct disk *d, bool warm)
{
    d->is_cold = !warm;
}

/* --- run/disk.h: the directory --- */

bool disk_open(const char *path, bool create, struct disk **out, struct error *e)
{
    (void)path, (void)create, (void)e;
    *out = memory_disk_new();
    return true;
}

void disk_close(struct disk **d)
{
    memory_disk_free(d);
}

bool disk_make_folder(struct disk *d, const char *name, struct error *e)
{
    (void)name;
    return operate(d, e) == OPERATION_WORKS;
}

/* Whether the file lies directly in that folder. */
static const char *name_in(const char *name, const char *folder)
{
    size_t len = strcmp(folder, ".") == 0 ? 0 : strlen(folder);
    if (strncmp(name, folder, len) != 0 || (len && name[len] != '/'))
        return NULL;
    const char *rest = len ? name + len + 1 : name;
    return strchr(rest, '/') ? NULL : rest;
}

bool disk_sync_directory(struct disk *d, const char *name, struct error *e)
{
    if (operate(d, e) != OPERATION_WORKS)
        return false;
    for (struct memory_file *f = d->files; f; f = f->next)
        if (name_in(f->name, name))
            f->was_linked = f->is_linked;
    return true;
}

bool disk_list(struct disk *d, const char *folder, void (*found)(void *owner, const char *name),
               void *owner, struct error *e)
{
    (void)e;
    for (struct memory_file *f = d->files; f; f = f->next)
        if (f->is_linked && name_in(f->name, folder))
            found(owner, name_in(f->name, folder));
    return true;
}

bool disk_unlink(struct disk *d, const char *name, struct error *e)
{
    struct memory_file *f = find(d, name);
    if (operate(d, e) != OPERATION_WORKS)
        return false;
    if (!f)
        return error_set(e, ERROR_REFUSED, "there is no %s", name);
    f->is_linked = false;
    return true;
}

bool disk_rename(struct disk *d, const char *from, const char *to, struct error *e)
{
    struct memory_file *f = find(d, from);
    struct memory_file *old = find(d, to);
    if (operate(d, e) != OPERATION_WORKS)
        return false;
    if (!f)
        return error_set(e, ERROR_REFUSED, "there is no %s", from);
    if (old)
        old->is_linked = false;
    snprintf(f->name, sizeof f->name, "%s", to);
    return true;
}

/* A folder is there when something lies in it. */
bool disk_exists(struct disk *d, const char *name)
{
    size_t len = strlen(name);
    for (struct memory_file *f = d->files; f; f = f->next)
        if (f->is_linked && strncmp(f->name, name, len) == 0 && f->name[len] == '/')
            return true;
    return find(d, name) != NULL;
}

bool disk_free_space(struct disk *d, uint64_t *octets_out, struct error *e)
{
    (void)d, (void)e;
    *octets_out = UINT64_MAX;
    return true;
}

bool disk_lock(struct disk *d, const char *name, struct disk_file **out, struct error *e)
{
    struct memory_file *f = find(d, name);
    *out = NULL;
    if (f && f->is_locked)
        return error_set(e, ERROR_REFUSED, "%s is held", name);
    if (!disk_file_open(d, name, f ? DISK_WRITE : DISK_CREATE, out, e))
        return false;
    (*out)->file->is_locked = true;
    return true;
}

void disk_unlock(struct disk_file **f)
{
    if (*f)
        (*f)->file->is_locked = false;
    disk_file_close(f);
}

/* --- run/disk.h: files --- */

bool disk_file_open(struct disk *d, const char *name, enum disk_mode mode, struct disk_file **out,
                    struct error *e)
{
    struct memory_file *f = find(d, name);
    if (mode == DISK_CREATE ? operate(d, e) != OPERATION_WORKS : d->is_dead)
        return false;
    if ((f != NULL) == (mode == DISK_CREATE))
        return error_set(e, ERROR_REFUSED, "%s is there, or is not", name);
    *out = calloc(1, sizeof **out);
    CHECK(*out != NULL);
    (*out)->disk = d;
    (*out)->file = f ? f : add(d, name);
    d->open_files++;
    return true;
}

void disk_file_close(struct disk_file **file_ref)
{
    if (*file_ref)
        (*file_ref)->disk->open_files--;
    free(*file_ref);
    *file_ref = NULL;
}

bool disk_file_size(struct disk_file *f, uint64_t *octets_out, struct error *e)
{
    (void)e;
    *octets_out = f->file->now.len;
    return true;
}

static size_t octets_of(const struct iovec *parts, int count)
{
    size_t octets = 0;
    for (int i = 0; i < count; i++)
        octets += parts[i].iov_len;
    return octets;
}

static void write_octets(struct memory_file *f, size_t offset, const void *from, size_t len)
{
    size_t first = offset / MEMORY_SECTOR, last = (offset + len - 1) / MEMORY_SECTOR;
    if (len == 0)
        return;
    put_octets(&f->now, offset, from, len);
    if (f->dirty.len <= last)
        set_length(&f->dirty, last + 1);
    memset(f->dirty.at + first, 1, last - first + 1);
}

bool disk_file_write(struct disk_file *f, uint64_t offset, const struct iovec *parts, int count,
                     struct error *e)
{
    enum operation how = operate(f->disk, e);
    if (how == OPERATION_IS_DEAD)
        return false;
    size_t left = octets_of(parts, count);
    if (how == OPERATION_FAILS)
        left /= 2;
    for (int i = 0; i < count && left; i++) {
        size_t len = parts[i].iov_len < left ? parts[i].iov_len : left;
        write_octets(f->file, offset, parts[i].iov_base, len);
        offset += len;
        left -= len;
    }
    return how == OPERATION_WORKS;
}

bool disk_file_sync(struct disk_file *f, struct error *e)
{
    enum operation how = operate(f->disk, e);
    if (how == OPERATION_WORKS)
        sync_octets(f->file, 1);
    else if (how == OPERATION_FAILS)
        sync_octets(f->file, 1 + f->disk->operations / 2 % 3); /* all of it, or not */
    return how == OPERATION_WORKS;
}

bool disk_file_set_direct(struct disk_file *f, bool direct)
{
    (void)f, (void)direct;
    return false;
}

void disk_file_writeback(struct disk_file *f, uint64_t offset, uint64_t len)
{
    (void)f, (void)offset, (void)len;
}

bool disk_file_truncate(struct disk_file *f, uint64_t octets, struct error *e)
{
    if (operate(f->disk, e) != OPERATION_WORKS)
        return false;
    set_length(&f->file->now, octets);
    return true;
}

bool disk_file_read(struct disk_file *f, uint64_t offset, void *to, size_t len, size_t *read_out,
                    struct error *e)
{
    if (f->disk->is_dead)
        return error_set(e, ERROR_TEMPORARY, "the disk is dead");
    const struct memory_octets *o = &f->file->now;
    size_t left = offset < o->len ? o->len - offset : 0;
    *read_out = left < len ? left : len;
    if (*read_out)
        memcpy(to, o->at + offset, *read_out);
    return true;
}

bool disk_read_now(struct disk_file *f, uint64_t offset, void *to, size_t len)
{
    size_t got;
    return !f->disk->is_cold && disk_file_read(f, offset, to, len, &got, NULL) && got == len;
}
