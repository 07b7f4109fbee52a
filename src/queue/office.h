/* office.h - what the parts of the queue have of the server that they work for.
 *
 * The queue knows no sessions and no directory: what it needs of them stands here, set once before
 * the loops turn.
 */
#ifndef QUEUE_OFFICE_H
#define QUEUE_OFFICE_H

#include "config/config.h"
#include "mail/address.h"
#include "queue/schedule.h"
#include "run/clock.h"
#include "run/dns.h"
#include "run/lane.h"
#include "run/log.h"
#include "run/tls.h"
#include "store/cache.h"
#include "store/store.h"

#include <stdatomic.h>

enum {
    OFFICE_LOOPS_MAX = 64,
    OFFICE_ADDRESSES_MAX = 64,
    OFFICE_TARGETS_MAX = 1000, /* mailboxes, and likewise addresses, that one address leads to */
    OFFICE_CLOCK_JUMP_MS = 3600 * 1000
};

/* Where mail for an address goes; texts are borrowed for the call. */
struct office_mailbox {
    mailbox_id mailbox;
    struct text account;
    struct text delivered_to;
};

enum office_verdict {
    OFFICE_FOUND,   /* mailboxes of ours, addresses elsewhere, or both */
    OFFICE_FOREIGN, /* not our domain */
    OFFICE_UNKNOWN, /* our domain, nobody of that name */
    OFFICE_TROUBLE, /* could not be asked: try again later */
    OFFICE_NOBODY,  /* postmaster of a domain of ours that has no user at all yet */
};

struct office_answer {
    enum office_verdict verdict;
    const struct office_mailbox *mailboxes;
    size_t mailbox_count;
    const struct text *remotes; /* canonical addresses that an alias leads to */
    size_t remote_count;
};

typedef void office_found(void *asker, const struct office_answer *);

struct office {
    struct store *store;
    _Atomic(struct dns *) dns; /* a reload may put another one here; the old one lives on */
    struct log *log;
    _Atomic(const struct tls_context *) tls; /* for calling; NULL: there is no TLS; likewise */
    struct cache_lane *cache;                /* what may be lost; NULL: nothing is kept */
    struct lane *fetchers;                   /* for policies of MTA-STS; NULL: none is fetched */
    atomic_bool fetches_stop;
    struct lane *slow; /* for what takes long to compute */
    struct loop *loops[OFFICE_LOOPS_MAX];
    unsigned loop_count;
    atomic_bool expiry_pauses;       /* the wall clock has jumped */
    _Atomic int64_t clock_offset_ms; /* wall clock minus monotonic, as they were seen last */
    /* Of this machine's interfaces, as they were at the start; see route.h. */
    struct endpoint addresses[OFFICE_ADDRESSES_MAX];
    size_t address_count;

    /* On loop `index`: the configuration in effect there.  Never kept beyond the turn. */
    const struct config *(*config)(void *server, unsigned index);
    /* On loop `index`: the password of a login of that configuration, for the turn; "": none. */
    struct text (*password)(void *server, unsigned index, const struct config_login *);
    /* On loop `index`: asks who receives mail for an address.  `found` comes on that loop, exactly
     * once, perhaps before this returns. */
    void (*resolve)(void *server, unsigned index, const struct address *, office_found *found,
                    void *asker);
    /* On loop `index`: an operation has begun, has ended, that a stopping server waits for. */
    void (*hold)(void *server, unsigned index);
    void (*release)(void *server, unsigned index);
    /* Any thread: rows were queued. */
    void (*poke)(void *server);
    void *server;
};

/* By how much the wall clock has jumped since it was looked at last. */
static inline int64_t office_clock_jump(const struct office *office)
{
    return clock_wall_ms() - (int64_t)clock_monotonic_ms() - atomic_load(&office->clock_offset_ms);
}

static inline bool office_clock_jumped(int64_t by_ms)
{
    return by_ms > OFFICE_CLOCK_JUMP_MS || by_ms < -OFFICE_CLOCK_JUMP_MS;
}

/* The times that count for mail under way.  While the wall clock cannot be believed nothing expires
 * (store rule 25). */
static inline struct schedule office_schedule(const struct office *office, const struct config *c)
{
    static const uint64_t never_ms = 1ULL << 59;
    bool pauses =
        atomic_load(&office->expiry_pauses) || office_clock_jumped(office_clock_jump(office));
    return (struct schedule){
        .retry_ms = c->retry_ms,
        .retry_count = c->retry_count,
        .warn_ms = c->warn_ms,
        .expire_ms = pauses ? never_ms : c->expire_ms,
    };
}

static inline struct dns *office_dns(const struct office *office)
{
    return atomic_load(&office->dns);
}

#endif
