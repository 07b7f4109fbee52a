/* peer.h - what all who come from outside have in common: a connection, what they say, an end. */
#ifndef SIM_PEER_H
#define SIM_PEER_H

#include "sim/talk.h"
#include "sim/town.h"

#include <stdarg.h>

enum { PEER_WHO_MAX = 80 };

struct peer;

/* What kind of peer it is. */
struct peer_kind {
    /* A whole line without its end; it may say, and may leave. */
    void (*heard)(struct peer *, struct text line);
    void (*parting)(struct peer *); /* it leaves: what becomes of its work; or NULL */
    void (*clear)(struct peer *);   /* gives back what is its own, and itself */
};

struct peer {
    struct list link; /* in town->peers */
    struct town *town;
    const struct peer_kind *kind;
    char who[PEER_WHO_MAX]; /* in the trace */
    struct talk talk;
    struct event leaves; /* it goes away in the middle */
};

/* It is there, and goes on with talk_start() or talk_take(). */
void peer_came(struct peer *, struct town *, const struct peer_kind *, const char *who);
/* It hangs up, and is freed once nobody is at work in it. */
void peer_leave(struct peer *);
/* Says a line, whose end is in the format. */
void peer_vsay(struct peer *, const char *format, va_list);

#endif
