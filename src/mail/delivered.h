/* delivered.h - to whom a message says that it was delivered before: its Delivered-To fields. Pure.
 *
 * Who finds himself there has had the message, and it has come round: a loop (RFC 5321 6.3).  The
 * fields are gathered while the octets pass by, in any slicing.
 */
#ifndef MAIL_DELIVERED_H
#define MAIL_DELIVERED_H

#include "mail/address.h"
#include "mail/field_reader.h"

/* Fields beyond this many octets of addresses are not remembered: counting Received ends such a
 * loop.  A value that is no address, or longer than DELIVERED_VALUE_MAX, is passed by. */
enum { DELIVERED_OCTETS_MAX = 16 * 1024, DELIVERED_VALUE_MAX = ADDRESS_TEXT_MAX + 16 };

struct delivered {
    struct buffer keys; /* private, as the rest: the addresses' keys, a line feed behind each */
    struct field_reader reader;
    size_t keys_before; /* the field that is being read */
    size_t value_len;   /* its value, as it stands there; more than there is room for: too long */
    char value[DELIVERED_VALUE_MAX];
};

void delivered_init(struct delivered *);
void delivered_clear(struct delivered *);
/* The next octets of the message, from its first on. */
void delivered_read(struct delivered *, struct bytes);
/* Whether there was any such field. */
static inline bool delivered_any(const struct delivered *d)
{
    return d->keys.len > 0;
}
/* Whether a field names this address, or another form of it (address_key()). */
bool delivered_has(const struct delivered *, struct text address);

#endif
