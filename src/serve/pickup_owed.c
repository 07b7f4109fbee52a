/* pickup_owed.c - postings that were handed over while their folder could not be changed: a full
 * disk, one that has become read-only.  Known by name and file until the folder is in order, in
 * memory alone. */
#include "serve/pickup_inner.h"

#include <string.h>

static bool is_it(const struct pickup_owed *o, const char *name, const struct dropbox_file *facts)
{
    return strcmp(o->name, name) == 0 && o->facts.inode == facts->inode &&
           o->facts.octets == facts->octets && o->facts.changed_ms == facts->changed_ms;
}

void pickup_owed_clear(struct pickup_owed *o)
{
    arena_reset(&o->arena);
    *o = (struct pickup_owed){ 0 };
}

void pickup_forget(struct pickup_owed *list, struct dropbox *box)
{
    for (size_t i = 0; i < PICKUP_OWED_MAX; i++) {
        struct dropbox_file facts;
        if (list[i].name[0] && (!box || dropbox_look(box, list[i].name, &facts) == DROPBOX_GONE ||
                                !is_it(&list[i], list[i].name, &facts)))
            pickup_owed_clear(&list[i]);
    }
}

struct pickup_owed *pickup_owed_of(struct pickup_owed *list, const char *name,
                                   const struct dropbox_file *facts, size_t to_count)
{
    for (size_t i = 0; i < PICKUP_OWED_MAX; i++)
        if (is_it(&list[i], name, facts) && list[i].to_count == to_count)
            return &list[i];
    return NULL;
}

struct pickup_owed *pickup_owed_new(struct pickup_owed *list)
{
    for (size_t i = 0; i < PICKUP_OWED_MAX; i++)
        if (!list[i].name[0])
            return &list[i];
    return NULL;
}
