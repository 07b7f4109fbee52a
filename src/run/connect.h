/* connect.h - calling somebody: a stream to an address, or why there is none.
 *
 * One of the interfaces with two implementations (src/run and sim).  All functions are for the
 * loop's thread.
 */
#ifndef RUN_CONNECT_H
#define RUN_CONNECT_H

#include "run/stream.h"

struct connecting; /* opaque: a call under way */

/* How it ended: `stream` is the callee's, or NULL and `why` says what failed (always
 * ERROR_TEMPORARY: whether to give up is not known here).  Called exactly once, never within
 * connect_start(), unless cancelled. */
typedef void connect_done(void *owner, struct stream *stream, const struct error *why);

struct connect_options {
    struct endpoint to;
    struct endpoint from; /* NET_NONE: whatever the system chooses; the port is not used */
    uint64_t timeout_ms;  /* from now; then ETIMEDOUT */
    connect_done *done;
    void *owner;
};

/* NULL: local trouble (descriptors, memory; *error); nothing will be called. */
struct connecting *connect_start(struct loop *, const struct connect_options *, struct error *);
/* Forgets it, nothing will be called; harmless with NULL inside.  Not after `done`. */
void connect_cancel(struct connecting **);

#endif
