/* route.h - where a domain's mail goes next: decided anew at every attempt.  Pure: configuration
 * and DNS answers in, a list of hosts or a verdict out.
 *
 *   route_for()      from the configuration alone: ours, a fixed host, an address, or "ask for MX"
 *   route_order()    the MX answer as a list of hosts to try
 *   route_drop()     a host of the list turned out to be this machine
 */
#ifndef QUEUE_ROUTE_H
#define QUEUE_ROUTE_H

#include "config/config.h"
#include "mail/address.h"
#include "queue/tls_need.h"

enum route_kind {
    ROUTE_LOCAL,   /* the domain is ours */
    ROUTE_HOST,    /* a smarthost or a configured route: A and AAAA of .host only, no MX */
    ROUTE_LITERAL, /* an address literal, "[192.0.2.1]": .endpoint */
    ROUTE_MX,      /* ask for MX of .host, then for addresses */
    ROUTE_TROUBLE, /* memory is short: temporary */
};

struct route {
    enum route_kind kind;
    char host[ADDRESS_DOMAIN_MAX + 1]; /* terminated; A-labels, or the address in words */
    uint16_t port;
    char user[CONFIG_LOGIN_MAX + 1]; /* HOST: who logs in there; "": nobody */
    enum relay_tls tls;              /* the least that is done */
    bool own_tls;                    /* the domain's route says so */
    bool tls_first;                  /* HOST: TLS begins with the connection (RFC 8314 3.3) */
    enum tls_need need;              /* of the mail itself */
    bool has_endpoint;        /* LITERAL, and a HOST that is an address: nothing to ask of DNS */
    struct endpoint endpoint; /* with the port */
};

/* The first step.  `name` is what the rows are queued under: the domain of a canonical address, and
 * behind it what its mail needs of TLS, if anything (tls_need.h).  What decides, in this order: it
 * is local; a route of its name; the smarthost; a literal; its MX hosts.  Routes and the smarthost
 * without a port are called on 25, or 587 with a login; MX hosts and literals on relay.port.  A
 * login wants the host's certificate verified, unless relay.tls is written or the host is this
 * machine; the tls of a domain's own route has the last word. */
void route_for(const struct config *, struct text name, struct route *out);

/* The name of the next hop, for people and as a key: routes of different kinds never have the same,
 * since a fixed host has its port. "example.org", "[192.0.2.1]", "relay.example.net:587 as joe",
 * "relay.example.net:465 over TLS", "relay.example.net:25 with tls = verify", "example.org with
 * REQUIRETLS". */
enum { ROUTE_TEXT_MAX = ADDRESS_DOMAIN_MAX + 90 + CONFIG_LOGIN_MAX };
struct text route_print(const struct route *, char out[ROUTE_TEXT_MAX]);

/* What a route with a user logs in with, in a configuration that may be another one by now; NULL:
 * it has none. */
const struct config_login *route_login(const struct config *, const struct route *);

struct route_mx {
    uint16_t preference;
    struct text name; /* canonical: no dot at the end; "" is the root */
};

/* What DNS said. */
struct route_answer {
    struct text domain; /* that was asked about */
    const struct route_mx *mx;
    size_t count; /* 0: the domain exists, without MX */
};

enum { ROUTE_HOSTS_MAX = 20 };

struct route_hosts {
    struct route_mx at[ROUTE_HOSTS_MAX]; /* the best first; names borrowed from the answer */
    size_t count;
};

enum route_verdict {
    ROUTE_HOSTS,    /* try these, in this order */
    ROUTE_IMPLICIT, /* no MX: the domain itself is the one host (RFC 5321 5.1).  If it has no
                       address either: 5.1.2 */
    ROUTE_NULL_MX,  /* RFC 7505: takes no mail, 5.1.10 */
    ROUTE_LOOP,     /* only ourselves or worse are left: 5.4.6 */
};

/* Orders hosts by preference, at random among equals (`seed`), each name once, the best
 * ROUTE_HOSTS_MAX of them; drops those that are ours by name and everything of equal or worse
 * preference. */
enum route_verdict route_order(const struct config *, const struct route_answer *, uint64_t seed,
                               struct route_hosts *out);
/* The host at `index` has an address that is ours: it and everything of equal or worse preference
 * goes.  False: nothing is left (5.4.6). */
bool route_drop(struct route_hosts *, size_t index);

/* What is us: the name of this server, or what one of our listeners answers. */
struct route_self {
    const struct config *config;
    const struct endpoint *addresses; /* of this machine's interfaces; ports have no meaning */
    size_t address_count;
};
bool route_is_our_name(const struct config *, struct text host);
/* A listener on 0.0.0.0 or [::] answers on every address of its family that this machine has:
 * loopback, and those named in route_self.  Calling 0.0.0.0 or [::] is calling loopback. */
bool route_is_our_address(const struct route_self *, const struct endpoint *);

#endif
