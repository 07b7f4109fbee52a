/* box_lock.h - an mbox that nobody else changes for a while.
 *
 * Programs agree on two ways: a lock of fcntl() on the file, and a file NAME.lock beside it.  Both
 * are taken; the second is left out where the folder does not let us make files (/var/mail).
 */
#ifndef FOLDER_BOX_LOCK_H
#define FOLDER_BOX_LOCK_H

#include "base/error.h"

enum { BOX_PATH_MAX = 4096, BOX_LOCK_WAIT_S = 30 };

struct box_lock {
    int file; /* the mbox, for reading and writing */
    bool has_dot;
    char dot[BOX_PATH_MAX + 8];
};

/* Opens the mbox, made (0600) when missing, and waits BOX_LOCK_WAIT_S at most for the locks. */
bool box_lock(const char *path, struct box_lock *out, struct error *);
/* Closes it too. */
void box_unlock(struct box_lock *);

#endif
