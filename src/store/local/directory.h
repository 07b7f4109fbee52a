/* directory.h - what the local store alone asks of directory.db. */
#ifndef STORE_LOCAL_DIRECTORY_H
#define STORE_LOCAL_DIRECTORY_H

#include "store/accounts.h"

enum { DIRECTORY_UUID = 16 };

/* Ties the directory to the store with this UUID, for good, unless it is tied already; tells to
 * which one it is. */
bool directory_claim(struct directory *, const uint8_t *uuid, uint8_t held_out[DIRECTORY_UUID],
                     struct error *);

#endif
