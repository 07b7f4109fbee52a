/* file.h - a small file as a whole: certificates, keys, passwords. Blocks: for lanes and starts. */
#ifndef RUN_FILE_H
#define RUN_FILE_H

#include "base/buffer.h"
#include "base/error.h"

/* Appends what the file holds, in one piece of memory that was reserved at once, so that wiping the
 * buffer leaves nothing of a secret.  A file of more than the buffer's maximum is ERROR_CONFIG, as
 * is one that cannot be opened; *denied_out tells whether it was for lack of permission. */
bool file_read(const char *path, struct buffer *to, bool *denied_out, struct error *);

#endif
