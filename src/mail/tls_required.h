/* tls_required.h - whether a message's header says "TLS-Required: No" (RFC 8689 3). Pure.
 *
 * The first field of that name counts.  It is read while the octets pass by, in any slicing.
 */
#ifndef MAIL_TLS_REQUIRED_H
#define MAIL_TLS_REQUIRED_H

#include "mail/field_reader.h"

/* Zeroed is the start. */
struct tls_required {
    struct field_reader reader; /* private, as the rest */
    unsigned fields;            /* of that name; behind the first nothing is read */
    uint8_t len; /* of the value without white space around it; more than there is room for: it is
                    another one */
    char value[2];
    bool gap; /* white space behind the value so far */
};

/* The next octets of the message, from its first on. */
void tls_required_read(struct tls_required *, struct bytes);
/* Of what was read so far. */
bool tls_required_says_no(const struct tls_required *);

#endif
