/* store.h - the mail store as the rest may know it.
 *
 * It speaks of messages, placements, mailboxes and accounts; never of files, offsets or SQL, so
 * that another backend can stand behind these headers (store rule 1).  This one opens, tells the
 * health, and commits; spool.h is a body while it arrives, content.h reads a message, maildrop.h is
 * one mailbox (lock, count, list), accounts.h is who there is.
 *
 * Before the first handle is opened, main() sets what SQLite has for the whole process:
 * sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0), and umask(077).
 *
 * A unit is one request to commit: all or nothing, whatever it holds.  Ids come from the caller, so
 * that repeating a unit after STORE_UNKNOWN is harmless; uids come back in it.  Nothing counts
 * before the verdict, and STORE_STORED means that it survives a power cut from now on.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "proto/dot.h"
#include "run/lane.h"
#include "store/ids.h"

struct store;
struct spool;
struct queue_row;
struct queue_envelope;

struct store_options {
    const char *path;        /* DATA */
    bool create;             /* make it (0700) when it is missing */
    uint64_t body_memory;    /* octets of RAM for all bodies that are arriving */
    uint64_t segment_octets; /* 0: the format's default; tests use small ones */
    uint64_t reserve_octets; /* free space below which mail is refused; 0: the default */
    /* Told what people should know (recovery, damage, trouble and its end); any thread. */
    void (*notice)(void *owner, bool is_trouble, const char *words);
    /* Nothing can be written any more, STORE_FAILED for good: the process must end for a restart.
     * Before any commit of unknown outcome is answered; once; any thread; may be NULL. */
    void (*failed)(void *owner);
    void *owner;
};

/* Takes DATA/lock, opens, recovers (syncs, then applies what the index lacks), begins a new
 * segment. Blocks: for start-up.  Starts the store's lanes. ERROR_REFUSED when another process
 * holds the lock. */
bool store_open(const struct store_options *, struct store **out, struct error *);
/* Waits until what was submitted is answered (the answers are posted: their loops must still be
 * there), closes the index cleanly, gives up the lock.  Every spool, content and maildrop read must
 * have been closed before. */
void store_close(struct store **);

/* Any thread; one atomic step. */
message_id store_new_message_id(struct store *);

/* Whether a new transaction should be begun now (asked at MAIL; any thread, no lock). */
enum store_health {
    STORE_READY,
    STORE_FULL,   /* below the reserve, the WAL too large, or body memory over 80%: 452 4.3.1 */
    STORE_BEHIND, /* the index lags behind the journal: 452 4.3.0 until it has caught up */
    STORE_FAILED, /* nothing can be written: 451 4.3.0; the process will exit for a restart */
};
enum store_health store_health(const struct store *);

/* Any thread, about once a second: looks after what needs no commit.  Space that dead mail takes in
 * the journal is given back, at a rate that new mail hardly feels (store rule 11). */
void store_tend(struct store *);

/* --- Commit --- */

/* A message in a mailbox.  The prefix (Return-Path, Delivered-To) is the placement's own; content
 * is stored once. */
struct placement {
    mailbox_id mailbox;
    struct text address; /* the mailbox's account, for "mailbox opened" when it is new */
    struct text prefix;
    struct content_facts prefix_facts;
    uint32_t flags; /* mail/flags.h; none for mail that has just arrived */
    int64_t
        dated_ms;    /* since when it has been somebody's, for mail from elsewhere; 0: arrived_ms */
    uint32_t uid;    /* out, with STORE_STORED */
    uint64_t modseq; /* out */
};

/* Removing messages from a mailbox: POP3's UPDATE. */
struct expunge {
    mailbox_id mailbox;
    uint64_t token;       /* of the maildrop lock; an old one is refused (store rule 24) */
    const uint32_t *uids; /* at most STORE_CHANGES_MAX */
    size_t count;
};

/* Bulk changes come in units of at most STORE_CHANGES_MAX.  A message and all its recipients are
 * one unit whatever their number, so that its 250 speaks for all of them. */
enum { STORE_CHANGES_MAX = 500, STORE_PLACEMENTS_MAX = 2000 };

enum store_verdict {
    STORE_STORED,
    STORE_REFUSED, /* nothing of it counts, now or after a restart; may be tried again */
    STORE_UNKNOWN, /* it may or may not have become durable: answer nobody */
};

struct commit {
    /* What to commit: a message with its placements and queue rows, or an expunge, or a purge, or
     * queue rows alone (results).  A bounce together with the rows that it settles is one unit. */
    message_id message;  /* 0: none */
    struct spool *spool; /* its content; stays the caller's, closed by the caller after `done` */
    struct text sender;  /* canonical reverse-path, empty for <> */
    int64_t arrived_ms;  /* wall clock */
    struct placement *placements;
    size_t placement_count;
    const struct queue_row *rows; /* store/queue.h: new ones of this message, results of others */
    size_t row_count;             /* at most STORE_PLACEMENTS_MAX */
    const struct queue_envelope *envelope; /* with new rows; NULL: all of it is empty */
    const struct expunge *expunge;         /* or NULL */
    mailbox_id purge;                      /* or 0: forget this mailbox and everything in it */

    /* How it ends: `done` runs on `home` exactly once. */
    struct loop *home;
    void (*done)(struct commit *);
    enum store_verdict verdict;
    struct error error; /* when not stored: for the log */

    struct store *store;     /* private */
    struct job job;          /* private */
    struct list link;        /* private */
    struct rewrite *rewrite; /* private; NULL */
};

/* Any loop.  Everything that the commit points to must stay as it is until `done`. */
void store_submit(struct store *, struct commit *);

/* What compaction is at; src/store/local/compact.h says what each does. */
enum compaction_state {
    COMPACTION_RESTS,
    COMPACTION_READS,
    COMPACTION_WRITES,
    COMPACTION_TURNS,
    COMPACTION_SETTLES,
    COMPACTION_REMOVES,
    COMPACTION_FORGETS,
    COMPACTION_STATES,
};

/* Counters since the start; any thread. */
struct store_figures {
    uint64_t batches, units, messages, octets, syncs, checkpoints;
    uint64_t rewritten, segments_removed; /* by compaction: units; files of the journal */
    uint64_t looks; /* how often it found nothing, or nothing more, that is worth the work */
    enum compaction_state compaction; /* at the moment */
};
struct store_figures store_figures(const struct store *);

/* --- For repair and tests; the store is closed or opened by this caller --- */

/* Writes every logical fact of the index, sorted, one a line, in a form that two equal stores
 * share: mailboxes (id, address, uidvalidity, uidnext, modseq, count, octets), placements, and the
 * queue. Reads DATA's index as it is; with `rebuild` reads the journal alone into a fresh index in
 * memory instead. */
bool store_dump(const char *path, bool rebuild, struct buffer *out, struct error *);
/* Verifies every segment, frame, reference and index row; tells each finding (trouble) and returns
 * how many, and what is worth knowing beside them.  Of a backup, which has no index, everything
 * else. */
bool store_verify(const char *path, void (*notice)(void *owner, bool is_trouble, const char *words),
                  void *owner, uint64_t *findings_out, struct error *);
/* Replaces the index by one made from the journal alone, and tells what people should know: what is
 * lost, as far as the journal or the index of before can say.  Takes DATA/lock. */
bool store_rebuild(const char *path,
                   void (*notice)(void *owner, bool is_trouble, const char *words), void *owner,
                   struct error *);

/* --- Backup --- */

/* What the disk could not read: it is missing in the copy, where it is found as damage. */
struct backup_holes {
    uint64_t octets;
    char first[64]; /* the file of the first */
};
struct store_copied {
    uint64_t segments, large;           /* files that were copied */
    uint64_t segments_kept, large_kept; /* that were there already */
    uint64_t octets;                    /* copied, of these */
    uint64_t batch;                     /* the last one in it */
    struct backup_holes holes;
};
/* Copies the store, which may be in use, into the folder `to`, which is made (0700) or holds an
 * earlier backup of the same store: then only what is new is copied.  What the folder holds is at
 * any moment the backup of before or the one of now.  ERROR_REFUSED: it holds something else, or
 * mail that the store has no more, or another backup is under way. */
bool store_backup(const char *path, const char *to, struct store_copied *out, struct error *);

struct store_restored {
    uint64_t mailboxes, messages; /* placements of them */
    uint64_t held;                /* recipients that waited to be sent to */
};
/* Makes a store of a backup; there must be none at `path`.  Every mailbox gets a new uidvalidity,
 * and mail on its way out is held.  ERROR_REFUSED: it is no backup, or one is just being made. */
bool store_restore(const char *from, const char *path, struct store_restored *out, struct error *);

#endif
