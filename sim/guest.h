/* guest.h - a program that runs beside the server on its machine, one call of the disk at a time.
 *
 * It has a thread of its own, which runs only while the world waits for it: so it may be what it
 * is, a function that blocks, and still everything happens in the order that the seed says.
 */
#ifndef SIM_GUEST_H
#define SIM_GUEST_H

#include "sim/world.h"

struct guest;

/* `work` begins with the first step. */
struct guest *guest_new(struct host *, void (*work)(void *owner), void *owner);
/* Goes on to its next call of the disk.  False: it has come to its end. */
bool guest_step(struct guest *);
/* From now on nothing that it does has an effect; it goes on to its end at once. */
void guest_kill(struct guest *);
bool guest_is_dead(const struct guest *);
/* Of one that has come to its end. */
void guest_free(struct guest **);

/* For whoever is the disk: a call begins.  A guest waits here until the world goes on with it. */
void guest_pause(void);
/* It ends in a call of the disk. */
void guest_die(struct guest *);

#endif
