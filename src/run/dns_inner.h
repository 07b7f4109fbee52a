/* dns_inner.h - what the files of the resolver share.  Private to src/run.
 */
#ifndef RUN_DNS_INNER_H
#define RUN_DNS_INNER_H

#include "run/dns.h"

struct ub_ctx;
struct ub_result;

/* Whether it can be a domain name at all: labels of 1 to 63 printable octets without a backslash
 * (which the library would take as an escape), 253 in all; one dot at the end is allowed. */
bool dns_name_possible(struct text);
/* Writes a name that the library printed in canonical form; "" when it is not one of ours. */
void dns_name_canonical(struct text, char out[DNS_NAME_MAX]);

const char *dns_type_name(enum dns_type);
/* Fills verdict, records and all that belongs to them from the library's answer. */
void dns_take_result(struct dns_query *, const struct ub_result *);
/* Makes the query's verdict DNS_TROUBLE. */
void dns_trouble(struct dns_query *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A context of the library, not yet at work; its first query starts a thread. */
bool dns_context_new(const struct dns_options *, bool validates, struct ub_ctx **out,
                     struct error *);

#endif
