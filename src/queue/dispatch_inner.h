/* dispatch_inner.h - private to dispatch*.c: what dispatch remembers, all of it on loop 0.
 *
 *   dispatch.c          looking for domains that have mail due; starting, stopping, being poked
 *   dispatch_domain.c   rows of a domain: taken from the store, made into jobs, come back
 *   dispatch_hop.c      next hops: sessions, what they may have, what they have learnt
 *   dispatch_sweep.c    rows behind a hop that is down: warned about, given up
 *   dispatch_clock.c    the wall clock has jumped
 *
 *     domain  -- taking: at most so many rows -->  jobs of its hop  -->  a session's errand
 *        ^                                                                     |
 *        +------------------------- come back ---------------------------------+
 *
 * Of a domain's rows none is in two hands: the next take begins behind the last one, and from the
 * front again only when nothing is in hand.  What stands before that place (rows that came back
 * untried, mail that was committed after younger mail) waits so long, and a domain that always has
 * something in hand is let run empty every DRAIN_MS for its sake: for DRAIN_MS, and twice as long
 * each time that this was not enough, so that no slow transaction keeps all others.
 */
#ifndef QUEUE_DISPATCH_INNER_H
#define QUEUE_DISPATCH_INNER_H

#include "queue/destination.h"
#include "queue/dispatch.h"
#include "queue/names.h"
#include "queue/remote.h"
#include "queue/route.h"
#include "queue/steer.h"
#include "store/queue.h"

enum {
    TAKES_MAX = 8,          /* at a time, of all domains */
    TAKE_ROWS = 128,        /* of one domain at a time (store rule 25) */
    PROBE_ROWS = 16,        /* enough to find one message for a probe */
    HOP_ROWS_MAX = 512,     /* waiting for sessions of one hop ... */
    SESSION_ROWS = 32,      /* ... and for each that it may have: a new one holds little */
    ROWS_MAX = 20000,       /* in hand in all */
    DOMAINS_MAX = 1 << 17,  /* that are remembered; no others are taken then */
    SESSIONS_MAX = 1000,    /* in all */
    BATCH_MAX = 16,         /* jobs of one errand */
    LINGER_MS = 2000,       /* how long an idle session is kept */
    TROUBLE_REST_MS = 1000, /* after local trouble */
    DRAIN_MS = 10 * 1000,   /* how long rows that were passed by wait before a domain runs empty */
};

struct hop {
    struct dispatch *dispatch;
    struct name_node by_name;
    struct list link;    /* in dispatch->hop_list */
    struct list wanting; /* in dispatch->hops_wanting: has jobs, wants a session */
    char name[ROUTE_TEXT_MAX];
    struct route route; /* as decided last */
    struct destination destination;
    struct timer timer;      /* for the next probe, or the end of a rest */
    uint64_t rests_until_ms; /* this host is in trouble */
    struct list jobs;
    uint32_t job_count, row_count, taking_rows;
    struct list domains;
    struct list idle; /* sessions without an errand */
    uint32_t sessions;
    uint32_t users;    /* calls that look at it yet: it may not be freed */
    int64_t failed_ms; /* wall clock: when a connection last failed */
    struct outcome why;
    struct arena why_memory;
};

struct domain {
    struct dispatch *dispatch;
    struct name_node by_name;
    char name[QUEUE_NAME_MAX]; /* of by_name.len octets */
    struct hop *hop;           /* where its rows went last; NULL before */
    struct list in_hop;        /* in hop->domains */
    struct list wanting;       /* in dispatch->domains_wanting */
    struct list to_sweep;      /* in dispatch->to_sweep */
    bool due;                  /* the store may have rows that are due and stand behind `after` */
    bool poked;                /* ... and may have more since the take that is under way began */
    bool leftover;             /* ... and some that stand before it */
    bool taking, sweeping;
    uint32_t in_hand;  /* rows */
    uint64_t front_ms; /* when they were last taken from the front, or a drain was given up */
    uint64_t drain_ms; /* how long the next one lasts */
    struct queue_place after;
    struct queue_take take;
};

struct session {
    struct list link; /* in hop->idle */
    struct hop *hop;
    struct remote *remote;
    struct timer linger;
    uint32_t generation; /* of the configuration that it was opened under */
};

struct sweep;

/* All that waits is made due, since the wall clock was set back. */
struct recall {
    bool wanted, runs;
    struct selector everybody;
    struct selection selection;
    struct steer steer;
};

struct dispatch {
    struct office *office;
    struct loop *loop;
    bool started, stopping;
    uint32_t generation; /* of the configuration */
    struct names domains, hops;
    struct list hop_list;
    struct list domains_wanting, hops_wanting;
    uint32_t takes, rows_in_hand, sessions;
    unsigned next_loop;
    struct remote_loop remotes[OFFICE_LOOPS_MAX];
    struct sweep *sweep; /* one at a time, or NULL */
    struct list to_sweep;

    struct queue_look look;
    int64_t look_after_due_ms; /* the next look goes on behind this domain; "": from the front */
    size_t look_after_len;
    char look_after[QUEUE_NAME_MAX];
    bool looking, look_again;
    uint64_t look_began_ms, look_not_before_ms;
    struct timer look_timer; /* always set, so that moving it needs no memory */

    atomic_flag poked;
    struct post poke_post;
    uint64_t clock_doubt_ms; /* until then nothing expires */
    struct recall recall;
};

/* dispatch.c */
void dispatch_hold(struct dispatch *);
void dispatch_release(struct dispatch *);
/* Looks for due domains, no later than in `after_ms`. */
void dispatch_look_in(struct dispatch *, uint64_t after_ms);
/* Rows have new due times, which the last look could not know: another one finds them. */
void dispatch_look_soon(struct dispatch *);
const struct config *dispatch_config(const struct dispatch *);
uint64_t dispatch_now_ms(const struct dispatch *);
/* The store's answers can be believed: its index does not lag behind its journal. */
bool dispatch_may_read(const struct dispatch *);

/* dispatch_clock.c */
/* Before each look. */
void dispatch_watch_clock(struct dispatch *);

/* dispatch_domain.c */
/* A look has found it due. */
void domain_is_due(struct dispatch *, struct text name);
/* Puts it in line for its rows to be taken, if it may have some. */
void domain_wants(struct domain *);
/* Takes rows of those in line, as far as there is room. */
void domains_take(struct dispatch *);
/* The job is over; `again`: its rows wait in the store as they did.  Frees it. */
void domain_job_over(struct queue_job *, bool again);
/* Forgets the domain if there is nothing to remember. */
void domain_rest(struct domain *);
void domain_free(struct domain *);

/* dispatch_hop.c */
/* The hop for what is queued under a name, by the configuration in effect now.  NULL: memory is
 * short. */
struct hop *hop_for(struct dispatch *, struct text name);
/* How many rows for it are worth taking now; 0: none. */
uint32_t hop_room(const struct hop *);
void hop_add_job(struct hop *, struct queue_job *);
/* Whether mail of many domains goes there, so that what is taken of each is worth waiting for: a
 * message's recipients then travel together. */
bool hop_gathers(const struct hop *);
/* Gives its jobs to sessions. */
void hop_go(struct hop *);
/* Its jobs go back to the store. */
void hop_drop_jobs(struct hop *);
/* Its domains whose rows wait may have some taken again; in turn, a few at a time. */
void hop_feed(struct hop *);
/* Local trouble: nothing is begun for it for a moment. */
void hop_pause(struct hop *);
/* A person wants it tried, whatever it has learnt. */
void hop_hurry(struct hop *);
void hop_quit_idle(struct hop *);
/* Forgets the hop if there is nothing to remember, and not between these two. */
void hop_rest(struct hop *);
void hop_use(struct hop *);
void hop_used(struct hop *);
void hop_free(struct hop *);

/* dispatch_sweep.c */
/* A probe has failed: looks through the rows behind the hop. */
void sweep_hop(struct hop *);

#endif
