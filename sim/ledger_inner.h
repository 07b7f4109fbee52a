/* ledger_inner.h - between ledger.c, which knows the promises, and ledger_report.c, which hears
 * what became of those that are kept elsewhere. */
#ifndef SIM_LEDGER_INNER_H
#define SIM_LEDGER_INNER_H

#include "sim/ledger.h"
#include "sim/world.h"

enum { LEDGER_BOXES_MAX = 64, LEDGER_DROPS_MAX = 256, LEDGER_DROPPED_MAX = 1024 };

/* Somebody asked a server to drop what is queued for a domain. */
struct ledger_drop {
    unsigned host;
    const char *domain;
    uint64_t asked_us, ended_us; /* 0: nobody heard how it ended */
    size_t before;               /* what was dropped by then, by anybody */
};

/* What a server says to have dropped. */
struct ledger_dropped {
    char id[LETTER_ID_MAX], address[BOX_ADDRESS_MAX];
};

/* Copies by box and UIDL. */
struct ledger_table {
    struct copy **at; /* open addressing, a power of two */
    size_t room, count;
};

struct ledger {
    struct box *boxes[LEDGER_BOXES_MAX];
    size_t box_count;
    struct box *foreign[LEDGER_BOXES_MAX];
    size_t foreign_count;
    struct letter **letters;
    size_t count, room;
    struct ledger_table seen;
    uint64_t listings, arrivals, books;
    struct ledger_drop drops[LEDGER_DROPS_MAX];
    size_t drop_count;
    struct ledger_dropped dropped[LEDGER_DROPPED_MAX];
    size_t dropped_count, dropped_by[HOSTS_MAX];
};

/* The letter that "X-Letter: 12" at the beginning names, or NULL. */
struct letter *ledger_letter_named(struct ledger *, struct text rest);
/* The copy that this message is, which must be as it was sent; NULL: a report, or a failure. */
struct copy *ledger_recognize(struct ledger *, struct box *, struct text message);
/* One that nobody has planned: it belongs to the letter from now on. */
struct copy *letter_add_other(struct letter *, struct box *, enum copy_kind);
void ledger_name_copy(struct ledger *, struct copy *, const char *uidl);
/* It has come under this name: the copy itself, or, when that came before, a twin. */
struct copy *ledger_take(struct ledger *, struct copy *, const char *uidl);
/* That what came for this box is what the letter was, and for him. */
void letter_expect_right(const struct letter *, const struct copy *, const struct box *,
                         struct text octets);
/* Whether something went wrong that makes whoever sends mail on send it again. */
bool ledger_may_lose_replies(void);
bool letter_may_come_twice(const struct copy *);

/* ledger_drop.c: whether it cannot be ruled out that it was dropped for this recipient. */
bool letter_may_be_dropped(const struct letter *, const char *address);

/* ledger_report.c: what became of the recipients elsewhere. */
void letter_close_elsewhere(const struct letter *);
/* Whether the message tells somebody what became of his. */
bool ledger_is_report(struct text message);
/* Whether it was taken, as far as its sender can know. */
bool copy_is_promised(const struct copy *);
/* Whether a refusal for good may have come, although there is such a recipient. */
bool copy_may_fail(const struct copy *);
/* Whether it ended so: its sender was told, or nobody is told. */
bool copy_ended_otherwise(const struct copy *);

#endif
