/* log.h - the log: one line an event, written by a thread of its own.
 *
 * Whoever logs formats into a bounded ring and goes on; the writer empties the rings every 64 KB
 * or 50 ms.  A full ring drops lines, counts them, and the count is logged.  Values are escaped
 * here (base/escape.h), so a peer's words may be passed as they came.  Lines are written in the
 * order of their time, whoever logged them.
 *
 * Text: "TIME SESSION event key=value ..." (values quoted when they hold a space), protocol lines
 * "TIME SESSION -> 250 OK" (-> from the server, <- from the client).  JSON: one object a line with
 * time, session, level, event, and the fields; protocol lines have "from": "server" or "client" and
 * "line".  TIME is RFC 3339 UTC with milliseconds.  Any thread may log.
 */
#ifndef RUN_LOG_H
#define RUN_LOG_H

#include "base/error.h"

struct log;

enum log_format { LOG_TEXT, LOG_JSON };
enum log_level { LOG_ERROR, LOG_WARNING, LOG_NOTICE, LOG_INFO };
enum log_from { LOG_SERVER, LOG_CLIENT };

struct log_options {
    const char *file; /* NULL or "": standard error (with <N> level prefixes under journald) */
    enum log_format format;
    unsigned rings; /* one for each loop, and one more for everybody else */
};

/* A named value, and several; borrowed for the call. */
struct log_field {
    const char *name;
    struct text value;
};
struct log_fields {
    const struct log_field *at;
    size_t count;
};

/* Opens the file (append, 0640).  No thread yet: lines are kept in the rings.  Standard error gets
 * "<N>" prefixes only when it is the stream that JOURNAL_STREAM names. */
bool log_new(const struct log_options *, struct log **out, struct error *);
/* Starts the writer; before it, lines wait. */
bool log_start(struct log *, struct error *);
/* Writes what is left, stops the writer, frees. */
void log_free(struct log **);
/* Opens the file anew by its name (after rotation), and changes file or format; `rings` stays as it
 * is.  What is in the rings goes to the new file.  On failure the old file stays in use. */
bool log_reopen(struct log *, const struct log_options *, struct error *);

/* Ties the calling thread to a ring of its own, 0 .. rings-1; others share the last one. */
void log_use_ring(struct log *, unsigned ring);

void log_event(struct log *, enum log_level, struct text session, const char *event,
               struct log_fields);
/* One line of a session, without its line end. */
void log_protocol(struct log *, struct text session, enum log_from, struct text words);

/* The name of a session, from a number that only grows. */
enum { LOG_SESSION_TEXT = 10 };
void log_name_session(uint64_t number, char out[LOG_SESSION_TEXT + 1]);

#define LOG_NO_FIELDS ((struct log_fields){ NULL, 0 })
#define LOG_FIELDS(...)                                                                            \
    ((struct log_fields){ (const struct log_field[]){ __VA_ARGS__ },                               \
                          sizeof((const struct log_field[]){ __VA_ARGS__ }) /                      \
                              sizeof(struct log_field) })
/* LOG_EVENT(log, LOG_INFO, session, "accepted", { "id", id }, { "size", size }) */
#define LOG_EVENT(log, level, session, event, ...)                                                 \
    log_event(log, level, session, event, LOG_FIELDS(__VA_ARGS__))

#endif
