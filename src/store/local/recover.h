/* recover.h - all segments together: which of them count, how far, and what they replay. */
#ifndef STORE_LOCAL_RECOVER_H
#define STORE_LOCAL_RECOVER_H

#include "store/local/segment.h"

enum chain_state {
    CHAIN_GOOD,
    CHAIN_UNUSED,     /* never begun: no header, nothing but zeros behind it */
    CHAIN_UNREADABLE, /* something is in it, but its header is damaged */
};

struct scan;

struct chain_link {
    enum chain_state state;
    bool empty; /* found while replaying: good, and nothing but zeros behind the header */
    uint64_t number;
    struct segment_header header; /* good */
};

/* The segments on disk in order of number. */
struct chain {
    struct disk *disk;
    const uint8_t *uuid;
    uint64_t first, last; /* no segments but these; last 0: all */
    bool may_write;       /* recovery: make lasting what is read, give empty tails back */
    struct chain_link *links;
    size_t count;
    uint64_t highest; /* number of any segment on disk */
    uint64_t oldest;  /* segments before this one do not count; 0: all do */
};

/* Lists the segments from `from` up to `until` (NULL: all), or those of the chain's own bounds, and
 * reads their headers.  Those that do not count any more are left out, unless `from` lies in one of
 * them.  With may_write all that may be replayed is on the disk afterwards, and not only in the
 * page cache. */
bool chain_load(struct chain *, const struct journal_position *from,
                const struct journal_position *until, struct error *);
void chain_clear(struct chain *);
/* Replays what lies behind `from`, up to and not beyond `until` if that is given; *at_out is the
 * position behind the last batch.  ERROR_DAMAGED when `from` does not fit what is there. */
bool chain_replay(struct chain *, const struct journal_position *from,
                  const struct journal_position *until, const struct journal_events *,
                  struct journal_position *at_out, struct error *);
/* Sets scan->end and scan->named of link `i`, whose segment the scan reads.  False: nothing in the
 * segment counts. */
bool chain_set_end(const struct chain *, size_t i, struct scan *);
/* Removes the segments that were never begun, or those that hold no batch; none of them while a
 * backup is under way. */
bool chain_remove_unused(struct chain *, struct error *);
bool chain_remove_empty(struct chain *, struct error *);

#endif
