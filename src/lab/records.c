/* records.c - the DNS records of a lab.
 *
 * The name server calls itself ns.lab.invalid: a name that nobody's lab can need (RFC 6761 6.4).
 */
#include "lab/records.h"

#include <stdio.h>

#define NAME_SERVER "ns.lab.invalid."
enum { TTL_S = 60 };

static bool add_zone(struct zones *z, const char *origin, struct error *error)
{
    return zones_addf(z, error,
                      "%s %d IN SOA " NAME_SERVER " hostmaster.lab.invalid. 1 3600 600 86400 %d",
                      origin, TTL_S, TTL_S) &&
           zones_addf(z, error, "%s %d IN NS " NAME_SERVER, origin, TTL_S);
}

static bool add_root(const struct lab_plan *plan, struct zones *z, struct error *error)
{
    const uint8_t *a = plan->dns.octets;
    return add_zone(z, ".", error) && add_zone(z, "127.in-addr.arpa.", error) &&
           zones_addf(z, error, NAME_SERVER " %d IN A %u.%u.%u.%u", TTL_S, a[0], a[1], a[2],
                      a[3]) &&
           zones_addf(z, error, "localhost. %d IN A 127.0.0.1", TTL_S) &&
           zones_addf(z, error, "1.0.0.127.in-addr.arpa. %d IN PTR localhost.", TTL_S);
}

static bool add_host(const struct lab_host *h, struct zones *z, struct error *error)
{
    const uint8_t *a = h->address.octets;
    return zones_addf(z, error, "%s. %d IN A %u.%u.%u.%u", h->name, TTL_S, a[0], a[1], a[2],
                      a[3]) &&
           zones_addf(z, error, "%u.%u.%u.%u.in-addr.arpa. %d IN PTR %s.", a[3], a[2], a[1], a[0],
                      TTL_S, h->name);
}

/* A service that is not there is said not to be: a target of "." (RFC 6186 3.4). */
static bool add_services(const struct lab_plan *plan, const struct lab_host *h, const char *domain,
                         struct zones *z, struct error *error)
{
    static const struct {
        const char *name;
        enum role role; /* ROLE_COUNT: never */
    } services[] = {
        { "_submission", ROLE_SUBMISSION },
        { "_submissions", ROLE_SUBMISSIONS },
        { "_pop3", ROLE_POP3 },
        { "_pop3s", ROLE_POP3S },
        { "_imap", ROLE_COUNT },
        { "_imaps", ROLE_COUNT },
    };
    for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
        enum role role = services[i].role;
        bool there = role < ROLE_COUNT;
        if (!zones_addf(z, error, "%s._tcp.%s. %d IN SRV 0 %d %u %s.", services[i].name, domain,
                        TTL_S, there, there ? plan->ports.roles[role] : 0, there ? h->name : ""))
            return false;
    }
    return true;
}

/* Whoever calls from this machine has 127.0.0.1 as his address, or that of his host. */
static bool add_domain(const struct lab_host *h, const char *domain, struct zones *z,
                       struct error *error)
{
    return add_zone(z, domain, error) &&
           zones_addf(z, error, "%s %d IN MX 10 %s.", domain, TTL_S, h->name) &&
           zones_addf(z, error, "%s %d IN TXT \"v=spf1 mx ip4:127.0.0.0/8 -all\"", domain, TTL_S);
}

bool records_fill(const struct lab_plan *plan, struct zones *z, struct error *error)
{
    if (!add_root(plan, z, error))
        return false;
    for (size_t i = 0; i < plan->host_count; i++) {
        const struct lab_host *h = &plan->hosts[i];
        if (!add_host(h, z, error))
            return false;
        for (size_t j = 0; j < h->domain_count; j++) {
            char origin[ADDRESS_DOMAIN_MAX + 2];
            const char *domain = plan->domains[h->first_domain + j].name;
            snprintf(origin, sizeof origin, "%s.", domain);
            if (!add_domain(h, origin, z, error) || !add_services(plan, h, domain, z, error))
                return false;
        }
    }
    return true;
}
