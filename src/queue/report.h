/* report.h - makes a report to the sender of a message: asks where his mail goes, reads what is
 * returned, writes it (mail/dsn.h) and spools it, ready to be committed.
 *
 *   start -> the office says where the sender's mail goes -> the original is read
 *         -> the report is written and spooled -> done
 *
 * It commits nothing itself: the report and the rows that it settles are one unit (settle.h).
 */
#ifndef QUEUE_REPORT_H
#define QUEUE_REPORT_H

#include "queue/office.h"
#include "queue/original.h"
#include "queue/told.h"
#include "store/queue.h"
#include "store/spool.h"

enum report_verdict {
    REPORT_MADE,
    REPORT_NOBODY,  /* there is nobody to tell; .why */
    REPORT_TROUBLE, /* local trouble that may pass; .why */
};

struct report {
    /* Set before report_start(); they stay until report_clear(). */
    const struct office *office;
    unsigned loop;
    const struct queue_item *item;
    struct told told; /* at least one */
    struct arena *memory;
    void (*done)(struct report *); /* once, perhaps before report_start() returns */
    void *owner;

    enum report_verdict verdict;
    const char *why; /* a sentence, unless it was made */

    /* When it was made: for the commit. */
    message_id message;
    struct spool *spool;
    struct placement *placements; /* for mailboxes of ours */
    size_t placement_count;
    struct queue_row *rows; /* for addresses elsewhere */
    size_t row_count;
    struct queue_envelope envelope;

    struct address sender; /* private */
    struct original original;
};

void report_start(struct report *);
/* When the commit is over, or was never begun. */
void report_clear(struct report *);

#endif
