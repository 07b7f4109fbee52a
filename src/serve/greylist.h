/* greylist.h - mail of a triplet that is seen for the first time is deferred for a while.
 *
 * The triplet is the peer's network, the sender and the recipient.  It stands in cache.db with the
 * time from which its mail is taken.  A cache that cannot be asked defers nobody.
 */
#ifndef SERVE_GREYLIST_H
#define SERVE_GREYLIST_H

#include "mail/address.h"
#include "serve/server.h"
#include "store/cache.h"

struct greylist_ask;

/* Who asks about what; borrowed for the call. */
struct greylist_question {
    const struct endpoint *peer;
    const struct address *sender; /* may be <> */
    const struct address *recipient;
    uint64_t delay_ms, life_ms;
    /* On the loop, never within the call; frees with greylist_free().  wait_ms 0: it may pass. */
    void (*done)(void *owner, uint64_t wait_ms);
    void *owner;
};

/* NULL: nobody can be asked now, it may pass. */
struct greylist_ask *greylist_ask(struct server_loop *, const struct greylist_question *);
/* At any time; then `done` does not come. */
void greylist_free(struct greylist_ask **);

/* What becomes of a triplet, for tests: pure.  `due_ms` is 0 when it is new.  Returns how long to
 * wait; fills what to keep, until when. */
uint64_t greylist_judge(int64_t now_ms, int64_t due_ms, const struct greylist_question *,
                        int64_t *due_out, int64_t *expires_out);

#endif
