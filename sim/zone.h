/* zone.h - what DNS says in the simulated world: what is true now, what was a while ago, and lies.
 *
 * A place is a domain that mail may go to.  It has two machines, of which one is in service; its MX
 * record names that one, and after a move, for a while, the other one still.  The servers' places
 * are d1.test and so on, with the machines n1.test and m1.test, which are two addresses of one
 * host; the others are outside.
 */
#ifndef SIM_ZONE_H
#define SIM_ZONE_H

#include "run/dns.h"
#include "sim/certificate.h"
#include "sim/world.h"

enum { MACHINES = 2, PLACES_MAX = HOSTS_MAX + 6 };

enum place_security { PLACE_OPEN, PLACE_SIGNED, PLACE_POLICED };

/* When a host has last got a policy, and how much had gone wrong by then. */
struct fetched {
    uint64_t at_us, troubles;
};

struct place {
    char domain[HOST_NAME_MAX_OCTETS];             /* "d1.test" */
    char second[HOST_NAME_MAX_OCTETS];             /* "e1.test", whose mail goes there too, or "" */
    char machines[MACHINES][HOST_NAME_MAX_OCTETS]; /* their names */
    struct endpoint at[MACHINES];                  /* port 25 */
    unsigned in_service;
    enum place_security security;
    uint64_t wrong_until_us; /* its machines present wrong certificates */
    bool policy_is_narrow;   /* it names one machine only */
    unsigned narrow_machine; /* ... this one */
    struct fetched fetched[HOSTS_MAX];
    uint64_t moved_us, down_until_us;
    uint64_t lied_us[HOSTS_MAX]; /* when each host was last told something wrong about it */
};

struct zone *zone_new(struct world *);
void zone_free(struct zone **);
/* Mail hosts begin to move. */
void zone_open(struct zone *);
void zone_close(struct zone *);

/* The place of a server. */
struct place *zone_add_host(struct zone *, const struct host *);
/* One outside; its number makes its addresses. */
struct place *zone_add_outside(struct zone *, unsigned number, const char *domain);
/* One that exists, and whose machines nobody has ever reached. */
#define DEAD "dead.test"
struct place *zone_add_dead(struct zone *);
/* Where somebody listens who refuses whatever comes. */
struct endpoint zone_refuser(void);
/* Where mail for this server goes now. */
struct endpoint zone_mail_address(const struct zone *, const struct host *);
/* Whether it is the address of a machine that is not in service, or of a place that is down. */
bool zone_is_out_of_service(const struct zone *, const struct endpoint *);

/* What the current host is told, who may be one that validates. */
void zone_answer(struct zone *, const char *name, bool validates, struct dns_query *);

/* zone_tls.c.  What this machine of a place presents. */
void zone_certificate(const struct place *, unsigned machine, struct certificate *out);
bool zone_is_wrong(const struct place *);
/* Whether a session that the host has begun at that time must be with the right machine, and in
 * secret. */
bool zone_demands_tls(const struct place *, unsigned host, uint64_t since_us);

/* Whether a host may have heard something wrong about a domain since then, or have acted on it. */
bool zone_has_lied(const struct zone *, unsigned host, struct text domain, uint64_t since_us);

#endif
