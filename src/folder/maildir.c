/* maildir.c - messages put into a Maildir, many with one sync.
 *
 * A window's data reach the disk by one syncfs() where the file system is known to be the machine's
 * own: since Linux 5.8 that tells of every write that failed since the folder was opened.  On any
 * other (network, FUSE) each file is synced by itself before it is closed.  Then the names change,
 * and the folders are synced: what is in new/ or cur/ is whole whenever the machine stops.
 *
 * Nothing of what is in the Maildir already is ever changed or removed.
 */
#include "folder/maildir.h"

#include "base/buffer.h"
#include "base/check.h"
#include "mail/maildir.h"
#include "run/clock.h"
#include "run/entropy.h"
#include "run/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { HOLD_MAX = 64 * 1024, HOST_MAX = 64, PATH_ROOM = 4096, SUBFOLDER_LEN = 4 };
/* Of a name in tmp/: its target fits with any flags. */
enum { BASE_MAX = MAILDIR_TARGET_MAX - SUBFOLDER_LEN - 3 - MAIL_LETTERS_MAX };
enum { XFS_MAGIC = 0x58465342 }; /* linux/magic.h lacks it */

static const char *const subfolders[] = { "tmp", "new", "cur" };
enum subfolder { IN_TMP, IN_NEW, IN_CUR, SUBFOLDERS };

struct maildir {
    char path[PATH_ROOM];
    char host[HOST_MAX];
    uint64_t session; /* names of this writer differ from all others by it */
    uint64_t count;
    int folder, sub[SUBFOLDERS];
    bool whole_disk; /* one syncfs() stands for all files */
    bool synced;     /* the window is */
    bool touched[SUBFOLDERS];
    int file; /* of the message that was begun; -1: none */
    char file_name[BASE_MAX];
    int64_t received_ms;
    unsigned flags;
    struct buffer held;
    char (*window)[MAILDIR_TARGET_MAX]; /* as maildir_end() gives them */
    size_t window_count;
};

static bool fail(const struct maildir *m, const char *name, struct error *e)
{
    return error_system(e, ERROR_TEMPORARY, errno, "%.150s/%.100s", m->path, name);
}

/* --- Opening --- */

/* A host's name as it may stand in a file's name: "/" and ":" have meanings there. */
static void name_host(char out[HOST_MAX])
{
    if (gethostname(out, HOST_MAX) != 0 || !out[0])
        snprintf(out, HOST_MAX, "localhost");
    out[HOST_MAX - 1] = 0;
    for (char *c = out; *c; c++)
        if (!(*c == '-' || *c == '.' || text_is_digit(*c) ||
              (text_lower(*c) >= 'a' && text_lower(*c) <= 'z')))
            *c = '_';
}

static bool syncs_as_a_whole(int folder)
{
    struct statfs fs;
    if (fstatfs(folder, &fs) != 0)
        return false;
    switch ((unsigned long)fs.f_type) {
    case EXT4_SUPER_MAGIC: /* and its elders */
    case BTRFS_SUPER_MAGIC:
    case F2FS_SUPER_MAGIC:
    case TMPFS_MAGIC:
    case XFS_MAGIC:
        return true;
    default:
        return false;
    }
}

static bool sync_parent(const char *path)
{
    char parent[PATH_ROOM];
    snprintf(parent, sizeof parent, "%s", path);
    size_t len = strlen(parent);
    while (len > 1 && parent[len - 1] == '/')
        parent[--len] = 0;
    char *slash = strrchr(parent, '/');
    if (!slash)
        snprintf(parent, sizeof parent, ".");
    else
        slash[slash == parent] = 0;
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool is_subfolder(const char *name)
{
    for (size_t i = 0; i < SUBFOLDERS; i++)
        if (strcmp(name, subfolders[i]) == 0)
            return true;
    return false;
}

/* Whether the folder has nothing but what a Maildir has. */
static bool has_nothing_else(const char *path)
{
    DIR *d = opendir(path);
    bool found = false;
    for (struct dirent *entry = NULL; d && (entry = readdir(d)) != NULL;)
        found |= strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
                 !is_subfolder(entry->d_name);
    if (d)
        closedir(d);
    return d && !found;
}

/* Only where nothing is, an empty folder, or one that somebody has died over making: a wrong path
 * must not be littered. */
static bool make(const char *path, struct error *e)
{
    bool made = mkdir(path, 0700) == 0;
    if (!made && errno != EEXIST)
        return error_system(e, ERROR_REFUSED, errno, "%.300s cannot be made", path);
    if (!made && !has_nothing_else(path))
        return error_set(e, ERROR_REFUSED,
                         "%.250s is no Maildir (tmp, new, cur): name one, or a folder that is "
                         "not there",
                         path);
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = folder >= 0;
    for (size_t i = 0; ok && i < SUBFOLDERS; i++)
        ok = mkdirat(folder, subfolders[i], 0700) == 0 || errno == EEXIST;
    ok = ok && fsync(folder) == 0 && sync_parent(path);
    if (!ok)
        error_system(e, ERROR_REFUSED, errno, "%.300s cannot be made a Maildir", path);
    if (folder >= 0)
        close(folder);
    return ok;
}

static bool open_folders(struct maildir *m, struct error *e)
{
    m->folder = open(m->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; m->folder >= 0 && i < SUBFOLDERS; i++)
        m->sub[i] = openat(m->folder, subfolders[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < SUBFOLDERS; i++)
        if (m->sub[i] < 0)
            return error_system(e, ERROR_REFUSED, errno, "%.250s/%s", m->path, subfolders[i]);
    if (faccessat(m->sub[IN_TMP], ".", W_OK | X_OK, AT_EACCESS) != 0)
        return error_system(e, ERROR_REFUSED, errno, "%.250s/tmp", m->path);
    return true;
}

static bool exists(const char *path)
{
    char sub[PATH_ROOM + SUBFOLDER_LEN];
    struct stat at;
    for (size_t i = 0; i < SUBFOLDERS; i++) {
        snprintf(sub, sizeof sub, "%s/%s", path, subfolders[i]);
        if (stat(sub, &at) != 0)
            return false;
    }
    return true;
}

bool maildir_open(const char *path, struct maildir **out, struct error *e)
{
    if (strlen(path) >= PATH_ROOM)
        return error_set(e, ERROR_REFUSED, "%.100s...: too long a name", path);
    if (!exists(path) && !make(path, e))
        return false;
    struct maildir *m = calloc(1, sizeof *m);
    char(*window)[MAILDIR_TARGET_MAX] = calloc(MAILDIR_WINDOW_MAX, sizeof *window);
    if (!m || !window) {
        free(m);
        free(window);
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    }
    snprintf(m->path, sizeof m->path, "%s", path);
    name_host(m->host);
    m->window = window;
    m->session = entropy_u64();
    m->file = m->folder = m->sub[IN_TMP] = m->sub[IN_NEW] = m->sub[IN_CUR] = -1;
    buffer_init(&m->held, HOLD_MAX);
    if (!open_folders(m, e)) {
        maildir_close(&m);
        return false;
    }
    m->whole_disk = syncs_as_a_whole(m->folder);
    *out = m;
    return true;
}

/* The name in tmp/ of one that is given as "new/NAME" or "cur/NAME:2,FLAGS". */
static const char *name_in_tmp(const char *target, char out[MAILDIR_TARGET_MAX])
{
    struct text base = maildir_base(text_skip(text_of(target), SUBFOLDER_LEN));
    snprintf(out, MAILDIR_TARGET_MAX, "%.*s", TEXT_ARGS(base));
    return out;
}

void maildir_close(struct maildir **pointer)
{
    struct maildir *m = *pointer;
    char name[MAILDIR_TARGET_MAX];
    if (!m)
        return;
    maildir_drop(m);
    for (size_t i = 0; !m->synced && i < m->window_count; i++)
        unlinkat(m->sub[IN_TMP], name_in_tmp(m->window[i], name), 0);
    for (size_t i = 0; i < SUBFOLDERS; i++)
        if (m->sub[i] >= 0)
            close(m->sub[i]);
    if (m->folder >= 0)
        close(m->folder);
    buffer_clear(&m->held);
    free(m->window);
    free(m);
    *pointer = NULL;
}

bool maildir_lock(struct maildir *m, struct error *e)
{
    if (flock(m->folder, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (errno != EWOULDBLOCK)
        return fail(m, "", e);
    return error_set(e, ERROR_REFUSED, "another godwit writes into %.300s; wait for its end",
                     m->path);
}

/* --- One message --- */

static void name_file(struct maildir *m)
{
    snprintf(m->file_name, sizeof m->file_name, "%lld.R%016llxQ%llu.%s",
             (long long)(clock_wall_ms() / 1000), (unsigned long long)m->session,
             (unsigned long long)++m->count, m->host);
}

static bool take_name(struct maildir *m, struct text base, struct error *e)
{
    if (base.len >= sizeof m->file_name || text_find(base, '/') < base.len ||
        text_find(base, 0) < base.len)
        return error_set(e, ERROR_REFUSED, "%.*s: no name for a file", TEXT_ARGS(base));
    snprintf(m->file_name, sizeof m->file_name, "%.*s", TEXT_ARGS(base));
    if (unlinkat(m->sub[IN_TMP], m->file_name, 0) != 0 && errno != ENOENT)
        return fail(m, m->file_name, e);
    return true;
}

bool maildir_begin(struct maildir *m, const struct maildir_facts *facts, struct error *e)
{
    CHECK(m->file < 0);
    CHECK(m->window_count < MAILDIR_WINDOW_MAX);
    if (facts->base.len == 0)
        name_file(m);
    else if (!take_name(m, facts->base, e))
        return false;
    m->received_ms = facts->received_ms;
    m->flags = facts->flags;
    m->file = openat(m->sub[IN_TMP], m->file_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    m->held.len = 0;
    return m->file >= 0 || fail(m, "tmp", e);
}

static bool write_out(struct maildir *m, struct bytes data, struct error *e)
{
    return file_write_all(m->file, data) || fail(m, "tmp", e);
}

static bool flush(struct maildir *m, struct error *e)
{
    bool ok = write_out(m, buffer_bytes(&m->held), e);
    m->held.len = 0;
    return ok;
}

bool maildir_add(struct maildir *m, struct bytes data, struct error *e)
{
    if (m->held.len + data.len > HOLD_MAX && !flush(m, e))
        return false;
    if (data.len > HOLD_MAX / 2)
        return flush(m, e) && write_out(m, data, e);
    return buffer_append(&m->held, data.at, data.len) ||
           error_set(e, ERROR_TEMPORARY, "memory is short");
}

/* A file system that cannot keep it keeps the mail all the same. */
static void set_time(struct maildir *m)
{
    struct timespec time = { .tv_sec = m->received_ms / 1000,
                             .tv_nsec = m->received_ms % 1000 * 1000000 };
    const struct timespec times[] = { time, time };
    if (m->received_ms > 0)
        (void)futimens(m->file, times);
}

bool maildir_end(struct maildir *m, char target_out[MAILDIR_TARGET_MAX], struct error *e)
{
    char path[MAILDIR_PATH_MAX];
    if (!flush(m, e))
        return false;
    set_time(m);
    bool ok = m->whole_disk || fsync(m->file) == 0;
    ok = close(m->file) == 0 && ok;
    m->file = -1;
    if (!ok) {
        fail(m, "tmp", e);
        unlinkat(m->sub[IN_TMP], m->file_name, 0);
        return false;
    }
    snprintf(target_out, MAILDIR_TARGET_MAX, "%s",
             maildir_path(text_of(m->file_name), m->flags, path));
    snprintf(m->window[m->window_count++], MAILDIR_TARGET_MAX, "%s", target_out);
    m->synced = false;
    return true;
}

void maildir_drop(struct maildir *m)
{
    if (m->file < 0)
        return;
    close(m->file);
    m->file = -1;
    unlinkat(m->sub[IN_TMP], m->file_name, 0);
}

/* --- Many --- */

size_t maildir_window(const struct maildir *m)
{
    return m->window_count;
}

bool maildir_sync(struct maildir *m, struct error *e)
{
    bool ok = m->whole_disk ? syncfs(m->folder) == 0 : fsync(m->sub[IN_TMP]) == 0;
    if (!ok)
        return fail(m, "tmp", e);
    m->synced = true;
    return true;
}

static enum subfolder meant_for(const char *target)
{
    return strncmp(target, "cur/", SUBFOLDER_LEN) == 0 ? IN_CUR : IN_NEW;
}

static bool move_one(struct maildir *m, const char *target)
{
    char name[MAILDIR_TARGET_MAX];
    enum subfolder to = meant_for(target);
    m->touched[to] = true;
    return renameat(m->sub[IN_TMP], name_in_tmp(target, name), m->sub[to],
                    target + SUBFOLDER_LEN) == 0;
}

static bool sync_touched(struct maildir *m, struct error *e)
{
    for (size_t i = 0; i < SUBFOLDERS; i++) {
        if (m->touched[i] && fsync(m->sub[i]) != 0)
            return fail(m, subfolders[i], e);
        m->touched[i] = false;
    }
    return true;
}

bool maildir_show(struct maildir *m, struct error *e)
{
    CHECK(m->synced || m->window_count == 0);
    for (size_t i = 0; i < m->window_count; i++)
        if (!move_one(m, m->window[i]))
            return fail(m, m->window[i], e);
    if (!sync_touched(m, e))
        return false;
    m->window_count = 0;
    return true;
}

/* --- After a crash --- */

/* Whether the folder has the name, with whatever flags behind it by now. */
static enum maildir_finished look_in(struct maildir *m, enum subfolder where, struct text name,
                                     struct error *e)
{
    int fd = openat(m->folder, subfolders[where], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    enum maildir_finished found = MAILDIR_GONE;
    if (!d) {
        fail(m, subfolders[where], e);
        if (fd >= 0)
            close(fd);
        return MAILDIR_TROUBLE;
    }
    for (struct dirent *entry; found == MAILDIR_GONE && (entry = readdir(d)) != NULL;)
        if (text_equal(maildir_base(text_of(entry->d_name)), name))
            found = MAILDIR_SHOWN;
    closedir(d);
    return found;
}

enum maildir_finished maildir_finish(struct maildir *m, const char *target, struct error *e)
{
    char name[MAILDIR_TARGET_MAX];
    if (strlen(target) <= SUBFOLDER_LEN || strlen(target) >= MAILDIR_TARGET_MAX ||
        strchr(target + SUBFOLDER_LEN, '/'))
        return MAILDIR_GONE;
    name_in_tmp(target, name);
    if (move_one(m, target))
        return MAILDIR_SHOWN;
    if (errno != ENOENT) {
        fail(m, target, e);
        return MAILDIR_TROUBLE;
    }
    /* The stop came behind the renames: those may not be on the disk. */
    m->touched[IN_NEW] = m->touched[IN_CUR] = true;
    if (faccessat(m->sub[meant_for(target)], target + SUBFOLDER_LEN, F_OK, 0) == 0)
        return MAILDIR_SHOWN;
    enum maildir_finished found = look_in(m, IN_CUR, text_of(name), e);
    return found == MAILDIR_GONE ? look_in(m, IN_NEW, text_of(name), e) : found;
}

bool maildir_finish_end(struct maildir *m, struct error *e)
{
    return sync_touched(m, e);
}
