/* told.h - which recipients a report tells of, and what it says where whoever settles left that
 * open.  Pure. */
#ifndef QUEUE_TOLD_H
#define QUEUE_TOLD_H

#include "base/arena.h"
#include "queue/settle.h"

/* Of one message, in the order given. */
struct told {
    struct dsn_recipient *recipients;
    size_t count;
};

/* Whether anything about this recipient goes into a report to this sender. */
bool told_is_due(const struct settled *, struct text sender);

/* Makes one who was given up, since mail is tried for `expire_ms` only, of what the last attempt
 * ended with.  The arena has the words.  False: memory is short. */
bool told_expired(struct dsn_recipient *, uint64_t expire_ms, struct arena *);

/* Gathers those that are due; `expire_ms` is how long a message is tried.  The arena has what is
 * made up here, all else is borrowed from the options.  False: memory is short. */
bool told_gather(const struct settle_options *, uint64_t expire_ms, struct arena *,
                 struct told *out);

#endif
