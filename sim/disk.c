/* disk.c - run/disk.h over a simulated disk. */
#include "run/disk.h"

#include "base/check.h"
#include "sim/guest.h"
#include "sim/medium.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct disk {
    struct medium *medium;
    char path[];
};

struct disk_file {
    struct inode *node;
    struct medium *medium;
    char path[];
};

static bool failed(struct error *e, int number, const char *what, const char *path)
{
    bool no = number == ENOENT || number == EEXIST;
    return error_system(e, no ? ERROR_REFUSED : ERROR_TEMPORARY, number, "cannot %s %s", what,
                        path);
}

/* --- The folder --- */

bool disk_open(const char *path, bool create, struct disk **out, struct error *e)
{
    const char *name = "";
    struct medium *medium = world_disk_of_path(path, &name);
    *out = NULL;
    CHECK(create || medium); /* its disks are there from the beginning, and nothing else */
    if (!medium || *name)
        return failed(e, ENOENT, "open the directory", path);
    struct disk *d = malloc(sizeof *d + strlen(path) + 1);
    if (!d)
        return failed(e, ENOMEM, "open the directory", path);
    d->medium = medium;
    memcpy(d->path, path, strlen(path) + 1);
    *out = d;
    return true;
}

void disk_close(struct disk **disk)
{
    free(*disk);
    *disk = NULL;
}

bool disk_make_folder(struct disk *d, const char *name, struct error *e)
{
    guest_pause();
    int number = medium_make_folder(d->medium, name);
    return number == 0 || number == EEXIST || failed(e, number, "make the folder", name);
}

bool disk_sync_directory(struct disk *d, const char *name, struct error *e)
{
    guest_pause();
    int number = medium_sync_folder(d->medium, name);
    return number == 0 || failed(e, number, "sync the folder", name);
}

bool disk_list(struct disk *d, const char *folder, void (*found)(void *owner, const char *name),
               void *owner, struct error *e)
{
    guest_pause();
    int number = medium_list(d->medium, folder, found, owner);
    return number == 0 || failed(e, number, "list the folder", folder);
}

bool disk_unlink(struct disk *d, const char *name, struct error *e)
{
    guest_pause();
    int number = medium_unlink(d->medium, name);
    return number == 0 || failed(e, number, "remove", name);
}

bool disk_rename(struct disk *d, const char *from, const char *to, struct error *e)
{
    guest_pause();
    int number = medium_rename(d->medium, from, to);
    return number == 0 || failed(e, number, "rename", from);
}

bool disk_exists(struct disk *d, const char *name)
{
    guest_pause();
    return medium_has(d->medium, name);
}

bool disk_free_space(struct disk *d, uint64_t *octets_out, struct error *e)
{
    (void)e;
    *octets_out = medium_free_octets(d->medium);
    return true;
}

/* --- Files --- */

static struct disk_file *file_new(struct disk *d, const char *name, struct inode *node)
{
    size_t room = strlen(d->path) + strlen(name) + 2;
    struct disk_file *file = calloc(1, sizeof *file + room);
    if (!file)
        return NULL;
    snprintf(file->path, room, "%s/%s", d->path, name);
    file->node = node;
    file->medium = d->medium;
    return file;
}

bool disk_file_open(struct disk *d, const char *name, enum disk_mode mode, struct disk_file **out,
                    struct error *e)
{
    guest_pause();
    struct inode *node;
    int number = mode == DISK_CREATE ? medium_make(d->medium, name, &node)
                                     : medium_open(d->medium, name, &node);
    *out = number ? NULL : file_new(d, name, node);
    if (*out)
        return true;
    medium_let_go(&node);
    return failed(e, number ? number : ENOMEM, mode == DISK_CREATE ? "create" : "open", name);
}

void disk_file_close(struct disk_file **file_ref)
{
    struct disk_file *file = *file_ref;
    *file_ref = NULL;
    if (!file)
        return;
    medium_let_go(&file->node);
    free(file);
}

bool disk_file_size(struct disk_file *file, uint64_t *octets_out, struct error *e)
{
    guest_pause();
    (void)e;
    *octets_out = inode_size(file->node);
    return true;
}

bool disk_file_write(struct disk_file *file, uint64_t offset, const struct iovec *parts, int count,
                     struct error *e)
{
    guest_pause();
    int number = inode_write(file->node, offset, parts, (size_t)count);
    return number == 0 || failed(e, number, "write", file->path);
}

bool disk_file_sync(struct disk_file *file, struct error *e)
{
    guest_pause();
    int number = inode_sync(file->node);
    return number == 0 || failed(e, number, "sync", file->path);
}

/* What went past the kernel's memory is as little on the surface as anything else. */
bool disk_file_set_direct(struct disk_file *file, bool direct)
{
    (void)file;
    (void)direct;
    return true;
}

void disk_file_writeback(struct disk_file *file, uint64_t offset, uint64_t len)
{
    (void)file;
    (void)offset;
    (void)len;
}

bool disk_file_truncate(struct disk_file *file, uint64_t octets, struct error *e)
{
    guest_pause();
    int number = inode_truncate(file->node, octets);
    return number == 0 || failed(e, number, "set the length of", file->path);
}

bool disk_file_read(struct disk_file *file, uint64_t offset, void *to, size_t len, size_t *read_out,
                    struct error *e)
{
    guest_pause();
    int number = inode_read(file->node, offset, to, len, read_out);
    return number == 0 || failed(e, number, "read", file->path);
}

bool disk_read_now(struct disk_file *file, uint64_t offset, void *to, size_t len)
{
    size_t got = 0;
    if (fault_strikes(FAULT_COLD_READ, world_now()->weather.cold_read))
        return false;
    return inode_read(file->node, offset, to, len, &got) == 0 && got == len;
}

/* --- The lock --- */

bool disk_lock(struct disk *d, const char *name, struct disk_file **out, struct error *e)
{
    guest_pause();
    struct inode *node;
    *out = NULL;
    int number = medium_open(d->medium, name, &node);
    if (number == ENOENT)
        number = medium_make(d->medium, name, &node);
    if (number)
        return failed(e, number, "open the lock", name);
    void **holder = inode_annex(node);
    if (*holder) {
        medium_let_go(&node);
        return error_set(e, ERROR_REFUSED, "%s is held by another process", name);
    }
    *out = file_new(d, name, node);
    if (!*out) {
        medium_let_go(&node);
        return failed(e, ENOMEM, "open the lock", name);
    }
    *holder = *out;
    return true;
}

void disk_unlock(struct disk_file **file)
{
    if (*file)
        *inode_annex((*file)->node) = NULL;
    disk_file_close(file);
}
