/* fuzz_dns.c - the data of any resource record, and whole answers of the resolver library: values
 * that hold what the header promises.
 *
 * Of an answer the first octet is the type; each record begins with an octet that says how long it
 * is.
 */
#include "base/check.h"
#include "run/dns_inner.h"

#include <stdlib.h>
#include <string.h>
#include <unbound.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORDS_MAX = 2 * DNS_RECORDS_MAX };

static void check_name(struct text name)
{
    char again[DNS_NAME_MAX];
    CHECK(name.len < DNS_NAME_MAX);
    CHECK(name.len == 0 || dns_name_possible(name));
    dns_name_canonical(name, again);
    CHECK(text_equal(text_of(again), name));
}

static void check_record(enum dns_type type, const struct dns_record *r, size_t wire_len)
{
    check_name(text_of(r->name));
    CHECK(r->data.len <= wire_len);
    bool address = type == DNS_A || type == DNS_AAAA;
    CHECK((r->address.family != NET_NONE) == address);
    CHECK(r->address.port == 0);
}

/* Cuts the octets into records; returns how many. */
static size_t cut_records(struct bytes wire, char **data, int *len)
{
    size_t count = 0;
    while (wire.len > 1 && count < RECORDS_MAX) {
        size_t own = wire.at[0] < wire.len - 1 ? wire.at[0] : wire.len - 1;
        data[count] = (char *)(uintptr_t)wire.at + 1;
        len[count++] = (int)own;
        wire = (struct bytes){ wire.at + 1 + own, wire.len - 1 - own };
    }
    data[count] = NULL;
    return count;
}

static void check_answer(enum dns_type type, struct bytes wire)
{
    char *data[RECORDS_MAX + 1], canonical[] = "mx.a.test.";
    int len[RECORDS_MAX + 1];
    struct dns_query q = { .type = type, .name = "a.test" };
    size_t count = cut_records(wire, data, len);
    struct ub_result result = { .qname = canonical,
                                .data = data,
                                .len = len,
                                .canonname = count % 2 ? canonical : NULL,
                                .havedata = count > 0,
                                .nxdomain = wire.len == 0 };
    dns_take_result(&q, &result);
    CHECK((q.verdict == DNS_FOUND) == (q.record_count > 0));
    CHECK(q.record_count <= count && q.record_count <= DNS_RECORDS_MAX);
    for (size_t i = 0; i < q.record_count; i++)
        check_record(type, &q.records[i], wire.len);
    dns_query_clear(&q);
    CHECK(q.record_count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    check_answer((enum dns_type)data[0], (struct bytes){ data + 1, size - 1 });
    /* Room of exactly the size that the header asks for. */
    struct bytes wire = { data + 1, size - 1 };
    uint8_t *room = malloc(wire.len > 0 ? wire.len : 1);
    CHECK(room);
    struct dns_record r;
    enum dns_type type = (enum dns_type)data[0];
    if (dns_parse_record(type, wire, room, &r))
        check_record(type, &r, wire.len);
    char out[DNS_NAME_MAX];
    dns_name_canonical(text_of_bytes(wire), out);
    CHECK(out[0] == '\0' || text_of(out).len < DNS_NAME_MAX);
    free(room);
    return 0;
}
