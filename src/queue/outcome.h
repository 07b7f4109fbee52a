/* outcome.h - what an attempt means for a recipient: its row's new state, and what there is to
 * tell.  Pure but for the arena that its texts are kept in.
 */
#ifndef QUEUE_OUTCOME_H
#define QUEUE_OUTCOME_H

#include "base/arena.h"
#include "proto/smtp_client.h"
#include "queue/schedule.h"
#include "queue/settle.h"

/* How the attempt ended for one recipient, whoever says so: a peer, DNS, or this host. */
struct outcome {
    bool delivered, permanent;
    bool relayed_without_dsn; /* delivered to a server without DSN */
    struct text status;       /* RFC 3463; "" when nobody gave one */
    struct text host;         /* who was called, for people: "mx.example.org[192.0.2.1]"; or "" */
    struct text host_name;    /* its name alone, for Remote-MTA; or "" */
    struct text reply;        /* what the peer said, all lines; "" when it did not speak */
    struct text reply_to;     /* to what, or what it did not answer: "RCPT TO"; or "" */
    struct text reason;       /* our own sentence, when the peer did not speak */
};

/* When it was made, and by which rules. */
struct outcome_attempt {
    const struct queue_item *item; /* the message */
    struct schedule schedule;
    int64_t now_ms;   /* wall clock */
    int64_t tried_ms; /* when it was made; now_ms but for outcome_behind() */
    unsigned spread;  /* random, below SCHEDULE_SPREAD */
};

enum { OUTCOME_LAST_MAX = 1024 }; /* octets of a row's last words */

/* From the client machine's result; `host`, `host_name` and a sentence for a session that failed
 * are the caller's.  Borrows from the result. */
struct outcome outcome_of_result(const struct smtp_client_result *);

/* The row behind the attempt, with generation 0.  When memory is short its texts are lost, never
 * its state. */
void outcome_settle(const struct outcome_attempt *, const struct queue_row *row,
                    const struct outcome *, struct arena *, struct settled *out);
/* The same for a row whose next hop is down, without an attempt of its own: its probes stand for
 * it, the last of which failed at `tried_ms` with `outcome`.  False: nothing is to be written, the
 * row waits as it is. */
bool outcome_behind(const struct outcome_attempt *, const struct queue_row *row,
                    const struct outcome *, struct arena *, struct settled *out);

/* "sent", "deferred", "bounced", "expired", for the log. */
const char *outcome_name(const struct settled *);

#endif
