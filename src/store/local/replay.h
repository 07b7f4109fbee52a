/* replay.h - the journal into an index, in large transactions. */
#ifndef STORE_LOCAL_REPLAY_H
#define STORE_LOCAL_REPLAY_H

#include "store/local/index.h"

struct replay {
    struct index *index;
    /* What recovery has to say; NULL: nobody listens. */
    void (*notice)(void *owner, bool is_trouble, const char *words);
    void *owner;
    const struct journal_position *until; /* units behind this batch are left out; NULL: none */
    struct disk *disk; /* DATA, where damage is noted before its place is passed; NULL: nowhere */

    struct journal_position at; /* out: behind the last batch that was applied */
    uint64_t units;             /* out: applied */
    uint64_t troubles;          /* out: notices of damage */
    uint64_t waiting;           /* private: of them not kept yet */
    bool is_open;               /* private: a transaction is */
};

/* What the journal is to be opened or replayed with. */
struct journal_events replay_events(struct replay *);
/* Keeps what was applied (`ok`), or undoes what was not kept yet.  Returns whether all is kept. */
bool replay_end(struct replay *, bool ok, struct error *);
/* Tells the index which segments count, once it holds them all. */
bool replay_oldest(struct index *, const struct journal *, const struct journal_position *,
                   struct error *);
/* Tells which messages the index of before names (DATA/index.db, if it can be read at all) that
 * this one, made anew from the journal, does not; *lost_out: mail was lost since, or before. */
bool replay_find_loss(const struct replay *, const char *data_path, bool *lost_out, struct error *);
/* Both, for a journal that is open: from the index's position to its end. */
bool replay_rest(struct replay *, struct journal *, struct error *);

#endif
