/* sts.h - MTA-STS: what a domain publishes about TLS to its hosts (RFC 8461): the TXT record that
 * says there is a policy, and the policy itself.
 */
#ifndef MAIL_STS_H
#define MAIL_STS_H

#include "base/text.h"

enum {
    STS_ID_MAX = 32,
    STS_POLICY_MAX = 64 * 1024, /* octets (RFC 8461 3.3) */
    STS_PATTERNS_MAX = 100,     /* a policy with more is none */
    STS_AGE_MAX_S = 31557600    /* RFC 8461 3.2: about a year */
};

/* The record among all TXT records of _mta-sts.DOMAIN (RFC 8461 3.1): those that begin with
 * "v=STSv1;" are counted, and there must be one that makes sense.  False: the domain publishes no
 * policy.  The id is borrowed from the records. */
bool sts_choose_record(const struct text *records, size_t count, struct text *id_out);

enum sts_mode { STS_MODE_NONE, STS_MODE_TESTING, STS_MODE_ENFORCE };

struct sts_policy {
    enum sts_mode mode;
    uint32_t age_s;                         /* how long it counts from when it was fetched */
    struct text patterns[STS_PATTERNS_MAX]; /* of hosts; borrowed from what was read */
    size_t pattern_count;
};

/* Reads a policy (RFC 8461 3.2).  NULL, or why it is none. */
const char *sts_read_policy(struct text, struct sts_policy *out);
/* Whether it names the host (RFC 8461 4.1): a canonical name without a dot at its end. */
bool sts_names_host(const struct sts_policy *, struct text host);
/* "enforce" and so on. */
const char *sts_mode_name(enum sts_mode);

#endif
