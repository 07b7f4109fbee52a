/* recipients.h - whom a transaction is for: mailboxes of ours and addresses elsewhere, each once,
 * and through which recipients they were reached.
 *
 * A recipient is what RCPT named; a place is where that leads.  Several recipients may lead to one
 * place, which then gets one copy, and what the first of them asked for counts.
 */
#ifndef SERVE_RECIPIENTS_H
#define SERVE_RECIPIENTS_H

#include "base/arena.h"
#include "mail/delivered.h"
#include "mail/dsn.h"
#include "proto/smtp_server.h"
#include "serve/resolve.h"

struct place {
    mailbox_id mailbox;  /* 0: elsewhere */
    struct text account; /* the mailbox's */
    struct text address; /* what Delivered-To says, or where it is sent */
    struct text orcpt;   /* of those elsewhere, as the next two */
    unsigned notify;
    uint32_t recipient; /* who led here first */
    bool lost;          /* in a loop: gets nothing */
    bool had_it;        /* ... although somebody leads here who is in none */
};

struct recipient {
    struct text address, orcpt;
    unsigned notify;
    bool ours;             /* resolved here, not sent on as it is */
    bool looped;           /* he has had the message before */
    uint32_t places;       /* how many it leads to */
    uint32_t first;        /* ... and the first of them */
    uint32_t remote_count; /* ... and how many are elsewhere */
};

/* A further recipient who leads to a place. */
struct claim {
    uint32_t recipient, place;
};

struct recipients {
    struct arena *memory;
    struct place *places;
    struct recipient *list;
    struct claim *claims; /* private */
    size_t place_count, count, claim_count;
    size_t place_room, room, claim_room;
    size_t local_count, remote_count; /* of the places */
};

/* All memory is the arena's, which must outlive it. */
void recipients_init(struct recipients *, struct arena *);

enum recipients_add {
    RECIPIENT_ADDED,
    RECIPIENT_TOO_MANY, /* places for one unit of the store */
    RECIPIENT_NO_MEMORY,
};
/* One accepted RCPT; nothing is borrowed beyond the call. */
struct recipient_named {
    const struct address *address;   /* with its domain */
    const struct resolved *resolved; /* NULL: not ours, goes out as it is */
    const struct smtp_rcpt *rcpt;
};
/* All its places or, refused, none. */
enum recipients_add recipients_add(struct recipients *, const struct recipient_named *);

/* The alias that the message is forwarded through, when that is the only recipient; else empty. The
 * message that goes out names it, so that its return is noticed.  With several recipients it does
 * not, since each would be told of the others; a loop among those ends one round later, or by its
 * Received fields. */
struct text recipients_forwarder(const struct recipients *);

/* Marks the places that the message reaches for a second time, and the recipients who have had it
 * before.  False: nobody is left. */
bool recipients_drop_loops(struct recipients *, const struct delivered *);

/* What a sender may want to hear although no attempt is made: a mailbox that asked for it was
 * reached, a recipient turned out to be several, somebody has had the message before. */
struct recipient_news {
    enum dsn_action action; /* DELIVERED, EXPANDED or FAILED */
    struct text address, orcpt;
    unsigned notify;
};
/* At most so many. */
size_t recipients_news_max(const struct recipients *);
size_t recipients_news(const struct recipients *, struct recipient_news *out);

#endif
