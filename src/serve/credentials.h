/* credentials.h - certificates, keys and passwords of a configuration, as the octets of their
 * files.
 *
 * They are read once, by whoever may: at the start by root, before it becomes the user.  Later the
 * user reads them again; what only root may read comes from `godwit reload`, or stays as it was.
 */
#ifndef SERVE_CREDENTIALS_H
#define SERVE_CREDENTIALS_H

#include "base/buffer.h"
#include "config/config.h"
#include "run/log.h"
#include "run/tls.h"

enum {
    CREDENTIAL_OCTETS_MAX = 64 * 1024,
    CREDENTIALS_MAX = 200,
    CERTIFICATE_SOON_S = 14 * 86400, /* an end that is nearer than this is worth a warning */
};

/* The files of one configuration; opaque, immutable once read. */
struct credentials;

bool credentials_new(struct credentials **out, struct error *);
/* Wipes. */
void credentials_free(struct credentials **);
/* Adds a file's octets, copied.  False: memory is short, or there are too many. */
bool credentials_add(struct credentials *, struct text path, struct bytes, struct error *);
/* Empty when there is no such file. */
struct bytes credentials_find(const struct credentials *, struct text path);

/* Where else a file may be had: what somebody has brought who may read it, and what is in effect so
 * far.  All may be NULL. */
struct credential_sources {
    const struct credentials *given, *before;
    const struct config_notices *notices;
    bool without_own; /* the server's own certificate is not read yet: it belongs to the user */
};

/* Reads every certificate, key and password file of the configuration that is not in `given`.
 * What this process may not read stays as it was `before`, with a notice, and of a certificate and
 * its key always both.  A configuration that names none gets the server's own, made if need be
 * (serve/own_certificate.h).  Blocks.  ERROR_CONFIG: a file is missing, or only root may read it;
 * or a password is none. */
bool credentials_read(const struct config *, const struct credential_sources *,
                      struct credentials **out, struct error *);

/* What to log in elsewhere with: borrows from both.  Empty: it was not read. */
struct text credentials_password(const struct credentials *, const struct config_login *);
/* The same from a password file's octets: the first line, and nothing behind it.  ERROR_CONFIG: it
 * is no password. */
bool credentials_read_password(struct text path, struct bytes octets, struct text *out,
                               struct error *);

/* Whether both hold the same octets under the same names. */
bool credentials_equal(const struct credentials *, const struct credentials *);

/* The pair in the form that TLS wants; borrows from both. */
struct tls_pair credentials_pair(const struct credentials *, const struct config_certificate *);
/* A line in the log for each certificate that is worth the level (LOG_NOTICE: all): whose it is and
 * how long it is good. */
void credentials_tell(const struct credentials *, const struct config *, struct log *,
                      enum log_level least);

/* A context of all pairs. */
bool credentials_context(const struct credentials *, const struct config *, struct tls_service *,
                         struct tls_context **out, struct error *);

#endif
