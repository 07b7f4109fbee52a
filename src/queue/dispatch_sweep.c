/* dispatch_sweep.c - rows behind a hop that is down: warned about, given up.
 *
 * They have no attempts of their own: the hop's probes stand for them (store rule 25).  After each
 * probe that failed all of them are looked through, a page at a time, one domain at a time; only
 * where something is to be told or given up is anything written.
 */
#include "queue/dispatch_inner.h"

#include "base/check.h"
#include "run/clock.h"

#include <stdlib.h>

enum { PAGE_ROWS = 512, SWEEP_MEMORY_MAX = 4 * 1024 * 1024 };

struct sweep {
    struct dispatch *dispatch;
    struct domain *domain;
    struct queue_take page;
    uint32_t at; /* in the page */
    struct settle_options options;
    struct settled recipients[JOB_ROWS_MAX];
    struct arena memory; /* of one message's words */
};

static void next_sweep(struct dispatch *);
static bool take_page(struct sweep *, struct queue_place after);

static void sweep_free(struct sweep *s)
{
    s->dispatch->sweep = NULL;
    s->domain->sweeping = false;
    queue_take_clear(&s->page);
    arena_reset(&s->memory);
    free(s);
}

static void end(struct sweep *s)
{
    struct dispatch *d = s->dispatch;
    struct domain *dm = s->domain;
    sweep_free(s);
    dm->due &= !d->stopping;
    dispatch_look_soon(d);
    domain_wants(dm);
    domain_rest(dm);
    next_sweep(d);
    domains_take(d);
    dispatch_release(d);
}

static bool is_over(const struct sweep *s)
{
    return s->dispatch->stopping || !destination_is_down(&s->domain->hop->destination);
}

/* --- One message after the other --- */

static struct outcome_attempt attempt_of(const struct sweep *s, const struct queue_item *item)
{
    struct dispatch *d = s->dispatch;
    return (struct outcome_attempt){
        .item = item,
        .schedule = office_schedule(d->office, dispatch_config(d)),
        .now_ms = clock_wall_ms(),
        .tried_ms = s->domain->hop->failed_ms,
    };
}

/* The rows of one message of which something is to be written. */
static uint32_t gather(struct sweep *s, const struct queue_item *first)
{
    struct outcome_attempt a = attempt_of(s, first);
    const struct hop *hop = s->domain->hop;
    uint32_t count = 0;
    arena_reset(&s->memory);
    for (; s->at < s->page.item_count && count < JOB_ROWS_MAX; s->at++) {
        const struct queue_row *row = &s->page.items[s->at].row;
        if (row->message != first->row.message)
            break;
        count += outcome_behind(&a, row, &hop->why, &s->memory, &s->recipients[count]);
    }
    return count;
}

static void go_on(struct sweep *);

static void log_rows(const struct sweep *s)
{
    for (size_t i = 0; i < s->options.count; i++)
        remote_log_row(s->dispatch->office->log, T("-"), s->domain->hop->why.host,
                       &s->recipients[i]);
}

static void settled(void *owner, enum store_verdict verdict, const struct error *error)
{
    struct sweep *s = owner;
    (void)error;
    if (verdict != STORE_STORED) {
        end(s); /* the next probe brings another */
        return;
    }
    log_rows(s);
    go_on(s);
}

static void settle(struct sweep *s, const struct queue_item *item, uint32_t count)
{
    s->options = (struct settle_options){
        .office = s->dispatch->office,
        .loop = 0,
        .item = item,
        .recipients = s->recipients,
        .count = count,
        .done = settled,
        .owner = s,
    };
    if (!settle_start(&s->options))
        end(s);
}

static void go_on(struct sweep *s)
{
    const struct queue_take *page = &s->page;
    while (s->at < page->item_count && !is_over(s)) {
        const struct queue_item *first = &page->items[s->at];
        uint32_t count = gather(s, first);
        if (count > 0) {
            settle(s, first, count);
            return;
        }
    }
    if (page->item_count < page->rows_max || is_over(s)) {
        end(s);
        return;
    }
    const struct queue_row *last = &page->items[page->item_count - 1].row;
    if (!take_page(s, (struct queue_place){ last->due_ms, last->message, last->number }))
        end(s);
}

/* --- One page after the other --- */

static void page_taken(struct queue_take *t)
{
    struct sweep *s = OWNER_OF(t, struct sweep, page);
    if (t->ok)
        go_on(s);
    else
        end(s);
}

/* False: the store cannot be asked now. */
static bool take_page(struct sweep *s, struct queue_place after)
{
    struct dispatch *d = s->dispatch;
    queue_take_clear(&s->page);
    s->at = 0;
    s->page = (struct queue_take){ .domain = s->domain->by_name.name,
                                   .now_ms = clock_wall_ms(),
                                   .rows_max = PAGE_ROWS,
                                   .after = after,
                                   .home = d->loop,
                                   .done = page_taken };
    return dispatch_may_read(d) && queue_take_start(d->office->store, &s->page);
}

/* --- One domain after the other --- */

static bool may_sweep(const struct domain *dm)
{
    return dm->due && dm->in_hand == 0 && !dm->taking && !dm->sweeping;
}

/* False: not now; the next probe brings another. */
static bool begin(struct domain *dm)
{
    struct dispatch *d = dm->dispatch;
    struct sweep *s = calloc(1, sizeof *s);
    if (!s)
        return false;
    s->dispatch = d;
    s->domain = dm;
    arena_init(&s->memory, SWEEP_MEMORY_MAX);
    d->sweep = s;
    dm->sweeping = true;
    if (!take_page(s, (struct queue_place){ 0 })) {
        sweep_free(s);
        return false;
    }
    list_remove(&dm->wanting);
    dispatch_hold(d);
    return true;
}

static void next_sweep(struct dispatch *d)
{
    struct list *link;
    while (!d->sweep && !d->stopping && (link = list_take_first(&d->to_sweep))) {
        struct domain *dm = OWNER_OF(link, struct domain, to_sweep);
        if (may_sweep(dm) && destination_is_down(&dm->hop->destination) && !begin(dm))
            return;
    }
}

void sweep_hop(struct hop *hop)
{
    struct dispatch *d = hop->dispatch;
    for (struct list *at = hop->domains.next; at != &hop->domains; at = at->next) {
        struct domain *dm = OWNER_OF(at, struct domain, in_hop);
        if (may_sweep(dm) && list_empty(&dm->to_sweep))
            list_append(&d->to_sweep, &dm->to_sweep);
    }
    next_sweep(d);
}
