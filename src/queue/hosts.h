/* hosts.h - which hosts to call for a route, one after the other (RFC 5321 5.1, RFC 7505).
 *
 * Asks DNS as it goes: first for the MX hosts, then for the addresses of all hosts of one
 * preference, and for the next preference only when all of those were tried.  A host that is this
 * server ends the list (route.h).  Where DNSSEC vouches for hosts and addresses, each host's TLSA
 * records are asked for too (dane.h).  On one loop.
 */
#ifndef QUEUE_HOSTS_H
#define QUEUE_HOSTS_H

#include "queue/dane.h"
#include "queue/office.h"
#include "queue/route.h"

struct hosts;

enum {
    HOSTS_ADDRESSES_MAX = 8, /* of one host */
    HOSTS_CALLS_MAX = 40,    /* in all: then the list ends */
    HOSTS_WORDS_MAX = 256,
};

struct hosts_options {
    const struct office *office;
    unsigned loop;              /* whose thread this is */
    const struct route *route;  /* copied */
    uint64_t seed;              /* decides among hosts of equal preference */
    void (*ready)(void *owner); /* after HOSTS_WAIT: ask again */
    void *owner;
};

enum hosts_verdict {
    HOSTS_CALL, /* *out: call this one */
    HOSTS_WAIT, /* DNS is asked; `ready` will come, never within a call */
    HOSTS_END,  /* there are no more; some were given */
    HOSTS_NONE, /* there was none at all: hosts_failure() */
};

struct hosts_call {
    struct endpoint endpoint;
    char name[DNS_NAME_MAX]; /* the host's, or its address in words */
    bool is_vouched_for;     /* the configuration names it, or DNSSEC vouches for the MX hosts */
    const struct dane *dane; /* NULL: nothing was asked; else it lives as long as the hosts */
};

/* Why there is nobody to call, or nobody more. */
struct hosts_failure {
    bool permanent;
    const char *status; /* RFC 3463 */
    char words[HOSTS_WORDS_MAX];
};

/* NULL: memory is short. */
struct hosts *hosts_new(const struct hosts_options *);
/* `ready` will not come. */
void hosts_free(struct hosts **);
enum hosts_verdict hosts_next(struct hosts *, struct hosts_call *out);
/* After HOSTS_NONE, and after HOSTS_END when some host could not be looked up now: that those who
 * were called refuse for good does not say what it would.  Else NULL.  Lives as long as the hosts.
 */
const struct hosts_failure *hosts_failure(const struct hosts *);

#endif
