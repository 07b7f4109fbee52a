/* local.h - users of this machine: the socket at which they submit mail (local.socket).
 *
 * Whoever connects is asked for nothing: the kernel says which user he is (SO_PEERCRED), and what
 * he may send as is for serve/policy.c.  What he speaks is SMTP, served like every other session.
 */
#ifndef SERVE_LOCAL_H
#define SERVE_LOCAL_H

#include "serve/server.h"

struct local;

/* On loop 0 before it turns, once DATA's lock is held: binds the socket and accepts.  A socket that
 * the configuration does not name, and that cannot be had, is only told to the log. */
bool local_start(struct server *, struct local **out, struct error *);
/* Closes the socket; sessions go on, and those who are being looked up are sent away. */
void local_stop(struct local **);

/* On loop 0: serves a user on a connected socket, which is taken.  False: it could not be. */
bool local_serve(struct local *, int socket, uint32_t uid);

#endif
