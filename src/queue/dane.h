/* dane.h - what TLSA records say of a host that is to be called (RFC 7672).  Pure: answers of DNS
 * in, the next question or a finding out.
 *
 *     dane_begin -> while dane_asks(): ask, dane_take -> .finding
 *
 * Only what DNSSEC vouches for counts: without it whoever sits between could publish a key too.
 *
 *   step       what is asked                                           left for
 *   ALIAS      is the host's name a secure alias, though what it leads  NAME, OVER
 *              to is not secure?
 *   EXPANDED   TLSA of the name that aliases led to                     NAME, OVER
 *   NAME       TLSA of the host's name                                  OVER
 *   OVER       nothing: the finding holds
 */
#ifndef QUEUE_DANE_H
#define QUEUE_DANE_H

#include "run/dns.h"
#include "run/tls.h"

enum {
    DANE_USED_MAX = 32,                    /* records; what stands behind is left out */
    DANE_NAMES_MAX = 2,                    /* a certificate may have besides the host's */
    DANE_QUESTION_MAX = DNS_NAME_MAX + 16, /* "_65535._tcp." and a name */
};

enum dane_finding {
    DANE_NOTHING,  /* no records that count */
    DANE_UNUSABLE, /* records, but none that can be used (RFC 7672 2.2): encrypted, to anybody */
    DANE_USABLE,
    DANE_TROUBLE, /* nobody knows now, .answer.words says why: the host must not be called */
};

enum dane_step { DANE_ALIAS, DANE_EXPANDED, DANE_NAME, DANE_OVER };

struct dane {
    enum dane_finding finding;
    /* USABLE: */
    struct text base; /* the TLSA base domain: who is asked for, and named by a certificate */
    struct tls_association used[DANE_USED_MAX]; /* their data is in .answer */
    size_t used_count;
    struct text names[DANE_NAMES_MAX]; /* of the next hop (RFC 7672 3.2.2) */
    size_t name_count;

    enum dane_step step;
    uint16_t port;
    char host[DNS_NAME_MAX], expanded[DNS_NAME_MAX];
    struct dns_query answer; /* the last one */
};

/* What was learnt of a host's addresses.  Borrowed for the call, but for the names. */
struct dane_host {
    const char *name; /* canonical */
    uint16_t port;
    const struct dns_query *addresses[2]; /* the answers about AAAA and A */
    /* Of the next hop: what the hosts were found by, and what aliases of that led to; "" none. */
    struct text names[DANE_NAMES_MAX];
};
void dane_begin(struct dane *, const struct dane_host *);
/* Whether something is to be asked, and what. */
bool dane_asks(const struct dane *, char name_out[DANE_QUESTION_MAX], enum dns_type *type_out);
/* The answer; its records are taken over. */
void dane_take(struct dane *, struct dns_query *answer);
/* Frees what it holds; harmless on a zeroed one. */
void dane_clear(struct dane *);

#endif
