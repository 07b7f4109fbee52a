/* dns_context.c - how the resolver library is set up.
 *
 * One context asks, caches and (or not) validates, through the given resolvers and never from the
 * root by itself.  Settings of the library that are not named here are its own.  Its words for
 * programmers go nowhere: what went wrong comes back with each answer.
 */
#include "run/dns_inner.h"

#include <errno.h>
#include <stdio.h>
#include <unbound.h>
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

static bool failed(struct error *e, int status, const char *what)
{
    enum error_kind kind = status == UB_NOMEM ? ERROR_TEMPORARY : ERROR_CONFIG;
    return error_set(e, kind, "the resolver cannot use %s: %s", what, ub_strerror(status));
}

static bool apply_settings(struct ub_ctx *context, struct error *e)
{
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        int status = ub_ctx_set_option(context, settings[i].name, settings[i].value);
        if (status != 0)
            return failed(e, status, settings[i].name);
    }
    return true;
}

static bool add_resolver(struct ub_ctx *context, const struct endpoint *resolver, struct error *e)
{
    char address[ENDPOINT_TEXT_MAX], text[ENDPOINT_TEXT_MAX + 8];
    endpoint_print_address(resolver, address);
    snprintf(text, sizeof text, "%s@%u", address, (unsigned)resolver->port);
    int status = ub_ctx_set_fwd(context, text);
    return status == 0 || failed(e, status, text);
}

/* Without the file, the resolver of this machine: resolv.conf(5). */
static bool add_system_resolvers(struct ub_ctx *context, struct error *e)
{
    static const char name[] = "/etc/resolv.conf";
    bool missing = access(name, F_OK) != 0 && errno == ENOENT;
    int status = missing ? ub_ctx_set_fwd(context, "127.0.0.1") : ub_ctx_resolvconf(context, name);
    return status == 0 || failed(e, status, name);
}

static bool add_resolvers(struct ub_ctx *context, const struct dns_options *options,
                          struct error *e)
{
    if (options->resolver_count == 0)
        return add_system_resolvers(context, e);
    for (size_t i = 0; i < options->resolver_count; i++)
        if (!add_resolver(context, &options->resolvers[i], e))
            return false;
    return true;
}

static bool add_anchor_file(struct ub_ctx *context, const char *name, struct error *e)
{
    /* The library reads it with its first query: too late to say what is wrong with it. */
    if (access(name, R_OK) != 0)
        return error_system(e, ERROR_CONFIG, errno, "cannot read the trust anchors %s", name);
    int status = ub_ctx_add_ta_file(context, name);
    return status == 0 || failed(e, status, name);
}

static bool add_anchors(struct ub_ctx *context, const char *name, struct error *e)
{
    if (name)
        return add_anchor_file(context, name, e);
    if (access(system_anchors, R_OK) == 0)
        return add_anchor_file(context, system_anchors, e);
    for (size_t i = 0; i < sizeof root_anchors / sizeof root_anchors[0]; i++) {
        int status = ub_ctx_add_ta(context, root_anchors[i]);
        if (status != 0)
            return failed(e, status, "the root's trust anchors");
    }
    return true;
}

static bool choose_modules(struct ub_ctx *context, const struct dns_options *options,
                           bool validates, struct error *e)
{
    if (validates)
        return add_anchors(context, options->anchors, e);
    int status = ub_ctx_set_option(context, "module-config:", "iterator");
    return status == 0 || failed(e, status, "module-config:");
}

static bool add_hosts(struct ub_ctx *context, const char *name, struct error *e)
{
    int status = name ? ub_ctx_hosts(context, name) : 0;
    return status == 0 || failed(e, status, name);
}

static void forget(void *nobody, int status, struct ub_result *result)
{
    (void)nobody;
    (void)status;
    ub_resolve_free(result);
}

/* The library starts its thread and opens its descriptors with the first question, which takes a
 * moment, and ends the whole process when there is no descriptor left.  So it is asked at once,
 * when nobody waits and nothing is short, something that it knows by itself. */
static bool wake_up(struct ub_ctx *context, struct error *e)
{
    enum { TYPE_A = 1, CLASS_IN = 1 };
    int status = ub_resolve_async(context, "localhost", TYPE_A, CLASS_IN, NULL, forget, NULL);
    return status == 0 || failed(e, status, "its thread");
}

bool dns_context_new(const struct dns_options *options, bool validates, struct ub_ctx **out,
                     struct error *e)
{
    *out = NULL;
    struct ub_ctx *context = ub_ctx_create();
    if (!context)
        return error_system(e, ERROR_TEMPORARY, errno, "cannot make a resolver");
    ub_ctx_debugout(context, NULL);
    int status = ub_ctx_async(context, 1);
    bool good = status == 0 || failed(e, status, "threads");
    if (!good || !apply_settings(context, e) || !add_resolvers(context, options, e) ||
        !add_hosts(context, options->hosts, e) || !choose_modules(context, options, validates, e) ||
        !wake_up(context, e)) {
        ub_ctx_delete(context);
        return false;
    }
    *out = context;
    return true;
}
