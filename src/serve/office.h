/* office.h - what the queue has of the server that it works for: the callbacks of queue/office.h.
 */
#ifndef SERVE_OFFICE_H
#define SERVE_OFFICE_H

#include "queue/office.h"
#include "serve/server.h"

/* Fills in store, log, loops and callbacks of a server that has them; good for as long as it lives.
 * What the office has of DNS, clock and interfaces is left as it is. */
void office_fill(struct server *, struct office *out);

#endif
