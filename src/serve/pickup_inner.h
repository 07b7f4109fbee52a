/* pickup_inner.h - between pickup.c, which looks when to collect, and pickup_file.c, which takes
 * one file after the other.  Private to them. */
#ifndef SERVE_PICKUP_INNER_H
#define SERVE_PICKUP_INNER_H

#include "run/dropbox.h"
#include "serve/handover.h"
#include "serve/pickup.h"

#include <stdatomic.h>

enum { PICKUP_PUT_OFF_MAX = 64, PICKUP_OWED_MAX = 16, PICKUP_NAME_OCTETS = 72 };

/* A posting that was handed over while its folder could not take what belongs in its place: what
 * became of it is kept, so that nobody gets it twice. */
struct pickup_owed {
    char name[PICKUP_NAME_OCTETS]; /* "": none */
    struct dropbox_file facts;
    size_t to_count;
    bool rest, report;  /* these are in their places, or not wanted */
    struct handover h;  /* its posting, login and arena: those of the file as it is read */
    struct arena arena; /* of its other texts */
};

/* One look at the folder, in the lane. */
struct pickup_round {
    struct server *server;
    struct dropbox *box;
    struct pickup_owed *owed; /* PICKUP_OWED_MAX, from round to round */
    uint64_t octets_max;      /* of a file */
    uint64_t expire_ms;       /* after which one that is put off is given up */
    atomic_bool *stopping;    /* any thread */
    bool later;               /* something is left to be tried again */
    bool failed;              /* the folder could not be changed */
    bool no_server;           /* this server does not answer: it is going down */
    /* Users who have sent enough for now: the rest of theirs waits. */
    unsigned put_off[PICKUP_PUT_OFF_MAX];
    size_t put_off_count;
};

void pickup_round(struct pickup_round *);

/* pickup_owed.c.  Forgets those whose files are not as they were; with `box` NULL all. */
void pickup_forget(struct pickup_owed *list, struct dropbox *box);
/* The one of this file, or NULL. */
struct pickup_owed *pickup_owed_of(struct pickup_owed *list, const char *name,
                                   const struct dropbox_file *, size_t to_count);
/* Room for one more; NULL: there is none. */
struct pickup_owed *pickup_owed_new(struct pickup_owed *list);
void pickup_owed_clear(struct pickup_owed *);

/* Any thread: a connected socket on whose other end this server serves the user; -1: none. */
int pickup_connect(struct server *, uint32_t uid, struct error *);

#endif
