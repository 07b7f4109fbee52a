/* tls_need.h - what a message itself wants of TLS on its way (RFC 8689), and the names that its
 * rows are queued under for it.  Pure but for the arena that such names are kept in.
 *
 * Mail that wants more than other mail, or less, must not share connections with it, nor learn from
 * their failures.  So it is told apart where the next hop is decided, before any message is looked
 * at: its rows are queued under the domain with the need behind it, and wait as those of a domain
 * of their own.
 *
 *     example.org                    most mail
 *     example.org requiretls         REQUIRETLS at MAIL
 *     example.org tls-required=no    "TLS-Required: No" in the header
 */
#ifndef QUEUE_TLS_NEED_H
#define QUEUE_TLS_NEED_H

#include "base/arena.h"
#include "store/queue.h"

enum tls_need {
    TLS_NEED_NONE,     /* what setting and domain say */
    TLS_NEED_REQUIRED, /* no host but one that is verified, and promises the same */
    TLS_NEED_WAIVED,   /* what the domain publishes has no say */
};

enum tls_need tls_need_of(const struct queue_envelope *);
/* The name to queue rows of this domain under; in the arena when it is not the domain itself.
 * False: memory is short. */
bool tls_need_name(struct text domain, enum tls_need, struct arena *, struct text *out);
/* The other way: takes the need off a name, which leaves the domain. */
enum tls_need tls_need_take(struct text *name);
/* As the sender has said it, for people; "" for none. */
const char *tls_need_words(enum tls_need);

#endif
