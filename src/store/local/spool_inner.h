/* spool_inner.h - what commit asks of a spool. */
#ifndef STORE_LOCAL_SPOOL_INNER_H
#define STORE_LOCAL_SPOOL_INNER_H

#include "store/local/journal.h"
#include "store/spool.h"

/* Slices that the content of a spool in memory can have. */
enum { SPOOL_PARTS_MAX = 8 };

/* Whether all that was appended has been kept so far.  What is not must not be committed. */
bool spool_is_whole(const struct spool *);
/* Whether the content lies in a file of its own. */
bool spool_is_large(const struct spool *);
/* On its loop: writes out what is left, syncs file and name, and then calls `sealed` on a lane; the
 * error is NULL when all is on the disk.  Large spools only, once, and nothing is appended any
 * more. */
void spool_seal(struct spool *, void (*sealed)(void *owner, const struct error *), void *owner);
/* Any thread, while a commit holds the spool.  In memory: fills `parts` and returns how many. */
int spool_parts(const struct spool *, struct iovec parts[SPOOL_PARTS_MAX]);
/* Sealed: one checksum for each JOURNAL_BLOCK of content; they live as long as the spool. */
const uint64_t *spool_checksums(const struct spool *);
/* The file must stay when the spool is closed: a unit refers to it, or may. */
void spool_keep(struct spool *);

#endif
