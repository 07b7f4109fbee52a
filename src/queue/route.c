/* route.c - where a domain's mail goes next.
 *
 * Pure: asks no DNS and opens nothing.  The configuration is looked at anew each time, so that what
 * a reload changes reaches mail that is waiting already.
 */
#include "queue/route.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>

enum { PORT_SMTP = 25, PORT_SUBMISSION = 587, PORT_SUBMISSIONS = 465 };

static void set_host(struct route *r, struct text host)
{
    CHECK(host.len < sizeof r->host);
    if (host.len)
        memcpy(r->host, host.at, host.len);
    r->host[host.len] = 0;
}

static void set_endpoint(struct route *r, const struct endpoint *e)
{
    char words[ENDPOINT_TEXT_MAX];
    r->endpoint = *e;
    r->port = e->port;
    r->has_endpoint = true;
    set_host(r, endpoint_print_address(e, words));
}

/* "host[:port]" as the configuration took it. */
static void take_host(struct text hop, uint16_t standard_port, struct route *out)
{
    struct endpoint e;
    struct text host;
    uint64_t port = standard_port;
    out->kind = ROUTE_HOST;
    if (endpoint_parse_address(hop, &e)) {
        e.port = standard_port;
        set_endpoint(out, &e);
        return;
    }
    if (endpoint_parse(hop, &e)) {
        set_endpoint(out, &e);
        return;
    }
    if (text_cut(&hop, ':', &host))
        CHECK(text_to_u64(hop, &port));
    out->port = (uint16_t)port;
    enum address_verdict verdict = address_parse_domain(host, out->host);
    CHECK(verdict == ADDRESS_OK || verdict == ADDRESS_NO_MEMORY);
    if (verdict == ADDRESS_NO_MEMORY)
        out->kind = ROUTE_TROUBLE;
}

static bool is_this_machine(const struct route *r)
{
    return r->has_endpoint ? endpoint_is_loopback(&r->endpoint)
                           : text_equal_nocase(text_of(r->host), T("localhost"));
}

/* A host that the configuration names, and how it is spoken to. */
struct hop {
    struct text name;
    const struct config_login *login;
    enum tls_begins tls_begins;
};

static struct hop smarthost_of(const struct config *c)
{
    return (struct hop){ c->smarthost, &c->smarthost_login, c->smarthost_tls_begins };
}

static struct hop host_of(const struct config_route *route)
{
    return (struct hop){ route->host, &route->login, route->tls_begins };
}

static void take_hop(const struct config *c, const struct hop *hop, struct route *out)
{
    struct text user = hop->login->user;
    bool logs_in = user.len > 0;
    take_host(hop->name, logs_in ? PORT_SUBMISSION : PORT_SMTP, out);
    out->tls_first = hop->tls_begins == TLS_BEGINS_CONNECT ||
                     (hop->tls_begins == TLS_BEGINS_AUTO && out->port == PORT_SUBMISSIONS);
    snprintf(out->user, sizeof out->user, "%.*s", TEXT_ARGS(user));
    if (logs_in && !c->relay_tls_written && !is_this_machine(out))
        out->tls = RELAY_TLS_VERIFY;
}

static const struct config_route *find_route(const struct config *c, struct text domain)
{
    for (size_t i = 0; i < c->route_count; i++)
        if (text_equal_nocase(c->routes[i].domain, domain))
            return &c->routes[i];
    return NULL;
}

/* In the form that a canonical address has (RFC 5321 4.1.3). */
static bool take_literal(struct text domain, struct endpoint *out)
{
    if (domain.len < 2 || domain.at[0] != '[')
        return false;
    struct text inside = { domain.at + 1, domain.len - 2 };
    text_take_nocase(&inside, T("IPv6:"));
    return endpoint_parse_address(inside, out);
}

static void take_own_tls(const struct config_route *own, struct route *out)
{
    if (!own || own->tls == RELAY_TLS_AS_RELAY || out->kind == ROUTE_LOCAL)
        return;
    out->tls = own->tls;
    out->own_tls = true;
}

void route_for(const struct config *c, struct text name, struct route *out)
{
    struct endpoint e;
    struct text domain = name;
    enum tls_need need = tls_need_take(&domain);
    const struct config_route *own = find_route(c, domain);
    struct hop hop;
    *out = (struct route){ .port = c->relay_port, .tls = c->relay_tls, .need = need };
    if (config_domain(c, domain)) {
        out->kind = ROUTE_LOCAL;
        out->tls = RELAY_TLS_NONE; /* nothing leaves this machine */
        out->need = TLS_NEED_NONE;
        set_host(out, domain);
    } else if (own && own->host.len) {
        hop = host_of(own);
        take_hop(c, &hop, out);
    } else if (c->smarthost.len) {
        hop = smarthost_of(c);
        take_hop(c, &hop, out);
    } else if (take_literal(domain, &e)) {
        e.port = c->relay_port;
        out->kind = ROUTE_LITERAL;
        set_endpoint(out, &e);
    } else {
        out->kind = ROUTE_MX;
        set_host(out, domain);
    }
    take_own_tls(own, out);
}

static bool leads_to(const struct config *c, const struct hop *hop, const struct route *route)
{
    struct route other = { .kind = ROUTE_HOST };
    if (hop->name.len == 0 || !text_equal(hop->login->user, text_of(route->user)))
        return false;
    take_hop(c, hop, &other);
    return other.port == route->port && text_equal(text_of(other.host), text_of(route->host));
}

const struct config_login *route_login(const struct config *c, const struct route *route)
{
    struct hop hop = smarthost_of(c);
    CHECK(route->kind == ROUTE_HOST);
    if (leads_to(c, &hop, route))
        return hop.login;
    for (size_t i = 0; i < c->route_count; i++) {
        hop = host_of(&c->routes[i]);
        if (leads_to(c, &hop, route))
            return hop.login;
    }
    return NULL;
}

/* Mail with other wishes for TLS must not share connections. */
static const char *own_tls_words(const struct route *route)
{
    static const char *const words[] = {
        [RELAY_TLS_NONE] = " with tls = none",       [RELAY_TLS_MAY] = " with tls = may",
        [RELAY_TLS_ENCRYPT] = " with tls = encrypt", [RELAY_TLS_VERIFY] = " with tls = verify",
        [RELAY_TLS_DANE] = " with tls = dane",       [RELAY_TLS_AS_RELAY] = "",
    };
    return route->own_tls ? words[route->tls] : "";
}

/* Nor must mail that wants more, or less, of it than other mail. */
static const char *before_need(const struct route *route)
{
    bool has_words = route->kind == ROUTE_HOST && own_tls_words(route)[0];
    return route->need == TLS_NEED_NONE ? "" : has_words ? " and " : " with ";
}

static void print_kind(const struct route *route, char out[ROUTE_TEXT_MAX])
{
    switch (route->kind) {
    case ROUTE_MX:
        snprintf(out, ROUTE_TEXT_MAX, "%s", route->host);
        break;
    case ROUTE_LITERAL:
        snprintf(out, ROUTE_TEXT_MAX, "[%s]", route->host);
        break;
    case ROUTE_HOST:
        snprintf(out, ROUTE_TEXT_MAX, "%s:%u%s%s%s%s", route->host, route->port,
                 route->tls_first && route->tls != RELAY_TLS_NONE ? " over TLS" : "",
                 route->user[0] ? " as " : "", route->user, own_tls_words(route));
        break;
    case ROUTE_LOCAL:
    case ROUTE_TROUBLE:
        snprintf(out, ROUTE_TEXT_MAX, "%s (here)", route->host);
        break;
    }
}

struct text route_print(const struct route *route, char out[ROUTE_TEXT_MAX])
{
    print_kind(route, out);
    size_t used = strlen(out);
    snprintf(out + used, ROUTE_TEXT_MAX - used, "%s%s", before_need(route),
             tls_need_words(route->need));
    return text_of(out);
}

/* --- The MX answer --- */

/* Where among its equals it stands: the seed decides. */
static bool goes_before(const struct route_mx *a, const struct route_mx *b, uint64_t seed)
{
    if (a->preference != b->preference)
        return a->preference < b->preference;
    return text_hash_nocase(a->name, seed) < text_hash_nocase(b->name, seed);
}

static void remove_at(struct route_hosts *h, size_t index)
{
    h->count--;
    memmove(h->at + index, h->at + index + 1, (h->count - index) * sizeof *h->at);
}

/* False: it is there already, at least as good. */
static bool make_way(struct route_hosts *h, const struct route_mx *mx)
{
    for (size_t i = 0; i < h->count; i++)
        if (text_equal_nocase(h->at[i].name, mx->name)) {
            if (h->at[i].preference <= mx->preference)
                return false;
            remove_at(h, i);
            return true;
        }
    return true;
}

/* Keeps the list in order, and loses the last when it is full. */
static void insert(struct route_hosts *h, const struct route_mx *mx, uint64_t seed)
{
    if (!make_way(h, mx))
        return;
    size_t at = h->count;
    while (at > 0 && goes_before(mx, &h->at[at - 1], seed))
        at--;
    if (at == ROUTE_HOSTS_MAX)
        return;
    if (h->count < ROUTE_HOSTS_MAX)
        h->count++;
    memmove(h->at + at + 1, h->at + at, (h->count - 1 - at) * sizeof *h->at);
    h->at[at] = *mx;
}

/* RFC 7505 3: a null MX is the only one there is; beside others it means nothing. */
static bool is_null(const struct route_mx *mx)
{
    return mx->name.len == 0;
}

/* The best preference that is ours by name; more than any, when none is. */
static uint32_t our_preference(const struct config *c, const struct route_answer *a)
{
    uint32_t best = UINT32_MAX;
    for (size_t i = 0; i < a->count; i++)
        if (a->mx[i].preference < best && route_is_our_name(c, a->mx[i].name))
            best = a->mx[i].preference;
    return best;
}

static enum route_verdict implicit(const struct config *c, struct text domain,
                                   struct route_hosts *out)
{
    if (route_is_our_name(c, domain))
        return ROUTE_LOOP;
    out->at[out->count++] = (struct route_mx){ 0, domain };
    return ROUTE_IMPLICIT;
}

enum route_verdict route_order(const struct config *c, const struct route_answer *a, uint64_t seed,
                               struct route_hosts *out)
{
    uint32_t ours = our_preference(c, a);
    size_t real = 0;
    out->count = 0;
    if (a->count == 0)
        return implicit(c, a->domain, out);
    for (size_t i = 0; i < a->count; i++) {
        if (is_null(&a->mx[i]))
            continue;
        real++;
        if (a->mx[i].preference < ours)
            insert(out, &a->mx[i], seed);
    }
    if (real == 0)
        return ROUTE_NULL_MX;
    return out->count ? ROUTE_HOSTS : ROUTE_LOOP;
}

bool route_drop(struct route_hosts *h, size_t index)
{
    CHECK(index < h->count);
    size_t keep = index;
    while (keep > 0 && h->at[keep - 1].preference == h->at[index].preference)
        keep--;
    h->count = keep;
    return keep > 0;
}

/* --- What is us --- */

bool route_is_our_name(const struct config *c, struct text host)
{
    if (host.len && host.at[host.len - 1] == '.')
        host.len--;
    return host.len > 0 && text_equal_nocase(host, c->hostname);
}

static bool is_unspecified(const struct endpoint *e)
{
    static const uint8_t zeros[sizeof e->octets];
    return e->family != NET_NONE && memcmp(e->octets, zeros, sizeof zeros) == 0;
}

static bool is_on_this_machine(const struct route_self *self, const struct endpoint *e)
{
    if (endpoint_is_loopback(e) || is_unspecified(e))
        return true;
    for (size_t i = 0; i < self->address_count; i++)
        if (endpoint_equal_address(&self->addresses[i], e))
            return true;
    return false;
}

static bool listener_answers(const struct endpoint *listener, const struct endpoint *called,
                             bool here)
{
    if (listener->family != called->family || listener->port != called->port)
        return false;
    if (is_unspecified(listener))
        return here;
    if (is_unspecified(called))
        return endpoint_is_loopback(listener);
    return endpoint_equal_address(listener, called);
}

bool route_is_our_address(const struct route_self *self, const struct endpoint *called)
{
    const struct config *c = self->config;
    bool here = is_on_this_machine(self, called);
    for (size_t i = 0; i < c->listener_count; i++)
        if (listener_answers(&c->listeners[i].endpoint, called, here))
            return true;
    return false;
}
