/* lane.c - threads of our own for work that blocks, with a bounded queue.
 *
 * A thread is signalled only when a job comes and a thread is free for it: a lane that is at work
 * finds its next job without help.  What is done goes home at once; when the home loop is busy, its
 * queue of posts gathers them, and all cost one wake-up.
 *
 * The threads block all signals: those are for the loop that asked for them.
 */
#include "run/lane.h"

#include "base/check.h"
#include "base/list.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { LANE_STACK_BYTES = 256 * 1024, LANE_NAME_MAX = 15 };

struct lane {
    pthread_mutex_t lock; /* guards everything below except name and threads */
    pthread_cond_t work;
    struct job *first;
    struct job *last;
    size_t queued;
    size_t queue_max;
    unsigned idle; /* threads that wait for a signal */
    bool stopping;
    char name[LANE_NAME_MAX + 1];
    unsigned count;
    pthread_t threads[];
};

/* With the lock held; NULL when the lane ends. */
static struct job *next_job(struct lane *lane)
{
    while (!lane->first && !lane->stopping) {
        lane->idle++;
        pthread_cond_wait(&lane->work, &lane->lock);
        lane->idle--;
    }
    struct job *job = lane->first;
    if (job) {
        lane->first = job->next;
        lane->queued--;
    }
    return job;
}

static void come_home(struct post *post)
{
    struct job *job = OWNER_OF(post, struct job, post);
    job->done(job);
}

static void run_job(struct job *job)
{
    /* Without a home the job may free itself in its run. */
    struct loop *home = job->home;
    job->run(job);
    if (home) {
        job->post.run = come_home;
        loop_post(home, &job->post);
    }
}

static void *lane_thread(void *argument)
{
    struct lane *lane = argument;
    /* By itself: another thread's name is a file, which the sandbox does not open. */
    pthread_setname_np(pthread_self(), lane->name);
    pthread_mutex_lock(&lane->lock);
    for (struct job *job; (job = next_job(lane));) {
        pthread_mutex_unlock(&lane->lock);
        run_job(job);
        pthread_mutex_lock(&lane->lock);
    }
    pthread_mutex_unlock(&lane->lock);
    return NULL;
}

/* With the lock held. */
static void append(struct lane *lane, struct job *job)
{
    job->next = NULL;
    if (lane->first)
        lane->last->next = job;
    else
        lane->first = job;
    lane->last = job;
    lane->queued++;
    /* Each idle thread needs one signal; jobs beyond their number have been signalled for, or wait
     * for a thread that is at work. */
    if (lane->queued <= lane->idle)
        pthread_cond_signal(&lane->work);
}

bool lane_submit(struct lane *lane, struct job *job)
{
    pthread_mutex_lock(&lane->lock);
    bool room = lane->queued < lane->queue_max;
    if (room)
        append(lane, job);
    pthread_mutex_unlock(&lane->lock);
    return room;
}

void lane_follow(struct lane *lane, struct job *job)
{
    pthread_mutex_lock(&lane->lock);
    append(lane, job);
    pthread_mutex_unlock(&lane->lock);
}

void lane_give_way(void)
{
    sched_yield();
}

/* Returns 0 or an errno value. */
static int start_threads(struct lane *lane, unsigned threads)
{
    pthread_attr_t attributes;
    int status = pthread_attr_init(&attributes);
    if (status != 0)
        return status;
    CHECK(pthread_attr_setstacksize(&attributes, LANE_STACK_BYTES) == 0);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (status == 0 && lane->count < threads) {
        status = pthread_create(&lane->threads[lane->count], &attributes, lane_thread, lane);
        if (status == 0)
            lane->count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return status;
}

bool lane_new(const char *name, unsigned threads, size_t queue_max, struct lane **out,
              struct error *e)
{
    *out = NULL;
    CHECK(threads > 0);
    struct lane *lane = calloc(1, sizeof *lane + threads * sizeof lane->threads[0]);
    if (!lane)
        return error_system(e, ERROR_TEMPORARY, ENOMEM, "cannot make the lane %s", name);
    pthread_mutex_init(&lane->lock, NULL);
    pthread_cond_init(&lane->work, NULL);
    lane->queue_max = queue_max;
    snprintf(lane->name, sizeof lane->name, "%s", name);
    int status = start_threads(lane, threads);
    if (status != 0) {
        lane_free(&lane);
        return error_system(e, ERROR_TEMPORARY, status, "cannot start a thread of the lane %s",
                            name);
    }
    *out = lane;
    return true;
}

void lane_free(struct lane **lane_ref)
{
    struct lane *lane = *lane_ref;
    if (!lane)
        return;
    pthread_mutex_lock(&lane->lock);
    lane->stopping = true;
    pthread_cond_broadcast(&lane->work);
    pthread_mutex_unlock(&lane->lock);
    for (unsigned i = 0; i < lane->count; i++)
        pthread_join(lane->threads[i], NULL);
    /* Not before: a job that follows itself names the lane by its owner's pointer. */
    *lane_ref = NULL;
    CHECK(!lane->first);
    pthread_cond_destroy(&lane->work);
    pthread_mutex_destroy(&lane->lock);
    free(lane);
}
