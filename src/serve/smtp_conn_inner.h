/* smtp_conn_inner.h - what the files of an SMTP session share; private to them.
 *
 *   smtp_conn.c      its life, the pump's side, AUTH
 *   smtp_envelope.c  who sends to whom: MAIL, RCPT, VRFY, EXPN
 *   smtp_message.c   the body, and whether it is taken
 */
#ifndef SERVE_SMTP_CONN_INNER_H
#define SERVE_SMTP_CONN_INNER_H

#include "serve/author.h"
#include "serve/conn.h"
#include "serve/delivery.h"
#include "serve/exchange.h"
#include "serve/policy.h"
#include "serve/screen.h"

struct smtp_conn {
    struct conn conn;
    struct smtp_server *machine;
    struct policy_peer peer;
    struct policy_account *account; /* owned; a user of this machine, or NULL */
    struct exchange *exchange;      /* AUTH */
    struct screen *screen;          /* of a stranger, when rules are on; from the first MAIL */
    uint32_t auth_request;
    struct delivery *delivery; /* from the first accepted recipient to the end of the transaction */
    struct lookup *lookup;     /* the question under way */
    void (*found)(struct smtp_conn *, const struct lookup *); /* what its answer means */
    struct address only;                                      /* the first accepted recipient */
    const struct smtp_rcpt *rcpt; /* the parameters of the open CHECK_RECIPIENT */
    uint32_t commit_request;
    const struct content_facts *commit_facts; /* of its body */
    struct author_check *author;              /* of its header, for who has logged in */
    bool body_waits;                          /* the spool wants no more for the moment */
};

static inline struct smtp_conn *smtp_conn_of(struct conn *c)
{
    return OWNER_OF(c, struct smtp_conn, conn);
}

/* smtp_conn.c */

extern const struct smtp_answer smtp_conn_no_memory;
/* Answers the machine's open request. */
void smtp_conn_answer(struct smtp_conn *, uint32_t request, struct smtp_answer);
void smtp_conn_accept(struct smtp_conn *, uint32_t request);
/* Lets go of what there is of a message, whatever it waits for. */
void smtp_conn_end_delivery(struct smtp_conn *);
/* A refusal that somebody will ask about: which peer, which address, which rule. */
void smtp_conn_log_refused(struct smtp_conn *, const struct address *, const char *what,
                           const struct smtp_answer *);

/* Each carries out one kind of step; requests are answered once, then or later. */
typedef void smtp_conn_request(struct smtp_conn *, const struct smtp_step *);

/* smtp_envelope.c */

smtp_conn_request smtp_conn_check_sender, smtp_conn_check_recipient;
smtp_conn_request smtp_conn_verify, smtp_conn_expand;

/* smtp_message.c */

smtp_conn_request smtp_conn_open_message, smtp_conn_append_body, smtp_conn_end_message;
extern const struct delivery_events smtp_conn_delivery_events;

#endif
