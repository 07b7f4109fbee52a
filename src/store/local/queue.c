/* queue.c - the queue as its callers see it: domains that are due, their rows, and all that waits.
 *
 * Each question is one job of the reading lane and one read transaction; what it finds is copied
 * into an arena.  Nothing here changes a row: that is a commit's work.
 */
#include "store/queue.h"

#include "base/arena.h"
#include "store/local/inspect.h"
#include "store/local/store_inner.h"

#include <stdlib.h>

/* All texts of the largest answer. */
#define MEMORY_MAX ((size_t)1 << 30)

static bool no_memory(struct error *error)
{
    return error_set(error, ERROR_TEMPORARY, "out of memory");
}

static struct arena *memory_new(void)
{
    struct arena *memory = malloc(sizeof *memory);
    if (memory)
        arena_init(memory, MEMORY_MAX);
    return memory;
}

static void memory_free(struct arena **memory_ref)
{
    if (*memory_ref)
        arena_reset(*memory_ref);
    free(*memory_ref);
    *memory_ref = NULL;
}

/* --- Domains --- */

static bool add_domain(void *owner, const struct queue_domain *domain, struct error *error)
{
    struct queue_look *look = owner;
    struct queue_domain *mine = &look->domains[look->domain_count];
    *mine = *domain;
    if (!arena_text(look->memory, domain->name, &mine->name))
        return no_memory(error);
    look->domain_count++;
    return true;
}

static bool look_around(struct queue_look *look, struct index *index)
{
    struct index_visitor visitor = { .domain = add_domain, .owner = look };
    uint32_t max = look->domains_max < QUEUE_DOMAINS_MAX ? look->domains_max : QUEUE_DOMAINS_MAX;
    look->memory = memory_new();
    if (look->memory && max > 0)
        look->domains = arena_take(look->memory, max * sizeof *look->domains);
    if (!look->memory || (max > 0 && !look->domains))
        return no_memory(&look->error);
    return index_due_domains(index, look, &visitor, &look->error) &&
           index_next_due(index, look->now_ms, &look->next_due_ms, &look->error);
}

static void run_look(struct job *job)
{
    struct queue_look *look = OWNER_OF(job, struct queue_look, job);
    struct index *index = reading_begin(look->store, &look->error);
    if (!index)
        return;
    if (index_read_begin(index, &look->error)) {
        look->ok = look_around(look, index);
        index_read_end(index);
    }
    reading_end(look->store, &look->error);
}

static void look_done(struct job *job)
{
    struct queue_look *look = OWNER_OF(job, struct queue_look, job);
    look->done(look);
}

bool queue_look_start(struct store *store, struct queue_look *look)
{
    look->ok = false;
    look->error = (struct error){ 0 };
    look->domains = NULL;
    look->domain_count = 0;
    look->next_due_ms = INT64_MAX;
    look->memory = NULL;
    look->store = store;
    look->job = (struct job){ .run = run_look, .done = look_done, .home = look->home };
    return lane_submit(store->fast, &look->job);
}

void queue_look_clear(struct queue_look *look)
{
    memory_free(&look->memory);
    look->domains = NULL;
    look->domain_count = 0;
}

/* --- Rows of a domain --- */

static bool add_item(void *owner, const struct queue_item *item, struct error *error)
{
    struct queue_take *take = owner;
    struct queue_item *mine = &take->items[take->item_count];
    *mine = *item;
    if (!arena_text(take->memory, item->row.address, &mine->row.address) ||
        !arena_text(take->memory, item->row.domain, &mine->row.domain) ||
        !arena_text(take->memory, item->row.last, &mine->row.last) ||
        !arena_text(take->memory, item->row.orcpt, &mine->row.orcpt) ||
        !arena_text(take->memory, item->sender, &mine->sender) ||
        !arena_text(take->memory, item->envelope.ret, &mine->envelope.ret) ||
        !arena_text(take->memory, item->envelope.envid, &mine->envelope.envid))
        return no_memory(error);
    take->item_count++;
    return true;
}

static bool take_rows(struct queue_take *take, struct index *index)
{
    struct index_visitor visitor = { .queued = add_item, .owner = take };
    struct index_due due = {
        .domain = take->domain,
        .now_ms = take->now_ms,
        .after = take->after,
        .max = take->rows_max < QUEUE_ITEMS_MAX ? take->rows_max : QUEUE_ITEMS_MAX,
    };
    take->memory = memory_new();
    if (take->memory && due.max > 0)
        take->items = arena_take(take->memory, due.max * sizeof *take->items);
    if (!take->memory || (due.max > 0 && !take->items))
        return no_memory(&take->error);
    if (due.max == 0)
        return true;
    return take->all ? index_each_queued(index, &take->after, due.max, &visitor, &take->error)
                     : index_due_rows(index, &due, &visitor, &take->error);
}

static void run_take(struct job *job)
{
    struct queue_take *take = OWNER_OF(job, struct queue_take, job);
    struct index *index = reading_begin(take->store, &take->error);
    if (!index)
        return;
    if (index_read_begin(index, &take->error)) {
        take->ok = take_rows(take, index);
        index_read_end(index);
    }
    reading_end(take->store, &take->error);
}

static void take_done(struct job *job)
{
    struct queue_take *take = OWNER_OF(job, struct queue_take, job);
    take->done(take);
}

bool queue_take_start(struct store *store, struct queue_take *take)
{
    take->ok = false;
    take->error = (struct error){ 0 };
    take->items = NULL;
    take->item_count = 0;
    take->memory = NULL;
    take->store = store;
    take->job = (struct job){ .run = run_take, .done = take_done, .home = take->home };
    return lane_submit(store->fast, &take->job);
}

void queue_take_clear(struct queue_take *take)
{
    memory_free(&take->memory);
    take->items = NULL;
    take->item_count = 0;
}

/* --- For the command line --- */

struct item_caller {
    bool (*each)(void *owner, const struct queue_item *);
    void *owner;
    bool stopped;
};

static bool call_item(void *owner, const struct queue_item *item, struct error *error)
{
    (void)error;
    struct item_caller *caller = owner;
    caller->stopped = !caller->each(caller->owner, item);
    return !caller->stopped;
}

bool store_each_queued(const char *path, bool (*each)(void *owner, const struct queue_item *),
                       void *owner, struct error *error)
{
    struct inspection in;
    struct item_caller caller = { .each = each, .owner = owner };
    struct index_visitor visitor = { .queued = call_item, .owner = &caller };
    static const struct queue_place front;
    if (!inspect_open(path, &in, error))
        return false;
    bool ok =
        !in.index || index_each_queued(in.index, &front, 0, &visitor, error) || caller.stopped;
    inspect_close(&in);
    return ok;
}
