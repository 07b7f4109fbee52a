/* box_write.c - the child of an export: messages into a Maildir or an mbox.
 *
 * Nothing that is there is ever touched, and nothing is seen under its name before it is whole and
 * synced.  In a Maildir that is folder/landing.h's business; an mbox is made under another name
 * beside it.
 */
#include "cli/box.h"

#include "folder/landing.h"
#include "run/owner.h"
#include "run/shelf.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

struct target {
    const struct box *box;
    struct hand_in in;
    struct landing *landing;
    bool is_open; /* a message is on its way */
};

/* --- Messages --- */

/* The window so far is where it belongs. */
static bool show(struct target *t, struct error *e)
{
    return landing_sync(t->landing, e) && landing_show(t->landing, e) &&
           landing_done(t->landing, e);
}

/* In a Maildir one that is there under this name is the same message. */
static bool begin(struct target *t, const struct parcel *p, struct error *e)
{
    const struct landing_facts facts = {
        .base = p->words, .sender = p->words, .received_ms = p->date_ms, .flags = p->flags
    };
    return t->is_open = landing_begin(t->landing, &facts, e);
}

static bool keep(struct target *t, struct error *e)
{
    char name[LANDING_NAME_MAX];
    t->is_open = false;
    return landing_end(t->landing, name, e) && (!landing_is_full(t->landing) || show(t, e));
}

static bool drop(struct target *t)
{
    t->is_open = false;
    landing_drop(t->landing);
    return true;
}

static bool take(struct target *t, const struct parcel *p, struct error *e)
{
    switch (p->kind) {
    case PARCEL_OPEN:
        return begin(t, p, e);
    case PARCEL_DATA:
        return !t->is_open || landing_add(t->landing, p->data, e);
    case PARCEL_KEEP:
        return !t->is_open || keep(t, e);
    case PARCEL_DROP:
        return drop(t);
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

/* --- A new mbox --- */

/* The folder that the path is in, and its last part. */
static bool split(const char *path, char folder[PATH_MAX], char name[PATH_MAX], struct error *e)
{
    char first[PATH_MAX], second[PATH_MAX]; /* which the C library's functions change */
    size_t len = strlen(path);
    if (len >= PATH_MAX)
        return error_set(e, ERROR_REFUSED, "%.100s...: the path is too long", path);
    memcpy(first, path, len + 1);
    memcpy(second, path, len + 1);
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

static bool fill_mbox(struct target *t, struct shelf_file *file, struct error *e)
{
    return landing_open_file(file->descriptor, t->box->path, &t->landing, e) && receive(t, e) &&
           show(t, e);
}

static bool make_mbox(struct target *t, struct shelf *folder, const char *name, struct error *e)
{
    char hidden[NAME_MAX + 1];
    struct shelf_file file;
    if (!hidden_name(name, hidden, e) || !shelf_file_make(folder, hidden, &file, e))
        return false;
    bool ok = fill_mbox(t, &file, e) && shelf_rename_new(folder, hidden, name, e) &&
              shelf_sync(folder, ".", e);
    if (!ok)
        shelf_remove(folder, hidden);
    shelf_file_close(&file);
    return ok;
}

static bool write_mbox(struct target *t, struct error *e)
{
    char path[PATH_MAX], name[PATH_MAX];
    struct shelf *folder;
    if (!split(t->box->path, path, name, e))
        return false;
    if (shelf_look(t->box->path) != SHELF_NOTHING)
        return error_set(e, ERROR_REFUSED,
                         "%s is there already: name a file that is not, or remove it",
                         t->box->path);
    bool ok = shelf_open(path, &folder, e) && make_mbox(t, folder, name, e);
    shelf_close(&folder);
    return ok;
}

/* --- All kinds --- */

/* What is whole is kept in any case. */
static bool write_maildir(struct target *t, struct error *e)
{
    struct error after;
    if (!landing_open_at(LANDING_MAILDIR, t->box->path, &t->landing, e) ||
        !landing_lock(t->landing, e))
        return false;
    bool ok = receive(t, e);
    if (!ok)
        drop(t);
    if (show(t, &after))
        return ok;
    if (ok)
        *e = after;
    return false;
}

static bool write_stream(struct target *t, struct error *e)
{
    return landing_open_at(LANDING_STREAM, "", &t->landing, e) && receive(t, e) && show(t, e);
}

static bool write_box(struct target *t, struct error *e)
{
    const struct box *b = t->box;
    if (b->is_stream)
        return write_stream(t, e);
    return owner_become_of(b->path, e) && (b->is_maildir ? write_maildir(t, e) : write_mbox(t, e));
}

enum cli_exit box_write(void *owner, int socket)
{
    struct error e = { 0 };
    struct target t = { .box = owner };
    hand_in_init(&t.in, socket);
    bool ok = write_box(&t, &e);
    landing_close(&t.landing);
    hand_in_clear(&t.in);
    if (ok || e.kind == ERROR_NONE)
        return ok ? CLI_DONE : CLI_AGAIN;
    return cli_fail(&e);
}
