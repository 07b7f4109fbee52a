/* dispatch_hop.c - next hops: their sessions, what they may have, what they have learnt.
 *
 * A hop is what mail goes to: a domain by its MX hosts, a configured host with its port, an
 * address.  Concurrency belongs to it (store rule 25), whatever the number of domains behind it.
 */
#include "queue/dispatch_inner.h"

#include "base/check.h"
#include "run/clock.h"
#include "run/entropy.h"

#include <stdio.h>
#include <stdlib.h>

enum { WHY_MEMORY_MAX = 16 * 1024, FEED_MAX = 64 };

static void came_back(void *owner, struct remote *);

/* --- Being remembered --- */

static void timer_fired(struct timer *);

static struct hop *hop_new(struct dispatch *d, struct text name)
{
    struct hop *hop = calloc(1, sizeof *hop);
    if (!hop)
        return NULL;
    snprintf(hop->name, sizeof hop->name, "%.*s", TEXT_ARGS(name));
    hop->dispatch = d;
    hop->by_name.name = text_of(hop->name);
    hop->timer.fire = timer_fired;
    destination_init(&hop->destination);
    arena_init(&hop->why_memory, WHY_MEMORY_MAX);
    list_init(&hop->wanting);
    list_init(&hop->jobs);
    list_init(&hop->domains);
    list_init(&hop->idle);
    list_append(&d->hop_list, &hop->link);
    names_add(&d->hops, &hop->by_name);
    return hop;
}

void hop_free(struct hop *hop)
{
    CHECK(hop->sessions == 0 && hop->job_count == 0);
    loop_timer_stop(hop->dispatch->loop, &hop->timer);
    names_remove(&hop->dispatch->hops, &hop->by_name);
    list_remove(&hop->link);
    list_remove(&hop->wanting);
    arena_reset(&hop->why_memory);
    free(hop);
}

/* One that is down is remembered until its next probe is due. */
void hop_rest(struct hop *hop)
{
    bool waits = destination_is_down(&hop->destination) && hop->timer.node.place;
    if (hop->users == 0 && hop->sessions == 0 && hop->job_count == 0 && list_empty(&hop->domains) &&
        !waits)
        hop_free(hop);
}

void hop_use(struct hop *hop)
{
    hop->users++;
}

void hop_used(struct hop *hop)
{
    hop->users--;
    hop_rest(hop);
}

struct hop *hop_for(struct dispatch *d, struct text name)
{
    const struct config *c = dispatch_config(d);
    struct route route;
    char words[ROUTE_TEXT_MAX];
    route_for(c, name, &route);
    if (route.kind == ROUTE_TROUBLE)
        return NULL;
    struct text key = route_print(&route, words);
    struct name_node *known = names_find(&d->hops, key);
    struct hop *hop = known ? OWNER_OF(known, struct hop, by_name) : hop_new(d, key);
    if (!hop)
        return NULL;
    hop->route = route;
    destination_pace(&hop->destination, c->retry_ms[0]);
    return hop;
}

/* --- Jobs that wait for a session --- */

uint32_t hop_room(const struct hop *hop)
{
    uint64_t now = dispatch_now_ms(hop->dispatch);
    uint32_t used = hop->row_count + hop->taking_rows;
    uint32_t most = hop->destination.allowed * SESSION_ROWS;
    if (most > HOP_ROWS_MAX)
        most = HOP_ROWS_MAX;
    if (now < hop->rests_until_ms)
        return 0;
    if (!destination_is_down(&hop->destination))
        return used < most ? most - used : 0;
    return used == 0 && destination_may_open(&hop->destination, now) ? PROBE_ROWS : 0;
}

bool hop_gathers(const struct hop *hop)
{
    return hop->route.kind == ROUTE_HOST;
}

/* A job of this message that waits; NULL: none. */
static struct queue_job *find_job(const struct hop *hop, message_id message)
{
    for (struct list *at = hop->jobs.prev; at != &hop->jobs; at = at->prev) {
        struct queue_job *job = OWNER_OF(at, struct queue_job, link);
        if (job->item.row.message == message)
            return job;
    }
    return NULL;
}

void hop_add_job(struct hop *hop, struct queue_job *job)
{
    struct queue_job *known = hop_gathers(hop) ? find_job(hop, job->item.row.message) : NULL;
    hop->row_count += job->row_count;
    if (known && job_join(known, job))
        return;
    list_append(&hop->jobs, &job->link);
    hop->job_count++;
}

static struct queue_job *take_job(struct hop *hop)
{
    struct list *link = list_take_first(&hop->jobs);
    if (!link)
        return NULL;
    struct queue_job *job = OWNER_OF(link, struct queue_job, link);
    hop->job_count--;
    hop->row_count -= job->row_count;
    return job;
}

void hop_pause(struct hop *hop)
{
    struct dispatch *d = hop->dispatch;
    hop->rests_until_ms = dispatch_now_ms(d) + TROUBLE_REST_MS;
    if (!loop_timer_start(d->loop, &hop->timer, hop->rests_until_ms))
        dispatch_look_in(d, TROUBLE_REST_MS); /* finds its domains */
}

void hop_drop_jobs(struct hop *hop)
{
    struct queue_job *job;
    while ((job = take_job(hop)))
        domain_job_over(job, !hop->dispatch->stopping);
}

/* --- Sessions --- */

static void session_free(struct session *s)
{
    struct hop *hop = s->hop;
    struct dispatch *d = hop->dispatch;
    loop_timer_stop(d->loop, &s->linger);
    list_remove(&s->link);
    remote_free(&s->remote);
    free(s);
    hop->sessions--;
    d->sessions--;
    destination_closed(&hop->destination);
    dispatch_release(d);
}

static void quit(struct session *s)
{
    loop_timer_stop(s->hop->dispatch->loop, &s->linger);
    list_remove(&s->link);
    remote_send(s->remote); /* without jobs */
}

static void lingered(struct timer *timer)
{
    quit(OWNER_OF(timer, struct session, linger));
}

static struct session *session_new(struct hop *hop)
{
    struct dispatch *d = hop->dispatch;
    struct session *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    unsigned loop = d->next_loop++ % d->office->loop_count;
    s->remote = remote_new(&d->remotes[loop], came_back, s);
    if (!s->remote) {
        free(s);
        return NULL;
    }
    s->hop = hop;
    s->generation = d->generation;
    s->linger.fire = lingered;
    list_init(&s->link);
    hop->sessions++;
    d->sessions++;
    destination_opened(&hop->destination);
    dispatch_hold(d);
    return s;
}

void hop_quit_idle(struct hop *hop)
{
    struct list *link;
    while ((link = list_take_first(&hop->idle)))
        quit(OWNER_OF(link, struct session, link));
}

/* An even share of what waits, so that few messages go side by side and many do not cost a
 * question each. */
static uint32_t batch_of(const struct hop *hop)
{
    uint32_t allowed = hop->destination.allowed ? hop->destination.allowed : 1;
    uint32_t share = hop->job_count / allowed;
    return share < 1 ? 1 : share > BATCH_MAX ? BATCH_MAX : share;
}

static void give_jobs(struct session *s)
{
    struct hop *hop = s->hop;
    struct remote_errand *errand = remote_errand(s->remote);
    struct queue_job *job;
    errand->route = hop->route;
    for (uint32_t n = batch_of(hop); n > 0 && (job = take_job(hop)); n--)
        list_append(&errand->jobs, &job->link);
    remote_send(s->remote);
}

static struct session *find_session(struct hop *hop)
{
    struct dispatch *d = hop->dispatch;
    struct list *idle = list_take_first(&hop->idle);
    if (idle) {
        struct session *s = OWNER_OF(idle, struct session, link);
        loop_timer_stop(d->loop, &s->linger);
        return s;
    }
    if (!destination_may_open(&hop->destination, dispatch_now_ms(d)))
        return NULL;
    if (d->sessions >= SESSIONS_MAX) {
        if (list_empty(&hop->wanting))
            list_append(&d->hops_wanting, &hop->wanting);
        return NULL;
    }
    struct session *s = session_new(hop);
    if (!s)
        hop_pause(hop);
    return s;
}

void hop_go(struct hop *hop)
{
    struct session *s;
    if (hop->dispatch->stopping || dispatch_now_ms(hop->dispatch) < hop->rests_until_ms)
        return;
    while (hop->job_count > 0 && (s = find_session(hop)))
        give_jobs(s);
}

/* Hops that found all sessions taken: one of them has a turn for each that ends. */
static void next_hop_goes(struct dispatch *d)
{
    struct list *link = list_take_first(&d->hops_wanting);
    if (link)
        hop_go(OWNER_OF(link, struct hop, wanting));
}

/* --- What it has learnt --- */

static void keep_why(struct hop *hop, const struct outcome *o)
{
    struct arena *memory = &hop->why_memory;
    arena_reset(memory);
    hop->failed_ms = clock_wall_ms();
    hop->why = *o;
    if (!arena_text(memory, o->status, &hop->why.status) ||
        !arena_text(memory, o->host, &hop->why.host) ||
        !arena_text(memory, o->host_name, &hop->why.host_name) ||
        !arena_text(memory, o->reply, &hop->why.reply) ||
        !arena_text(memory, o->reply_to, &hop->why.reply_to) ||
        !arena_text(memory, o->reason, &hop->why.reason))
        hop->why = (struct outcome){ .reason = T("the host has failed") };
}

static void hop_failed(struct hop *hop, const struct outcome *why)
{
    struct dispatch *d = hop->dispatch;
    destination_failed(&hop->destination, dispatch_now_ms(d),
                       (unsigned)(entropy_u64() % DESTINATION_SPREAD));
    keep_why(hop, why);
}

static void plan_probe(struct hop *hop)
{
    struct dispatch *d = hop->dispatch;
    uint64_t at_ms = hop->destination.probe_at_ms;
    if (!loop_timer_start(d->loop, &hop->timer, at_ms))
        dispatch_look_in(d, at_ms - dispatch_now_ms(d)); /* finds its domains */
}

/* Its jobs wait in the store; a probe will tell. */
static void hop_goes_down(struct hop *hop)
{
    struct dispatch *d = hop->dispatch;
    LOG_EVENT(d->office->log, LOG_NOTICE, T("-"), "hop-down", { "hop", text_of(hop->name) },
              { "why", hop->why.reply.len ? hop->why.reply : hop->why.reason });
    plan_probe(hop);
    hop_drop_jobs(hop);
    hop_quit_idle(hop);
    sweep_hop(hop);
}

static void learn(struct hop *hop, const struct remote_errand *errand)
{
    for (uint32_t i = 0; i < errand->successes; i++)
        destination_succeeded(&hop->destination);
    if (errand->news == HOP_FAILED)
        hop_failed(hop, &errand->outcome);
    if (errand->local_trouble)
        hop_pause(hop);
}

void hop_feed(struct hop *hop)
{
    struct list *last = hop->domains.prev, *at = NULL;
    for (unsigned n = 0; n < FEED_MAX && at != last && (at = list_take_first(&hop->domains)); n++) {
        domain_wants(OWNER_OF(at, struct domain, in_hop));
        list_append(&hop->domains, at);
    }
}

static void timer_fired(struct timer *timer)
{
    struct hop *hop = OWNER_OF(timer, struct hop, timer);
    struct dispatch *d = hop->dispatch;
    if (hop->destination.state == DESTINATION_DOWN &&
        hop->destination.probe_at_ms > dispatch_now_ms(d))
        plan_probe(hop);
    hop_use(hop);
    hop_feed(hop);
    hop_go(hop);
    hop_used(hop);
    domains_take(d);
}

void hop_hurry(struct hop *hop)
{
    hop->rests_until_ms = 0;
    if (hop->destination.state == DESTINATION_DOWN)
        hop->destination.probe_at_ms = dispatch_now_ms(hop->dispatch);
    hop_feed(hop);
}

/* --- A session comes back --- */

static void return_jobs(struct hop *hop, struct remote_errand *errand)
{
    struct list *link;
    while ((link = list_take_first(&errand->jobs))) {
        struct queue_job *job = OWNER_OF(link, struct queue_job, link);
        if (job->fate == JOB_UNSURE)
            hop_pause(hop);
        domain_job_over(job, job->fate != JOB_SETTLED || job->rows_sent < job->row_count);
    }
}

static void keep_session(struct session *s)
{
    struct hop *hop = s->hop;
    struct dispatch *d = hop->dispatch;
    if (d->stopping || s->generation != d->generation || !destination_may_keep(&hop->destination)) {
        quit(s);
    } else if (hop->job_count > 0 && dispatch_now_ms(d) >= hop->rests_until_ms) {
        give_jobs(s);
    } else {
        list_append(&hop->idle, &s->link);
        if (!loop_timer_start(d->loop, &s->linger, dispatch_now_ms(d) + LINGER_MS))
            quit(s);
    }
}

static void came_back(void *owner, struct remote *remote)
{
    struct session *s = owner;
    struct hop *hop = s->hop;
    struct dispatch *d = hop->dispatch;
    struct remote_errand *errand = remote_errand(remote);
    enum destination_state was = hop->destination.state;
    bool ended = errand->ended, failed = errand->news == HOP_FAILED;
    dispatch_hold(d); /* its last session may be the last that held the loop */
    hop_use(hop);
    learn(hop, errand);
    return_jobs(hop, errand);
    if (ended)
        session_free(s);
    else
        keep_session(s);
    if (!d->stopping) {
        if (failed && was != DESTINATION_DOWN && destination_is_down(&hop->destination))
            hop_goes_down(hop);
        hop_feed(hop);
        hop_go(hop);
        next_hop_goes(d);
        domains_take(d);
    }
    hop_used(hop);
    dispatch_release(d);
}
