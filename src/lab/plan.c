/* plan.c - what a lab consists of. */
#include "lab/plan.h"

#include <stdio.h>
#include <string.h>

/* --- --domains --- */

static bool read_domain(struct text words, char out[ADDRESS_DOMAIN_MAX + 1], struct error *error)
{
    enum address_verdict verdict = address_parse_domain(words, out);
    if (verdict == ADDRESS_OK)
        return true;
    return error_set(error, verdict == ADDRESS_NO_MEMORY ? ERROR_TEMPORARY : ERROR_USAGE,
                     "\"%.*s\" is no domain: %s", TEXT_ARGS(text_first(words, 100)),
                     address_problem(verdict));
}

static bool add_users(struct lab_domain *d, struct error *error)
{
    static const char *const names[LAB_USERS_EACH] = { "alice", "bob" };
    for (size_t i = 0; i < LAB_USERS_EACH; i++) {
        char words[ADDRESS_TEXT_MAX];
        snprintf(words, sizeof words, "%s@%s", names[i], d->name);
        enum address_verdict verdict =
            address_parse(text_of(words), ADDRESS_UTF8, &d->users[i].address);
        if (verdict != ADDRESS_OK)
            return error_set(error, ERROR_USAGE, "%s: %s", words, address_problem(verdict));
    }
    return true;
}

static bool add_domain(struct lab_plan *plan, struct lab_host *host, struct text words,
                       struct error *error)
{
    if (plan->domain_count == LAB_DOMAINS_MAX)
        return error_set(error, ERROR_USAGE, "a lab has room for %d domains", LAB_DOMAINS_MAX);
    struct lab_domain *d = &plan->domains[plan->domain_count];
    if (!read_domain(words, d->name, error) || !add_users(d, error))
        return false;
    for (size_t i = 0; i < plan->domain_count; i++)
        if (strcmp(plan->domains[i].name, d->name) == 0)
            return error_set(error, ERROR_USAGE, "the domain %s is there twice", d->name);
    plan->domain_count++;
    host->domain_count++;
    return true;
}

static bool name_host(struct lab_plan *plan, struct lab_host *host, struct text words,
                      struct error *error)
{
    if (!read_domain(words, host->name, error))
        return false;
    for (const struct lab_host *h = plan->hosts; h < host; h++)
        if (strcmp(h->name, host->name) == 0)
            return error_set(error, ERROR_USAGE,
                             "the host %s is there twice: write %s=domain+domain", host->name,
                             host->name);
    return true;
}

/* "a.test" or "mx.a.test=a.test+other.test". */
static bool add_host(struct lab_plan *plan, struct text words, struct error *error)
{
    struct text domains = words, name, domain;
    char standard[ADDRESS_DOMAIN_MAX + 4];
    if (plan->host_count == LAB_HOSTS_MAX)
        return error_set(error, ERROR_USAGE, "a lab has room for %d hosts", LAB_HOSTS_MAX);
    if (!text_cut(&domains, '=', &name)) {
        domains = words;
        snprintf(standard, sizeof standard, "mx.%.*s", TEXT_ARGS(text_first(words, 255)));
        name = text_of(standard);
    }
    /* 127.0.0.1 is the DNS server's, and whoever calls from this machine. */
    struct lab_host *host = &plan->hosts[plan->host_count];
    *host = (struct lab_host){
        .address = { NET_IPV4, { 127, 0, 0, (uint8_t)(plan->host_count + 2) }, 0 },
        .first_domain = plan->domain_count,
    };
    bool more;
    do {
        more = text_cut(&domains, '+', &domain);
        if (!add_domain(plan, host, text_trim(domain), error))
            return false;
    } while (more);
    if (!name_host(plan, host, text_trim(name), error))
        return false;
    plan->host_count++;
    return true;
}

bool plan_add_domains(struct lab_plan *plan, struct text words, struct error *error)
{
    struct text item;
    bool more;
    do {
        more = text_cut(&words, ',', &item);
        if (!add_host(plan, text_trim(item), error))
            return false;
    } while (more);
    return true;
}

/* --- --faults --- */

static bool set_fault(struct lab_plan *plan, struct text words, struct error *error)
{
    struct text name;
    if (!text_cut(&words, '=', &name))
        return error_set(error, ERROR_USAGE, "a fault is written b.test=slow:2s, not \"%.*s\"",
                         TEXT_ARGS(text_first(name, 100)));
    struct lab_host *host = plan_host(plan, text_trim(name));
    if (!host)
        return error_set(error, ERROR_USAGE, "the fault of %.*s: there is no such domain or host",
                         TEXT_ARGS(text_first(name, 100)));
    return fault_parse(text_trim(words), &host->fault, error);
}

bool plan_set_faults(struct lab_plan *plan, struct text words, struct error *error)
{
    struct text item;
    bool more;
    do {
        more = text_cut(&words, ',', &item);
        if (!set_fault(plan, text_trim(item), error))
            return false;
    } while (more);
    return true;
}

/* --- Finding --- */

static bool has_domain(const struct lab_plan *plan, const struct lab_host *host, struct text name)
{
    for (size_t i = 0; i < host->domain_count; i++)
        if (text_equal_nocase(text_of(plan->domains[host->first_domain + i].name), name))
            return true;
    return false;
}

struct lab_host *plan_host(struct lab_plan *plan, struct text name)
{
    for (size_t i = 0; i < plan->host_count; i++)
        if (has_domain(plan, &plan->hosts[i], name))
            return &plan->hosts[i];
    for (size_t i = 0; i < plan->host_count; i++)
        if (text_equal_nocase(text_of(plan->hosts[i].name), name))
            return &plan->hosts[i];
    return NULL;
}

const struct lab_host *plan_host_of(const struct lab_plan *plan, const struct address *address)
{
    for (size_t i = 0; i < plan->host_count; i++)
        if (has_domain(plan, &plan->hosts[i], address_domain(address)))
            return &plan->hosts[i];
    return NULL;
}

struct lab_user *plan_user(struct lab_plan *plan, const struct address *address)
{
    for (size_t i = 0; i < plan->domain_count; i++)
        for (size_t j = 0; j < LAB_USERS_EACH; j++) {
            struct lab_user *user = &plan->domains[i].users[j];
            if (text_equal_nocase(address_text(&user->address), address_text(address)))
                return user;
        }
    return NULL;
}

/* --- Places --- */

bool plan_path(const struct lab_plan *plan, const struct lab_host *host, const char *name,
               char out[LAB_PATH_MAX])
{
    int len = snprintf(out, LAB_PATH_MAX, "%s/%s/%s", plan->folder, host->name, name);
    return len > 0 && len < LAB_PATH_MAX;
}

struct endpoint plan_endpoint(const struct lab_plan *plan, const struct lab_host *host,
                              enum role role)
{
    struct endpoint at = host->address;
    at.port = plan->ports.roles[role];
    return at;
}

struct endpoint plan_entrance(const struct lab_plan *plan, const struct lab_host *host)
{
    struct endpoint at = plan_endpoint(plan, host, ROLE_SMTP);
    if (host->fault.kind != FAULT_NONE)
        at.port = plan->ports.behind;
    return at;
}
