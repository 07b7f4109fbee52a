/* agent_inner.h - private to the room: the agent as its sessions use it. */
#ifndef AGENT_AGENT_INNER_H
#define AGENT_AGENT_INNER_H

#include "agent/agent.h"
#include "run/dns.h"
#include "run/tls.h"

struct agent {
    struct loop *loop;
    struct agent_options options;
    struct dns *dns;
    struct tls_context *strict; /* knows authorities */
    struct tls_context *lax;    /* knows none, and is made in no time */
    bool waiting, interrupted;
};

/* Turns the loop until *done, which a callback sets before it calls agent_wake(), or an interrupt:
 * then false. */
bool agent_wait(struct agent *, const bool *done);
void agent_wake(struct agent *);
/* Turns the loop until all that was posted has run. */
void agent_run_posts(struct agent *);

/* The context for handshakes that verify, or do not; NULL: *error.  Borrowed from the agent. */
const struct tls_context *agent_tls_context(struct agent *, enum tls_verify, struct error *);

/* A question to the DNS: its name and type are the asker's to fill, the rest zeros. */
struct agent_query {
    struct dns_query query;
    struct agent_asking *asking; /* private to agent_ask() */
};
/* Asks all of these at once and waits for the answers.  False: interrupted, or the resolver cannot
 * be had.  agent_forget() frees the answers in any case. */
bool agent_ask(struct agent *, struct agent_query *queries, size_t count, struct failure *);
void agent_forget(struct agent_query *queries, size_t count);

#endif
