/* office.h - what the queue has of the server that it works for: the callbacks of queue/office.h.
 */
#ifndef SERVE_OFFICE_H
#define SERVE_OFFICE_H

#include "queue/office.h"
#include "serve/server.h"

/* Fills in all but `dns`, which is left as it is, for a server whose store, log and loops are
 * there.  Good for as long as the server. */
void office_fill(struct server *, struct office *out);

#endif
