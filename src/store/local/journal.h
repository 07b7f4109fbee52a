/* journal.h - the append-only truth: segments, batches, units (store rules 6 to 11, 14, 22).
 *
 * The journal knows octets, checksums and order, not what the changes mean; docs/store-format.md
 * says how they lie on the disk.  Writing is for one thread, the commit lane; preparing for one
 * lane beside it; reading, replaying and asking for the position for any thread.
 */
#ifndef STORE_LOCAL_JOURNAL_H
#define STORE_LOCAL_JOURNAL_H

#include "run/disk.h"
#include "store/ids.h"

struct journal;

enum {
    JOURNAL_ALIGN = 4096,
    JOURNAL_BLOCK = 64 * 1024, /* content is checksummed in blocks of this size */
    JOURNAL_BATCH_UNITS_MAX = 256,
    JOURNAL_BATCH_OCTETS_MAX = 4 * 1024 * 1024,
    JOURNAL_LARGE_OCTETS = 1024 * 1024, /* content beyond this lies in journal/large/ID */
};
/* The longest content: its block checksums must fit into a batch. */
#define JOURNAL_LARGE_OCTETS_MAX ((uint64_t)16 << 30)

/* Behind the last good batch: where replay begins.  Stored in the index with what it covers.  It
 * stays in the segment of that batch when a new segment is begun; all zero: before the first. */
struct journal_position {
    uint64_t segment;  /* number of the segment file */
    uint64_t offset;   /* in it: behind that batch */
    uint64_t sequence; /* of the last batch */
    uint64_t checksum; /* of the last batch */
};

/* Where a unit lies. */
struct unit_place {
    uint64_t segment;
    uint64_t offset;     /* of the unit's header */
    uint32_t octets;     /* header, changes, block checksums and, unless large, content */
    uint32_t content_at; /* from `offset` to the first octet of content; large: 0 */
};

/* Whether both are places of one unit. */
static inline bool unit_place_same(const struct unit_place *a, const struct unit_place *b)
{
    return a->segment == b->segment && a->offset == b->offset;
}

/* ... and say the same of it. */
static inline bool unit_place_equal(const struct unit_place *a, const struct unit_place *b)
{
    return unit_place_same(a, b) && a->octets == b->octets && a->content_at == b->content_at;
}

/* A unit to write, or as read.  Content is given in slices, and lies behind the changes. */
struct unit {
    message_id message;   /* 0: no content */
    struct bytes changes; /* change_encode()d, at least one */
    const struct iovec *content;
    int content_count;
    uint64_t content_octets;
    bool large; /* content lies in journal/large/ID; the unit holds its checksums */
    const uint64_t *large_checksums; /* one for each JOURNAL_BLOCK, from large_finish() */
    struct unit_place place;         /* out */
};

struct journal_events {
    /* Replay: one unit that verified, in commit order, with the position behind its batch.  False:
     * stop (the error is set by the callee). */
    bool (*replay)(void *owner, const struct unit *, const struct journal_position *,
                   struct error *);
    /* A sentence for people: a torn tail was found, units were lost (which), ... */
    void (*notice)(void *owner, bool is_trouble, const char *words);
    void *owner;
    /* Right after the notice of it: a unit whose content is lost, while what it says can still be
     * read; its content is left out.  May be NULL. */
    void (*lost)(void *owner, const struct unit *);
};

/* Of files that hold more than belongs to it, the part that does: a backup's, into which a later
 * one has already begun to write. */
struct journal_extent {
    uint64_t first, last;        /* segments; last 0: all of them */
    struct journal_position end; /* behind the last batch; of a later segment only the header */
};

static inline bool journal_extent_has(const struct journal_extent *x, uint64_t segment)
{
    return x->last == 0 || (segment >= x->first && segment <= x->last);
}

struct journal_options {
    struct disk *disk;         /* DATA; folders journal/ and journal/large/ are made here */
    const uint8_t *store_uuid; /* 16 octets */
    uint64_t segment_octets;   /* the largest size; 0: 64 MB.  After each start they grow from
                                  8 MB up to it, so that a small store stays small. */
    const struct journal_extent *extent; /* for reading only; NULL: everything */
};

/* Recovery (store rule 7): lists the segments, syncs those from `from` on, replays what lies behind
 * `from` (a zeroed position: everything), tells torn tails and damage, then makes a new segment
 * whose header names the last good batch, synced with its directory.  The empty tail of older
 * segments (zeros behind the last good batch) is given back to the file system.
 * ERROR_DAMAGED: `from` does not fit the journal, ask again with a zeroed one; ERROR_REFUSED: there
 * are segments of another store or of a newer format; else ERROR_TEMPORARY or what replay said. */
bool journal_open(const struct journal_options *, const struct journal_position *from,
                  const struct journal_events *, struct journal **out, struct error *);
/* Which store the journal in this DATA belongs to, from the newest segment that can say it.
 * *found_out is false, and true returned, when there is none. */
bool journal_find_uuid(struct disk *, uint8_t *uuid_out, bool *found_out, struct error *);
/* Reading only: no lock, no new segment, nothing is changed.  journal_append is not allowed. */
bool journal_open_read(const struct journal_options *, struct journal **out, struct error *);
/* Replays everything from `from` without changing anything; also for a journal being written, then
 * up to its position.  Errors as journal_open(). */
bool journal_replay(struct journal *, const struct journal_position *from,
                    const struct journal_events *, struct error *);
void journal_close(struct journal **);

/* Writes one batch of units: one vectored write.  It counts only after journal_sync().  After a
 * failure of either the segment must not be used again: journal_abandon(). */
bool journal_append(struct journal *, struct unit *units, size_t count, struct error *);
bool journal_sync(struct journal *, struct error *);
/* The position behind the last batch that was synced. */
struct journal_position journal_position(const struct journal *);
/* Octets that one batch of these units will take on disk, padding included. */
uint64_t journal_batch_octets(const struct unit *units, size_t count);
/* Whether a batch of this size needs the next segment; then journal_turn() switches to the prepared
 * one.  It fails with ERROR_TEMPORARY when none is ready, and when that one cannot be written to:
 * then the current segment is full for any batch, until another turn or journal_abandon() works.
 * A batch that is larger than a whole segment extends an empty one. */
bool journal_is_full(const struct journal *, uint64_t batch_octets);
bool journal_turn(struct journal *, struct error *);
/* Store rule 14: gives the segment up after a failed or short write or sync and begins a new one
 * whose header ends the old one at the last good batch; synced when it returns true.  Blocks: it
 * takes the prepared segment, waits for one that is being prepared, or makes one itself. */
bool journal_abandon(struct journal *, struct error *);
/* Whether that has to be done before the next batch. */
bool journal_must_be_abandoned(const struct journal *);
/* For a lane of its own: zero-writes, syncs and names the next segment unless one is ready.  On a
 * full disk it may be a small one. */
bool journal_prepare(struct journal *, struct error *);
/* For the writing thread: none is ready or being made, and a quarter of the current one is used. */
bool journal_wants_preparation(const struct journal *);

/* --- The old end: what compaction gives up (store rules 11, 18) --- */

/* Segments on the disk, but for the one that is written to and the one behind it. */
struct journal_weight {
    uint64_t oldest;  /* number of the first that counts; 0: there is none */
    uint64_t current; /* number of the one that is written to */
    uint64_t octets;  /* of those that count, large messages left out */
    uint64_t retired; /* how many do not count, and are still there */
};
/* For any lane; blocks. */
bool journal_weigh(struct journal *, struct journal_weight *out, struct error *);

/* One segment, read once more from its beginning, batch by batch; for any lane. */
struct journal_walk;
/* `number` is behind nobody's pen any more.  The events live as long as the walk. */
bool journal_walk_open(struct journal *, uint64_t number, const struct journal_events *,
                       struct journal_walk **out, struct error *);
/* The next batch's units; *over_out: there was none. */
bool journal_walk_step(struct journal_walk *, bool *over_out, struct error *);
/* Behind the last batch that is there, all of it; for a journal opened for reading. */
bool journal_find_end(struct journal *, struct journal_position *out, struct error *);
/* The first segment on the disk from this number on; 0: there is none. */
bool journal_next_segment(struct journal *, uint64_t from, uint64_t *number_out, struct error *);
/* Octets of the segment's file. */
uint64_t journal_walk_octets(const struct journal_walk *);
void journal_walk_close(struct journal_walk **);

/* For the writing thread: segments before `oldest` hold nothing that is not written elsewhere, or
 * dead.  This counts once the next segment has begun, whose header says so. */
void journal_retire(struct journal *, uint64_t oldest);
/* Begins the next segment before this one is full, if one is prepared. */
bool journal_turn_early(struct journal *, struct error *);
/* Any thread: the smallest number that counts as far as headers on the disk say; 0: all do. */
uint64_t journal_oldest(const struct journal *);
/* Removes those that do not count, oldest first, so that what is there never has a gap.  Only once
 * an index that neither refers to them nor stands in one is on the disk itself.  For a lane. */
bool journal_remove_retired(struct journal *, uint64_t *removed_out, struct error *);
/* Gives the zeros at the end of the segment that journal_turn_early() left last back to the file
 * system; a crash may bring them back.  For a lane; not while a backup reads. */
bool journal_trim_left(struct journal *, struct error *);

/* --- Reading, any thread --- */

/* A unit opened for reading: its segment is pinned (not unlinked) until closed. */
struct unit_reader;
/* Reads and verifies header and block checksums.  `now`: only if all of it is in memory, without
 * blocking; then *would_block_out tells whether that was why it failed (large messages are always
 * opened by a call that may block).  `place` is as journal_append() or replay gave it; the unit
 * must hold this message.  ERROR_DAMAGED: it is not there, or does not verify; ERROR_TEMPORARY:
 * memory or descriptors are short, or the disk failed. */
bool unit_open(struct journal *, message_id, const struct unit_place *, bool now,
               bool *would_block_out, struct unit_reader **out, struct error *);
void unit_close(struct unit_reader **);
/* Verified content from `offset` on: from the block that it lies in, at least one octet unless
 * `offset` is the end.  Valid until the next call on the reader.  A call that may block also brings
 * the blocks behind into memory, up to 256 KB.  Errors as unit_open(). */
bool unit_read(struct unit_reader *, uint64_t offset, bool now, bool *would_block_out,
               struct bytes *out, struct error *);
uint64_t unit_content_octets(const struct unit_reader *);

/* --- Large content while it arrives, one thread at a time --- */
struct large;
/* Makes journal/large/ID. */
bool large_open(struct journal *, message_id, struct large **out, struct error *);
/* Appends; begins writeback every 4 MB. */
bool large_write(struct large *, struct bytes, struct error *);
/* Reads back what was written, unverified: up to `len` octets, less only at the end. */
bool large_read(struct large *, uint64_t offset, void *to, size_t len, size_t *read_out,
                struct error *);
/* fdatasync, then fsync of the directory.  Afterwards the checksums go into a unit. */
bool large_finish(struct large *, const uint64_t **checksums_out, uint64_t *octets_out,
                  struct error *);
/* Closes; with `keep` false removes the file. */
void large_close(struct large **, bool keep);
/* Removes the file of a message that no unit and no durable index refers to any more (store rule
 * 11).
 */
bool large_remove(struct journal *, message_id, struct error *);
/* After recovery: removes every file in journal/large that `is_referred` does not know. */
bool large_sweep(struct journal *, bool (*is_referred)(void *owner, message_id), void *owner,
                 struct error *);

#endif
