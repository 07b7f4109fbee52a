/* box.c - which mail files are meant. */
#include "cli/box.h"

#include "mail/maildir.h"
#include "run/shelf.h"

#include <string.h>

static bool guess(struct box *b, bool must_exist, struct error *e)
{
    switch (shelf_look(b->path)) {
    case SHELF_MAILDIR:
        b->is_maildir = true;
        return true;
    case SHELF_FILE:
        return true;
    case SHELF_PLAIN:
        return error_set(e, must_exist ? ERROR_REFUSED : ERROR_USAGE,
                         "%s is a folder, but no Maildir: it has no cur, new and tmp%s", b->path,
                         must_exist ? "" : "; write maildir: in front to make it one");
    case SHELF_NOTHING:
        break;
    }
    return error_set(e, must_exist ? ERROR_REFUSED : ERROR_USAGE,
                     must_exist ? "%s: there is nothing of this name, or it cannot be seen"
                                : "%s is not there yet: write maildir: or mbox: in front of it",
                     b->path);
}

bool box_parse(const char *word, bool must_exist, struct box *out, struct error *e)
{
    static const struct text maildir = TEXT("maildir:"), mbox = TEXT("mbox:");
    *out = (struct box){ .path = word };
    bool named = true;
    if (text_starts(text_of(word), maildir)) {
        out->is_maildir = true;
        out->path = word + maildir.len;
    } else if (text_starts(text_of(word), mbox)) {
        out->path = word + mbox.len;
    } else {
        named = false;
    }
    if (!out->path[0])
        return error_set(e, ERROR_USAGE, "%s wants a path behind it", word);
    out->is_stream = !out->is_maildir && strcmp(out->path, "-") == 0;
    return named || out->is_stream || guess(out, must_exist, e);
}

/* --- Names --- */

struct names {
    void (*found)(void *owner, struct text base);
    void *owner;
};

static void found_name(void *owner, const char *name)
{
    const struct names *n = owner;
    n->found(n->owner, maildir_base(text_of(name)));
}

bool box_each_name(const struct box *b, void (*found)(void *owner, struct text base), void *owner,
                   struct error *e)
{
    struct shelf *folder;
    struct names names = { found, owner };
    if (shelf_look(b->path) != SHELF_MAILDIR)
        return true;
    bool ok = shelf_open(b->path, &folder, e) && shelf_list(folder, "cur", found_name, &names, e) &&
              shelf_list(folder, "new", found_name, &names, e);
    shelf_close(&folder);
    return ok;
}
