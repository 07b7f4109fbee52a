/* dane.c - what TLSA records say of a host that is to be called.
 *
 * Pure: it asks nothing itself, and believes nothing that DNSSEC does not vouch for.
 */
#include "queue/dane.h"

#include <stdio.h>
#include <string.h>

/* --- The addresses --- */

/* RFC 7672 2.2.2: at least one family has records, and no records that are not secure. */
static bool is_secure(const struct dane_host *host)
{
    bool any = false;
    for (size_t i = 0; i < 2; i++) {
        const struct dns_query *answer = host->addresses[i];
        if (answer->verdict != DNS_FOUND)
            continue;
        if (!answer->secure)
            return false;
        any = true;
    }
    return any;
}

/* The name that aliases led to, or "". */
static const char *expanded_name(const struct dane_host *host)
{
    for (size_t i = 0; i < 2; i++) {
        const struct dns_query *answer = host->addresses[i];
        if (answer->verdict == DNS_FOUND && answer->canonical[0] &&
            strcmp(answer->canonical, host->name) != 0)
            return answer->canonical;
    }
    return "";
}

/* RFC 7672 2.2.2: the expanded name first; behind an alias into a zone that is not secure the alias
 * alone may still be. */
static enum dane_step first_step(bool secure, bool is_alias)
{
    if (secure)
        return is_alias ? DANE_EXPANDED : DANE_NAME;
    return is_alias ? DANE_ALIAS : DANE_OVER;
}

void dane_begin(struct dane *d, const struct dane_host *host)
{
    const char *expanded = expanded_name(host);
    *d = (struct dane){ .port = host->port };
    snprintf(d->host, sizeof d->host, "%s", host->name);
    snprintf(d->expanded, sizeof d->expanded, "%s", expanded);
    d->step = first_step(is_secure(host), expanded[0] != 0);
    for (size_t i = 0; i < DANE_NAMES_MAX; i++)
        if (host->names[i].len)
            d->names[d->name_count++] = host->names[i];
}

void dane_clear(struct dane *d)
{
    dns_query_clear(&d->answer);
    *d = (struct dane){ .step = DANE_OVER };
}

/* --- Questions --- */

bool dane_asks(const struct dane *d, char name_out[DANE_QUESTION_MAX], enum dns_type *type_out)
{
    switch (d->step) {
    case DANE_ALIAS:
        snprintf(name_out, DANE_QUESTION_MAX, "%s", d->host);
        *type_out = DNS_CNAME;
        return true;
    case DANE_EXPANDED:
    case DANE_NAME:
        snprintf(name_out, DANE_QUESTION_MAX, "_%u._tcp.%s", (unsigned)d->port,
                 d->step == DANE_NAME ? d->host : d->expanded);
        *type_out = DNS_TLSA;
        return true;
    case DANE_OVER:
        return false;
    }
    return false;
}

/* --- Answers --- */

static struct tls_association association_of(const struct dns_record *record)
{
    const uint8_t *at = record->data.at; /* run/dns.h: longer than the three */
    return (struct tls_association){ at[0], at[1], at[2], { at + 3, record->data.len - 3 } };
}

static void use_records(struct dane *d)
{
    const struct dns_query *answer = &d->answer;
    for (size_t i = 0; i < answer->record_count && d->used_count < DANE_USED_MAX; i++) {
        struct tls_association a = association_of(&answer->records[i]);
        if (tls_association_is_usable(&a))
            d->used[d->used_count++] = a;
    }
    d->finding = d->used_count ? DANE_USABLE : DANE_UNUSABLE;
    d->base = text_of(d->step == DANE_NAME ? d->host : d->expanded);
    d->step = DANE_OVER;
}

static enum dane_step next_step(const struct dane *d, bool counts)
{
    if (d->step == DANE_ALIAS)
        return counts ? DANE_NAME : DANE_OVER;
    return d->step == DANE_EXPANDED ? DANE_NAME : DANE_OVER;
}

void dane_take(struct dane *d, struct dns_query *answer)
{
    dns_query_clear(&d->answer);
    d->answer = *answer;
    answer->records = NULL;
    answer->record_count = 0;
    bool counts = d->answer.verdict == DNS_FOUND && d->answer.secure;
    if (d->answer.verdict == DNS_TROUBLE) { /* RFC 7672 2.1.2 */
        d->finding = DANE_TROUBLE;
        d->step = DANE_OVER;
    } else if (counts && d->step != DANE_ALIAS) {
        use_records(d);
    } else {
        d->step = next_step(d, counts);
    }
}
