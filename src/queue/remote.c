/* remote.c - a session with one next hop: its errands, and which job is next.
 *
 * Between remote_send() and came_back() everything here belongs to the session's loop.  While
 * dispatch has the errand the loop only notices that an idle connection ends, and forgets it.
 */
#include "queue/remote_inner.h"

#include "base/check.h"
#include "run/clock.h"
#include "run/entropy.h"

#include <stdlib.h>
#include <string.h>

enum { PENDING_MAX = 128 * 1024, FAILURE_MEMORY_MAX = 64 * 1024 };

/* --- On loop 0 --- */

struct remote *remote_new(struct remote_loop *home, void (*came_back)(void *owner, struct remote *),
                          void *owner)
{
    struct remote *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->home = home;
    r->office = home->office;
    r->loop = home->office->loops[home->index];
    r->came_back = came_back;
    r->owner = owner;
    list_init(&r->errand.jobs);
    list_init(&r->link);
    list_init(&r->done);
    buffer_init(&r->pending, PENDING_MAX);
    arena_init(&r->failure.memory, FAILURE_MEMORY_MAX);
    return r;
}

struct remote_errand *remote_errand(struct remote *r)
{
    return &r->errand;
}

void remote_free(struct remote **remote)
{
    struct remote *r = *remote;
    *remote = NULL;
    if (!r)
        return;
    CHECK(!r->stream && !r->machine && !r->hosts && !r->connecting);
    arena_reset(&r->failure.memory);
    buffer_clear(&r->pending);
    free(r);
}

static void errand_arrived(struct post *);
static void errand_is_back(struct post *post)
{
    struct remote *r = OWNER_OF(post, struct remote, back);
    r->came_back(r->owner, r);
}

void remote_send(struct remote *r)
{
    struct remote_errand *e = &r->errand;
    e->successes = 0;
    e->news = HOP_NO_NEWS;
    e->local_trouble = false;
    r->there.run = errand_arrived;
    loop_post(r->loop, &r->there);
}

/* --- On the session's loop --- */

static void join_loop(struct remote *r)
{
    if (r->is_listed)
        return;
    r->is_listed = true;
    list_append(&r->home->sessions, &r->link);
    log_name_session(r->home->next_session++, r->session);
    r->office->hold(r->office->server, r->home->index);
}

static void leave_loop(struct remote *r)
{
    r->is_listed = false;
    list_remove(&r->link);
    r->office->release(r->office->server, r->home->index);
}

/* A host that refused several senders for now and nobody else's is in trouble itself; a single one
 * may be all that it means.  What it said to one is not said of the others. */
static void judge_hop(struct remote *r)
{
    if (r->errand.news != HOP_NO_NEWS || !r->refused_many || r->errand.successes > 0)
        return;
    r->errand.news = HOP_FAILED;
    r->errand.outcome = (struct outcome){
        .status = T("4.3.2"), /* RFC 3463 X.3.2: system not accepting network messages */
        .host = r->failure.outcome.host,
        .host_name = r->failure.outcome.host_name,
        .reason = T("refuses every sender for now"),
    };
}

/* The errand goes home.  Without a connection that could be used again, the session is over. */
static void return_errand(struct remote *r, bool ended)
{
    struct list *link;
    judge_hop(r);
    r->state = REMOTE_AWAY;
    while ((link = list_take_first(&r->done)))
        list_append(&r->errand.jobs, link);
    r->errand.ended = ended;
    if (ended) {
        remote_hang_up(r);
        remote_call_clear(r);
        leave_loop(r); /* after this line the server may be at rest, but loop 0 is not */
    }
    r->back.run = errand_is_back;
    loop_post(r->office->loops[0], &r->back);
}

static void errand_arrived(struct post *post)
{
    struct remote *r = OWNER_OF(post, struct remote, there);
    join_loop(r);
    arena_reset(&r->failure.memory);
    r->failure.is_set = false;
    r->only_permanent = true;
    r->refused = NULL;
    r->refused_many = false;
    if (list_empty(&r->errand.jobs) && r->machine) {
        r->state = REMOTE_LEAVING;
        remote_talk_on(r);
    } else if (r->home->stopping) {
        remote_give_up(r);
    } else {
        remote_next(r);
    }
}

/* --- Which job is next --- */

static void end_job(struct remote *r)
{
    list_append(&r->done, &r->job->link);
    r->job = NULL;
}

/* The next slice of a job that has rows left, or the next job. */
bool remote_find_job(struct remote *r)
{
    if (r->job && (r->job->rows_sent == r->job->row_count || r->home->stopping))
        end_job(r);
    if (!r->job && !r->home->stopping) {
        struct list *link = list_take_first(&r->errand.jobs);
        r->job = link ? OWNER_OF(link, struct queue_job, link) : NULL;
    }
    return r->job != NULL;
}

/* Every job's fate is known once its commits are done.  When the server stops, dispatch sends the
 * session back to say QUIT (RFC 5321 4.1.1.10). */
static void finish(struct remote *r)
{
    if (r->settlements > 0)
        r->state = REMOTE_SETTLING;
    else
        return_errand(r, !r->machine);
}

void remote_next(struct remote *r)
{
    if (!remote_find_job(r)) {
        finish(r);
    } else if (!r->machine) {
        remote_call(r);
    } else {
        r->state = REMOTE_TALKING;
        remote_talk_on(r);
    }
}

void remote_give_up(struct remote *r)
{
    if (r->job)
        end_job(r); /* JOB_UNTRIED, unless a part of it was settled */
    remote_hang_up(r);
    remote_call_clear(r);
    finish(r);
}

void remote_settled(struct remote *r)
{
    CHECK(r->settlements > 0);
    r->settlements--;
    if (r->state == REMOTE_SETTLING)
        finish(r);
    else if (r->may_finish_asked && r->settlements == 0)
        remote_let_finish(r);
}

/* --- Stopping --- */

static void stop_session(struct remote *r)
{
    switch (r->state) {
    case REMOTE_AWAY: /* dispatch asks it to quit, or will */
    case REMOTE_SETTLING:
    case REMOTE_LEAVING:
        return;
    case REMOTE_CALLING:
        remote_give_up(r);
        return;
    case REMOTE_TALKING:
        if (r->content)
            remote_talk_on(r); /* no later than its grace, see remote_talk.c */
        else
            remote_give_up(r); /* nothing of a message has gone: nothing is waited for */
        return;
    }
}

static void stop_sessions(struct post *post)
{
    struct remote_loop *home = OWNER_OF(post, struct remote_loop, stop_post);
    home->stopping = true;
    home->stop_by_ms = loop_now_ms(home->office->loops[home->index]) + REMOTE_GRACE_MS;
    for (struct list *at = home->sessions.next, *next; at != &home->sessions; at = next) {
        next = at->next;
        stop_session(OWNER_OF(at, struct remote, link));
    }
}

void remote_loop_init(struct remote_loop *home, struct office *office, unsigned index)
{
    *home = (struct remote_loop){ .office = office, .index = index };
    home->next_session = entropy_u64();
    list_init(&home->sessions);
}

void remote_loop_stop(struct remote_loop *home)
{
    home->stop_post.run = stop_sessions;
    loop_post(home->office->loops[home->index], &home->stop_post);
}
