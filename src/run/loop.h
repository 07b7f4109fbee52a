/* loop.h - one event loop: its turn, its timers, and how other threads reach it.
 *
 * One of the interfaces with two implementations (src/run and sim), chosen at link time.  All
 * functions are for the loop's own thread unless they say "any thread"; before loop_run() that is
 * whoever made the loop.
 */
#ifndef RUN_LOOP_H
#define RUN_LOOP_H

#include "base/error.h"
#include "base/heap.h"
#include "base/list.h"

struct loop;

/* A timer lives in what it times; zeroed it is idle.  It fires once and is then idle again. */
struct timer {
    struct heap_node node; /* key: due, in ms of loop_now_ms() */
    void (*fire)(struct timer *);
};

/* Something to be run on a loop, once.  The post belongs to the caller and must live until run. */
struct post {
    struct post *next;
    void (*run)(struct post *);
};

/* From the first loop on, the process ignores SIGPIPE. */
bool loop_new(struct loop **out, struct error *);
/* Frees a loop whose streams and listeners are closed; runs what was posted and is still waiting.
 */
void loop_free(struct loop **);
/* Turns until loop_stop(). */
void loop_run(struct loop *);
/* Any thread.  loop_run() returns after the current turn; called before it, at once. */
void loop_stop(struct loop *);

/* Monotonic milliseconds, the same for the whole turn. */
uint64_t loop_now_ms(const struct loop *);
/* Starts or moves the timer.  Memory trouble: false, the timer is idle. */
bool loop_timer_start(struct loop *, struct timer *, uint64_t due_ms);
void loop_timer_stop(struct loop *, struct timer *);

/* Any thread.  Runs the post on the loop in a later turn, in order of posting for one poster;
 * many posts cost one wake-up. */
void loop_post(struct loop *, struct post *);
/* A whole chain linked by `next`, with one wake-up.  Any thread. */
void loop_post_all(struct loop *, struct post *first, struct post *last);

/* Calls `caught` on this loop whenever the process gets the signal.  Only for one loop of the
 * process. */
bool loop_on_signal(struct loop *, int signal, void (*caught)(void *owner), void *owner,
                    struct error *);

/* What this loop has done since it began; for statistics and tests. */
struct loop_figures {
    uint64_t turns;
    uint64_t wakeups;
};
struct loop_figures loop_figures(const struct loop *);

#endif
