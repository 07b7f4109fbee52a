/* index.c - index.db: its tables, its transactions, its write-ahead log.
 *
 * It never reads the journal: whoever opens an index whose position lies behind replays the rest
 * into it.
 */
#include "store/local/index_inner.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WRITER_BUSY_MS = 250,
    READER_BUSY_MS = 2000,
    RESTART_BUSY_MS = 10, /* all mail waits meanwhile */
    WAL_FRAME_OCTETS = 4096 + 24,
};

/* A placement repeats where its message lies: a maildrop is listed with one scan of neighbouring
 * rows, however many other mailboxes there are.  `placements` of a message counts its rows there,
 * also those of purged mailboxes that have not been swept, and `waiting` those of the queue; what
 * only the queue needs of a message (sender to envelope) is empty unless it has rows.  `stated` is
 * the version of the change that gave a mailbox its name and uidvalidity.
 *
 * `recipient` also keeps settled rows, without their texts: they are tombstones.  An orphan is a
 * row whose message is not known (yet): a replay may meet a result before the message, and after
 * damage that message may never come.  What dispatch asks for is one narrow index of the rows that
 * wait, and one row of queue_domain for each domain that has any (store rule 25).  Another one has
 * all that wait, held ones too, for people: tombstones cost a listing nothing.
 *
 * Tombstones of both kinds say in which segment they were heard of last.  Once that does not count
 * any more, nothing that it buries does: `oldest` is the first segment that counts, and what is
 * older than that is as good as gone (index_forget). */
static const struct database_format index_format = {
    .application = 0x67776978, /* "gwix" */
    .version = 5,              /* an older one is made anew from the journal */
    .schema = "CREATE TABLE meta(one INTEGER PRIMARY KEY CHECK(one = 1), store_uuid BLOB NOT NULL,"
              " segment INTEGER NOT NULL, offset INTEGER NOT NULL, sequence INTEGER NOT NULL,"
              " checksum INTEGER NOT NULL, oldest INTEGER NOT NULL) STRICT;"
              "CREATE TABLE mailbox(id INTEGER PRIMARY KEY, address TEXT NOT NULL DEFAULT '',"
              " uid_validity INTEGER NOT NULL DEFAULT 0, uid_next INTEGER NOT NULL DEFAULT 1,"
              " modseq INTEGER NOT NULL DEFAULT 0, count INTEGER NOT NULL DEFAULT 0,"
              " octets INTEGER NOT NULL DEFAULT 0, opened_ms INTEGER NOT NULL DEFAULT 0,"
              " stated INTEGER NOT NULL DEFAULT -1, purged INTEGER NOT NULL DEFAULT 0) STRICT;"
              "CREATE TABLE message(id INTEGER PRIMARY KEY, octets INTEGER NOT NULL,"
              " facts INTEGER NOT NULL, arrived_ms INTEGER NOT NULL, placements INTEGER NOT NULL,"
              " waiting INTEGER NOT NULL, received INTEGER NOT NULL,"
              " line_longest INTEGER NOT NULL, sender TEXT NOT NULL, ret TEXT NOT NULL,"
              " envid TEXT NOT NULL, envelope INTEGER NOT NULL,"
              " segment INTEGER NOT NULL, offset INTEGER NOT NULL, unit_octets INTEGER NOT NULL,"
              " content_at INTEGER NOT NULL) STRICT;"
              "CREATE TABLE placement(mailbox INTEGER NOT NULL, uid INTEGER NOT NULL,"
              " message INTEGER NOT NULL, modseq INTEGER NOT NULL, flags INTEGER NOT NULL,"
              " octets INTEGER NOT NULL, facts INTEGER NOT NULL, placed_ms INTEGER NOT NULL,"
              " segment INTEGER NOT NULL, offset INTEGER NOT NULL, unit_octets INTEGER NOT NULL,"
              " content_at INTEGER NOT NULL, prefix BLOB NOT NULL, PRIMARY KEY(mailbox, uid))"
              " STRICT, WITHOUT ROWID;"
              "CREATE TABLE tombstone(mailbox INTEGER NOT NULL, uid INTEGER NOT NULL,"
              " modseq INTEGER NOT NULL, message INTEGER NOT NULL,"
              " segment INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(mailbox, uid))"
              " STRICT, WITHOUT ROWID;"
              "CREATE TABLE recipient(message INTEGER NOT NULL, number INTEGER NOT NULL,"
              " generation INTEGER NOT NULL, state INTEGER NOT NULL, held INTEGER NOT NULL,"
              " warned INTEGER NOT NULL, attempts INTEGER NOT NULL, due INTEGER NOT NULL,"
              " notify INTEGER NOT NULL, address TEXT NOT NULL, domain TEXT NOT NULL,"
              " last TEXT NOT NULL, orcpt TEXT NOT NULL, orphan INTEGER NOT NULL,"
              " segment INTEGER NOT NULL DEFAULT 0,"
              " PRIMARY KEY(message, number)) STRICT, WITHOUT ROWID;"
              "CREATE INDEX recipient_due ON recipient(domain, due, message, number)"
              " WHERE state = 0 AND held = 0 AND orphan = 0;"
              "CREATE INDEX recipient_waiting ON recipient(message, number)"
              " WHERE state = 0 AND orphan = 0;"
              "CREATE TABLE queue_domain(name TEXT NOT NULL PRIMARY KEY, due INTEGER NOT NULL,"
              " waiting INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
              "CREATE INDEX queue_domain_due ON queue_domain(due, name);"
              "CREATE TABLE prefix(id INTEGER PRIMARY KEY) STRICT;"
              "CREATE TABLE dead(message INTEGER PRIMARY KEY) STRICT;"
              "CREATE TABLE leftover(mailbox INTEGER PRIMARY KEY) STRICT;",
};

#define PLACE_COLUMNS   "segment, offset, unit_octets, content_at"
#define MESSAGE_COLUMNS "id, octets, facts, placements, waiting, " PLACE_COLUMNS
#define ROW_COLUMNS                                                                                \
    "r.message, r.number, r.generation, r.state, r.held, r.warned, r.attempts, r.due, r.notify,"   \
    " r.address, r.domain, r.last, r.orcpt"
#define QUEUED_COLUMNS                                                                             \
    ROW_COLUMNS ", m.sender, m.ret, m.envid, m.envelope, m.arrived_ms, m.octets, m.facts,"         \
                " m.received, m.line_longest, m.segment, m.offset, m.unit_octets, m.content_at"
/* What is in the index recipient_due; said in the same words, so that SQLite sees it. */
#define IS_READY "state = 0 AND held = 0 AND orphan = 0"

static const char *const index_sql_text[INDEX_STATEMENTS] = {
    [READ_BEGIN] = "BEGIN",
    [READ_END] = "COMMIT",
    [GET_MAILBOX] = "SELECT id, '', uid_validity, uid_next, modseq, count, octets FROM mailbox"
                    " WHERE id = ?1 AND purged = 0",
    [EACH_MAILBOX] = "SELECT id, address, uid_validity, uid_next, modseq, count, octets"
                     " FROM mailbox WHERE purged = 0 ORDER BY id",
    [EACH_PLACEMENT] = "SELECT uid, message, modseq, flags, octets, facts, placed_ms, prefix,"
                       " " PLACE_COLUMNS " FROM placement WHERE mailbox = ?1 AND uid < ?2"
                       " ORDER BY uid",
    [EACH_MESSAGE] = "SELECT " MESSAGE_COLUMNS " FROM message ORDER BY id",
    [GET_MESSAGE] = "SELECT " MESSAGE_COLUMNS " FROM message WHERE id = ?1",
    [LIVE_OCTETS] = "SELECT ifnull(sum(unit_octets), 0) FROM message",
    [LOWEST_SEGMENT] = "SELECT ifnull(min(segment), 0) FROM message",
    [LEFTOVERS] = "SELECT count(*) FROM leftover",
    [ROWS_OF_MESSAGE] = "SELECT " ROW_COLUMNS " FROM recipient r WHERE r.message = ?1"
                        " ORDER BY r.number",
    [MAILBOX_WORDS] = "SELECT address, opened_ms FROM mailbox WHERE id = ?1 AND purged = 0",
    [PLACED_AS] = "SELECT message, modseq, flags FROM placement WHERE mailbox = ?1 AND uid = ?2",
    [GET_PREFIX] = "SELECT 1 FROM prefix WHERE id = ?1",
    [LIST_DEAD] = "SELECT message FROM dead ORDER BY message LIMIT ?1",
    [GET_POSITION] = "SELECT segment, offset, sequence, checksum FROM meta",
    [DUE_DOMAINS] = "SELECT name, due, waiting FROM queue_domain WHERE due <= ?1"
                    " AND (due, name) > (?2, ?3) ORDER BY due, name LIMIT ?4",
    [NEXT_DUE] = "SELECT due FROM queue_domain WHERE due > ?1 ORDER BY due LIMIT 1",
    [DUE_ROWS] = "SELECT " QUEUED_COLUMNS " FROM recipient r CROSS JOIN message m"
                 " ON m.id = r.message WHERE r.domain = ?1 AND " IS_READY " AND r.due <= ?2"
                 " AND (r.due, r.message, r.number) > (?3, ?4, ?5)"
                 " ORDER BY r.due, r.message, r.number LIMIT ?6",
    [EACH_QUEUED] = "SELECT " QUEUED_COLUMNS " FROM recipient r INDEXED BY recipient_waiting"
                    " CROSS JOIN message m ON m.id = r.message WHERE state = 0 AND orphan = 0"
                    " AND (r.message, r.number) > (?1, ?2) ORDER BY r.message, r.number LIMIT ?3",
    [GET_RECIPIENT] = "SELECT generation, state, held, due, domain, orphan FROM recipient"
                      " WHERE message = ?1 AND number = ?2",
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [SET_OLDEST] = "UPDATE meta SET oldest = ?1 WHERE one = 1",
    /* In the order of their keys, a thousand at a time: the last one of these. */
    [OLD_TOMBSTONES] = "SELECT mailbox, uid FROM tombstone WHERE (mailbox, uid) > (?1, ?2)"
                       " ORDER BY mailbox, uid LIMIT 1 OFFSET ?3",
    [DROP_TOMBSTONES] = "DELETE FROM tombstone WHERE (mailbox, uid) > (?1, ?2)"
                        " AND (mailbox, uid) <= (?3, ?4)"
                        " AND segment < (SELECT oldest FROM meta)",
    [OLD_RECIPIENTS] = "SELECT message, number FROM recipient WHERE (message, number) > (?1, ?2)"
                       " ORDER BY message, number LIMIT 1 OFFSET ?3",
    [DROP_RECIPIENTS] = "DELETE FROM recipient WHERE (message, number) > (?1, ?2)"
                        " AND (message, number) <= (?3, ?4) AND (state <> 0 OR orphan <> 0)"
                        " AND segment < (SELECT oldest FROM meta)",
    [SET_POSITION] = "UPDATE meta SET segment = ?1, offset = ?2, sequence = ?3, checksum = ?4"
                     " WHERE one = 1",
    [GET_ROW] = "SELECT uid_validity, uid_next, modseq, count, octets, purged FROM mailbox"
                " WHERE id = ?1",
    [ADD_ROW] = "INSERT INTO mailbox(id, uid_next, modseq, count, octets, purged)"
                " VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [SET_ROW] = "UPDATE mailbox SET uid_next = ?2, modseq = ?3, count = ?4, octets = ?5,"
                " purged = ?6 WHERE id = ?1",
    [STATE_MAILBOX] = "INSERT INTO mailbox(id, address, uid_validity, opened_ms, stated)"
                      " VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(id) DO UPDATE SET"
                      " address = excluded.address, uid_validity = excluded.uid_validity,"
                      " opened_ms = excluded.opened_ms, stated = excluded.stated"
                      " WHERE excluded.stated > stated",
    [ADD_PLACEMENT] = "INSERT INTO placement(mailbox, uid, message, modseq, flags, octets, facts,"
                      " placed_ms, prefix, " PLACE_COLUMNS ")"
                      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    [GET_PLACEMENT] = "SELECT message, octets, modseq, flags, " PLACE_COLUMNS
                      " FROM placement WHERE mailbox = ?1 AND uid = ?2",
    [SET_PLACEMENT] = "UPDATE placement SET modseq = ?3, flags = ?4, segment = ?5, offset = ?6,"
                      " unit_octets = ?7, content_at = ?8 WHERE mailbox = ?1 AND uid = ?2",
    [DROP_PLACEMENT] = "DELETE FROM placement WHERE mailbox = ?1 AND uid = ?2",
    [SET_TOMBSTONE] = "INSERT INTO tombstone(mailbox, uid, modseq, message, segment)"
                      " VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(mailbox, uid) DO UPDATE SET"
                      " modseq = max(modseq, excluded.modseq),"
                      " message = max(message, excluded.message),"
                      " segment = max(segment, excluded.segment)",
    [GET_TOMBSTONE] = "SELECT modseq FROM tombstone WHERE mailbox = ?1 AND uid = ?2",
    [ADD_MESSAGE] = "INSERT OR IGNORE INTO message(id, octets, facts, arrived_ms, received,"
                    " line_longest, sender, ret, envid, envelope, placements, waiting,"
                    " " PLACE_COLUMNS ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,"
                    " ?13, ?14, ?15, ?16)",
    [SET_MESSAGE] = "UPDATE message SET placements = ?2, waiting = ?3, segment = ?4, offset = ?5,"
                    " unit_octets = ?6, content_at = ?7 WHERE id = ?1",
    [DROP_MESSAGE] = "DELETE FROM message WHERE id = ?1",
    [ADD_PREFIX] = "INSERT OR IGNORE INTO prefix(id) VALUES(?1)",
    [ADD_DEAD] = "INSERT OR IGNORE INTO dead(message) VALUES(?1)",
    [FORGET_DEAD] = "DELETE FROM dead WHERE message = ?1",
    [ADD_LEFTOVER] = "INSERT OR IGNORE INTO leftover(mailbox) VALUES(?1)",
    /* Never a walk through the placements of others, however many there are. */
    [NEXT_LEFTOVER] = "SELECT l.mailbox, p.uid, p.message"
                      " FROM (SELECT mailbox FROM leftover ORDER BY mailbox LIMIT 1) l"
                      " LEFT JOIN placement p ON p.mailbox = l.mailbox LIMIT 1",
    [DROP_LEFTOVER] = "DELETE FROM leftover WHERE mailbox = ?1",
    [SET_ENVELOPE] = "UPDATE message SET sender = ?2, ret = ?3, envid = ?4, envelope = ?5"
                     " WHERE id = ?1",
    [ADD_RECIPIENT] =
        "INSERT OR IGNORE INTO recipient(message, number, generation, state, held,"
        " warned, attempts, due, notify, address, domain, last, orcpt, orphan, segment)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    [SET_RECIPIENT] = "UPDATE recipient SET generation = ?3, state = ?4, held = ?5, warned = ?6,"
                      " attempts = ?7, due = ?8, notify = ?9, address = ?10, domain = ?11,"
                      " last = ?12, orcpt = ?13, orphan = ?14, segment = ?15"
                      " WHERE message = ?1 AND number = ?2",
    [AGAIN_RECIPIENT] = "UPDATE recipient SET segment = max(segment, ?3)"
                        " WHERE message = ?1 AND number = ?2",
    [ADOPT_RECIPIENT] = "UPDATE recipient SET orphan = 0 WHERE message = ?1 AND number = ?2",
    [COUNT_WAITING] = "SELECT count(*) FROM recipient WHERE message = ?1 AND state = 0"
                      " AND orphan = 0",
    [ADD_TO_DOMAIN] = "INSERT INTO queue_domain(name, due, waiting) VALUES(?1, ?2, 1)"
                      " ON CONFLICT(name) DO UPDATE SET due = min(due, excluded.due),"
                      " waiting = waiting + 1",
    [LAST_OF_DOMAIN] = "DELETE FROM queue_domain WHERE name = ?1 AND waiting <= 1",
    [SET_DOMAIN] = "UPDATE queue_domain SET waiting = waiting - ?2,"
                   " due = ifnull((SELECT due FROM recipient WHERE domain = ?1 AND " IS_READY
                   " ORDER BY due LIMIT 1), due) WHERE name = ?1",
};

/* --- Opening --- */

struct kind_options {
    const char *file; /* within DATA; NULL: a temporary one */
    int flags;
    int busy_ms;
    const char *setup;
    bool create;
    size_t statements;
};

/* The fresh one is made in one go or thrown away: nothing of it is journaled or synced while it
 * grows, and nothing can be undone (open_swap() syncs what takes the name). */
static const struct kind_options kinds[] = {
    [INDEX_WRITER] = { "index.db", SQLITE_OPEN_READWRITE, WRITER_BUSY_MS,
                       "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                       "PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -16384;"
                       "PRAGMA temp_store = MEMORY;",
                       false, INDEX_STATEMENTS },
    [INDEX_READER] = { "index.db", SQLITE_OPEN_READONLY, READER_BUSY_MS,
                       "PRAGMA cache_size = -4096; PRAGMA temp_store = MEMORY;", false,
                       READ_STATEMENTS },
    [INDEX_UPKEEP] = { "index.db", SQLITE_OPEN_READWRITE, WRITER_BUSY_MS,
                       "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0;", false, 0 },
    [INDEX_FRESH] = { "index.new", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, WRITER_BUSY_MS,
                      "PRAGMA page_size = 4096; PRAGMA locking_mode = EXCLUSIVE;"
                      "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
                      "PRAGMA cache_size = -131072; PRAGMA temp_store = MEMORY;",
                      true, INDEX_STATEMENTS },
    [INDEX_SCRATCH] = { NULL, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, WRITER_BUSY_MS,
                        "PRAGMA page_size = 4096; PRAGMA journal_mode = MEMORY;"
                        "PRAGMA synchronous = OFF; PRAGMA cache_size = -131072;",
                        true, 0 },
};

sqlite3_stmt *index_prepare(struct index *index, enum index_statement which)
{
    struct database *d = &index->db;
    sqlite3_prepare_v3(d->handle, index_sql_text[which], -1, SQLITE_PREPARE_PERSISTENT,
                       &d->statements[which], NULL);
    d->statement_count = INDEX_STATEMENTS;
    return d->statements[which];
}

static int on_wal(void *owner, sqlite3 *handle, const char *name, int pages)
{
    (void)handle;
    (void)name;
    struct index *index = owner;
    index->wal_octets = (uint64_t)pages * WAL_FRAME_OCTETS;
    return SQLITE_OK;
}

static bool open_file(struct index *index, const char *data_path, struct error *error)
{
    const struct kind_options *kind = &kinds[index->kind];
    char path[INDEX_PATH_MAX] = "";
    if (kind->file) {
        int len = snprintf(path, sizeof path, "%s/%s", data_path, kind->file);
        if (len < 0 || (size_t)len >= sizeof path)
            return error_set(error, ERROR_CONFIG, "the path of the data directory is too long");
    }
    struct database_options options = {
        .name = kind->file ? kind->file : "the temporary index",
        .path = path,
        .flags = kind->flags,
        .busy_ms = kind->busy_ms,
        .setup = kind->setup,
    };
    if (!database_open(&index->db, &options, error))
        return false;
    sqlite3_wal_hook(index->db.handle, on_wal, index);
    /* Nobody tidies the log away who closes last: it might be that of an index which has taken this
     * one's name since, and nobody would hear of a sync that failed. */
    if (index->kind != INDEX_SCRATCH)
        sqlite3_db_config(index->db.handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    return true;
}

static bool write_uuid(struct index *index, const uint8_t *uuid, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(index->db.handle, "INSERT INTO meta VALUES(1, ?1, 0, 0, 0, 0, 0)", -1,
                           &statement, NULL) != SQLITE_OK)
        return database_failed(&index->db, error);
    bind_blob(statement, 1, uuid, INDEX_UUID);
    bool ok = database_finish(&index->db, statement, error);
    sqlite3_finalize(statement);
    return ok;
}

static bool check_uuid(struct index *index, const uint8_t *expected, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(index->db.handle, "SELECT store_uuid FROM meta", -1, &statement, NULL) !=
        SQLITE_OK)
        return database_failed(&index->db, error);
    bool row = false;
    bool ok = database_step(&index->db, statement, &row, error);
    struct text uuid = row ? column_text(statement, 0) : (struct text){ NULL, 0 };
    if (ok && uuid.len != INDEX_UUID)
        ok = error_set(error, ERROR_DAMAGED, "%s does not say to which store it belongs",
                       index->db.name);
    if (ok)
        memcpy(index->uuid, uuid.at, INDEX_UUID);
    if (ok && expected && memcmp(index->uuid, expected, INDEX_UUID) != 0)
        ok = error_set(error, ERROR_DAMAGED, "%s belongs to another store", index->db.name);
    sqlite3_finalize(statement);
    return ok;
}

/* What a writer must know before it begins; what it applies adds to that. */
static bool load_state(struct index *index, struct error *error)
{
    int64_t validity = 0, leftovers = 0;
    if (!database_number(&index->db, "SELECT max(uid_validity) FROM mailbox", &validity, error) ||
        !database_number(&index->db, "SELECT count(*) FROM leftover", &leftovers, error))
        return false;
    index->uid_validity_last = (uint32_t)validity;
    index->leftovers = leftovers > 0;
    return true;
}

static bool open_index(struct index *index, const char *data_path, const uint8_t *store_uuid,
                       struct error *error)
{
    const struct kind_options *kind = &kinds[index->kind];
    struct database_format format = index_format;
    if (!kind->create)
        format.schema = NULL;
    return open_file(index, data_path, error) &&
           database_check_format(&index->db, &format, error) &&
           (!kind->create || write_uuid(index, store_uuid, error)) &&
           check_uuid(index, store_uuid, error) &&
           database_prepare(&index->db, index_sql_text, kind->statements, error) &&
           (index->kind == INDEX_READER || index->kind == INDEX_UPKEEP ||
            load_state(index, error)) &&
           (index->kind != INDEX_WRITER || log_writer_attach(index->db.handle, &index->log, error));
}

bool index_open(const char *data_path, enum index_kind kind, const uint8_t *store_uuid,
                struct index **out, struct error *error)
{
    CHECK(store_uuid || !kinds[kind].create);
    *out = NULL;
    struct index *index = calloc(1, sizeof *index);
    if (!index)
        return error_set(error, ERROR_TEMPORARY, "out of memory");
    index->kind = kind;
    list_init(&index->changed);
    rows_init(index);
    if (!open_index(index, data_path, store_uuid, error)) {
        index_close(&index);
        return false;
    }
    *out = index;
    return true;
}

void index_close(struct index **index_ref)
{
    struct index *index = *index_ref;
    *index_ref = NULL;
    if (!index)
        return;
    rows_clear(index);
    database_close(&index->db);
    free(index);
}

const uint8_t *index_uuid(const struct index *index)
{
    return index->uuid;
}

/* --- Transactions --- */

bool index_begin(struct index *index, struct error *error)
{
    return index_run(index, BEGIN, error);
}

static bool set_position(struct index *index, const struct journal_position *position,
                         struct error *error)
{
    sqlite3_stmt *set = index_sql(index, SET_POSITION);
    bind_number(set, 1, position->segment);
    bind_number(set, 2, position->offset);
    bind_number(set, 3, position->sequence);
    bind_number(set, 4, position->checksum);
    return database_finish(&index->db, set, error);
}

bool index_keep(struct index *index, const struct journal_position *position, struct error *error)
{
    if (!rows_write(index, error) || !set_position(index, position, error))
        return false;
    if (index->log)
        log_writer_set_lazy(index->log, true);
    bool ok = index_run(index, COMMIT, error);
    if (index->log)
        log_writer_set_lazy(index->log, false);
    if (ok)
        rows_settle(index, true);
    else
        index_hear_failure(index);
    return ok;
}

void index_undo(struct index *index)
{
    /* SQLite has undone it already after some failures (a full disk, no memory). */
    if (!sqlite3_get_autocommit(index->db.handle))
        index_run(index, ROLLBACK, NULL);
    rows_settle(index, false);
    index->prefix_seen = 0;
    index->leftovers = true; /* maybe: a sweep will tell */
}

size_t index_held(const struct index *index)
{
    return index->changed_count;
}

bool index_position(struct index *index, struct journal_position *out, struct error *error)
{
    sqlite3_stmt *get = index_sql(index, GET_POSITION);
    bool row = false;
    *out = (struct journal_position){ 0 };
    if (!database_step(&index->db, get, &row, error))
        return false;
    if (!row)
        return error_set(error, ERROR_DAMAGED, "%s has no position", index->db.name);
    *out = (struct journal_position){
        .segment = column_number(get, 0),
        .offset = column_number(get, 1),
        .sequence = column_number(get, 2),
        .checksum = column_number(get, 3),
    };
    sqlite3_reset(get);
    return true;
}

uint32_t index_new_uid_validity(struct index *index, int64_t wall_s)
{
    uint32_t now = wall_s > 0 && wall_s < UINT32_MAX ? (uint32_t)wall_s : 1;
    if (now <= index->uid_validity_last)
        now = index->uid_validity_last + 1;
    index->uid_validity_last = now;
    return now;
}

/* --- The write-ahead log --- */

uint64_t index_wal_octets(const struct index *index)
{
    return index->wal_octets;
}

bool index_checkpoint(struct index *index, enum index_checkpoint how, bool *complete_out,
                      struct error *error)
{
    static const int modes[] = {
        [INDEX_PASSIVE] = SQLITE_CHECKPOINT_PASSIVE,
        [INDEX_RESTART] = SQLITE_CHECKPOINT_RESTART,
        [INDEX_TRUNCATE] = SQLITE_CHECKPOINT_TRUNCATE,
    };
    int in_log = 0, done = 0;
    *complete_out = false;
    if (index->doubted)
        return error_set(error, ERROR_TEMPORARY, "%s could not be synced before", index->db.name);
    sqlite3 *handle = index->db.handle;
    if (how == INDEX_RESTART)
        sqlite3_busy_timeout(handle, RESTART_BUSY_MS);
    int code = sqlite3_wal_checkpoint_v2(handle, NULL, modes[how], &in_log, &done);
    sqlite3_busy_timeout(handle, kinds[index->kind].busy_ms);
    *complete_out = code == SQLITE_OK && in_log == done;
    if (*complete_out && how != INDEX_PASSIVE)
        index->wal_octets = 0;
    if (code == SQLITE_OK || (code & 0xFF) == SQLITE_BUSY)
        return true;
    index_hear_failure(index);
    return database_failed(&index->db, error);
}
