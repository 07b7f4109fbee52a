/* arena.h - memory that is freed together, with a stated maximum.
 *
 * One transaction, one arena: pieces are taken one by one and all given back by one reset.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/text.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* newest first */
    size_t used;                /* octets handed out */
    size_t max;
};

void arena_init(struct arena *, size_t max);
/* Frees everything that was taken. */
void arena_reset(struct arena *);
/* Zeroed memory for any type; NULL past the maximum or when memory is short. */
void *arena_take(struct arena *, size_t size);
/* A copy of the text that lives as long as the arena.  False: no room. */
bool arena_text(struct arena *, struct text, struct text *copy_out);

#endif
