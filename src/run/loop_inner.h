/* loop_inner.h - what the streams and listeners of this room know of a loop. Private to src/run. */
#ifndef RUN_LOOP_INNER_H
#define RUN_LOOP_INNER_H

#include "run/loop.h"

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

enum {
    LOOP_SLAB_BYTES = 64 * 1024,
    /* What one read holds once it is opened, with the record that began in the one before. */
    LOOP_PLAIN_BYTES = LOOP_SLAB_BYTES + 16 * 1024,
};

/* Something that the loop does for its own thread soon, without memory or a system call: at the
 * end of this turn or in the next one.  Lives in what it is for. */
struct deferred {
    struct list link; /* in loop->deferred, or in no list */
    void (*run)(struct deferred *);
};

struct loop {
    uv_loop_t uv;

    uv_timer_t timer; /* the one timer: for the first deadline and for what is deferred */
    uint64_t armed_ms;
    struct heap deadlines;
    struct list deferred;

    int wake_fd; /* an eventfd: what another thread writes to so that the loop looks around */
    uv_poll_t wake;
    atomic_uint waking;   /* threads between their post and their write to wake_fd */
    pthread_mutex_t lock; /* guards the queue of posts */
    struct post *first_post;
    struct post *last_post;
    atomic_bool stopping;

    struct signal_watch *signals;
    struct list finishing; /* streams without an owner, the oldest first: see stream_finish() */
    unsigned finishing_count;
    struct loop_figures figures;

    /* Every read of every stream of the loop goes here: the bytes are used up within the call. */
    uint8_t slab[LOOP_SLAB_BYTES];
    uint8_t plain[LOOP_PLAIN_BYTES]; /* the same, when TLS has opened it */
};

/* The deferred must be in no list. */
void loop_defer(struct loop *, struct deferred *);

/* Closes what loop->finishing holds; for loop_free(). */
void stream_close_finishing(struct loop *);

#endif
