/* ledger.h - who was promised what: every message that a peer tried to hand in, and what became of
 * it in each mailbox that it was for.
 *
 * It believes peers only: what they were told over the wire.  What it demands of each copy:
 *
 *   the letter was   the copy must be                           until
 *   OPEN             nowhere                                    its end is said
 *   REFUSED          nowhere                                    ever
 *   UNKNOWN          anywhere or nowhere, in all boxes alike     a listing shows it: ACCEPTED
 *   ACCEPTED         in its box, once                           somebody deletes it
 *
 *   the copy is      after
 *   KEPT             it was accepted; also DELE without QUIT
 *   IN_DOUBT         DELE and QUIT without a reply; the next listing decides
 *   REMOVED          DELE and QUIT with +OK: it never comes back
 */
#ifndef SIM_LEDGER_H
#define SIM_LEDGER_H

#include "base/buffer.h"
#include "store/ids.h"

enum {
    LETTER_COPIES_MAX = 8,
    LETTER_DOOMED_MAX = 2,
    BOX_ADDRESS_MAX = 48,
    UIDL_MAX = 72,
    LETTER_OCTETS_MAX = 4 << 20,
    SENT_MAX = 16,
    LETTER_ID_MAX = 24
};

enum fate { FATE_OPEN, FATE_REFUSED, FATE_UNKNOWN, FATE_ACCEPTED };
enum removal { COPY_KEPT, COPY_IN_DOUBT, COPY_REMOVED };

struct letter;

/* When a user's last mails were taken, since his server has begun to serve as it does. */
struct sent {
    uint64_t since_us;
    size_t count;
    uint64_t at_us[SENT_MAX];
};

struct box {
    unsigned number;
    unsigned host;
    char address[BOX_ADDRESS_MAX];
    mailbox_id mailbox;   /* 0: not known yet */
    struct copy **copies; /* that are or may be in it */
    size_t count, room;
    struct sent sent; /* by him, at submission */
};

enum copy_kind {
    COPY_LOCAL,  /* its box is on the host that took the letter */
    COPY_REMOTE, /* on another one: it has to go there, and may come twice when a reply is lost */
    COPY_TWIN,   /* one more of those */
    COPY_REPORT, /* no letter, but what its sender is told of it */
};

struct copy {
    enum copy_kind kind;
    char alias[BOX_ADDRESS_MAX]; /* asked for by this address, which leads there at times; or "" */
    struct letter *letter;
    struct box *box;
    struct copy *next; /* twins and reports of the letter */
    unsigned told;     /* how often its sender heard that it has failed */
    unsigned warned;   /* ... that it takes longer */
    bool taken;        /* by one reply at least */
    bool refused;      /* by all */
    bool spared;       /* somebody asked to delete it, and never said QUIT */
    enum removal removal;
    char uidl[UIDL_MAX]; /* "": not seen yet */
    uint64_t hash;       /* of a report's octets */
    uint64_t listing;    /* the last one that had it */
    uint64_t seen_us, removed_us;
    uint64_t in_books;  /* the last copy of a whole store that had it */
    message_id message; /* in that; 0: it never was in one */
};

/* A recipient who does not exist, elsewhere: the letter is taken and has to come back. */
struct doomed {
    char address[BOX_ADDRESS_MAX];
    bool taken;
    unsigned told, warned;
};

struct letter {
    uint32_t number;
    uint64_t seed;
    uint64_t hash; /* of its octets */
    size_t wish, head_len, len;
    bool requires_tls; /* it goes to no host that is not verified (RFC 8689) */
    bool submitted;    /* what its header lacks is added at its end, and Bcc is taken away */
    bool offered;      /* its last octet is on its way */
    char sender[BOX_ADDRESS_MAX];
    char id[LETTER_ID_MAX]; /* as its taker calls it; "" before his reply */
    enum fate fate;
    uint64_t begun_us, decided_us;
    unsigned host;          /* that it was given to */
    struct box *sender_box; /* who is told; NULL: nobody whom we know */
    unsigned copy_count;
    struct copy copies[LETTER_COPIES_MAX];
    struct copy *others; /* twins and reports */
    unsigned doomed_count;
    struct doomed doomed[LETTER_DOOMED_MAX];
};

struct ledger;

/* The domain outside that most mail comes from. */
#define OUTSIDE "outside.test"

/* What stands behind the '@'. */
struct text ledger_domain_of(struct text address);

struct ledger *ledger_new(void);
void ledger_free(struct ledger **);

struct box *ledger_add_box(struct ledger *, unsigned host, const char *address);
size_t ledger_box_count(const struct ledger *);
struct box *ledger_box(struct ledger *, size_t index);
struct box *ledger_any_box(struct ledger *);
/* Boxes of people outside, to which mail comes by ledger_arrived(). */
struct box *ledger_add_foreign(struct ledger *, const char *address);
struct box *ledger_find_foreign(struct ledger *, const char *address);
struct box *ledger_any_foreign(struct ledger *);
/* Somebody of this domain. */
struct box *ledger_foreign_at(struct ledger *, const char *domain);

/* What a new letter is. */
struct letter_wish {
    unsigned host;
    const char *sender;     /* "": <> */
    struct box *sender_box; /* or NULL */
    bool ended;             /* its last line is */
    bool submitted, requires_tls;
};
struct letter *ledger_new_letter(struct ledger *, const struct letter_wish *);
struct copy *letter_add(struct letter *, struct box *);
/* The same by another address, which may lead nowhere: the sender is told then. */
struct copy *letter_add_alias(struct letter *, struct box *, const char *alias);
/* The one that is planned for this box, or NULL. */
struct copy *letter_copy_for(struct letter *, const struct box *);
const char *copy_address(const struct copy *);
void letter_write(const struct letter *, struct buffer *out);
void letter_decide(struct letter *, enum fate);

/* A listing of the box begins; whoever makes it asked to log in at that time. */
uint64_t ledger_begin_listing(struct ledger *);
/* The copy with this UIDL, or NULL: then it must be read. */
struct copy *ledger_find(struct ledger *, const struct box *, const char *uidl);
/* What RETR gave for a UIDL that nobody has seen yet, or for one that was: it must be the same. */
struct copy *ledger_read(struct ledger *, struct box *, const char *uidl, struct text message);
/* The listing has this copy. */
void ledger_listed(struct copy *, uint64_t listing);
/* Its deletion counts. */
void ledger_removed(struct copy *);
/* ... and had no others. */
void ledger_end_listing(struct box *, uint64_t listing, uint64_t asked_us);

/* A host outside has taken it for the box: the letter itself, or a report. */
struct arrival {
    struct box *box;
    const char *sender;
    struct text message;
    bool is_required; /* it came with REQUIRETLS, to a host that could be verified */
};
void ledger_arrived(struct ledger *, const struct arrival *);

/* Somebody asks a server to drop what it has for a domain; and has heard of how
 * many recipients it did. */
size_t ledger_drop_asked(struct ledger *, unsigned host, const char *domain);
void ledger_drop_answered(struct ledger *, size_t drop, uint64_t dropped);
/* The server's log says that it has dropped this. */
void ledger_dropped(struct ledger *, unsigned host, struct text id, struct text address);

/* When all is over: nothing is told by halves. */
void ledger_close_books(struct ledger *);

/* Whether it is a report: then it is told to the letter that it is about. */
struct copy *ledger_read_report(struct ledger *, struct box *, const char *uidl,
                                struct text message);

/* --- A whole store, read at once: books.h --- */

struct books_of;
void ledger_begin_books(struct ledger *);
void ledger_found(struct ledger *, struct box *, message_id, struct text message);
/* All that must be in it was found, and nothing that must not. */
void ledger_end_books(const struct ledger *, unsigned host, const struct books_of *);

/* At most so much is in the boxes of this host, with what a store adds to each message. */
uint64_t ledger_live_octets(const struct ledger *, unsigned host);
/* ... and in large messages that were there at that time or later. */
uint64_t ledger_large_octets(const struct ledger *, unsigned host, uint64_t since_us);

struct ledger_figures {
    uint64_t letters, accepted, refused, unknown, copies_seen, copies_removed, relayed, twins,
        reports;
};
struct ledger_figures ledger_figures(const struct ledger *);

#endif
