/* landing_mbox.c - mail that lands at the end of an mbox.
 *
 * A window comes together in a file of its own beside the mbox, ".NAME.godwit-SESSION", and is
 * copied to its end under lock.  That file is what makes a stop good: it says where in the mbox the
 * copy began, and what it should be.  Its first line:
 *
 *     d SESSION 0        a draft: nothing of it is in the mbox, it may be removed when its writer
 *                        is dead
 *     a SESSION OFFSET   the copy begins at this offset of the mbox
 *
 * What is in the mbox already is never changed; only a copy that could not be completed is taken
 * back, still under lock.
 */
#include "folder/box_lock.h"
#include "folder/landing_inner.h"
#include "mail/mbox.h"
#include "run/clock.h"
#include "run/entropy.h"
#include "run/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HEAD_LEN = 2 + 16 + 1 + 20 + 1,
    MADE_MAX = 4 * MBOX_SLICE_MAX,
    COPY_MAX = 64 * 1024,
};

struct place {
    char path[BOX_PATH_MAX];
    char folder[BOX_PATH_MAX];
    const char *name; /* the last part of the path */
    char window_path[BOX_PATH_MAX + 64];
    int window; /* its file; -1: none */
    uint64_t session;
    uint64_t len;           /* of the window's file */
    uint64_t message_begin; /* in it; of the message that was begun */
    unsigned count;
    bool in_message;
    struct mbox_writer writer;
    struct buffer made;
};

static bool fail(const char *path, struct error *e)
{
    return error_system(e, ERROR_TEMPORARY, errno, "%.300s", path);
}

static bool write_at(int file, uint64_t at, struct bytes data)
{
    while (data.len) {
        ssize_t put = pwrite(file, data.at, data.len, (off_t)at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        at += (uint64_t)put;
        data.at += put;
        data.len -= (size_t)put;
    }
    return true;
}

static bool write_head(struct place *p, char state, uint64_t offset)
{
    char head[HEAD_LEN + 1];
    snprintf(head, sizeof head, "%c %016llx %020llu\n", state, (unsigned long long)p->session,
             (unsigned long long)offset);
    return write_at(p->window, 0, (struct bytes){ (const uint8_t *)head, HEAD_LEN });
}

static bool sync_folder(const struct place *p)
{
    int fd = open(p->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

/* --- The window's file --- */

static void name_window(struct place *p, uint64_t session)
{
    p->session = session;
    snprintf(p->window_path, sizeof p->window_path, "%s/.%s.godwit-%016llx", p->folder, p->name,
             (unsigned long long)session);
}

static bool new_window(struct place *p, struct error *e)
{
    name_window(p, entropy_u64());
    p->window = open(p->window_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    p->len = HEAD_LEN;
    p->count = 0;
    return (p->window >= 0 && flock(p->window, LOCK_EX | LOCK_NB) == 0 && write_head(p, 'd', 0)) ||
           fail(p->window_path, e);
}

static void forget_window(struct place *p, bool remove)
{
    if (p->window < 0)
        return;
    if (remove)
        unlink(p->window_path);
    close(p->window);
    p->window = -1;
    p->count = 0;
}

/* A draft whose writer is dead. */
static void remove_draft(const char *path)
{
    char state = 0;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
        (pread(fd, &state, 1, 0) == 0 || state == 'd'))
        unlink(path);
    if (fd >= 0)
        close(fd);
}

static void remove_drafts(const struct place *p)
{
    char prefix[BOX_PATH_MAX + 16], path[2 * BOX_PATH_MAX];
    DIR *d = opendir(p->folder);
    snprintf(prefix, sizeof prefix, ".%s.godwit-", p->name);
    for (struct dirent *entry; d && (entry = readdir(d)) != NULL;) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", p->folder, entry->d_name);
        remove_draft(path);
    }
    if (d)
        closedir(d);
}

/* --- Opening --- */

static bool split_path(struct place *p, const char *path)
{
    if (strlen(path) >= sizeof p->path)
        return false;
    snprintf(p->path, sizeof p->path, "%s", path);
    snprintf(p->folder, sizeof p->folder, "%s", path);
    char *slash = strrchr(p->folder, '/');
    p->name = slash ? p->path + (slash - p->folder) + 1 : p->path;
    if (slash)
        slash[slash == p->folder] = 0;
    else
        snprintf(p->folder, sizeof p->folder, ".");
    return p->name[0] != 0;
}

static bool can_be_one(const struct place *p, struct error *e)
{
    struct stat at;
    if (stat(p->path, &at) == 0 && !S_ISREG(at.st_mode))
        return error_set(e, ERROR_REFUSED, "%.300s is no file: it cannot be an mbox", p->path);
    if (access(p->folder, W_OK | X_OK) != 0)
        return error_system(e, ERROR_REFUSED, errno, "%.300s", p->folder);
    if (access(p->path, R_OK | W_OK) != 0 && errno != ENOENT)
        return error_system(e, ERROR_REFUSED, errno, "%.300s", p->path);
    return true;
}

static bool open_place(void *place, const char *path, struct error *e)
{
    struct place *p = place;
    p->window = -1;
    bool ok =
        split_path(p, path) || error_set(e, ERROR_REFUSED, "%.100s: no name for an mbox", path);
    if (!ok || !can_be_one(p, e))
        return false;
    mbox_writer_init(&p->writer);
    buffer_init(&p->made, MADE_MAX);
    remove_drafts(p);
    return true;
}

static void close_place(void *place)
{
    struct place *p = place;
    char state = 'a';
    /* What has begun to be copied is left for the next run. */
    bool read = p->window >= 0 && pread(p->window, &state, 1, 0) == 1;
    forget_window(p, read && state == 'd');
    mbox_writer_clear(&p->writer);
    buffer_clear(&p->made);
}

/* --- Messages --- */

static bool flush(struct place *p, struct error *e)
{
    bool ok = write_at(p->window, p->len, buffer_bytes(&p->made)) || fail(p->window_path, e);
    p->len += ok ? p->made.len : 0;
    p->made.len = 0;
    return ok;
}

static bool begin(void *place, const struct landing_facts *facts, struct error *e)
{
    struct place *p = place;
    if (p->window < 0 && !new_window(p, e))
        return false;
    p->message_begin = p->len;
    p->in_message = true;
    int64_t date_ms = facts->received_ms ? facts->received_ms : clock_wall_ms();
    if (!mbox_write_begin(&p->writer, facts->sender, date_ms, facts->flags, &p->made))
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    return true;
}

static bool add(void *place, struct bytes data, struct error *e)
{
    struct place *p = place;
    while (data.len) {
        struct bytes slice = { data.at, data.len < MBOX_SLICE_MAX ? data.len : MBOX_SLICE_MAX };
        data = (struct bytes){ data.at + slice.len, data.len - slice.len };
        if (!mbox_write(&p->writer, slice, &p->made))
            return error_set(e, ERROR_TEMPORARY, "memory is short");
        if (p->made.len >= COPY_MAX && !flush(p, e))
            return false;
    }
    return true;
}

static bool end(void *place, char name_out[LANDING_NAME_MAX], struct error *e)
{
    struct place *p = place;
    if (!mbox_write_end(&p->writer, &p->made))
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    if (!flush(p, e))
        return false;
    p->in_message = false;
    snprintf(name_out, LANDING_NAME_MAX, "%016llx.%u", (unsigned long long)p->session, ++p->count);
    return true;
}

static void drop(void *place)
{
    struct place *p = place;
    if (!p->in_message)
        return;
    p->in_message = false;
    p->made.len = 0;
    p->made.failed = false;
    p->len = p->message_begin;
    /* What is behind the length is overwritten, or cut off by sync. */
    mbox_writer_clear(&p->writer);
    mbox_writer_init(&p->writer);
}

/* --- Windows --- */

static bool sync_window(void *place, struct error *e)
{
    struct place *p = place;
    if (p->window < 0)
        return true;
    return (ftruncate(p->window, (off_t)p->len) == 0 && fdatasync(p->window) == 0 &&
            sync_folder(p)) ||
           fail(p->window_path, e);
}

/* Copies what is behind `from` in the window to the end of the box. */
static bool copy(struct place *p, int box, uint64_t from)
{
    char room[COPY_MAX];
    while (from < p->len) {
        ssize_t got = pread(p->window, room, sizeof room, (off_t)from);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        if (!file_write_all(box, (struct bytes){ (const uint8_t *)room, (size_t)got }))
            return false;
        from += (uint64_t)got;
    }
    return true;
}

/* A box ends with an empty line before the next From_ line. */
static bool end_box(int box, uint64_t *size)
{
    char last[2] = "\n\n";
    size_t len = *size < 2 ? (size_t)*size : 2, lacks = 0;
    if (len && pread(box, last + 2 - len, len, (off_t)(*size - len)) != (ssize_t)len)
        return false;
    if (last[1] != '\n')
        lacks = 2;
    else if (*size && last[0] != '\n')
        lacks = 1;
    *size += lacks;
    return lacks == 0 || write(box, "\n\n", lacks) == (ssize_t)lacks;
}

/* Under lock: the whole window behind what is there. */
static bool append(struct place *p, int box, struct error *e)
{
    struct stat at;
    if (fstat(box, &at) != 0)
        return fail(p->path, e);
    uint64_t before = (uint64_t)at.st_size, begins = before;
    bool ok = end_box(box, &begins);
    if (ok && !(write_head(p, 'a', begins) && fdatasync(p->window) == 0))
        return fail(p->window_path, e);
    ok = ok && copy(p, box, HEAD_LEN) && fsync(box) == 0;
    if (ok)
        return sync_folder(p) || fail(p->folder, e);
    fail(p->path, e);
    if (ftruncate(box, (off_t)before) == 0)
        write_head(p, 'd', 0);
    return false;
}

static bool show(void *place, struct error *e)
{
    struct place *p = place;
    struct box_lock lock;
    if (p->window < 0 || p->count == 0)
        return true;
    if (!box_lock(p->path, &lock, e))
        return false;
    bool ok = append(p, lock.file, e);
    box_unlock(&lock);
    return ok;
}

static bool done(void *place, struct error *e)
{
    struct place *p = place;
    (void)e;
    forget_window(p, true);
    return true;
}

/* --- After a stop --- */

/* Where the copy begins; false: it is no window that was being copied. */
static bool read_head(struct place *p, uint64_t *offset_out)
{
    char head[HEAD_LEN];
    char session[17];
    struct stat at;
    snprintf(session, sizeof session, "%016llx", (unsigned long long)p->session);
    if (fstat(p->window, &at) != 0 || pread(p->window, head, HEAD_LEN, 0) != HEAD_LEN)
        return false;
    p->len = (uint64_t)at.st_size;
    return head[0] == 'a' && memcmp(head + 2, session, 16) == 0 &&
           text_to_u64((struct text){ head + 19, 20 }, offset_out);
}

/* How far the box, from the offset on, is the window: *equal_out octets, up to the shorter end. */
static bool compare(struct place *p, int box, uint64_t offset, uint64_t *equal_out)
{
    char ours[COPY_MAX], theirs[COPY_MAX];
    for (uint64_t at = HEAD_LEN; at < p->len;) {
        ssize_t a = pread(p->window, ours, sizeof ours, (off_t)at);
        ssize_t b = pread(box, theirs, sizeof theirs, (off_t)(offset + at - HEAD_LEN));
        if (a <= 0 || b < 0)
            return false;
        ssize_t both = a < b ? a : b;
        if (memcmp(ours, theirs, (size_t)both) != 0)
            return false;
        at += (uint64_t)both;
        *equal_out = at - HEAD_LEN;
        if (b < a)
            break;
    }
    return true;
}

/* Under lock: what was begun is completed; in a box that somebody has changed since, the window is
 * appended once more, since nobody can know. */
static bool complete(struct place *p, int box, uint64_t offset, struct error *e)
{
    struct stat at;
    uint64_t equal = 0;
    if (fstat(box, &at) != 0)
        return fail(p->path, e);
    bool begun = (uint64_t)at.st_size >= offset && compare(p, box, offset, &equal) &&
                 (equal == p->len - HEAD_LEN || offset + equal == (uint64_t)at.st_size);
    if (!begun)
        return append(p, box, e);
    return (copy(p, box, HEAD_LEN + equal) && fsync(box) == 0 && sync_folder(p)) ||
           fail(p->path, e);
}

static bool parse_session(const char *name, uint64_t *out)
{
    return strlen(name) > 16 && name[16] == '.' && text_hex_to_u64((struct text){ name, 16 }, out);
}

/* The first message of a window stands for all of it. */
static enum landing_finished finish(void *place, const char *name, struct error *e)
{
    struct place *p = place;
    struct box_lock lock;
    uint64_t session, offset;
    if (!parse_session(name, &session))
        return LANDING_GONE;
    if (p->window >= 0 && p->session == session)
        return LANDING_SHOWN;
    forget_window(p, true);
    name_window(p, session);
    p->window = open(p->window_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (p->window < 0 && errno == ENOENT)
        return LANDING_GONE;
    if (p->window < 0 || !read_head(p, &offset)) {
        forget_window(p, false);
        error_set(e, ERROR_TEMPORARY, "%.300s cannot be read, or is no window of ours",
                  p->window_path);
        return LANDING_TROUBLE;
    }
    bool ok = box_lock(p->path, &lock, e);
    if (ok) {
        ok = complete(p, lock.file, offset, e);
        box_unlock(&lock);
    }
    if (!ok)
        forget_window(p, false);
    return ok ? LANDING_SHOWN : LANDING_TROUBLE;
}

static void sweep(const char *path, const char *name)
{
    struct place p = { .window = -1 };
    uint64_t session;
    if (!split_path(&p, path) || !parse_session(name, &session))
        return;
    name_window(&p, session);
    unlink(p.window_path);
}

const struct landing_way landing_in_mbox = {
    .prefix = "mbox:",
    .place_size = sizeof(struct place),
    .open = open_place,
    .close = close_place,
    .begin = begin,
    .add = add,
    .end = end,
    .drop = drop,
    .sync = sync_window,
    .show = show,
    .done = done,
    .finish = finish,
    .sweep = sweep,
};
