/* check_records.h - what DNS records mean for a mail server.  Pure.  Private to godwit check. */
#ifndef CLI_CHECK_RECORDS_H
#define CLI_CHECK_RECORDS_H

#include "base/net.h"

/* Where the PTR record of an address stands (RFC 1035 3.5, RFC 3596 2.5), terminated. */
enum { RECORDS_REVERSE_MAX = 80 };
const char *records_reverse(const struct endpoint *, char out[RECORDS_REVERSE_MAX]);

/* A name that public DNS does not have: one label, or reserved for tests (RFC 6761). */
bool records_is_private(struct text name);

/* Whether a TXT record is an SPF record (RFC 7208 4.5). */
bool records_is_spf(struct text txt);

enum spf_view {
    SPF_COVERS, /* mail from us passes */
    SPF_MISSES, /* it does not */
    SPF_OPEN,   /* depends on other records: include, redirect, other names */
};
/* Who would send. */
struct spf_sender {
    struct text domain, hostname;
    bool is_mx; /* one of the domain's MX hosts is the sender */
    const struct endpoint *addresses;
    size_t address_count;
};
/* What can be said without asking for more: the terms in their order, RFC 7208 4.6.2. */
enum spf_view records_spf(struct text record, const struct spf_sender *);

#endif
