/* ports.c - the ports of a lab.
 *
 * All of them move together, one by one, until all are free.  The name server's port is bound first
 * and stays: two labs that start at once cannot choose the same.
 */
#include "lab/ports.h"

#include "run/stream.h"

#include <unistd.h>

enum { CHOICES = 50 /* fewer than lie between two of the ports below */ };

static const struct lab_ports first_choice = {
    .dns = 2053,
    .roles = { [ROLE_SMTP] = 2525,
               [ROLE_SUBMISSION] = 2587,
               [ROLE_SUBMISSIONS] = 2465,
               [ROLE_POP3] = 2110,
               [ROLE_POP3S] = 2995 },
    .behind = 2645,
};

static struct lab_ports choice(uint16_t further)
{
    struct lab_ports ports = first_choice;
    ports.dns = (uint16_t)(ports.dns + further);
    ports.behind = (uint16_t)(ports.behind + further);
    for (enum role role = 0; role < ROLE_COUNT; role++)
        ports.roles[role] = (uint16_t)(ports.roles[role] + further);
    return ports;
}

static bool is_free(const struct endpoint *at)
{
    struct listener_options options = { .v6_only = true };
    struct error ignored;
    bool in_use, no_family;
    int socket;
    if (!listener_bind(at, &options, &socket, &in_use, &no_family, &ignored))
        return !in_use; /* other trouble is told when the server starts */
    close(socket);
    return true;
}

static bool all_free(const struct lab_plan *plan)
{
    for (size_t i = 0; i < plan->host_count; i++) {
        const struct lab_host *host = &plan->hosts[i];
        struct endpoint entrance = plan_entrance(plan, host);
        if (!is_free(&entrance))
            return false;
        for (enum role role = 0; role < ROLE_COUNT; role++) {
            struct endpoint at = plan_endpoint(plan, host, role);
            if (!is_free(&at))
                return false;
        }
    }
    return true;
}

bool ports_choose(struct lab_plan *plan, struct name_sockets *sockets, struct error *error)
{
    for (uint16_t i = 0; i < CHOICES; i++) {
        bool in_use;
        plan->ports = choice(i);
        plan->dns = (struct endpoint){ NET_IPV4, { 127, 0, 0, 1 }, plan->ports.dns };
        if (!name_sockets_bind(&plan->dns, sockets, &in_use, error)) {
            if (!in_use)
                return false;
            continue;
        }
        if (all_free(plan))
            return true;
        name_sockets_close(sockets);
    }
    return error_set(error, ERROR_REFUSED,
                     "no free ports: 2053, 2110, 2525, 2587 and the %d behind each are in use",
                     CHOICES - 1);
}
