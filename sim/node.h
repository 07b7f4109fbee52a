/* node.h - a server in the simulated world: its starts and its ends. */
#ifndef SIM_NODE_H
#define SIM_NODE_H

#include "sim/world.h"

struct ledger;
struct server;

struct node {
    struct host *host;
    struct ledger *ledger;
    struct server *server; /* NULL: it is down */
    unsigned users;
    bool has_people;
    bool begun;      /* it serves */
    bool stays_down; /* it was asked to stop */
    struct event start, crash, fill, jump;
    bool is_full;
    uint64_t starts, crashes;
    uint64_t segment_octets;
    unsigned compaction;       /* what that did after the last event */
    uint64_t segments_removed; /* by it, since the start */
};

/* A host with an empty disk; the server starts by itself, and again after every end. */
void node_open(struct node *, struct world *, struct ledger *, unsigned users);
/* The storm is over: its disk has room. */
void node_calm(struct node *);
/* Stops the server in the ordinary way. */
void node_stop(struct node *);
void node_close(struct node *);
/* Compares the live index with one that is made from the journal, and verifies everything. */
void node_examine(struct node *, bool all);
/* Verifies everything; the server may go on. */
void node_verify(struct node *, enum check);
/* Recipients that wait in its queue; shows each of them if so wished. */
uint64_t node_waiting(struct node *, bool tell);

#endif
