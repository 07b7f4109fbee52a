/* zone.c - what DNS says in the simulated world. */
#include "sim/zone_inner.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TTL_S = 300,
    STALE_US = 60 * 1000 * 1000,       /* after a move, until everybody knows */
    EFFECT_US_MAX = 10 * 60 * 1000000, /* a session that a lie has begun is over by then */
    PORT_SMTP = 25,
    PREFERENCE = 10,
};

static const uint64_t down_us_max = (uint64_t)50 * 60 * 1000000;

/* --- Places --- */

static struct place *add(struct zone *z, const char *domain)
{
    CHECK(z->count < PLACES_MAX);
    struct place *p = calloc(1, sizeof *p);
    CHECK(p);
    snprintf(p->domain, sizeof p->domain, "%s", domain);
    z->places[z->count++] = p;
    return p;
}

struct place *zone_add_host(struct zone *z, const struct host *h)
{
    char domain[HOST_NAME_MAX_OCTETS];
    snprintf(domain, sizeof domain, "d%u.test", h->number);
    struct place *p = add(z, domain);
    snprintf(p->second, sizeof p->second, "e%u.test", h->number);
    snprintf(p->machines[0], HOST_NAME_MAX_OCTETS, "n%u.test", h->number);
    snprintf(p->machines[1], HOST_NAME_MAX_OCTETS, "m%u.test", h->number);
    for (unsigned i = 0; i < MACHINES; i++) {
        p->at[i] = h->address;
        p->at[i].octets[2] = (uint8_t)i;
        p->at[i].port = PORT_SMTP;
    }
    return p;
}

struct place *zone_add_outside(struct zone *z, unsigned number, const char *domain)
{
    struct place *p = add(z, domain);
    for (unsigned i = 0; i < MACHINES; i++) {
        snprintf(p->machines[i], HOST_NAME_MAX_OCTETS, "mx%u.%.16s", i, domain);
        p->at[i] = (struct endpoint){ NET_IPV4,
                                      { 198, 51, (uint8_t)(100 + i), (uint8_t)(1 + number) },
                                      PORT_SMTP };
    }
    return p;
}

struct endpoint zone_refuser(void)
{
    return (struct endpoint){ NET_IPV4, { 198, 51, 100, 200 }, PORT_SMTP };
}

static struct endpoint nobody(void)
{
    return (struct endpoint){ NET_IPV4, { 198, 51, 100, 201 }, PORT_SMTP };
}

struct place *zone_add_dead(struct zone *z)
{
    struct place *p = zone_add_outside(z, 0, DEAD);
    p->at[0] = p->at[1] = nobody();
    return p;
}

struct endpoint zone_mail_address(const struct zone *z, const struct host *h)
{
    for (size_t i = 0; i < z->count; i++)
        if (endpoint_equal_address(&z->places[i]->at[0], &h->address))
            return z->places[i]->at[z->places[i]->in_service];
    return h->address;
}

static bool is_down(const struct place *p)
{
    const struct world *w = world_now();
    return !w->calm && w->now_us < p->down_until_us;
}

bool zone_is_out_of_service(const struct zone *z, const struct endpoint *at)
{
    if (at->port != PORT_SMTP)
        return false;
    for (size_t i = 0; i < z->count; i++)
        for (unsigned k = 0; k < MACHINES; k++)
            if (endpoint_equal_address(&z->places[i]->at[k], at))
                return k != z->places[i]->in_service || is_down(z->places[i]);
    return false;
}

/* --- Moves --- */

static void move(struct event *e)
{
    struct zone *z = OWNER_OF(e, struct zone, move);
    struct place *p = z->places[chance_below(z->count)];
    if (z->world->calm)
        return;
    p->in_service = !p->in_service;
    p->moved_us = z->world->now_us;
    p->policy_is_narrow = chance_below(2);
    p->narrow_machine = (unsigned)chance_below(MACHINES);
    fault_count(FAULT_MOVE);
    trace_words("mail for %s goes to %s now", p->domain, p->machines[p->in_service]);
    event_some_time(e, z->world->weather.move_every_us);
}

static void go_down(struct event *e)
{
    struct zone *z = OWNER_OF(e, struct zone, down);
    struct place *p = z->places[chance_below(z->count)];
    if (z->world->calm)
        return;
    p->down_until_us = z->world->now_us + chance_below(down_us_max);
    fault_count(FAULT_DOWN);
    trace_words("mail for %s is not taken for %llu seconds", p->domain,
                (unsigned long long)(p->down_until_us - z->world->now_us) / 1000000);
    event_some_time(e, z->world->weather.down_every_us);
}

void zone_open(struct zone *z)
{
    event_some_time(&z->move, z->world->weather.move_every_us);
    event_some_time(&z->down, z->world->weather.down_every_us);
    event_some_time(&z->wrong, z->world->weather.wrong_every_us);
}

void zone_close(struct zone *z)
{
    event_cancel(&z->move);
    event_cancel(&z->down);
    event_cancel(&z->wrong);
}

/* --- Answers --- */

struct place *zone_find_domain(const struct zone *z, struct text name)
{
    for (size_t i = 0; i < z->count; i++)
        if (text_equal_nocase(text_of(z->places[i]->domain), name) ||
            (name.len && text_equal_nocase(text_of(z->places[i]->second), name)))
            return z->places[i];
    return NULL;
}

static struct place *find_machine(const struct zone *z, const char *name, unsigned *which_out)
{
    for (size_t i = 0; i < z->count; i++)
        for (unsigned k = 0; k < MACHINES; k++)
            if (strcmp(z->places[i]->machines[k], name) == 0) {
                *which_out = k;
                return z->places[i];
            }
    return NULL;
}

void zone_found(struct dns_query *q, const struct dns_record *record, struct bytes data)
{
    q->records = malloc(sizeof *q->records + data.len);
    CHECK(q->records);
    *q->records = *record;
    if (data.len)
        q->records->data = (struct bytes){ memcpy(q->records + 1, data.at, data.len), data.len };
    q->record_count = 1;
    q->verdict = DNS_FOUND;
    q->ttl_s = TTL_S;
}

/* Who validates does not take it for the truth. */
static void say_bogus(struct dns_query *q)
{
    q->verdict = DNS_TROUBLE;
    q->bogus = true;
}

/* Whether something else than the truth is said about the place, which is remembered. */
static bool lies(enum fault fault, uint32_t likelihood, struct place *p)
{
    if (!fault_strikes(fault, likelihood))
        return false;
    p->lied_us[world_current()->number] = world_now()->now_us;
    return true;
}

static bool is_gone(struct place *p, struct dns_query *q)
{
    if (!lies(FAULT_DNS_GONE, world_now()->weather.dns_gone, p))
        return false;
    if (q->secure)
        say_bogus(q);
    else
        q->verdict = DNS_NO_NAME;
    return true;
}

/* ... or, to who would notice, nothing that verifies. */
static bool is_lie(struct place *p, struct dns_query *q)
{
    if (!lies(FAULT_DNS_LIES, world_now()->weather.dns_lies, p))
        return false;
    if (q->secure)
        say_bogus(q);
    return true;
}

static const struct place *any_place(const struct zone *z)
{
    return z->places[chance_below(z->count)];
}

static void answer_mx(const struct zone *z, struct place *p, struct dns_query *q)
{
    struct dns_record record = { .preference = PREFERENCE };
    const struct place *told = p;
    if (is_gone(p, q))
        return;
    if (is_lie(p, q))
        told = any_place(z);
    if (q->bogus)
        return;
    bool stale = told->moved_us && world_now()->now_us - told->moved_us < STALE_US;
    unsigned which = stale && chance_below(2) ? !told->in_service : told->in_service;
    memcpy(record.name, told->machines[which], HOST_NAME_MAX_OCTETS);
    zone_found(q, &record, (struct bytes){ 0 });
}

/* Nobody, one who refuses whatever comes, or one who has never heard of the domain. */
static struct endpoint wrong_address(const struct zone *z)
{
    const struct place *other = any_place(z);
    switch (chance_below(4)) {
    case 0:
        return nobody();
    case 1:
        return zone_refuser();
    default:
        return other->at[other->in_service];
    }
}

static void answer_address(const struct zone *z, struct place *p, unsigned which,
                           struct dns_query *q)
{
    struct dns_record record = { .address = p->at[which] };
    if (is_gone(p, q))
        return;
    if (is_lie(p, q))
        record.address = wrong_address(z);
    if (q->bogus)
        return;
    record.address.port = 0;
    zone_found(q, &record, (struct bytes){ 0 });
}

/* The web server of a policed place: it is never called, what it would say is fetch_text()'s. */
static void answer_web(struct dns_query *q)
{
    struct dns_record record = { .address = { NET_IPV4, { 203, 0, 113, 1 }, 0 } };
    if (q->type == DNS_A)
        zone_found(q, &record, (struct bytes){ 0 });
}

/* What stands in front of a name tells what is asked for. */
static bool answer_about_tls(const struct zone *z, struct text name, struct dns_query *q)
{
    unsigned which = 0;
    const struct place *p;
    if (text_take_nocase(&name, T("_25._tcp.")) && (p = find_machine(z, name.at, &which))) {
        q->secure &= p->security == PLACE_SIGNED;
        zone_answer_tlsa(p, which, q);
        return true;
    }
    bool web = text_take_nocase(&name, T("mta-sts."));
    if (!web && !text_take_nocase(&name, T("_mta-sts.")))
        return false;
    p = zone_find_domain(z, name);
    if (!p || p->security != PLACE_POLICED)
        return false;
    q->secure = false;
    if (web)
        answer_web(q);
    else if (q->type == DNS_TXT)
        zone_answer_policy_id(p, q);
    return true;
}

void zone_answer(struct zone *z, const char *name, bool validates, struct dns_query *q)
{
    unsigned which = 0;
    struct place *domain = zone_find_domain(z, text_of(name));
    struct place *machine = find_machine(z, name, &which);
    const struct place *p = domain ? domain : machine;
    q->verdict = p ? DNS_NO_DATA : DNS_NO_NAME;
    q->secure = validates && (!p || p->security == PLACE_SIGNED);
    if (answer_about_tls(z, text_of(name), q))
        return;
    if (domain && q->type == DNS_MX)
        answer_mx(z, domain, q);
    else if (machine && q->type == DNS_A)
        answer_address(z, machine, which, q);
}

bool zone_has_lied(const struct zone *z, unsigned host, struct text domain, uint64_t since_us)
{
    const struct place *p = zone_find_domain(z, domain);
    return p && p->lied_us[host] && p->lied_us[host] + EFFECT_US_MAX >= since_us;
}

/* --- The whole --- */

struct zone *zone_new(struct world *w)
{
    struct zone *z = calloc(1, sizeof *z);
    CHECK(z);
    z->world = w;
    z->move = (struct event){ .fire = move, .host = &w->hosts[0] };
    z->wrong = (struct event){ .fire = zone_go_wrong, .host = &w->hosts[0] };
    z->down = (struct event){ .fire = go_down, .host = &w->hosts[0] };
    return z;
}

void zone_free(struct zone **zone)
{
    struct zone *z = *zone;
    *zone = NULL;
    for (size_t i = 0; i < z->count; i++)
        free(z->places[i]);
    free(z);
}
