/* fuzz_sts.c - MTA-STS records and policies, and how the cache keeps them: what is read is what the
 * header promises. */
#include "base/check.h"
#include "mail/sts.h"
#include "queue/sts_lookup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_policy(struct text words)
{
    struct sts_policy p;
    if (sts_read_policy(words, &p))
        return;
    CHECK(p.mode == STS_MODE_NONE || p.pattern_count > 0);
    CHECK(p.pattern_count <= STS_PATTERNS_MAX);
    CHECK(p.age_s <= STS_AGE_MAX_S);
    for (size_t i = 0; i < p.pattern_count; i++) {
        CHECK(p.patterns[i].at >= words.at);
        CHECK(p.patterns[i].at + p.patterns[i].len <= words.at + words.len);
        CHECK(text_starts(p.patterns[i], T("*.")) || sts_names_host(&p, p.patterns[i]));
    }
}

static void check_entry(struct text words)
{
    struct sts_entry entry, again;
    struct buffer out;
    if (!sts_entry_read(words, &entry))
        return;
    buffer_init(&out, words.len + 64);
    CHECK(sts_entry_write(&entry, &out));
    CHECK(sts_entry_read(buffer_as_text(&out), &again));
    CHECK(again.failed_s == entry.failed_s);
    CHECK(text_equal(again.id, entry.id) && text_equal(again.policy, entry.policy));
    buffer_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text words = text_of_bytes((struct bytes){ data, size }), id, records[2];
    check_policy(words);
    check_entry(words);
    records[0] = words;
    if (sts_choose_record(records, 1, &id))
        CHECK(id.len > 0 && id.len <= STS_ID_MAX);
    text_cut(&words, '\n', &records[0]);
    records[1] = words;
    (void)sts_choose_record(records, 2, &id);
    return 0;
}
