/* route.h - where a domain's mail goes next: decided anew at every attempt.  Pure: configuration
 * and DNS answers in, a list of hosts or a verdict out.
 */
#ifndef QUEUE_ROUTE_H
#define QUEUE_ROUTE_H

#include "base/arena.h"
#include "config/config.h"

enum route_kind {
    ROUTE_LOCAL,   /* the domain is ours */
    ROUTE_HOST,    /* a smarthost or a configured route: A and AAAA of .host only, no MX */
    ROUTE_LITERAL, /* an address literal: .endpoint */
    ROUTE_MX,      /* ask for MX, then addresses */
};

struct route {
    enum route_kind kind;
    struct text host; /* HOST: name or literal without its port */
    uint16_t port;
    struct endpoint endpoint; /* LITERAL, or a HOST that is an address */
    bool has_endpoint;
};
/* The first step, from configuration alone.  `domain` is canonical. */
struct route route_for(const struct config *, struct text domain);

struct route_mx {
    uint16_t preference;
    struct text name;
};
enum route_verdict {
    ROUTE_HOSTS,    /* try these, in this order */
    ROUTE_IMPLICIT, /* no MX: the domain itself is the host (RFC 5321 5.1) */
    ROUTE_NULL_MX,  /* RFC 7505: takes no mail, 5.1.10 */
    ROUTE_LOOP,     /* only ourselves or worse are left: 5.4.6 */
};
/* Orders hosts by preference, at random among equals (`seed`), at most ROUTE_HOSTS_MAX, drops those
 * that are ours by name and everything of equal or worse preference. `out` lives in the arena. */
enum { ROUTE_HOSTS_MAX = 20 };
enum route_verdict route_order(const struct config *, const struct route_mx *, size_t count,
                               uint64_t seed, struct arena *, struct route_mx **out,
                               size_t *count_out);
/* Whether a host of this name, or an address and port, is this server itself. */
bool route_is_our_name(const struct config *, struct text host);
bool route_is_our_address(const struct config *, const struct endpoint *);

#endif
