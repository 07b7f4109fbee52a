/* damage.h - octets of the journal that turn into others, behind the back of everybody.
 *
 * That is no power cut: what was once synced is no longer what it was.  It is tried at the end, on
 * a copy of the disk: the check must name it, and a new index must have all but the frame that was
 * hit.
 */
#ifndef SIM_DAMAGE_H
#define SIM_DAMAGE_H

struct node;

/* Of a server that has stopped. */
void damage_examine(struct node *);

#endif
