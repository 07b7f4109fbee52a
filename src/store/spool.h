/* spool.h - a body while it arrives.
 *
 * Up to 1 MB it is held in memory out of the store's budget (store rule 26); beyond, or when the
 * budget is used up, it goes to a file of its own, written by a lane while it arrives (store rule
 * 10).  On one loop only.
 */
#ifndef STORE_SPOOL_H
#define STORE_SPOOL_H

#include "store/store.h"

/* `ready` is called on the loop after SPOOL_WAIT, once more may come. NULL: memory is short. */
struct spool *spool_open(struct store *, message_id, struct loop *, void (*ready)(void *owner),
                         void *owner);
/* Frees it; a file that was not committed is removed by a lane.  Any time but between store_submit
 * and its done. */
void spool_close(struct spool **);

enum spool_state {
    SPOOL_OPEN,   /* go on */
    SPOOL_WAIT,   /* what was given is taken, but give no more before `ready` */
    SPOOL_FAILED, /* it cannot be kept (memory, disk); the message must be refused as temporary */
};
/* Copies the octets.  After SPOOL_FAILED further octets are thrown away. */
enum spool_state spool_append(struct spool *, struct bytes);
uint64_t spool_octets(const struct spool *);
/* Reads back what was appended, from `offset` on, before the commit.  SPOOL_OPEN: *out has octets,
 * none at the end, valid until the next call here.  SPOOL_WAIT: ask again after `ready`, which may
 * also come without. */
enum spool_state spool_read(struct spool *, uint64_t offset, struct bytes *out);
/* What is true of all that was appended. */
const struct content_facts *spool_facts(const struct spool *);

/* For a body that has been counted on its way here, by the decoder: as spool_append(), but looks at
 * nothing.  Its facts must be added once all of it is there, before the commit, and nothing may be
 * appended afterwards.  What was appended before it ended with a line end. */
enum spool_state spool_append_counted(struct spool *, struct bytes);
void spool_add_facts(struct spool *, const struct content_facts *);

#endif
