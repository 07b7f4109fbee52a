/* settings.h - a configuration in the form that sessions use.
 *
 * Immutable once made.  A reload makes a new one; each loop takes it over in a turn of its own, and
 * the old one is freed when no loop and no lane can still look at it (serve/reload.c).
 */
#ifndef SERVE_SETTINGS_H
#define SERVE_SETTINGS_H

#include "config/config.h"
#include "proto/pop3_server.h"
#include "proto/smtp_server.h"
#include "run/wire.h"

struct settings {
    struct config *config; /* owned; all texts below point into it */
    struct smtp_server_config smtp;
    struct smtp_server_config submission;
    struct pop3_server_config pop3;
};

/* Takes the config over, also on failure (memory). */
bool settings_new(struct config *, struct settings **out, struct error *);
void settings_free(struct settings **);

/* Whether a password may be spoken in the clear on a connection from this peer. */
bool settings_allow_cleartext(const struct settings *, const struct endpoint *peer);

/* How much of a session is logged. */
enum wire_level settings_wire_level(const struct settings *);

/* Which services are built: a listener for another role is not bound, and says so. */
bool role_is_served(enum role);

#endif
