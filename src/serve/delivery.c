/* delivery.c - one SMTP transaction on its way into the store. */
#include "serve/delivery.h"

#include "base/check.h"
#include "run/clock.h"

#include <stdio.h>
#include <stdlib.h>

enum { DELIVERY_MEMORY_MAX = 8 * 1024 * 1024, TARGETS_FIRST = 2 };

struct target {
    mailbox_id mailbox;
    struct text account;
    struct text delivered_to;
};

struct delivery {
    struct server_loop *home;
    const struct delivery_events *events;
    void *owner; /* NULL: the session has gone */
    bool committing;
    bool failed; /* a part of the body could not be kept */
    struct arena memory;
    struct target *targets;
    size_t target_count, target_room;
    struct spool *spool;
    message_id message;
    char id[MESSAGE_ID_TEXT + 1];
    char words[sizeof "accepted as " + MESSAGE_ID_TEXT];
    struct commit commit;
};

struct delivery *delivery_new(struct server_loop *home, const struct delivery_events *events,
                              void *owner)
{
    struct delivery *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->home = home;
    d->events = events;
    d->owner = owner;
    d->commit.home = home->loop;
    arena_init(&d->memory, DELIVERY_MEMORY_MAX);
    return d;
}

static void delivery_free(struct delivery *d)
{
    if (d->spool)
        spool_close(&d->spool);
    arena_reset(&d->memory);
    free(d->targets);
    free(d);
}

void delivery_release(struct delivery **delivery)
{
    struct delivery *d = *delivery;
    *delivery = NULL;
    if (!d)
        return;
    d->owner = NULL;
    if (!d->committing)
        delivery_free(d);
}

/* --- Whom it is for --- */

static bool has_target(const struct delivery *d, mailbox_id mailbox)
{
    for (size_t i = 0; i < d->target_count; i++)
        if (d->targets[i].mailbox == mailbox)
            return true;
    return false;
}

static bool make_room(struct delivery *d)
{
    if (d->target_count < d->target_room)
        return true;
    size_t room = d->target_room ? d->target_room * 2 : TARGETS_FIRST;
    struct target *targets = realloc(d->targets, room * sizeof *targets);
    if (!targets)
        return false;
    d->targets = targets;
    d->target_room = room;
    return true;
}

static enum delivery_add add_target(struct delivery *d, const struct resolved_target *from)
{
    if (has_target(d, from->mailbox))
        return DELIVERY_ADDED;
    if (d->target_count == STORE_PLACEMENTS_MAX)
        return DELIVERY_TOO_MANY;
    struct target to = { .mailbox = from->mailbox };
    if (!make_room(d) || !arena_text(&d->memory, from->account, &to.account) ||
        !arena_text(&d->memory, from->delivered_to, &to.delivered_to))
        return DELIVERY_NO_MEMORY;
    d->targets[d->target_count++] = to;
    return DELIVERY_ADDED;
}

enum delivery_add delivery_add(struct delivery *d, const struct resolved *resolved)
{
    size_t before = d->target_count;
    for (size_t i = 0; i < resolved->count; i++) {
        enum delivery_add added = add_target(d, &resolved->targets[i]);
        if (added != DELIVERY_ADDED) {
            d->target_count = before; /* the recipient is refused as a whole */
            return added;
        }
    }
    return DELIVERY_ADDED;
}

/* --- The body --- */

static void spool_is_ready(void *owner)
{
    struct delivery *d = owner;
    if (d->owner)
        d->events->body_ready(d->owner);
}

static bool note(struct delivery *d, enum spool_state state, bool *wait_out)
{
    d->failed |= state == SPOOL_FAILED;
    *wait_out = state == SPOOL_WAIT;
    return state != SPOOL_FAILED;
}

bool delivery_open(struct delivery *d, struct trace_received *trace,
                   const struct address *recipient, uint32_t recipient_count)
{
    struct buffer field;
    bool wait;
    struct store *store = d->home->server->store;
    d->message = store_new_message_id(store);
    message_id_print(d->message, d->id);
    snprintf(d->words, sizeof d->words, "accepted as %s", d->id);
    d->commit.arrived_ms = clock_wall_ms();
    trace->id = delivery_id(d);
    trace->wall_ms = d->commit.arrived_ms;
    trace->zone_seconds = clock_zone_seconds(trace->wall_ms);
    if (recipient_count == 1)
        trace->only_recipient = address_text(recipient);
    d->spool = spool_open(store, d->message, d->commit.home, spool_is_ready, d);
    if (!d->spool)
        return false;
    buffer_init(&field, 8192);
    bool done = trace_received(&field, trace) &&
                note(d, spool_append(d->spool, buffer_bytes(&field)), &wait);
    buffer_clear(&field);
    return done;
}

void delivery_body(struct delivery *d, struct bytes bytes, bool *wait_out)
{
    *wait_out = false;
    if (!d->failed)
        note(d, spool_append_counted(d->spool, bytes), wait_out);
}

bool delivery_is_whole(const struct delivery *d)
{
    return !d->failed;
}

/* --- The commit --- */

static void commit_done(struct commit *commit)
{
    struct delivery *d = OWNER_OF(commit, struct delivery, commit);
    struct server_loop *home = d->home;
    d->committing = false;
    if (d->owner)
        d->events->committed(d->owner, d);
    else
        delivery_free(d);
    server_loop_release(home);
}

/* Each placement has a prefix of its own (store rule 5). */
static bool make_placement(struct delivery *d, const struct target *target, struct text sender,
                           struct placement *out)
{
    struct buffer prefix;
    struct content_counter counter;
    buffer_init(&prefix, 4096);
    *out = (struct placement){ .mailbox = target->mailbox, .address = target->account };
    bool done = trace_prefix(&prefix, sender, target->delivered_to) &&
                arena_text(&d->memory, buffer_as_text(&prefix), &out->prefix);
    buffer_clear(&prefix);
    content_counter_init(&counter);
    content_count(&counter, bytes_of_text(out->prefix));
    out->prefix_facts = counter.facts;
    return done;
}

bool delivery_commit(struct delivery *d, const struct address *sender,
                     const struct content_facts *body)
{
    struct commit *c = &d->commit;
    CHECK(!d->committing);
    c->placements = arena_take(&d->memory, d->target_count * sizeof *c->placements);
    if (!c->placements || !arena_text(&d->memory, address_text(sender), &c->sender))
        return false;
    for (size_t i = 0; i < d->target_count; i++)
        if (!make_placement(d, &d->targets[i], c->sender, &c->placements[i]))
            return false;
    struct content_facts facts = *body;
    facts.bare_cr_or_lf = false; /* mended by the decoder, or it would have been refused */
    spool_add_facts(d->spool, &facts);
    c->placement_count = d->target_count;
    c->message = d->message;
    c->spool = d->spool;
    c->done = commit_done;
    d->committing = true;
    server_loop_hold(d->home);
    store_submit(d->home->server->store, c);
    return true;
}

enum store_verdict delivery_verdict(const struct delivery *d)
{
    return d->commit.verdict;
}

const struct error *delivery_error(const struct delivery *d)
{
    return &d->commit.error;
}

struct text delivery_id(const struct delivery *d)
{
    return text_of(d->id);
}

struct text delivery_words(const struct delivery *d)
{
    return text_of(d->words);
}

uint64_t delivery_octets(const struct delivery *d)
{
    return d->spool ? spool_octets(d->spool) : 0;
}

size_t delivery_target_count(const struct delivery *d)
{
    return d->target_count;
}

struct text delivery_target(const struct delivery *d, size_t index)
{
    CHECK(index < d->target_count);
    return d->targets[index].delivered_to;
}
