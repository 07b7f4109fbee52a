/* domain.h - domain names as they stand in addresses.  Private to this room: address.h gives the
 * rest of the program what it needs of it.
 */
#ifndef MAIL_DOMAIN_H
#define MAIL_DOMAIN_H

#include "mail/address.h"

/* How many octets at the front may belong to a domain: letters, digits, '-', '_', '.', and what is
 * over 0x7F. */
size_t domain_length(struct text);
/* Checks the name (RFC 5321 4.1.2, RFC 6531 3.3) and writes its canonical form, terminated.  Sets
 * *utf8_out when the name as written is not ASCII, and leaves it alone otherwise. */
enum address_verdict domain_canonical(struct text name, char out[ADDRESS_DOMAIN_MAX + 1],
                                      bool *utf8_out);

#endif
