/* author.h - may whoever logged in write as the author whom the header names (submission.from)?
 *
 * Every address of From must be one that the login may send as; the rule is that of MAIL
 * (serve/policy.h).  What must be looked up is asked one after the other, and then a callback
 * comes.
 */
#ifndef SERVE_AUTHOR_H
#define SERVE_AUTHOR_H

#include "mail/amend.h"
#include "serve/policy.h"
#include "serve/server.h"

enum { AUTHORS_MAX = 20 }; /* addresses in one From */

struct author_check;

enum author_verdict {
    AUTHOR_FINE,
    AUTHOR_REFUSED, /* author_answer() */
    AUTHOR_WAITS,   /* the callback will come, with one of the others */
};

/* All are borrowed until it is over, but `author`, which is read in the call. */
struct author_ask {
    struct server_loop *home;
    const struct policy_peer *peer;
    struct amend_author author;
    void (*done)(void *owner, enum author_verdict);
    void *owner;
};

/* NULL: memory is short.  Free it with author_check_free(), at any time: then no callback comes. */
struct author_check *author_check_new(const struct author_ask *, enum author_verdict *out);
void author_check_free(struct author_check **);
/* With AUTHOR_REFUSED; borrowed from the check. */
struct smtp_answer author_answer(const struct author_check *);

#endif
