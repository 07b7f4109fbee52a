/* pickup_inner.h - between pickup.c, which looks when to collect, and pickup_file.c, which takes
 * one file after the other.  Private to them. */
#ifndef SERVE_PICKUP_INNER_H
#define SERVE_PICKUP_INNER_H

#include "run/dropbox.h"
#include "serve/pickup.h"

#include <stdatomic.h>

enum { PICKUP_PUT_OFF_MAX = 64 };

/* One look at the folder, in the lane. */
struct pickup_round {
    struct server *server;
    struct dropbox *box;
    uint64_t octets_max;   /* of a file */
    uint64_t expire_ms;    /* after which one that is put off is given up */
    atomic_bool *stopping; /* any thread */
    bool later;            /* something is left to be tried again */
    bool no_server;        /* this server does not answer: it is going down */
    /* Users who have sent enough for now: the rest of theirs waits. */
    unsigned put_off[PICKUP_PUT_OFF_MAX];
    size_t put_off_count;
};

void pickup_round(struct pickup_round *);

/* Any thread: a connected socket on whose other end this server serves the user; -1: none. */
int pickup_connect(struct server *, uint32_t uid, struct error *);

#endif
