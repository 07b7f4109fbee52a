/* servers.c - lists of servers from what was written, from a configuration, from SRV records, and
 * from habit.  Pure.
 */
#include "agent/find.h"

#include <stdio.h>
#include <string.h>

/* The ports of a service: with TLS from the first octet on, then those where it is asked for. */
enum { PORTS_PLAIN_MAX = 2 };
static const struct ports {
    uint16_t tls, plain[PORTS_PLAIN_MAX];
    const char *names[4]; /* in front of the domain, as far as there are any */
} ports[] = {
    [FIND_SMTP] = { 465, { 587, 25 }, { "mail.", "smtp.", "" } },
    [FIND_POP] = { 995, { 110 }, { "mail.", "pop.", "pop3.", "" } },
};

/* The new entry, or one that nobody sees when there is no room. */
static void add(struct servers *list, const struct server *server)
{
    if (list->count < SERVERS_MAX)
        list->at[list->count++] = *server;
}

/* False: the name is too long for one. */
static bool set_host(struct server *s, const char *before, struct text name)
{
    int len = snprintf(s->host, sizeof s->host, "%s%.*s", before, TEXT_ARGS(name));
    return len > 0 && (size_t)len < sizeof s->host;
}

static void add_ports(struct servers *list, enum find_service service, const struct server *of)
{
    struct server s = *of;
    const struct ports *p = &ports[service];
    s.tls_first = true;
    s.endpoint.port = p->tls;
    add(list, &s);
    s.tls_first = false;
    for (int i = 0; i < PORTS_PLAIN_MAX && p->plain[i]; i++) {
        s.endpoint.port = p->plain[i];
        add(list, &s);
    }
}

/* --- As written --- */

/* Takes ":PORT" off the end of *host, unless it is an IPv6 address that stands alone. */
static bool take_port(struct text *host, uint16_t *port_out)
{
    size_t colon = host->len;
    uint64_t port;
    while (colon > 0 && host->at[colon - 1] != ':')
        colon--;
    *port_out = 0;
    struct text before = text_first(*host, colon ? colon - 1 : 0);
    if (colon == 0 || host->at[host->len - 1] == ']' ||
        (text_find(before, ':') < before.len && before.at[0] != '['))
        return true;
    if (!text_to_u64(text_skip(*host, colon), &port) || port == 0 || port > UINT16_MAX)
        return false;
    *port_out = (uint16_t)port;
    *host = before;
    return true;
}

static bool set_written_host(struct server *s, struct text host)
{
    char canonical[ADDRESS_DOMAIN_MAX + 1];
    char words[ENDPOINT_TEXT_MAX];
    if (endpoint_parse_address(host, &s->endpoint))
        return set_host(s, "", endpoint_print_address(&s->endpoint, words));
    return address_parse_domain(host, canonical) == ADDRESS_OK &&
           set_host(s, "", text_of(canonical));
}

/* "smtps://", "pop3://": whether TLS comes first is in the scheme, as in URLs.  False: there is no
 * scheme that is known. */
static bool take_scheme(struct text *written, bool *tls_first_out)
{
    static const struct scheme {
        struct text words;
        bool tls_first;
    } schemes[] = {
        { TEXT("smtp://"), false },       { TEXT("smtps://"), true },
        { TEXT("submission://"), false }, { TEXT("submissions://"), true },
        { TEXT("pop://"), false },        { TEXT("pops://"), true },
        { TEXT("pop3://"), false },       { TEXT("pop3s://"), true },
    };
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (text_take_nocase(written, schemes[i].words)) {
            *tls_first_out = schemes[i].tls_first;
            return true;
        }
    return false;
}

/* All ports of the service, or those of the scheme. */
static void add_standard(struct servers *list, const struct server *s, enum find_service service,
                         bool by_scheme)
{
    struct servers all = { .count = 0 };
    add_ports(&all, service, s);
    for (size_t i = 0; i < all.count; i++)
        if (!by_scheme || all.at[i].tls_first == s->tls_first)
            add(list, &all.at[i]);
}

bool servers_add_written(struct servers *list, enum find_service service, struct text written,
                         struct error *e)
{
    struct server s = { .source = SERVER_WRITTEN };
    struct text host = written;
    uint16_t port;
    bool by_scheme = take_scheme(&host, &s.tls_first);
    if (!take_port(&host, &port) || !set_written_host(&s, host))
        return error_set(e, ERROR_USAGE, "%.*s is no server; write HOST:PORT",
                         TEXT_ARGS(text_first(written, 100)));
    if (port == 0) {
        add_standard(list, &s, service, by_scheme);
        return true;
    }
    s.endpoint.port = port;
    if (!by_scheme)
        s.tls_first = port == ports[service].tls;
    add(list, &s);
    return true;
}

/* --- Our own --- */

static bool is_any(const struct endpoint *e)
{
    static const uint8_t zeros[16];
    return memcmp(e->octets, zeros, e->family == NET_IPV4 ? 4 : 16) == 0;
}

/* "0.0.0.0" is everywhere on this machine: it is called where nobody else listens in. */
static struct endpoint reachable(const struct endpoint *listener)
{
    struct endpoint to = *listener;
    if (!is_any(listener))
        return to;
    memset(to.octets, 0, sizeof to.octets);
    if (to.family == NET_IPV4) {
        to.octets[0] = 127;
        to.octets[3] = 1;
    } else {
        to.octets[15] = 1;
    }
    return to;
}

static void add_role(struct servers *list, const struct config *config, enum role role)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct config_listener *l = &config->listeners[i];
        struct server s = { .source = SERVER_OURS, .endpoint = reachable(&l->endpoint) };
        s.tls_first = role == ROLE_SUBMISSIONS || role == ROLE_POP3S;
        if (l->role == role && set_host(&s, "", config->hostname))
            add(list, &s);
    }
}

/* Where TLS is asked for comes first: on this machine it is not needed, and elsewhere it is
 * demanded all the same. */
void servers_add_ours(struct servers *list, enum find_service service, const struct config *config,
                      struct text domain)
{
    if (!config_domain(config, domain))
        return;
    if (service == FIND_POP) {
        add_role(list, config, ROLE_POP3);
        add_role(list, config, ROLE_POP3S);
        return;
    }
    add_role(list, config, ROLE_SUBMISSION);
    add_role(list, config, ROLE_SUBMISSIONS);
    add_role(list, config, ROLE_SMTP);
}

/* --- SRV --- */

static bool is_denial(const struct dns_record *r)
{
    return r->name[0] == '\0'; /* the root: "." */
}

bool servers_are_denied(const struct dns_record *records, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!is_denial(&records[i]))
            return false;
    return count > 0;
}

static bool is_within(struct text name, struct text domain)
{
    return text_equal_nocase(name, domain) ||
           (name.len > domain.len && text_ends_nocase(name, domain) &&
            name.at[name.len - domain.len - 1] == '.');
}

static void add_target(struct servers *list, const struct servers_srv *srv,
                       const struct dns_record *r)
{
    struct server s = { .source = SERVER_SRV,
                        .tls_first = srv->tls_first,
                        .endpoint = { .port = r->port },
                        .is_foreign = !srv->secure && !is_within(text_of(r->name), srv->domain) };
    if (r->port && set_host(&s, "", text_of(r->name)))
        add(list, &s);
}

/* A number below `below`, from a seed that is stirred (xorshift). */
static uint64_t draw(uint64_t *seed, uint64_t below)
{
    uint64_t x = *seed ? *seed : 1;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *seed = x;
    return x % below;
}

struct lowest {
    uint16_t priority;
    uint64_t weights; /* the sum of those with this priority */
};

/* Of the records that are not yet taken.  False: none is left. */
static bool find_lowest(const struct dns_record *records, size_t count, const bool *taken,
                        struct lowest *out)
{
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        const struct dns_record *r = &records[i];
        if (taken[i] || (found && r->preference > out->priority))
            continue;
        if (!found || r->preference < out->priority)
            *out = (struct lowest){ .priority = r->preference };
        found = true;
        out->weights += r->weight;
    }
    return found;
}

/* RFC 2782: those without a weight stand in front, and then the first whose running sum of weights
 * reaches the number is taken. */
static size_t pick(const struct dns_record *records, size_t count, const bool *taken,
                   const struct lowest *lowest, uint64_t number)
{
    uint64_t sum = 0;
    size_t last = 0;
    for (int weighted = number > 0; weighted < 2; weighted++)
        for (size_t i = 0; i < count; i++) {
            const struct dns_record *r = &records[i];
            if (taken[i] || r->preference != lowest->priority || (r->weight > 0) != weighted)
                continue;
            sum += r->weight;
            last = i;
            if (sum >= number)
                return i;
        }
    return last;
}

void servers_add_srv(struct servers *list, const struct servers_srv *srv,
                     const struct dns_record *records, size_t count)
{
    bool taken[DNS_RECORDS_MAX] = { false };
    uint64_t seed = srv->seed;
    struct lowest lowest = { 0 };
    if (count > DNS_RECORDS_MAX)
        count = DNS_RECORDS_MAX;
    for (size_t i = 0; i < count; i++)
        taken[i] = is_denial(&records[i]);
    while (find_lowest(records, count, taken, &lowest)) {
        size_t i = pick(records, count, taken, &lowest, draw(&seed, lowest.weights + 1));
        taken[i] = true;
        add_target(list, srv, &records[i]);
    }
}

/* --- Habit --- */

void servers_add_usual(struct servers *list, enum find_service service, struct text domain)
{
    struct server s = { .source = SERVER_USUAL };
    char words[ENDPOINT_TEXT_MAX];
    struct text literal = text_skip(domain, 1);
    text_take_nocase(&literal, T("IPv6:"));
    if (domain.len && domain.at[0] == '[') {
        literal.len -= literal.len ? 1 : 0;
        if (endpoint_parse_address(literal, &s.endpoint) &&
            set_host(&s, "", endpoint_print_address(&s.endpoint, words)))
            add_ports(list, service, &s);
        return;
    }
    for (size_t i = 0; i < sizeof ports->names / sizeof *ports->names; i++)
        if (ports[service].names[i] && set_host(&s, ports[service].names[i], domain))
            add_ports(list, service, &s);
}
