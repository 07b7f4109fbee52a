/* cache.c - cache.db: what may be lost.
 *
 * Unlike its neighbours this database is mended without asking: nothing in it is worth a refusal.
 * It is written in WAL mode and synced at checkpoints only, so that a crash costs the last entries
 * and not the file.  Nothing here knows what the entries mean.
 */
#include "store/cache.h"

#include "base/check.h"
#include "run/disk.h"
#include "store/local/database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BUSY_MS = 2000,
    PATH_OCTETS_MAX = 4096,
    SWEEP_EVERY = 256, /* entries kept between two looks at what has expired */
};

enum statement { KEEP, FIND, DROP, EACH, SWEEP, TRIM, STATEMENTS };

static const char *const statement_sql[STATEMENTS] = {
    [KEEP] = "INSERT INTO entry(kind, key, value, expires_ms) VALUES(?1, ?2, ?3, ?4)"
             " ON CONFLICT(kind, key) DO UPDATE SET value = ?3, expires_ms = ?4",
    [FIND] = "SELECT value, expires_ms FROM entry WHERE kind = ?1 AND key = ?2 AND expires_ms > ?3",
    [DROP] = "DELETE FROM entry WHERE kind = ?1 AND key = ?2",
    [EACH] = "SELECT value, expires_ms, key FROM entry WHERE kind = ?1 AND expires_ms > ?2"
             " ORDER BY key",
    [SWEEP] = "DELETE FROM entry WHERE kind = ?1 AND expires_ms <= ?2",
    [TRIM] = "DELETE FROM entry WHERE id IN (SELECT id FROM entry WHERE kind = ?1"
             " ORDER BY expires_ms LIMIT max(0, (SELECT count(*) FROM entry WHERE kind = ?1) -"
             " ?2))",
};

static const struct database_format cache_format = {
    .application = 0x67776361, /* "gwca" */
    .version = 1,
    .schema = "CREATE TABLE entry(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, key BLOB NOT NULL,"
              " value BLOB NOT NULL, expires_ms INTEGER NOT NULL, UNIQUE(kind, key)) STRICT;"
              "CREATE INDEX entry_expiry ON entry(kind, expires_ms);",
};

/* How many of each kind: what a busy server needs, and 100 MB of disk at the most, but for policies
 * of the largest size. */
static const uint32_t standard_max[CACHE_KINDS] = {
    [CACHE_GREYLIST] = 200000,
    [CACHE_BAN] = 20000,
    [CACHE_LOGIN] = 50000,
    [CACHE_POLICY] = 5000,
};

struct cache {
    struct database db;
    struct cache_options options; /* without the path */
    char path[PATH_OCTETS_MAX];   /* DATA */
    bool in_memory;
    bool ailing; /* the last use failed, and it was told */
    uint32_t kept[CACHE_KINDS];
};

/* --- Opening and mending --- */

static void tell(const struct cache *c, const char *what, const struct error *why)
{
    char words[ERROR_WORDS_MAX + 100];
    if (!c->options.notice)
        return;
    snprintf(words, sizeof words, "%s: %s", what, why->words);
    c->options.notice(c->options.owner, words);
}

static bool open_database(struct cache *c, const char *path, struct error *error)
{
    struct database_options options = {
        .name = "cache.db",
        .path = path,
        .flags = SQLITE_OPEN_READWRITE | (c->options.create ? SQLITE_OPEN_CREATE : 0),
        .busy_ms = BUSY_MS,
        .setup = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                 "PRAGMA journal_size_limit = 4194304; PRAGMA temp_store = MEMORY;",
    };
    if (!database_open(&c->db, &options, error))
        return false;
    if (database_check_format(&c->db, &cache_format, error) &&
        database_prepare(&c->db, statement_sql, STATEMENTS, error))
        return true;
    database_close(&c->db);
    return false;
}

static bool open_file(struct cache *c, struct error *error)
{
    char path[PATH_OCTETS_MAX + 16];
    snprintf(path, sizeof path, "%s/cache.db", c->path);
    return open_database(c, path, error);
}

/* The database is closed.  A file that cannot be removed is met again when it is opened. */
static void remove_file(const struct cache *c)
{
    static const char *const names[] = { "cache.db", "cache.db-wal", "cache.db-shm" };
    struct disk *disk;
    if (!disk_open(c->path, false, &disk, NULL))
        return;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        disk_unlink(disk, names[i], NULL);
    disk_close(&disk);
}

/* In any way that there is. */
static bool open_somehow(struct cache *c, struct error *error)
{
    struct error why;
    c->in_memory = false;
    if (open_file(c, &why))
        return true;
    if (why.kind == ERROR_DAMAGED) {
        tell(c, "the cache is made anew: greylist, bans and policies of others are forgotten",
             &why);
        remove_file(c);
        if (open_file(c, &why))
            return true;
    }
    tell(c, "the cache is kept in memory until the next start", &why);
    c->in_memory = true;
    return open_database(c, ":memory:", error);
}

static bool is_there(const struct cache *c, struct error *error)
{
    struct disk *disk;
    if (!disk_open(c->path, false, &disk, error))
        return false;
    bool found = disk_exists(disk, "cache.db");
    disk_close(&disk);
    return found || error_set(error, ERROR_REFUSED, "%s has no cache.db", c->path);
}

bool cache_open(const struct cache_options *options, struct cache **out, struct error *error)
{
    *out = NULL;
    struct cache *c = calloc(1, sizeof *c);
    if (!c)
        return error_set(error, ERROR_TEMPORARY, "memory is short");
    int len = snprintf(c->path, sizeof c->path, "%s", options->path);
    c->options = *options;
    c->options.path = NULL;
    bool ok = len >= 0 && (size_t)len < sizeof c->path;
    if (!ok)
        error_set(error, ERROR_CONFIG, "the path of the data directory is too long");
    else if (options->create)
        ok = open_somehow(c, error);
    else
        ok = is_there(c, error) && open_file(c, error);
    if (!ok) {
        cache_close(&c);
        return false;
    }
    *out = c;
    return true;
}

void cache_close(struct cache **cache)
{
    struct cache *c = *cache;
    *cache = NULL;
    if (!c)
        return;
    database_close(&c->db);
    free(c);
}

/* After a use that failed: whether it is worth another try, with an empty cache. */
static bool mend(struct cache *c, const struct error *why)
{
    struct error error;
    if (why->kind != ERROR_DAMAGED || !c->options.create || c->in_memory)
        return false;
    tell(c, "the cache is made anew", why);
    database_close(&c->db);
    remove_file(c);
    if (open_somehow(c, &error))
        return true;
    tell(c, "the cache is lost until the next start", &error);
    return false;
}

/* Trouble is told when it begins. */
static bool note_outcome(struct cache *c, bool ok, struct error *error)
{
    if (!ok && !c->ailing)
        tell(c, "the cache cannot be used", error);
    c->ailing = !ok;
    return ok;
}

/* --- Entries --- */

static bool sweep(struct cache *c, enum cache_kind kind, int64_t now_ms, struct error *error)
{
    uint32_t max = c->options.entries_max ? c->options.entries_max : standard_max[kind];
    sqlite3_stmt *old = c->db.statements[SWEEP], *many = c->db.statements[TRIM];
    bind_number(old, 1, kind);
    bind_number(old, 2, (uint64_t)now_ms);
    bind_number(many, 1, kind);
    bind_number(many, 2, max);
    return database_finish(&c->db, old, error) && database_finish(&c->db, many, error);
}

static bool keep(struct cache *c, const struct cache_entry *e, int64_t now_ms, struct error *error)
{
    sqlite3_stmt *s = c->db.statements[KEEP];
    bind_number(s, 1, e->kind);
    bind_blob(s, 2, e->key.at, e->key.len);
    bind_blob(s, 3, e->value.at, e->value.len);
    bind_number(s, 4, (uint64_t)e->expires_ms);
    if (!database_finish(&c->db, s, error))
        return false;
    return c->kept[e->kind]++ % SWEEP_EVERY != 0 || sweep(c, e->kind, now_ms, error);
}

static bool find(struct cache *c, struct cache_entry *e, int64_t now_ms, struct buffer *value_out,
                 struct error *error)
{
    sqlite3_stmt *s = c->db.statements[FIND];
    bool row;
    bind_number(s, 1, e->kind);
    bind_blob(s, 2, e->key.at, e->key.len);
    bind_number(s, 3, (uint64_t)now_ms);
    if (!database_step(&c->db, s, &row, error))
        return false;
    e->expires_ms = row ? (int64_t)column_number(s, 1) : 0;
    bool ok = !row || buffer_text(value_out, column_text(s, 0)) ||
              error_set(error, ERROR_TEMPORARY, "memory is short");
    if (row)
        sqlite3_reset(s);
    return ok;
}

static bool drop(struct cache *c, enum cache_kind kind, struct text key, struct error *error)
{
    sqlite3_stmt *s = c->db.statements[DROP];
    bind_number(s, 1, kind);
    bind_blob(s, 2, key.at, key.len);
    return database_finish(&c->db, s, error);
}

/* Whether a database is open at all: mending may have failed. */
static bool is_open(const struct cache *c, struct error *error)
{
    return c->db.handle || error_set(error, ERROR_TEMPORARY, "cache.db is not open");
}

static void check_key(enum cache_kind kind, struct text key)
{
    CHECK(kind > 0 && kind < CACHE_KINDS);
    CHECK(key.len > 0 && key.len <= CACHE_KEY_MAX);
}

bool cache_keep(struct cache *c, const struct cache_entry *e, int64_t now_ms, struct error *error)
{
    struct error why = { 0 };
    check_key(e->kind, e->key);
    CHECK(e->value.len <= CACHE_VALUE_MAX);
    bool ok = is_open(c, &why) &&
              (keep(c, e, now_ms, &why) || (mend(c, &why) && keep(c, e, now_ms, &why)));
    if (!ok && error)
        *error = why;
    return note_outcome(c, ok, &why);
}

bool cache_find(struct cache *c, struct cache_entry *e, int64_t now_ms, struct buffer *value_out,
                bool *found_out, struct error *error)
{
    struct error why = { 0 };
    check_key(e->kind, e->key);
    bool ok = is_open(c, &why) && (find(c, e, now_ms, value_out, &why) ||
                                   (mend(c, &why) && find(c, e, now_ms, value_out, &why)));
    *found_out = ok && e->expires_ms > now_ms;
    if (!ok && error)
        *error = why;
    return note_outcome(c, ok, &why);
}

bool cache_drop(struct cache *c, enum cache_kind kind, struct text key, bool *found_out,
                struct error *error)
{
    struct error why = { 0 };
    check_key(kind, key);
    bool ok = is_open(c, &why) &&
              (drop(c, kind, key, &why) || (mend(c, &why) && drop(c, kind, key, &why)));
    *found_out = ok && sqlite3_changes(c->db.handle) > 0;
    if (!ok && error)
        *error = why;
    return note_outcome(c, ok, &why);
}

bool cache_each(struct cache *c, enum cache_kind kind, int64_t now_ms,
                void (*each)(void *owner, const struct cache_entry *), void *owner,
                struct error *error)
{
    struct error why = { 0 };
    bool row = true, ok = is_open(c, &why);
    sqlite3_stmt *s = c->db.statements[EACH];
    if (ok) {
        bind_number(s, 1, kind);
        bind_number(s, 2, (uint64_t)now_ms);
    }
    while (ok && (ok = database_step(&c->db, s, &row, &why)) && row) {
        struct cache_entry e = { kind, column_text(s, 2), column_text(s, 0),
                                 (int64_t)column_number(s, 1) };
        each(owner, &e);
    }
    if (!ok && error)
        *error = why;
    if (!ok)
        mend(c, &why);
    return note_outcome(c, ok, &why);
}
