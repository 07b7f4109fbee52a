/* zone_tls.c - what places outside publish about TLS, what their machines present, and who knows.
 *
 * A signed place has TLSA records for its machines (RFC 7672), and DNSSEC vouches for all that is
 * said about it; a policed one has an MTA-STS policy (RFC 8461), which a server must have fetched
 * to be bound by it.  At times the machines of a place present another certificate than they
 * should, and a policy does not name the machine that mail goes to by now: then nothing may come
 * until that is mended.
 */
#include "base/check.h"
#include "run/fetch.h"
#include "run/tls.h"
#include "sim/node.h"
#include "sim/zone_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { TLSA_HEAD = 3, KNOWN_US = 180 * 1000 * 1000 };

static const uint64_t wrong_us_max = (uint64_t)20 * 60 * 1000000;

/* --- Certificates --- */

static void fill_key(const char *words, uint8_t out[CERTIFICATE_KEY])
{
    for (size_t at = 0; at < CERTIFICATE_KEY; at += sizeof(uint64_t)) {
        uint64_t part = XXH3_64bits_withSeed(words, strlen(words), at);
        memcpy(out + at, &part, sizeof part);
    }
}

void zone_certificate(const struct place *p, unsigned machine, struct certificate *out)
{
    *out = (struct certificate){ .trusted = p->security == PLACE_POLICED };
    snprintf(out->name, sizeof out->name, "%s",
             zone_is_wrong(p) ? "somebody.else.test" : p->machines[machine]);
    fill_key(out->name, out->key);
}

bool zone_is_wrong(const struct place *p)
{
    const struct world *w = world_now();
    return !w->calm && w->now_us < p->wrong_until_us;
}

void zone_go_wrong(struct event *e)
{
    struct zone *z = OWNER_OF(e, struct zone, wrong);
    struct place *p = z->places[chance_below(z->count)];
    if (z->world->calm)
        return;
    event_some_time(e, z->world->weather.wrong_every_us);
    if (p->security == PLACE_OPEN)
        return;
    p->wrong_until_us = z->world->now_us + chance_below(wrong_us_max);
    fault_count(FAULT_CERTIFICATE);
    trace_words("the hosts of %s present wrong certificates", p->domain);
}

/* --- TLSA --- */

void zone_answer_tlsa(const struct place *p, unsigned machine, struct dns_query *q)
{
    if (p->security != PLACE_SIGNED)
        return;
    /* The key, by a digest of 32 octets. */
    uint8_t data[TLSA_HEAD + CERTIFICATE_KEY] = { TLS_USAGE_EE, 1, 1 };
    fill_key(p->machines[machine], data + TLSA_HEAD);
    zone_found(q, &(struct dns_record){ 0 }, (struct bytes){ data, sizeof data });
}

/* --- Policies --- */

/* What was said of the machines a while ago holds until it is calm. */
static bool names_both(const struct place *p)
{
    return world_now()->calm || !p->policy_is_narrow;
}

void zone_answer_policy_id(const struct place *p, struct dns_query *q)
{
    char words[64];
    int len = snprintf(words, sizeof words, "v=STSv1; id=%s%u;", names_both(p) ? "b" : "n",
                       p->narrow_machine);
    zone_found(q, &(struct dns_record){ 0 }, (struct bytes){ (const uint8_t *)words, (size_t)len });
}

static void write_policy(const struct place *p, struct buffer *out)
{
    buffer_text(out, T("version: STSv1\r\nmode: enforce\r\nmax_age: 604800\r\n"));
    for (unsigned i = 0; i < MACHINES; i++)
        if (names_both(p) || i == p->narrow_machine)
            buffer_printf(out, "mx: %s\r\n", p->machines[i]);
}

/* run/fetch.h */
bool fetch_text(const struct fetch *fetch, struct buffer *out, struct error *e)
{
    struct text domain = fetch->host;
    struct place *p = text_take_nocase(&domain, T("mta-sts."))
                          ? zone_find_domain(world_now()->zone, domain)
                          : NULL;
    if (!p || p->security != PLACE_POLICED)
        return error_set(e, ERROR_TEMPORARY, "%.*s publishes nothing", TEXT_ARGS(fetch->host));
    if (world_current()->dead || fault_strikes(FAULT_FETCH, world_now()->weather.fetch))
        return error_set(e, ERROR_TEMPORARY, "%.*s does not answer", TEXT_ARGS(fetch->host));
    write_policy(p, out);
    p->fetched[world_current()->number] =
        (struct fetched){ world_now()->now_us, world_current()->troubles };
    return true;
}

bool fetch_set_up(struct error *e)
{
    (void)e;
    return true;
}

/* --- Who is bound --- */

bool zone_demands_tls(const struct place *p, unsigned host, uint64_t since_us)
{
    const struct node *n = world_now()->hosts[host].node;
    const struct fetched *f = &p->fetched[host];
    if (!n || p->security == PLACE_OPEN)
        return false;
    if (p->security == PLACE_SIGNED)
        return n->validates;
    /* Trouble may have made it forget the policy, or not find what it knows. */
    return f->at_us > n->started_us && f->at_us + KNOWN_US < since_us &&
           f->troubles == n->host->troubles;
}
