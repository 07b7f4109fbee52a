/* dispatch.h - mail on its way out: which recipients are tried now, over how many connections.
 *
 * Its state lives on loop 0: the domains that have mail due, and the next hops that they lead to.
 * It asks the store for domains, takes a few rows of each in turn, decides each one's route anew,
 * and hands jobs to sessions (remote.h), which may be on any loop.  A row that is in nobody's hands
 * is in the store only: a restart begins with nothing (store rule 25).
 *
 *   domain   idle -> taking its rows -> jobs waiting at its hop -> jobs in sessions -> idle
 *   hop      up to so many sessions as queue/destination.h allows; while it is down, one probe
 */
#ifndef QUEUE_DISPATCH_H
#define QUEUE_DISPATCH_H

#include "queue/office.h"

struct dispatch;

/* On loop 0 before it turns.  `office` must outlive it. */
bool dispatch_new(struct office *, struct dispatch **out, struct error *);
/* On loop 0, with the configuration in effect: begins to look; again after a reload. */
void dispatch_start(struct dispatch *);
/* On loop 0.  Nothing new is begun; transactions under way end, idle sessions say QUIT.  Sessions
 * hold their loops (office.hold) until they have. */
void dispatch_stop(struct dispatch *);
/* On loop 0, when all loops are at rest. */
void dispatch_free(struct dispatch **);

/* Any thread; cheap; NULL is harmless.  There are new rows that are due. */
void dispatch_poke(struct dispatch *);

/* On loop 0.  A person has changed rows: what was read and is not yet being sent is read again.
 * `hurry`: hosts that are down may be tried at once. */
void dispatch_steered(struct dispatch *, bool hurry);

/* What dispatch knows of a next hop, for `godwit queue`. */
struct dispatch_hop {
    struct text name; /* "example.org", "[192.0.2.1]", "relay.example.net:587" */
    bool down;
    int64_t next_ms; /* DOWN: wall clock of the next probe */
    uint32_t sessions, waiting;
    struct text last; /* why the last connection failed; "" */
};
/* On loop 0. */
void dispatch_each_hop(struct dispatch *, void (*each)(void *owner, const struct dispatch_hop *),
                       void *owner);

#endif
