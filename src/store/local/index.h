/* index.h - index.db: what the journal says, arranged for finding (store rules 17, 18).
 *
 * The index is a derivative: every row comes from the changes of journal units, and replaying the
 * journal into an empty index gives the same rows.  Changes are absolute states with a version, so
 * applying a unit twice, or units in another order, ends in the same state.
 *
 * One handle is for one thread at a time.  The writer belongs to the commit lane; whoever reads has
 * a handle of its own.  ERROR_DAMAGED from any function here means: make the index anew from the
 * journal.
 */
#ifndef STORE_LOCAL_INDEX_H
#define STORE_LOCAL_INDEX_H

#include "base/buffer.h"
#include "store/local/change.h"
#include "store/local/journal.h"

struct index;

enum index_kind {
    INDEX_WRITER,  /* DATA/index.db, which must exist */
    INDEX_READER,  /* the same, for reading only, beside a writer in any process */
    INDEX_UPKEEP,  /* the same, for checkpoints only, beside the writer */
    INDEX_FRESH,   /* DATA/index.new, which must not exist: to become index.db once it is closed */
    INDEX_SCRATCH, /* nowhere for long: a temporary one that is gone when closed */
};

enum { INDEX_UUID = 16, INDEX_PATH_MAX = 4096 };

/* `store_uuid` (16 octets): ERROR_DAMAGED when the file has another one.  NULL: any, for readers.
 */
bool index_open(const char *data_path, enum index_kind, const uint8_t *store_uuid,
                struct index **out, struct error *);
void index_close(struct index **);
/* The UUID that the file has. */
const uint8_t *index_uuid(const struct index *);

/* --- Changing: writer, fresh and scratch --- */

/* What is applied counts at index_keep(), all of it together with the position. */
bool index_begin(struct index *, struct error *);
/* Applies the changes of one unit that was read from, or written to, unit->place. */
bool index_apply(struct index *, const struct unit *, struct error *);
bool index_keep(struct index *, const struct journal_position *, struct error *);
/* Undoes what was applied since index_begin(); also after any of them failed. */
void index_undo(struct index *);
/* Rows changed since index_begin() that are held in memory: a long replay keeps now and then. */
size_t index_held(const struct index *);
/* Behind the last batch that the index holds; zeroed: nothing. */
bool index_position(struct index *, struct journal_position *out, struct error *);
/* Within a transaction: takes away at most `limit` placements of purged mailboxes; *more_out tells
 * whether others are left. */
bool index_sweep(struct index *, unsigned limit, bool *more_out, struct error *);
/* Whether a sweep has something to do, as far as this handle knows. */
bool index_wants_sweep(const struct index *);

/* --- What the writer knows of a mailbox, in memory --- */

/* The applied state, and what has been assigned ahead of it: an assigned uid is never given again
 * by this process, whether its batch succeeds or not. */
struct mailbox_row {
    mailbox_id id;
    bool exists; /* the index has a row for it */
    bool purged; /* for good: nothing may be placed in it any more */
    uint32_t uid_validity;
    uint32_t uid_next; /* the smallest uid that was never applied */
    uint64_t modseq;   /* the highest applied */
    uint64_t count, octets;

    uint64_t opened_in;    /* number of the batch that has a CHANGE_MAILBOX for it */
    uint64_t purged_in;    /* number of the batch that has a CHANGE_PURGED for it */
    uint32_t assign_uid;   /* the next to give; at least uid_next */
    uint64_t assign_after; /* the highest modseq given; at least modseq */
};
/* Loads it when it is not in memory.  NULL on failure.  The pointer lives until index_trim(). */
struct mailbox_row *index_mailbox(struct index *, mailbox_id, struct error *);
/* Between batches: forgets rows beyond the maximum, the longest unused first. */
void index_trim(struct index *);
/* A uidvalidity that no mailbox of this store has, from the wall clock in seconds. */
uint32_t index_new_uid_validity(struct index *, int64_t wall_s);

/* --- The write-ahead log --- */

/* Octets in it after this handle's last transaction. */
uint64_t index_wal_octets(const struct index *);
/* While this file is in DATA, index.db is not to be used: a sync of it has failed. */
#define INDEX_DOUBT "index.doubted"
/* Whether that has happened to this one: it must be closed, and another one made. */
bool index_is_doubted(const struct index *);

enum index_checkpoint {
    INDEX_PASSIVE, /* what can be done without waiting for anybody */
    INDEX_RESTART, /* all of it; the next transaction begins at the front of the log */
    INDEX_TRUNCATE /* all of it, and cut the log */
};
/* *complete_out: everything that was applied is now in the file itself, synced.  A busy reader is
 * no failure. */
bool index_checkpoint(struct index *, enum index_checkpoint, bool *complete_out, struct error *);

/* --- Reading: every kind but INDEX_UPKEEP --- */

/* All reads between the two see one state.  Short: within one job. */
bool index_read_begin(struct index *, struct error *);
void index_read_end(struct index *);

struct index_mailbox {
    mailbox_id id;
    struct text address; /* valid within the callback; empty from index_find_mailbox() */
    uint32_t uid_validity, uid_next;
    uint64_t modseq, count, octets;
};
/* A mailbox that was purged, or never opened, is not found. */
bool index_find_mailbox(struct index *, mailbox_id, struct index_mailbox *out, bool *found_out,
                        struct error *);

enum index_fact {
    INDEX_DOT_LINES = 1,
    INDEX_ENDS_WITH_CRLF = 2,
    INDEX_EIGHT_BIT = 4,
    INDEX_HAS_NUL = 8,
    INDEX_BARE_CR_OR_LF = 16,
    INDEX_LARGE = 32, /* content lies in a file of its own */
};

struct index_placement {
    mailbox_id mailbox;
    uint32_t uid;
    message_id message;
    uint64_t modseq;
    uint32_t flags;
    uint64_t octets; /* prefix and content */
    unsigned facts;  /* dot lines: of prefix or content; the others: of the content */
    int64_t placed_ms;
    struct unit_place place;
    struct text prefix; /* valid within the callback */
};
struct index_message {
    message_id message;
    struct unit_place place;
    uint64_t octets; /* of the content */
    unsigned facts;
    uint64_t placements;
    uint64_t waiting; /* rows of the queue */
};

/* What calls back returns false to stop, with the error set when that is a failure. */
struct index_visitor {
    bool (*mailbox)(void *owner, const struct index_mailbox *, struct error *);
    bool (*placement)(void *owner, const struct index_placement *, struct error *);
    bool (*message)(void *owner, const struct index_message *, struct error *);
    /* Their texts are valid within the callback. */
    bool (*domain)(void *owner, const struct queue_domain *, struct error *);
    bool (*queued)(void *owner, const struct queue_item *, struct error *);
    void *owner;
};
/* In order of id; purged ones left out. */
bool index_each_mailbox(struct index *, const struct index_visitor *, struct error *);
/* Of one mailbox in order of uid, those with smaller uids than `uid_below` (0: all). */
bool index_each_placement(struct index *, mailbox_id, uint32_t uid_below,
                          const struct index_visitor *, struct error *);
/* Messages with at least one placement or waiting row, in order of id. */
bool index_each_message(struct index *, const struct index_visitor *, struct error *);
bool index_find_message(struct index *, message_id, struct index_message *out, bool *found_out,
                        struct error *);
/* Whether any message whose id begins with these 32 bits was ever applied. */
bool index_knows_prefix(struct index *, uint32_t prefix, bool *known_out, struct error *);

/* --- The queue: rows that wait for a person are in none but index_each_queued() --- */

/* Domains with rows due at now_ms, as struct queue_look has them. */
bool index_due_domains(struct index *, const struct queue_look *, const struct index_visitor *,
                       struct error *);
/* The due time of the first domain that has nothing due yet; INT64_MAX: there is none. */
bool index_next_due(struct index *, int64_t now_ms, int64_t *due_ms_out, struct error *);
struct index_due {
    struct text domain;
    int64_t now_ms;
    struct queue_place after;
    uint32_t max;
};
/* In order of due time, message and number. */
bool index_due_rows(struct index *, const struct index_due *, const struct index_visitor *,
                    struct error *);
/* All that wait behind `after` (its due time does not count), held ones too, in order of message
 * and number; at most `max`, 0: all. */
bool index_each_queued(struct index *, const struct queue_place *after, uint32_t max,
                       const struct index_visitor *, struct error *);
struct index_waiting {
    uint32_t generation; /* 0: there is no such row, or it is settled */
    bool held;
};
/* What a change of a row must know of it. */
bool index_find_waiting(struct index *, message_id, uint32_t number, struct index_waiting *out,
                        struct error *);

/* Large messages that nothing refers to any more: their files may go once a checkpoint has
 * completed after that (store rule 11).  Lists at most `max`. */
bool index_list_dead(struct index *, message_id *ids, size_t max, size_t *count_out,
                     struct error *);
/* Within a transaction: these files are gone. */
bool index_forget_dead(struct index *, const message_id *ids, size_t count, struct error *);
/* Octets of their content, as far as this handle has seen them die. */
uint64_t index_dead_octets(const struct index *);

/* --- What compaction asks, and what it lets the index forget --- */

/* Octets of all units that hold a message which something refers to. */
bool index_live_octets(struct index *, uint64_t *out, struct error *);
/* The first segment that such a unit lies in; 0: there is none. */
bool index_lowest_segment(struct index *, uint64_t *out, struct error *);
/* How many purged mailboxes may still have placements (index_sweep). */
bool index_leftovers(struct index *, uint64_t *out, struct error *);
struct index_placed {
    message_id message; /* 0: nothing is placed there */
    uint64_t modseq;
    uint32_t flags;
};
bool index_find_placed(struct index *, mailbox_id, uint32_t uid, struct index_placed *out,
                       struct error *);
/* Whether the end of a placement, or anything of a row of the queue, was ever applied; for a writer
 * or a fresh one. */
bool index_is_expunged(struct index *, mailbox_id, uint32_t uid, bool *out, struct error *);
bool index_knows_row(struct index *, message_id, uint32_t number, bool *out, struct error *);
/* All rows of a message, settled ones too; their texts are valid within the callback. */
bool index_each_row(struct index *, message_id,
                    bool (*row)(void *owner, const struct queue_row *, struct error *), void *owner,
                    struct error *);
/* The mailbox's name and when it was opened, appended to `words`; *found_out: it is there and not
 * purged. */
bool index_mailbox_words(struct index *, mailbox_id, struct buffer *words, int64_t *opened_ms_out,
                         bool *found_out, struct error *);

/* Within a transaction: segments before this one do not count any more. */
bool index_set_oldest(struct index *, uint64_t oldest, struct error *);
/* Where index_forget() goes on; zeroed: from the front. */
struct index_forgetting {
    uint64_t key[2];
    bool rows; /* of the queue: tombstones are through */
};
/* Within a transaction: drops tombstones of which only segments speak that do not count any more.
 * Looks at some of them; *more_out: others are left. */
bool index_forget(struct index *, struct index_forgetting *, bool *more_out, struct error *);

/* --- The logical dump (store rule 18): one line a fact, sorted, the same for equal stores --- */

struct index_lines;
/* Tombstones of segments before `oldest` are left out, as are those that the index itself takes for
 * gone. */
bool index_lines_open(struct index *, uint64_t oldest, struct index_lines **out, struct error *);
/* *line_out has no line end and is valid until the next call; its pointer is NULL at the end. */
bool index_lines_next(struct index_lines *, struct text *line_out, struct error *);
/* The same for two at once, without printing what both say: their next lines that differ. */
bool index_lines_next_difference(struct index_lines *a, struct index_lines *b,
                                 struct text *line_a_out, struct text *line_b_out, struct error *);
void index_lines_close(struct index_lines **);
/* Rows that contradict each other: a sentence for each. */
bool index_verify(struct index *, void (*finding)(void *owner, const char *words), void *owner,
                  struct error *);

#endif
