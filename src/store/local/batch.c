/* batch.c - what goes into a batch, and what its units say.  Never writes anything. */
#include "store/local/batch.h"

#include "base/check.h"
#include "base/list.h"
#include "store/local/rewrite.h"
#include "store/local/spool_inner.h"

#include <string.h>

enum {
    /* What encoded changes and a unit's head take at the most, besides words. */
    CHANGE_OCTETS_MAX = 128,
    UNIT_OCTETS_MAX = 256,
    UNIT_PARTS = 4,  /* slices of a unit beside its content */
    BATCH_PARTS = 2, /* and of the batch */
    BUFFER_OCTETS_MAX = 64 * 1024 * 1024,
    CHECKSUM_OCTETS = 8,
};

void batch_init(struct batch *b)
{
    b->number = 0;
    memset(b->results, 0, sizeof b->results);
    buffer_init(&b->changes, BUFFER_OCTETS_MAX);
    list_init(&b->aside);
    batch_begin(b);
}

void batch_clear(struct batch *b)
{
    buffer_clear(&b->changes);
}

void batch_begin(struct batch *b)
{
    CHECK(list_empty(&b->aside));
    b->number++;
    b->count = 0;
    b->changes.len = 0;
    b->changes.failed = false;
    b->part_count = 0;
    b->parts_wanted = BATCH_PARTS;
    b->octets = JOURNAL_ALIGN;
    b->bulk_changes = 0;
    b->result_count = 0;
}

void batch_refuse(struct batch *b, struct commit *c, const struct error *why)
{
    c->verdict = STORE_REFUSED;
    c->error = *why;
    list_append(&b->aside, &c->link);
}

/* --- Whether there is room --- */

struct size {
    uint64_t changes; /* octets, at the most */
    uint64_t content; /* octets in the unit */
    size_t bulk;      /* changes that are not new mail */
    size_t results;   /* rows of other messages */
    size_t parts;
};

static bool is_result(const struct commit *c, const struct queue_row *row)
{
    return !c->message || row->message != c->message;
}

static void add_rows_size(struct size *s, const struct commit *c)
{
    for (size_t i = 0; i < c->row_count; i++) {
        const struct queue_row *row = &c->rows[i];
        s->changes +=
            CHANGE_OCTETS_MAX + row->address.len + row->domain.len + row->last.len + row->orcpt.len;
        s->results += is_result(c, row);
    }
    if (c->envelope)
        s->changes += CHANGE_OCTETS_MAX + c->envelope->ret.len + c->envelope->envid.len;
}

static struct size size_of_rewrite(const struct rewrite *r)
{
    uint64_t octets = r->message ? r->content_octets : 0;
    struct size s = { .changes = r->changes.len, .parts = UNIT_PARTS + 1 };
    s.content = (octets / JOURNAL_BLOCK + 1) * CHECKSUM_OCTETS;
    if (!r->large_checksums)
        s.content += octets;
    return s;
}

static struct size size_of(const struct commit *c)
{
    if (c->rewrite)
        return size_of_rewrite(c->rewrite);
    struct size s = { .changes = CHANGE_OCTETS_MAX, .parts = UNIT_PARTS };
    if (c->expunge) {
        s.bulk = c->expunge->count;
        s.changes += s.bulk * CHANGE_OCTETS_MAX;
    }
    if (c->purge)
        s.bulk = 1;
    add_rows_size(&s, c);
    if (!c->message)
        return s;
    s.changes += c->sender.len;
    for (size_t i = 0; i < c->placement_count; i++)
        s.changes +=
            2 * CHANGE_OCTETS_MAX + c->placements[i].prefix.len + c->placements[i].address.len;
    uint64_t octets = spool_octets(c->spool);
    s.content = (octets / JOURNAL_BLOCK + 1) * CHECKSUM_OCTETS;
    if (!spool_is_large(c->spool)) {
        s.content += octets;
        s.parts += SPOOL_PARTS_MAX;
    }
    return s;
}

static bool has_room(const struct batch *b, const struct size *s)
{
    return b->count < JOURNAL_BATCH_UNITS_MAX &&
           b->octets + s->changes + s->content + UNIT_OCTETS_MAX <= JOURNAL_BATCH_OCTETS_MAX &&
           b->parts_wanted + s->parts <= BATCH_PARTS_MAX &&
           b->bulk_changes + s->bulk <= BATCH_CHANGES_MAX &&
           b->result_count + s->results <= BATCH_RESULTS_MAX;
}

/* --- Whether it may be done --- */

static bool words_fit(struct text words)
{
    return words.len <= CHANGE_WORDS_MAX;
}

/* Whoever asks over the control socket may name anything. */
static bool is_mailbox(mailbox_id id, struct error *error)
{
    return (id != 0 && id <= INT64_MAX) ||
           error_set(error, ERROR_REFUSED, "no mailbox has the id %016llx", (unsigned long long)id);
}

static bool may_place(const struct batch *b, struct index *index, const struct placement *p,
                      struct error *error)
{
    CHECK(p->prefix_facts.octets == p->prefix.len);
    if (!words_fit(p->prefix) || !words_fit(p->address))
        return error_set(error, ERROR_REFUSED, "the prefix of a placement is too long");
    if (!is_mailbox(p->mailbox, error))
        return false;
    const struct mailbox_row *row = index_mailbox(index, p->mailbox, error);
    if (!row)
        return false;
    if (row->purged || row->purged_in == b->number)
        return error_set(error, ERROR_REFUSED, "mailbox %016llx is gone",
                         (unsigned long long)p->mailbox);
    return row->assign_uid < UINT32_MAX - STORE_PLACEMENTS_MAX ||
           error_set(error, ERROR_REFUSED, "mailbox %016llx has no uids left",
                     (unsigned long long)p->mailbox);
}

static bool may_store(const struct batch *b, struct index *index, const struct commit *c,
                      struct error *error)
{
    if (c->placement_count > STORE_PLACEMENTS_MAX)
        return error_set(error, ERROR_REFUSED, "a message may have %d placements at a time",
                         STORE_PLACEMENTS_MAX);
    if (!words_fit(c->sender))
        return error_set(error, ERROR_REFUSED, "the sender's address is too long");
    if (c->envelope && (!words_fit(c->envelope->ret) || !words_fit(c->envelope->envid)))
        return error_set(error, ERROR_REFUSED, "the envelope is too long");
    for (size_t i = 0; i < c->placement_count; i++)
        if (!may_place(b, index, &c->placements[i], error))
            return false;
    return true;
}

/* --- Rows of the queue --- */

static size_t slot_of(const struct queue_row *row)
{
    uint64_t mixed = (row->message ^ ((uint64_t)row->number << 40)) * 0x9E3779B97F4A7C15u;
    return (size_t)(mixed >> 32) & (BATCH_RESULT_SLOTS - 1);
}

/* The slot that has the row, or the free one where it would go: less than half are taken. */
static struct batch_result *find_slot(struct batch *b, const struct queue_row *row)
{
    size_t at = slot_of(row);
    while (b->results[at].batch == b->number &&
           (b->results[at].message != row->message || b->results[at].number != row->number))
        at = (at + 1) & (BATCH_RESULT_SLOTS - 1);
    return &b->results[at];
}

static bool row_fits(const struct queue_row *row, struct error *error)
{
    return (words_fit(row->address) && words_fit(row->last) && words_fit(row->orcpt) &&
            row->domain.len > 0 && row->domain.len <= CHANGE_DOMAIN_MAX &&
            row->state <= QUEUE_DROPPED) ||
           error_set(error, ERROR_REFUSED, "a recipient has no domain, or texts that are too long");
}

static bool may_add(const struct queue_row *row, size_t number, struct error *error)
{
    return (row->number == number && row->generation == 1 && row->state == QUEUE_WAITING) ||
           error_set(error, ERROR_REFUSED,
                     "a new recipient is numbered in order and waits for the first time");
}

/* The row's next state: `generation` is what it says itself, or what it is given. */
static bool settle(struct batch *b, const struct queue_row *row, uint32_t generation,
                   const struct index_waiting *now, struct error *error)
{
    char id[MESSAGE_ID_TEXT + 1];
    struct batch_result *slot = find_slot(b, row);
    if (slot->batch == b->number || generation == 0 || generation != now->generation + 1)
        return error_set(error, ERROR_REFUSED,
                         "a stale result: recipient %u of message %s was changed meanwhile",
                         row->number, message_id_print(row->message, id).at);
    *slot = (struct batch_result){ .batch = b->number,
                                   .message = row->message,
                                   .number = row->number,
                                   .unit = (uint32_t)b->count,
                                   .generation = generation,
                                   .held = now->held };
    b->result_count++;
    return true;
}

/* Whether another unit of this batch changes the row: what it leaves is not known yet. */
static bool is_in_flux(struct batch *b, const struct queue_row *row)
{
    struct batch_result *slot = find_slot(b, row);
    return slot->batch == b->number && slot->unit != b->count;
}

/* False without an error: not in this batch. */
static bool may_settle(struct batch *b, struct index *index, const struct queue_row *row,
                       struct error *error)
{
    char id[MESSAGE_ID_TEXT + 1];
    struct index_waiting now;
    bool follows = row->generation == 0;
    if (!index_find_waiting(index, row->message, row->number, &now, error) ||
        (follows && is_in_flux(b, row)))
        return false;
    if (now.generation == 0)
        return follows ||
               error_set(error, ERROR_REFUSED, "recipient %u of message %s does not wait",
                         row->number, message_id_print(row->message, id).at);
    return settle(b, row, follows ? now.generation + 1 : row->generation, &now, error);
}

/* The first `count` rows again: in reverse, so that no chain of slots is cut. */
static void forget_results(struct batch *b, const struct commit *c, size_t count)
{
    while (count-- > 0) {
        if (!is_result(c, &c->rows[count]))
            continue;
        struct batch_result *slot = find_slot(b, &c->rows[count]);
        b->result_count -= slot->batch == b->number;
        slot->batch = 0;
    }
}

/* False without an error: not in this batch. */
static bool may_queue(struct batch *b, struct index *index, const struct commit *c,
                      struct error *error)
{
    size_t i = 0, added = 0;
    bool ok = true;
    for (; ok && i < c->row_count; i++) {
        const struct queue_row *row = &c->rows[i];
        ok = row_fits(row, error) &&
             (is_result(c, row) ? may_settle(b, index, row, error) : may_add(row, added++, error));
    }
    if (ok && c->message && added + c->placement_count == 0)
        ok = error_set(error, ERROR_REFUSED, "a message must have somebody to go to");
    else if (!ok)
        i--; /* the one that failed has left nothing */
    if (!ok)
        forget_results(b, c, i);
    return ok;
}

/* A session whose lock was taken over must not delete anything (store rule 24), and a uid that was
 * never given must not be buried before it is. */
static bool may_expunge(const struct batch *b, struct index *index, struct lock_table *locks,
                        const struct expunge *x, struct error *error)
{
    if (x->count == 0 || x->count > STORE_CHANGES_MAX)
        return error_set(error, ERROR_REFUSED, "1 to %d messages may be removed at a time",
                         STORE_CHANGES_MAX);
    if (!locks_holds(locks, x->mailbox, x->token))
        return error_set(error, ERROR_REFUSED, "another session has taken the maildrop over");
    const struct mailbox_row *row = index_mailbox(index, x->mailbox, error);
    if (!row)
        return false;
    if (row->purged || row->purged_in == b->number)
        return error_set(error, ERROR_REFUSED, "mailbox %016llx is gone",
                         (unsigned long long)x->mailbox);
    for (size_t i = 0; i < x->count; i++)
        if (x->uids[i] == 0 || x->uids[i] >= row->assign_uid)
            return error_set(error, ERROR_REFUSED, "mailbox %016llx never had uid %u",
                             (unsigned long long)x->mailbox, x->uids[i]);
    return true;
}

/* False without an error: not in this batch. */
static bool may_be_done(struct batch *b, struct index *index, struct lock_table *locks,
                        const struct commit *c, struct error *error)
{
    if (c->rewrite)
        return true;
    if (c->row_count > STORE_PLACEMENTS_MAX)
        return error_set(error, ERROR_REFUSED, "a unit may have %d recipients at a time",
                         STORE_PLACEMENTS_MAX);
    if (c->message)
        return may_store(b, index, c, error) && may_queue(b, index, c, error);
    if (c->row_count > 0)
        return may_queue(b, index, c, error);
    if (c->expunge)
        return may_expunge(b, index, locks, c->expunge, error);
    return is_mailbox(c->purge, error) && index_mailbox(index, c->purge, error) != NULL;
}

/* --- What the unit says; from here on nothing can fail --- */

static struct mailbox_row *row_of(struct index *index, mailbox_id id)
{
    struct mailbox_row *row = index_mailbox(index, id, NULL);
    CHECK(row); /* it was asked for just before, and nothing has been forgotten since */
    return row;
}

static void say(struct batch *b, const struct change *change)
{
    bool said = change_encode(&b->changes, change);
    CHECK(said); /* there is room, and its members have been looked at */
}

/* The first that the journal hears of a mailbox; so an account needs no entry before its first
 * mail. */
static void open_mailbox(struct batch *b, struct index *index, struct mailbox_row *row,
                         const struct placement *p, int64_t now_ms)
{
    if (row->exists || row->opened_in == b->number)
        return;
    row->opened_in = b->number;
    struct change change = {
        .kind = CHANGE_MAILBOX,
        .mailbox = p->mailbox,
        .modseq = ++row->assign_after,
        .uid_validity = index_new_uid_validity(index, now_ms / 1000),
        .uid_next = row->assign_uid,
        .when_ms = now_ms,
        .words = p->address,
    };
    say(b, &change);
}

static void place(struct batch *b, struct index *index, const struct commit *c, struct placement *p)
{
    struct mailbox_row *row = row_of(index, p->mailbox);
    open_mailbox(b, index, row, p, c->arrived_ms);
    p->uid = row->assign_uid++;
    p->modseq = ++row->assign_after;
    struct change change = {
        .kind = CHANGE_PLACED,
        .mailbox = p->mailbox,
        .message = c->message,
        .uid = p->uid,
        .modseq = p->modseq,
        .flags = p->flags,
        .when_ms = p->dated_ms ? p->dated_ms : c->arrived_ms,
        .words = p->prefix,
        .facts = p->prefix_facts,
    };
    say(b, &change);
}

/* A row that follows whatever the store has is held as that is; without a slot it does not wait any
 * more, and there is nothing to say. */
static bool follow(struct batch *b, struct queue_row *row)
{
    const struct batch_result *slot = find_slot(b, row);
    row->generation = slot->generation;
    row->held = slot->held && row->state == QUEUE_WAITING;
    return slot->batch == b->number;
}

static void say_rows(struct batch *b, const struct commit *c)
{
    for (size_t i = 0; i < c->row_count; i++) {
        struct change change = { .kind = CHANGE_RECIPIENT, .row = c->rows[i] };
        if (change.row.generation > 0 || follow(b, &change.row))
            say(b, &change);
    }
}

/* An envelope without anything in it needs no words. */
static void say_envelope(struct batch *b, const struct commit *c)
{
    const struct queue_envelope *e = c->envelope;
    struct change change = { .kind = CHANGE_ENVELOPE, .message = c->message };
    if (!e || (e->ret.len == 0 && e->envid.len == 0 && envelope_bits(e) == 0))
        return;
    change.envelope = *e;
    say(b, &change);
}

static void say_message(struct batch *b, struct index *index, const struct commit *c)
{
    struct change change = {
        .kind = CHANGE_MESSAGE,
        .message = c->message,
        .when_ms = c->arrived_ms,
        .words = c->sender,
        .facts = *spool_facts(c->spool),
    };
    CHECK(change.facts.octets == spool_octets(c->spool));
    say(b, &change);
    say_envelope(b, c);
    say_rows(b, c);
    for (size_t i = 0; i < c->placement_count; i++)
        place(b, index, c, &c->placements[i]);
}

static void say_expunge(struct batch *b, struct index *index, const struct expunge *x)
{
    uint64_t modseq = ++row_of(index, x->mailbox)->assign_after;
    for (size_t i = 0; i < x->count; i++) {
        struct change change = {
            .kind = CHANGE_EXPUNGED,
            .mailbox = x->mailbox,
            .uid = x->uids[i],
            .modseq = modseq,
        };
        say(b, &change);
    }
}

static void say_purge(struct batch *b, struct index *index, mailbox_id mailbox)
{
    struct change change = { .kind = CHANGE_PURGED, .mailbox = mailbox };
    row_of(index, mailbox)->purged_in = b->number;
    say(b, &change);
}

static void say_again(struct batch *b, const struct rewrite *r)
{
    bool said = buffer_append(&b->changes, r->changes.at, r->changes.len);
    CHECK(said); /* there is room */
}

static void fill_unit(struct batch *b, struct unit *u, const struct commit *c)
{
    *u = (struct unit){ .message = c->message };
    if (c->rewrite)
        rewrite_fill(c->rewrite, u);
    if (!c->message)
        return;
    u->content_octets = spool_octets(c->spool);
    u->large = spool_is_large(c->spool);
    if (u->large) {
        u->large_checksums = spool_checksums(c->spool);
        return;
    }
    u->content = &b->parts[b->part_count];
    u->content_count = spool_parts(c->spool, &b->parts[b->part_count]);
    b->part_count += (size_t)u->content_count;
}

static void take(struct batch *b, struct index *index, struct commit *c, const struct size *s)
{
    b->commits[b->count] = c;
    b->changes_at[b->count] = b->changes.len;
    if (c->rewrite)
        say_again(b, c->rewrite);
    else if (c->message)
        say_message(b, index, c);
    else if (c->row_count > 0)
        say_rows(b, c);
    else if (c->expunge)
        say_expunge(b, index, c->expunge);
    else
        say_purge(b, index, c->purge);
    fill_unit(b, &b->units[b->count], c);
    b->count++;
    b->octets += s->changes + s->content + UNIT_OCTETS_MAX;
    b->bulk_changes += s->bulk;
    b->parts_wanted += UNIT_PARTS + (size_t)b->units[b->count - 1].content_count;
}

/* Rows alone, and all of them are settled already; or nothing to say again. */
static bool is_empty(const struct commit *c, size_t results)
{
    if (c->rewrite)
        return c->rewrite->changes.len == 0;
    return !c->message && c->row_count > 0 && results == 0;
}

static enum batch_answer pass(struct batch *b, struct commit *c)
{
    c->verdict = STORE_STORED;
    c->error = (struct error){ 0 };
    list_append(&b->aside, &c->link);
    return BATCH_EMPTY;
}

static enum batch_answer refuse(struct batch *b, struct commit *c, const struct error *why)
{
    batch_refuse(b, c, why);
    return why->kind == ERROR_DAMAGED ? BATCH_DAMAGED : BATCH_REFUSED;
}

enum batch_answer batch_take(struct batch *b, struct index *index, struct lock_table *locks,
                             struct commit *c)
{
    struct error error = { 0 };
    if (c->rewrite && !rewrite_say(c->rewrite, index, &error))
        return refuse(b, c, &error);
    struct size s = size_of(c);
    size_t results = b->result_count;
    if (b->count > 0 && !has_room(b, &s))
        return BATCH_FULL;
    if (s.changes + s.content > JOURNAL_BATCH_OCTETS_MAX)
        error_set(&error, ERROR_REFUSED, "a unit of %llu octets is too large",
                  (unsigned long long)(s.changes + s.content));
    else if (!buffer_reserve(&b->changes, (size_t)s.changes))
        error_set(&error, ERROR_TEMPORARY, "out of memory");
    else if (may_be_done(b, index, locks, c, &error)) {
        if (is_empty(c, b->result_count - results))
            return pass(b, c);
        take(b, index, c, &s);
        return BATCH_TAKEN;
    } else if (error.kind == ERROR_NONE)
        return BATCH_FULL;
    return refuse(b, c, &error);
}

void batch_seal(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        size_t end = i + 1 < b->count ? b->changes_at[i + 1] : b->changes.len;
        b->units[i].changes =
            (struct bytes){ b->changes.at + b->changes_at[i], end - b->changes_at[i] };
    }
}
