/* dns.c - run/dns.h in the simulated world.
 *
 * What there is to say is the zone's (sim/zone.h).  An answer may not come, or say that there is
 * none now.
 */
#include "run/dns.h"

#include "base/check.h"
#include "sim/loop_inner.h"
#include "sim/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_US_MAX = 80 * 1000 };

struct dns {
    bool validates;
};

struct question {
    struct event event;
    const struct dns *dns;
    struct dns_query *query;
    bool is_lost;
    char name[DNS_NAME_MAX];
};

bool dns_new(const struct dns_options *options, struct dns **out, struct error *e)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    (*out)->validates = options->security == DNS_SECURITY_REQUIRE;
    return true;
}

void dns_free(struct dns **dns)
{
    free(*dns);
    *dns = NULL;
}

bool dns_validates(const struct dns *dns)
{
    return dns->validates;
}

static void trouble(struct dns_query *q, const char *words)
{
    q->verdict = DNS_TROUBLE;
    snprintf(q->words, sizeof q->words, "%s", words);
}

static void answer(const struct question *question)
{
    const struct weather *w = &world_now()->weather;
    struct dns_query *q = question->query;
    if (question->is_lost || question->event.host->dead) {
        trouble(q, "no answer");
    } else if (fault_strikes(FAULT_DNS_FAILS, w->dns_fails)) {
        trouble(q, "SERVFAIL");
    } else if (fault_strikes(FAULT_DNS_BOGUS, w->dns_bogus)) {
        trouble(q, "the signatures do not verify");
        q->bogus = true;
    } else {
        zone_answer(world_now()->zone, question->name, question->dns->validates, q);
    }
}

static void answered(struct event *e)
{
    struct question *question = OWNER_OF(e, struct question, event);
    struct dns_query *q = question->query;
    q->inner = NULL;
    answer(question);
    free(question);
    q->done(q);
}

/* When the answer comes, or when nobody waits for it any more. */
static uint64_t wait_us(struct question *question)
{
    question->is_lost = fault_strikes(FAULT_DNS, world_now()->weather.dns);
    return question->is_lost ? (uint64_t)DNS_ANSWER_MS * 1000 : 100 + chance_below(ANSWER_US_MAX);
}

bool dns_ask(struct dns *dns, struct dns_query *q)
{
    struct question *question = calloc(1, sizeof *question);
    loop_expect_own(q->home);
    q->records = NULL;
    q->record_count = 0;
    q->secure = q->bogus = false;
    q->ttl_s = 0;
    q->canonical[0] = q->words[0] = 0;
    if (!question)
        return false;
    question->dns = dns;
    question->query = q;
    question->event = (struct event){ .fire = answered, .host = world_current(), .loop = q->home };
    size_t len = strlen(q->name);
    if (len && q->name[len - 1] == '.')
        len--;
    CHECK(len < sizeof question->name);
    memcpy(question->name, q->name, len);
    q->inner = question;
    event_in(&question->event, wait_us(question));
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
