/* landing_maildir.c - mail that lands in a Maildir. */
#include "folder/landing_inner.h"
#include "folder/maildir.h"
#include "mail/line_ends.h"

enum { SLICE_MAX = 16 * 1024 };
_Static_assert((int)MAILDIR_TARGET_MAX <= (int)LANDING_NAME_MAX, "its names fit");
_Static_assert((int)LANDING_WINDOW_MAX <= (int)MAILDIR_WINDOW_MAX, "its windows fit");

struct place {
    struct maildir *maildir;
    struct line_ends ends;
    uint8_t room[LINE_ENDS_ROOM(SLICE_MAX)];
};

static bool open_place(void *place, const char *path, struct error *e)
{
    struct place *p = place;
    return maildir_open(path, &p->maildir, e);
}

static void close_place(void *place)
{
    struct place *p = place;
    maildir_close(&p->maildir);
}

static bool lock(void *place, struct error *e)
{
    struct place *p = place;
    return maildir_lock(p->maildir, e);
}

static bool begin(void *place, const struct landing_facts *facts, struct error *e)
{
    struct place *p = place;
    const struct maildir_facts its = { facts->base, facts->received_ms, facts->flags };
    p->ends = (struct line_ends){ 0 };
    return maildir_begin(p->maildir, &its, e);
}

/* What line ends were made of; `ok`: it could be made. */
static bool put(struct place *p, bool ok, const struct buffer *made, struct error *e)
{
    if (!ok)
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    return maildir_add(p->maildir, buffer_bytes(made), e);
}

static bool add(void *place, struct bytes data, struct error *e)
{
    struct place *p = place;
    while (data.len) {
        struct buffer made = buffer_over(p->room, sizeof p->room);
        struct bytes slice = { data.at, data.len < SLICE_MAX ? data.len : SLICE_MAX };
        data = (struct bytes){ data.at + slice.len, data.len - slice.len };
        if (!put(p, line_ends_to_lf(&p->ends, slice, &made), &made, e))
            return false;
    }
    return true;
}

static bool end(void *place, char name_out[LANDING_NAME_MAX], struct error *e)
{
    struct place *p = place;
    struct buffer made = buffer_over(p->room, sizeof p->room);
    return put(p, line_ends_to_lf_end(&p->ends, &made), &made, e) &&
           maildir_end(p->maildir, name_out, e);
}

static void drop(void *place)
{
    struct place *p = place;
    maildir_drop(p->maildir);
}

static bool sync_window(void *place, struct error *e)
{
    struct place *p = place;
    return maildir_sync(p->maildir, e);
}

static bool show(void *place, struct error *e)
{
    struct place *p = place;
    return maildir_show(p->maildir, e);
}

static enum landing_finished finish(void *place, const char *name, struct error *e)
{
    struct place *p = place;
    switch (maildir_finish(p->maildir, name, e)) {
    case MAILDIR_SHOWN:
        return LANDING_SHOWN;
    case MAILDIR_GONE:
        return LANDING_GONE;
    case MAILDIR_TROUBLE:
        break;
    }
    return LANDING_TROUBLE;
}

static bool finish_end(void *place, struct error *e)
{
    struct place *p = place;
    return maildir_finish_end(p->maildir, e);
}

const struct landing_way landing_in_maildir = {
    .prefix = "maildir:",
    .place_size = sizeof(struct place),
    .open = open_place,
    .close = close_place,
    .begin = begin,
    .add = add,
    .end = end,
    .drop = drop,
    .lock = lock,
    .sync = sync_window,
    .show = show,
    .finish = finish,
    .finish_end = finish_end,
};
