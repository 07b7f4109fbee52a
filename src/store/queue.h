/* queue.h - recipients that are not ours: mail on its way out, as the store keeps it.
 *
 * A remote recipient is a row, committed in the same unit as its message (store.h) and changed only
 * by further units.  Rows are absolute states with a generation: the highest counts, whatever the
 * order in which a replay sees them.  A row whose state is not QUEUE_WAITING is settled for ever; a
 * message whose last row is settled and that no mailbox holds is dead.
 *
 * The store knows domains and due times, so that 100,000 waiting rows of a dead domain cost one
 * entry (store rule 25); which of them are being worked on is the caller's memory, not the store's.
 */
#ifndef STORE_QUEUE_H
#define STORE_QUEUE_H

#include "store/maildrop.h"

enum queue_state {
    QUEUE_WAITING,
    QUEUE_DELIVERED, /* the next hop has taken it */
    QUEUE_BOUNCED,   /* failed for good; reported, or not to be reported */
    QUEUE_EXPIRED,   /* given up after its time; likewise */
    QUEUE_DROPPED,   /* by a person's command */
};

enum { QUEUE_NAME_MAX = 271 };

/* One recipient of one message.  Texts are borrowed. */
struct queue_row {
    message_id message;
    uint32_t number;     /* within the message, from 0 */
    uint32_t generation; /* 1 when queued; each change states the next one, or 0: see below */
    enum queue_state state;
    bool held;   /* waits for a person */
    bool warned; /* a delay report was written */
    uint32_t attempts;
    int64_t due_ms;      /* wall clock; meaningful while waiting */
    struct text address; /* canonical */
    struct text domain;  /* what it is queued under: the address's domain, for most mail with
                            nothing behind it (queue/tls_need.h); 1 to QUEUE_NAME_MAX octets */
    struct text last;    /* what the last attempt ended with, for people; "" before */
    unsigned notify;     /* RFC 3461 NOTIFY, mail/notify.h */
    struct text orcpt;   /* as received, "" for none */
};

/* What all recipients of a message share; stands in the unit that brings the message.
 *
 * In a commit (store.h): rows of its own message are new ones, numbered 0, 1, ... in order, with
 * generation 1 and waiting.  All others are results: each must be waiting in the store with one
 * generation less, and nowhere else in the unit; otherwise the unit is STORE_REFUSED with
 * ERROR_REFUSED as a whole, since somebody else has changed that row meanwhile: read it again.
 *
 * A result with generation 0 goes behind whatever the row has by now, for those who know what
 * happened to it whatever a person did meanwhile.  The commit gives it its generation before the
 * write, and while it waits it stays held or not as the store has it.  A row that is settled
 * already, or that there is not, is left out, and the rest of the unit counts.
 *
 * A settled row forgets its texts. */
struct queue_envelope {
    struct text ret, envid; /* RFC 3461, as received; "" for none */
    bool utf8;              /* came with SMTPUTF8 */
    bool binary;            /* came with BODY=BINARYMIME, and is kept as it came (RFC 3030 3) */
    bool requires_tls;      /* came with REQUIRETLS (RFC 8689 4.1) */
    bool waives_tls;        /* came without, and its header says "TLS-Required: No" */
};

/* A row with what is needed to send it. */
struct queue_item {
    struct queue_row row;
    struct text sender;
    struct queue_envelope envelope;
    int64_t arrived_ms;
    struct content_facts facts;
    struct maildrop_entry content; /* for content_open(): no prefix, no uid */
};

/* --- Reading, on a lane; everything that is given lives until the clear function --- */

struct queue_domain {
    struct text name;
    int64_t due_ms; /* of its first row that is due */
    uint32_t rows;  /* waiting, held ones not counted */
};

/* At most so much is given at a time, whatever is asked for. */
enum { QUEUE_DOMAINS_MAX = 16 * 1024, QUEUE_ITEMS_MAX = 4096 };

/* The domains that have rows due at now_ms, the longest due first and those alike by name.  When
 * there are as many as were asked for, more may stand behind the last one. */
struct queue_look {
    int64_t now_ms;
    uint32_t domains_max;
    int64_t after_due_ms;   /* behind the domain with these two; zeroed: from the front */
    struct text after_name; /* borrowed until done */

    struct loop *home;
    void (*done)(struct queue_look *);
    bool ok;
    struct error error;
    struct queue_domain *domains;
    uint32_t domain_count;
    int64_t next_due_ms; /* of what is not due yet; INT64_MAX: nothing waits */

    struct arena *memory; /* private */
    struct store *store;
    struct job job;
};
/* False when the lane is full: nothing happens, a temporary failure. */
bool queue_look_start(struct store *, struct queue_look *);
void queue_look_clear(struct queue_look *);

/* A place in a domain's order: behind the row with these three. */
struct queue_place {
    int64_t due_ms;
    message_id message; /* 0: at the front */
    uint32_t number;
};

/* The rows of one domain that are due, in order of due time, message and number; held ones left
 * out.  With `all` those of every domain, due or not, held ones too, in order of message and
 * number; then domain, now_ms and the due time of `after` do not count. */
struct queue_take {
    bool all;
    struct text domain; /* borrowed until done */
    int64_t now_ms;
    uint32_t rows_max;
    struct queue_place after; /* to pass by those that are being worked on; zeroed: from the front
                               */

    struct loop *home;
    void (*done)(struct queue_take *);
    bool ok;
    struct error error;
    struct queue_item *items;
    uint32_t item_count;

    struct arena *memory; /* private */
    struct store *store;
    struct job job;
};
/* False when the lane is full: nothing happens, a temporary failure. */
bool queue_take_start(struct store *, struct queue_take *);
void queue_take_clear(struct queue_take *);

/* --- For the command line and the control socket, blocking, with or without a running server ---
 */

/* Every row that waits, in order of message and number; settled ones are not shown.  `each` returns
 * false to stop. */
bool store_each_queued(const char *path, bool (*each)(void *owner, const struct queue_item *),
                       void *owner, struct error *);

#endif
