/* settle.h - the end of an attempt, in one unit of the store: what became of each recipient, and
 * the report to the sender when one is due (store rule 4, 16).
 *
 * It reads what the report returns, asks where the sender's mail goes, writes the report
 * (mail/dsn.h) and commits it together with the rows that it settles: a bounce is never lost and
 * never sent twice.  Without anybody to tell, only the rows are committed.
 *
 * Never a report to the null sender; whom NOTIFY excludes is not told (RFC 3461 4.1).  A sender of
 * our own domains who does not exist gets none either: the log says so.
 *
 * Local trouble while the report is made (memory, disk, the directory) defers: the rows that need
 * no report are committed, and those that would have been told are put back to wait for
 * SETTLE_AGAIN_MS, not counted as an attempt.
 */
#ifndef QUEUE_SETTLE_H
#define QUEUE_SETTLE_H

#include "mail/dsn.h"
#include "queue/office.h"
#include "store/queue.h"

enum { SETTLE_AGAIN_MS = 5 * 60 * 1000, SETTLE_RECIPIENTS_MAX = 500 };

/* One recipient: its new state, and what there is to tell. */
struct settled {
    struct queue_row row; /* texts as in the item; .generation 0: behind whatever it has now */
    bool has_row;         /* false: tell only (a local recipient, RFC 3461 NOTIFY=SUCCESS) */
    bool tell;            /* something happened that a report may be about, see told_about */
    struct dsn_recipient told;
};

struct settlement; /* private state of one that is under way */

struct settle_options {
    struct office *office;
    unsigned loop; /* whose thread this is */
    /* The message: sender, envelope, arrival and content count; of its row only .message. */
    const struct queue_item *item;
    const struct settled *recipients;
    size_t count; /* 1 .. SETTLE_RECIPIENTS_MAX */
    /* On the loop, exactly once, never within settle_start().  STORED: everything as asked.
     * REFUSED: nothing counts; the rows wait as they did.  UNKNOWN: the process will end. */
    void (*done)(void *owner, enum store_verdict, const struct error *);
    void *owner;
};

/* All that the options point to must stay until done.  False: memory is short, nothing happens. */
bool settle_start(const struct settle_options *);

/* Whether NOTIFY wants this told: failures and delays by default, success only when asked for. */
bool settle_is_wanted(unsigned notify, enum dsn_action);

#endif
