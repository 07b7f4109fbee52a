/* disk.h - files, as the store needs them.
 *
 * Every call may block and is for lanes and for start-up, except disk_read_now().  All names are
 * relative to the opened directory and have at most two '/'.  What was written counts only after
 * disk_file_sync(), and a new name only after disk_sync_directory() of its directory.
 *
 * A name that is missing, is there already, or is locked is ERROR_REFUSED; all else that fails is
 * ERROR_TEMPORARY.
 */
#ifndef RUN_DISK_H
#define RUN_DISK_H

#include "base/error.h"

#include <sys/uio.h>

struct disk;
struct disk_file;

/* Opens the directory; with `create` makes it (mode 0700) when it is missing. */
bool disk_open(const char *path, bool create, struct disk **out, struct error *);
void disk_close(struct disk **);

/* Makes a folder (0700) unless it is there. */
bool disk_make_folder(struct disk *, const char *name, struct error *);
bool disk_sync_directory(struct disk *, const char *name_or_dot, struct error *);
/* Calls `found` for each name in the folder, in no order; "." and ".." left out. */
bool disk_list(struct disk *, const char *folder, void (*found)(void *owner, const char *name),
               void *owner, struct error *);
bool disk_unlink(struct disk *, const char *name, struct error *);
bool disk_rename(struct disk *, const char *from, const char *to, struct error *);
bool disk_exists(struct disk *, const char *name);
/* Unlinks the name unless it is missing. */
static inline bool disk_unlink_if_there(struct disk *d, const char *name, struct error *e)
{
    return !disk_exists(d, name) || disk_unlink(d, name, e);
}
/* Octets that we may still write. */
bool disk_free_space(struct disk *, uint64_t *octets_out, struct error *);

/* Takes an exclusive flock on the file `name`, made when missing, until disk_unlock().  False with
 * ERROR_REFUSED when another process holds it; the words then name that process if it said so. */
bool disk_lock(struct disk *, const char *name, struct disk_file **out, struct error *);
void disk_unlock(struct disk_file **);

enum disk_mode {
    DISK_READ,   /* must exist */
    DISK_WRITE,  /* must exist; reads too */
    DISK_CREATE, /* must not exist; reads and writes; mode 0600 */
};
bool disk_file_open(struct disk *, const char *name, enum disk_mode, struct disk_file **out,
                    struct error *);
void disk_file_close(struct disk_file **);
bool disk_file_size(struct disk_file *, uint64_t *octets_out, struct error *);

/* Writes everything at the offset or fails.  After a failure nothing is known about the range. */
bool disk_file_write(struct disk_file *, uint64_t offset, const struct iovec *, int count,
                     struct error *);
/* fdatasync.  After a failure nothing written since the last success may be relied on. */
bool disk_file_sync(struct disk_file *, struct error *);
/* With `direct`, what is written goes past the kernel's memory, until it is taken back: for what
 * nobody will read.  Addresses, offsets and lengths must then be multiples of 4096.  False, and
 * nothing changes, where the file system cannot; some say so only by a write that fails. */
bool disk_file_set_direct(struct disk_file *, bool direct);
/* Asks the kernel to begin writing the range to the device; nothing is promised. */
void disk_file_writeback(struct disk_file *, uint64_t offset, uint64_t len);
bool disk_file_truncate(struct disk_file *, uint64_t octets, struct error *);
/* Reads up to `len` octets; *read_out is less only at the end of the file. */
bool disk_file_read(struct disk_file *, uint64_t offset, void *to, size_t len, size_t *read_out,
                    struct error *);
/* Reads `len` octets only if they are in memory (RWF_NOWAIT): false, and nothing is known about
 * *to, when the disk would have to be asked.  Does not block: for loops too. */
bool disk_read_now(struct disk_file *, uint64_t offset, void *to, size_t len);

#endif
