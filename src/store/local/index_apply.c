/* index_apply.c - applies the changes of a unit to the index.  The only place where rows come from.
 *
 * Every change is an absolute state with a version (store rule 18), and what is below ends in the
 * same rows however often and in whatever order it sees the same changes:
 *   - a tombstone buries its placement for good, whether it comes before or after;
 *   - of two places of a message the later one in the journal counts;
 *   - a purged mailbox stays purged;
 *   - a settled row of the queue stays settled, and of two others the later generation counts;
 *   - a placement whose message is neither known nor in its own unit is dropped: the message is
 *     dead, or was rewritten behind it, and then that unit repeats all its placements.
 * The usual case, new mail, costs two insertions: the uid is beyond all that were ever applied, so
 * there is nothing to compare with.
 */
#include "store/local/index_inner.h"

enum { PREFIX_SHIFT = 31 }; /* of a message id: 32 bits of its start, 31 of counter */

/* A message as those see it that refer to it. */
struct content_view {
    uint64_t octets;
    unsigned facts;
    uint64_t placements;
    uint64_t waiting;
    struct unit_place place;
};

static unsigned fact_bits(const struct content_facts *facts, bool large)
{
    return (facts->dot_lines ? INDEX_DOT_LINES : 0u) |
           (facts->ends_with_crlf ? INDEX_ENDS_WITH_CRLF : 0u) |
           (facts->eight_bit ? INDEX_EIGHT_BIT : 0u) | (facts->has_nul ? INDEX_HAS_NUL : 0u) |
           (facts->bare_cr_or_lf ? INDEX_BARE_CR_OR_LF : 0u) | (large ? INDEX_LARGE : 0u);
}

static void bind_place(sqlite3_stmt *s, int column, const struct unit_place *place)
{
    bind_number(s, column, place->segment);
    bind_number(s, column + 1, place->offset);
    bind_number(s, column + 2, place->octets);
    bind_number(s, column + 3, place->content_at);
}

static bool is_later(const struct unit_place *a, const struct unit_place *b)
{
    return a->segment != b->segment ? a->segment > b->segment : a->offset > b->offset;
}

static bool run(struct applying *a, enum index_statement which)
{
    return index_run(a->index, which, a->error);
}

/* --- Messages --- */

static struct content_view view_of_unit(const struct applying *a)
{
    return (struct content_view){
        .octets = a->message.facts.octets,
        .facts = fact_bits(&a->message.facts, a->unit->large),
        .place = a->unit->place,
    };
}

static bool get_message(struct applying *a, message_id id, struct content_view *out,
                        bool *found_out)
{
    sqlite3_stmt *get = index_sql(a->index, GET_MESSAGE);
    bind_number(get, 1, id);
    bool ok = database_step(&a->index->db, get, found_out, a->error);
    if (!ok || !*found_out)
        return ok;
    *out = (struct content_view){
        .octets = column_number(get, 1),
        .facts = (unsigned)column_number(get, 2),
        .placements = column_number(get, 3),
        .waiting = column_number(get, 4),
        .place = index_read_place(get, 5),
    };
    sqlite3_reset(get);
    return true;
}

static bool set_message(struct applying *a, message_id id, const struct content_view *view)
{
    sqlite3_stmt *set = index_sql(a->index, SET_MESSAGE);
    bind_number(set, 1, id);
    bind_number(set, 2, view->placements);
    bind_number(set, 3, view->waiting);
    bind_place(set, 4, &view->place);
    return run(a, SET_MESSAGE);
}

static bool bury_message(struct applying *a, message_id id, const struct content_view *view)
{
    bind_number(index_sql(a->index, DROP_MESSAGE), 1, id);
    if (!run(a, DROP_MESSAGE))
        return false;
    if (!(view->facts & INDEX_LARGE))
        return true;
    a->index->dead_octets += view->octets;
    bind_number(index_sql(a->index, ADD_DEAD), 1, id);
    return run(a, ADD_DEAD);
}

/* With one reference less: what nothing refers to any more is dead. */
static bool keep_or_bury(struct applying *a, message_id id, const struct content_view *view)
{
    return view->placements + view->waiting > 0 ? set_message(a, id, view)
                                                : bury_message(a, id, view);
}

static bool release_message(struct applying *a, message_id id)
{
    struct content_view view;
    bool found = false;
    bool ok = get_message(a, id, &view, &found);
    if (!ok || !found)
        return ok;
    if (view.placements > 0)
        view.placements--;
    return keep_or_bury(a, id, &view);
}

bool message_is_known(struct applying *a, message_id id, bool *known_out)
{
    struct content_view view;
    return get_message(a, id, &view, known_out);
}

bool message_gains_row(struct applying *a, message_id id)
{
    struct content_view view;
    bool found = false;
    bool ok = get_message(a, id, &view, &found);
    if (!ok || !found)
        return ok;
    view.waiting++;
    return set_message(a, id, &view);
}

bool message_loses_row(struct applying *a, message_id id)
{
    struct content_view view;
    bool found = false;
    bool ok = get_message(a, id, &view, &found);
    if (!ok || !found)
        return ok;
    if (view.waiting > 0)
        view.waiting--;
    return keep_or_bury(a, id, &view);
}

static bool note_prefix(struct applying *a, message_id id)
{
    uint32_t prefix = (uint32_t)(id >> PREFIX_SHIFT);
    if (prefix == a->index->prefix_seen)
        return true;
    bind_number(index_sql(a->index, ADD_PREFIX), 1, prefix);
    if (!run(a, ADD_PREFIX))
        return false;
    a->index->prefix_seen = prefix;
    return true;
}

/* What only the queue needs: mail without rows does not pay for it. */
static void bind_envelope(const struct applying *a, sqlite3_stmt *s, int column)
{
    static const struct text none = TEXT("");
    bind_text(s, column, a->has_rows ? a->message.words : none);
    bind_text(s, column + 1, a->has_rows ? a->envelope.ret : none);
    bind_text(s, column + 2, a->has_rows ? a->envelope.envid : none);
    bind_number(s, column + 3, a->has_rows ? envelope_bits(&a->envelope) : 0);
}

static bool add_message(struct applying *a, uint64_t waiting, bool *added_out)
{
    struct content_view view = view_of_unit(a);
    sqlite3_stmt *add = index_sql(a->index, ADD_MESSAGE);
    bind_number(add, 1, a->message.message);
    bind_number(add, 2, view.octets);
    bind_number(add, 3, view.facts);
    bind_number(add, 4, (uint64_t)a->message.when_ms);
    bind_number(add, 5, a->message.facts.received);
    bind_number(add, 6, a->message.facts.line_longest);
    bind_envelope(a, add, 7);
    bind_number(add, 11, a->placed);
    bind_number(add, 12, waiting);
    bind_place(add, 13, &view.place);
    if (!run(a, ADD_MESSAGE))
        return false;
    *added_out = sqlite3_changes(a->index->db.handle) > 0;
    return true;
}

static bool set_envelope(struct applying *a)
{
    sqlite3_stmt *set = index_sql(a->index, SET_ENVELOPE);
    bind_number(set, 1, a->message.message);
    bind_envelope(a, set, 2);
    return run(a, SET_ENVELOPE);
}

/* The message was known before this unit: more that refers to it, and maybe a later place. */
static bool renew_message(struct applying *a, uint64_t waiting, bool *known_out)
{
    struct content_view view;
    bool ok = get_message(a, a->message.message, &view, known_out);
    if (!ok || !*known_out)
        return ok;
    view.placements += a->placed;
    if (a->has_rows)
        view.waiting = waiting;
    if (is_later(&a->unit->place, &view.place))
        view.place = a->unit->place;
    return keep_or_bury(a, a->message.message, &view) && (!a->has_rows || set_envelope(a));
}

/* Once all placements and rows of the unit are applied: only now is their number known. */
static bool settle_message(struct applying *a)
{
    bool done = false;
    uint64_t waiting = 0;
    if (!note_prefix(a, a->message.message))
        return false;
    if (a->has_rows && !recipients_waiting(a, a->message.message, &waiting))
        return false;
    if (a->placed + waiting > 0 && !add_message(a, waiting, &done))
        return false;
    if (!done && !renew_message(a, waiting, &done))
        return false;
    struct content_view view = view_of_unit(a);
    return done || bury_message(a, a->message.message, &view);
}

/* --- Placements --- */

/* The content that a new placement places: that of its unit, or one that is stored already.  It
 * gets one placement more. */
static bool take_content(struct applying *a, message_id id, struct content_view *out,
                         bool *found_out)
{
    *found_out = is_own_message(a, id);
    if (*found_out) {
        *out = view_of_unit(a);
        a->placed++;
        return true;
    }
    bool ok = get_message(a, id, out, found_out);
    if (!ok || !*found_out)
        return ok;
    out->placements++;
    return set_message(a, id, out);
}

static bool add_placement(struct applying *a, const struct change *change, struct mailbox_row *row)
{
    struct content_view content;
    bool found = false;
    bool ok = take_content(a, change->message, &content, &found);
    if (!ok || !found)
        return ok;
    uint64_t octets = change->facts.octets + content.octets;
    sqlite3_stmt *add = index_sql(a->index, ADD_PLACEMENT);
    bind_number(add, 1, change->mailbox);
    bind_number(add, 2, change->uid);
    bind_number(add, 3, change->message);
    bind_number(add, 4, change->modseq);
    bind_number(add, 5, change->flags);
    bind_number(add, 6, octets);
    bind_number(add, 7, content.facts | (change->facts.dot_lines ? INDEX_DOT_LINES : 0u));
    bind_number(add, 8, (uint64_t)change->when_ms);
    bind_blob(add, 9, change->words.at, change->words.len);
    bind_place(add, 10, &content.place);
    row->count++;
    row->octets += octets;
    return run(a, ADD_PLACEMENT);
}

/* If the placement is there already: a later version of it, or its message at a later place. */
static bool renew_placement(struct applying *a, const struct change *change, bool *known_out)
{
    sqlite3_stmt *get = index_sql(a->index, GET_PLACEMENT);
    sqlite3_stmt *set = index_sql(a->index, SET_PLACEMENT);
    bind_number(get, 1, change->mailbox);
    bind_number(get, 2, change->uid);
    bool ok = database_step(&a->index->db, get, known_out, a->error);
    if (!ok || !*known_out)
        return ok;
    bool newer = change->modseq > column_number(get, 2);
    struct unit_place place = index_read_place(get, 4);
    bind_number(set, 1, change->mailbox);
    bind_number(set, 2, change->uid);
    bind_number(set, 3, newer ? change->modseq : column_number(get, 2));
    bind_number(set, 4, newer ? change->flags : column_number(get, 3));
    sqlite3_reset(get);
    if (is_own_message(a, change->message) && is_later(&a->unit->place, &place))
        place = a->unit->place;
    bind_place(set, 5, &place);
    return run(a, SET_PLACEMENT);
}

static bool set_tombstone(struct applying *a, const struct change *change, message_id message)
{
    sqlite3_stmt *set = index_sql(a->index, SET_TOMBSTONE);
    bind_number(set, 1, change->mailbox);
    bind_number(set, 2, change->uid);
    bind_number(set, 3, change->modseq);
    bind_number(set, 4, message);
    bind_number(set, 5, a->unit->place.segment);
    return run(a, SET_TOMBSTONE);
}

/* Whether an expunge of it was applied before. */
static bool is_buried(struct applying *a, const struct change *change, bool *buried_out)
{
    sqlite3_stmt *get = index_sql(a->index, GET_TOMBSTONE);
    bind_number(get, 1, change->mailbox);
    bind_number(get, 2, change->uid);
    if (!database_step(&a->index->db, get, buried_out, a->error))
        return false;
    sqlite3_reset(get);
    return true;
}

static void raise(struct applying *a, struct mailbox_row *row, const struct change *change)
{
    if (change->uid >= row->uid_next)
        row->uid_next = change->uid + 1;
    if (change->modseq > row->modseq)
        row->modseq = change->modseq;
    rows_raise_assigned(row); /* a replay applies what an earlier process has assigned */
    rows_changed(a->index, row);
}

static bool apply_placed(struct applying *a, const struct change *change, struct mailbox_row *row)
{
    bool fresh = change->uid >= row->uid_next;
    raise(a, row, change);
    if (row->purged)
        return true;
    if (fresh)
        return add_placement(a, change, row);
    bool known = false;
    if (!is_buried(a, change, &known))
        return false;
    if (known)
        return set_tombstone(a, change, change->message);
    bool ok = renew_placement(a, change, &known);
    return ok && (known || add_placement(a, change, row));
}

static bool drop_placement(struct applying *a, const struct change *change, struct mailbox_row *row,
                           message_id *message_out)
{
    sqlite3_stmt *get = index_sql(a->index, GET_PLACEMENT);
    sqlite3_stmt *drop = index_sql(a->index, DROP_PLACEMENT);
    bool found = false;
    bind_number(get, 1, change->mailbox);
    bind_number(get, 2, change->uid);
    bool ok = database_step(&a->index->db, get, &found, a->error);
    if (!ok || !found)
        return ok;
    *message_out = column_number(get, 0);
    uint64_t octets = column_number(get, 1);
    sqlite3_reset(get);
    if (row->count == 0 || row->octets < octets)
        return error_set(a->error, ERROR_DAMAGED, "index.db: mailbox %016llx is miscounted",
                         (unsigned long long)change->mailbox);
    row->count--;
    row->octets -= octets;
    bind_number(drop, 1, change->mailbox);
    bind_number(drop, 2, change->uid);
    return run(a, DROP_PLACEMENT) && release_message(a, *message_out);
}

static bool apply_expunged(struct applying *a, const struct change *change, struct mailbox_row *row)
{
    raise(a, row, change);
    if (row->purged)
        return true;
    message_id message = 0;
    return drop_placement(a, change, row, &message) && set_tombstone(a, change, message);
}

/* --- Mailboxes --- */

static bool apply_mailbox(struct applying *a, const struct change *change, struct mailbox_row *row)
{
    sqlite3_stmt *state = index_sql(a->index, STATE_MAILBOX);
    bind_number(state, 1, change->mailbox);
    bind_text(state, 2, change->words);
    bind_number(state, 3, change->uid_validity);
    bind_number(state, 4, (uint64_t)change->when_ms);
    bind_number(state, 5, change->modseq);
    if (!run(a, STATE_MAILBOX))
        return false;
    if (sqlite3_changes(a->index->db.handle) > 0)
        row->uid_validity = change->uid_validity;
    if (change->uid_validity > a->index->uid_validity_last)
        a->index->uid_validity_last = change->uid_validity;
    if (change->uid_next > row->uid_next)
        row->uid_next = change->uid_next;
    raise(a, row, change);
    rows_stated(row);
    return true;
}

/* The placements go later, some at a time (index_sweep): there may be millions. */
static bool apply_purged(struct applying *a, const struct change *change, struct mailbox_row *row)
{
    row->purged = true;
    row->count = row->octets = 0;
    rows_changed(a->index, row);
    bind_number(index_sql(a->index, ADD_LEFTOVER), 1, change->mailbox);
    a->index->leftovers = true;
    return run(a, ADD_LEFTOVER);
}

static bool apply_to_mailbox(struct applying *a, const struct change *change)
{
    struct mailbox_row *row = index_mailbox(a->index, change->mailbox, a->error);
    if (!row)
        return false;
    row->exists = true;
    switch (change->kind) {
    case CHANGE_MAILBOX:
        return apply_mailbox(a, change, row);
    case CHANGE_PLACED:
        return apply_placed(a, change, row);
    case CHANGE_EXPUNGED:
        return apply_expunged(a, change, row);
    default:
        return apply_purged(a, change, row);
    }
}

static bool apply_change(struct applying *a, const struct change *change)
{
    switch (change->kind) {
    case CHANGE_MESSAGE:
        a->has_message = true;
        a->message = *change;
        return true;
    case CHANGE_ENVELOPE:
        if (is_own_message(a, change->message))
            a->envelope = change->envelope;
        return true;
    case CHANGE_RECIPIENT:
        return apply_recipient(a, &change->row);
    default:
        return apply_to_mailbox(a, change);
    }
}

bool index_apply(struct index *index, const struct unit *unit, struct error *error)
{
    struct applying a = { .index = index, .error = error, .unit = unit };
    struct bytes rest = unit->changes;
    while (rest.len > 0) {
        struct change change;
        if (!change_decode(&rest, &change))
            return error_set(error, ERROR_TEMPORARY,
                             "the journal holds a change that this version does not know");
        if (!apply_change(&a, &change))
            return false;
    }
    return !a.has_message || settle_message(&a);
}

/* --- Purged mailboxes, some placements at a time --- */

bool index_wants_sweep(const struct index *index)
{
    return index->leftovers;
}

struct victim {
    mailbox_id mailbox; /* 0: none is left */
    uint32_t uid;       /* 0: the mailbox has no more */
    message_id message;
};

/* The next placement of a purged mailbox.  (Its tombstones stay as long as any: compaction knows
 * when they have nothing left to bury.) */
static bool next_victim(struct applying *a, struct victim *out)
{
    sqlite3_stmt *get = index_sql(a->index, NEXT_LEFTOVER);
    bool row = false;
    *out = (struct victim){ 0 };
    bool ok = database_step(&a->index->db, get, &row, a->error);
    if (!ok || !row)
        return ok;
    *out = (struct victim){ column_number(get, 0), (uint32_t)column_number(get, 1),
                            column_number(get, 2) };
    sqlite3_reset(get);
    return true;
}

static bool sweep_one(struct applying *a, const struct victim *victim)
{
    sqlite3_stmt *drop = index_sql(a->index, DROP_PLACEMENT);
    if (victim->uid == 0) {
        bind_number(index_sql(a->index, DROP_LEFTOVER), 1, victim->mailbox);
        return run(a, DROP_LEFTOVER);
    }
    bind_number(drop, 1, victim->mailbox);
    bind_number(drop, 2, victim->uid);
    return run(a, DROP_PLACEMENT) && release_message(a, victim->message);
}

bool index_sweep(struct index *index, unsigned limit, bool *more_out, struct error *error)
{
    struct applying a = { .index = index, .error = error };
    for (unsigned i = 0; i < limit; i++) {
        struct victim victim;
        if (!next_victim(&a, &victim))
            return false;
        index->leftovers = victim.mailbox != 0;
        if (victim.mailbox == 0)
            break;
        if (!sweep_one(&a, &victim))
            return false;
    }
    *more_out = index->leftovers;
    return true;
}
