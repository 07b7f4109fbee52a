/* reload.h - a new configuration, or renewed certificates, for a server that goes on.
 *
 *   1 chores lane   reads and checks the file and the certificates; what is bad ends here, the old
 *                   settings stay
 *   2 every loop    takes the new settings, in a turn of its own, for itself and its sessions
 *   3 loop 0        when all have: the log follows (after a bad file too: logs are rotated with the
 *                   same signal), a barrier passes the directory's lane
 *   4 loop 0        nobody can look at the old settings any more: they are freed
 */
#ifndef SERVE_RELOAD_H
#define SERVE_RELOAD_H

#include "serve/server.h"

/* How it ended; `error` when not ok.  NULL: the log tells. */
typedef void reload_done(void *owner, bool ok, const struct error *error);

/* Loop 0.  Takes `given` (certificates and keys that the caller may read, or NULL), also on
 * failure. False: one is under way already, or memory is short (*error). */
bool reload_start(struct server *, struct credentials *given, reload_done *done, void *owner,
                  struct error *error);

/* Loop 0.  For a signal, to which nobody can answer.  While one is under way another follows it: it
 * may have read the files before they changed. */
void reload_ask(struct server *);

/* Loop 0.  The same configuration with its certificates as they are now, of which the user may read
 * what he may; nothing happens when they have not changed.  Why it fails is told to `done` only. */
bool reload_certificates(struct server *, reload_done *done, void *owner, struct error *error);

#endif
