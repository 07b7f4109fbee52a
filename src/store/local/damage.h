/* damage.h - a word in DATA that the journal lacks something, for as long as it does.
 *
 *   journal.damaged.new   it was found, and the mailboxes have no new uidvalidity yet
 *   journal.damaged       they have
 *
 * While either is there, what nobody refers to stays: the octets that are lost may come back, and
 * they may refer to it.
 */
#ifndef STORE_LOCAL_DAMAGE_H
#define STORE_LOCAL_DAMAGE_H

#include "run/disk.h"

/* Before any index counts that does not know what is lost.  Lasting when it returns true. */
bool damage_note(struct disk *, struct error *);
/* Whether the mailboxes are still to be renewed. */
bool damage_is_new(struct disk *);
bool damage_is_known(struct disk *);
/* The mailboxes were renewed. */
bool damage_settle(struct disk *, struct error *);
/* An index was made of the whole journal, and nothing was missing. */
bool damage_forget(struct disk *, struct error *);

#endif
