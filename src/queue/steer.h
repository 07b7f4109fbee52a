/* steer.h - what a person does to recipients in the queue: retry, hold, release, drop.
 *
 * The rows that are meant (queue/select.h) are read and changed some at a time, as units of the
 * store with exact generations: a row that somebody else changed in between is read again.  Rows
 * that come while this goes on may or may not be met.
 *
 *   op        a row that waits                     is left alone when
 *   RETRY     is due now                           it is held
 *   HOLD      waits for a person                   it is held already
 *   RELEASE   waits for its time again             it is not held
 *   DROP      is settled as QUEUE_DROPPED:         never
 *             gone, and nobody is told
 *
 * An attempt that is under way goes on: what comes of it is told as ever, though the row is
 * settled.
 */
#ifndef QUEUE_STEER_H
#define QUEUE_STEER_H

#include "queue/select.h"
#include "run/log.h"
#include "store/store.h"

enum steer_op { STEER_RETRY, STEER_HOLD, STEER_RELEASE, STEER_DROP, STEER_OPS };
/* "retry", "hold", "release", "drop". */
const char *steer_name(enum steer_op);
bool steer_parse(struct text name, enum steer_op *out);

/* Counts recipients. */
struct steer_count {
    uint64_t matched; /* that were meant */
    uint64_t changed; /* that are now as asked by this; with RETRY those too that were due anyway */
    uint64_t busy;    /* left as they are, since they changed too often meanwhile */
};

struct steer {
    struct store *store;
    enum steer_op op;
    const struct selection *selection; /* borrowed until done */
    int64_t now_ms;                    /* wall clock */
    struct loop *home;
    void (*done)(struct steer *); /* on home, exactly once, never within steer_start() */
    /* Told of each recipient that has been changed; may be NULL.  On home. */
    void (*changed)(struct steer *, const struct queue_item *);
    /* Asked between units whether to go on; may be NULL: to the end.  On home. */
    bool (*goes_on)(struct steer *);

    bool ok;
    struct error error; /* what was changed before stays changed: see count */
    struct steer_count count;

    struct queue_take take; /* private, as all below */
    struct commit commit;
    struct queue_row *rows;
    const struct queue_item **items; /* of the rows */
    struct steer_count pending;      /* counts with the commit */
    struct queue_place after;        /* done up to here */
    uint32_t looked_at;              /* rows of the page that are done with the commit */
    uint32_t unit_max;               /* fewer after a refusal */
    unsigned refusals;               /* of a single row, one after the other */
};

/* On home.  False: memory is short, nothing happens. */
bool steer_start(struct steer *, struct error *);

/* What a recipient that was dropped leaves behind: an accepted one never goes without a trace. */
void steer_log_dropped(struct log *, const struct queue_item *);

#endif
