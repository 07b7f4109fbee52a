/* index_rows.c - the mailbox rows that the index holds in memory.
 *
 * Counting a message changes its mailbox's row; rows are changed here and written once a
 * transaction.  The cache also remembers what has been assigned ahead of what is applied, and that
 * survives an undone transaction: a uid is never given twice.
 */
#include "store/local/index_inner.h"

#include "base/check.h"

#include <stdlib.h>

enum { ROWS_MAX = 100 * 1000, BUCKETS_FIRST = 256 };

void rows_init(struct index *index)
{
    list_init(&index->rows.used);
}

void rows_clear(struct index *index)
{
    struct list *link;
    while ((link = list_take_first(&index->rows.used)))
        free(OWNER_OF(link, struct row_entry, used));
    free(index->rows.buckets);
    index->rows.buckets = NULL;
    index->rows.bucket_count = index->rows.count = 0;
}

/* --- Finding --- */

/* The ids are random already. */
static struct row_entry **bucket_of(struct row_cache *rows, mailbox_id id)
{
    return &rows->buckets[id & (rows->bucket_count - 1)];
}

static struct row_entry *find(struct row_cache *rows, mailbox_id id)
{
    struct row_entry *entry = rows->bucket_count ? *bucket_of(rows, id) : NULL;
    while (entry && entry->row.id != id)
        entry = entry->chain;
    return entry;
}

/* Keeps the chains short; when memory is short they may as well grow. */
static bool widen(struct row_cache *rows)
{
    size_t wider = rows->bucket_count ? rows->bucket_count * 2 : BUCKETS_FIRST;
    struct row_entry **buckets = calloc(wider, sizeof *buckets);
    if (!buckets)
        return rows->bucket_count > 0;
    free(rows->buckets);
    rows->buckets = buckets;
    rows->bucket_count = wider;
    for (struct list *link = rows->used.next; link != &rows->used; link = link->next) {
        struct row_entry *entry = OWNER_OF(link, struct row_entry, used);
        struct row_entry **bucket = bucket_of(rows, entry->row.id);
        entry->chain = *bucket;
        *bucket = entry;
    }
    return true;
}

static struct row_entry *add(struct row_cache *rows, mailbox_id id)
{
    if (rows->count >= rows->bucket_count && !widen(rows))
        return NULL;
    struct row_entry *entry = calloc(1, sizeof *entry);
    if (!entry)
        return NULL;
    entry->row.id = id;
    entry->stale = true;
    list_init(&entry->changed);
    list_init(&entry->used);
    list_append(&rows->used, &entry->used);
    struct row_entry **bucket = bucket_of(rows, id);
    entry->chain = *bucket;
    *bucket = entry;
    rows->count++;
    return entry;
}

static void forget(struct row_cache *rows, struct row_entry *entry)
{
    struct row_entry **at = bucket_of(rows, entry->row.id);
    while (*at != entry)
        at = &(*at)->chain;
    *at = entry->chain;
    list_remove(&entry->used);
    rows->count--;
    free(entry);
}

/* --- Loading --- */

void rows_raise_assigned(struct mailbox_row *row)
{
    if (row->assign_uid < row->uid_next)
        row->assign_uid = row->uid_next;
    if (row->assign_after < row->modseq)
        row->assign_after = row->modseq;
}

static bool load(struct index *index, struct row_entry *entry, struct error *error)
{
    struct mailbox_row *row = &entry->row;
    sqlite3_stmt *get = index_sql(index, GET_ROW);
    bind_number(get, 1, row->id);
    if (!database_step(&index->db, get, &entry->in_file, error))
        return false;
    row->exists = entry->in_file;
    row->uid_validity = entry->in_file ? (uint32_t)column_number(get, 0) : 0;
    row->uid_next = entry->in_file ? (uint32_t)column_number(get, 1) : 1;
    row->modseq = entry->in_file ? column_number(get, 2) : 0;
    row->count = entry->in_file ? column_number(get, 3) : 0;
    row->octets = entry->in_file ? column_number(get, 4) : 0;
    row->purged = entry->in_file && column_number(get, 5) != 0;
    sqlite3_reset(get);
    rows_raise_assigned(row);
    entry->stale = false;
    return true;
}

struct mailbox_row *index_mailbox(struct index *index, mailbox_id id, struct error *error)
{
    struct row_entry *entry = find(&index->rows, id);
    if (!entry)
        entry = add(&index->rows, id);
    if (!entry) {
        error_set(error, ERROR_TEMPORARY, "out of memory");
        return NULL;
    }
    if (entry->stale && !load(index, entry, error))
        return NULL;
    list_remove(&entry->used);
    list_append(&index->rows.used, &entry->used);
    return &entry->row;
}

static bool is_ahead(const struct mailbox_row *row)
{
    return row->assign_uid != row->uid_next || row->assign_after != row->modseq;
}

/* Those with burnt uids stay as long as there is any room at all. */
void index_trim(struct index *index)
{
    CHECK(index->changed_count == 0);
    struct row_cache *rows = &index->rows;
    for (size_t left = rows->count; left > 0 && rows->count > ROWS_MAX; left--) {
        struct row_entry *oldest = OWNER_OF(rows->used.next, struct row_entry, used);
        if (!is_ahead(&oldest->row) || rows->count > 2 * ROWS_MAX) {
            forget(rows, oldest);
        } else {
            list_remove(&oldest->used);
            list_append(&rows->used, &oldest->used);
        }
    }
}

/* --- Changing --- */

void rows_changed(struct index *index, struct mailbox_row *row)
{
    struct row_entry *entry = OWNER_OF(row, struct row_entry, row);
    if (!list_empty(&entry->changed))
        return;
    list_append(&index->changed, &entry->changed);
    index->changed_count++;
}

void rows_stated(struct mailbox_row *row)
{
    OWNER_OF(row, struct row_entry, row)->in_file = true;
}

static bool write_row(struct index *index, struct row_entry *entry, struct error *error)
{
    const struct mailbox_row *row = &entry->row;
    sqlite3_stmt *statement = index_sql(index, entry->in_file ? SET_ROW : ADD_ROW);
    bind_number(statement, 1, row->id);
    bind_number(statement, 2, row->uid_next);
    bind_number(statement, 3, row->modseq);
    bind_number(statement, 4, row->count);
    bind_number(statement, 5, row->octets);
    bind_number(statement, 6, row->purged);
    return database_finish(&index->db, statement, error);
}

bool rows_write(struct index *index, struct error *error)
{
    for (struct list *link = index->changed.next; link != &index->changed; link = link->next)
        if (!write_row(index, OWNER_OF(link, struct row_entry, changed), error))
            return false;
    return true;
}

void rows_settle(struct index *index, bool kept)
{
    struct list *link;
    while ((link = list_take_first(&index->changed))) {
        struct row_entry *entry = OWNER_OF(link, struct row_entry, changed);
        entry->in_file = entry->in_file || kept;
        entry->stale = !kept;
    }
    index->changed_count = 0;
}
