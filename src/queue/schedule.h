/* schedule.h - when a recipient is tried again, warned about, given up.  Pure: virtual time.
 *
 *   arrival ... attempts at the retry steps ... warn ... attempts ... expire
 *
 * All times are milliseconds of the wall clock, since they outlive the process; what a jump of that
 * clock means is for the caller (store rule 25: then nothing expires).
 */
#ifndef QUEUE_SCHEDULE_H
#define QUEUE_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Durations are below 2^60. */
struct schedule {
    const uint64_t *retry_ms; /* steps between attempts; then the last one again and again */
    size_t retry_count;       /* at least 1 */
    uint64_t warn_ms;         /* after arrival; 0: never */
    uint64_t expire_ms;       /* after arrival */
};

/* What is known of a recipient. */
struct schedule_row {
    int64_t arrived_ms;
    uint32_t attempts; /* that failed for the time being, the one just made included */
    bool warned;       /* a delay report was made, or nobody wants one */
};

enum schedule_verdict {
    SCHEDULE_RETRY,
    SCHEDULE_EXPIRE, /* only after an attempt at or after the expiry time (store rule 25) */
};

struct schedule_next {
    enum schedule_verdict verdict;
    int64_t due_ms; /* RETRY: when to look at it again */
    bool warn;      /* RETRY: a delay report is due now, and was not made before */
};

enum { SCHEDULE_SPREAD = 1000 };

/* What follows an attempt at `now_ms` that failed for the time being.  `spread`, a random number
 * below SCHEDULE_SPREAD, moves the step by up to a tenth either way, so that what failed together
 * is not tried together.  A step is cut so that there is an attempt at the time of the warning,
 * whose words are then true, and one at the expiry time. */
struct schedule_next schedule_after(const struct schedule *, const struct schedule_row *,
                                    int64_t now_ms, unsigned spread);

/* The same for a recipient whose next hop is down, without an attempt of its own: the hop's probes
 * stand for it.  `probed_ms` is when the last one failed.  It is due again when it is to be warned
 * about or to expire; past the expiry time it waits for the next probe (due_ms is now_ms). */
struct schedule_next schedule_behind(const struct schedule *, const struct schedule_row *,
                                     int64_t probed_ms, int64_t now_ms);

#endif
