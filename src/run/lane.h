/* lane.h - threads of our own for work that blocks, with a bounded queue.
 *
 * A job runs on one of the lane's threads and is then done on the loop that it came from.  A lane
 * of width one runs its jobs in order.
 */
#ifndef RUN_LANE_H
#define RUN_LANE_H

#include "run/loop.h"

struct lane;

/* A job belongs to the caller and must live until done (or until run, when `home` is NULL). */
struct job {
    void (*run)(struct job *);  /* on a thread of the lane; may block */
    void (*done)(struct job *); /* on `home`; may be NULL when home is NULL */
    struct loop *home;          /* NULL: nobody waits, the job ends with run */
    struct post post;           /* private: the way back */
    struct job *next;           /* private: the queue */
};

/* `name` (at most 15 octets) names the threads.  Threads exist from this call on. */
bool lane_new(const char *name, unsigned threads, size_t queue_max, struct lane **out,
              struct error *);
/* Runs what is queued, joins the threads, frees. */
void lane_free(struct lane **);

/* Any thread, the lane's own too.  False when the queue is full: nothing happened. */
bool lane_submit(struct lane *, struct job *);
/* Any thread.  Like lane_submit, but never refused: for follow-up jobs whose number is bounded by
 * what was admitted before (a commit's own steps). */
void lane_follow(struct lane *, struct job *);
/* In a job's run: whoever waits for this processor goes first.  Returns at once when nobody does.
 */
void lane_give_way(void);

#endif
