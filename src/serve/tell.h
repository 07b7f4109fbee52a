/* tell.h - tells the sender of a message that is stored what nobody else will: that it is in a
 * mailbox or was expanded (RFC 3461 5.2.3, 5.2.7.3), and whom it did not reach because it had come
 * back (RFC 5321 6.3).
 *
 * Those who had it before are rows of the queue from the start, so that no crash loses them; they
 * are settled here, with the report, in one unit.  If that cannot be, they stay, and are refused
 * when the queue tries them.  A report of success alone is sent once, or lost with the process.
 */
#ifndef SERVE_TELL_H
#define SERVE_TELL_H

#include "queue/settle.h"
#include "serve/recipients.h"

struct tell {
    struct office *office;
    unsigned loop;
    struct queue_item item;  /* the message */
    struct settled *settled; /* in the arena */
    size_t count, begun;     /* private */
    /* On the loop, exactly once, maybe before tell_start() returns. */
    void (*done)(void *owner);
    void *owner;
};

/* Gathers what there is to tell; `rows` are those of the looped recipients, in the order of
 * recipients_news().  False: memory is short. */
bool tell_gather(struct tell *, const struct recipient_news *, size_t count,
                 const struct queue_row *rows, struct arena *);
/* The message is stored; office, loop, item, done and owner are set.  All of it must stay until
 * done. */
void tell_start(struct tell *);

#endif
