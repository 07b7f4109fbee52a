/* control_queue.c - what the command line asks of a running server about mail on its way out.
 *
 * On loop 0, where dispatch lives.  It reads and changes rows through the store's lanes and never
 * waits for them.
 */
#include "queue/dispatch.h"
#include "queue/steer.h"
#include "run/clock.h"
#include "serve/control_inner.h"

#include <stdlib.h>

enum { HOPS_MAX = 100, HOP_WORDS_MAX = 400 };

/* --- Changing rows --- */

struct steering {
    struct steer steer;
    struct selection selection;
    struct caller *caller;
};

static void steering_free(struct steering *s)
{
    selection_clear(&s->selection);
    free(s);
}

static void log_change(struct steer *steer, const struct queue_item *item)
{
    struct steering *s = OWNER_OF(steer, struct steering, steer);
    steer_log_dropped(s->caller->server->log, item);
}

/* A server that stops waits for one unit, not for all of a long queue. */
static bool goes_on(struct steer *steer)
{
    return OWNER_OF(steer, struct steering, steer)->caller->control != NULL;
}

static void steered(struct steer *steer)
{
    struct steering *s = OWNER_OF(steer, struct steering, steer);
    struct server *server = s->caller->server;
    if (server->dispatch && steer->count.changed > 0)
        dispatch_steered(server->dispatch, steer->op == STEER_RETRY);
    if (steer->ok)
        control_answer(s->caller, json_pack("{s:b,s:I,s:I,s:I}", "ok", 1, "matched",
                                            (json_int_t)steer->count.matched, "changed",
                                            (json_int_t)steer->count.changed, "busy",
                                            (json_int_t)steer->count.busy));
    else
        control_fail(s->caller, &steer->error);
    steering_free(s);
    server_loop_release(&server->loops[0]);
}

static bool read_selectors(struct steering *s, const json_t *words, struct error *error)
{
    const json_t *word;
    size_t i;
    json_array_foreach(words, i, word)
    {
        struct text text = { json_string_value(word), json_string_length(word) };
        if (!selection_add(&s->selection, text, error))
            return false;
    }
    return s->selection.count > 0 ||
           error_set(error, ERROR_USAGE, "a request about the queue wants selectors");
}

static bool read_request(struct steering *s, const json_t *request, struct error *error)
{
    const json_t *op = json_object_get(request, "op");
    struct text name = { json_string_value(op), json_string_length(op) };
    if (!steer_parse(name, &s->steer.op))
        return error_set(error, ERROR_USAGE, "the queue knows retry, hold, release and drop");
    return read_selectors(s, json_object_get(request, "selectors"), error);
}

static bool begin(struct steering *s, struct error *error)
{
    struct server *server = s->caller->server;
    s->steer.store = server->store;
    s->steer.selection = &s->selection;
    s->steer.now_ms = clock_wall_ms();
    s->steer.home = server->loops[0].loop;
    s->steer.done = steered;
    s->steer.goes_on = goes_on;
    s->steer.changed = s->steer.op == STEER_DROP ? log_change : NULL;
    return steer_start(&s->steer, error);
}

void control_ask_queue(struct caller *c, const json_t *request, struct bytes behind)
{
    (void)behind;
    struct error error;
    struct steering *s = calloc(1, sizeof *s);
    if (!s) {
        error_set(&error, ERROR_TEMPORARY, "memory is short");
        control_fail(c, &error);
        return;
    }
    s->caller = c;
    selection_init(&s->selection);
    if (!read_request(s, request, &error) || !begin(s, &error)) {
        steering_free(s);
        control_fail(c, &error);
        return;
    }
    c->busy = true;
    server_loop_hold(&c->server->loops[0]);
}

/* --- Next hops that are down --- */

static void add_hop(void *owner, const struct dispatch_hop *hop)
{
    json_t *hops = owner;
    if (!hop->down || json_array_size(hops) == HOPS_MAX)
        return;
    struct text last = text_first(hop->last, HOP_WORDS_MAX);
    /* One that JSON cannot have, or that memory is short for, is left out. */
    json_array_append_new(hops, json_pack("{s:s%,s:I,s:I,s:s%}", "name", hop->name.at,
                                          hop->name.len, "next", (json_int_t)hop->next_ms,
                                          "waiting", (json_int_t)hop->waiting, "last",
                                          last.at ? last.at : "", last.len));
}

void control_ask_hops(struct caller *c, const json_t *request, struct bytes behind)
{
    (void)request;
    (void)behind;
    json_t *hops = json_array();
    if (hops && c->server->dispatch)
        dispatch_each_hop(c->server->dispatch, add_hop, hops);
    control_answer(c, json_pack("{s:b,s:o}", "ok", 1, "hops", hops));
}
