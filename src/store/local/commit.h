/* commit.h - how what is submitted comes to count: the state machine behind every 250.
 *
 * Its states, what each failure does, and who moves it: docs/store.md.
 */
#ifndef STORE_LOCAL_COMMIT_H
#define STORE_LOCAL_COMMIT_H

#include "run/lane.h"
#include "store/local/batch.h"
#include "store/local/compact.h"

#include <pthread.h>

struct store;

enum commit_state {
    COMMIT_GATHER,  /* takes what is ready, assigns */
    COMMIT_TURN,    /* makes sure that the batch has room in a segment */
    COMMIT_APPEND,  /* one write */
    COMMIT_SYNC,    /* what returns from here has happened */
    COMMIT_ABANDON, /* a write or sync failed: the segment is given up */
    COMMIT_APPLY,   /* one transaction of the index */
    COMMIT_ANSWER,  /* one wake-up for each loop */
    COMMIT_TEND,    /* what the store needs beside commits; one thing each time */
    COMMIT_STATES,
};

/* Work that another lane does for this one. */
enum errand { ERRAND_NONE, ERRAND_RUNS, ERRAND_DONE, ERRAND_FAILED };

enum {
    COMMIT_RETRY_MS = 1000,               /* what failed is tried again after this */
    COMMIT_DEAD_MAX = 64,                 /* files of dead messages removed in one errand */
    COMMIT_REWRITE_PART = 8,              /* of the octets of new mail may be rewritten beside it */
    COMMIT_REWRITE_OCTETS = 256 * 1024,   /* in one batch, or one unit if that has more */
    COMMIT_IDLE_OCTETS = 4 * 1024 * 1024, /* rewritten in a second in which no mail comes */
};

struct commit_line {
    struct store *store;
    struct lane *lane; /* width 1 */
    struct job job;    /* the next step; at most one is queued */

    pthread_mutex_t mutex; /* for these */
    struct list mail;      /* commits of messages and of results, in order of arrival */
    struct list changes;   /* the others */
    struct list rewrites;  /* of compaction, the last to go */
    uint64_t may_rewrite;  /* octets of them */
    bool running;          /* the job is queued or runs, or is parked */
    bool woken;            /* there is something to tend, even if nothing was submitted */
    bool parked;           /* the job comes back when the preparation ends */
    bool closing;          /* no more errands: the other lanes are ending */
    bool suspected;        /* a reader says that index.db is damaged */
    bool doubted;          /* a checkpoint on another lane could not sync it */
    enum errand preparation;
    uint64_t prepare_ms; /* when one that failed may be tried again */
    struct error prepare_error;
    enum errand checkpoint; /* passive; then a restart is due */
    enum errand removal;    /* of the files in `dead` */

    /* The lane's own: */
    enum commit_state state;
    struct index *writer; /* NULL: it could not be opened */
    struct batch batch;
    enum store_verdict verdict; /* of the batch */
    struct error error;         /* why it is not stored */
    unsigned turns;             /* segments tried for this batch */
    bool passed_over;           /* the last batch had no room for all changes */
    bool index_damaged;         /* seen since the last look */
    uint64_t believe_ms;        /* readers are not believed before this */
    uint64_t retry_ms;          /* when to try the index again */
    uint64_t checkpoint_over;   /* one that was put off is tried again with so many octets of log */
    uint64_t checkpoint_ms;     /* ... or then */

    /* Lent to errands while they run: */
    message_id dead[COMMIT_DEAD_MAX];
    size_t dead_count;
    struct job prepare_job, checkpoint_job, removal_job;

    struct compaction compaction;
};

/* Takes the writer. */
bool commit_line_open(struct commit_line *, struct store *, struct index *writer, struct error *);
/* From here on the line does its errands itself, so that the other lanes may end. */
void commit_line_drain(struct commit_line *);
/* Once all that was submitted has been answered. */
void commit_line_close(struct commit_line *);

/* Any thread. */
void commit_enqueue(struct commit_line *, struct commit *);
/* Any thread: looks after what may have healed, although nothing is submitted. */
void commit_wake(struct commit_line *);
/* Any thread: a reader found index.db damaged where the writer has not looked. */
void commit_suspect(struct commit_line *);
/* Any thread: what compaction writes again, when there is room for it. */
void commit_enqueue_rewrite(struct commit_line *, struct commit *);
/* Any thread: a second has passed. */
void commit_tick(struct commit_line *);
/* Any thread: `done` on the commit's home, with this verdict. */
void commit_answer(struct commit *, enum store_verdict, const struct error *);

/* --- Between commit.c and tend.c --- */

void commit_tend_init(struct commit_line *);
/* The lane's step TEND.  True: there is more of it. */
bool commit_tend(struct commit_line *);
/* Has the next segment made, unless that is on its way; with `park` the line's job comes back when
 * that ends.  Returns whether the line goes on by itself. */
bool commit_prepare(struct commit_line *, bool park);
/* The index did not take a batch: mail is refused until it has caught up. */
void commit_falls_behind(struct commit_line *, const struct error *);

#endif
