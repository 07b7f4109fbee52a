/* net.h - addresses of machines, as values: parse, print, compare, contain. No socket is touched.
 */
#ifndef BASE_NET_H
#define BASE_NET_H

#include "base/buffer.h"

/* NET_LOCAL is a user of this machine on a local socket: the uid in the first four octets. */
enum net_family { NET_NONE, NET_IPV4, NET_IPV6, NET_LOCAL };

/* An address and a port; octets in network order, IPv4 in the first four. An IPv4-mapped IPv6
 * address is never held: whoever makes an endpoint turns it into IPv4. */
struct endpoint {
    enum net_family family;
    uint8_t octets[16];
    uint16_t port;
};

struct network {
    struct endpoint base; /* port unused */
    unsigned prefix;      /* bits */
};

enum { ENDPOINT_TEXT_MAX = 64 };

/* "192.0.2.1", "2001:db8::1" (with or without square brackets), no port. */
bool endpoint_parse_address(struct text, struct endpoint *out);
/* "192.0.2.1:25", "[2001:db8::1]:25". */
bool endpoint_parse(struct text, struct endpoint *out);
/* "192.0.2.0/24", "[::1]/128", "2001:db8::/32"; a bare address is a network of one. Bits behind the
 * prefix must be zero. */
bool network_parse(struct text, struct network *out);
bool network_contains(const struct network *, const struct endpoint *);

/* 127.0.0.0/8 and ::1. */
bool endpoint_is_loopback(const struct endpoint *);
bool endpoint_equal_address(const struct endpoint *, const struct endpoint *);

/* The user of a local socket as an endpoint, and back. */
struct endpoint endpoint_of_user(uint32_t uid);
uint32_t endpoint_user(const struct endpoint *);

/* Write terminated text of at most ENDPOINT_TEXT_MAX octets and return it.  The literal is that of
 * RFC 5321 4.1.3: "[192.0.2.1]", "[IPv6:2001:db8::1]".  A user is "uid 1000" in all of them. */
struct text endpoint_print(const struct endpoint *, char out[ENDPOINT_TEXT_MAX]);
struct text endpoint_print_address(const struct endpoint *, char out[ENDPOINT_TEXT_MAX]);
struct text endpoint_print_literal(const struct endpoint *, char out[ENDPOINT_TEXT_MAX]);

#endif
