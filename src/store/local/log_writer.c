/* log_writer.c - writes a transaction to SQLite's write-ahead log with one call.
 *
 * SQLite writes each page of a transaction with two calls, 24 octets and 4096, behind each other;
 * with a few pages for each message those calls cost more than all of its own work.  Here what lies
 * behind each other is gathered and written at once.  Any other operation on the file writes out
 * first what was gathered, so that nobody can see a difference.
 *
 * Others read the log up to where a commit has published it, and SQLite publishes only after its
 * xSync has succeeded: that call is where the gathered octets are written, and where a full disk is
 * told to it in time to undo the transaction.  Whether they reach the disk's surface then is
 * synchronous = NORMAL's business: not before a checkpoint.
 */
#include "store/local/log_writer.h"

#include "base/list.h"

#include <stdlib.h>
#include <string.h>

/* SQLite's files take at most 128 KB - 1 at once: these are 31 pages with their headers. */
enum { GATHER_OCTETS = 31 * (24 + 4096) };

struct log_writer {
    sqlite3_io_methods methods;     /* ours; the file points to them, and so to us */
    const sqlite3_io_methods *real; /* what the file pointed to */
    bool lazy;
    sqlite3_int64 offset; /* of the gathered octets in the file */
    int gathered;
    uint8_t octets[GATHER_OCTETS];
};

static struct log_writer *writer_of(sqlite3_file *file)
{
    return OWNER_OF(file->pMethods, struct log_writer, methods);
}

static int write_out(struct log_writer *w, sqlite3_file *file)
{
    if (w->gathered == 0)
        return SQLITE_OK;
    int gathered = w->gathered;
    w->gathered = 0;
    return w->real->xWrite(file, w->octets, gathered, w->offset);
}

static int log_write(sqlite3_file *file, const void *octets, int count, sqlite3_int64 offset)
{
    struct log_writer *w = writer_of(file);
    bool follows = w->gathered > 0 && offset == w->offset + w->gathered;
    if (!follows || count > GATHER_OCTETS - w->gathered) {
        int code = write_out(w, file);
        if (code != SQLITE_OK)
            return code;
        w->offset = offset;
    }
    if (count > GATHER_OCTETS)
        return w->real->xWrite(file, octets, count, offset);
    memcpy(w->octets + w->gathered, octets, (size_t)count);
    w->gathered += count;
    return SQLITE_OK;
}

static int log_sync(sqlite3_file *file, int flags)
{
    struct log_writer *w = writer_of(file);
    /* The log's own header, when it begins anew, is synced before anything follows it. */
    bool is_header = w->gathered > 0 && w->offset == 0;
    int code = write_out(w, file);
    return code != SQLITE_OK || (w->lazy && !is_header) ? code : w->real->xSync(file, flags);
}

static int log_read(sqlite3_file *file, void *to, int count, sqlite3_int64 offset)
{
    struct log_writer *w = writer_of(file);
    int code = write_out(w, file);
    return code == SQLITE_OK ? w->real->xRead(file, to, count, offset) : code;
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct log_writer *w = writer_of(file);
    int code = write_out(w, file);
    return code == SQLITE_OK ? w->real->xTruncate(file, size) : code;
}

static int log_size(sqlite3_file *file, sqlite3_int64 *size)
{
    struct log_writer *w = writer_of(file);
    int code = write_out(w, file);
    return code == SQLITE_OK ? w->real->xFileSize(file, size) : code;
}

static int log_close(sqlite3_file *file)
{
    struct log_writer *w = writer_of(file);
    int code = write_out(w, file);
    file->pMethods = w->real;
    int closed = w->real->xClose(file);
    free(w);
    return code == SQLITE_OK ? closed : code;
}

bool log_writer_attach(sqlite3 *handle, struct log_writer **out, struct error *error)
{
    sqlite3_file *file = NULL;
    *out = NULL;
    if (sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) != SQLITE_OK ||
        !file || !file->pMethods)
        return error_set(error, ERROR_TEMPORARY, "index.db: its log cannot be reached");
    struct log_writer *w = calloc(1, sizeof *w);
    if (!w)
        return error_set(error, ERROR_TEMPORARY, "out of memory");
    w->real = file->pMethods;
    w->methods = *w->real;
    w->methods.xWrite = log_write;
    w->methods.xSync = log_sync;
    w->methods.xRead = log_read;
    w->methods.xTruncate = log_truncate;
    w->methods.xFileSize = log_size;
    w->methods.xClose = log_close;
    file->pMethods = &w->methods;
    *out = w;
    return true;
}

void log_writer_set_lazy(struct log_writer *w, bool lazy)
{
    w->lazy = lazy;
}
