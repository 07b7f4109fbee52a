/* rehash.h - a new verifier for a password that was set when less was asked for.
 *
 * Only a login that says the password can make one.  It happens behind the login's back: the answer
 * does not wait for it, and whatever goes wrong leaves everything as it was, for the next login.
 * One at a time, so that logins never queue behind this.
 *
 *   password (slow lane) -> verifier (directory lane) -> kept, if the old one is still there
 *
 * A password that somebody sets meanwhile stands.
 */
#ifndef SERVE_REHASH_H
#define SERVE_REHASH_H

#include "run/log.h"
#include "serve/people.h"

/* What the configuration asks for of verifiers. */
struct rehash_wish {
    uint32_t iterations;
    bool sha1; /* keep one for SCRAM-SHA-1 too */
};

/* Whether a verifier falls short of the wish, or keeps something for SHA-1 that is not wanted any
 * more.  More iterations than are asked for are left alone. */
bool rehash_is_due(const struct verifier *, const struct rehash_wish *);

/* What rehashes share; must outlive the lane and the people. */
struct rehasher {
    struct people *people;
    struct lane *slow;
    struct log *log;
    atomic_bool busy;
};

/* What was right; all is copied. */
struct rehash_ask {
    const struct address *address;
    struct text password;
    const struct verifier *kept;
    struct rehash_wish wish;
};

/* Begins one if it is due and none is under way. */
void rehash_begin(struct rehasher *, const struct rehash_ask *);

#endif
