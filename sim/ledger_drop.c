/* ledger_drop.c - recipients that somebody dropped from a queue: they end there, and nobody is
 * told.
 *
 * The server says in its log which ones; a crash may come between the deed and the word.
 */
#include "base/check.h"
#include "sim/ledger_inner.h"
#include "sim/world.h"

#include <stdio.h>
#include <string.h>

enum { EFFECT_US = 10 * 60 * 1000 * 1000 };

size_t ledger_drop_asked(struct ledger *l, unsigned host, const char *domain)
{
    CHECK(l->drop_count < LEDGER_DROPS_MAX);
    l->drops[l->drop_count] = (struct ledger_drop){
        .host = host, .domain = domain, .asked_us = world_time_us(), .before = l->dropped_by[host]
    };
    return l->drop_count++;
}

void ledger_drop_answered(struct ledger *l, size_t drop, uint64_t dropped)
{
    struct ledger_drop *d = &l->drops[drop];
    size_t told = l->dropped_by[d->host] - d->before;
    d->ended_us = world_time_us();
    world_expect(CHECK_STEERED, told == dropped,
                 "n%u.test says to have dropped %llu recipients for %s, and its log names %zu",
                 d->host, (unsigned long long)dropped, d->domain, told);
}

/* Asked for before that time, and, as far as anybody knows, not over by then. */
static bool covers(const struct ledger_drop *d, unsigned host, struct text address, uint64_t at_us)
{
    uint64_t until_us = d->ended_us ? d->ended_us : d->asked_us + EFFECT_US;
    return d->host == host && text_equal(ledger_domain_of(address), text_of(d->domain)) &&
           at_us <= until_us;
}

void ledger_dropped(struct ledger *l, unsigned host, struct text id, struct text address)
{
    bool asked = false;
    for (size_t i = 0; i < l->drop_count; i++)
        asked |= covers(&l->drops[i], host, address, world_time_us());
    world_expect(CHECK_STEERED, asked, "%.*s to %.*s is dropped, and nobody asked for it",
                 TEXT_ARGS(id), TEXT_ARGS(address));
    l->dropped_by[host]++;
    if (l->dropped_count == LEDGER_DROPPED_MAX)
        return;
    struct ledger_dropped *d = &l->dropped[l->dropped_count++];
    snprintf(d->id, sizeof d->id, "%.*s", TEXT_ARGS(id));
    snprintf(d->address, sizeof d->address, "%.*s", TEXT_ARGS(address));
}

static bool was_dropped(const struct letter *letter, const char *address)
{
    const struct ledger *l = world_now()->ledger;
    for (size_t i = 0; i < l->dropped_count; i++)
        if (strcmp(l->dropped[i].id, letter->id) == 0 &&
            strcmp(l->dropped[i].address, address) == 0)
            return true;
    return false;
}

bool letter_may_be_dropped(const struct letter *letter, const char *address)
{
    const struct ledger *l = world_now()->ledger;
    if (l->dropped_count == LEDGER_DROPPED_MAX || was_dropped(letter, address))
        return true;
    for (size_t i = 0; i < l->drop_count; i++)
        if ((!letter->id[0] || !l->drops[i].ended_us) &&
            covers(&l->drops[i], letter->host, text_of(address), letter->begun_us))
            return true;
    return false;
}
