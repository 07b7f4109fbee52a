/* progress.h - how far something has come: one line of a terminal, which is written over; elsewhere
 * nothing.  It is a bar where the end is known, and a count where it may not be. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "base/text.h"

/* Zeroed it shows nothing. */
struct progress {
    bool shows; /* standard error is a terminal */
    bool is_shown;
    uint64_t next_ms; /* monotonic: when to write it again */
    /* Of a bar: */
    const char *what;       /* "fetching" */
    uint64_t total, octets; /* messages and octets to come; octets 0: not known */
};

/* A bar: "fetching [####....] 3/8, 12K", ten times a second at most.  `total` and `octets` are the
 * caller's to set behind it. */
void progress_begin_bar(struct progress *, const char *what, bool quiet);
void progress_bar(struct progress *, uint64_t done, uint64_t octets_done);

/* A count: "123 messages, 7 there already (45%)", five times a second at most and not at once;
 * `all` 0: without the share. */
void progress_begin_count(struct progress *);
void progress_count(struct progress *, uint64_t messages, uint64_t there, uint64_t done,
                    uint64_t all);

/* Takes the line away: before anything else is said. */
void progress_end(struct progress *);

#endif
