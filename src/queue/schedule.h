/* schedule.h - when a recipient is tried again, warned about, given up.  Pure: virtual time.
 */
#ifndef QUEUE_SCHEDULE_H
#define QUEUE_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct schedule {
    const uint64_t *retry_ms; /* steps between attempts; then the last one again and again */
    size_t retry_count;       /* at least 1 */
    uint64_t warn_ms;         /* after arrival; 0: never */
    uint64_t expire_ms;       /* after arrival */
};

enum schedule_verdict {
    SCHEDULE_RETRY,
    SCHEDULE_EXPIRE, /* only after an attempt at or after the expiry time (STORE.md 25) */
};

struct schedule_next {
    enum schedule_verdict verdict;
    int64_t due_ms; /* RETRY: wall clock */
    bool warn;      /* a delay report is due now, and was not sent before */
};

/* What follows a temporary failure of attempt number `attempts` (1 is the first) at `now_ms`.
 * `spread` in 0..999 moves the step by up to a tenth, so that what failed together is not tried
 * together. The step is cut so that there is an attempt at the expiry time. */
struct schedule_next schedule_after(const struct schedule *, int64_t arrived_ms, uint32_t attempts,
                                    bool warned, int64_t now_ms, unsigned spread);

/* What one destination (next hop) may do at a moment: concurrency that learns, and back-off. */
struct destination {
    uint32_t open;       /* connections now */
    uint32_t allowed;    /* how many it may have */
    uint32_t successes;  /* since `allowed` last changed */
    uint32_t failures;   /* in a row, of connections or 421/4xx to the session */
    int64_t probe_at_ms; /* while it is down: when one probe may go */
};
enum { DESTINATION_START = 2, DESTINATION_MAX = 20 };
void destination_init(struct destination *);
/* Whether one more connection may be opened now. */
bool destination_may_open(const struct destination *, int64_t now_ms);
void destination_opened(struct destination *);
void destination_succeeded(struct destination *); /* a message was taken */
void destination_failed(struct destination *, int64_t now_ms, unsigned spread);
void destination_closed(struct destination *);
bool destination_is_down(const struct destination *);

#endif
