/* agent.h - what one call of the program has once when it is a user's agent: a loop, a resolver,
 * TLS, and the wish to be interrupted.
 *
 * Everything in this room blocks its caller: a call turns the loop until what was asked is done, so
 * that commands read from top to bottom.  Callbacks come from within such a call.  What costs time
 * is made when it is first needed: the resolver when a name is looked up, TLS with the first
 * handshake, the authorities of the system when a certificate is verified; those of a file that was
 * named are read at once, so that a mistake in its name is told as one.
 *
 *   find.h      from an address to servers
 *   accounts.h  what the user's own file says of them
 *   password.h  where a password comes from
 *   sender.h    a session that sends mail
 *   maildrop.h  a session that fetches it
 *   trace.h     the conversation, shown
 *   failure.h   why not, and the exit code
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include "agent/failure.h"
#include "base/net.h"
#include "run/loop.h"

/* Whether TLS is spoken, and who must be at the other end. */
enum agent_tls {
    AGENT_TLS_AUTO, /* a login: as VERIFY, but on this machine as MAY; without: as MAY */
    AGENT_TLS_NONE, /* never; the password goes in the clear */
    AGENT_TLS_MAY,  /* where it is offered, with anybody; the password goes only to this machine */
    AGENT_TLS_ENCRYPT, /* always, with anybody */
    AGENT_TLS_VERIFY,  /* always, and the certificate has the server's name */
};
/* "auto", "none", "may", "encrypt", "verify". */
bool agent_tls_parse(struct text, enum agent_tls *out);

/* Borrowed as long as the agent. */
struct agent_options {
    const struct endpoint *resolvers; /* none: the system's, and /etc/hosts */
    size_t resolver_count;
    const char *authorities; /* a PEM file; NULL: those of the system */
    /* What names a server, for advice: "--server".  NULL: --smtp and --pop. */
    const char *server_option;
};

struct agent; /* opaque */

/* FAILURE_LATER: descriptors or memory are short.  FAILURE_CONFIG: the file of authorities. */
bool agent_new(const struct agent_options *, struct agent **out, struct failure *);
/* No session may be open. */
void agent_free(struct agent **);
struct loop *agent_loop(const struct agent *);

/* From now on SIGINT ends what is under way with FAILURE_INTERRUPTED, instead of the program. */
bool agent_catch_interrupts(struct agent *, struct failure *);
/* Forgets an interrupt that came while nothing was under way. */
void agent_forget_interrupt(struct agent *);
/* Ends what is under way, from a callback on the loop. */
void agent_interrupt(struct agent *);

#endif
