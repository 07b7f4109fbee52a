/* database.c - what index.db and directory.db ask of SQLite.  Knows no table of theirs. */
#include "store/local/database.h"

#include "base/check.h"

#include <stdio.h>

/* A statement that was prepared and now contradicts the tables (SQLITE_ERROR), or a row that is
 * there although it cannot be: the file is not what this program wrote. */
static bool is_damage(int code)
{
    return code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_FORMAT ||
           code == SQLITE_ERROR || code == SQLITE_CONSTRAINT || code == SQLITE_MISMATCH;
}

/* The system has refused something, and knows why better than "disk I/O error". */
static bool is_of_the_system(int code)
{
    return code == SQLITE_IOERR || code == SQLITE_CANTOPEN;
}

bool database_failed(const struct database *d, struct error *error)
{
    int code = d->handle ? sqlite3_errcode(d->handle) : SQLITE_NOMEM;
    enum error_kind kind = is_damage(code & 0xFF) ? ERROR_DAMAGED : ERROR_TEMPORARY;
    const char *words = d->handle ? sqlite3_errmsg(d->handle) : "out of memory";
    int number = is_of_the_system(code & 0xFF) ? sqlite3_system_errno(d->handle) : 0;
    return number ? error_system(error, kind, number, "%s: %s", d->name, words)
                  : error_set(error, kind, "%s: %s", d->name, words);
}

bool database_open(struct database *d, const struct database_options *options, struct error *error)
{
    *d = (struct database){ .name = options->name };
    int flags = options->flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    bool opened = sqlite3_open_v2(options->path, &d->handle, flags, NULL) == SQLITE_OK;
    if (!opened)
        database_failed(d, error);
    if (opened) {
        sqlite3_busy_timeout(d->handle, options->busy_ms);
        opened = !options->setup || database_script(d, options->setup, error);
    }
    if (!opened)
        database_close(d);
    return opened;
}

void database_close(struct database *d)
{
    for (size_t i = 0; i < d->statement_count; i++)
        sqlite3_finalize(d->statements[i]);
    d->statement_count = 0;
    if (!d->handle)
        return;
    int code = sqlite3_close(d->handle);
    CHECK(code == SQLITE_OK); /* anything else is a statement of ours that was not finalized */
    d->handle = NULL;
}

bool database_script(struct database *d, const char *sql, struct error *error)
{
    return sqlite3_exec(d->handle, sql, NULL, NULL, NULL) == SQLITE_OK || database_failed(d, error);
}

bool database_number(struct database *d, const char *sql, int64_t *out, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    *out = 0;
    if (sqlite3_prepare_v2(d->handle, sql, -1, &statement, NULL) != SQLITE_OK)
        return database_failed(d, error);
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *out = sqlite3_column_int64(statement, 0);
    bool ok = code == SQLITE_ROW || code == SQLITE_DONE || database_failed(d, error);
    sqlite3_finalize(statement);
    return ok;
}

bool database_prepare(struct database *d, const char *const *sql, size_t count, struct error *error)
{
    CHECK(count <= DATABASE_STATEMENTS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (sqlite3_prepare_v3(d->handle, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &d->statements[i],
                               NULL) != SQLITE_OK)
            return database_failed(d, error);
        d->statement_count = i + 1;
    }
    return true;
}

/* Brings a file from a version to that of the format.  Two processes may meet at it: the
 * transaction lets one of them do it, and the other then finds it done. */
static bool bring_up(struct database *d, const struct database_format *format, uint32_t from,
                     struct error *error)
{
    const char *script = from == 0 ? format->schema : format->upgrade;
    char marks[96];
    snprintf(marks, sizeof marks, "PRAGMA application_id=%u; PRAGMA user_version=%u; COMMIT",
             format->application, format->version);
    int64_t version = 0;
    bool ok = database_script(d, "BEGIN IMMEDIATE", error) &&
              database_number(d, "PRAGMA user_version", &version, error);
    if (ok && version != from)
        return database_script(d, "COMMIT", error);
    ok = ok && database_script(d, script, error) && database_script(d, marks, error);
    if (!ok && !sqlite3_get_autocommit(d->handle))
        database_script(d, "ROLLBACK", NULL);
    return ok;
}

static bool read_marks(struct database *d, int64_t *application, int64_t *version,
                       struct error *error)
{
    return database_number(d, "PRAGMA application_id", application, error) &&
           database_number(d, "PRAGMA user_version", version, error);
}

bool database_check_format(struct database *d, const struct database_format *format,
                           struct error *error)
{
    int64_t tables = 0, application = 0, version = 0;
    if (!database_number(d, "SELECT count(*) FROM sqlite_schema", &tables, error))
        return false;
    if (tables == 0 && format->schema && !bring_up(d, format, 0, error))
        return false;
    if (!read_marks(d, &application, &version, error))
        return false;
    if ((uint32_t)application == format->application && version == format->version - 1 &&
        format->upgrade &&
        !(bring_up(d, format, format->version - 1, error) &&
          read_marks(d, &application, &version, error)))
        return false;
    if ((uint32_t)application != format->application)
        return error_set(error, ERROR_DAMAGED, "%s is not what its name says", d->name);
    if ((uint64_t)version != format->version)
        return error_set(error, ERROR_DAMAGED,
                         "%s has format version %lld, this godwit writes version %u", d->name,
                         (long long)version, format->version);
    return true;
}

bool database_step(struct database *d, sqlite3_stmt *statement, bool *row_out, struct error *error)
{
    int code = sqlite3_step(statement);
    *row_out = code == SQLITE_ROW;
    if (code == SQLITE_ROW)
        return true;
    bool ok = code == SQLITE_DONE || database_failed(d, error);
    sqlite3_reset(statement);
    return ok;
}

bool database_finish(struct database *d, sqlite3_stmt *statement, struct error *error)
{
    int code = sqlite3_step(statement);
    bool ok = code == SQLITE_DONE || code == SQLITE_ROW || database_failed(d, error);
    sqlite3_reset(statement);
    return ok;
}
