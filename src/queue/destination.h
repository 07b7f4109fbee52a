/* destination.h - what one next hop may do at a moment: concurrency that learns, and back-off.
 * Pure: virtual time.
 *
 *   state     what holds                                        who moves it
 *   UP        up to `allowed` connections                       a failure that leaves none allowed
 *   DOWN      none before probe_at_ms; then, once all that were the probe is opened
 *             open have closed, one
 *   PROBING   the probe is open, and is the only one            its success: UP, one allowed; its
 *                                                               failure: DOWN for longer; its end
 *                                                               without either: DOWN as before
 *
 * While UP, `allowed` grows by one after as many successes as it is, counted only while just as
 * many are open: what was not tried was not learnt.  A failure halves it, and is remembered: many
 * hosts take only so many connections, and growing beyond where it failed takes
 * DESTINATION_PATIENCE times as many successes.  A new destination starts with DESTINATION_START,
 * so two failures and no success bring it down.  Probes follow after 1, 2, 4, 8, 16, then every 30
 * minutes; with another pace the first wait is another, and the others double from there.
 *
 * Times are milliseconds of any clock that never jumps.
 */
#ifndef QUEUE_DESTINATION_H
#define QUEUE_DESTINATION_H

#include <stdbool.h>
#include <stdint.h>

enum {
    DESTINATION_START = 2,
    DESTINATION_MAX = 20,
    DESTINATION_PATIENCE = 20,
    DESTINATION_SPREAD = 1000
};

enum destination_state { DESTINATION_UP, DESTINATION_DOWN, DESTINATION_PROBING };

struct destination {
    enum destination_state state;
    uint32_t open;        /* connections now, those that are being made included */
    uint32_t allowed;     /* how many it may have */
    uint32_t ceiling;     /* one less than failed last: passed with patience only */
    uint32_t successes;   /* since `allowed` last changed */
    uint32_t probes;      /* that failed since it went down */
    uint64_t pace_ms;     /* how long the first probe waits */
    uint64_t probe_at_ms; /* DOWN: when one probe may go */
};

void destination_init(struct destination *);
/* How long the first probe waits from now on, at most 30 minutes: the first retry step. */
void destination_pace(struct destination *, uint64_t first_ms);

/* Whether one more connection may be opened now; who opens it says so. */
bool destination_may_open(const struct destination *, uint64_t now_ms);
void destination_opened(struct destination *);
/* Once for each that was opened, behind its successes and its failure. */
void destination_closed(struct destination *);

/* The host did its part: a transaction came to an end, whatever it said of sender, recipients and
 * content. */
void destination_succeeded(struct destination *);
/* The host did not: no connection, no greeting, a broken session, a 421, or a 4xx to the session
 * rather than to a recipient.  `spread`, a random number below DESTINATION_SPREAD, moves the next
 * probe by up to a tenth either way. */
void destination_failed(struct destination *, uint64_t now_ms, unsigned spread);

/* Whether a connection whose transaction ended may begin another: not while more are open than are
 * allowed. */
bool destination_may_keep(const struct destination *);
bool destination_is_down(const struct destination *);

#endif
