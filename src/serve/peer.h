/* peer.h - who counts as one peer: an IPv4 address or an IPv6 /64; and whose network that is.
 *
 * Pure.  An IPv6 host has a /64 to choose addresses from, so its neighbours there are the same
 * peer.  A network is an IPv4 /24 or an IPv6 /48: what is usually given to one customer.
 */
#ifndef SERVE_PEER_H
#define SERVE_PEER_H

#include "base/net.h"

/* Comparable octet by octet. */
struct peer_key {
    uint8_t family; /* enum net_family */
    uint8_t bits;   /* of the octets that count */
    uint8_t octets[16];
};

struct peer_key peer_key(const struct endpoint *);
struct peer_key peer_network(const struct endpoint *);
bool peer_equal(const struct peer_key *, const struct peer_key *);
uint64_t peer_hash(const struct peer_key *, uint64_t secret);

enum { PEER_TEXT_MAX = ENDPOINT_TEXT_MAX + 4 };
/* "192.0.2.1", "2001:db8:0:1::/64", "192.0.2.0/24"; terminated. */
struct text peer_print(const struct peer_key *, char out[PEER_TEXT_MAX]);
/* An address as people write it, also with a "/64" behind it: the peer that it belongs to. */
bool peer_parse(struct text, struct endpoint *out);

#endif
