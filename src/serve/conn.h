/* conn.h - what every session has, whatever it speaks: a stream, a machine, and the pump between.
 *
 * The pump brings input to the machine, carries its output to the stream, wakes it at its deadline
 * and stops reading while what has come may not be taken yet.  It writes only when the machine
 * waits, so replies coalesce.
 *
 * Input that the machine did not take is copied to `pending`, which has memory only while it is not
 * empty.  While TLS shakes hands the machine is not asked anything: only the handshake's own time
 * limit runs.  An operation that a lane works on may outlive its session: `gone` of the type cuts
 * its tie.
 */
#ifndef SERVE_CONN_H
#define SERVE_CONN_H

#include "proto/penance.h"
#include "run/wire.h"
#include "serve/server.h"

struct conn;
struct policy_account;

enum conn_wait {
    CONN_NEED_INPUT,
    CONN_NEED_DRAIN,
    CONN_NEED_ANSWER,
    CONN_NEED_TIME, /* nothing is taken before the deadline */
    CONN_START_TLS, /* write what there is, then shake hands */
    CONN_DONE,      /* write what there is, then say goodbye */
    CONN_DROP,      /* close at once */
};

struct conn_type {
    const char *protocol;
    /* Lets the machine run until it waits. */
    enum conn_wait (*run)(struct conn *, struct bytes *in, uint64_t now_ms);
    struct bytes (*output)(const struct conn *);
    void (*drained)(struct conn *, size_t count);
    uint64_t (*deadline_ms)(const struct conn *);
    /* The handshake that the machine has ordered is done. */
    void (*tls_started)(struct conn *);
    void (*input_ended)(struct conn *);
    /* Between commands it says so, as a temporary refusal, and closes; both are static. */
    void (*shut_down)(struct conn *, const char *status, const char *words);
    /* What the client has done wrong so far. */
    struct mistakes (*mistakes)(const struct conn *);
    void (*reconfigure)(struct conn *, const struct settings *);
    /* The session is over: frees the machine, lets go of operations, frees the conn's own memory.
     */
    void (*gone)(struct conn *);
};

struct conn {
    const struct conn_type *type;
    struct server_loop *home;
    const struct settings *settings;
    struct stream *stream;
    struct endpoint peer;
    enum role role;
    struct list link; /* in home->conns */
    struct timer timer;
    struct buffer pending;
    struct wire wire;
    char session[LOG_SESSION_TEXT + 1];
    struct mistakes mistakes; /* that were counted: see guard.h */
    bool exempt;    /* loopback, trusted, logged in, or a user of this machine: no stranger */
    bool sent_away; /* for having done too much */
    bool tls;       /* the handshake is done */
    bool shaking;   /* ... or under way */
    bool running;   /* in the pump now */
    bool again;     /* something happened meanwhile */
    bool sending;   /* the stream still holds output */
    bool resting;   /* the machine waits for its deadline, and not for the peer */
    bool paused;
    bool broken; /* the stream's end has come with an error */
    bool quit;   /* the peer has said that it sends nothing more */
    bool yields; /* has had its share of this turn: goes on in the next */
};

/* For the types: fills a zeroed conn; it has no stream yet. */
void conn_init(struct conn *, const struct conn_type *, struct served_port *,
               const struct endpoint *peer);
/* An answer was given to the machine: goes on, now or when the running pump comes round. */
void conn_resume(struct conn *);
/* Ends it at once; frees. */
void conn_drop(struct conn *);

/* Which ways to log in it is offered now. */
enum offer conn_offer(const struct conn *);
/* Somebody has tried to log in. */
void conn_log_login(struct conn *, struct text name, const char *outcome);
/* ... and it was right: he is no stranger any more. */
void conn_logged_in(struct conn *);

/* For the log: what a client said in the step that orders TLS.  Returns its command line; what
 * stands behind it was thrown away, and is told. */
struct bytes conn_log_discarded(struct conn *, struct bytes taken);

static inline struct text conn_session(const struct conn *c)
{
    return (struct text){ c->session, LOG_SESSION_TEXT };
}
static inline struct log *conn_log(const struct conn *c)
{
    return c->home->server->log;
}

/* What listeners call, with a struct served_port: admits, or says why not in the protocol's words,
 * and makes the session. */
void conn_accepted(void *owner, struct stream *);
/* The same for a user of this machine, who is copied; the port is that of ROLE_LOCAL. */
void conn_accepted_user(struct served_port *, struct stream *, const struct policy_account *);
/* Nobody is to be served: last words in the protocol of the port, from loop to peer. */
void conn_turn_away(struct served_port *, struct stream *, const char *why);

/* The two kinds, ready to be started; NULL when memory is short.  `account`: who it is, with
 * ROLE_LOCAL; copied. */
struct conn *smtp_conn_new(struct served_port *, const struct endpoint *peer,
                           const struct policy_account *account);
struct conn *pop3_conn_new(struct served_port *, const struct endpoint *peer);

#endif
