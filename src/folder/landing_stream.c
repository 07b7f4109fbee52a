/* landing_stream.c - mail that goes to standard output, in mbox form, for whoever reads there. */
#include "folder/landing_inner.h"
#include "mail/mbox.h"
#include "run/clock.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { MADE_MAX = 512 << 20 };

/* A message goes out once it is whole: one that breaks off leaves no trace. */
struct place {
    struct mbox_writer writer;
    struct buffer made;
    size_t message_begin;
};

static bool short_of_memory(struct error *e)
{
    return error_set(e, ERROR_TEMPORARY, "memory is short for what goes to standard output");
}

static bool open_place(void *place, const char *path, struct error *e)
{
    (void)path;
    (void)e;
    struct place *p = place;
    mbox_writer_init(&p->writer);
    buffer_init(&p->made, MADE_MAX);
    return true;
}

static void close_place(void *place)
{
    struct place *p = place;
    mbox_writer_clear(&p->writer);
    buffer_clear(&p->made);
}

static bool begin(void *place, struct error *e)
{
    struct place *p = place;
    p->message_begin = p->made.len;
    return mbox_write_begin(&p->writer, T(""), clock_wall_ms(), 0, &p->made) || short_of_memory(e);
}

static bool add(void *place, struct bytes data, struct error *e)
{
    struct place *p = place;
    while (data.len) {
        struct bytes slice = { data.at, data.len < MBOX_SLICE_MAX ? data.len : MBOX_SLICE_MAX };
        data = (struct bytes){ data.at + slice.len, data.len - slice.len };
        if (!mbox_write(&p->writer, slice, &p->made))
            return short_of_memory(e);
    }
    return true;
}

static bool end(void *place, char name_out[LANDING_NAME_MAX], struct error *e)
{
    struct place *p = place;
    name_out[0] = 0;
    if (!mbox_write_end(&p->writer, &p->made))
        return short_of_memory(e);
    p->message_begin = p->made.len;
    return true;
}

static void drop(void *place)
{
    struct place *p = place;
    p->made.len = p->message_begin;
    p->made.failed = false;
    mbox_writer_clear(&p->writer);
    mbox_writer_init(&p->writer);
}

/* A file behind the redirection is synced; a pipe cannot be. */
static bool show(void *place, struct error *e)
{
    struct place *p = place;
    bool ok = fwrite(p->made.at, 1, p->made.len, stdout) == p->made.len && fflush(stdout) == 0 &&
              (fsync(STDOUT_FILENO) == 0 || errno == EINVAL || errno == EROFS);
    buffer_clear(&p->made);
    p->message_begin = 0;
    return ok || error_system(e, ERROR_TEMPORARY, errno, "standard output");
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
