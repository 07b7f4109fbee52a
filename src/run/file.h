/* file.h - a small file as a whole: certificates, keys, passwords; and writing all there is.
 * Blocks: for lanes, starts and the command line. */
#ifndef RUN_FILE_H
#define RUN_FILE_H

#include "base/buffer.h"
#include "base/error.h"

/* Appends what the file holds, in one piece of memory that was reserved at once, so that wiping the
 * buffer leaves nothing of a secret.  A file of more than the buffer's maximum is ERROR_CONFIG, as
 * is one that cannot be opened; *denied_out tells whether it was for lack of permission. */
bool file_read(const char *path, struct buffer *to, bool *denied_out, struct error *);

/* Writes all of it to an open file, pipe or socket.  False: errno says why, and nobody knows how
 * much of it was written. */
bool file_write_all(int file, struct bytes);

#endif
