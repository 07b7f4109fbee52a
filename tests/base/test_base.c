/* test_base.c - text, buffer, arena, heap, escape, net. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "base/arena.h"
#include "base/escape.h"
#include "base/heap.h"
#include "base/net.h"

#include <string.h>

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        bool (*read)(struct text, uint64_t *);
        const char *words;
        bool ok;
        uint64_t value;
    } cases[] = {
        { text_to_u64, "0", true, 0 },
        { text_to_u64, "007", true, 7 },
        { text_to_u64, "18446744073709551615", true, UINT64_MAX },
        { text_to_u64, "18446744073709551616", false, 0 },
        { text_to_u64, "99999999999999999999999", false, 0 },
        { text_to_u64, "", false, 0 },
        { text_to_u64, "-1", false, 0 },
        { text_to_u64, "+1", false, 0 },
        { text_to_u64, "1 ", false, 0 },
        { text_hex_to_u64, "0", true, 0 },
        { text_hex_to_u64, "00Ff", true, 255 },
        { text_hex_to_u64, "ffffffffffffffff", true, UINT64_MAX },
        { text_hex_to_u64, "00000000000000000", false, 0 },
        { text_hex_to_u64, "", false, 0 },
        { text_hex_to_u64, "0x1", false, 0 },
        { text_hex_to_u64, "1g", false, 0 },
        { text_hex_to_u64, "1@", false, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t value = 0;
        assert_int_equal(cases[i].read(text_of(cases[i].words), &value), cases[i].ok);
        assert_true(value == cases[i].value);
    }
}

static void test_ascii(void **state)
{
    (void)state;
    assert_true(text_is_ascii(T("")));
    assert_true(text_is_ascii(T("a\0\x7f")));
    assert_false(text_is_ascii(T("plain, then \x80")));
    assert_false(text_is_ascii(T("\xff and plain")));
}

/* Every octet. */
static void test_kinds(void **state)
{
    (void)state;
    for (int i = 0; i < 256; i++) {
        char c = (char)i;
        assert_true(text_is_letter(c) == ((i >= 'A' && i <= 'Z') || (i >= 'a' && i <= 'z')));
        assert_true(text_is_blank(c) == (i == ' ' || i == '\t'));
        assert_true(text_is_one_of(c, "a\xff") == (i == 'a' || i == 0xFF));
        assert_false(text_is_one_of(c, ""));
    }
}

static void test_words(void **state)
{
    (void)state;
    struct text rest = T("  RCPT\t TO:<a@b>  "), word;
    assert_true(text_word(&rest, &word));
    assert_true(text_equal(word, T("RCPT")));
    rest = text_trim(rest);
    assert_true(text_take_nocase(&rest, T("to:")));
    assert_true(text_equal(rest, T("<a@b>")));
    assert_true(text_compare(T("a"), T("ab")) < 0);
    assert_true(text_ends_nocase(T("x.EXAMPLE"), T(".example")));
}

static void test_buffer_keeps_its_maximum(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 10);
    assert_true(buffer_text(&b, T("12345678")));
    assert_false(buffer_text(&b, T("9ab")));
    assert_int_equal(b.len, 8);
    assert_true(b.failed);
    buffer_take(&b, 3);
    assert_true(text_equal(buffer_as_text(&b), T("45678")));
    buffer_clear(&b);
    assert_false(b.failed);
}

static void test_arena_keeps_its_maximum(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 4096);
    size_t taken = 0;
    while (arena_take(&a, 100))
        taken++;
    assert_true(taken > 30);
    assert_true(taken <= 40);
    assert_null(arena_take(&a, SIZE_MAX));
    arena_reset(&a);
    assert_non_null(arena_take(&a, 4000));
    arena_reset(&a);
}

static void test_heap_gives_in_order(void **state)
{
    (void)state;
    struct heap h = { 0 };
    struct heap_node nodes[200] = { 0 };
    uint32_t seed = 1;
    for (size_t i = 0; i < 200; i++) {
        seed = seed * 1664525 + 1013904223;
        assert_true(heap_set(&h, &nodes[i], seed >> 8));
    }
    for (size_t i = 0; i < 200; i += 3)
        heap_remove(&h, &nodes[i]);
    for (size_t i = 1; i < 200; i += 3)
        assert_true(heap_set(&h, &nodes[i], nodes[i].key ^ 0x5555));
    uint64_t last = 0;
    size_t count = 0;
    for (struct heap_node *n; (n = heap_first(&h)); count++) {
        assert_true(n->key >= last);
        last = n->key;
        heap_remove(&h, n);
    }
    assert_int_equal(count, 200 - 67);
    heap_clear(&h);
}

static void test_escape(void **state)
{
    (void)state;
    static const struct {
        struct text from, to;
    } cases[] = {
        { TEXT("plain"), TEXT("plain") },
        { TEXT("a\\b"), TEXT("a\\\\b") },
        { TEXT("\r\n\033["), TEXT("\\x0D\\x0A\\x1B[") },
        { TEXT("gr\xC3\xBC\xC3\x9F"), TEXT("gr\xC3\xBC\xC3\x9F") },
        { TEXT("\xC0\xAF"), TEXT("\\xC0\\xAF") },
        { TEXT("\xE2\x80\xAEx"), TEXT("\\u{202E}x") },
        { TEXT("\xE2\x80\x8Dx\xEF\xBB\xBF"), TEXT("\\u{200D}x\\u{FEFF}") },
        { TEXT("\xC2\x85"), TEXT("\\u{85}") },
        { TEXT("\xED\xA0\x80"), TEXT("\\xED\\xA0\\x80") },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer b;
        buffer_init(&b, 100);
        assert_true(escape_text(&b, cases[i].from));
        assert_int_equal(b.len, cases[i].to.len);
        assert_memory_equal(b.at, cases[i].to.at, b.len);
        buffer_clear(&b);
    }
}

static void test_networks(void **state)
{
    (void)state;
    static const struct {
        const char *network, *peer;
        bool valid, contains;
    } cases[] = {
        { "127.0.0.0/8", "127.9.8.7", true, true },
        { "127.0.0.0/8", "128.0.0.1", true, false },
        { "127.0.0.0/8", "::ffff:127.0.0.1", true, true },
        { "[::1]/128", "::1", true, true },
        { "2001:db8::/33", "2001:db8:7fff::1", true, true },
        { "2001:db8::/33", "2001:db8:8000::1", true, false },
        { "0.0.0.0/0", "::1", true, false },
        { "192.0.2.5", "192.0.2.5", true, true },
        { "192.0.2.1/24", "192.0.2.1", false, false },
        { "192.0.2.0/33", "192.0.2.1", false, false },
        { "300.0.0.0/8", "192.0.2.1", false, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct network n;
        struct endpoint peer;
        assert_int_equal(network_parse(text_of(cases[i].network), &n), cases[i].valid);
        assert_true(endpoint_parse_address(text_of(cases[i].peer), &peer));
        if (cases[i].valid)
            assert_int_equal(network_contains(&n, &peer), cases[i].contains);
    }
    struct endpoint e;
    char out[ENDPOINT_TEXT_MAX];
    assert_true(endpoint_parse(T("[2001:db8::1]:25"), &e));
    assert_string_equal(endpoint_print(&e, out).at, "[2001:db8::1]:25");
    assert_string_equal(endpoint_print_literal(&e, out).at, "[IPv6:2001:db8::1]");
    assert_true(endpoint_parse(T("192.0.2.255:65535"), &e));
    assert_string_equal(endpoint_print(&e, out).at, "192.0.2.255:65535");
    assert_string_equal(endpoint_print_address(&e, out).at, "192.0.2.255");
    assert_string_equal(endpoint_print_literal(&e, out).at, "[192.0.2.255]");
    e = (struct endpoint){ 0 };
    assert_string_equal(endpoint_print_address(&e, out).at, "");
    assert_false(endpoint_parse(T("::1:25"), &e));
    assert_false(endpoint_parse(T("1.2.3.4:0"), &e));
    assert_false(endpoint_parse(T("1.2.3.4"), &e));
}

static void test_put_numbers(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        unsigned digits_min;
        const char *words;
    } cases[] = {
        { 0, 0, "0" },
        { 0, 1, "0" },
        { 7, 2, "07" },
        { 10, 2, "10" },
        { 12345, 3, "12345" },
        { UINT64_MAX, 1, "18446744073709551615" },
        { 1, TEXT_DIGITS_MAX, "00000000000000000001" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[TEXT_DIGITS_MAX];
        char *end = text_put_u64(out, cases[i].value, cases[i].digits_min);
        assert_int_equal(end - out, strlen(cases[i].words));
        assert_memory_equal(out, cases[i].words, strlen(cases[i].words));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_put_numbers),
        cmocka_unit_test(test_ascii),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_buffer_keeps_its_maximum),
        cmocka_unit_test(test_arena_keeps_its_maximum),
        cmocka_unit_test(test_heap_gives_in_order),
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
