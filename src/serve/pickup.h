/* pickup.h - mail that users of this machine left in the spool while no server answered
 * (local.spool): taken at the start, and whenever something is put there.
 *
 * Each posting is handed over as its user would do it himself: to a session of this server, which
 * knows him by the owner of the file, and by the same rules.  The file is removed once the store
 * has the message; who is killed just in between finds it again, so that it comes twice rather than
 * never.  When it cannot be removed, or what takes its place cannot be put there, that alone is
 * tried again.
 *
 *   taken          the file is removed
 *   put off        it stays, or those of its recipients do, and is tried again within a minute
 *   refused        a report to the sender, or else to the postmaster, takes its place; so too for
 *                  who is still put off when relay.expire is over; a report that even he does not
 *                  get is set aside
 *   cannot be read, or is of nobody that the machine knows: as put off, and then set aside
 *   no posting     it is set aside as .bad-NAME, and the log says why; what is no file is removed,
 *                  and so, after a hundred of them, is what does not even begin as a posting
 */
#ifndef SERVE_PICKUP_H
#define SERVE_PICKUP_H

#include "serve/server.h"

struct pickup;

/* Loop 0, before it turns; the first look is when it does.  A folder that cannot be had is told to
 * the log. */
bool pickup_new(struct server *, struct pickup **out, struct error *);
void pickup_start(struct pickup *);
/* Loop 0.  Nothing more is begun; what is under way holds the loop. */
void pickup_stop(struct pickup *);
/* When all loops are at rest. */
void pickup_free(struct pickup **);

#endif
