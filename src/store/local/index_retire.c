/* index_retire.c - what compaction asks of the index, and the tombstones that it lets it forget.
 *
 * A tombstone buries what older units of the journal say.  Once the segment where it was heard of
 * last does not count any more, nor does anything older, and there is nothing left to bury.
 */
#include "store/local/index_inner.h"

enum { LOOKED_AT = 1000 };

static bool one_number(struct index *index, enum index_statement which, uint64_t *out,
                       struct error *error)
{
    sqlite3_stmt *get = index_sql(index, which);
    bool row = false;
    *out = 0;
    if (!database_step(&index->db, get, &row, error))
        return false;
    if (!row)
        return true;
    *out = column_number(get, 0);
    sqlite3_reset(get);
    return true;
}

bool index_live_octets(struct index *index, uint64_t *out, struct error *error)
{
    return one_number(index, LIVE_OCTETS, out, error);
}

bool index_lowest_segment(struct index *index, uint64_t *out, struct error *error)
{
    return one_number(index, LOWEST_SEGMENT, out, error);
}

bool index_leftovers(struct index *index, uint64_t *out, struct error *error)
{
    return one_number(index, LEFTOVERS, out, error);
}

bool index_find_placed(struct index *index, mailbox_id mailbox, uint32_t uid,
                       struct index_placed *out, struct error *error)
{
    sqlite3_stmt *get = index_sql(index, PLACED_AS);
    bool row = false;
    *out = (struct index_placed){ 0 };
    bind_number(get, 1, mailbox);
    bind_number(get, 2, uid);
    if (!database_step(&index->db, get, &row, error))
        return false;
    if (!row)
        return true;
    *out = (struct index_placed){ column_number(get, 0), column_number(get, 1),
                                  (uint32_t)column_number(get, 2) };
    sqlite3_reset(get);
    return true;
}

static bool is_there(struct index *index, enum index_statement which, uint64_t key, uint64_t number,
                     bool *out, struct error *error)
{
    sqlite3_stmt *get = index_sql(index, which);
    bind_number(get, 1, key);
    bind_number(get, 2, number);
    bool ok = database_step(&index->db, get, out, error);
    sqlite3_reset(get);
    return ok;
}

bool index_is_expunged(struct index *index, mailbox_id mailbox, uint32_t uid, bool *out,
                       struct error *error)
{
    return is_there(index, GET_TOMBSTONE, mailbox, uid, out, error);
}

bool index_knows_row(struct index *index, message_id message, uint32_t number, bool *out,
                     struct error *error)
{
    return is_there(index, GET_RECIPIENT, message, number, out, error);
}

bool index_each_row(struct index *index, message_id message,
                    bool (*each)(void *owner, const struct queue_row *, struct error *),
                    void *owner, struct error *error)
{
    sqlite3_stmt *get = index_sql(index, ROWS_OF_MESSAGE);
    bool row, ok;
    bind_number(get, 1, message);
    while ((ok = database_step(&index->db, get, &row, error)) && row) {
        struct queue_row found = index_read_row(get);
        if (!each(owner, &found, error)) {
            sqlite3_reset(get);
            return false;
        }
    }
    return ok;
}

bool index_mailbox_words(struct index *index, mailbox_id mailbox, struct buffer *words,
                         int64_t *opened_ms_out, bool *found_out, struct error *error)
{
    sqlite3_stmt *get = index_sql(index, MAILBOX_WORDS);
    bind_number(get, 1, mailbox);
    if (!database_step(&index->db, get, found_out, error))
        return false;
    if (!*found_out)
        return true;
    *opened_ms_out = sqlite3_column_int64(get, 1);
    bool ok = buffer_text(words, column_text(get, 0));
    sqlite3_reset(get);
    return ok || error_set(error, ERROR_TEMPORARY, "out of memory");
}

/* --- Forgetting --- */

bool index_set_oldest(struct index *index, uint64_t oldest, struct error *error)
{
    bind_number(index_sql(index, SET_OLDEST), 1, oldest);
    return index_run(index, SET_OLDEST, error);
}

/* The last key of those that are looked at now; the largest there can be when less are left. */
static bool find_last(struct index *index, enum index_statement which, const uint64_t from[2],
                      uint64_t out[2], bool *more_out, struct error *error)
{
    sqlite3_stmt *get = index_sql(index, which);
    bind_number(get, 1, from[0]);
    bind_number(get, 2, from[1]);
    bind_number(get, 3, LOOKED_AT - 1);
    if (!database_step(&index->db, get, more_out, error))
        return false;
    out[0] = out[1] = INT64_MAX;
    if (!*more_out)
        return true;
    out[0] = column_number(get, 0);
    out[1] = column_number(get, 1);
    sqlite3_reset(get);
    return true;
}

bool index_forget(struct index *index, struct index_forgetting *f, bool *more_out,
                  struct error *error)
{
    uint64_t last[2];
    bool more = false;
    if (!find_last(index, f->rows ? OLD_RECIPIENTS : OLD_TOMBSTONES, f->key, last, &more, error))
        return false;
    enum index_statement which = f->rows ? DROP_RECIPIENTS : DROP_TOMBSTONES;
    sqlite3_stmt *drop = index_sql(index, which);
    bind_number(drop, 1, f->key[0]);
    bind_number(drop, 2, f->key[1]);
    bind_number(drop, 3, last[0]);
    bind_number(drop, 4, last[1]);
    if (!index_run(index, which, error))
        return false;
    *more_out = more || !f->rows;
    if (more)
        *f = (struct index_forgetting){ { last[0], last[1] }, f->rows };
    else
        *f = (struct index_forgetting){ { 0, 0 }, true };
    return true;
}
