/* disk.c - files, as the store needs them.
 *
 * Every name is opened relative to the directory's descriptor, so that a directory that is moved or
 * a sandbox that knows descriptors does no harm.  Nothing is buffered here and nothing is tried
 * again, except a call that a signal interrupted before it did anything: after a failed write or
 * sync nobody can say what the disk holds, and the store must hear of it.
 *
 * Something that does not exist, exists already, or is held by another process is ERROR_REFUSED;
 * all other trouble is ERROR_TEMPORARY.
 */
#include "run/disk.h"

#include "base/check.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

struct disk {
    int directory;
    char path[]; /* for the words of errors */
};

/* How disk_read_now() reads: found out at the first use of each file. */
enum now_mode {
    NOW_ASK,    /* preadv2 with RWF_NOWAIT; so far it works */
    NOW_MEMORY, /* the file system lies in memory: a plain read does not wait */
    NOW_NEVER,  /* the file system cannot tell: every read is for a lane */
};

struct disk_file {
    int descriptor;
    _Atomic(enum now_mode) now_mode; /* loops and lanes read the same file */
    char path[];                     /* for the words of errors */
};

static bool failed(struct error *e, int number, const char *what, const char *path)
{
    bool no = number == ENOENT || number == EEXIST;
    return error_system(e, no ? ERROR_REFUSED : ERROR_TEMPORARY, number, "cannot %s %s", what,
                        path);
}

static bool failed_at(struct error *e, int number, const char *what, const struct disk *d,
                      const char *name)
{
    char path[ERROR_WORDS_MAX];
    snprintf(path, sizeof path, "%s/%s", d->path, name);
    return failed(e, number, what, path);
}

/* The directory itself */

/* A new directory lasts when its parent has been synced. */
static bool sync_parent(int directory, const char *path, struct error *e)
{
    int parent = openat(directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0 || fsync(parent) != 0) {
        failed(e, errno, "sync the directory above", path);
        if (parent >= 0)
            close(parent);
        return false;
    }
    close(parent);
    return true;
}

bool disk_open(const char *path, bool create, struct disk **out, struct error *e)
{
    *out = NULL;
    bool made = create && mkdir(path, 0700) == 0;
    if (create && !made && errno != EEXIST)
        return failed(e, errno, "make the directory", path);
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return failed(e, errno, "open the directory", path);
    size_t path_bytes = strlen(path) + 1;
    struct disk *d = malloc(sizeof *d + path_bytes);
    if (!d || (made && !sync_parent(directory, path, e))) {
        if (!d)
            failed(e, ENOMEM, "open the directory", path);
        free(d);
        close(directory);
        return false;
    }
    d->directory = directory;
    memcpy(d->path, path, path_bytes);
    *out = d;
    return true;
}

void disk_close(struct disk **disk_ref)
{
    struct disk *d = *disk_ref;
    if (!d)
        return;
    *disk_ref = NULL;
    close(d->directory);
    free(d);
}

bool disk_make_folder(struct disk *d, const char *name, struct error *e)
{
    if (mkdirat(d->directory, name, 0700) == 0 || errno == EEXIST)
        return true;
    return failed_at(e, errno, "make the folder", d, name);
}

bool disk_sync_directory(struct disk *d, const char *name, struct error *e)
{
    int folder = openat(d->directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return failed_at(e, errno, "open the folder", d, name);
    int number = fsync(folder) == 0 ? 0 : errno;
    close(folder);
    return number == 0 || failed_at(e, number, "sync the folder", d, name);
}

static DIR *open_listing(struct disk *d, const char *folder)
{
    int descriptor = openat(d->directory, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return NULL;
    DIR *listing = fdopendir(descriptor);
    if (!listing) {
        int number = errno;
        close(descriptor);
        errno = number;
    }
    return listing;
}

bool disk_list(struct disk *d, const char *folder, void (*found)(void *owner, const char *name),
               void *owner, struct error *e)
{
    DIR *listing = open_listing(d, folder);
    if (!listing)
        return failed_at(e, errno, "open the folder", d, folder);
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(listing);
        if (!entry)
            break;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            found(owner, entry->d_name);
    }
    int number = errno;
    closedir(listing);
    return number == 0 || failed_at(e, number, "list the folder", d, folder);
}

bool disk_unlink(struct disk *d, const char *name, struct error *e)
{
    return unlinkat(d->directory, name, 0) == 0 || failed_at(e, errno, "remove", d, name);
}

bool disk_rename(struct disk *d, const char *from, const char *to, struct error *e)
{
    return renameat(d->directory, from, d->directory, to) == 0 ||
           failed_at(e, errno, "rename", d, from);
}

bool disk_exists(struct disk *d, const char *name)
{
    return faccessat(d->directory, name, F_OK, 0) == 0;
}

bool disk_free_space(struct disk *d, uint64_t *octets_out, struct error *e)
{
    struct statvfs figures;
    if (fstatvfs(d->directory, &figures) != 0)
        return failed(e, errno, "ask for the free space of", d->path);
    /* f_bavail leaves out what is kept for root. */
    *octets_out = (uint64_t)figures.f_bavail * figures.f_frsize;
    return true;
}

/* Files */

static struct disk_file *open_file(struct disk *d, const char *name, int flags)
{
    size_t room = strlen(d->path) + strlen(name) + sizeof "/";
    struct disk_file *file = calloc(1, sizeof *file + room);
    if (!file) {
        errno = ENOMEM;
        return NULL;
    }
    snprintf(file->path, room, "%s/%s", d->path, name);
    atomic_init(&file->now_mode, NOW_ASK);
    file->descriptor = openat(d->directory, name, flags | O_CLOEXEC, 0600);
    if (file->descriptor < 0) {
        int number = errno;
        free(file);
        errno = number;
        return NULL;
    }
    return file;
}

bool disk_file_open(struct disk *d, const char *name, enum disk_mode mode, struct disk_file **out,
                    struct error *e)
{
    static const int flags[] = {
        [DISK_READ] = O_RDONLY,
        [DISK_WRITE] = O_RDWR,
        [DISK_CREATE] = O_RDWR | O_CREAT | O_EXCL,
    };
    *out = open_file(d, name, flags[mode]);
    return *out || failed_at(e, errno, mode == DISK_CREATE ? "create" : "open", d, name);
}

void disk_file_close(struct disk_file **file_ref)
{
    struct disk_file *file = *file_ref;
    if (!file)
        return;
    *file_ref = NULL;
    close(file->descriptor);
    free(file);
}

bool disk_file_size(struct disk_file *file, uint64_t *octets_out, struct error *e)
{
    struct stat status;
    if (fstat(file->descriptor, &status) != 0)
        return failed(e, errno, "ask for the size of", file->path);
    *octets_out = (uint64_t)status.st_size;
    return true;
}

bool disk_file_write(struct disk_file *file, uint64_t offset, const struct iovec *parts, int count,
                     struct error *e)
{
    CHECK(count >= 0 && count <= IOV_MAX);
    size_t all = 0;
    for (int i = 0; i < count; i++)
        all += parts[i].iov_len;
    ssize_t written;
    do
        written = pwritev(file->descriptor, parts, count, (off_t)offset);
    while (written < 0 && errno == EINTR);
    if (written < 0)
        return failed(e, errno, "write", file->path);
    if ((size_t)written < all)
        return error_set(e, ERROR_TEMPORARY,
                         "cannot write %s: only %zd of %zu octets went in (is the disk full?)",
                         file->path, written, all);
    return true;
}

bool disk_file_sync(struct disk_file *file, struct error *e)
{
    return fdatasync(file->descriptor) == 0 || failed(e, errno, "sync", file->path);
}

bool disk_file_set_direct(struct disk_file *file, bool direct)
{
    int flags = fcntl(file->descriptor, F_GETFL);
    int wanted = direct ? flags | O_DIRECT : flags & ~O_DIRECT;
    return flags >= 0 && fcntl(file->descriptor, F_SETFL, wanted) == 0;
}

void disk_file_writeback(struct disk_file *file, uint64_t offset, uint64_t len)
{
    /* A hint: whether it worked is seen by the sync that follows. */
    sync_file_range(file->descriptor, (off_t)offset, (off_t)len, SYNC_FILE_RANGE_WRITE);
}

bool disk_file_truncate(struct disk_file *file, uint64_t octets, struct error *e)
{
    int status;
    do
        status = ftruncate(file->descriptor, (off_t)octets);
    while (status != 0 && errno == EINTR);
    return status == 0 || failed(e, errno, "set the length of", file->path);
}

bool disk_file_read(struct disk_file *file, uint64_t offset, void *to, size_t len, size_t *read_out,
                    struct error *e)
{
    uint8_t *at = to;
    size_t done = 0;
    while (done < len) {
        ssize_t got = pread(file->descriptor, at + done, len - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return failed(e, errno, "read", file->path);
        if (got == 0)
            break;
        done += (size_t)got;
    }
    *read_out = done;
    return true;
}

static enum now_mode without_asking(const struct disk_file *file)
{
    struct statfs figures;
    if (fstatfs(file->descriptor, &figures) != 0)
        return NOW_NEVER;
    bool memory = figures.f_type == TMPFS_MAGIC || figures.f_type == RAMFS_MAGIC;
    return memory ? NOW_MEMORY : NOW_NEVER;
}

bool disk_read_now(struct disk_file *file, uint64_t offset, void *to, size_t len)
{
    const struct iovec part = { to, len };
    enum now_mode mode = atomic_load_explicit(&file->now_mode, memory_order_relaxed);
    if (mode == NOW_ASK) {
        ssize_t got = preadv2(file->descriptor, &part, 1, (off_t)offset, RWF_NOWAIT);
        if (got >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS))
            return got == (ssize_t)len;
        mode = without_asking(file);
        atomic_store_explicit(&file->now_mode, mode, memory_order_relaxed);
    }
    return mode == NOW_MEMORY && pread(file->descriptor, to, len, (off_t)offset) == (ssize_t)len;
}

/* The lock */

static bool read_holder(const struct disk_file *file, char *digits, size_t room)
{
    ssize_t got = pread(file->descriptor, digits, room - 1, 0);
    size_t len = 0;
    while (got > 0 && len < (size_t)got && text_is_digit(digits[len]))
        len++;
    digits[len] = 0;
    return len > 0;
}

/* Who holds the lock writes his process number into the file, for whoever is refused.  On a full
 * disk the lock holds without it: mail must be readable and deletable then. */
static void write_holder(struct disk_file *file)
{
    char digits[32];
    int len = snprintf(digits, sizeof digits, "%d\n", (int)getpid());
    const struct iovec part = { digits, (size_t)len };
    if (disk_file_truncate(file, 0, NULL))
        disk_file_write(file, 0, &part, 1, NULL);
}

static bool refuse_lock(const struct disk_file *file, int number, struct error *e)
{
    if (number != EWOULDBLOCK)
        return failed(e, number, "lock", file->path);
    char digits[32];
    if (read_holder(file, digits, sizeof digits))
        return error_set(e, ERROR_REFUSED, "%s is held by process %s", file->path, digits);
    return error_set(e, ERROR_REFUSED, "%s is held by another process", file->path);
}

bool disk_lock(struct disk *d, const char *name, struct disk_file **out, struct error *e)
{
    *out = NULL;
    struct disk_file *file = open_file(d, name, O_RDWR | O_CREAT);
    if (!file)
        return failed_at(e, errno, "open the lock", d, name);
    if (flock(file->descriptor, LOCK_EX | LOCK_NB) != 0) {
        refuse_lock(file, errno, e);
        disk_file_close(&file);
        return false;
    }
    write_holder(file);
    *out = file;
    return true;
}

void disk_unlock(struct disk_file **file_ref)
{
    /* The file stays: removing it would let two processes hold two files of one name. */
    disk_file_close(file_ref);
}
