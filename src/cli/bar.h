/* bar.h - how far something has come, on a terminal: one line that is written over. */
#ifndef CLI_BAR_H
#define CLI_BAR_H

#include "base/text.h"

/* Zeroed it shows nothing. */
struct bar {
    bool shows;
    const char *what;       /* "fetching" */
    uint64_t total, octets; /* messages and octets to come; octets 0: not known */
    uint64_t shown_ms;      /* when it was written */
};

/* Shows only when standard error is a terminal and it is not to be quiet. */
void bar_begin(struct bar *, const char *what, bool quiet);
/* At most ten times a second. */
void bar_move(struct bar *, uint64_t done, uint64_t octets_done);
/* Takes the line away: before anything else is said. */
void bar_end(struct bar *);

#endif
