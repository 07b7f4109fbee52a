/* penance.h - a stranger who makes many mistakes is answered more and more slowly.
 *
 * Whoever guesses passwords or names needs many tries on a connection; whoever mistypes needs few.
 * So the first mistakes are free, and the reply to each further one is held back: a quarter of a
 * second, then twice as long each time, up to five seconds.  A session that pays takes no input and
 * says nothing until then, and pays for one mistake at a time; with its maximum of mistakes it
 * therefore ends in bounded time.
 */
#ifndef PROTO_PENANCE_H
#define PROTO_PENANCE_H

#include "base/text.h"

enum { PENANCE_FREE = 3, PENANCE_FIRST_MS = 250, PENANCE_MOST_MS = 5000 };

struct penance {
    size_t octets;     /* at the end of the output, held back; 0: nothing is */
    uint64_t until_ms; /* then */
};

/* What a session has done, and done wrong, since it began, whatever it was forgiven: for those who
 * remember peers for longer than a session. */
struct mistakes {
    uint32_t commands; /* lines that were one, or were meant to be */
    uint32_t errors;   /* failed logins of SMTP among them */
    uint32_t logins;
    uint32_t early;                        /* 1: the client talked before it was greeted */
    bool too_many_errors, too_many_logins; /* the session was ended for that */
};

/* How long the reply to the mistake of this number, from 1, is held back. */
uint64_t penance_ms(uint32_t mistake);
/* Holds the last `octets` of the output back, unless that mistake is free.  Nothing may be held
 * back already. */
void penance_begin(struct penance *, uint32_t mistake, size_t octets, uint64_t now_ms);
bool penance_lasts(const struct penance *);
/* Whether it has just come to its end: what was held back may be shown. */
bool penance_ends(struct penance *, uint64_t now_ms);
/* Ends it with the next penance_ends(). */
void penance_forgive(struct penance *);
/* The output without what is held back. */
struct bytes penance_shows(const struct penance *, struct bytes output);

#endif
