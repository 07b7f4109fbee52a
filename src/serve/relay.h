/* relay.h - the server's way out: a resolver, and the dispatch of its queue. */
#ifndef SERVE_RELAY_H
#define SERVE_RELAY_H

#include "serve/server.h"

struct relay;

/* When the server's store, log and loops are there, before it turns; sets server->dispatch and
 * server->office. */
bool relay_new(struct server *, struct relay **out, struct error *);
/* Loop 0: begins to send. */
void relay_start(struct relay *);
/* Loop 0, after a reload: what was changed counts from the next attempt on.  A resolver that cannot
 * be set up is told to the log, and the old one stays. */
void relay_reconfigure(struct relay *);
/* Loop 0: transactions under way end, see dispatch_stop(). */
void relay_stop(struct relay *);
/* When no loop turns any more, and before they are freed. */
void relay_free(struct relay **);

#endif
