/* index_inner.h - what the files of the index share: index.c,
 * index_rows.c, index_apply.c, index_queue.c, index_read.c, index_lines.c. */
#ifndef STORE_LOCAL_INDEX_INNER_H
#define STORE_LOCAL_INDEX_INNER_H

#include "base/list.h"
#include "store/local/database.h"
#include "store/local/index.h"
#include "store/local/log_writer.h"

enum index_statement {
    /* reading */
    READ_BEGIN,
    READ_END,
    GET_MAILBOX,
    EACH_MAILBOX,
    EACH_PLACEMENT,
    EACH_MESSAGE,
    GET_MESSAGE,
    LIVE_OCTETS,
    LOWEST_SEGMENT,
    LEFTOVERS,
    ROWS_OF_MESSAGE,
    MAILBOX_WORDS,
    PLACED_AS,
    GET_PREFIX,
    LIST_DEAD,
    GET_POSITION,
    DUE_DOMAINS,
    NEXT_DUE,
    DUE_ROWS,
    EACH_QUEUED,
    GET_RECIPIENT,
    READ_STATEMENTS,
    /* changing */
    BEGIN = READ_STATEMENTS,
    COMMIT,
    ROLLBACK,
    SET_OLDEST,
    OLD_TOMBSTONES,
    DROP_TOMBSTONES,
    OLD_RECIPIENTS,
    DROP_RECIPIENTS,
    SET_POSITION,
    GET_ROW,
    ADD_ROW,
    SET_ROW,
    STATE_MAILBOX,
    ADD_PLACEMENT,
    GET_PLACEMENT,
    SET_PLACEMENT,
    DROP_PLACEMENT,
    SET_TOMBSTONE,
    GET_TOMBSTONE,
    ADD_MESSAGE,
    SET_MESSAGE,
    DROP_MESSAGE,
    ADD_PREFIX,
    ADD_DEAD,
    FORGET_DEAD,
    ADD_LEFTOVER,
    NEXT_LEFTOVER,
    DROP_LEFTOVER,
    SET_ENVELOPE,
    ADD_RECIPIENT,
    SET_RECIPIENT,
    AGAIN_RECIPIENT,
    ADOPT_RECIPIENT,
    COUNT_WAITING,
    ADD_TO_DOMAIN,
    LAST_OF_DOMAIN,
    SET_DOMAIN,
    INDEX_STATEMENTS,
};

/* A mailbox_row and how it is found again. */
struct row_entry {
    struct mailbox_row row;
    struct row_entry *chain; /* the next in its bucket */
    struct list used;        /* the cache's order of use */
    struct list changed;     /* in index.changed while it differs from the file */
    bool in_file;            /* the file has it: UPDATE, not INSERT */
    bool stale;              /* an undone transaction changed it: load again */
};

struct row_cache {
    struct row_entry **buckets;
    size_t bucket_count; /* a power of two */
    size_t count;
    struct list used; /* the longest unused first */
};

/* index_doubt.c: the last call of SQLite has failed. */
struct index;
void index_hear_failure(struct index *);

struct index {
    struct database db;
    enum index_kind kind;
    struct log_writer *log; /* the writer's; the connection frees it */
    uint8_t uuid[INDEX_UUID];
    struct row_cache rows;
    struct list changed;
    size_t changed_count;
    uint32_t uid_validity_last;
    uint32_t prefix_seen; /* of the message applied last: its row is there */
    uint64_t dead_octets;
    uint64_t wal_octets;
    bool doubted;   /* a sync has failed: nothing is written to it any more */
    bool leftovers; /* purged mailboxes may have placements left */
};

/* index.c: prepares it, for an index that is soon gone and needs few of them; NULL when memory is
 * short, which SQLite takes as a misuse, and whoever runs it hears why. */
sqlite3_stmt *index_prepare(struct index *, enum index_statement which);

static inline sqlite3_stmt *index_sql(struct index *index, enum index_statement which)
{
    sqlite3_stmt *statement = index->db.statements[which];
    return statement ? statement : index_prepare(index, which);
}
static inline bool index_run(struct index *index, enum index_statement which, struct error *error)
{
    return database_finish(&index->db, index_sql(index, which), error);
}

/* index_rows.c */
void rows_init(struct index *);
void rows_clear(struct index *);
/* The row differs from the file now. */
void rows_changed(struct index *, struct mailbox_row *);
/* Its row has just been written to the file by another statement. */
void rows_stated(struct mailbox_row *);
/* What is assigned next is never below what was applied: at loading, and in a replay. */
void rows_raise_assigned(struct mailbox_row *);
/* Writes what differs. */
bool rows_write(struct index *, struct error *);
/* What was written or changed has been kept, or undone. */
void rows_settle(struct index *, bool kept);

/* index_read.c: the columns of a place, from `column` on. */
struct unit_place index_read_place(sqlite3_stmt *, int column);

/* --- Between index_apply.c and index_queue.c --- */

/* One unit while it is applied. */
struct applying {
    struct index *index;
    struct error *error;
    const struct unit *unit;
    bool has_message;
    struct change message;          /* its CHANGE_MESSAGE */
    uint64_t placed;                /* new placements of it */
    bool has_rows;                  /* and it has rows of the queue */
    struct queue_envelope envelope; /* that these share */
};

static inline bool is_own_message(const struct applying *a, message_id id)
{
    return a->has_message && a->message.message == id;
}

/* index_apply.c: one waiting row more or less of a message that is not the unit's; the last thing
 * that refers to a message takes it along. */
bool message_gains_row(struct applying *, message_id);
bool message_loses_row(struct applying *, message_id);
bool message_is_known(struct applying *, message_id, bool *known_out);

/* index_queue.c: ROW_COLUMNS, from the first column on; its texts are the statement's. */
struct queue_row index_read_row(sqlite3_stmt *);
bool apply_recipient(struct applying *, const struct queue_row *);
/* How many rows of the message wait, whatever it counts itself. */
bool recipients_waiting(struct applying *, message_id, uint64_t *count_out);

#endif
