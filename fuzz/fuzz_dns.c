/* fuzz_dns.c - the data of any resource record: values that hold what the header promises. */
#include "base/check.h"
#include "run/dns_inner.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
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
