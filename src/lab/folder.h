/* folder.h - the folder of a lab: one that was named, or one that goes away with the lab. */
#ifndef LAB_FOLDER_H
#define LAB_FOLDER_H

#include "base/error.h"

#include <stddef.h>

/* Makes the named folder (0700) unless it is there; its absolute path.  ERROR_REFUSED when it holds
 * something that is no lab. */
bool folder_enter(const char *name, char *out, size_t room, struct error *);
/* Keeps other labs out of a folder until *lock_out is closed (or the process ends). */
bool folder_lock(const char *path, int *lock_out, struct error *);
/* Makes one of a new name below TMPDIR or /tmp. */
bool folder_make(char *out, size_t room, struct error *);
/* Makes a folder (0700); there already is fine. */
bool folder_add(const char *path, struct error *);
/* Removes it and all that is in it; never follows links. */
void folder_remove(const char *path);

#endif
