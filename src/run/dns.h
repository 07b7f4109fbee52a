/* dns.h - asking the domain name system from a loop.
 *
 * One of the interfaces with two implementations (src/run over libunbound, and sim).  A query is
 * the caller's, lives until `done`, and may be cancelled.
 */
#ifndef RUN_DNS_H
#define RUN_DNS_H

#include "base/net.h"
#include "run/loop.h"

struct dns;

enum dns_security { DNS_SECURITY_AUTO, DNS_SECURITY_OFF, DNS_SECURITY_REQUIRE };

struct dns_options {
    const struct endpoint *resolvers; /* none: the system's */
    size_t resolver_count;
    enum dns_security security;
};

/* One resolver for a server, with a thread of its own: after the sandbox.  The library's built-in
 * local zones (test, home.arpa, private reverse zones) are switched off. */
bool dns_new(const struct dns_options *, struct dns **out, struct error *);
/* No query may be open. */
void dns_free(struct dns **);
/* Whether answers are validated: asked of the root once, at start; false until known. */
bool dns_validates(const struct dns *);

enum dns_type {
    DNS_A = 1,
    DNS_PTR = 12,
    DNS_MX = 15,
    DNS_TXT = 16,
    DNS_AAAA = 28,
    DNS_SRV = 33,
    DNS_TLSA = 52
};

enum dns_verdict {
    DNS_FOUND,   /* at least one record */
    DNS_NO_DATA, /* the name exists, without this type */
    DNS_NO_NAME, /* NXDOMAIN */
    DNS_TROUBLE, /* SERVFAIL, time-out, bogus: temporary */
};

enum { DNS_NAME_MAX = 254, DNS_RECORDS_MAX = 200 };

/* A record of the type asked for; names are canonical (lower case, no dot at the end, "" is the
 * root). */
struct dns_record {
    uint16_t preference;     /* MX; SRV: priority */
    uint16_t weight, port;   /* SRV */
    char name[DNS_NAME_MAX]; /* MX, SRV, PTR */
    struct endpoint address; /* A, AAAA; port 0 */
    struct bytes data;       /* TXT (strings joined), TLSA; lives as long as the answer */
};

struct dns_query {
    const char *name; /* borrowed until done; an A-label domain */
    enum dns_type type;
    struct loop *home;
    void (*done)(struct dns_query *); /* on home, exactly once unless cancelled */

    enum dns_verdict verdict;
    bool secure;                /* validated */
    bool bogus;                 /* validation failed: why is in words */
    struct dns_record *records; /* freed by dns_query_clear() */
    size_t record_count;
    uint32_t ttl_s;
    char words[160];  /* for people: what went wrong */
    struct post post; /* private */
    void *inner;      /* private */
};

/* False: too many queries are open, or memory is short (`words`). */
bool dns_ask(struct dns *, struct dns_query *);
void dns_cancel(struct dns *, struct dns_query *);
void dns_query_clear(struct dns_query *);

/* Parses one resource record's data; pure; for the fuzzer.  False: malformed. */
bool dns_parse_record(enum dns_type, struct bytes data, struct dns_record *out);

#endif
