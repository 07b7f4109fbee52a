/* index_queue.c - the rows of the queue: applying their states, finding those that are due.
 *
 * A row counts in its domain while it waits, is not held, and its message is known.  The domain's
 * first due time is looked up in the index of such rows after each change, never searched for; so
 * whatever dispatch asks costs what it gets, however much waits (store rule 25).
 */
#include "store/local/index_inner.h"

#include <string.h>

/* --- Applying --- */

/* What applying must know of a row, before or after a change. */
struct row_view {
    uint32_t generation;
    bool waits, held, orphan;
    int64_t due_ms;
    size_t domain_len;
    char domain[CHANGE_DOMAIN_MAX];
};

static void set_domain(struct row_view *view, struct text domain)
{
    view->domain_len = domain.len < sizeof view->domain ? domain.len : sizeof view->domain;
    if (view->domain_len > 0)
        memcpy(view->domain, domain.at, view->domain_len);
}

static struct row_view view_of(const struct queue_row *row, bool orphan)
{
    struct row_view view = { .generation = row->generation,
                             .waits = row->state == QUEUE_WAITING,
                             .held = row->held,
                             .orphan = orphan,
                             .due_ms = row->due_ms };
    set_domain(&view, row->domain);
    return view;
}

static struct text domain_of(const struct row_view *view)
{
    return (struct text){ view->domain, view->domain_len };
}

static bool is_ready(const struct row_view *view)
{
    return view->waits && !view->held && !view->orphan;
}

/* Settled is settled, whatever comes before or after it in a replay. */
static bool is_later(const struct row_view *a, const struct row_view *b)
{
    return a->waits != b->waits ? b->waits : a->generation > b->generation;
}

static bool get_row(struct applying *a, const struct queue_row *row, struct row_view *out,
                    bool *found_out)
{
    sqlite3_stmt *get = index_sql(a->index, GET_RECIPIENT);
    bind_number(get, 1, row->message);
    bind_number(get, 2, row->number);
    bool ok = database_step(&a->index->db, get, found_out, a->error);
    if (!ok || !*found_out)
        return ok;
    *out = (struct row_view){
        .generation = (uint32_t)column_number(get, 0),
        .waits = column_number(get, 1) == QUEUE_WAITING,
        .held = column_number(get, 2) != 0,
        .due_ms = sqlite3_column_int64(get, 3),
        .orphan = column_number(get, 5) != 0,
    };
    set_domain(out, column_text(get, 4));
    sqlite3_reset(get);
    return true;
}

/* A settled row is a tombstone: it needs no more than its version. */
static bool write_row(struct applying *a, enum index_statement how, const struct queue_row *row,
                      bool orphan)
{
    static const struct text none = TEXT("");
    bool waits = row->state == QUEUE_WAITING;
    sqlite3_stmt *s = index_sql(a->index, how);
    bind_number(s, 1, row->message);
    bind_number(s, 2, row->number);
    bind_number(s, 3, row->generation);
    bind_number(s, 4, (uint64_t)row->state);
    bind_number(s, 5, waits && row->held);
    bind_number(s, 6, waits && row->warned);
    bind_number(s, 7, waits ? row->attempts : 0);
    bind_number(s, 8, waits ? (uint64_t)row->due_ms : 0);
    bind_number(s, 9, waits ? row->notify : 0);
    bind_text(s, 10, waits ? row->address : none);
    bind_text(s, 11, waits ? row->domain : none);
    bind_text(s, 12, waits ? row->last : none);
    bind_text(s, 13, waits ? row->orcpt : none);
    bind_number(s, 14, waits && orphan);
    bind_number(s, 15, a->unit->place.segment);
    return index_run(a->index, how, a->error);
}

static bool adopt(struct applying *a, const struct queue_row *row)
{
    sqlite3_stmt *s = index_sql(a->index, ADOPT_RECIPIENT);
    bind_number(s, 1, row->message);
    bind_number(s, 2, row->number);
    return index_run(a->index, ADOPT_RECIPIENT, a->error);
}

/* --- Domains --- */

static bool domain_gains(struct applying *a, const struct row_view *view)
{
    sqlite3_stmt *add = index_sql(a->index, ADD_TO_DOMAIN);
    bind_text(add, 1, domain_of(view));
    bind_number(add, 2, (uint64_t)view->due_ms);
    return index_run(a->index, ADD_TO_DOMAIN, a->error);
}

/* `fewer` rows, 0 or 1, and a first due time that is to be looked up. */
static bool domain_changes(struct applying *a, const struct row_view *view, unsigned fewer)
{
    sqlite3_stmt *set = index_sql(a->index, SET_DOMAIN);
    bind_text(set, 1, domain_of(view));
    bind_number(set, 2, fewer);
    return index_run(a->index, SET_DOMAIN, a->error);
}

static bool domain_loses(struct applying *a, const struct row_view *view)
{
    bind_text(index_sql(a->index, LAST_OF_DOMAIN), 1, domain_of(view));
    if (!index_run(a->index, LAST_OF_DOMAIN, a->error))
        return false;
    return sqlite3_changes(a->index->db.handle) > 0 || domain_changes(a, view, 1);
}

/* The row itself has been written already. */
static bool move_in_domains(struct applying *a, const struct row_view *old,
                            const struct row_view *now)
{
    if (is_ready(old) && is_ready(now) && text_equal(domain_of(old), domain_of(now)))
        return old->due_ms == now->due_ms || domain_changes(a, now, 0);
    return (!is_ready(old) || domain_loses(a, old)) && (!is_ready(now) || domain_gains(a, now));
}

/* --- A row's change --- */

/* The unit's own message counts its rows at the end. */
static bool move_in_message(struct applying *a, message_id id, const struct row_view *old,
                            const struct row_view *now)
{
    bool counted = old->waits && !old->orphan, counts = now->waits && !now->orphan;
    if (is_own_message(a, id) || counted == counts)
        return true;
    return counts ? message_gains_row(a, id) : message_loses_row(a, id);
}

static bool find_orphan(struct applying *a, message_id id, bool *orphan_out)
{
    bool known = is_own_message(a, id);
    bool ok = known || message_is_known(a, id, &known);
    *orphan_out = !known;
    return ok;
}

static bool add_row(struct applying *a, const struct queue_row *row)
{
    static const struct row_view nothing;
    bool orphan = false;
    if (!find_orphan(a, row->message, &orphan) || !write_row(a, ADD_RECIPIENT, row, orphan))
        return false;
    struct row_view now = view_of(row, orphan);
    return move_in_domains(a, &nothing, &now) && move_in_message(a, row->message, &nothing, &now);
}

/* A tombstone that is heard of again stays as long as the journal says it. */
static bool hear_again(struct applying *a, const struct queue_row *row, const struct row_view *old)
{
    sqlite3_stmt *s = index_sql(a->index, AGAIN_RECIPIENT);
    if (old->waits)
        return true;
    bind_number(s, 1, row->message);
    bind_number(s, 2, row->number);
    bind_number(s, 3, a->unit->place.segment);
    return index_run(a->index, AGAIN_RECIPIENT, a->error);
}

static bool change_row(struct applying *a, const struct queue_row *row, const struct row_view *old)
{
    bool orphan = false;
    if (old->orphan && !find_orphan(a, row->message, &orphan))
        return false;
    struct row_view now = view_of(row, orphan);
    bool later = is_later(&now, old);
    if (!later && orphan == old->orphan)
        return hear_again(a, row, old);
    if (!later) {
        now = *old;
        now.orphan = orphan;
    }
    return (later ? write_row(a, SET_RECIPIENT, row, orphan) : adopt(a, row)) &&
           move_in_domains(a, old, &now) && move_in_message(a, row->message, old, &now);
}

/* New mail: nothing has been heard of the row before, and one insertion finds out. */
static bool add_first(struct applying *a, const struct queue_row *row, bool *added_out)
{
    if (!write_row(a, ADD_RECIPIENT, row, false))
        return false;
    *added_out = sqlite3_changes(a->index->db.handle) > 0;
    struct row_view now = view_of(row, false);
    return !*added_out || !is_ready(&now) || domain_gains(a, &now);
}

bool apply_recipient(struct applying *a, const struct queue_row *row)
{
    struct row_view old;
    bool done = false;
    if (is_own_message(a, row->message)) {
        a->has_rows = true;
        if (!add_first(a, row, &done))
            return false;
    }
    if (done)
        return true;
    bool found = false;
    if (!get_row(a, row, &old, &found))
        return false;
    return found ? change_row(a, row, &old) : add_row(a, row);
}

bool recipients_waiting(struct applying *a, message_id id, uint64_t *count_out)
{
    sqlite3_stmt *count = index_sql(a->index, COUNT_WAITING);
    bool row = false;
    bind_number(count, 1, id);
    bool ok = database_step(&a->index->db, count, &row, a->error);
    if (!ok || !row)
        return ok;
    *count_out = column_number(count, 0);
    sqlite3_reset(count);
    return true;
}

/* --- Reading --- */

bool index_due_domains(struct index *index, const struct queue_look *look,
                       const struct index_visitor *visitor, struct error *error)
{
    uint32_t max = look->domains_max < QUEUE_DOMAINS_MAX ? look->domains_max : QUEUE_DOMAINS_MAX;
    sqlite3_stmt *list = index_sql(index, DUE_DOMAINS);
    bool row, ok;
    bind_number(list, 1, (uint64_t)look->now_ms);
    bind_number(list, 2, (uint64_t)look->after_due_ms);
    bind_text(list, 3, look->after_name);
    bind_number(list, 4, max);
    while ((ok = database_step(&index->db, list, &row, error)) && row) {
        struct queue_domain domain = { .name = column_text(list, 0),
                                       .due_ms = sqlite3_column_int64(list, 1),
                                       .rows = (uint32_t)column_number(list, 2) };
        if (!visitor->domain(visitor->owner, &domain, error)) {
            sqlite3_reset(list);
            return false;
        }
    }
    return ok;
}

bool index_next_due(struct index *index, int64_t now_ms, int64_t *due_ms_out, struct error *error)
{
    sqlite3_stmt *get = index_sql(index, NEXT_DUE);
    bool row = false;
    *due_ms_out = INT64_MAX;
    bind_number(get, 1, (uint64_t)now_ms);
    bool ok = database_step(&index->db, get, &row, error);
    if (!ok || !row)
        return ok;
    *due_ms_out = sqlite3_column_int64(get, 0);
    sqlite3_reset(get);
    return true;
}

struct queue_row index_read_row(sqlite3_stmt *s)
{
    return (struct queue_row){
        .message = column_number(s, 0),
        .number = (uint32_t)column_number(s, 1),
        .generation = (uint32_t)column_number(s, 2),
        .state = (enum queue_state)column_number(s, 3),
        .held = column_number(s, 4) != 0,
        .warned = column_number(s, 5) != 0,
        .attempts = (uint32_t)column_number(s, 6),
        .due_ms = sqlite3_column_int64(s, 7),
        .notify = (unsigned)column_number(s, 8),
        .address = column_text(s, 9),
        .domain = column_text(s, 10),
        .last = column_text(s, 11),
        .orcpt = column_text(s, 12),
    };
}

static struct content_facts read_facts(sqlite3_stmt *s, int column)
{
    unsigned bits = (unsigned)column_number(s, column + 1);
    return (struct content_facts){
        .octets = column_number(s, column),
        .received = (uint32_t)column_number(s, column + 2),
        .line_longest = (uint32_t)column_number(s, column + 3),
        .dot_lines = bits & INDEX_DOT_LINES,
        .ends_with_crlf = bits & INDEX_ENDS_WITH_CRLF,
        .eight_bit = bits & INDEX_EIGHT_BIT,
        .has_nul = bits & INDEX_HAS_NUL,
        .bare_cr_or_lf = bits & INDEX_BARE_CR_OR_LF,
    };
}

static struct queue_item read_item(sqlite3_stmt *s)
{
    struct unit_place place = index_read_place(s, 22);
    struct queue_item item = {
        .row = index_read_row(s),
        .sender = column_text(s, 13),
        .envelope = { .ret = column_text(s, 14), .envid = column_text(s, 15) },
        .arrived_ms = sqlite3_column_int64(s, 17),
        .facts = read_facts(s, 18),
    };
    envelope_set_bits(&item.envelope, (uint32_t)column_number(s, 16));
    item.content = (struct maildrop_entry){
        .message = item.row.message,
        .octets = item.facts.octets,
        .content_octets = item.facts.octets,
        .prefix = TEXT(""),
        .dot_lines = item.facts.dot_lines,
        .arrived_ms = item.arrived_ms,
        .place = {
            .segment = place.segment,
            .offset = place.offset,
            .frame_octets = place.octets,
            .content_at = place.content_at,
            .large = column_number(s, 19) & INDEX_LARGE,
        },
    };
    return item;
}

static bool visit_items(struct index *index, enum index_statement which,
                        const struct index_visitor *visitor, struct error *error)
{
    sqlite3_stmt *each = index_sql(index, which);
    bool row, ok;
    while ((ok = database_step(&index->db, each, &row, error)) && row) {
        struct queue_item item = read_item(each);
        if (!visitor->queued(visitor->owner, &item, error)) {
            sqlite3_reset(each);
            return false;
        }
    }
    return ok;
}

bool index_due_rows(struct index *index, const struct index_due *due,
                    const struct index_visitor *visitor, struct error *error)
{
    sqlite3_stmt *each = index_sql(index, DUE_ROWS);
    bool from_front = due->after.message == 0;
    bind_text(each, 1, due->domain);
    bind_number(each, 2, (uint64_t)due->now_ms);
    bind_number(each, 3, (uint64_t)(from_front ? INT64_MIN : due->after.due_ms));
    bind_number(each, 4, due->after.message);
    bind_number(each, 5, due->after.number);
    bind_number(each, 6, due->max);
    return visit_items(index, DUE_ROWS, visitor, error);
}

bool index_each_queued(struct index *index, const struct queue_place *after, uint32_t max,
                       const struct index_visitor *visitor, struct error *error)
{
    sqlite3_stmt *each = index_sql(index, EACH_QUEUED);
    bind_number(each, 1, after->message);
    bind_number(each, 2, after->number);
    bind_number(each, 3, max > 0 ? max : (uint64_t)-1);
    return visit_items(index, EACH_QUEUED, visitor, error);
}

bool index_find_waiting(struct index *index, message_id message, uint32_t number,
                        struct index_waiting *out, struct error *error)
{
    sqlite3_stmt *get = index_sql(index, GET_RECIPIENT);
    bool row = false;
    *out = (struct index_waiting){ 0 };
    bind_number(get, 1, message);
    bind_number(get, 2, number);
    bool ok = database_step(&index->db, get, &row, error);
    if (!ok || !row)
        return ok;
    if (column_number(get, 1) == QUEUE_WAITING && column_number(get, 5) == 0)
        *out =
            (struct index_waiting){ (uint32_t)column_number(get, 0), column_number(get, 2) != 0 };
    sqlite3_reset(get);
    return true;
}
