/* own_certificate.h - the certificate of a server that was given none, made by itself.
 *
 * DATA/certificate.pem (0600) holds a key (P-256) and a certificate for the host name, good for 825
 * days.  It is made when it is missing, damaged, for another name, or has less than 30 days left;
 * the key stays, so that whoever knows the server by it (DANE, a pinned key) goes on to do so.  A
 * file that somebody else has put there is used as it is.  Only the server writes it, never a
 * command.
 */
#ifndef SERVE_OWN_CERTIFICATE_H
#define SERVE_OWN_CERTIFICATE_H

#include "base/buffer.h"
#include "config/config.h"

/* Appends what the file holds from now on to an empty buffer of at least CREDENTIAL_OCTETS_MAX,
 * which is the caller's to wipe.  `known`: what is in effect so far, put back when the file is
 * missing; may be empty.  A certificate that cannot be written is used all the same, with a notice:
 * mail does not wait for room on the disk.  Blocks; DATA's owner.  ERROR_TEMPORARY. */
bool own_certificate_read(const struct config *, struct bytes known, const struct config_notices *,
                          struct buffer *out, struct error *);

#endif
