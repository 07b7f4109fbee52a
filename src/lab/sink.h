/* sink.h - the SMTP words of a host that is not as it should be.  Pure: lines in, replies out.
 *
 * It says yes to everything but at the one place where its fault is, and keeps nothing.
 */
#ifndef LAB_SINK_H
#define LAB_SINK_H

#include "lab/fault.h"

#include "base/buffer.h"

enum sink_then {
    SINK_GO_ON,
    SINK_CONTENT, /* what comes now is content, up to its end: then sink_content_ended() */
    SINK_CLOSE,   /* say what there is to say and hang up */
};

struct sink {
    enum fault_kind fault;
    struct text host; /* borrowed */
    size_t recipients;
};

/* Each appends what is to be said: nothing, or one reply. */
enum sink_then sink_greet(struct sink *, struct buffer *reply);
/* A line without its end. */
enum sink_then sink_line(struct sink *, struct text line, struct buffer *reply);
enum sink_then sink_content_ended(struct sink *, struct buffer *reply);

#endif
