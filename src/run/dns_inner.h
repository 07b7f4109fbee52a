/* dns_inner.h - what the files of the resolver share.  Private to src/run.
 */
#ifndef RUN_DNS_INNER_H
#define RUN_DNS_INNER_H

#include "run/dns.h"

#include <unbound.h>

/* What is called of libunbound, which is loaded by the first resolver (run/late.h). */
struct dns_library {
    typeof(ub_cancel) *cancel;
    typeof(ub_ctx_add_ta) *ctx_add_ta;
    typeof(ub_ctx_add_ta_file) *ctx_add_ta_file;
    typeof(ub_ctx_async) *ctx_async;
    typeof(ub_ctx_create) *ctx_create;
    typeof(ub_ctx_debugout) *ctx_debugout;
    typeof(ub_ctx_delete) *ctx_delete;
    typeof(ub_ctx_hosts) *ctx_hosts;
    typeof(ub_ctx_resolvconf) *ctx_resolvconf;
    typeof(ub_ctx_set_fwd) *ctx_set_fwd;
    typeof(ub_ctx_set_option) *ctx_set_option;
    typeof(ub_fd) *fd;
    typeof(ub_process) *process;
    typeof(ub_resolve_async) *resolve_async;
    typeof(ub_resolve_free) *resolve_free;
    typeof(ub_strerror) *strerror;
};

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

bool dns_library_load(struct dns_library *, struct error *);

/* A context of the library, not yet at work; its first query starts a thread.  `library` outlives
 * it. */
bool dns_context_new(const struct dns_library *library, const struct dns_options *, bool validates,
                     struct ub_ctx **out, struct error *);

#endif
