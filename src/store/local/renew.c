/* renew.c - what a store says anew once it may have gone back in time (store rule 3).
 *
 * Clients may have seen mail under uids that will be given again: each mailbox gets a new
 * uidvalidity.  It is written into the journal, so that every index that is made of it says the
 * same.
 */
#include "store/local/renew.h"

#include "run/clock.h"
#include "store/local/replay.h"

enum { UNIT_CHANGES = 400, CHANGES_OCTETS_MAX = 4 * 1024 * 1024 };

/* Changes on their way into the journal, a unit at a time. */
struct writing {
    struct journal *journal;
    struct index *index;
    struct buffer changes;
    size_t count;
    struct store_restored *out;
};

static bool flush(struct writing *w, struct error *e)
{
    if (w->count == 0)
        return true;
    struct unit unit = { .changes = buffer_bytes(&w->changes) };
    if (journal_must_be_abandoned(w->journal) && !journal_abandon(w->journal, e))
        return false;
    if (journal_is_full(w->journal, journal_batch_octets(&unit, 1)) &&
        (!journal_prepare(w->journal, e) || !journal_turn(w->journal, e)))
        return false;
    bool ok = journal_append(w->journal, &unit, 1, e) && journal_sync(w->journal, e);
    w->changes.len = 0;
    w->count = 0;
    return ok;
}

static bool say(struct writing *w, const struct change *change, struct error *e)
{
    if (!change_encode(&w->changes, change))
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    return ++w->count < UNIT_CHANGES || flush(w, e);
}

static bool renew_mailbox(void *owner, const struct index_mailbox *mailbox, struct error *e)
{
    struct writing *w = owner;
    struct change change = {
        .kind = CHANGE_MAILBOX,
        .mailbox = mailbox->id,
        .modseq = mailbox->modseq + 1,
        .uid_validity = index_new_uid_validity(w->index, clock_wall_ms() / 1000),
        .uid_next = mailbox->uid_next,
        .when_ms = clock_wall_ms(),
        .words = mailbox->address,
    };
    w->out->mailboxes++;
    w->out->messages += mailbox->count;
    return say(w, &change, e);
}

static bool hold_row(void *owner, const struct queue_item *item, struct error *e)
{
    struct writing *w = owner;
    struct change change = { .kind = CHANGE_RECIPIENT, .row = item->row };
    w->out->held++;
    change.row.generation++;
    change.row.held = true;
    return say(w, &change, e);
}

/* --- All of them --- */

bool renew_mailboxes(struct journal *journal, struct index *index, struct store_restored *out,
                     struct error *e)
{
    struct writing w = { .journal = journal, .index = index, .out = out };
    struct index_visitor visitor = { .mailbox = renew_mailbox, .owner = &w };
    buffer_init(&w.changes, CHANGES_OCTETS_MAX);
    bool ok = index_each_mailbox(index, &visitor, e) && flush(&w, e);
    buffer_clear(&w.changes);
    return ok;
}

bool renew_after_loss(struct journal *journal, struct index *index, struct error *e)
{
    struct store_restored counted = { 0 };
    struct replay r = { .index = index };
    return renew_mailboxes(journal, index, &counted, e) && replay_rest(&r, journal, e);
}

bool renew_queue(struct journal *journal, struct index *index, struct store_restored *out,
                 struct error *e)
{
    struct writing w = { .journal = journal, .index = index, .out = out };
    struct index_visitor visitor = { .queued = hold_row, .owner = &w };
    struct queue_place front = { 0 };
    buffer_init(&w.changes, CHANGES_OCTETS_MAX);
    bool ok = index_each_queued(index, &front, 0, &visitor, e) && flush(&w, e);
    buffer_clear(&w.changes);
    return ok;
}
