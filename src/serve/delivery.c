/* delivery.c - one SMTP transaction on its way into the store: into mailboxes, into the queue.
 *
 * Both are one unit: the 250 speaks for every recipient.  Who may send where is not decided here.
 */
#include "serve/delivery.h"

#include "base/check.h"
#include "run/clock.h"

#include <stdio.h>
#include <stdlib.h>

enum { DELIVERY_MEMORY_MAX = 8 * 1024 * 1024, LIST_FIRST = 2 };

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
    struct queue_row *rows; /* recipients elsewhere */
    size_t row_count, row_room;
    struct queue_envelope envelope;
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
    free(d->rows);
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

/* Room for one more in a list of items of this size; its new place, or NULL. */
static void *grow(void *list, size_t *room, size_t count, size_t size)
{
    if (count < *room)
        return list;
    size_t more = *room ? *room * 2 : LIST_FIRST;
    void *grown = realloc(list, more * size);
    if (grown)
        *room = more;
    return grown;
}

static enum delivery_add add_target(struct delivery *d, const struct resolved_target *from)
{
    if (has_target(d, from->mailbox))
        return DELIVERY_ADDED;
    if (d->target_count == STORE_PLACEMENTS_MAX)
        return DELIVERY_TOO_MANY;
    struct target to = { .mailbox = from->mailbox };
    struct target *targets = grow(d->targets, &d->target_room, d->target_count, sizeof *targets);
    if (!targets)
        return DELIVERY_NO_MEMORY;
    d->targets = targets;
    if (!arena_text(&d->memory, from->account, &to.account) ||
        !arena_text(&d->memory, from->delivered_to, &to.delivered_to))
        return DELIVERY_NO_MEMORY;
    d->targets[d->target_count++] = to;
    return DELIVERY_ADDED;
}

static bool has_row(const struct delivery *d, struct text address)
{
    for (size_t i = 0; i < d->row_count; i++)
        if (text_equal(d->rows[i].address, address))
            return true;
    return false;
}

/* Of a canonical address, in which a quoted local part may hold an at sign but no domain does. */
static struct text domain_of(struct text address)
{
    size_t at = address.len;
    while (at > 0 && address.at[at - 1] != '@')
        at--;
    return text_skip(address, at);
}

static enum delivery_add add_row(struct delivery *d, struct text address,
                                 const struct smtp_rcpt *rcpt)
{
    if (has_row(d, address))
        return DELIVERY_ADDED;
    if (d->row_count == STORE_PLACEMENTS_MAX)
        return DELIVERY_TOO_MANY;
    struct queue_row to = { .generation = 1, .notify = rcpt->notify };
    struct queue_row *rows = grow(d->rows, &d->row_room, d->row_count, sizeof *rows);
    if (!rows)
        return DELIVERY_NO_MEMORY;
    d->rows = rows;
    if (!arena_text(&d->memory, address, &to.address) ||
        !arena_text(&d->memory, rcpt->orcpt, &to.orcpt))
        return DELIVERY_NO_MEMORY;
    to.domain = domain_of(to.address);
    to.number = (uint32_t)d->row_count;
    d->rows[d->row_count++] = to;
    return DELIVERY_ADDED;
}

/* What a recipient's parameters become when he turns out to be several (RFC 3461 5.2.7.3): his
 * success is the expansion, the others are told of their failures. */
static struct smtp_rcpt for_each_of_many(const struct smtp_rcpt *rcpt)
{
    struct smtp_rcpt out = *rcpt;
    out.notify &= ~(unsigned)NOTIFY_SUCCESS;
    if (rcpt->notify == NOTIFY_SUCCESS)
        out.notify = NOTIFY_NEVER;
    return out;
}

static enum delivery_add add_resolved(struct delivery *d, const struct resolved *resolved,
                                      const struct smtp_rcpt *rcpt)
{
    enum delivery_add added = DELIVERY_ADDED;
    struct smtp_rcpt passed_on = *rcpt;
    if (resolved->count + resolved->remote_count > 1)
        passed_on = for_each_of_many(rcpt);
    for (size_t i = 0; i < resolved->count && added == DELIVERY_ADDED; i++)
        added = add_target(d, &resolved->targets[i]);
    for (size_t i = 0; i < resolved->remote_count && added == DELIVERY_ADDED; i++)
        added = add_row(d, resolved->remotes[i], &passed_on);
    return added;
}

enum delivery_add delivery_add(struct delivery *d, const struct delivery_recipient *recipient)
{
    size_t targets = d->target_count, rows = d->row_count;
    enum delivery_add added = recipient->resolved
                                  ? add_resolved(d, recipient->resolved, recipient->rcpt)
                                  : add_row(d, address_text(recipient->address), recipient->rcpt);
    if (added != DELIVERY_ADDED) { /* the recipient is refused as a whole */
        d->target_count = targets;
        d->row_count = rows;
    }
    return added;
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

static bool make_placements(struct delivery *d, struct commit *c)
{
    c->placements = arena_take(&d->memory, d->target_count * sizeof *c->placements);
    if (!c->placements)
        return false;
    for (size_t i = 0; i < d->target_count; i++)
        if (!make_placement(d, &d->targets[i], c->sender, &c->placements[i]))
            return false;
    c->placement_count = d->target_count;
    return true;
}

static bool make_rows(struct delivery *d, const struct smtp_mail *mail, struct commit *c)
{
    d->envelope = (struct queue_envelope){ .ret = mail->ret, .utf8 = mail->smtputf8 };
    if (!arena_text(&d->memory, mail->envid, &d->envelope.envid))
        return false;
    for (size_t i = 0; i < d->row_count; i++) {
        d->rows[i].message = d->message;
        d->rows[i].due_ms = c->arrived_ms;
    }
    c->rows = d->rows;
    c->row_count = d->row_count;
    c->envelope = &d->envelope;
    return true;
}

bool delivery_commit(struct delivery *d, const struct address *sender, const struct smtp_mail *mail,
                     const struct content_facts *body)
{
    struct commit *c = &d->commit;
    CHECK(!d->committing);
    if (!arena_text(&d->memory, address_text(sender), &c->sender) || !make_placements(d, c) ||
        (d->row_count && !make_rows(d, mail, c)))
        return false;
    struct content_facts facts = *body;
    facts.bare_cr_or_lf = false; /* mended by the decoder, or it would have been refused */
    spool_add_facts(d->spool, &facts);
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

size_t delivery_row_count(const struct delivery *d)
{
    return d->row_count;
}

const struct queue_row *delivery_row(const struct delivery *d, size_t index)
{
    CHECK(index < d->row_count);
    return &d->rows[index];
}
