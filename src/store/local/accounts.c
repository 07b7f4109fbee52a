/* accounts.c - directory.db: accounts, aliases and verifiers (store rule 20).
 *
 * Unlike the index this database is no derivative: what stands here stands nowhere else, so every
 * change is synced when its call returns (synchronous=FULL).  Nothing here is cached; the caller
 * watches the generation.  It never touches mailboxes: an account only names one.
 */
#include "store/local/database.h"
#include "store/local/directory.h"

#include "base/check.h"
#include "run/disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUSY_MS = 2000, PATH_OCTETS_MAX = 4096, TARGETS_FIRST_ROOM = 4 };

enum statement {
    DATA_VERSION,
    BEGIN_CHANGE,
    COMMIT_CHANGE,
    ROLLBACK_CHANGE,
    ADD_ACCOUNT,
    SET_VERIFIER,
    RENEW_VERIFIER,
    REMOVE_ACCOUNT,
    FIND_ACCOUNT,
    FIND_MAILBOX,
    FIND_VERIFIER,
    FIRST_ACCOUNT,
    EACH_ACCOUNT,
    ADD_TARGET,
    REMOVE_TARGET,
    REMOVE_ALIAS,
    FIND_TARGETS,
    EACH_TARGET,
    CLAIM,
    READ_CLAIM,
    STATEMENTS,
};

static const char *const statement_sql[STATEMENTS] = {
    [DATA_VERSION] = "PRAGMA data_version",
    [BEGIN_CHANGE] = "BEGIN IMMEDIATE",
    [COMMIT_CHANGE] = "COMMIT",
    [ROLLBACK_CHANGE] = "ROLLBACK",
    [ADD_ACCOUNT] = "INSERT INTO account(key, domain, address, mailbox, created_ms, iterations,"
                    " salt, stored_key, server_key, sha1_iterations, sha1_stored_key,"
                    " sha1_server_key) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    [SET_VERIFIER] = "UPDATE account SET iterations = ?2, salt = ?3, stored_key = ?4,"
                     " server_key = ?5, sha1_iterations = ?6, sha1_stored_key = ?7,"
                     " sha1_server_key = ?8 WHERE key = ?1",
    [RENEW_VERIFIER] = "UPDATE account SET iterations = ?2, salt = ?3, stored_key = ?4,"
                       " server_key = ?5, sha1_iterations = ?6, sha1_stored_key = ?7,"
                       " sha1_server_key = ?8 WHERE key = ?1"
                       " AND iterations = ?9 AND salt = ?10 AND stored_key = ?11",
    [REMOVE_ACCOUNT] = "DELETE FROM account WHERE key = ?1",
    [FIND_ACCOUNT] = "SELECT address, mailbox, created_ms FROM account WHERE key = ?1",
    [FIND_MAILBOX] = "SELECT address FROM account WHERE mailbox = ?1",
    [FIND_VERIFIER] = "SELECT iterations, salt, stored_key, server_key, mailbox, sha1_iterations,"
                      " sha1_stored_key, sha1_server_key FROM account WHERE key = ?1",
    [FIRST_ACCOUNT] = "SELECT address, mailbox, created_ms FROM account WHERE domain = ?1"
                      " ORDER BY id LIMIT 1",
    [EACH_ACCOUNT] = "SELECT address, mailbox, created_ms FROM account"
                     " WHERE domain = ?1 OR ?1 = '' ORDER BY key",
    [ADD_TARGET] = "INSERT OR IGNORE INTO alias(key, domain, address, target)"
                   " VALUES(?1, ?2, ?3, ?4)",
    [REMOVE_TARGET] = "DELETE FROM alias WHERE key = ?1 AND target = ?2",
    [REMOVE_ALIAS] = "DELETE FROM alias WHERE key = ?1",
    [FIND_TARGETS] = "SELECT target FROM alias WHERE key = ?1 ORDER BY id",
    [EACH_TARGET] = "SELECT address, target FROM alias WHERE domain = ?1 OR ?1 = ''"
                    " ORDER BY key, id",
    [CLAIM] = "INSERT OR IGNORE INTO meta(one, store_uuid) VALUES(1, ?1)",
    [READ_CLAIM] = "SELECT store_uuid FROM meta WHERE one = 1",
};

/* AUTOINCREMENT: an id is never given twice, so the order of ids is the order of adding. */
static const struct database_format directory_format = {
    .application = 0x67776469, /* "gwdi" */
    .version = 2,
    .schema = "CREATE TABLE meta(one INTEGER PRIMARY KEY CHECK(one = 1), store_uuid BLOB NOT NULL)"
              " STRICT;"
              "CREATE TABLE account(id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE,"
              " domain TEXT NOT NULL, address TEXT NOT NULL, mailbox INTEGER NOT NULL UNIQUE,"
              " created_ms INTEGER NOT NULL, iterations INTEGER NOT NULL, salt BLOB NOT NULL,"
              " stored_key BLOB NOT NULL, server_key BLOB NOT NULL,"
              " sha1_iterations INTEGER NOT NULL DEFAULT 0, sha1_stored_key BLOB,"
              " sha1_server_key BLOB) STRICT;"
              "CREATE INDEX account_domain ON account(domain, id);"
              "CREATE TABLE alias(id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL,"
              " domain TEXT NOT NULL, address TEXT NOT NULL, target TEXT NOT NULL COLLATE NOCASE,"
              " UNIQUE(key, target)) STRICT;",
    /* Version 1 kept nothing for SHA-1. */
    .upgrade = "ALTER TABLE account ADD COLUMN sha1_iterations INTEGER NOT NULL DEFAULT 0;"
               "ALTER TABLE account ADD COLUMN sha1_stored_key BLOB;"
               "ALTER TABLE account ADD COLUMN sha1_server_key BLOB;",
};

struct directory {
    struct database db;
    uint64_t own_changes; /* PRAGMA data_version tells only what others did */
};

/* --- Opening --- */

static bool open_database(struct directory *d, const char *data_path, bool create,
                          struct error *error)
{
    char path[PATH_OCTETS_MAX];
    int len = snprintf(path, sizeof path, "%s/directory.db", data_path);
    if (len < 0 || (size_t)len >= sizeof path)
        return error_set(error, ERROR_CONFIG, "the path of the data directory is too long");
    struct database_options options = {
        .name = "directory.db",
        .path = path,
        .flags = SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0),
        .busy_ms = BUSY_MS,
        .setup = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;"
                 "PRAGMA temp_store = MEMORY;",
    };
    return database_open(&d->db, &options, error) &&
           database_check_format(&d->db, &directory_format, error) &&
           database_prepare(&d->db, statement_sql, STATEMENTS, error);
}

/* Makes DATA when asked to; tells whether directory.db may be opened. */
static bool find_data(const char *data_path, bool create, struct error *error)
{
    struct disk *disk = NULL;
    if (!disk_open(data_path, create, &disk, error))
        return false;
    bool found = create || disk_exists(disk, "directory.db");
    disk_close(&disk);
    return found || error_set(error, ERROR_REFUSED,
                              "%s has no directory.db: there are no users yet", data_path);
}

bool directory_open(const char *data_path, bool create, struct directory **out, struct error *error)
{
    *out = NULL;
    if (!find_data(data_path, create, error))
        return false;
    struct directory *d = calloc(1, sizeof *d);
    if (!d)
        return error_set(error, ERROR_TEMPORARY, "out of memory");
    if (!open_database(d, data_path, create, error)) {
        directory_close(&d);
        return false;
    }
    *out = d;
    return true;
}

void directory_close(struct directory **directory)
{
    struct directory *d = *directory;
    *directory = NULL;
    if (!d)
        return;
    database_close(&d->db);
    free(d);
}

bool directory_generation(struct directory *d, uint64_t *out, struct error *error)
{
    sqlite3_stmt *statement = d->db.statements[DATA_VERSION];
    bool row;
    if (!database_step(&d->db, statement, &row, error))
        return false;
    *out = row ? column_number(statement, 0) << 32 | (d->own_changes & UINT32_MAX) : 0;
    sqlite3_reset(statement);
    return true;
}

/* --- Changes: each one is a transaction --- */

static bool begin(struct directory *d, struct error *error)
{
    return database_finish(&d->db, d->db.statements[BEGIN_CHANGE], error);
}

/* Ends the transaction: for good when `ok`, else undone.  Returns whether it stands. */
static bool end(struct directory *d, bool ok, struct error *error)
{
    ok = ok && database_finish(&d->db, d->db.statements[COMMIT_CHANGE], error);
    if (ok)
        d->own_changes++;
    else if (!sqlite3_get_autocommit(d->db.handle))
        database_finish(&d->db, d->db.statements[ROLLBACK_CHANGE], NULL);
    return ok;
}

/* The local part of a key may hold an '@', its domain never does. */
static struct text domain_of(struct text key)
{
    size_t at = key.len;
    while (at > 0 && key.at[at - 1] != '@')
        at--;
    return text_skip(key, at);
}

static void bind_verifier(sqlite3_stmt *s, int place, const struct verifier *v)
{
    bind_number(s, place, v->iterations);
    bind_blob(s, place + 1, v->salt, sizeof v->salt);
    bind_blob(s, place + 2, v->stored_key, sizeof v->stored_key);
    bind_blob(s, place + 3, v->server_key, sizeof v->server_key);
    bind_number(s, place + 4, v->sha1_iterations);
    if (v->sha1_iterations == 0) {
        sqlite3_bind_null(s, place + 5);
        sqlite3_bind_null(s, place + 6);
        return;
    }
    bind_blob(s, place + 5, v->sha1_stored_key, sizeof v->sha1_stored_key);
    bind_blob(s, place + 6, v->sha1_server_key, sizeof v->sha1_server_key);
}

/* Whether a kept statement with this number or key finds a row. */
static bool finds(struct directory *d, enum statement which, bool *row_out, struct error *error)
{
    sqlite3_stmt *statement = d->db.statements[which];
    bool ok = database_step(&d->db, statement, row_out, error);
    sqlite3_reset(statement);
    return ok;
}

static bool must_be_new(struct directory *d, struct text key, mailbox_id mailbox,
                        struct error *error)
{
    bool taken = false;
    bind_text(d->db.statements[FIND_ACCOUNT], 1, key);
    if (!finds(d, FIND_ACCOUNT, &taken, error))
        return false;
    if (taken)
        return error_set(error, ERROR_REFUSED, "%.*s is there already", TEXT_ARGS(key));
    bind_number(d->db.statements[FIND_MAILBOX], 1, mailbox);
    if (!finds(d, FIND_MAILBOX, &taken, error))
        return false;
    return !taken || error_set(error, ERROR_REFUSED, "mailbox %016llx belongs to another user",
                               (unsigned long long)mailbox);
}

static bool insert_account(struct directory *d, const struct account *account, struct text key,
                           const struct verifier *verifier, struct error *error)
{
    sqlite3_stmt *add = d->db.statements[ADD_ACCOUNT];
    bind_text(add, 1, key);
    bind_text(add, 2, domain_of(key));
    bind_text(add, 3, account->address);
    bind_number(add, 4, account->mailbox);
    bind_number(add, 5, (uint64_t)account->created_ms);
    bind_verifier(add, 6, verifier);
    return database_finish(&d->db, add, error);
}

bool account_add(struct directory *d, struct text key, const struct account *account,
                 const struct verifier *verifier, struct error *error)
{
    if (!begin(d, error))
        return false;
    bool ok = must_be_new(d, key, account->mailbox, error) &&
              insert_account(d, account, key, verifier, error);
    return end(d, ok, error);
}

static bool no_user(struct text key, struct error *error)
{
    return error_set(error, ERROR_REFUSED, "there is no user %.*s", TEXT_ARGS(key));
}

bool account_set_verifier(struct directory *d, struct text key, const struct verifier *verifier,
                          struct error *error)
{
    sqlite3_stmt *set = d->db.statements[SET_VERIFIER];
    if (!begin(d, error))
        return false;
    bind_text(set, 1, key);
    bind_verifier(set, 2, verifier);
    bool ok = database_finish(&d->db, set, error);
    ok = ok && (sqlite3_changes(d->db.handle) > 0 || no_user(key, error));
    return end(d, ok, error);
}

/* One statement: whoever sets the password comes wholly before it or wholly behind it.  A password
 * that is set has a new salt, even if it is the same one. */
bool account_renew_verifier(struct directory *d, struct text key,
                            const struct verifier_change *change, bool *done_out,
                            struct error *error)
{
    sqlite3_stmt *renew = d->db.statements[RENEW_VERIFIER];
    const struct verifier *before = &change->before;
    bind_text(renew, 1, key);
    bind_verifier(renew, 2, &change->now);
    bind_number(renew, 9, before->iterations);
    bind_blob(renew, 10, before->salt, sizeof before->salt);
    bind_blob(renew, 11, before->stored_key, sizeof before->stored_key);
    *done_out = false;
    if (!database_finish(&d->db, renew, error))
        return false;
    *done_out = sqlite3_changes(d->db.handle) > 0;
    return true;
}

bool account_remove(struct directory *d, struct text key, mailbox_id *mailbox_out,
                    struct error *error)
{
    sqlite3_stmt *find = d->db.statements[FIND_ACCOUNT],
                 *removal = d->db.statements[REMOVE_ACCOUNT];
    if (!begin(d, error))
        return false;
    bool found = false;
    bind_text(find, 1, key);
    bool ok = database_step(&d->db, find, &found, error);
    if (found)
        *mailbox_out = column_number(find, 1);
    sqlite3_reset(find);
    ok = ok && (found || no_user(key, error));
    bind_text(removal, 1, key);
    ok = ok && database_finish(&d->db, removal, error);
    return end(d, ok, error);
}

bool directory_claim(struct directory *d, const uint8_t *uuid, uint8_t held_out[DIRECTORY_UUID],
                     struct error *error)
{
    sqlite3_stmt *claim = d->db.statements[CLAIM], *read = d->db.statements[READ_CLAIM];
    if (!begin(d, error))
        return false;
    bind_blob(claim, 1, uuid, DIRECTORY_UUID);
    bool row = false;
    bool ok = database_finish(&d->db, claim, error) && database_step(&d->db, read, &row, error);
    struct text held = row ? column_text(read, 0) : (struct text){ NULL, 0 };
    if (ok && held.len != DIRECTORY_UUID)
        ok = error_set(error, ERROR_DAMAGED, "directory.db does not say to which store it belongs");
    if (ok)
        memcpy(held_out, held.at, DIRECTORY_UUID);
    if (row)
        sqlite3_reset(read);
    return end(d, ok, error);
}

/* --- Reading accounts --- */

static struct account read_account(sqlite3_stmt *s)
{
    return (struct account){
        .address = column_text(s, 0),
        .mailbox = column_number(s, 1),
        .created_ms = sqlite3_column_int64(s, 2),
    };
}

bool account_each(struct directory *d, struct text domain,
                  void (*each)(void *owner, const struct account *), void *owner,
                  struct error *error)
{
    sqlite3_stmt *statement = d->db.statements[EACH_ACCOUNT];
    bind_text(statement, 1, domain);
    bool row;
    while (database_step(&d->db, statement, &row, error)) {
        if (!row)
            return true;
        struct account account = read_account(statement);
        each(owner, &account);
    }
    return false;
}

/* The part for SHA-1, which may be missing. */
static bool read_sha1(sqlite3_stmt *s, struct verifier *out)
{
    struct text stored = column_text(s, 6), server = column_text(s, 7);
    out->sha1_iterations = (uint32_t)column_number(s, 5);
    if (out->sha1_iterations == 0)
        return true;
    if (stored.len != sizeof out->sha1_stored_key || server.len != sizeof out->sha1_server_key)
        return false;
    memcpy(out->sha1_stored_key, stored.at, stored.len);
    memcpy(out->sha1_server_key, server.at, server.len);
    return true;
}

/* False when the row does not have a verifier's shape. */
static bool read_verifier(sqlite3_stmt *s, struct verifier *out)
{
    struct text salt = column_text(s, 1), stored = column_text(s, 2), server = column_text(s, 3);
    if (salt.len != sizeof out->salt || stored.len != sizeof out->stored_key ||
        server.len != sizeof out->server_key)
        return false;
    memset(out, 0, sizeof *out);
    out->iterations = (uint32_t)column_number(s, 0);
    memcpy(out->salt, salt.at, salt.len);
    memcpy(out->stored_key, stored.at, stored.len);
    memcpy(out->server_key, server.at, server.len);
    return read_sha1(s, out);
}

bool account_verifier(struct directory *d, struct text key, struct verifier *out,
                      mailbox_id *mailbox_out, bool *found_out, struct error *error)
{
    sqlite3_stmt *find = d->db.statements[FIND_VERIFIER];
    bind_text(find, 1, key);
    if (!database_step(&d->db, find, found_out, error))
        return false;
    if (!*found_out)
        return true;
    bool ok = read_verifier(find, out) ||
              error_set(error, ERROR_DAMAGED, "directory.db: the verifier of %.*s is damaged",
                        TEXT_ARGS(key));
    *mailbox_out = column_number(find, 4);
    sqlite3_reset(find);
    return ok;
}

/* Steps a statement that finds at most one account, and copies it into the arena. */
static bool take_account(struct directory *d, enum statement which, struct arena *arena,
                         struct directory_entry *entry, struct error *error)
{
    sqlite3_stmt *find = d->db.statements[which];
    if (!database_step(&d->db, find, &entry->is_user, error))
        return false;
    if (!entry->is_user)
        return true;
    entry->user = read_account(find);
    bool ok = arena_text(arena, entry->user.address, &entry->user.address) ||
              error_set(error, ERROR_TEMPORARY, "out of memory");
    sqlite3_reset(find);
    return ok;
}

bool account_first(struct directory *d, struct text domain, struct arena *arena,
                   struct account *out, bool *found_out, struct error *error)
{
    struct directory_entry entry = { 0 };
    bind_text(d->db.statements[FIRST_ACCOUNT], 1, domain);
    bool ok = take_account(d, FIRST_ACCOUNT, arena, &entry, error);
    *out = entry.user;
    *found_out = entry.is_user;
    return ok;
}

/* --- Aliases --- */

/* Doubles the list when it is full; the old one stays in the arena until that is reset. */
static bool room_for_target(struct arena *arena, struct directory_entry *entry, size_t *room)
{
    if (entry->target_count < *room)
        return true;
    size_t wider = *room ? *room * 2 : TARGETS_FIRST_ROOM;
    struct text *targets = arena_take(arena, wider * sizeof *targets);
    if (!targets)
        return false;
    if (entry->target_count > 0)
        memcpy(targets, entry->targets, entry->target_count * sizeof *targets);
    entry->targets = targets;
    *room = wider;
    return true;
}

static bool take_targets(struct directory *d, struct text key, struct arena *arena,
                         struct directory_entry *entry, struct error *error)
{
    sqlite3_stmt *find = d->db.statements[FIND_TARGETS];
    size_t room = 0;
    bool row;
    bind_text(find, 1, key);
    while (database_step(&d->db, find, &row, error)) {
        if (!row)
            return true;
        if (!room_for_target(arena, entry, &room) ||
            !arena_text(arena, column_text(find, 0), &entry->targets[entry->target_count])) {
            sqlite3_reset(find);
            return error_set(error, ERROR_TEMPORARY, "out of memory");
        }
        entry->target_count++;
    }
    return false;
}

bool directory_find(struct directory *d, struct text key, struct arena *arena,
                    struct directory_entry *out, struct error *error)
{
    *out = (struct directory_entry){ 0 };
    bind_text(d->db.statements[FIND_ACCOUNT], 1, key);
    return take_account(d, FIND_ACCOUNT, arena, out, error) &&
           take_targets(d, key, arena, out, error);
}

bool alias_add(struct directory *d, struct text key, struct text address,
               const struct text *targets, size_t count, struct error *error)
{
    sqlite3_stmt *add = d->db.statements[ADD_TARGET];
    if (!begin(d, error))
        return false;
    bool ok = true;
    bind_text(add, 1, key);
    bind_text(add, 2, domain_of(key));
    bind_text(add, 3, address);
    for (size_t i = 0; ok && i < count; i++) {
        bind_text(add, 4, targets[i]);
        ok = database_finish(&d->db, add, error);
    }
    return end(d, ok, error);
}

static bool remove_target(struct directory *d, struct text key, struct text target,
                          struct error *error)
{
    sqlite3_stmt *removal = d->db.statements[REMOVE_TARGET];
    bind_text(removal, 1, key);
    bind_text(removal, 2, target);
    if (!database_finish(&d->db, removal, error))
        return false;
    return sqlite3_changes(d->db.handle) > 0 ||
           error_set(error, ERROR_REFUSED, "%.*s is no target of %.*s", TEXT_ARGS(target),
                     TEXT_ARGS(key));
}

static bool remove_alias(struct directory *d, struct text key, struct error *error)
{
    sqlite3_stmt *removal = d->db.statements[REMOVE_ALIAS];
    bind_text(removal, 1, key);
    if (!database_finish(&d->db, removal, error))
        return false;
    return sqlite3_changes(d->db.handle) > 0 ||
           error_set(error, ERROR_REFUSED, "there is no alias %.*s", TEXT_ARGS(key));
}

bool alias_remove(struct directory *d, struct text key, const struct text *targets, size_t count,
                  struct error *error)
{
    if (!begin(d, error))
        return false;
    bool ok = count > 0 || remove_alias(d, key, error);
    for (size_t i = 0; ok && i < count; i++)
        ok = remove_target(d, key, targets[i], error);
    return end(d, ok, error);
}

bool alias_each(struct directory *d, struct text domain,
                void (*each)(void *owner, const struct alias *), void *owner, struct error *error)
{
    sqlite3_stmt *statement = d->db.statements[EACH_TARGET];
    bind_text(statement, 1, domain);
    bool row;
    while (database_step(&d->db, statement, &row, error)) {
        if (!row)
            return true;
        struct alias alias = { column_text(statement, 0), column_text(statement, 1) };
        each(owner, &alias);
    }
    return false;
}
