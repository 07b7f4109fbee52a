/* tls_rule.h - what TLS with a host has to be like: the one place where all that has a say in it is
 * weighed.  Pure.  docs/outgoing-tls.md has it as a table.
 */
#ifndef QUEUE_TLS_RULE_H
#define QUEUE_TLS_RULE_H

#include "config/config.h"
#include "mail/sts.h"
#include "proto/smtp_client.h"
#include "queue/dane.h"
#include "queue/tls_need.h"

/* All that has a say. */
struct tls_voices {
    enum relay_tls setting; /* of the route */
    enum dane_finding dane; /* of the host */
    bool validated;         /* whether answers of DNS are; only for words */
    enum sts_mode sts;      /* of the domain's policy */
    bool sts_names_host;
    bool tls_first;      /* TLS begins with the connection: nothing is said in the clear */
    enum tls_need need;  /* of the mail itself */
    bool is_vouched_for; /* that this is a host to be called: the configuration names it, or
                            DNSSEC vouches for the list of MX hosts */
};

struct tls_rule {
    enum smtp_client_tls wish;
    enum tls_verify verify;
    bool or_clear;       /* when the handshake fails, the host is called again without TLS */
    const char *by;      /* who decided: "setting", "dane", "mta-sts", "requiretls" */
    const char *refusal; /* NULL, or why this host must not be called */
    bool is_for_good;    /* ... and will not do later either, as things are published */
};

struct tls_rule tls_rule_for(const struct tls_voices *);

#endif
