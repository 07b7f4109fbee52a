/* box_write.c - the child of an export: messages into a Maildir or an mbox.
 *
 * Nothing that is there is ever touched, and nothing is seen under its name before it is whole and
 * synced.  A Maildir gets its files in groups, so that they share the work of syncing, which for
 * one costs as much as for hundreds: written in tmp, synced, renamed, and the folders synced.  An
 * mbox is made under another name beside it.
 */
#include "cli/box.h"

#include "mail/maildir.h"
#include "mail/mbox.h"
#include "run/owner.h"
#include "run/shelf.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GROUP_MAX = 1000, OUT_OCTETS = 256 * 1024, OUT_MAX = 1024 * 1024 };

/* A file of a Maildir that is written but has not got its name. */
struct fresh {
    unsigned flags;
    char name[MAILDIR_PATH_MAX]; /* "tmp/BASE" */
};

struct target {
    const struct box *box;
    struct hand_in in;
    struct shelf *folder;
    struct shelf_file file; /* that is being written */
    struct buffer out;      /* what is not written yet */
    /* Maildir: */
    struct line_ends ends;
    struct fresh group[GROUP_MAX];
    size_t count; /* whole ones; behind them the open one */
    int64_t date_ms;
    /* mbox: */
    struct mbox_writer writer;
    uint64_t octets, message_at; /* written; where the message begins */

    bool is_open; /* a message is on its way */
};

static bool short_of_memory(struct error *e)
{
    return error_set(e, ERROR_TEMPORARY, "memory is short");
}

static bool flush(struct target *t, struct error *e)
{
    bool ok = shelf_file_write(&t->file, buffer_bytes(&t->out), e);
    t->octets += t->out.len;
    t->out.len = 0;
    return ok;
}

/* --- Maildir --- */

static const char *const parts[] = { "tmp", "new", "cur" };
enum { PARTS = sizeof parts / sizeof *parts };

static bool open_maildir(struct target *t, struct error *e)
{
    if (!shelf_open(t->box->path, true, &t->folder, e) || !shelf_lock(t->folder, e))
        return false;
    for (size_t i = 0; i < PARTS; i++)
        if (!shelf_make(t->folder, parts[i], e))
            return false;
    return shelf_sync(t->folder, ".", e);
}

/* One that is there under this name is the same message. */
static bool give_name(struct target *t, struct fresh *f, struct error *e)
{
    char path[MAILDIR_PATH_MAX];
    struct text base = text_skip(text_of(f->name), strlen("tmp/"));
    if (!maildir_path(base, f->flags, path))
        return error_set(e, ERROR_REFUSED, "%s: the name is too long", f->name);
    return shelf_rename(t->folder, f->name, path, e);
}

static bool end_group(struct target *t, struct error *e)
{
    if (t->count == 0)
        return true;
    bool ok = shelf_sync_all(t->folder, e);
    for (size_t i = 0; i < t->count; i++)
        ok = ok && give_name(t, &t->group[i], e);
    t->count = 0;
    return ok && shelf_sync(t->folder, "cur", e) && shelf_sync(t->folder, "new", e);
}

static bool open_in_maildir(struct target *t, const struct parcel *p, struct error *e)
{
    struct fresh *f = &t->group[t->count];
    f->flags = p->flags;
    t->date_ms = p->date_ms;
    t->ends = (struct line_ends){ 0 };
    if ((size_t)snprintf(f->name, sizeof f->name, "tmp/%.*s", TEXT_ARGS(p->words)) >=
        sizeof f->name)
        return error_set(e, ERROR_REFUSED, "a name is too long");
    return t->is_open = shelf_file_make(t->folder, f->name, &t->file, e);
}

static bool keep_in_maildir(struct target *t, struct error *e)
{
    if (!line_ends_to_lf_end(&t->ends, &t->out))
        return short_of_memory(e);
    if (!flush(t, e))
        return false;
    shelf_file_date(&t->file, t->date_ms);
    shelf_file_close(&t->file);
    t->is_open = false;
    return ++t->count < GROUP_MAX || end_group(t, e);
}

/* --- mbox --- */

/* The folder that the path is in, and its last part. */
static bool split(const struct target *t, char folder[PATH_MAX], char name[PATH_MAX],
                  struct error *e)
{
    char first[PATH_MAX], second[PATH_MAX]; /* which the C library's functions change */
    size_t len = strlen(t->box->path);
    if (len >= PATH_MAX)
        return error_set(e, ERROR_REFUSED, "%.100s...: the path is too long", t->box->path);
    memcpy(first, t->box->path, len + 1);
    memcpy(second, t->box->path, len + 1);
    snprintf(folder, PATH_MAX, "%s", dirname(first));
    snprintf(name, PATH_MAX, "%s", basename(second));
    return true;
}

/* ".NAME.godwit", under which the box is made. */
static bool hidden_name(const char *name, char out[NAME_MAX + 1], struct error *e)
{
    return (size_t)snprintf(out, NAME_MAX + 1, ".%s.godwit", name) <= NAME_MAX ||
           error_set(e, ERROR_REFUSED, "%.100s...: the name is too long", name);
}

static bool receive(struct target *, struct error *);

static bool write_mbox_file(struct target *t, struct error *e)
{
    char folder[PATH_MAX], name[PATH_MAX], hidden[NAME_MAX + 1];
    if (!split(t, folder, name, e) || !hidden_name(name, hidden, e))
        return false;
    if (shelf_look(t->box->path) != SHELF_NOTHING)
        return error_set(e, ERROR_REFUSED,
                         "%s is there already: name a file that is not, or remove it",
                         t->box->path);
    if (!shelf_open(folder, false, &t->folder, e) ||
        !shelf_file_make(t->folder, hidden, &t->file, e))
        return false;
    bool ok = receive(t, e) && flush(t, e) && shelf_file_sync(&t->file, e) &&
              shelf_rename_new(t->folder, hidden, name, e) && shelf_sync(t->folder, ".", e);
    if (!ok)
        shelf_remove(t->folder, hidden);
    shelf_file_close(&t->file);
    return ok;
}

static bool open_in_mbox(struct target *t, const struct parcel *p, struct error *e)
{
    if (!flush(t, e))
        return false;
    t->message_at = t->octets;
    t->is_open = true;
    return mbox_write_begin(&t->writer, p->words, p->date_ms, p->flags, &t->out) ||
           short_of_memory(e);
}

static bool keep_in_mbox(struct target *t, struct error *e)
{
    t->is_open = false;
    return mbox_write_end(&t->writer, &t->out) || short_of_memory(e);
}

/* --- Both --- */

static bool add_data(struct target *t, struct bytes data, struct error *e)
{
    bool ok = t->box->is_maildir ? line_ends_to_lf(&t->ends, data, &t->out)
                                 : mbox_write(&t->writer, data, &t->out);
    if (!ok)
        return short_of_memory(e);
    return t->out.len < OUT_OCTETS || flush(t, e);
}

/* What came of the message is thrown away. */
static bool drop(struct target *t, struct error *e)
{
    bool was_open = t->is_open;
    t->is_open = false;
    t->out.len = 0;
    if (!was_open)
        return true;
    if (t->box->is_maildir) {
        shelf_remove(t->folder, t->group[t->count].name);
        shelf_file_close(&t->file);
        return true;
    }
    if (t->box->is_stream && t->octets > t->message_at)
        return error_set(e, ERROR_TEMPORARY,
                         "a message that is half written cannot be taken back on standard output");
    t->octets = t->message_at;
    return t->box->is_stream || shelf_file_cut(&t->file, t->octets, e);
}

static bool take(struct target *t, const struct parcel *p, struct error *e)
{
    bool maildir = t->box->is_maildir;
    switch (p->kind) {
    case PARCEL_OPEN:
        return maildir ? open_in_maildir(t, p, e) : open_in_mbox(t, p, e);
    case PARCEL_DATA:
        return !t->is_open || add_data(t, p->data, e);
    case PARCEL_KEEP:
        return !t->is_open || (maildir ? keep_in_maildir(t, e) : keep_in_mbox(t, e));
    case PARCEL_DROP:
        return drop(t, e);
    default:
        return error_set(e, ERROR_TEMPORARY, "what came to be written makes no sense");
    }
}

/* False, without an error, when the other side has gone before its end. */
static bool receive(struct target *t, struct error *e)
{
    struct parcel p;
    for (;;) {
        enum parcel_kind kind = hand_receive(&t->in, &p);
        if (kind == PARCEL_END)
            return true;
        if (kind == PARCEL_NEED_INPUT) {
            *e = (struct error){ 0 };
            return false;
        }
        if (!take(t, &p, e))
            return false;
    }
}

static bool write_maildir(struct target *t, struct error *e)
{
    struct error after, ignored;
    bool ok = open_maildir(t, e);
    if (!ok)
        return false;
    ok = receive(t, e);
    if (!ok)
        drop(t, &ignored);
    /* What is whole is kept in any case. */
    if (!end_group(t, &after) && ok)
        *e = after;
    else if (ok)
        return true;
    return false;
}

static bool write_stream(struct target *t, struct error *e)
{
    t->file = shelf_file_stdout();
    return receive(t, e) && flush(t, e);
}

static bool write_box(struct target *t, struct error *e)
{
    const struct box *b = t->box;
    if (b->is_stream)
        return write_stream(t, e);
    return owner_become_of(b->path, e) &&
           (b->is_maildir ? write_maildir(t, e) : write_mbox_file(t, e));
}

enum cli_exit box_write(void *owner, int socket)
{
    struct error e = { 0 };
    struct target *t = calloc(1, sizeof *t);
    if (!t)
        return cli_say(CLI_AGAIN, "memory is short");
    t->box = owner;
    hand_in_init(&t->in, socket);
    mbox_writer_init(&t->writer);
    buffer_init(&t->out, OUT_MAX);
    bool ok = write_box(t, &e);
    shelf_close(&t->folder);
    mbox_writer_clear(&t->writer);
    buffer_clear(&t->out);
    hand_in_clear(&t->in);
    free(t);
    if (ok || e.kind == ERROR_NONE)
        return ok ? CLI_DONE : CLI_AGAIN;
    return cli_fail(&e);
}
