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
 * Local trouble while the report is made (memory, disk, the directory) defers:
 *
 *   the row would be      and instead becomes
 *   BOUNCED, EXPIRED      WAITING for SETTLE_AGAIN_MS, to be tried and found out again
 *   WAITING               the same, but not warned: at the next attempt it will be
 *   DELIVERED, DROPPED    the same, and its report is lost: nothing may be sent twice
 *
 * Trouble to find out who gets the report is none that passes when the message is twice as old as
 * mail may be: its report is lost then.
 *
 * Rows of which nothing is to be told are committed as they are.
 *
 * Log: "report" (id, to, about, what), "delivered" or "queued" for each place that it goes to;
 * "report-put-off" and "report-dropped" (about, to, why) otherwise.
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
    bool has_row;         /* false: tell only (a local recipient, RFC 3461 NOTIFY=SUCCESS); of .row
                             only .notify, .address and .orcpt count */
    bool tell;            /* something happened that a report may be about: .told */
    /* Where these are empty they are filled in: the recipients, from the row; until when a delayed
     * one is tried; for EXPIRED rows the status, always, and the sentence that it is over, in front
     * of the reason. */
    struct dsn_recipient told;
};

struct settlement; /* private state of one that is under way */

struct settle_options {
    struct office *office;
    unsigned loop; /* whose thread this is */
    /* The message: sender, envelope, arrival and content count; of its row only .message.  Of the
     * content .message and .content_octets are enough; without .message nothing is returned. */
    const struct queue_item *item;
    const struct settled *recipients;
    size_t count; /* 1 .. SETTLE_RECIPIENTS_MAX */
    /* On the loop, exactly once, never within settle_start().  STORED: everything as asked.
     * REFUSED: nothing counts; the rows wait as they did.  UNKNOWN: the process will end.  With
     * STORED the error says why a report was put off or lost, and is ERROR_NONE otherwise. */
    void (*done)(void *owner, enum store_verdict, const struct error *);
    void *owner;
};

/* All that the options point to must stay until done.  False: memory is short, nothing happens. */
bool settle_start(const struct settle_options *);

/* Whether NOTIFY wants this told: failures and delays by default, success only when asked for. */
bool settle_is_wanted(unsigned notify, enum dsn_action);

#endif
