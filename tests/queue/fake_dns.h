/* fake_dns.h - a resolver that knows what the test tells it, instead of run/dns.c. */
#ifndef TESTS_QUEUE_FAKE_DNS_H
#define TESTS_QUEUE_FAKE_DNS_H

#include "run/dns.h"

struct dns {
    /* Lines like "b.test MX 10 mx.b.test", "mx.b.test A 192.0.2.1", "gone.test TROUBLE" (of every
     * type), "sick.test TROUBLE A", "alias.test CNAME mx.b.test",
     * "_25._tcp.mx.b.test TLSA 3 1 1", "b.test TXT words"; a name without a line does not exist.
     * The last is NULL. */
    const char *const *zone;
    bool secure;       /* all answers are, but about names with a line "NAME INSECURE" */
    unsigned refusals; /* so many questions find no room */
    bool holds;        /* answers nothing */
    unsigned asked, open;
};

#endif
