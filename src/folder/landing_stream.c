/* landing_stream.c - mail in mbox form that goes to standard output, for whoever reads there, or
 * into a file of the caller's.
 *
 * A window is held until it is shown, and a message until it is whole: one that breaks off leaves
 * no trace.  Only a message that is too long to be held goes out as it comes.  In a file of the
 * caller's that can be taken back, and little is held.
 */
#include "folder/landing_inner.h"
#include "mail/mbox.h"
#include "run/clock.h"
#include "run/file.h"

#include <errno.h>
#include <unistd.h>

enum { HELD_MAX = 512 << 20, HELD_OF_FILE_MAX = 1 << 20 };

struct place {
    int file;
    const char *name;
    bool can_cut; /* what is in the file can be taken back */
    size_t held_max;
    struct mbox_writer writer;
    struct buffer held;
    size_t message_begin; /* in what is held */
    bool is_out;          /* a part of the message that was begun is in the file ... */
    off_t out_begin;      /* ... from here on, if it can be taken back */
    bool torn;            /* it was dropped, and is there for good */
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
    p->can_cut = true;
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

static bool put(struct place *p, size_t octets)
{
    bool ok = file_write_all(p->file, (struct bytes){ p->held.at, octets });
    if (octets > 0)
        buffer_take(&p->held, octets);
    return ok;
}

/* What is held, of this message too, goes out before its time. */
static bool put_early(struct place *p, struct error *e)
{
    if (!p->is_out) {
        if (!put(p, p->message_begin))
            return fail(p, e);
        p->message_begin = 0;
        p->out_begin = p->can_cut ? lseek(p->file, 0, SEEK_CUR) : 0;
        p->is_out = true;
    }
    return (p->out_begin >= 0 && put(p, p->held.len)) || fail(p, e);
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
        p->torn = !p->can_cut || ftruncate(p->file, p->out_begin) != 0 ||
                  lseek(p->file, p->out_begin, SEEK_SET) < 0;
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
    bool ok = put(p, p->held.len) && (fsync(p->file) == 0 || errno == EINVAL || errno == EROFS);
    if (!ok)
        fail(p, e);
    buffer_clear(&p->held);
    p->message_begin = 0;
    return ok;
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
