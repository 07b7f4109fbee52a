/* ledger.h - what was said of each copy of each letter, and so where it must be and where not.
 *
 *   state     what holds                                  what must be in its box
 *   NEVER     its end was not said, or it was refused,    nothing
 *             or it was not there behind a restart
 *   OPEN      its end was said, and nobody answered       all of it, or nothing
 *   DUE       accepted, for a box on the far server       all of it, some day
 *   KEPT      accepted, or seen                           all of it, once
 *   LEAVING   QUIT was said behind its DELE               all of it, or nothing
 *   GONE      ... and answered with +OK                   nothing
 *
 * A box is read in visits; a whole one shows everything that is in it.  What a visit does not find
 * was lost if it was KEPT before the visit began; it is NEVER if it is OPEN and the server that
 * might still have kept it was dead when the visit began: servers are told apart by `generation`.
 *
 * To a far box a letter is brought by the server itself, so that may be twice when the server was
 * killed meanwhile; that is counted, and not wrong.
 *
 * Any thread may call; a box is visited by one at a time.  What is wrong goes to standard error,
 * a line each that begins with "wrong: ".
 */
#ifndef SOAK_LEDGER_H
#define SOAK_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LEDGER_LETTERS_MAX = 1 << 23, LEDGER_BOXES_MAX = 64, LEDGER_COPIES = 3 };

enum copy_state { COPY_NEVER, COPY_OPEN, COPY_DUE, COPY_KEPT, COPY_LEAVING, COPY_GONE };

struct ledger;

/* What was counted, of copies where nothing else is said. */
struct ledger_figures {
    uint64_t letters;         /* begun */
    uint64_t accepted;        /* letters */
    uint64_t accepted_octets; /* of letters */
    uint64_t unanswered;      /* letters whose end was said */
    uint64_t read;
    uint64_t deleted;
    uint64_t twice;   /* in far boxes */
    uint64_t waiting; /* that are not at an end now */
    uint64_t due;     /* of these, on their way */
    uint64_t wrong;
};

/* A box as one visit finds it. */
struct visit {
    uint8_t box;
    uint32_t number;     /* of the visit to this box */
    uint32_t began;      /* the ledger's time */
    uint32_t generation; /* the server that is visited is of this one at least */
    bool is_last;        /* all has arrived that ever will */
};

/* The first `near` boxes are on the server itself, `far` more are elsewhere.  NULL: no memory. */
struct ledger *ledger_new(unsigned near, unsigned far);
void ledger_free(struct ledger **);
bool ledger_is_far(const struct ledger *, uint8_t box);

/* Servers that are called from now on are of this generation; all before are dead. */
void ledger_set_generation(struct ledger *, uint32_t generation);
uint32_t ledger_generation(struct ledger *);

/* A new letter to these boxes, 1 to LEDGER_COPIES of them and each once; 0: there are too many. */
uint32_t ledger_begin(struct ledger *, const uint8_t *boxes, unsigned count);
/* Its end is about to be said, to a server of this generation at most. */
void ledger_ended(struct ledger *, uint32_t letter, size_t octets, uint32_t generation);
/* The answer: bit n of `accepted` is for its copy number n; 0: refused. */
void ledger_answered(struct ledger *, uint32_t letter, unsigned accepted);

/* To be called before the server is. */
void ledger_visit(struct ledger *, uint8_t box, struct visit *out);
/* A letter is in the box; false, and said, when that is wrong. */
bool ledger_seen(struct ledger *, const struct visit *, uint32_t letter);
/* QUIT is about to be said behind their DELE; then what it said. */
void ledger_leaving(struct ledger *, const struct visit *, const uint32_t *letters, size_t count);
void ledger_deleted(struct ledger *, const struct visit *, const uint32_t *letters, size_t count);
/* Everything in the box has been seen. */
void ledger_visited(struct ledger *, const struct visit *);

void ledger_wrong(struct ledger *, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct ledger_figures ledger_figures(struct ledger *);

#endif
