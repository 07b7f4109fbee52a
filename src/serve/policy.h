/* policy.h - who may send: the rules as pure functions of what is known (docs/border.md, "Who may
 * send"). */
#ifndef SERVE_POLICY_H
#define SERVE_POLICY_H

#include "base/buffer.h"
#include "proto/smtp_server.h"
#include "serve/resolve.h"
#include "store/store.h"

/* A user of this machine. */
struct policy_account {
    uint32_t uid;
    char name[64];
    bool any_sender;     /* root, the server's own, and who is in local.trusted */
    struct address also; /* at local.domain; empty: there is none */
};

/* What a session is, as far as rules care. */
struct policy_peer {
    bool trusted; /* in relay.trusted */
    bool authenticated;
    struct address login; /* when authenticated: who it is */
    mailbox_id mailbox;   /* for a user of this machine none, but a number of his own all the same
                           */
    const struct policy_account *account; /* a user of this machine, authenticated; NULL: none */
};

/* Fills in what is known of him; the address that is `login` from now on goes to *login_out.
 * False: his name makes no address. */
bool policy_account(const struct config *, struct policy_account *, struct address *login_out);

/* At MAIL, before anybody is asked: whether the store takes mail at all. */
bool policy_store_takes_mail(enum store_health, struct smtp_answer *refusal_out);
/* Whether the sender must be looked up: a trusted peer may not use a name of ours that nobody has.
 */
bool policy_asks_for_sender(const struct config *, const struct policy_peer *,
                            const struct address *sender);
struct smtp_answer policy_sender(const struct resolved *);
/* Who logged in may send as <> and as himself ... */
bool policy_is_self(const struct config *, const struct policy_peer *,
                    const struct address *sender);
/* ... as a plus form of himself that nobody has for a name, and as an alias that leads to him. */
bool policy_owns(const struct config *, const struct policy_peer *, const struct address *sender,
                 const struct resolved *);
/* Room for the words of an answer that borrows them. */
struct policy_words {
    char at[400];
};
/* The refusal names login, address and rule.  Of trouble with looking up, that. */
struct smtp_answer policy_not_owner(const struct policy_peer *, const struct address *sender,
                                    const struct resolved *, struct policy_words *);
/* A user has sent as much within an hour as `submission.KEY` allows. */
struct smtp_answer policy_sent_enough(const struct policy_peer *, const char *key, uint32_t max,
                                      struct policy_words *);
/* At RCPT, before anybody is asked.  Who is known may send anywhere; a stranger to our domains
 * only, and to what their aliases lead to. */
enum policy_route {
    POLICY_LOCAL,  /* our domain: ask who receives its mail */
    POLICY_REMOTE, /* goes out as it is */
    POLICY_DENIED,
};
enum policy_route policy_route(const struct config *, const struct policy_peer *,
                               const struct address *recipient, struct smtp_answer *refusal_out);
struct smtp_answer policy_recipient(enum resolve_verdict);
struct smtp_answer policy_verify(const struct resolved *);
struct smtp_answer policy_expand(enum resolve_verdict);

#endif
