/* fuzz_dane.c - TLSA records of any octets: what is used is in the answer, and never crashes. */
#include "base/check.h"
#include "queue/dane.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORDS_MAX = 40 };

/* Records as the resolver's file makes them: each begins with an octet that says how long it is,
 * 255 means all that is left. */
static void add_records(struct dns_query *q, const uint8_t *data, size_t size)
{
    uint8_t *room = (uint8_t *)&q->records[RECORDS_MAX];
    while (size > 1 && q->record_count < RECORDS_MAX) {
        size_t len = data[0] == 255 || data[0] > size - 1 ? size - 1 : data[0];
        struct bytes wire = { data + 1, len };
        if (dns_parse_record(DNS_TLSA, wire, room, &q->records[q->record_count])) {
            q->record_count++;
            room += len;
        }
        data += 1 + len;
        size -= 1 + len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dns_query address = { .verdict = DNS_FOUND, .secure = true };
    struct dns_query answer = { .verdict = DNS_FOUND, .secure = true };
    struct dane_host host = { .name = "mx.test", .port = 25, .addresses = { &address, &address } };
    struct dane d;
    answer.records = calloc(1, RECORDS_MAX * sizeof *answer.records + size);
    CHECK(answer.records);
    add_records(&answer, data, size);
    dane_begin(&d, &host);
    dane_take(&d, &answer);
    CHECK(d.finding == (d.used_count ? DANE_USABLE : DANE_UNUSABLE));
    CHECK(d.used_count <= DANE_USED_MAX);
    for (size_t i = 0; i < d.used_count; i++) {
        CHECK(d.used[i].usage == TLS_USAGE_TA || d.used[i].usage == TLS_USAGE_EE);
        CHECK(d.used[i].selector <= 1 && d.used[i].matching <= 2);
    }
    dane_clear(&d);
    return 0;
}
