/* shelf.c - a folder of files that belong to people, through the descriptor of the folder. */
#include "run/shelf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct shelf {
    int descriptor;
    char path[]; /* for the words of errors */
};

static enum error_kind kind_of(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case EEXIST:
    case ELOOP:
    case EACCES:
    case EPERM:
    case EROFS:
    case ENAMETOOLONG:
        return ERROR_REFUSED;
    default:
        return ERROR_TEMPORARY;
    }
}

static bool failed(struct error *e, int number, const char *what, const char *path)
{
    return error_system(e, kind_of(number), number, "cannot %s %s", what, path);
}

static bool failed_at(struct error *e, int number, const char *what, const struct shelf *f,
                      const char *name)
{
    char path[ERROR_WORDS_MAX];
    snprintf(path, sizeof path, "%s/%s", f->path, name);
    return failed(e, number, what, path);
}

/* --- The folder --- */

static bool has_folder(int folder, const char *name)
{
    struct stat status;
    return fstatat(folder, name, &status, 0) == 0 && S_ISDIR(status.st_mode);
}

enum shelf_kind shelf_look(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return SHELF_NOTHING;
    if (!S_ISDIR(status.st_mode))
        return SHELF_FILE;
    int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool maildir = folder >= 0 && has_folder(folder, "cur") && has_folder(folder, "new") &&
                   has_folder(folder, "tmp");
    if (folder >= 0)
        close(folder);
    return maildir ? SHELF_MAILDIR : SHELF_PLAIN;
}

bool shelf_open(const char *path, struct shelf **out, struct error *e)
{
    size_t path_octets = strlen(path) + 1;
    *out = NULL;
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return failed(e, errno, "open the folder", path);
    struct shelf *f = malloc(sizeof *f + path_octets);
    if (!f) {
        close(descriptor);
        return failed(e, ENOMEM, "open the folder", path);
    }
    f->descriptor = descriptor;
    memcpy(f->path, path, path_octets);
    *out = f;
    return true;
}

void shelf_close(struct shelf **folder)
{
    struct shelf *f = *folder;
    *folder = NULL;
    if (!f)
        return;
    close(f->descriptor);
    free(f);
}

static int open_sub(const struct shelf *f, const char *name)
{
    return openat(f->descriptor, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool list(struct shelf *f, const char *name, bool hidden,
                 void (*found)(void *owner, const char *name), void *owner, struct error *e)
{
    int descriptor = open_sub(f, name);
    DIR *listing = descriptor < 0 ? NULL : fdopendir(descriptor);
    const struct dirent *entry;
    if (!listing) {
        int number = errno;
        if (descriptor >= 0)
            close(descriptor);
        return failed_at(e, number, "open the folder", f, name);
    }
    for (errno = 0; (entry = readdir(listing)); errno = 0)
        if ((entry->d_name[0] == '.') == hidden && strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0)
            found(owner, entry->d_name);
    int number = errno;
    closedir(listing);
    return number == 0 || failed_at(e, number, "list the folder", f, name);
}

bool shelf_list(struct shelf *f, const char *name, void (*found)(void *owner, const char *name),
                void *owner, struct error *e)
{
    return list(f, name, false, found, owner, e);
}

bool shelf_list_hidden(struct shelf *f, void (*found)(void *owner, const char *name), void *owner,
                       struct error *e)
{
    return list(f, ".", true, found, owner, e);
}

bool shelf_sync(struct shelf *f, const char *name, struct error *e)
{
    int descriptor = open_sub(f, name);
    int number = descriptor >= 0 && fsync(descriptor) == 0 ? 0 : errno;
    if (descriptor >= 0)
        close(descriptor);
    return number == 0 || failed_at(e, number, "sync the folder", f, name);
}

void shelf_remove(struct shelf *f, const char *name)
{
    unlinkat(f->descriptor, name, 0);
}

bool shelf_rename_new(struct shelf *f, const char *from, const char *to, struct error *e)
{
    if (renameat2(f->descriptor, from, f->descriptor, to, RENAME_NOREPLACE) == 0)
        return true;
    if (errno != EINVAL && errno != ENOSYS)
        return failed_at(e, errno, "make", f, to);
    /* A file system that cannot promise it: as near as it gets. */
    if (faccessat(f->descriptor, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return failed_at(e, EEXIST, "make", f, to);
    return renameat(f->descriptor, from, f->descriptor, to) == 0 ||
           failed_at(e, errno, "make", f, to);
}

/* --- Reading a file --- */

/* O_NONBLOCK: opening a pipe would wait for who writes into it. */
enum { READING = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC };

/* Looks at what was opened; closes it again if it is no plain file. */
static bool take_file(struct shelf_file *file, const char *path, struct error *e)
{
    struct stat status;
    int number = file->descriptor < 0 ? errno : 0;
    if (number == ELOOP)
        return error_set(e, ERROR_REFUSED, "%s is a symbolic link", path);
    if (number == 0 && fstat(file->descriptor, &status) != 0)
        number = errno;
    if (number == 0 && S_ISREG(status.st_mode)) {
        file->octets = (uint64_t)status.st_size;
        file->dated_ms =
            (int64_t)status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / (1000 * 1000);
        return true;
    }
    if (file->descriptor >= 0)
        close(file->descriptor);
    if (number == 0)
        return error_set(e, ERROR_REFUSED, "%s is no plain file", path);
    return failed(e, number, "read", path);
}

bool shelf_file_open(struct shelf *f, const char *name, struct shelf_file *out, struct error *e)
{
    char path[ERROR_WORDS_MAX];
    *out = (struct shelf_file){ .name = name };
    out->descriptor = openat(f->descriptor, name, READING | O_NOFOLLOW);
    int number = errno;
    snprintf(path, sizeof path, "%s/%s", f->path, name);
    errno = number;
    return take_file(out, path, e);
}

bool shelf_file_at(const char *path, struct shelf_file *out, struct error *e)
{
    *out = (struct shelf_file){ .name = path, .descriptor = open(path, READING) };
    return take_file(out, path, e);
}

struct shelf_file shelf_file_stdin(void)
{
    return (struct shelf_file){ .descriptor = STDIN_FILENO, .name = "standard input" };
}

bool shelf_file_lock(struct shelf_file *file, struct error *e)
{
    struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
    if (fcntl(file->descriptor, F_SETLK, &lock) == 0 || (errno != EAGAIN && errno != EACCES))
        return true; /* or a file system without locks */
    return error_set(e, ERROR_TEMPORARY, "%s is being written by another program", file->name);
}

bool shelf_file_read(struct shelf_file *file, struct buffer *to, size_t len, size_t *got_out,
                     struct error *e)
{
    uint8_t *at = buffer_reserve(to, len);
    ssize_t got;
    *got_out = 0;
    if (!at)
        return failed(e, ENOMEM, "read", file->name);
    do
        got = read(file->descriptor, at, len);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return failed(e, errno, "read", file->name);
    to->len += (size_t)got;
    *got_out = (size_t)got;
    return true;
}

bool shelf_file_look(struct shelf_file *file, uint64_t offset, struct buffer *to, size_t len,
                     struct error *e)
{
    uint8_t *at = buffer_reserve(to, len);
    if (!at)
        return failed(e, ENOMEM, "read", file->name);
    for (size_t done = 0; done < len;) {
        ssize_t got = pread(file->descriptor, at + done, len - done, (off_t)(offset + done));
        if (got < 0 && errno != EINTR)
            return failed(e, errno, "read", file->name);
        if (got == 0)
            break;
        done += got > 0 ? (size_t)got : 0;
        to->len += got > 0 ? (size_t)got : 0;
    }
    return true;
}

/* --- Writing a file --- */

/* The file under this name is the one that is open, a plain one, and ours alone. */
static bool is_ours(const struct shelf *f, const char *name, int descriptor)
{
    struct stat file, named;
    return fstat(descriptor, &file) == 0 &&
           fstatat(f->descriptor, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           file.st_ino == named.st_ino && file.st_dev == named.st_dev && S_ISREG(file.st_mode) &&
           file.st_uid == geteuid() && file.st_nlink == 1;
}

bool shelf_file_make(struct shelf *f, const char *name, struct shelf_file *out, struct error *e)
{
    *out = (struct shelf_file){ .name = name };
    out->descriptor =
        openat(f->descriptor, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (out->descriptor < 0)
        return failed_at(e, errno, "make", f, name);
    /* Whoever made it before has died, or is at it; or has just given it its name for good. */
    bool ok = flock(out->descriptor, LOCK_EX | LOCK_NB) == 0 && is_ours(f, name, out->descriptor);
    int number = ok && ftruncate(out->descriptor, 0) != 0 ? errno : 0;
    if (ok && number == 0)
        return true;
    shelf_file_close(out);
    if (ok)
        return failed_at(e, number, "make", f, name);
    return error_set(e, ERROR_REFUSED, "%s/%s is another program's; is an export under way?",
                     f->path, name);
}

void shelf_file_close(struct shelf_file *file)
{
    close(file->descriptor);
    file->descriptor = -1;
}
