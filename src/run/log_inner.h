/* log_inner.h - one line of the log, put together. Private to src/run. */
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

#endif
