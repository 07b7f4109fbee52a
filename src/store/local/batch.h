/* batch.h - commits on their way to the disk together: what goes in, and what their units say.
 *
 * Everything that a commit leaves open is assigned here, once and for good, before anything is
 * written (store rule 4): uids, versions, uidvalidities.  For the commit lane.
 */
#ifndef STORE_LOCAL_BATCH_H
#define STORE_LOCAL_BATCH_H

#include "store/local/index.h"
#include "store/local/locks.h"
#include "store/store.h"

enum {
    BATCH_PARTS_MAX = 1024,  /* slices of memory in one write: IOV_MAX */
    BATCH_CHANGES_MAX = 500, /* of bulk, so that new mail never waits long (store rule 15) */
    BATCH_RESULTS_MAX = STORE_PLACEMENTS_MAX, /* rows of the queue that were there before */
    BATCH_RESULT_SLOTS = 2 * 2048,            /* over that, a power of two */
};

/* A result that is in the batch: the index does not know of it yet, and a second one for the same
 * row would be stale. */
struct batch_result {
    uint64_t batch; /* its number; an older one: the slot is free */
    message_id message;
    uint32_t number;
    uint32_t unit;       /* of the batch, from 0 */
    uint32_t generation; /* that the row gets */
    bool held;           /* as it was */
};

struct batch {
    uint64_t number; /* 1, 2, ... since the start */
    size_t count;
    struct commit *commits[JOURNAL_BATCH_UNITS_MAX];
    struct unit units[JOURNAL_BATCH_UNITS_MAX];
    size_t changes_at[JOURNAL_BATCH_UNITS_MAX]; /* where its changes begin in `changes` */
    struct buffer changes;
    struct iovec parts[BATCH_PARTS_MAX];
    size_t part_count, parts_wanted;
    uint64_t octets; /* at the most */
    size_t bulk_changes;
    size_t result_count;
    struct batch_result results[BATCH_RESULT_SLOTS]; /* found by hashing */
    struct list aside; /* commits that have their verdicts already: refused, or nothing to write */
};

void batch_init(struct batch *);
void batch_clear(struct batch *);
/* Empties it for the next commits. */
void batch_begin(struct batch *);

enum batch_answer {
    BATCH_TAKEN,
    BATCH_FULL,    /* not in this batch; nothing happened */
    BATCH_REFUSED, /* in `aside` now, with its error */
    BATCH_DAMAGED, /* the same, and the index must be made anew */
    BATCH_EMPTY,   /* in `aside` now, stored: nothing of it was left to write */
};
enum batch_answer batch_take(struct batch *, struct index *, struct lock_table *, struct commit *);
void batch_refuse(struct batch *, struct commit *, const struct error *);
/* After the last was taken: the units are ready to be written. */
void batch_seal(struct batch *);

#endif
