/* log_inner.h - one line of the log, put together; stretches of lines, merged. Private to src/run.
 */
#ifndef RUN_LOG_INNER_H
#define RUN_LOG_INNER_H

#include "base/buffer.h"
#include "run/log.h"

/* What all kinds of lines have. */
struct log_line {
    enum log_format format;
    bool prefix; /* "<N>" before the line, for journald */
    struct text time;
    struct text session;
    enum log_level level; /* of an event */
};

/* Append the line with its line end.  False when the buffer has no room: then a part of the line
 * may stand in it. */
bool log_line_event(struct buffer *, const struct log_line *, const char *event, struct log_fields);
bool log_line_protocol(struct buffer *, const struct log_line *, enum log_from, struct text line);

/* --- Stretches of lines, each from one ring, in the order of their time --- */

enum {
    LOG_STRETCH_OCTETS_MAX = 1024 * 1024,
    LOG_MARKS_MAX =
        512, /* milliseconds with lines in a stretch; what comes later counts as the last */
    LOG_RINGS_MAX = 128,
};

struct log_stretch {
    struct buffer lines;
    unsigned mark_count;
    struct {
        int64_t ms; /* of the lines that begin here */
        size_t at;
    } marks[LOG_MARKS_MAX];
};

void log_stretch_init(struct log_stretch *);
/* A line of that time begins there. */
void log_stretch_mark(struct log_stretch *, int64_t ms, size_t at);
/* Gives the memory back if it is more than this. */
void log_stretch_empty(struct log_stretch *, size_t octets_kept);
/* All lines in the order of their time, those of one time in the order of the stretches, in pieces
 * that end with a line. */
void log_merge(struct log_stretch *const *, unsigned count,
               void (*write)(void *owner, struct bytes lines), void *owner);
uint64_t log_count_lines(struct bytes);

#endif
