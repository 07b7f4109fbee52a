/* renewal.h - certificates and password files that change while the server runs.
 *
 * The folders of these files are watched, those that names only lead to as well (renewal may
 * write a new file, rename, or turn a symbolic link).  A second after something happened there, and
 * every hour whatever happened, the files are read again; what has changed is in effect at once,
 * for new handshakes, and no session is dropped.  The server's own certificate is renewed by the
 * same look.  What cannot be used leaves the old ones in effect, and is told once.
 */
#ifndef SERVE_RENEWAL_H
#define SERVE_RENEWAL_H

#include "serve/server.h"

struct renewal;

/* Loop 0, for all three. */
bool renewal_new(struct server *, struct renewal **out, struct error *);
/* Other settings are in effect: watches their folders. */
void renewal_follow(struct renewal *);
void renewal_free(struct renewal **);

#endif
