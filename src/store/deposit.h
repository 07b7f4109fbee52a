/* deposit.h - many messages for one mailbox, one after the other: mail that comes from elsewhere
 * with its dates and flags.
 *
 * Each message is a commit of its own; many are under way at a time, so that they share syncs, and
 * keep their order (unless memory is so short that small ones go by files).  After the first
 * failure nothing more is begun.  On one loop only.
 */
#ifndef STORE_DEPOSIT_H
#define STORE_DEPOSIT_H

#include "store/store.h"

struct deposit;

struct deposit_options {
    struct store *store;
    struct loop *home;
    mailbox_id mailbox;
    struct text address;        /* of its account; borrowed as long as the deposit lives */
    void (*ready)(void *owner); /* something has ended: ask again, go on; never within a call */
    void *owner;
};
/* NULL: memory is short. */
struct deposit *deposit_open(const struct deposit_options *);
/* Only while it is idle; a message that is not complete is dropped. */
void deposit_close(struct deposit **);

enum deposit_state {
    DEPOSIT_OPEN,   /* go on */
    DEPOSIT_WAIT,   /* what was given is taken, but give no more before `ready` */
    DEPOSIT_FAILED, /* nothing more is taken; deposit_error() says why */
};
enum deposit_state deposit_look(const struct deposit *);
/* Content of the message that is open, or of a new one. */
enum deposit_state deposit_append(struct deposit *, struct bytes);
/* The message is complete.  `dated_ms`: since when it has been somebody's; 0: now.  `flags`:
 * mail/flags.h. */
enum deposit_state deposit_keep(struct deposit *, int64_t dated_ms, uint32_t flags);
/* Forgets the message that is open. */
void deposit_drop(struct deposit *);

/* No commit is under way: all that was kept is stored, or the deposit has failed. */
bool deposit_is_idle(const struct deposit *);
/* Messages that are stored. */
uint64_t deposit_stored(const struct deposit *);
const struct error *deposit_error(const struct deposit *);

#endif
