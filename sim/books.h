/* books.h - the ledger against the whole of a store that nobody serves: one that was restored from
 * a backup, or rebuilt from a journal that was damaged.
 */
#ifndef SIM_BOOKS_H
#define SIM_BOOKS_H

#include "sim/world.h"
#include "store/maildrop.h"

struct node;

struct books_of {
    enum check check;
    const char *what;   /* for people: "the backup" */
    uint64_t counts_us; /* what was true then must be in it, unless it was deleted later */
    bool (*may_lack)(void *owner, message_id); /* what may be missing all the same; NULL: nothing */
    void *owner;
    bool may_come_back;         /* what was deleted */
    struct maildrop_entry *any; /* out, or NULL: one of its messages; its prefix is not for use */
};

/* Reads all of the store at this path, which may be that of no server. */
void books_compare(struct node *, const char *path, struct books_of);

#endif
