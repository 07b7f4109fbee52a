/* log_writer.h - writes a transaction to SQLite's write-ahead log with one call. */
#ifndef STORE_LOCAL_LOG_WRITER_H
#define STORE_LOCAL_LOG_WRITER_H

#include "base/error.h"

#include <sqlite3.h>

struct log_writer;

/* Puts itself between the connection, which has read something in WAL mode already and syncs on
 * commit (synchronous = FULL), and its log.  Closing the connection frees it. */
bool log_writer_attach(sqlite3 *, struct log_writer **out, struct error *);
/* With `lazy` a commit's sync only makes the log visible to others, as synchronous = NORMAL does
 * without one; otherwise a sync is a sync: a checkpoint needs it. */
void log_writer_set_lazy(struct log_writer *, bool lazy);

#endif
