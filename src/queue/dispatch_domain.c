/* dispatch_domain.c - rows of a domain: taken from the store, made into jobs, come back.
 *
 * Domains stand in line and have a few rows taken in turn, so that none with a hundred thousand
 * stands before the others (store rule 25).  Each take asks anew where the domain's mail goes.
 */
#include "queue/dispatch_inner.h"

#include "base/check.h"
#include "run/clock.h"

#include <stdlib.h>
#include <string.h>

enum { AGAIN_MS = 1000, FULL_MS = 10 * 1000 };

static struct domain *domain_at(struct list *wanting)
{
    return OWNER_OF(wanting, struct domain, wanting);
}

/* --- Being remembered --- */

static struct domain *domain_new(struct dispatch *d, struct text name)
{
    struct domain *dm = calloc(1, sizeof *dm);
    if (!dm)
        return NULL;
    CHECK(name.len <= sizeof dm->name);
    memcpy(dm->name, name.at, name.len);
    dm->dispatch = d;
    dm->by_name.name = (struct text){ dm->name, name.len };
    list_init(&dm->in_hop);
    list_init(&dm->wanting);
    list_init(&dm->to_sweep);
    names_add(&d->domains, &dm->by_name);
    return dm;
}

void domain_free(struct domain *dm)
{
    names_remove(&dm->dispatch->domains, &dm->by_name);
    list_remove(&dm->in_hop);
    list_remove(&dm->wanting);
    list_remove(&dm->to_sweep);
    free(dm);
}

void domain_rest(struct domain *dm)
{
    struct hop *hop = dm->hop;
    if (dm->in_hand > 0 || dm->due || dm->taking || dm->sweeping)
        return;
    domain_free(dm);
    if (hop)
        hop_rest(hop);
}

static void set_hop(struct domain *dm, struct hop *hop)
{
    struct hop *old = dm->hop;
    if (old == hop)
        return;
    dm->hop = hop;
    list_remove(&dm->in_hop);
    list_append(&hop->domains, &dm->in_hop);
    if (old)
        hop_rest(old);
}

/* --- Standing in line --- */

/* What was passed by has waited long enough; but what is in hand may last. */
static bool drains(struct domain *dm)
{
    uint64_t now = dispatch_now_ms(dm->dispatch), until = dm->front_ms + DRAIN_MS + dm->drain_ms;
    if (!dm->leftover || dm->in_hand == 0 || now - dm->front_ms < DRAIN_MS)
        return false;
    if (now < until) {
        dispatch_look_in(dm->dispatch, until - now); /* which finds it due again */
        return true;
    }
    dm->front_ms = now;
    dm->drain_ms *= 2;
    return false;
}

void domain_wants(struct domain *dm)
{
    if (dm->due && !dm->taking && !dm->sweeping && !drains(dm) && list_empty(&dm->wanting))
        list_append(&dm->dispatch->domains_wanting, &dm->wanting);
}

static struct domain *domain_of(struct dispatch *d, struct text name)
{
    struct name_node *known = names_find(&d->domains, name);
    if (known)
        return OWNER_OF(known, struct domain, by_name);
    return d->domains.count < DOMAINS_MAX ? domain_new(d, name) : NULL;
}

void domain_is_due(struct dispatch *d, struct text name)
{
    struct domain *dm = domain_of(d, name);
    if (!dm) {
        dispatch_look_in(d, FULL_MS);
        return;
    }
    dm->due = true;
    dm->poked |= dm->taking;
    domain_wants(dm);
}

/* --- Rows into jobs --- */

static uint32_t rows_of_first_message(const struct queue_item *items, uint32_t count)
{
    uint32_t n = 1;
    while (n < count && n < JOB_ROWS_MAX && items[n].row.message == items[0].row.message)
        n++;
    return n;
}

static void add_job(struct domain *dm, struct queue_job *job, const struct queue_item *last)
{
    job->domain = dm;
    dm->in_hand += job->row_count;
    dm->dispatch->rows_in_hand += job->row_count;
    dm->after = (struct queue_place){ last->row.due_ms, last->row.message, last->row.number };
    hop_add_job(dm->hop, job);
}

/* Returns how many of the rows are jobs now: all, but for a probe only the first message, and less
 * when memory is short. */
static uint32_t make_jobs(struct domain *dm)
{
    const struct queue_take *t = &dm->take;
    bool probe = destination_is_down(&dm->hop->destination);
    uint32_t made = 0;
    if (hop_room(dm->hop) == 0) /* it went down meanwhile */
        return 0;
    while (made < t->item_count && !(probe && made > 0)) {
        const struct queue_item *first = &t->items[made];
        uint32_t count = rows_of_first_message(first, t->item_count - made);
        struct queue_job *job = job_new(first, count);
        if (!job) {
            hop_pause(dm->hop);
            break;
        }
        add_job(dm, job, first + count - 1);
        made += count;
    }
    return made;
}

/* With nothing in hand, what was passed by can be taken. */
static void look_back(struct domain *dm)
{
    if (dm->in_hand > 0 || dm->taking)
        return;
    dm->due |= dm->leftover;
    dm->leftover = false;
}

static void use_rows(struct domain *dm)
{
    struct queue_take *t = &dm->take;
    uint32_t made = make_jobs(dm);
    dm->due = dm->poked || made < t->item_count || t->item_count == t->rows_max;
    dm->leftover |= t->after.message != 0;
    look_back(dm);
    domain_wants(dm);
    if (!hop_gathers(dm->hop))
        hop_go(dm->hop);
}

/* --- Taking --- */

static void took(struct queue_take *t)
{
    struct domain *dm = OWNER_OF(t, struct domain, take);
    struct dispatch *d = dm->dispatch;
    struct hop *hop = dm->hop;
    d->takes--;
    dm->taking = false;
    hop->taking_rows -= t->rows_max;
    hop_use(hop);
    if (d->stopping) {
        dm->due = false;
    } else if (t->ok) {
        use_rows(dm);
    } else {
        LOG_EVENT(d->office->log, LOG_WARNING, T("-"), "queue", { "why", error_text(&t->error) });
        dispatch_look_in(d, AGAIN_MS);
    }
    queue_take_clear(t);
    domain_rest(dm);
    hop_feed(hop); /* the room that was kept may not have been used */
    domains_take(d);
    if (hop_gathers(hop) && hop->taking_rows == 0) {
        hop_go(hop);
        hop_feed(hop);
        domains_take(d);
    }
    hop_used(hop);
    dispatch_release(d);
}

static void take_rows(struct domain *dm)
{
    struct dispatch *d = dm->dispatch;
    struct hop *hop = dispatch_may_read(d) ? hop_for(d, dm->by_name.name) : NULL;
    if (!hop) {
        dispatch_look_in(d, AGAIN_MS);
        return;
    }
    set_hop(dm, hop);
    uint32_t room = hop_room(hop);
    if (room == 0)
        return; /* hop_feed() will think of it */
    if (dm->in_hand == 0) {
        dm->after = (struct queue_place){ 0 };
        dm->front_ms = dispatch_now_ms(d);
        dm->drain_ms = DRAIN_MS;
    }
    dm->poked = false;
    dm->take = (struct queue_take){ .domain = dm->by_name.name,
                                    .now_ms = clock_wall_ms(),
                                    .rows_max = room < TAKE_ROWS ? room : TAKE_ROWS,
                                    .after = dm->after,
                                    .home = d->loop,
                                    .done = took };
    dm->taking = queue_take_start(d->office->store, &dm->take);
    if (!dm->taking) {
        dispatch_look_in(d, AGAIN_MS);
        return;
    }
    hop->taking_rows += dm->take.rows_max;
    d->takes++;
    dispatch_hold(d);
}

void domains_take(struct dispatch *d)
{
    struct list *first;
    while (!d->stopping && d->takes < TAKES_MAX && d->rows_in_hand < ROWS_MAX &&
           (first = list_take_first(&d->domains_wanting)))
        take_rows(domain_at(first));
}

/* --- Coming back --- */

void domain_job_over(struct queue_job *job, bool again)
{
    struct domain *dm = job->domain;
    struct list *part;
    while ((part = list_take_first(&job->parts)))
        domain_job_over(OWNER_OF(part, struct queue_job, link), again);
    CHECK(dm->in_hand >= job->own_count);
    dm->in_hand -= job->own_count;
    dm->dispatch->rows_in_hand -= job->own_count;
    dm->leftover |= again;
    job_free(&job);
    if (dm->in_hand > 0)
        return;
    dispatch_look_soon(dm->dispatch);
    look_back(dm);
    domain_wants(dm);
    domain_rest(dm);
}
