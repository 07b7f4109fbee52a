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

/* AUTO validates when the resolvers return a signed root DNSKEY; asked at the start, and again (at
 * growing intervals) only as long as no resolver says anything about it.  REQUIRE validates always:
 * with resolvers that hide signatures every answer is bogus. */
enum dns_security { DNS_SECURITY_AUTO, DNS_SECURITY_OFF, DNS_SECURITY_REQUIRE };

struct dns_options {
    const struct endpoint *resolvers; /* none: the system's, /etc/resolv.conf */
    size_t resolver_count;
    enum dns_security security;
    /* A file of trust anchors (DS or DNSKEY records) instead of the root's own; NULL: the system's
     * copy of the root key, else the one compiled in. */
    const char *anchors;
    const char *hosts; /* a file like hosts(5), whose names count before the answers; NULL: none */
};

/* One resolver for a server, with threads of its own: call it after the sandbox, from one thread at
 * a time.  The library's built-in local zones (test, home.arpa, private reverse zones) are switched
 * off, except `localhost`.  Resolvers are read once: what changes in /etc/resolv.conf later counts
 * for the next dns_new(). */
bool dns_new(const struct dns_options *, struct dns **out, struct error *);
/* No query may be open, unless it was cancelled. */
void dns_free(struct dns **);
/* Any thread.  Whether answers are validated; with AUTO false until it is known. */
bool dns_validates(const struct dns *);

enum dns_type {
    DNS_A = 1,
    DNS_CNAME = 5, /* the alias itself: where it leads is not followed */
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
    DNS_NO_NAME, /* NXDOMAIN, or what was asked for cannot be a domain name */
    DNS_TROUBLE, /* SERVFAIL, time-out, bogus, nonsense: temporary */
};

enum {
    DNS_NAME_MAX = 254,    /* RFC 1035 2.3.4: 255 octets on the wire; terminated text */
    DNS_RECORDS_MAX = 200, /* of an answer; what stands behind is left out */
    DNS_OPEN_MAX = 512,    /* queries of all loops at once */
    DNS_ANSWER_MS = 30000, /* then a query is DNS_TROUBLE */
};

/* A record of the type asked for; names are canonical (lower case, no dot at the end, "" is the
 * root) and have only letters, digits, '-' and '_' in their labels. */
struct dns_record {
    uint16_t preference;     /* MX; SRV: priority */
    uint16_t weight, port;   /* SRV */
    char name[DNS_NAME_MAX]; /* CNAME, MX, SRV, PTR */
    struct endpoint address; /* A, AAAA; port 0 */
    struct bytes data;       /* TXT (strings joined), TLSA (all of it); lives as long as records */
};

struct dns_query {
    const char *name; /* an A-label domain, with or without a dot at the end; copied by dns_ask() */
    enum dns_type type;
    struct loop *home;
    void (*done)(struct dns_query *); /* on home, exactly once unless cancelled */

    enum dns_verdict verdict;
    bool secure;                /* validated, the absence of records too */
    bool bogus;                 /* validation failed: why is in words */
    struct dns_record *records; /* freed by dns_query_clear() */
    size_t record_count;
    uint32_t ttl_s;
    char canonical[DNS_NAME_MAX]; /* the name that CNAMEs led to (RFC 7672 2.2.2); "" without */
    char words[160];              /* for people: what went wrong; printable ASCII */
    void *inner;                  /* private */
};

/* On the query's home, as the next two.  Fills what is above from `verdict` on.  False: too many
 * queries are open, or memory is short (`words`); then `done` is not called. */
bool dns_ask(struct dns *, struct dns_query *);
/* `done` will not be called; the query may be freed.  Harmless on one that is not open. */
void dns_cancel(struct dns *, struct dns_query *);
/* Frees the answer. */
void dns_query_clear(struct dns_query *);

/* Parses one resource record's data (names without compression); pure; for the fuzzer.  `room` must
 * have data.len octets: what `out->data` holds is written there.  False: malformed. */
bool dns_parse_record(enum dns_type, struct bytes data, uint8_t *room, struct dns_record *out);

#endif
