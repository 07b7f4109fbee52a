/* town.h - everybody outside: who sends, who reads, and when they come. */
#ifndef SIM_TOWN_H
#define SIM_TOWN_H

#include "sim/ledger.h"
#include "sim/world.h"

struct foreign;
struct node;
struct loop;

#define TOWN_PASSWORD "every metre of it"

struct town {
    struct world *world;
    struct loop *loop;
    struct ledger *ledger;
    struct foreign *foreign; /* hosts outside */
    uint64_t letters_left;
    uint64_t pause_us; /* between bursts, on average */
    struct list peers; /* that are here */
    unsigned peer_count;
    struct event burst, steer;
    uint64_t free_from_us; /* whoever has gone before has left his box; 0: not yet */
    bool audit_done;       /* of the box that was read last */
    uint64_t sessions;
};

void town_open(struct town *, struct world *, struct ledger *);
void town_close(struct town *);

/* --- Peers (peer.h): they free themselves --- */

/* An address from which a peer calls. */
struct endpoint town_address(void);

void sender_start(struct town *, unsigned host);
/* Who looks after a server asks something about its queue. */
enum keeper_wish {
    KEEPER_HOLD,
    KEEPER_RELEASE,
    KEEPER_RETRY,
    KEEPER_DROP, /* what is for one of the domains outside */
    KEEPER_HOPS,
    KEEPER_WISHES
};
void keeper_start(struct town *, struct node *, enum keeper_wish);
/* The user sends by submission. */
void submitter_start(struct town *, struct box *user);
void reader_start(struct town *, struct box *);

#endif
