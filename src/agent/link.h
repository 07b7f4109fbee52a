/* link.h - a connection to one of several servers, and the pump between it and a protocol machine.
 * Private to the room: sender.h and maildrop.h stand on it.
 *
 *   state     what holds                                  who moves it
 *   CLOSED    there is no connection                      link_open()
 *   SHAKING   TLS comes about; the machine, if there      the handshake's end
 *             is one, is left alone
 *   TALKING   the machine has work                        its step: REST, START_TLS, OVER
 *   RESTING   the machine has nothing to do               link_run()
 *   ENDED     the machine has said its last               link_close()
 *
 * link_open() looks up names, tries one address after the other, and shakes hands where TLS comes
 * first; then the machine is made, and pumped until it rests.  A server that fails before that may
 * be followed by the next one.
 */
#ifndef AGENT_LINK_H
#define AGENT_LINK_H

#include "agent/agent_inner.h"
#include "agent/find.h"
#include "agent/login.h"
#include "agent/trace.h"
#include "run/connect.h"
#include "run/stream.h"

enum link_turn {
    LINK_AGAIN,     /* more may be done at once */
    LINK_WAIT,      /* for the server */
    LINK_REST,      /* for the caller */
    LINK_START_TLS, /* once the output is out */
    LINK_OVER,      /* hang up */
};

/* A protocol machine as the pump sees it.  `owner` is whoever has the machine. */
struct link_machine {
    /* Makes it: the connection is open, nothing was said.  False: memory is short. */
    bool (*begin)(void *owner);
    void (*end)(void *owner);
    enum link_turn (*step)(void *owner, struct bytes *in, uint64_t now_ms);
    /* How what the last step said is to be shown.  What it takes is its own to show, before it
     * answers. */
    enum trace_kind (*said)(const void *owner);
    struct bytes (*output)(const void *owner);
    void (*drained)(void *owner, size_t count);
    uint64_t (*deadline_ms)(const void *owner);
    void (*tls_started)(void *owner, uint64_t now_ms);
    void (*input_ended)(void *owner, struct text why);
    /* Once it is OVER: why, in the words of the protocol.  False: there was no failure. */
    bool (*failure)(void *owner, struct failure *);
    /* Whether the session went as far as to say that this is the right server. */
    bool (*is_settled)(const void *owner);
    size_t input_max;
};

/* The functions of a link_machine that only pass the word on: `owner_type` has the protocol's
 * machine as its `machine`, and `protocol` is how the names of that one's functions begin. */
#define LINK_PASSES_ON(owner_type, protocol)                                                       \
    static struct bytes output(const void *owner)                                                  \
    {                                                                                              \
        return protocol##_output(((const owner_type *)owner)->machine);                            \
    }                                                                                              \
    static void drained(void *owner, size_t count)                                                 \
    {                                                                                              \
        protocol##_drained(((owner_type *)owner)->machine, count);                                 \
    }                                                                                              \
    static uint64_t deadline_ms(const void *owner)                                                 \
    {                                                                                              \
        return protocol##_deadline_ms(((const owner_type *)owner)->machine);                       \
    }                                                                                              \
    static void tls_started(void *owner, uint64_t now_ms)                                          \
    {                                                                                              \
        protocol##_tls_started(((owner_type *)owner)->machine, now_ms);                            \
    }                                                                                              \
    static void input_ended(void *owner, struct text why)                                          \
    {                                                                                              \
        protocol##_input_ended(((owner_type *)owner)->machine, why);                               \
    }
/* Their rows in it. */
#define LINK_PASSED_ON                                                                             \
    .output = output, .drained = drained, .deadline_ms = deadline_ms, .tls_started = tls_started,  \
    .input_ended = input_ended

enum link_state { LINK_CLOSED, LINK_SHAKING, LINK_TALKING, LINK_RESTING, LINK_ENDED };

enum { LINK_WHERE_MAX = DNS_NAME_MAX + ENDPOINT_TEXT_MAX + 16 };

struct link {
    struct agent *agent;
    const struct link_machine *machine;
    void *owner;
    enum agent_tls tls;
    bool has_login; /* a password is to be said */

    enum link_state state;
    struct server server;       /* the one that is called, or was */
    struct endpoint to;         /* its address */
    char where[LINK_WHERE_MAX]; /* "mx.example.org[192.0.2.1]:587" */
    struct stream *stream;
    struct buffer pending;
    struct timer timer;
    struct post kick;
    struct trace_session trace;
    bool begun;           /* there is a machine */
    bool running, again;  /* in the pump; something happened meanwhile */
    bool sending;         /* the stream still holds output */
    bool broken;          /* nothing can be written any more */
    bool tls_wanted;      /* the handshake begins when all output is out */
    bool secured;         /* TLS is on */
    bool kicked;          /* the kick is on its way */
    bool settled;         /* the caller gets the word */
    bool tls_failed;      /* a handshake has, on this connection */
    struct failure early; /* why there is no machine */
};

void link_init(struct link *, struct agent *, const struct link_machine *, void *owner);
/* Harmless on a link that is closed.  The machine is ended. */
void link_close(struct link *);
/* Calls these servers until one of their sessions rests. */
bool link_open(struct link *, const struct servers *, struct failure *);
/* Pumps until the machine rests or ends; false when it ended with a failure, or was interrupted. */
bool link_run(struct link *, struct failure *);
/* From a callback on the loop: there may be more to say. */
void link_go_on(struct link *);
uint64_t link_now_ms(const struct link *);

/* For link_open(): takes the stream and begins; then until the machine rests or ends. */
void link_start(struct link *, struct stream *);
bool link_wait(struct link *, struct failure *);

/* The machine's config: whether to ask for TLS in the session. */
enum link_wish { LINK_TLS_NEVER, LINK_TLS_IF_OFFERED, LINK_TLS_MUST };
enum link_wish link_wish(const struct link *);
enum tls_verify link_verify(const struct link *);
/* What to try when a handshake has failed, to stand behind the reason. */
const char *link_tls_advice(const struct link *);
/* NULL, or why the password must not be said here and what to do about it. */
const char *link_obstacle(const struct link *);
/* The stream under TLS, for what a SASL mechanism is bound to; NULL without. */
const struct stream *link_binding(const struct link *);
/* Our end of the connection as RFC 5321 4.1.3 writes it: "[192.0.2.1]". */
struct text link_our_literal(const struct link *, char out[ENDPOINT_TEXT_MAX]);

#endif
