/* landing_stream.c - mail in mbox form that goes to standard output, for whoever reads there, or
 * into a file of the caller's.
 *
 * A window is held until it is shown, and a message until it is whole: one that breaks off leaves
 * no trace.  Only a message that is too long to be held goes out as it comes.
 *
 * What went into a file, behind a redirection too, can be taken back while nothing stands behind
 * it: a message that is dropped, and a window that could not be written as a whole.  So little is
 * held for a file of the caller's.
 */
#include "folder/landing_inner.h"
#include "mail/mbox.h"
#include "run/clock.h"
#include "run/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HELD_MAX = 512 << 20, HELD_OF_FILE_MAX = 1 << 20 };

struct place {
    int file;
    const char *name;
    size_t held_max;
    struct mbox_writer writer;
    struct buffer held;
    size_t message_begin; /* in what is held */
    bool is_begun;        /* a part of the window is in the file ... */
    off_t begin;          /* ... from here on; -1: for good */
    bool is_out;          /* a part of the message that was begun, too ... */
    off_t out_begin;      /* ... from here on; -1: for good */
    bool torn;            /* it was dropped, and is there for good */
    bool failed;          /* the window was not written as a whole */
};

static bool short_of_memory(const struct place *p, struct error *e)
{
    return error_set(e, ERROR_TEMPORARY, "memory is short for what goes to %.300s", p->name);
}

static bool fail(const struct place *p, struct error *e)
{
    return error_system(e, ERROR_TEMPORARY, errno, "%.300s", p->name);
}

static bool open_place(void *place, const char *path, struct error *e)
{
    (void)path;
    (void)e;
    struct place *p = place;
    p->file = STDOUT_FILENO;
    p->name = "standard output";
    p->held_max = HELD_MAX;
    mbox_writer_init(&p->writer);
    buffer_init(&p->held, HELD_MAX + LINE_ENDS_ROOM(MBOX_SLICE_MAX));
    return true;
}

void landing_stream_into(void *place, int file, const char *name)
{
    struct place *p = place;
    p->file = file;
    p->name = name;
    p->held_max = HELD_OF_FILE_MAX;
}

static void close_place(void *place)
{
    struct place *p = place;
    mbox_writer_clear(&p->writer);
    buffer_clear(&p->held);
}

/* --- One message --- */

static bool is_good(const struct place *p, struct error *e)
{
    if (p->failed)
        return error_set(e, ERROR_TEMPORARY, "%.300s: not all could be written", p->name);
    return !p->torn ||
           error_set(e, ERROR_TEMPORARY,
                     "a message that is half written cannot be taken back on %.300s", p->name);
}

static bool begin(void *place, const struct landing_facts *facts, struct error *e)
{
    struct place *p = place;
    int64_t date_ms = facts->received_ms ? facts->received_ms : clock_wall_ms();
    if (!is_good(p, e))
        return false;
    p->message_begin = p->held.len;
    return mbox_write_begin(&p->writer, facts->sender, date_ms, facts->flags, &p->held) ||
           short_of_memory(p, e);
}

/* Where the next octet goes; -1: it could not be taken back. */
static off_t find_end(const struct place *p)
{
    struct stat at;
    bool appends = (fcntl(p->file, F_GETFL) & O_APPEND) != 0;
    off_t here = lseek(p->file, 0, appends ? SEEK_END : SEEK_CUR);
    return fstat(p->file, &at) == 0 && S_ISREG(at.st_mode) && here == at.st_size ? here : -1;
}

static bool take_back(struct place *p, off_t begin)
{
    return begin >= 0 && ftruncate(p->file, begin) == 0 && lseek(p->file, begin, SEEK_SET) == begin;
}

/* Nothing of the window counts: what is in the file must not be what the next one begins behind. */
static bool fail_window(struct place *p, struct error *e)
{
    fail(p, e);
    p->failed = true;
    p->is_out = false;
    take_back(p, p->begin);
    return false;
}

static bool put(struct place *p, size_t octets, struct error *e)
{
    if (!p->is_begun)
        p->begin = find_end(p);
    p->is_begun = true;
    bool ok = file_write_all(p->file, (struct bytes){ p->held.at, octets });
    if (!ok)
        return fail_window(p, e);
    if (octets > 0)
        buffer_take(&p->held, octets);
    return true;
}

/* What is held, of this message too, goes out before its time. */
static bool put_early(struct place *p, struct error *e)
{
    if (!p->is_out) {
        if (!put(p, p->message_begin, e))
            return false;
        p->message_begin = 0;
        p->out_begin = find_end(p);
        p->is_out = true;
    }
    return put(p, p->held.len, e);
}

static bool add(void *place, struct bytes data, struct error *e)
{
    struct place *p = place;
    while (data.len) {
        struct bytes slice = { data.at, data.len < MBOX_SLICE_MAX ? data.len : MBOX_SLICE_MAX };
        data = (struct bytes){ data.at + slice.len, data.len - slice.len };
        if (!mbox_write(&p->writer, slice, &p->held))
            return short_of_memory(p, e);
        if (p->held.len >= p->held_max && !put_early(p, e))
            return false;
    }
    return true;
}

static bool end(void *place, char name_out[LANDING_NAME_MAX], struct error *e)
{
    struct place *p = place;
    name_out[0] = 0;
    if (!mbox_write_end(&p->writer, &p->held))
        return short_of_memory(p, e);
    p->message_begin = p->held.len;
    p->is_out = false;
    return true;
}

static void drop(void *place)
{
    struct place *p = place;
    p->held.len = p->message_begin;
    p->held.failed = false;
    if (p->is_out)
        p->torn = !take_back(p, p->out_begin);
    p->is_out = false;
    mbox_writer_clear(&p->writer);
    mbox_writer_init(&p->writer);
}

/* A file, behind a redirection too, is synced; a pipe cannot be. */
static bool show(void *place, struct error *e)
{
    struct place *p = place;
    if (!is_good(p, e))
        return false;
    if (!put(p, p->held.len, e))
        return false;
    if (fsync(p->file) != 0 && errno != EINVAL && errno != EROFS)
        return fail_window(p, e);
    buffer_clear(&p->held);
    p->message_begin = 0;
    p->is_begun = false;
    return true;
}

const struct landing_way landing_in_stream = {
    .prefix = "-",
    .place_size = sizeof(struct place),
    .open = open_place,
    .close = close_place,
    .begin = begin,
    .add = add,
    .end = end,
    .drop = drop,
    .show = show,
};
