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
#include "serve/credentials.h"

/* Which ways to log in a connection is offered. */
enum offer {
    OFFER_NOTHING, /* no password may be spoken on it */
    OFFER_CLEAR,   /* it may: from here, or always (auth.cleartext) */
    OFFER_TLS,
    OFFER_BOUND, /* TLS that mechanisms can be bound to */
    OFFERS
};

struct settings {
    struct config *config; /* owned; all texts below point into it; see settings_renew() */
    struct smtp_server_config smtp[OFFERS];
    struct smtp_server_config submission[OFFERS];
    struct smtp_server_config local; /* nobody logs in, and nothing is encrypted */
    struct pop3_server_config pop3[OFFERS];
    struct credentials *credentials; /* owned */
    struct tls_context *tls;         /* owned */
};

/* What settings are made with, besides the configuration. */
struct settings_source {
    struct tls_service *service;
    struct credential_sources files;
};

/* Takes the config over, also on failure.  Reads certificates, and makes the server's own when the
 * configuration names none: blocks.  ERROR_CONFIG: one of them cannot be used. */
bool settings_new(struct config *, const struct settings_source *, struct settings **out,
                  struct error *);
/* The same configuration with the certificates of now.  Both settings have the config then: whoever
 * drops the old ones sets theirs to NULL before he frees them. */
bool settings_renew(const struct settings *old, const struct settings_source *,
                    struct settings **out, struct error *);
void settings_free(struct settings **);

/* Whether a password may be spoken in the clear on a connection from this peer. */
bool settings_allow_cleartext(const struct settings *, const struct endpoint *peer);

/* How much of a session is logged. */
enum wire_level settings_wire_level(const struct settings *);

/* Implicit TLS (RFC 8314 3). */
bool role_begins_with_tls(enum role);
bool role_is_pop3(enum role);

#endif
