/* names.h - a table of things that have a name, found by it; what it holds belongs to others. */
#ifndef QUEUE_NAMES_H
#define QUEUE_NAMES_H

#include "base/text.h"

/* In what has the name; the text must live as long as it is in the table. */
struct name_node {
    struct name_node *next;
    uint64_t hash;
    struct text name;
};

struct names {
    struct name_node **buckets; /* a power of two */
    size_t bucket_count, count;
    uint64_t key; /* peers choose names */
};

/* False: memory is short. */
bool names_init(struct names *, uint64_t key);
/* The things that are still in it stay as they are. */
void names_clear(struct names *);
/* NULL: none.  Case does not count. */
struct name_node *names_find(const struct names *, struct text name);
/* `node->name` is set, and nothing of this name is there. */
void names_add(struct names *, struct name_node *);
void names_remove(struct names *, struct name_node *);
/* Any of them; NULL when empty. */
struct name_node *names_any(const struct names *);

#endif
