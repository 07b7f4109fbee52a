/* remote.h - a session with one next hop: carries messages there, over one connection after the
 * other, and settles what became of them.
 *
 * Dispatch (loop 0) makes it for a loop and sends it on errands: a list of jobs goes out, and comes
 * back when each has its fate.  At any time either dispatch or the session holds the errand, never
 * both; between errands the session keeps its connection open and waits.
 *
 *     remote_new -> remote_send -> came_back -> remote_send -> ... -> came_back (ended) -> free
 */
#ifndef QUEUE_REMOTE_H
#define QUEUE_REMOTE_H

#include "base/arena.h"
#include "queue/office.h"
#include "queue/outcome.h"
#include "queue/route.h"
#include "store/content.h"

#include <stdatomic.h>

enum job_fate {
    JOB_UNTRIED, /* nothing was said about it; its rows wait as they did */
    JOB_SETTLED, /* every row has its new state, durably */
    JOB_UNSURE,  /* something was tried, and its result could not be kept */
};

enum { JOB_ROWS_MAX = 100, JOB_MEMORY_MAX = 4 * 1024 * 1024 };

/* One message for recipients that are reached by the same next hop. */
struct queue_job {
    struct list link; /* in the list of whoever holds it */
    struct arena memory;
    struct queue_item item; /* texts in `memory`; its row is the first one */
    struct queue_row *rows;
    uint32_t row_count;
    struct list parts;  /* jobs that were joined to it, whose rows stand behind its own */
    uint32_t own_count; /* rows without theirs */
    void *domain;       /* dispatch's own */
    enum job_fate fate;
    uint32_t rows_sent; /* the session's: how far it has come */
};

/* Copies what belongs to one message from rows as the store gave them.  NULL: memory is short. */
struct queue_job *job_new(const struct queue_item *items, uint32_t count);
/* With its parts. */
void job_free(struct queue_job **);
/* Makes `other` a part: a job of the same message, for recipients of another domain behind the same
 * hop.  False: there would be too many rows, or memory is short, and nothing happens. */
bool job_join(struct queue_job *, struct queue_job *other);

/* What the errand taught about the hop. */
enum hop_news {
    HOP_NO_NEWS, /* nothing, or no more than its successes say */
    HOP_FAILED,  /* it is to rest: see queue/destination.h */
};

enum { REMOTE_WHY_MAX = 512 };

struct remote;

struct remote_errand {
    /* There */
    struct list jobs; /* none: QUIT */
    struct route route;
    /* Back */
    bool ended;         /* the connection is closed; nothing but remote_free() may follow */
    uint32_t successes; /* transactions that came to their end, whatever was said in them */
    enum hop_news news;
    struct outcome outcome; /* HOP_FAILED: why; texts live until the next errand */
    bool local_trouble;     /* descriptors or memory are short: do not hurry */
};

/* All sessions of one loop; embedded in dispatch, touched by that loop only. */
struct remote_loop {
    struct office *office;
    unsigned index;
    struct list sessions;
    uint64_t next_session; /* names them in the log */
    bool stopping;
    uint64_t stop_by_ms; /* then what is still under way is cut */
    struct post stop_post;
};
void remote_loop_init(struct remote_loop *, struct office *, unsigned index);
/* Any thread: no connection is begun any more, those that carry nothing end, and a message that is
 * under way has REMOTE_GRACE_MS. */
void remote_loop_stop(struct remote_loop *);
enum { REMOTE_GRACE_MS = 20 * 1000 };

/* Loop 0.  `came_back` runs on loop 0, once for each errand.  NULL: memory is short. */
struct remote *remote_new(struct remote_loop *, void (*came_back)(void *owner, struct remote *),
                          void *owner);
/* Loop 0.  `errand` is filled in through remote_errand(). */
struct remote_errand *remote_errand(struct remote *);
void remote_send(struct remote *);
/* Loop 0, after it came back. `ended`, or never sent. */
void remote_free(struct remote **);

/* Says in the log what became of a recipient: "sent", "deferred", "bounced" or "expired". */
void remote_log_row(struct log *, struct text session, struct text host, const struct settled *);

#endif
