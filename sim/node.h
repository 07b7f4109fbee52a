/* node.h - a server in the simulated world: its starts and its ends. */
#ifndef SIM_NODE_H
#define SIM_NODE_H

#include "sim/backup.h"
#include "sim/world.h"

struct config;
struct ledger;
struct server;

/* What its file says that is not the same everywhere; a reload brings something else. */
struct node_wish {
    bool has_second;          /* the domain e1.test too: all that comes for it is u0@d1.test's */
    uint32_t messages_hourly; /* of one user at submission; 0: no limit */
    unsigned resolver;
};

struct node {
    struct host *host;
    struct ledger *ledger;
    struct server *server; /* NULL: it is down */
    unsigned users;
    bool has_people;
    bool begun;      /* it serves */
    bool stays_down; /* it was asked to stop */
    struct event start, crash, fill, jump;
    struct backup backup;
    bool is_full;
    uint64_t starts, crashes;
    uint64_t segment_octets;
    enum compaction_state compaction; /* what that did after the last event */
    uint64_t segments_removed;        /* by it, since the start */
    unsigned loops;
    struct node_wish wish, wish_before;
    bool reloads, file_is_bad;
    bool validates;                          /* what DNS says */
    uint64_t started_us;                     /* the last time */
    uint64_t troubles;                       /* by then, or when the last reload began */
    bool has_swept;                          /* nothing kept it from removing what is dead */
    char control[HOST_NAME_MAX_OCTETS + 16]; /* the path of its control socket */
    bool is_kept;
    uint64_t keeper_lost_us;   /* when one got no answer */
    uint32_t expire_s, warn_s; /* of its queue */
    bool released;             /* since it is calm nothing is held */
    uint64_t held_us;          /* since then all that was queued is held; 0: it need not be */
    uint64_t settled_us;       /* since then nothing of the wish has changed */
    struct event reload;
};

enum { SETTLED_US = 120 * 1000 * 1000 };
/* Whether what the file says has been in effect for everybody, for as long as a reply may take. */
bool node_is_settled(const struct node *);
/* Whether it gives up soon enough for a storm to show it. */
bool node_expires(const struct node *);
/* sim/node_config.c: what a start reads; from then on it holds; it is changed now and then. */
bool node_read_config(const struct node *, struct config **out, struct error *);
void node_settle(struct node *);
void node_begin_reloads(struct node *);

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
/* Verifies what lies there; whoever asks looks as the host. */
void node_expect_verified(const struct node *, const char *path, const char *what, enum check);
/* Recipients that wait in its queue; shows each of them if so wished. */
uint64_t node_waiting(struct node *, bool tell);

#endif
