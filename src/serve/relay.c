/* relay.c - the server's way out: a resolver, and the dispatch of its queue.
 *
 * A reload may bring another resolver.  Whoever is in the middle of asking stays with the old one,
 * for as long as a call to many hosts may take; it is therefore kept until the end.  A few of them
 * cost little, and with the last one the log says that a further change needs a restart.
 */
#include "serve/relay.h"

#include "queue/dispatch.h"
#include "run/interfaces.h"
#include "serve/office.h"

#include <stdlib.h>
#include <string.h>

/* That a process can have had; then a restart. */
enum { RESOLVERS_MAX = 32, CONTEXTS_MAX = 32 };

enum { FETCHERS = 2, FETCHES_MAX = 64 };

struct relay {
    struct server *server;
    struct office office;
    struct tls_context *contexts[CONTEXTS_MAX]; /* likewise */
    size_t context_count;
    char *ca; /* the last one's */
    struct lane *fetchers;
    struct dns *resolvers[RESOLVERS_MAX]; /* the last one is in use */
    size_t resolver_count;
    /* What it was made from. */
    struct endpoint *asked;
    size_t asked_count;
    enum dnssec dnssec;
    char *anchors;
};

static enum dns_security security_of(enum dnssec dnssec)
{
    static const enum dns_security securities[] = {
        [DNSSEC_AUTO] = DNS_SECURITY_AUTO,
        [DNSSEC_OFF] = DNS_SECURITY_OFF,
        [DNSSEC_REQUIRE] = DNS_SECURITY_REQUIRE,
    };
    return securities[dnssec];
}

static bool keep_asked(struct relay *r, const struct config *c)
{
    struct endpoint *copy = calloc(c->resolver_count + 1, sizeof *copy);
    char *anchors = copy ? strndup(c->anchors.at, c->anchors.len) : NULL;
    if (!anchors) {
        free(copy);
        return false;
    }
    if (c->resolver_count)
        memcpy(copy, c->resolvers, c->resolver_count * sizeof *copy);
    free(r->asked);
    free(r->anchors);
    r->anchors = anchors;
    r->asked = copy;
    r->asked_count = c->resolver_count;
    r->dnssec = c->dnssec;
    return true;
}

static bool is_same(const struct relay *r, const struct config *c)
{
    if (r->asked_count != c->resolver_count || r->dnssec != c->dnssec ||
        !text_equal(text_of(r->anchors), c->anchors))
        return false;
    for (size_t i = 0; i < r->asked_count; i++)
        if (!endpoint_equal_address(&r->asked[i], &c->resolvers[i]) ||
            r->asked[i].port != c->resolvers[i].port)
            return false;
    return true;
}

static bool set_resolver(struct relay *r, struct error *error)
{
    const struct config *c = r->server->settings->config;
    struct dns_options options = {
        .resolvers = c->resolvers,
        .resolver_count = c->resolver_count,
        .security = security_of(c->dnssec),
        .anchors = c->anchors.len ? c->anchors.at : NULL,
    };
    struct dns *dns;
    if (r->resolver_count == RESOLVERS_MAX)
        return error_set(error, ERROR_REFUSED,
                         "changed %d times: needs a restart; the old value stays in effect",
                         RESOLVERS_MAX);
    if (!dns_new(&options, &dns, error))
        return false;
    if (!keep_asked(r, c)) {
        dns_free(&dns);
        return error_set(error, ERROR_TEMPORARY, "memory is short");
    }
    r->resolvers[r->resolver_count++] = dns;
    atomic_store(&r->office.dns, dns);
    return true;
}

/* Without it mail that may go in the clear does, and the rest waits. */
static void open_tls(struct relay *r)
{
    struct error error;
    const struct config *c = r->server->settings->config;
    struct tls_context *context = NULL;
    char *ca = strndup(c->relay_ca.at, c->relay_ca.len);
    if (!ca || r->context_count == CONTEXTS_MAX)
        server_note(r->server, LOG_WARNING, "tls", "relay: ca is not taken: needs a restart");
    else if (!tls_client_context_new(ca[0] ? ca : NULL, &context, &error))
        server_note(r->server, LOG_WARNING, "tls", error.words);
    if (!context) {
        free(ca);
        return;
    }
    free(r->ca);
    r->ca = ca;
    r->contexts[r->context_count++] = context;
    atomic_store(&r->office.tls, context);
}

static bool open_fetchers(struct relay *r, struct error *error)
{
    bool opened = lane_new("policies", FETCHERS, FETCHES_MAX, &r->fetchers, error);
    r->office.fetchers = r->fetchers;
    return opened;
}

bool relay_new(struct server *server, struct relay **out, struct error *error)
{
    struct relay *r = calloc(1, sizeof *r);
    *out = r;
    if (!r)
        return error_set(error, ERROR_TEMPORARY, "memory is short");
    r->server = server;
    office_fill(server, &r->office);
    r->office.cache = server->cache;
    r->office.address_count = interfaces_list(r->office.addresses, OFFICE_ADDRESSES_MAX);
    server->office = &r->office;
    open_tls(r);
    return open_fetchers(r, error) && set_resolver(r, error) &&
           dispatch_new(&r->office, &server->dispatch, error);
}

void relay_start(struct relay *r)
{
    dispatch_start(r->server->dispatch);
}

void relay_reconfigure(struct relay *r)
{
    struct error error;
    if (!is_same(r, r->server->settings->config) && !set_resolver(r, &error))
        server_note(r->server, LOG_ERROR, "dns", error.words);
    if (!r->ca || !text_equal(text_of(r->ca), r->server->settings->config->relay_ca))
        open_tls(r);
    dispatch_start(r->server->dispatch);
}

void relay_stop(struct relay *r)
{
    atomic_store(&r->office.fetches_stop, true);
    dispatch_stop(r->server->dispatch);
}

void relay_free(struct relay **relay)
{
    struct relay *r = *relay;
    *relay = NULL;
    if (!r)
        return;
    atomic_store(&r->office.fetches_stop, true);
    lane_free(&r->fetchers);
    dispatch_free(&r->server->dispatch);
    r->server->office = NULL;
    for (size_t i = 0; i < r->resolver_count; i++)
        dns_free(&r->resolvers[i]);
    for (size_t i = 0; i < r->context_count; i++)
        tls_context_free(&r->contexts[i]);
    free(r->ca);
    free(r->asked);
    free(r->anchors);
    free(r);
}
