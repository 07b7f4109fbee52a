/* dns_result.c - the library's answer as values of ours.
 *
 * What cannot be parsed is left out; an answer of which nothing is left is trouble, for somebody
 * may mend it.  Words come from names and from the library, and are made printable here.
 */
#include "run/dns_inner.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unbound.h>

enum { RCODE_NOERROR = 0, RCODE_NXDOMAIN = 3 };

static void write_words(struct dns_query *q, const char *format, va_list arguments)
{
    vsnprintf(q->words, sizeof q->words, format, arguments);
    for (char *c = q->words; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
}

void dns_trouble(struct dns_query *q, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_words(q, format, arguments);
    va_end(arguments);
    q->verdict = DNS_TROUBLE;
}

const char *dns_type_name(enum dns_type type)
{
    switch (type) {
    case DNS_A:
        return "A";
    case DNS_CNAME:
        return "CNAME";
    case DNS_PTR:
        return "PTR";
    case DNS_MX:
        return "MX";
    case DNS_TXT:
        return "TXT";
    case DNS_AAAA:
        return "AAAA";
    case DNS_SRV:
        return "SRV";
    case DNS_TLSA:
        return "TLSA";
    }
    return "?";
}

void dns_query_clear(struct dns_query *q)
{
    free(q->records);
    q->records = NULL;
    q->record_count = 0;
}

static bool has_data(enum dns_type type)
{
    return type == DNS_TXT || type == DNS_TLSA;
}

/* How many records we take; *octets_out is the room that their data want. */
static size_t measure(enum dns_type type, const struct ub_result *result, size_t *octets_out)
{
    size_t count = 0;
    *octets_out = 0;
    for (; count < DNS_RECORDS_MAX && result->data[count]; count++)
        if (has_data(type))
            *octets_out += (size_t)result->len[count];
    return count;
}

/* Whether what was taken says something although the rest was left out.  A null MX says that there
 * are no others (RFC 7505 3), which is not so then. */
static bool is_enough(const struct dns_query *q, size_t all)
{
    size_t named = 0;
    for (size_t i = 0; i < q->record_count; i++)
        named += q->records[i].name[0] != '\0';
    return q->type == DNS_MX && q->record_count < all ? named > 0 : q->record_count > 0;
}

/* Records and their data are one piece of memory. */
static void take_records(struct dns_query *q, const struct ub_result *result)
{
    size_t octets, count = measure(q->type, result, &octets);
    q->records = malloc(count * sizeof q->records[0] + octets);
    if (!q->records) {
        dns_trouble(q, "no memory for the answer about %s %s", q->name, dns_type_name(q->type));
        return;
    }
    uint8_t *room = (uint8_t *)&q->records[count];
    for (size_t i = 0; i < count; i++) {
        struct bytes data = { (const uint8_t *)result->data[i], (size_t)result->len[i] };
        struct dns_record *record = &q->records[q->record_count];
        if (!dns_parse_record(q->type, data, room, record))
            continue;
        q->record_count++;
        room += has_data(q->type) ? data.len : 0;
    }
    if (is_enough(q, count)) {
        q->verdict = DNS_FOUND;
        return;
    }
    dns_query_clear(q);
    dns_trouble(q, "no record in the answer about %s %s makes sense", q->name,
                dns_type_name(q->type));
}

static void take_absence(struct dns_query *q, const struct ub_result *result)
{
    if (result->nxdomain || result->rcode == RCODE_NXDOMAIN)
        q->verdict = DNS_NO_NAME;
    else if (result->rcode == RCODE_NOERROR)
        q->verdict = DNS_NO_DATA;
    else /* the library says SERVFAIL for whatever went wrong on its way */
        dns_trouble(q, "no usable answer from the resolvers about %s %s (SERVFAIL or silence)",
                    q->name, dns_type_name(q->type));
}

void dns_take_result(struct dns_query *q, const struct ub_result *result)
{
    q->ttl_s = result->ttl > 0 ? (uint32_t)result->ttl : 0;
    q->secure = result->secure;
    q->bogus = result->bogus;
    if (result->bogus) {
        dns_trouble(q, "DNSSEC: %s", result->why_bogus ? result->why_bogus : "validation failed");
        return;
    }
    if (result->canonname)
        dns_name_canonical(text_of(result->canonname), q->canonical);
    if (result->havedata)
        take_records(q, result);
    else
        take_absence(q, result);
}
