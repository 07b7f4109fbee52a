/* plan.h - what a lab consists of: hosts, their domains, users, addresses and ports.  A value.
 *
 *   host     a server: a name, an address in 127.0.0.0/8, one or more mail domains
 *   domain   two users, alice and bob
 *   ports    the same on every host, since there is one port on which mail hosts are called
 */
#ifndef LAB_PLAN_H
#define LAB_PLAN_H

#include "config/config.h"
#include "lab/fault.h"
#include "mail/address.h"

enum {
    LAB_HOSTS_MAX = 32,
    LAB_DOMAINS_MAX = 64,
    LAB_USERS_EACH = 2,
    LAB_PASSWORD = 12,
    LAB_PATH_MAX = 4096,
};

struct lab_user {
    struct address address;
    char password[LAB_PASSWORD + 1]; /* empty: none yet */
};

struct lab_domain {
    char name[ADDRESS_DOMAIN_MAX + 1]; /* canonical */
    struct lab_user users[LAB_USERS_EACH];
};

struct lab_host {
    char name[ADDRESS_DOMAIN_MAX + 1]; /* canonical */
    struct endpoint address;           /* its port is not used */
    size_t first_domain, domain_count; /* of plan.domains */
    struct fault fault;                /* what stands in front of its smtp port */
};

struct lab_ports {
    uint16_t dns;
    uint16_t roles[ROLE_COUNT];
    uint16_t behind; /* smtp of a host with a fault: where people hand in their mail */
};

struct lab_plan {
    char folder[LAB_PATH_MAX];
    bool any; /* the first host takes mail for everybody into its first mailbox */
    struct lab_host hosts[LAB_HOSTS_MAX];
    size_t host_count;
    struct lab_domain domains[LAB_DOMAINS_MAX];
    size_t domain_count;
    struct endpoint dns;
    struct lab_ports ports;
};

/* Adds hosts and domains as --domains has them: "a.test,b.test", where each may be
 * "host=domain+domain"; the host of a domain without one is mx.DOMAIN.  ERROR_USAGE says what is
 * wrong. */
bool plan_add_domains(struct lab_plan *, struct text, struct error *);

/* Gives hosts their faults: "b.test=slow:2s,mx.c.test=dead".  ERROR_USAGE. */
bool plan_set_faults(struct lab_plan *, struct text, struct error *);

/* The host with this name or mail domain, the user with this address, or NULL. */
struct lab_host *plan_host(struct lab_plan *, struct text name);
struct lab_user *plan_user(struct lab_plan *, const struct address *);
/* The host of a user's domain. */
const struct lab_host *plan_host_of(const struct lab_plan *, const struct address *);

/* DIR/HOST/NAME; false when that is too long. */
bool plan_path(const struct lab_plan *, const struct lab_host *, const char *name,
               char out[LAB_PATH_MAX]);
/* Where the host takes mail from people: its smtp port unless that has a fault. */
struct endpoint plan_entrance(const struct lab_plan *, const struct lab_host *);
/* Where a role of the host is reached by everybody. */
struct endpoint plan_endpoint(const struct lab_plan *, const struct lab_host *, enum role);

#endif
