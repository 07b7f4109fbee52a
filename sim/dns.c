/* dns.c - run/dns.h in the simulated world.
 *
 * The zone is the world's: nK.test has the address of host K, and mail for dK.test goes to nK.test.
 * There is nothing else, and an answer may not come.
 */
#include "run/dns.h"

#include "base/check.h"
#include "sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_US_MAX = 80 * 1000, TTL_S = 300 };

struct dns {
    char nothing;
};

struct question {
    struct event event;
    struct dns_query *query;
    char name[DNS_NAME_MAX];
};

bool dns_new(const struct dns_options *options, struct dns **out, struct error *e)
{
    (void)options;
    *out = calloc(1, sizeof **out);
    return *out || error_set(e, ERROR_TEMPORARY, "memory is short");
}

void dns_free(struct dns **dns)
{
    free(*dns);
    *dns = NULL;
}

bool dns_validates(const struct dns *dns)
{
    (void)dns;
    return false;
}

/* The host that "n1.test" names, for the letter. */
static const struct host *host_named(const char *name, char letter)
{
    const struct world *w = world_now();
    for (unsigned i = 1; i < w->host_count; i++) {
        char own[HOST_NAME_MAX_OCTETS];
        snprintf(own, sizeof own, "%c%u.test", letter, i);
        if (strcmp(own, name) == 0)
            return &w->hosts[i];
    }
    return NULL;
}

static void found(struct dns_query *q, const struct dns_record *record)
{
    q->records = calloc(1, sizeof *q->records);
    q->verdict = q->records ? DNS_FOUND : DNS_TROUBLE;
    if (!q->records)
        return;
    *q->records = *record;
    q->record_count = 1;
    q->ttl_s = TTL_S;
}

static void answer(struct dns_query *q, const char *name)
{
    const struct host *machine = host_named(name, 'n'), *domain = host_named(name, 'd');
    struct dns_record record = { 0 };
    q->verdict = machine || domain ? DNS_NO_DATA : DNS_NO_NAME;
    if (machine && q->type == DNS_A) {
        record.address = machine->address;
        found(q, &record);
    } else if (domain && q->type == DNS_MX) {
        record.preference = 10;
        memcpy(record.name, domain->name, sizeof domain->name);
        found(q, &record);
    }
}

static void answered(struct event *e)
{
    struct question *question = OWNER_OF(e, struct question, event);
    struct dns_query *q = question->query;
    q->inner = NULL;
    if (e->host->dead || fault_strikes(FAULT_DNS, world_now()->weather.dns)) {
        q->verdict = DNS_TROUBLE;
        snprintf(q->words, sizeof q->words, "no answer");
    } else {
        answer(q, question->name);
    }
    free(question);
    q->done(q);
}

bool dns_ask(struct dns *dns, struct dns_query *q)
{
    (void)dns;
    struct question *question = calloc(1, sizeof *question);
    q->records = NULL;
    q->record_count = 0;
    q->secure = q->bogus = false;
    q->ttl_s = 0;
    q->canonical[0] = q->words[0] = 0;
    if (!question)
        return false;
    question->query = q;
    question->event = (struct event){ .fire = answered, .host = world_current() };
    size_t len = strlen(q->name);
    if (len && q->name[len - 1] == '.')
        len--;
    CHECK(len < sizeof question->name);
    memcpy(question->name, q->name, len);
    q->inner = question;
    event_in(&question->event, 100 + chance_below(ANSWER_US_MAX));
    return true;
}

void dns_cancel(struct dns *dns, struct dns_query *q)
{
    (void)dns;
    struct question *question = q->inner;
    q->inner = NULL;
    if (!question)
        return;
    event_cancel(&question->event);
    free(question);
}

void dns_query_clear(struct dns_query *q)
{
    free(q->records);
    q->records = NULL;
    q->record_count = 0;
}
