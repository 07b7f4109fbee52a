/* fuzz_spf.c - the TXT records of strangers, as godwit check reads them. */
#include "base/check.h"
#include "cli/check_records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whoever is covered by a record is so with one more term behind it. */
static void check_more_terms(struct text record, const struct spf_sender *sender)
{
    char longer[4096 + 8];
    if (record.len > 4096)
        return;
    struct buffer b = buffer_over(longer, sizeof longer);
    CHECK(buffer_text(&b, record) && buffer_text(&b, T(" -all")));
    enum spf_view before = records_spf(record, sender);
    enum spf_view after = records_spf(buffer_as_text(&b), sender);
    CHECK(after == before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct endpoint addresses[] = {
        { .family = NET_IPV4, .octets = { 192, 0, 2, 1 } },
        { .family = NET_IPV6, .octets = { 0x20, 1, 0xd, 0xb8 } },
    };
    struct spf_sender sender = { .domain = T("a.test"),
                                 .hostname = T("mx.a.test"),
                                 .is_mx = size & 1,
                                 .addresses = addresses,
                                 .address_count = 2 };
    struct text record = { (const char *)data, size };
    char reverse[RECORDS_REVERSE_MAX];
    struct endpoint e;
    (void)records_is_private(record);
    if (endpoint_parse_address(record, &e))
        CHECK(text_ends_nocase(text_of(records_reverse(&e, reverse)), T(".arpa")) ||
              text_ends_nocase(text_of(reverse), T(".arpa.")));
    if (records_is_spf(record))
        check_more_terms(record, &sender);
    return 0;
}
