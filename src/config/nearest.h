/* nearest.h - the valid name that is closest to a wrong one, by edit distance.  Pure. */
#ifndef CONFIG_NEAREST_H
#define CONFIG_NEAREST_H

#include "base/text.h"

struct nearest {
    struct text word;
    const char *name; /* the best so far; NULL: none was offered */
    size_t distance;
};

static inline struct nearest nearest_to(struct text word)
{
    return (struct nearest){ .word = word };
}
/* Of equally near names the first stays.  Only the first 32 octets of each count. */
void nearest_offer(struct nearest *, const char *name);

#endif
