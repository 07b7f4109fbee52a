/* dns_context.c - how the resolver library is set up.
 *
 * One context asks, caches and (or not) validates, through the given resolvers and never from the
 * root by itself.  Settings of the library that are not named here are its own.  Its words for
 * programmers go nowhere: what went wrong comes back with each answer.
 */
#include "run/dns_inner.h"

#include "run/late.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

struct setting {
    const char *name;
    const char *value;
};

static const struct setting settings[] = {
    { "do-not-query-localhost:", "no" },
    /* A port of its own for each open query: the slow ones never wait for each other. */
    { "outgoing-range:", "512" },
    { "outgoing-num-tcp:", "32" },
    { "msg-cache-size:", "8m" },
    { "rrset-cache-size:", "16m" },
    /* A domain that was mended is reached again soon; the resolvers have the large caches. */
    { "cache-max-ttl:", "3600" },
    { "cache-max-negative-ttl:", "300" },
    { "val-bogus-ttl:", "60" },
    /* The library takes a resolver that is slow about some domains for dead, and then says SERVFAIL
     * for all others too.  -1 makes it forget at once what it thinks of a resolver, so that one
     * dead domain never delays another; each try then lasts 2 s, and there are six of them. */
    { "infra-host-ttl:", "-1" },
    { "infra-cache-min-rtt:", "2000" },
    { "outbound-msg-retry:", "3" },
    /* Validators that count themselves (RFC 8145): our resolvers do that. */
    { "trust-anchor-signaling:", "no" },
    /* The reverse zones of private networks: ask, and never expect signatures. */
    { "unblock-lan-zones:", "yes" },
    { "insecure-lan-zones:", "yes" },
    /* The library's own zones, made to let questions pass.  Removing one hangs in 1.17. */
    { "local-zone:", "test. transparent" },
    { "local-zone:", "invalid. transparent" },
    { "local-zone:", "onion. transparent" },
    { "local-zone:", "home.arpa. transparent" },
    { "local-zone:", "127.in-addr.arpa. transparent" },
    { "local-zone:", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa. "
                     "transparent" },
    /* Names that the root proves not to exist, and that private resolvers may know all the same
     * (RFC 6761, RFC 8375). */
    { "domain-insecure:", "test." },
    { "domain-insecure:", "internal." },
    { "domain-insecure:", "home.arpa." },
    { "domain-insecure:", "127.in-addr.arpa." },
};

static const char system_anchors[] = "/usr/share/dns/root.key";

/* The root's key signing keys of 2017 and 2024, as IANA publishes them. */
static const char *const root_anchors[] = {
    ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
    ". IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
};

#define CALL(name) LATE_CALL(struct dns_library, ub_, name)

static const struct late_call calls[] = {
    CALL(cancel),         CALL(ctx_add_ta),    CALL(ctx_add_ta_file), CALL(ctx_async),
    CALL(ctx_create),     CALL(ctx_debugout),  CALL(ctx_delete),      CALL(ctx_hosts),
    CALL(ctx_resolvconf), CALL(ctx_set_fwd),   CALL(ctx_set_option),  CALL(fd),
    CALL(process),        CALL(resolve_async), CALL(resolve_free),    CALL(strerror),
};

bool dns_library_load(struct dns_library *out, struct error *e)
{
    return late_load("libunbound.so.8", LATE_LOAD, calls, sizeof calls / sizeof *calls, out, e);
}

/* A context while it is made. */
struct making {
    const struct dns_library *lib;
    struct ub_ctx *context;
    struct error *error;
};

static bool failed(const struct making *m, int status, const char *what)
{
    enum error_kind kind = status == UB_NOMEM ? ERROR_TEMPORARY : ERROR_CONFIG;
    return error_set(m->error, kind, "the resolver cannot use %s: %s", what,
                     m->lib->strerror(status));
}

static bool apply_settings(const struct making *m)
{
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        int status = m->lib->ctx_set_option(m->context, settings[i].name, settings[i].value);
        if (status != 0)
            return failed(m, status, settings[i].name);
    }
    return true;
}

static bool add_resolver(const struct making *m, const struct endpoint *resolver)
{
    char address[ENDPOINT_TEXT_MAX], text[ENDPOINT_TEXT_MAX + 8];
    endpoint_print_address(resolver, address);
    snprintf(text, sizeof text, "%s@%u", address, (unsigned)resolver->port);
    int status = m->lib->ctx_set_fwd(m->context, text);
    return status == 0 || failed(m, status, text);
}

/* Without the file, the resolver of this machine: resolv.conf(5). */
static bool add_system_resolvers(const struct making *m)
{
    static const char name[] = "/etc/resolv.conf";
    bool missing = access(name, F_OK) != 0 && errno == ENOENT;
    int status = missing ? m->lib->ctx_set_fwd(m->context, "127.0.0.1")
                         : m->lib->ctx_resolvconf(m->context, name);
    return status == 0 || failed(m, status, name);
}

static bool add_resolvers(const struct making *m, const struct dns_options *options)
{
    if (options->resolver_count == 0)
        return add_system_resolvers(m);
    for (size_t i = 0; i < options->resolver_count; i++)
        if (!add_resolver(m, &options->resolvers[i]))
            return false;
    return true;
}

static bool add_anchor_file(const struct making *m, const char *name)
{
    /* The library reads it with its first query: too late to say what is wrong with it. */
    if (access(name, R_OK) != 0)
        return error_system(m->error, ERROR_CONFIG, errno, "cannot read the trust anchors %s",
                            name);
    int status = m->lib->ctx_add_ta_file(m->context, name);
    return status == 0 || failed(m, status, name);
}

static bool add_anchors(const struct making *m, const char *name)
{
    if (name)
        return add_anchor_file(m, name);
    if (access(system_anchors, R_OK) == 0)
        return add_anchor_file(m, system_anchors);
    for (size_t i = 0; i < sizeof root_anchors / sizeof root_anchors[0]; i++) {
        int status = m->lib->ctx_add_ta(m->context, root_anchors[i]);
        if (status != 0)
            return failed(m, status, "the root's trust anchors");
    }
    return true;
}

static bool choose_modules(const struct making *m, const struct dns_options *options,
                           bool validates)
{
    if (validates)
        return add_anchors(m, options->anchors);
    int status = m->lib->ctx_set_option(m->context, "module-config:", "iterator");
    return status == 0 || failed(m, status, "module-config:");
}

static bool add_hosts(const struct making *m, const char *name)
{
    int status = name ? m->lib->ctx_hosts(m->context, name) : 0;
    return status == 0 || failed(m, status, name);
}

static void forget(void *library, int status, struct ub_result *result)
{
    const struct dns_library *lib = library;
    (void)status;
    lib->resolve_free(result);
}

/* The library starts its thread and opens its descriptors with the first question, which takes a
 * moment, and ends the whole process when there is no descriptor left.  So it is asked at once,
 * when nobody waits and nothing is short, something that it knows by itself. */
static bool wake_up(const struct making *m)
{
    enum { TYPE_A = 1, CLASS_IN = 1 };
    int status = m->lib->resolve_async(m->context, "localhost", TYPE_A, CLASS_IN,
                                       (void *)(uintptr_t)m->lib, forget, NULL);
    return status == 0 || failed(m, status, "its thread");
}

bool dns_context_new(const struct dns_library *library, const struct dns_options *options,
                     bool validates, struct ub_ctx **out, struct error *e)
{
    struct making making = { library, library->ctx_create(), e };
    const struct making *m = &making;
    *out = NULL;
    if (!m->context)
        return error_system(e, ERROR_TEMPORARY, errno, "cannot make a resolver");
    library->ctx_debugout(m->context, NULL);
    int status = library->ctx_async(m->context, 1);
    bool good = status == 0 || failed(m, status, "threads");
    if (!good || !apply_settings(m) || !add_resolvers(m, options) ||
        !add_hosts(m, options->hosts) || !choose_modules(m, options, validates) || !wake_up(m)) {
        library->ctx_delete(m->context);
        return false;
    }
    *out = m->context;
    return true;
}
