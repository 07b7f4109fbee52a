/* directory.h - what the local store alone asks of directory.db. */
#ifndef STORE_LOCAL_DIRECTORY_H
#define STORE_LOCAL_DIRECTORY_H

#include "store/accounts.h"

/* Ties the directory to the store with this UUID (16 octets), for good.  ERROR_DAMAGED when it
 * belongs to another one already: accounts would name mailboxes that are not theirs. */
bool directory_claim(struct directory *, const uint8_t *store_uuid, struct error *);

#endif
