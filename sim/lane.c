/* lane.c - run/lane.h in the simulated world: a job is an event, and takes no time itself.
 *
 * A lane of width n has n workers; each takes the next job some time after it was submitted, so
 * that jobs of different lanes happen in any order, and a crash may come between any two.
 */
#include "run/lane.h"

#include "sim/world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORKERS_MAX = 8, NAME_OCTETS = 16, JOB_US_MAX = 120 };

struct worker {
    struct event event;
    struct lane *lane;
};

struct lane {
    char name[NAME_OCTETS];
    struct job *first;
    struct job *last;
    size_t queued;
    size_t queue_max;
    unsigned width;
    struct worker workers[WORKERS_MAX];
};

static void come_home(struct post *post)
{
    struct job *job = OWNER_OF(post, struct job, post);
    job->done(job);
}

static void run_next(struct lane *lane)
{
    struct job *job = lane->first;
    lane->first = job->next;
    lane->queued--;
    struct loop *home = job->home;
    job->run(job);
    if (home) {
        job->post.run = come_home;
        loop_post(home, &job->post);
    }
}

/* A worker for each job that waits, as far as there are any. */
static void call_workers(struct lane *lane)
{
    size_t at_work = 0;
    for (unsigned i = 0; i < lane->width; i++)
        at_work += event_is_set(&lane->workers[i].event);
    for (unsigned i = 0; i < lane->width && at_work < lane->queued; i++) {
        struct event *e = &lane->workers[i].event;
        if (event_is_set(e))
            continue;
        uint64_t us = 1 + chance_below(JOB_US_MAX);
        if (fault_strikes(FAULT_STALL, world_now()->weather.stall))
            us += chance_below(2000000);
        event_in(e, us);
        at_work++;
    }
}

static void work(struct event *e)
{
    struct lane *lane = OWNER_OF(e, struct worker, event)->lane;
    if (lane->first)
        run_next(lane);
    call_workers(lane);
}

bool lane_new(const char *name, unsigned threads, size_t queue_max, struct lane **out,
              struct error *e)
{
    struct lane *lane = calloc(1, sizeof *lane);
    *out = lane;
    if (!lane)
        return error_system(e, ERROR_TEMPORARY, ENOMEM, "cannot make a lane");
    snprintf(lane->name, sizeof lane->name, "%s", name);
    lane->queue_max = queue_max;
    lane->width = threads < WORKERS_MAX ? threads : WORKERS_MAX;
    for (unsigned i = 0; i < lane->width; i++)
        lane->workers[i] =
            (struct worker){ .event = { .fire = work, .host = world_current(), .on_lane = true },
                             .lane = lane };
    return true;
}

void lane_free(struct lane **lane_ref)
{
    struct lane *lane = *lane_ref;
    if (!lane)
        return;
    while (lane->first)
        run_next(lane);
    for (unsigned i = 0; i < lane->width; i++)
        event_cancel(&lane->workers[i].event);
    *lane_ref = NULL;
    free(lane);
}

void lane_follow(struct lane *lane, struct job *job)
{
    job->next = NULL;
    if (lane->first)
        lane->last->next = job;
    else
        lane->first = job;
    lane->last = job;
    lane->queued++;
    call_workers(lane);
}

bool lane_submit(struct lane *lane, struct job *job)
{
    if (lane->queued >= lane->queue_max)
        return false;
    lane_follow(lane, job);
    return true;
}

void lane_give_way(void) {}
