/* queue_hint.c - what many recipients that wait have in common: a provider that blocks port 25.
 *
 * Whoever rents a machine often finds that nobody can be called from it, and that looks like many
 * hosts that are down.  Reasons are words here; nothing but a line for a person depends on them.
 */
#include "cli/queue.h"
#include "queue/route.h"

#include <stdio.h>

enum { UNREACHABLE_MANY = 3 };

static bool has(struct text in, struct text words)
{
    for (; in.len >= words.len; in = text_skip(in, 1))
        if (text_starts(in, words))
            return true;
    return false;
}

static bool is_called_by_mx(const struct config *config, struct text domain)
{
    struct route route;
    route_for(config, domain, &route);
    return route.kind == ROUTE_MX;
}

void queue_hint_add(struct queue_hint *h, const struct config *config, const struct queue_row *row,
                    const struct queue_row *before)
{
    bool said = has(row->last, T(" said: "));
    h->reached += said;
    if (said || (before && text_equal(before->domain, row->domain)) ||
        !has(row->last, T("]: cannot connect to ")))
        return;
    h->unreachable += is_called_by_mx(config, row->domain);
}

void queue_hint_print(const struct queue_hint *h, const struct config *config)
{
    if (h->unreachable < UNREACHABLE_MANY || h->reached > 0)
        return;
    printf("hint: no host of %u domains could be called on port %u; many providers block port 25: "
           "ask yours to open it, or hand mail to a smarthost (godwit.conf(5), relay.smarthost)\n",
           h->unreachable, config->relay_port);
}
