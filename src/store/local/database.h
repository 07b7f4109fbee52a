/* database.h - what index.db, directory.db and cache.db ask of SQLite, with its failures as errors
 * by value.
 *
 * A database is for one thread at a time.  Nothing else in the process may open() or close() its
 * files: closing any descriptor of a file drops the process's POSIX locks on it (store rule 19).
 * Texts and blobs are bound where they lie and must stay until the statement has been reset.
 */
#ifndef STORE_LOCAL_DATABASE_H
#define STORE_LOCAL_DATABASE_H

#include "base/error.h"

#include <sqlite3.h>

enum { DATABASE_STATEMENTS_MAX = 64 };

struct database {
    sqlite3 *handle;
    const char *name; /* for people: "index.db"; a constant */
    sqlite3_stmt *statements[DATABASE_STATEMENTS_MAX];
    size_t statement_count;
};

struct database_options {
    const char *name;
    const char *path;
    int flags;         /* of sqlite3_open_v2() */
    int busy_ms;       /* how long to wait for another's lock */
    const char *setup; /* run first: pragmas */
};

/* What a file must say of itself, and how an empty one becomes one. */
struct database_format {
    uint32_t application;
    uint32_t version;
    const char *schema; /* NULL: an empty file is not accepted */
    /* How a file of the version before becomes one of this; NULL: it is not accepted. */
    const char *upgrade;
};

/* Opens the file.  Nothing is left open after a failure. */
bool database_open(struct database *, const struct database_options *, struct error *);
void database_close(struct database *);
/* Makes or upgrades what the format says.  ERROR_DAMAGED when the file is something else, or was
 * written by a version that is not ours. */
bool database_check_format(struct database *, const struct database_format *, struct error *);

/* Runs statements that give no rows. */
bool database_script(struct database *, const char *sql, struct error *);
/* The single number that a statement gives; 0 when it gives none. */
bool database_number(struct database *, const char *sql, int64_t *out, struct error *);
/* Prepares statements that are kept, in order: statements[0] and on. */
bool database_prepare(struct database *, const char *const *sql, size_t count, struct error *);

/* Steps a kept statement; *row_out tells whether it stands on a row.  When it does not, or fails,
 * it has been reset. */
bool database_step(struct database *, sqlite3_stmt *, bool *row_out, struct error *);
/* Steps a statement that gives no row, and resets it. */
bool database_finish(struct database *, sqlite3_stmt *, struct error *);

/* Fills the error from what SQLite said last: ERROR_DAMAGED when the file is corrupt, else
 * ERROR_TEMPORARY.  Returns false. */
bool database_failed(const struct database *, struct error *);

static inline void bind_number(sqlite3_stmt *s, int place, uint64_t value)
{
    sqlite3_bind_int64(s, place, (sqlite3_int64)value);
}
static inline void bind_text(sqlite3_stmt *s, int place, struct text text)
{
    sqlite3_bind_text(s, place, text.at ? text.at : "", (int)text.len, SQLITE_STATIC);
}
static inline void bind_blob(sqlite3_stmt *s, int place, const void *at, size_t len)
{
    sqlite3_bind_blob(s, place, at ? at : "", (int)len, SQLITE_STATIC);
}
static inline uint64_t column_number(sqlite3_stmt *s, int place)
{
    return (uint64_t)sqlite3_column_int64(s, place);
}
/* Valid until the statement is stepped or reset. */
static inline struct text column_text(sqlite3_stmt *s, int place)
{
    const void *at = sqlite3_column_blob(s, place);
    return (struct text){ at, (size_t)sqlite3_column_bytes(s, place) };
}

#endif
