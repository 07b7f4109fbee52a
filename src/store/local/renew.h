/* renew.h - what a store says anew once it may have gone back in time (store rule 3). */
#ifndef STORE_LOCAL_RENEW_H
#define STORE_LOCAL_RENEW_H

#include "store/local/index.h"
#include "store/store.h"

/* Writes units into the journal, which is open for writing and at whose end the index stands; they
 * are not applied.  Both add to what they count.  For who may create files: not the commit lane. */

/* Every mailbox gets a new uidvalidity. */
bool renew_mailboxes(struct journal *, struct index *, struct store_restored *, struct error *);
/* The same, and the index holds it afterwards: when mail was lost (store rule 3). */
bool renew_after_loss(struct journal *, struct index *, struct error *);
/* Every row that waits is held. */
bool renew_queue(struct journal *, struct index *, struct store_restored *, struct error *);

#endif
