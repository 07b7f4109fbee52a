/* test_format.c - the octets of the journal's files: what they are, and what does not verify. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "store/local/format.h"
#include "store/local/segment.h"

#include <string.h>

static const uint8_t uuid[FORMAT_UUID] = "the store's uuid";

static struct format_key test_key(void)
{
    struct format_key key;
    uint32_t state = 1;
    for (size_t i = 0; i < sizeof key.secret; i++) {
        state = state * 1664525 + 1013904223;
        key.secret[i] = (uint8_t)(state >> 24);
    }
    return key;
}

static struct segment_header test_segment(void)
{
    return (struct segment_header){ .number = 12,
                                    .octets = 65536,
                                    .created_ms = 1700000000000,
                                    .previous = { 11, 40960, 77, 0x1122334455667788 },
                                    .key = test_key() };
}

static void test_segment_headers(void **state)
{
    (void)state;
    uint8_t page[FILE_HEADER], other[FORMAT_UUID] = "another uuid    ";
    struct segment_header in = test_segment(), out;
    segment_header_encode(&in, uuid, page);
    assert_int_equal(segment_header_decode(page, uuid, &out), HEADER_GOOD);
    assert_memory_equal(&in, &out, sizeof in);
    assert_int_equal(segment_header_decode(page, other, &out), HEADER_FOREIGN);
    assert_true(segment_header_uuid(page, other));
    assert_memory_equal(other, uuid, sizeof other);
    for (size_t i = 0; i < sizeof page; i++) {
        page[i] ^= 0x40;
        assert_int_equal(segment_header_decode(page, uuid, &out), HEADER_BAD);
        page[i] ^= 0x40;
    }
    memset(page, 0, sizeof page);
    assert_int_equal(segment_header_decode(page, uuid, &out), HEADER_BAD);
    assert_false(segment_header_uuid(page, other));
    assert_memory_equal(other, uuid, sizeof other);
}

static void test_large_headers(void **state)
{
    (void)state;
    uint8_t page[FILE_HEADER];
    struct segment_header segment = test_segment();
    struct large_header in = { .message = 99, .created_ms = -5, .key = test_key() }, out;
    large_header_encode(&in, uuid, page);
    assert_int_equal(large_header_decode(page, uuid, &out), HEADER_GOOD);
    assert_memory_equal(&in, &out, sizeof in);
    /* One kind of file is never taken for the other. */
    segment_header_encode(&segment, uuid, page);
    assert_int_equal(large_header_decode(page, uuid, &out), HEADER_BAD);
}

static void test_batch_headers(void **state)
{
    (void)state;
    struct format_key key = test_key(), other = key;
    uint8_t octets[BATCH_HEADER];
    struct batch_header in = { 12, 8192, 78, 0x55, 0x66, 5000, 3, 0 }, out;
    batch_header_encode(&key, &in, octets);
    assert_true(batch_header_decode(&key, octets, 12, 8192, &out));
    assert_memory_equal(&in, &out, sizeof in);
    /* Not in another segment, not at another place, not with another key. */
    assert_false(batch_header_decode(&key, octets, 13, 8192, &out));
    assert_false(batch_header_decode(&key, octets, 12, 12288, &out));
    other.secret[10] ^= 1;
    assert_false(batch_header_decode(&other, octets, 12, 8192, &out));
    for (size_t i = 0; i < sizeof octets * 8; i++) {
        octets[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_false(batch_header_decode(&key, octets, 12, 8192, &out));
        octets[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    /* Verifies, but cannot be. */
    static const struct batch_header bad[] = {
        { 12, 8192, 0, 0, 0, 5000, 3, 0 },
        { 12, 8192, 78, 0, 0, 5000, 0, 0 },
        { 12, 8192, 78, 0, 0, 50000, JOURNAL_BATCH_UNITS_MAX + 1, 0 },
        { 12, 8192, 78, 0, 0, BATCH_HEADER + UNIT_HEADER - 1, 1, 0 },
        { 12, 8192, 78, 0, 0, BATCH_OCTETS_LIMIT + 1, 1, 0 },
        { 12, 8192, 78, 0, 0, UINT32_MAX, 1, 0 },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        in = bad[i];
        batch_header_encode(&key, &in, octets);
        assert_false(batch_header_decode(&key, octets, 12, 8192, &out));
    }
}

/* --- Units --- */

enum { CONTENT = JOURNAL_BLOCK + 10, UNIT_MAX = CONTENT + 400 };

/* A unit with two blocks of content; returns its header. */
static struct unit_header build_unit(const struct format_key *key, uint8_t *octets)
{
    static const char changes[] = "some changes";
    struct unit_header h = { .offset = 8256,
                             .sequence = 78,
                             .message = 1234,
                             .content_octets = CONTENT,
                             .changes_octets = sizeof changes,
                             .blocks = 2 };
    memset(octets, 0, UNIT_MAX);
    memcpy(octets + unit_changes_at(&h), changes, sizeof changes);
    h.changes_checksum =
        format_checksum(key, (struct bytes){ (const uint8_t *)changes, sizeof changes });
    h.octets = unit_content_at(&h) + (uint32_t)format_pad(CONTENT);
    for (size_t i = 0; i < CONTENT; i++)
        octets[unit_content_at(&h) + i] = (uint8_t)(i * 7 + i / 255);
    for (uint64_t i = 0; i < 2; i++) {
        struct bytes block = { octets + unit_content_at(&h) + i * JOURNAL_BLOCK,
                               i ? CONTENT - JOURNAL_BLOCK : JOURNAL_BLOCK };
        format_put_checksum(octets + UNIT_HEADER, i,
                            format_checksum_block(key, h.message, i, block));
    }
    unit_header_encode(key, &h, octets);
    return h;
}

static void test_units(void **state)
{
    (void)state;
    static uint8_t octets[UNIT_MAX];
    struct format_key key = test_key();
    struct unit_header in = build_unit(&key, octets), out;
    struct bytes all = { octets, in.octets };
    assert_true(unit_header_decode(&key, all, in.offset, &out));
    assert_memory_equal(&in, &out, sizeof in);
    assert_int_equal(unit_body_verify(&key, &out, all), UNIT_ALL_GOOD);
    assert_false(unit_header_decode(&key, all, in.offset + 8, &out));
    for (size_t len = 0; len < unit_changes_at(&in); len++)
        assert_false(unit_header_decode(&key, (struct bytes){ octets, len }, in.offset, &out));
    for (uint32_t i = 0; i < in.octets; i += i < 200 ? 1 : 97) {
        octets[i] ^= 4;
        bool in_head = i < unit_changes_at(&in);
        bool in_changes = !in_head && i < unit_changes_at(&in) + in.changes_octets;
        bool in_content = i >= unit_content_at(&in) && i < unit_content_at(&in) + CONTENT;
        assert_int_equal(unit_header_decode(&key, all, in.offset, &out), !in_head);
        if (!in_head)
            assert_int_equal(unit_body_verify(&key, &in, all), in_changes   ? UNIT_CHANGES_BAD
                                                               : in_content ? UNIT_CONTENT_BAD
                                                                            : UNIT_ALL_GOOD);
        octets[i] ^= 4;
    }
}

/* Lengths that do not fit each other never get as far as being used. */
static void test_units_that_cannot_be(void **state)
{
    (void)state;
    static uint8_t octets[UNIT_MAX];
    struct format_key key = test_key();
    struct unit_header good = build_unit(&key, octets), out;
    struct bytes all = { octets, sizeof octets };
    struct unit_header bad[10];
    for (size_t i = 0; i < 10; i++)
        bad[i] = good;
    bad[0].octets += 8;
    bad[1].octets -= 8;
    bad[2].content_octets = UINT64_MAX;
    bad[3].content_octets = 0;
    bad[4].changes_octets = 0;
    bad[5].changes_octets += 8;
    bad[6].flags = 2;
    bad[7].flags = UNIT_LARGE;
    bad[8].message = 0;
    bad[9].changes_octets = UINT32_MAX;
    for (size_t i = 0; i < 10; i++) {
        build_unit(&key, octets);
        unit_header_encode(&key, &bad[i], octets);
        assert_false(unit_header_decode(&key, all, good.offset, &out));
    }
    static const struct {
        uint64_t content;
        uint32_t blocks, octets;
    } wraps[] = {
        { (uint64_t)UINT32_MAX * JOURNAL_BLOCK, UINT32_MAX, 72 },
        { (uint64_t)1 << 45, 1u << 29, 88 },
        { (uint64_t)(1 << 29) * JOURNAL_BLOCK, 1 << 29, 88 },
    };
    for (size_t i = 0; i < sizeof wraps / sizeof *wraps; i++) {
        struct unit_header claim;
        build_unit(&key, octets);
        memcpy(octets + 40, &wraps[i].content, 8);
        memcpy(octets + 48, &wraps[i].octets, 4);
        memcpy(octets + 56, &wraps[i].blocks, 4);
        assert_false(unit_header_peek(octets, good.offset, &claim));
    }
}

static void test_blocks_are_bound_to_message_and_place(void **state)
{
    (void)state;
    struct format_key key = test_key(), other = key;
    struct bytes b = bytes_of_text(T("the same octets"));
    uint64_t checksum = format_checksum_block(&key, 1, 0, b);
    other.secret[0] ^= 1;
    assert_true(checksum != format_checksum_block(&key, 2, 0, b));
    assert_true(checksum != format_checksum_block(&key, 1, 1, b));
    assert_true(checksum != format_checksum_block(&other, 1, 0, b));
    assert_true(checksum == format_block_checksum(&key, 1, 0, format_checksum(&key, b)));
}

/* The octets are a promise: what is different here is a new format version. */
static void test_octets_stay(void **state)
{
    (void)state;
    static uint8_t octets[UNIT_MAX];
    uint8_t page[FILE_HEADER], batch[BATCH_HEADER];
    struct format_key key = test_key();
    struct segment_header segment = test_segment();
    struct large_header large = { .message = 99, .created_ms = 5, .key = key };
    struct batch_header header = { 12, 8192, 78, 0x55, 0x66, 5000, 3, 0 };
    segment_header_encode(&segment, uuid, page);
    assert_memory_equal(page, "GODWITJ1", 8);
    assert_true(format_get_checksum(page, 1) == 0xb73a27518618f398);
    large_header_encode(&large, uuid, page);
    assert_memory_equal(page, "GODWITL1", 8);
    assert_true(format_get_checksum(page, 1) == 0xe89d4525857e976e);
    batch_header_encode(&key, &header, batch);
    assert_memory_equal(batch, "GODWITB1", 8);
    assert_true(format_get_checksum(batch, 1) == 0x703b0de4e7748075);
    build_unit(&key, octets);
    assert_memory_equal(octets, "GODWITU1", 8);
    assert_true(format_get_checksum(octets, 1) == 0xee78607a42d93907);
}

static void test_segment_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t number;
    } cases[] = {
        { "00000001.seg", 1 },
        { "99999999.seg", 99999999 },
        { "100000000.seg", 100000000 },
        { "9223372036854775807.seg", INT64_MAX },
        { "9223372036854775808.seg", 0 },
        { "00000000.seg", 0 },
        { "18446744073709551616.seg", 0 },
        { "0000001.seg", 0 },
        { "000000001.seg", 0 },
        { "00000001.sex", 0 },
        { "00000001seg.", 0 },
        { "0000001a.seg", 0 },
        { "00000001.seg.new", 0 },
        { ".seg", 0 },
        { "large", 0 },
        { "", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_true(segment_number(cases[i].name) == cases[i].number);
    char name[SEGMENT_NAME_MAX];
    segment_name(UINT64_MAX, name);
    assert_string_equal(name, "journal/18446744073709551615.seg");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segment_headers),
        cmocka_unit_test(test_large_headers),
        cmocka_unit_test(test_batch_headers),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_units_that_cannot_be),
        cmocka_unit_test(test_blocks_are_bound_to_message_and_place),
        cmocka_unit_test(test_octets_stay),
        cmocka_unit_test(test_segment_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
