/* bell.h - how a lane calls somebody on a loop who may be gone by then.
 *
 * A bell belongs to one owner on the loop.  It may be freed at any time there, also while a ring is
 * on its way, which then calls nobody.
 */
#ifndef STORE_LOCAL_BELL_H
#define STORE_LOCAL_BELL_H

#include "run/loop.h"

struct bell;

/* NULL: memory is short. */
struct bell *bell_new(struct loop *, void (*heard)(void *owner), void *owner);
/* On the loop.  Nobody may ring it any more; the owner sees to that. */
void bell_free(struct bell **);
/* Any thread: `heard` in a later turn of the loop, once for all rings until then. */
void bell_ring(struct bell *);

#endif
