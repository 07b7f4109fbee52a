/* compact.h - compaction: the space that dead mail takes in the journal is given back (store rules
 * 11, 18).
 *
 * The journal has an old end, and that moves: what the oldest segments hold and is still true is
 * written once more, at the young end; then a segment header says that they do not count; then,
 * once the index that knows the new places is on the disk itself, they are removed.  Whatever the
 * crash leaves, either the old units count or the new ones do, and a replay of both gives the same.
 *
 *   state     who works       what                                        then
 *   RESTS     commit lane     looks whether it is time                    READS
 *   READS     upkeep          weighs; reads a batch of the oldest         WRITES, TURNS, RESTS;
 *                             segment                                     SETTLES when segments of
 *                                                                         an earlier round are
 *                                                                         left
 *   WRITES    commit lane     what is true goes into batches              READS
 *   TURNS     commit lane     begins a segment whose header says so       SETTLES
 *   SETTLES   commit lane     a checkpoint of the index is completed      REMOVES
 *   REMOVES   upkeep          unlinks                                     FORGETS
 *   FORGETS   commit lane     drops tombstones that bury nothing          RESTS
 *
 * Since it begins at the old end, a tombstone in a segment that goes can only bury what goes with
 * it, or what went before: only messages and the counters of mailboxes are ever written again.
 */
#ifndef STORE_LOCAL_COMPACT_H
#define STORE_LOCAL_COMPACT_H

#include "run/lane.h"
#include "store/local/index.h"
#include "store/store.h"

struct store;
struct commit_line;

/* One round: some segments, from the oldest on. */
struct compaction_round {
    struct journal_walk *walk; /* the segment that is being read; NULL: none */
    uint64_t number;           /* of that, or of the next one */
    uint64_t end;              /* the first that is left alone */
    uint64_t wanted;           /* octets that are to be won */
    uint64_t read;             /* octets of segments */
    uint64_t won;              /* of these, without what was written again */
    unsigned segments;
    bool damaged; /* not all of the segment that is being read could be read */
};

struct compaction {
    /* With the commit line's mutex. */
    enum compaction_state state; /* store/store.h */
    size_t waiting;              /* rewrites on their way */
    bool failed;                 /* one of them was not stored */
    struct error error;

    /* Whoever works. */
    uint64_t look_ms; /* when to look again */
    struct compaction_round round;
    mailbox_id *mailboxes; /* that the segment being read speaks of */
    size_t mailbox_count, mailbox_room;
    struct journal_events events;
    struct list found; /* rewrites */
    size_t found_count, found_octets;
    bool fruitful;   /* the last round has won something */
    bool leftover;   /* segments of an earlier one could not be removed */
    uint64_t oldest; /* the first segment that will count */
    struct index_forgetting forgetting;
    struct job job;
};

void compaction_init(struct compaction *, struct store *);
/* After all lanes have ended. */
void compaction_clear(struct commit_line *);
/* The commit lane's part.  True: there is more of it at once. */
bool compaction_tend(struct commit_line *, uint64_t now_ms);
/* Whether a checkpoint is waited for; and that one has completed. */
bool compaction_wants_checkpoint(struct commit_line *);
void compaction_checkpointed(struct commit_line *);

#endif
