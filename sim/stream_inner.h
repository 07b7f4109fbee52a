/* stream_inner.h - the two ends of a simulated connection. */
#ifndef SIM_STREAM_INNER_H
#define SIM_STREAM_INNER_H

#include "run/stream.h"
#include "run/tls.h"
#include "sim/certificate.h"
#include "sim/loop_inner.h"

enum stream_state { STREAM_OPEN, STREAM_ENDED, STREAM_FINISHING, STREAM_GONE };

enum { SHAKING_KEYS_MAX = 4 };

/* How far a handshake is: sim/tls.c. */
struct shaking {
    enum { NO_TLS, TLS_SHAKES, TLS_IS_ON, TLS_HAS_FAILED } phase;
    bool server;
    enum tls_verify verify;                          /* client */
    struct certificate certificate;                  /* server */
    uint8_t keys[SHAKING_KEYS_MAX][CERTIFICATE_KEY]; /* client: one of them, by DANE */
    size_t key_count;
    struct event event;
    struct error why;
    void (*shaken)(void *owner, const struct error *why);
    void *owner;
    char name[TLS_NAME_MAX + 1];
};

struct stream {
    struct loop *loop;
    struct host *host;
    struct list link; /* in the host's streams */
    const struct stream_events *events;
    void *owner;
    struct stream *other; /* NULL: it has gone */
    struct endpoint peer_at, local_at;
    enum stream_state state;
    bool paused;

    struct buffer in; /* sent by the other end, not yet handed over */
    bool in_ends;     /* and after it nothing more */
    int trouble;      /* an errno value: what ends it instead */
    bool broken;      /* the owner has met it by writing: he hears of it even while he pauses */
    bool told;        /* the end */
    struct event arrive;
    uint64_t latency_us;

    struct buffer rest; /* what the other end's kernel has not taken of ours */
    bool owes_drained, out_ended;
    struct event drain;

    struct list finishing;
    struct event limit; /* of FINISHING, and of a life that will be cut */
    struct shaking tls;
};

/* Two ends of a connection, not yet started.  False: memory. */
bool stream_pair(struct loop *caller, struct loop *callee, const struct endpoint at[2],
                 struct stream *out[2]);
/* Both ends hear that the connection broke. */
void stream_cut(struct stream *, int number);
/* The owner has nothing more to say, but listens. */
void stream_end_output(struct stream *);
/* The process of this end is no more: the other end hears of it. */
void stream_orphan(struct stream *, bool silently);
/* What is in there is handed over soon. */
void stream_stir(struct stream *);

/* sim/tls.c.  tls_accept() with this certificate. */
bool tls_accept_as(struct stream *, const struct certificate *, const struct tls_options *);
/* An end of this stream goes away. */
void stream_tls_forget(struct stream *);
/* The connection has ended in the middle of a handshake: that is how the handshake ends. */
void stream_tls_ended(struct stream *);

/* sim/listener.c.  A call to a local socket of the host; NULL: nobody listens.  The path is to be a
 * constant, or the host's. */
struct stream *connect_local(struct loop *, const struct host *, const char *path);
/* The listener whose place in its host's list this is. */
struct listener *listener_of_link(struct list *);

#endif
