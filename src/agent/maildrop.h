/* maildrop.h - a session that fetches mail: with any POP3 server.
 *
 *   maildrop_open() -> maildrop_run(work) ... -> maildrop_quit() -> maildrop_close()
 *
 * The work gives commands and hears of what comes; where the server offers PIPELINING up to
 * POP3_CLIENT_PIPELINE_MAX of them are under way at once.  Its callbacks may take their time, for a
 * disk: the server waits.
 */
#ifndef AGENT_MAILDROP_H
#define AGENT_MAILDROP_H

#include "agent/agent.h"
#include "agent/find.h"
#include "agent/login.h"
#include "agent/trace.h"
#include "proto/pop3_client.h"

struct maildrop;

/* Borrowed as long as the maildrop, with all that it points to. */
struct maildrop_options {
    const struct servers *servers;
    const struct credentials *credentials;
    enum agent_tls tls;
    const struct trace *trace;   /* NULL: nobody listens */
    uint64_t content_octets_max; /* a longer message ends the session; 0: none */
    bool utf8;                   /* say UTF8 where it is offered */
};

/* Connects, starts TLS, logs in. */
bool maildrop_open(struct agent *, const struct maildrop_options *, struct maildrop **out,
                   struct failure *);
/* Frees and clears, without QUIT: nothing is deleted.  Harmless with NULL inside. */
void maildrop_close(struct maildrop **);

enum maildrop_next {
    MAILDROP_ASK,  /* *command_out */
    MAILDROP_WAIT, /* not now: maildrop_go_on() will say when */
    MAILDROP_DONE  /* no more in this run */
};

struct maildrop_work {
    /* Asked when another command may be under way. */
    enum maildrop_next (*next)(void *owner, struct pop3_client_command *command_out);
    /* BEGINS, LINE, CONTENT and ANSWERED of pop3_client.h: what came, and for which command.
     * False: the work cannot go on (a disk is full), and the session is cut off. */
    bool (*step)(void *owner, const struct pop3_client_step *);
    void *owner;
};
/* Until `next` has no more and all commands are answered.  False: the session failed or was cut
 * off; every command under way was told as ANSWERED, with POP3_CLIENT_LOST. */
bool maildrop_run(struct maildrop *, const struct maildrop_work *, struct failure *);
/* From a callback on the loop, after MAILDROP_WAIT. */
void maildrop_go_on(struct maildrop *);

/* One command.  `step` may be NULL. */
bool maildrop_ask(struct maildrop *, struct pop3_client_command, const struct maildrop_work *,
                  struct failure *);

/* QUIT: what was marked is deleted by the server; *deletions_out says what became of that, also
 * when it fails. */
bool maildrop_quit(struct maildrop *, enum pop3_client_deletions *deletions_out, struct failure *);

const char *maildrop_where(const struct maildrop *);
const struct pop3_client_offers *maildrop_offers(const struct maildrop *);
/* Whether it can still be asked something: the server has not gone. */
bool maildrop_is_open(const struct maildrop *);

#endif
