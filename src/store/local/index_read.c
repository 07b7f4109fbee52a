/* index_read.c - finding in the index: mailboxes, placements, messages.  Changes nothing. */
#include "store/local/index_inner.h"

struct unit_place index_read_place(sqlite3_stmt *s, int column)
{
    return (struct unit_place){
        .segment = column_number(s, column),
        .offset = column_number(s, column + 1),
        .octets = (uint32_t)column_number(s, column + 2),
        .content_at = (uint32_t)column_number(s, column + 3),
    };
}

bool index_read_begin(struct index *index, struct error *error)
{
    return index_run(index, READ_BEGIN, error);
}

void index_read_end(struct index *index)
{
    index_run(index, READ_END, NULL);
}

/* --- Mailboxes --- */

static struct index_mailbox read_mailbox(sqlite3_stmt *s)
{
    return (struct index_mailbox){
        .id = column_number(s, 0),
        .address = column_text(s, 1),
        .uid_validity = (uint32_t)column_number(s, 2),
        .uid_next = (uint32_t)column_number(s, 3),
        .modseq = column_number(s, 4),
        .count = column_number(s, 5),
        .octets = column_number(s, 6),
    };
}

bool index_find_mailbox(struct index *index, mailbox_id id, struct index_mailbox *out,
                        bool *found_out, struct error *error)
{
    sqlite3_stmt *get = index_sql(index, GET_MAILBOX);
    bind_number(get, 1, id);
    bool ok = database_step(&index->db, get, found_out, error);
    if (!ok || !*found_out)
        return ok;
    *out = read_mailbox(get);
    out->address = (struct text){ "", 0 };
    sqlite3_reset(get);
    return true;
}

bool index_each_mailbox(struct index *index, const struct index_visitor *visitor,
                        struct error *error)
{
    sqlite3_stmt *each = index_sql(index, EACH_MAILBOX);
    bool row, ok;
    while ((ok = database_step(&index->db, each, &row, error)) && row) {
        struct index_mailbox mailbox = read_mailbox(each);
        if (!visitor->mailbox(visitor->owner, &mailbox, error)) {
            sqlite3_reset(each);
            return false;
        }
    }
    return ok;
}

/* --- Placements --- */

static struct index_placement read_placement(sqlite3_stmt *s, mailbox_id mailbox)
{
    return (struct index_placement){
        .mailbox = mailbox,
        .uid = (uint32_t)column_number(s, 0),
        .message = column_number(s, 1),
        .modseq = column_number(s, 2),
        .flags = (uint32_t)column_number(s, 3),
        .octets = column_number(s, 4),
        .facts = (unsigned)column_number(s, 5),
        .placed_ms = sqlite3_column_int64(s, 6),
        .prefix = column_text(s, 7),
        .place = index_read_place(s, 8),
    };
}

bool index_each_placement(struct index *index, mailbox_id mailbox, uint32_t uid_below,
                          const struct index_visitor *visitor, struct error *error)
{
    sqlite3_stmt *each = index_sql(index, EACH_PLACEMENT);
    bool row, ok;
    bind_number(each, 1, mailbox);
    bind_number(each, 2, uid_below ? uid_below : (uint64_t)UINT32_MAX + 1);
    while ((ok = database_step(&index->db, each, &row, error)) && row) {
        struct index_placement placement = read_placement(each, mailbox);
        if (!visitor->placement(visitor->owner, &placement, error)) {
            sqlite3_reset(each);
            return false;
        }
    }
    return ok;
}

/* --- Messages --- */

static struct index_message read_message(sqlite3_stmt *s)
{
    return (struct index_message){
        .message = column_number(s, 0),
        .octets = column_number(s, 1),
        .facts = (unsigned)column_number(s, 2),
        .placements = column_number(s, 3),
        .waiting = column_number(s, 4),
        .place = index_read_place(s, 5),
    };
}

bool index_each_message(struct index *index, const struct index_visitor *visitor,
                        struct error *error)
{
    sqlite3_stmt *each = index_sql(index, EACH_MESSAGE);
    bool row, ok;
    while ((ok = database_step(&index->db, each, &row, error)) && row) {
        struct index_message message = read_message(each);
        if (!visitor->message(visitor->owner, &message, error)) {
            sqlite3_reset(each);
            return false;
        }
    }
    return ok;
}

bool index_find_message(struct index *index, message_id id, struct index_message *out,
                        bool *found_out, struct error *error)
{
    sqlite3_stmt *get = index_sql(index, GET_MESSAGE);
    bind_number(get, 1, id);
    bool ok = database_step(&index->db, get, found_out, error);
    if (!ok || !*found_out)
        return ok;
    *out = read_message(get);
    sqlite3_reset(get);
    return true;
}

bool index_knows_prefix(struct index *index, uint32_t prefix, bool *known_out, struct error *error)
{
    sqlite3_stmt *get = index_sql(index, GET_PREFIX);
    bind_number(get, 1, prefix);
    bool ok = database_step(&index->db, get, known_out, error);
    sqlite3_reset(get);
    return ok;
}

/* --- Dead large messages --- */

bool index_list_dead(struct index *index, message_id *ids, size_t max, size_t *count_out,
                     struct error *error)
{
    sqlite3_stmt *list = index_sql(index, LIST_DEAD);
    bool row, ok;
    *count_out = 0;
    bind_number(list, 1, max);
    while ((ok = database_step(&index->db, list, &row, error)) && row)
        ids[(*count_out)++] = column_number(list, 0);
    return ok;
}

bool index_forget_dead(struct index *index, const message_id *ids, size_t count,
                       struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        bind_number(index_sql(index, FORGET_DEAD), 1, ids[i]);
        if (!index_run(index, FORGET_DEAD, error))
            return false;
    }
    index->dead_octets = 0;
    return true;
}

uint64_t index_dead_octets(const struct index *index)
{
    return index->dead_octets;
}
