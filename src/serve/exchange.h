/* exchange.h - one AUTH exchange of a session, whatever it speaks.
 *
 * The machine frames it, run/sasl.h knows the mechanisms, serve/auth.h who has which password: here
 * they meet.  What takes time ends with a callback.
 */
#ifndef SERVE_EXCHANGE_H
#define SERVE_EXCHANGE_H

#include "run/sasl.h"
#include "serve/auth.h"

struct conn;
struct exchange;

enum exchange_verdict {
    EXCHANGE_CHALLENGE, /* exchange_challenge() is for the client */
    EXCHANGE_RIGHT,     /* exchange_mailbox(), exchange_address() */
    EXCHANGE_WRONG,     /* unknown user, wrong password, or somebody else's name */
    EXCHANGE_MALFORMED,
    EXCHANGE_TEMPORARY,
    EXCHANGE_WAITS, /* the callback will come, maybe with CHALLENGE or WAITS again */
};

/* For the log; not of a challenge, and not while it waits. */
const char *exchange_outcome(enum exchange_verdict);

typedef void exchange_done(void *owner, enum exchange_verdict);

/* `mechanism` is one of those offered.  `done` comes on the session's loop, never within a call.
 * NULL: memory is short. */
struct exchange *exchange_new(struct conn *, struct text mechanism, exchange_done *done,
                              void *owner);
/* At any time; then no callback comes. */
void exchange_free(struct exchange **);
/* The client's words; `initial` as for sasl_step(). */
enum exchange_verdict exchange_step(struct exchange *, struct text words, bool initial);

/* Borrowed until the next call.  Mailbox and address with EXCHANGE_RIGHT only. */
struct text exchange_challenge(const struct exchange *);
mailbox_id exchange_mailbox(const struct exchange *);
const struct address *exchange_address(const struct exchange *);
/* As whom somebody tried to log in, for the log. */
struct text exchange_name(const struct exchange *);

#endif
