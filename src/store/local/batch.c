/* batch.c - what goes into a batch, and what its units say.  Never writes anything. */
#include "store/local/batch.h"

#include "base/check.h"
#include "base/list.h"
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
    buffer_init(&b->changes, BUFFER_OCTETS_MAX);
    list_init(&b->refused);
    batch_begin(b);
}

void batch_clear(struct batch *b)
{
    buffer_clear(&b->changes);
}

void batch_begin(struct batch *b)
{
    CHECK(list_empty(&b->refused));
    b->number++;
    b->count = 0;
    b->changes.len = 0;
    b->changes.failed = false;
    b->part_count = 0;
    b->parts_wanted = BATCH_PARTS;
    b->octets = JOURNAL_ALIGN;
    b->bulk_changes = 0;
}

void batch_refuse(struct batch *b, struct commit *c, const struct error *why)
{
    c->verdict = STORE_REFUSED;
    c->error = *why;
    list_append(&b->refused, &c->link);
}

/* --- Whether there is room --- */

struct size {
    uint64_t changes; /* octets, at the most */
    uint64_t content; /* octets in the unit */
    size_t bulk;      /* changes that are not new mail */
    size_t parts;
};

static struct size size_of(const struct commit *c)
{
    struct size s = { .changes = CHANGE_OCTETS_MAX, .parts = UNIT_PARTS };
    if (c->expunge) {
        s.bulk = c->expunge->count;
        s.changes += s.bulk * CHANGE_OCTETS_MAX;
    }
    if (c->purge)
        s.bulk = 1;
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
           b->bulk_changes + s->bulk <= BATCH_CHANGES_MAX;
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
    if (c->placement_count == 0 || c->placement_count > STORE_PLACEMENTS_MAX)
        return error_set(error, ERROR_REFUSED, "a message must have 1 to %d placements at a time",
                         STORE_PLACEMENTS_MAX);
    if (!words_fit(c->sender))
        return error_set(error, ERROR_REFUSED, "the sender's address is too long");
    for (size_t i = 0; i < c->placement_count; i++)
        if (!may_place(b, index, &c->placements[i], error))
            return false;
    return true;
}

/* A session whose lock was taken over must not delete anything (STORE.md 24), and a uid that was
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

static bool may_be_done(const struct batch *b, struct index *index, struct lock_table *locks,
                        const struct commit *c, struct error *error)
{
    if (c->message)
        return may_store(b, index, c, error);
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
        .when_ms = c->arrived_ms,
        .words = p->prefix,
        .facts = p->prefix_facts,
    };
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

static void fill_unit(struct batch *b, struct unit *u, const struct commit *c)
{
    *u = (struct unit){ .message = c->message };
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
    if (c->message)
        say_message(b, index, c);
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

enum batch_answer batch_take(struct batch *b, struct index *index, struct lock_table *locks,
                             struct commit *c)
{
    struct size s = size_of(c);
    struct error error = { 0 };
    if (b->count > 0 && !has_room(b, &s))
        return BATCH_FULL;
    if (s.changes + s.content > JOURNAL_BATCH_OCTETS_MAX)
        error_set(&error, ERROR_REFUSED, "a unit of %llu octets is too large",
                  (unsigned long long)(s.changes + s.content));
    else if (!buffer_reserve(&b->changes, (size_t)s.changes))
        error_set(&error, ERROR_TEMPORARY, "out of memory");
    else if (may_be_done(b, index, locks, c, &error)) {
        take(b, index, c, &s);
        return BATCH_TAKEN;
    }
    batch_refuse(b, c, &error);
    return error.kind == ERROR_DAMAGED ? BATCH_DAMAGED : BATCH_REFUSED;
}

void batch_seal(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        size_t end = i + 1 < b->count ? b->changes_at[i + 1] : b->changes.len;
        b->units[i].changes =
            (struct bytes){ b->changes.at + b->changes_at[i], end - b->changes_at[i] };
    }
}
