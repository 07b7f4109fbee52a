/* test_xtext.c - xtext (RFC 3461 4) and unitext (RFC 6533 3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "mail/xtext.h"

struct pair {
    struct text from, to; /* .at NULL: refused */
};

typedef bool convert(struct buffer *, struct text);

static void check(convert *f, const struct pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct buffer b;
        buffer_init(&b, 1000);
        assert_true(buffer_text(&b, T("kept")));
        bool done = f(&b, pairs[i].from);
        struct text got = text_skip(buffer_as_text(&b), 4);
        if (done != (pairs[i].to.at != NULL) || !text_equal(got, pairs[i].to))
            fail_msg("%.*s gave %.*s", TEXT_ARGS(pairs[i].from), TEXT_ARGS(got));
        assert_false(b.failed);
        buffer_clear(&b);
    }
}
#define CHECK_PAIRS(f, pairs) check(f, pairs, sizeof pairs / sizeof *pairs)

static void test_xtext_decode(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        { TEXT(""), TEXT("") },
        { TEXT("Bob@Example.COM"), TEXT("Bob@Example.COM") },
        { TEXT("a+2Bb+3Dc"), TEXT("a+b=c") },
        { TEXT("+20+41+7E"), TEXT(" A~") },
        { TEXT("+C3+BC+80+FF"), TEXT("\xC3\xBC\x80\xFF") },
        { TEXT("!~"), TEXT("!~") },
        /* Control characters, hidden or not. */
        { TEXT("+00"), { 0 } },
        { TEXT("+0A"), { 0 } },
        { TEXT("+0D"), { 0 } },
        { TEXT("+09"), { 0 } },
        { TEXT("+1F"), { 0 } },
        { TEXT("+7F"), { 0 } },
        { TEXT("a\tb"), { 0 } },
        { TEXT("a b"), { 0 } },
        { TEXT("a\0b"), { 0 } },
        { TEXT("a\x7F"), { 0 } },
        { TEXT("\xC3\xBC"), { 0 } },
        /* Not xtext. */
        { TEXT("a=b"), { 0 } },
        { TEXT("+"), { 0 } },
        { TEXT("a+2"), { 0 } },
        { TEXT("+2b"), { 0 } },
        { TEXT("+c3"), { 0 } },
        { TEXT("+G0"), { 0 } },
        { TEXT("+0x"), { 0 } },
        { TEXT("good+2Bthen+zz"), { 0 } },
    };
    CHECK_PAIRS(xtext_decode, pairs);
}

static void test_xtext_encode(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        { TEXT(""), TEXT("") },
        { TEXT("Bob@Example.COM"), TEXT("Bob@Example.COM") },
        { TEXT("a+b=c d"), TEXT("a+2Bb+3Dc+20d") },
        { TEXT("\r\n\0\x7F\xFF"), TEXT("+0D+0A+00+7F+FF") },
    };
    CHECK_PAIRS(xtext_encode, pairs);
}

static void test_unitext_decode(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        { TEXT(""), TEXT("") },
        { TEXT("a@b.example"), TEXT("a@b.example") },
        { TEXT("\xC3\xBC@b"), TEXT("\xC3\xBC@b") },
        { TEXT("\\x{FC}@b"), TEXT("\xC3\xBC@b") },
        { TEXT("\\x{fc}@b"), TEXT("\xC3\xBC@b") },
        { TEXT("\\x{20}\\x{2B}\\x{3D}\\x{5C}"), TEXT(" +=\\") },
        { TEXT("\\x{A0}\\x{7FF}\\x{800}"), TEXT("\xC2\xA0\xDF\xBF\xE0\xA0\x80") },
        { TEXT("\\x{D7FF}\\x{E000}"), TEXT("\xED\x9F\xBF\xEE\x80\x80") },
        { TEXT("\\x{FFFF}\\x{10000}"), TEXT("\xEF\xBF\xBF\xF0\x90\x80\x80") },
        { TEXT("\\x{10FFFF}"), TEXT("\xF4\x8F\xBF\xBF") },
        /* Control characters. */
        { TEXT("\\x{01}"), { 0 } },
        { TEXT("\\x{10}"), { 0 } },
        { TEXT("\\x{0A}"), { 0 } },
        { TEXT("\\x{7F}"), { 0 } },
        { TEXT("\\x{85}"), { 0 } },
        { TEXT("\xC2\x85"), { 0 } },
        { TEXT("a\nb"), { 0 } },
        { TEXT("a b"), { 0 } },
        /* ASCII needs no escape, and may have none. */
        { TEXT("\\x{41}"), { 0 } },
        { TEXT("\\x{0041}"), { 0 } },
        { TEXT("\\x{0FC}"), { 0 } },
        { TEXT("\\x{D800}"), { 0 } },
        { TEXT("\\x{DFFF}"), { 0 } },
        { TEXT("\\x{110000}"), { 0 } },
        { TEXT("\\x{0010FFFF}"), { 0 } },
        { TEXT("\\x{F}"), { 0 } },
        { TEXT("\\x{}"), { 0 } },
        { TEXT("\\x{FC"), { 0 } },
        { TEXT("\\x{FG}"), { 0 } },
        { TEXT("\\xFC"), { 0 } },
        { TEXT("\\"), { 0 } },
        { TEXT("a+b"), { 0 } },
        { TEXT("a=b"), { 0 } },
        { TEXT("\xC3"), { 0 } },
        { TEXT("\xC0\x80"), { 0 } },
        { TEXT("\xED\xA0\x80"), { 0 } },
        { TEXT("ok\\x{FC}then\xFF"), { 0 } },
    };
    CHECK_PAIRS(unitext_decode, pairs);
}

static void test_unitext_encode(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        { TEXT(""), TEXT("") },
        { TEXT("a@b"), TEXT("a@b") },
        { TEXT("\xC3\xBC@b"), TEXT("\\x{FC}@b") },
        { TEXT("a +=\\"), TEXT("a\\x{20}\\x{2B}\\x{3D}\\x{5C}") },
        { TEXT("\xE7\x94\xA8\xF4\x8F\xBF\xBF"), TEXT("\\x{7528}\\x{10FFFF}") },
        { TEXT("a\xFF"), { 0 } },
        { TEXT("\xED\xA0\x80"), { 0 } },
    };
    CHECK_PAIRS(unitext_encode, pairs);
}

static void test_no_room(void **state)
{
    (void)state;
    static const struct {
        convert *f;
        struct text from;
        size_t needs; /* buffer_printf() takes one octet more */
    } cases[] = {
        { xtext_decode, TEXT("a+2Bb"), 3 },
        { xtext_encode, TEXT("a+b"), 5 },
        { unitext_decode, TEXT("a\\x{FC}"), 3 },
        { unitext_encode, TEXT("a\xC3\xBC"), 8 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t max = 0; max <= cases[i].needs; max++) {
            struct buffer b;
            buffer_init(&b, max);
            bool done = cases[i].f(&b, cases[i].from);
            assert_int_equal(done, max == cases[i].needs);
            assert_int_equal(b.failed, !done);
            assert_true(done || b.len == 0);
            buffer_clear(&b);
        }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xtext_decode),   cmocka_unit_test(test_xtext_encode),
        cmocka_unit_test(test_unitext_decode), cmocka_unit_test(test_unitext_encode),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
