/* dispatch.c - looking for domains that have mail due; starting, stopping, being poked.
 *
 * A look costs the lane that reads the index a moment, so there is one at a time, and the next one
 * waits at least as long as the last one took.
 */
#include "queue/dispatch_inner.h"

#include "base/check.h"
#include "run/clock.h"
#include "run/entropy.h"

#include <stdlib.h>
#include <string.h>

enum {
    LOOK_MAX_MS = 3600 * 1000, /* there is always a next look */
    LOOK_AGAIN_MS = 1000,      /* after trouble */
    LOOK_SOON_MS = 500,        /* after results: one look for many of them */
    LOOK_WAIT_MAX_MS = 1000,
};

void dispatch_hold(struct dispatch *d)
{
    d->office->hold(d->office->server, 0);
}

void dispatch_release(struct dispatch *d)
{
    d->office->release(d->office->server, 0);
}

const struct config *dispatch_config(const struct dispatch *d)
{
    return d->office->config(d->office->server, 0);
}

uint64_t dispatch_now_ms(const struct dispatch *d)
{
    return loop_now_ms(d->loop);
}

/* A row that a result has settled would be shown again. */
bool dispatch_may_read(const struct dispatch *d)
{
    enum store_health health = store_health(d->office->store);
    return health != STORE_BEHIND && health != STORE_FAILED;
}

/* --- Looking --- */

static void look(struct dispatch *);

static void look_fired(struct timer *timer)
{
    struct dispatch *d = OWNER_OF(timer, struct dispatch, look_timer);
    CHECK(loop_timer_start(d->loop, timer, dispatch_now_ms(d) + LOOK_MAX_MS));
    look(d);
}

void dispatch_look_in(struct dispatch *d, uint64_t after_ms)
{
    uint64_t due = dispatch_now_ms(d) + (after_ms < LOOK_MAX_MS ? after_ms : LOOK_MAX_MS);
    if (!d->stopping && due < d->look_timer.node.key)
        loop_timer_start(d->loop, &d->look_timer, due);
}

void dispatch_look_soon(struct dispatch *d)
{
    dispatch_look_in(d, LOOK_SOON_MS);
}

static void plan_next_look(struct dispatch *d)
{
    uint64_t now = dispatch_now_ms(d);
    uint64_t took = now - d->look_began_ms;
    int64_t wait =
        d->look.next_due_ms == INT64_MAX ? LOOK_MAX_MS : d->look.next_due_ms - clock_wall_ms();
    d->look_not_before_ms = now + (took < LOOK_WAIT_MAX_MS ? took : LOOK_WAIT_MAX_MS);
    dispatch_look_in(d, wait > 0 ? (uint64_t)wait : 0);
    if (d->look_again)
        dispatch_look_in(d, 0);
}

/* Where as many were found as can be at a time, the next look goes on behind them. */
static void remember_place(struct dispatch *d)
{
    const struct queue_look *l = &d->look;
    d->look_after_len = 0;
    d->look_after_due_ms = 0;
    if (l->domain_count < l->domains_max)
        return;
    const struct queue_domain *last = &l->domains[l->domain_count - 1];
    CHECK(last->name.len <= sizeof d->look_after);
    memcpy(d->look_after, last->name.at, last->name.len);
    d->look_after_len = last->name.len;
    d->look_after_due_ms = last->due_ms;
    d->look_again = true;
}

static void looked(struct queue_look *l)
{
    struct dispatch *d = OWNER_OF(l, struct dispatch, look);
    d->looking = false;
    if (d->stopping) {
        /* nobody wants to know any more */
    } else if (!l->ok) {
        LOG_EVENT(d->office->log, LOG_WARNING, T("-"), "queue", { "why", error_text(&l->error) });
        dispatch_look_in(d, LOOK_AGAIN_MS);
    } else {
        for (uint32_t i = 0; i < l->domain_count; i++)
            domain_is_due(d, l->domains[i].name);
        remember_place(d);
        plan_next_look(d);
    }
    queue_look_clear(l);
    domains_take(d);
    dispatch_release(d);
}

static void look(struct dispatch *d)
{
    uint64_t now = dispatch_now_ms(d);
    if (d->stopping || !d->started)
        return;
    if (d->looking) {
        d->look_again = true;
        return;
    }
    if (now < d->look_not_before_ms) {
        dispatch_look_in(d, d->look_not_before_ms - now);
        return;
    }
    dispatch_watch_clock(d);
    d->look_again = false;
    d->look_began_ms = now;
    d->look = (struct queue_look){ .now_ms = clock_wall_ms(),
                                   .domains_max = QUEUE_DOMAINS_MAX,
                                   .after_due_ms = d->look_after_due_ms,
                                   .after_name = { d->look_after, d->look_after_len },
                                   .home = d->loop,
                                   .done = looked };
    d->looking = dispatch_may_read(d) && queue_look_start(d->office->store, &d->look);
    if (d->looking)
        dispatch_hold(d);
    else
        dispatch_look_in(d, LOOK_AGAIN_MS);
}

static void poked(struct post *post)
{
    struct dispatch *d = OWNER_OF(post, struct dispatch, poke_post);
    atomic_flag_clear(&d->poked);
    look(d);
}

void dispatch_poke(struct dispatch *d)
{
    if (d && !atomic_flag_test_and_set(&d->poked))
        loop_post(d->loop, &d->poke_post);
}

/* --- A person's hand --- */

/* All hops stay while something is done to each: a job of one may be the last of a domain that has
 * moved to another. */
static void use_hops(struct dispatch *d)
{
    for (struct list *at = d->hop_list.next; at != &d->hop_list; at = at->next)
        hop_use(OWNER_OF(at, struct hop, link));
}

static void hops_used(struct dispatch *d)
{
    for (struct list *at = d->hop_list.next, *next; at != &d->hop_list; at = next) {
        next = at->next;
        hop_used(OWNER_OF(at, struct hop, link));
    }
}

void dispatch_steered(struct dispatch *d, bool hurry)
{
    use_hops(d);
    for (struct list *at = d->hop_list.next; at != &d->hop_list; at = at->next) {
        struct hop *hop = OWNER_OF(at, struct hop, link);
        hop_drop_jobs(hop);
        if (hurry)
            hop_hurry(hop);
    }
    hops_used(d);
    d->look_not_before_ms = 0;
    look(d);
}

static uint64_t hop_next_ms(const struct hop *hop)
{
    uint64_t now = dispatch_now_ms(hop->dispatch), at = hop->destination.probe_at_ms;
    return at > now ? at - now : 0;
}

void dispatch_each_hop(struct dispatch *d, void (*each)(void *owner, const struct dispatch_hop *),
                       void *owner)
{
    for (struct list *at = d->hop_list.next; at != &d->hop_list; at = at->next) {
        const struct hop *hop = OWNER_OF(at, struct hop, link);
        struct dispatch_hop shown = {
            .name = text_of(hop->name),
            .down = destination_is_down(&hop->destination),
            .sessions = hop->sessions,
            .waiting = hop->row_count,
            .last = hop->why.reply.len ? hop->why.reply : hop->why.reason,
        };
        if (shown.down)
            shown.next_ms = clock_wall_ms() + (int64_t)hop_next_ms(hop);
        each(owner, &shown);
    }
}

/* --- From start to end --- */

bool dispatch_new(struct office *office, struct dispatch **out, struct error *error)
{
    struct dispatch *d = calloc(1, sizeof *d);
    struct loop *loop = office->loops[0];
    if (d && names_init(&d->domains, entropy_u64()) && names_init(&d->hops, entropy_u64()) &&
        loop_timer_start(loop, &d->look_timer, loop_now_ms(loop) + LOOK_MAX_MS)) {
        d->office = office;
        d->loop = loop;
        d->look_timer.fire = look_fired;
        d->poke_post.run = poked;
        atomic_flag_clear(&d->poked);
        list_init(&d->hop_list);
        list_init(&d->domains_wanting);
        list_init(&d->hops_wanting);
        list_init(&d->to_sweep);
        for (unsigned i = 0; i < office->loop_count; i++)
            remote_loop_init(&d->remotes[i], office, i);
        *out = d;
        return true;
    }
    if (d) {
        names_clear(&d->domains);
        names_clear(&d->hops);
    }
    free(d);
    return error_set(error, ERROR_TEMPORARY, "memory is short");
}

void dispatch_start(struct dispatch *d)
{
    d->started = true;
    atomic_fetch_add(&d->office->clock_offset_ms, office_clock_jump(d->office));
    atomic_store(&d->office->expiry_pauses, false);
    d->generation++;
    for (struct list *at = d->hop_list.next; at != &d->hop_list; at = at->next)
        hop_quit_idle(OWNER_OF(at, struct hop, link));
    dispatch_steered(d, true);
}

void dispatch_stop(struct dispatch *d)
{
    if (d->stopping)
        return;
    d->stopping = true;
    loop_timer_stop(d->loop, &d->look_timer);
    use_hops(d);
    for (struct list *at = d->hop_list.next; at != &d->hop_list; at = at->next) {
        struct hop *hop = OWNER_OF(at, struct hop, link);
        loop_timer_stop(d->loop, &hop->timer);
        hop_drop_jobs(hop);
        hop_quit_idle(hop);
    }
    hops_used(d);
    for (unsigned i = 0; i < d->office->loop_count; i++)
        remote_loop_stop(&d->remotes[i]);
}

void dispatch_free(struct dispatch **dispatch)
{
    struct dispatch *d = *dispatch;
    struct name_node *any;
    *dispatch = NULL;
    if (!d)
        return;
    CHECK(d->sessions == 0 && d->takes == 0 && !d->looking && !d->sweep && !d->recall.runs);
    loop_timer_stop(d->loop, &d->look_timer);
    while ((any = names_any(&d->domains)))
        domain_free(OWNER_OF(any, struct domain, by_name));
    while ((any = names_any(&d->hops)))
        hop_free(OWNER_OF(any, struct hop, by_name));
    names_clear(&d->domains);
    names_clear(&d->hops);
    free(d);
}
