/* watch.h - a folder whose changes one wants to hear of.
 *
 * For files that are replaced now and then, such as certificates: a file itself is not watched,
 * since renewal puts another one in its place.  All functions are for the loop's own thread.
 */
#ifndef RUN_WATCH_H
#define RUN_WATCH_H

#include "run/loop.h"

struct watch;

/* Calls `changed` whenever something in the folder was made, written, renamed or removed: more
 * often than one thinks, and never within this call.  A folder that is itself replaced is lost from
 * sight. False: the folder is missing, may not be read, or the machine has no watch left. */
bool watch_folder(struct loop *, const char *path, void (*changed)(void *owner), void *owner,
                  struct watch **out);
void watch_close(struct watch **);

#endif
