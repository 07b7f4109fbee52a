/* large.h - the files of large messages, as the journal's own files see them. */
#ifndef STORE_LOCAL_LARGE_H
#define STORE_LOCAL_LARGE_H

#include "store/local/journal_inner.h"

enum { LARGE_NAME_MAX = 40 };

/* "journal/large/ID", terminated. */
void large_name(message_id, char out[LARGE_NAME_MAX]);
/* Opens the file for reading and reads its header.  ERROR_DAMAGED when it is not there, or is not
 * that message's. */
bool large_file_open(struct journal *, message_id, struct disk_file **out, struct large_header *,
                     struct error *);

#endif
