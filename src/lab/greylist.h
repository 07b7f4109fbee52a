/* greylist.h - who has waited long enough: sender and recipient, remembered from the first try.
 *
 * Pure: time is an argument.  It holds a stated number of pairs and forgets the oldest.
 */
#ifndef LAB_GREYLIST_H
#define LAB_GREYLIST_H

#include "base/text.h"

enum { GREYLIST_PAIRS_MAX = 1024 };

struct greylist {
    uint64_t key; /* of the hash: whoever makes the list draws it */
    struct {
        uint64_t pair;     /* 0: none */
        uint64_t first_ms; /* when it was first seen */
    } pairs[GREYLIST_PAIRS_MAX];
    size_t next; /* to be forgotten */
};

/* Whether the pair was first seen `delay_ms` ago or longer; else it is remembered. */
bool greylist_passes(struct greylist *, struct text sender, struct text recipient, uint64_t now_ms,
                     uint64_t delay_ms);

#endif
