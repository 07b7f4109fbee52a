/* dropbox.c - a folder into which every user of the machine may put files.
 *
 * Whoever takes works in a folder in which others may do what they like at any moment: no name is
 * followed, nothing is opened that could wait or do anything by being opened, and what was looked
 * at is looked at again behind the reading.
 */
#include "run/dropbox.h"

#include "run/entropy.h"
#include "run/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDER_MODE = 03733, FILE_MODE = 0640, PIECE = 64 * 1024, BEGINNING = 256 };

struct dropbox {
    int folder;
    char path[4096];
};

/* --- Putting --- */

void dropbox_make_name(char out[DROPBOX_NAME + 1])
{
    snprintf(out, DROPBOX_NAME + 1, "%016llx%016llx", (unsigned long long)entropy_u64(),
             (unsigned long long)entropy_u64());
}

/* A folder that may not be read cannot be synced; then its whole file system is. */
static bool sync_name(int folder, int file)
{
    int readable = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (readable < 0)
        return syncfs(file) == 0;
    bool ok = fsync(readable) == 0;
    close(readable);
    return ok;
}

static bool fill(int file, const struct text *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!file_write_all(file, bytes_of_text(parts[i])))
            return false;
    return fchmod(file, FILE_MODE) == 0 && fsync(file) == 0;
}

static bool put(int folder, const char *name, const struct text parts[], size_t count)
{
    char hidden[DROPBOX_NAME + 2];
    snprintf(hidden, sizeof hidden, ".%s", name);
    int file = openat(folder, hidden, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0)
        return false;
    bool ok = fill(file, parts, count) && renameat(folder, hidden, folder, name) == 0;
    int number = errno;
    if (!ok)
        unlinkat(folder, hidden, 0);
    else if (!sync_name(folder, file)) {
        number = errno;
        unlinkat(folder, name, 0);
        ok = false;
    }
    close(file);
    errno = number;
    return ok;
}

static int open_to_put(const char *folder, struct error *e)
{
    int at = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (at < 0)
        error_system(e, ERROR_REFUSED, errno, "%s", folder);
    return at;
}

static bool not_left(const char *folder, int number, struct error *e)
{
    return error_system(e, number == EACCES || number == EPERM ? ERROR_REFUSED : ERROR_TEMPORARY,
                        number, "cannot leave the message in %s", folder);
}

bool dropbox_put(const char *folder, const char *name, const struct text *parts, size_t count,
                 struct error *e)
{
    int at = open_to_put(folder, e);
    if (at < 0)
        return false;
    bool ok = put(at, name, parts, count);
    int number = errno;
    close(at);
    return ok || not_left(folder, number, e);
}

bool dropbox_poke(const char *folder, struct error *e)
{
    char name[DROPBOX_NAME + 1], hidden[DROPBOX_NAME + 2];
    int at = open_to_put(folder, e);
    if (at < 0)
        return false;
    dropbox_make_name(name);
    snprintf(hidden, sizeof hidden, ".%s", name);
    int file = openat(at, hidden, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int number = errno;
    if (file >= 0) {
        close(file);
        unlinkat(at, hidden, 0);
    }
    close(at);
    return file >= 0 || error_system(e, ERROR_REFUSED, number, "%s", folder);
}

/* --- Taking --- */

bool dropbox_open(const char *folder, bool create, struct dropbox **out, struct error *e)
{
    struct dropbox *box = calloc(1, sizeof *box);
    if (!box)
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    if (create && mkdir(folder, 0700) == 0)
        chmod(folder, FOLDER_MODE);
    box->folder = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (box->folder < 0) {
        int number = errno;
        free(box);
        return error_system(e, ERROR_REFUSED, number, "%s", folder);
    }
    snprintf(box->path, sizeof box->path, "%s", folder);
    *out = box;
    return true;
}

void dropbox_close(struct dropbox **box_ref)
{
    struct dropbox *box = *box_ref;
    if (!box)
        return;
    *box_ref = NULL;
    close(box->folder);
    free(box);
}

bool dropbox_each(struct dropbox *box, bool (*found)(void *owner, const char *name), void *owner,
                  struct error *e)
{
    int copy = openat(box->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = copy < 0 ? NULL : fdopendir(copy);
    if (!list) {
        int number = errno;
        if (copy >= 0)
            close(copy);
        return error_system(e, ERROR_TEMPORARY, number, "%s", box->path);
    }
    bool more = true;
    const struct dirent *entry;
    while (more && (entry = readdir(list)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            more = found(owner, entry->d_name);
    closedir(list);
    return true;
}

static int64_t milliseconds(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A second name would be somebody's way to hand over what is not his, or somebody's copy. */
static enum dropbox_verdict judge(const struct stat *status, struct dropbox_file *out)
{
    *out = (struct dropbox_file){ .uid = status->st_uid,
                                  .inode = status->st_ino,
                                  .octets = (uint64_t)status->st_size,
                                  .changed_ms = milliseconds(status->st_ctim) };
    if (!S_ISREG(status->st_mode))
        return DROPBOX_OTHER;
    return status->st_nlink == 1 ? DROPBOX_TAKEN : DROPBOX_LINKED;
}

enum dropbox_verdict dropbox_look(struct dropbox *box, const char *name, struct dropbox_file *out)
{
    struct stat status;
    if (fstatat(box->folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return DROPBOX_GONE;
    return judge(&status, out);
}

static enum dropbox_verdict busy(struct dropbox *box, const char *name, int number, struct error *e)
{
    error_system(e, ERROR_TEMPORARY, number, "%.200s/%.80s", box->path, name);
    return DROPBOX_BUSY;
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_unchanged(const struct stat *before, const struct stat *after, size_t read)
{
    return after->st_nlink == 1 && after->st_size == before->st_size &&
           (uint64_t)after->st_size == read && same_time(before->st_mtim, after->st_mtim) &&
           same_time(before->st_ctim, after->st_ctim);
}

/* Up to one piece beyond the size that was told, so that growth is noticed. */
static bool read_all(int file, struct buffer *to)
{
    for (;;) {
        uint8_t *at = buffer_reserve(to, PIECE);
        ssize_t got = at ? read(file, at, PIECE) : -1;
        if (!at)
            errno = EFBIG;
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0;
        to->len += (size_t)got;
    }
}

static bool read_beginning(int file, struct buffer *to)
{
    uint8_t *at = buffer_reserve(to, BEGINNING);
    ssize_t got = at ? read(file, at, BEGINNING) : -1;
    to->len += got > 0 ? (size_t)got : 0;
    return got >= 0;
}

static enum dropbox_verdict take_open(struct dropbox *box, const char *name, int file,
                                      struct buffer *to, struct dropbox_file *out, struct error *e)
{
    struct stat before, after;
    size_t had = to->len;
    if (fstat(file, &before) != 0)
        return busy(box, name, errno, e);
    enum dropbox_verdict verdict = judge(&before, out);
    if (verdict != DROPBOX_TAKEN)
        return verdict;
    if (out->octets + PIECE > to->max - had)
        return read_beginning(file, to) ? DROPBOX_LARGE : busy(box, name, errno, e);
    if (!read_all(file, to) || fstat(file, &after) != 0)
        return busy(box, name, errno, e);
    if (is_unchanged(&before, &after, to->len - had))
        return DROPBOX_TAKEN;
    error_set(e, ERROR_TEMPORARY, "%.200s/%.80s: it was changed while it was read", box->path,
              name);
    return DROPBOX_BUSY;
}

enum dropbox_verdict dropbox_take(struct dropbox *box, const char *name, struct buffer *to,
                                  struct dropbox_file *out, struct error *e)
{
    int file = openat(box->folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (file < 0 && errno == ENOENT)
        return DROPBOX_GONE;
    if (file < 0 && (errno == ELOOP || errno == ENXIO))
        return DROPBOX_OTHER;
    if (file < 0)
        return busy(box, name, errno, e);
    enum dropbox_verdict verdict = take_open(box, name, file, to, out, e);
    close(file);
    return verdict;
}

bool dropbox_may_change(struct dropbox *box, struct error *e)
{
    return faccessat(box->folder, ".", W_OK | X_OK, 0) == 0 ||
           error_system(e, ERROR_TEMPORARY, errno, "%s", box->path);
}

bool dropbox_remove(struct dropbox *box, const char *name, struct error *e)
{
    if (unlinkat(box->folder, name, 0) != 0 && errno != ENOENT &&
        unlinkat(box->folder, name, AT_REMOVEDIR) != 0)
        return error_system(e, ERROR_TEMPORARY, errno, "%.200s/%.80s", box->path, name);
    return fsync(box->folder) == 0 || error_system(e, ERROR_TEMPORARY, errno, "%s", box->path);
}

bool dropbox_rename(struct dropbox *box, const char *from, const char *to, struct error *e)
{
    return renameat(box->folder, from, box->folder, to) == 0 ||
           error_system(e, ERROR_TEMPORARY, errno, "%.200s/%.80s", box->path, from);
}

bool dropbox_put_back(struct dropbox *box, const char *name, const struct text *parts, size_t count,
                      struct error *e)
{
    return put(box->folder, name, parts, count) || not_left(box->path, errno, e);
}
