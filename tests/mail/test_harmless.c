/* test_harmless.c - what a terminal may be shown of what others sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "mail/harmless.h"

static const struct {
    struct text given, text, line;
} cases[] = {
    { TEXT(""), TEXT(""), TEXT("") },
    { TEXT("a\tb\nc\r\nd"), TEXT("a\tb\nc\nd"), TEXT("a b c d") },
    { TEXT("back\\slash ~"), TEXT("back\\slash ~"), TEXT("back\\slash ~") },
    /* escape sequences, also as C1; bells; a lone CR, which writes over what stood there */
    { TEXT("\x1B[2J\x07"), TEXT("\\u{1B}[2J\\u{7}"), TEXT("\\u{1B}[2J\\u{7}") },
    { TEXT("\xC2\x9B"
           "31m"),
      TEXT("\\u{9B}31m"), TEXT("\\u{9B}31m") },
    { TEXT("ok\rno"), TEXT("ok\\u{D}no"), TEXT("ok\\u{D}no") },
    { TEXT("\r\r\n\r"), TEXT("\\u{D}\n\\u{D}"), TEXT("\\u{D} \\u{D}") },
    { TEXT("\x7F\x00z"), TEXT("\\u{7F}\\u{0}z"), TEXT("\\u{7F}\\u{0}z") },
    /* what turns its neighbours round, and tags */
    { TEXT("a\xE2\x80\xAEgnp.exe"), TEXT("a\\u{202E}gnp.exe"), TEXT("a\\u{202E}gnp.exe") },
    { TEXT("\xE2\x81\xA6x\xE2\x81\xA9"), TEXT("\\u{2066}x\\u{2069}"), TEXT("\\u{2066}x\\u{2069}") },
    { TEXT("\xE2\x80\xA8"), TEXT("\\u{2028}"), TEXT("\\u{2028}") },
    { TEXT("\xF3\xA0\x81\xA1"), TEXT("\\u{E0061}"), TEXT("\\u{E0061}") },
    /* scripts that need what is not seen: joiners, marks, variants */
    { TEXT("\xD9\x85\xE2\x80\x8C\xD8\xA7"), TEXT("\xD9\x85\xE2\x80\x8C\xD8\xA7"),
      TEXT("\xD9\x85\xE2\x80\x8C\xD8\xA7") },
    { TEXT("\xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9 \xE2\x9D\xA4\xEF\xB8\x8F"),
      TEXT("\xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9 \xE2\x9D\xA4\xEF\xB8\x8F"),
      TEXT("\xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9 \xE2\x9D\xA4\xEF\xB8\x8F") },
    /* no UTF-8: alone, cut, overlong, a surrogate */
    { TEXT("\xFF\xE4"), TEXT("\\xFF\\xE4"), TEXT("\\xFF\\xE4") },
    { TEXT("\xE2\x82"), TEXT("\\xE2\\x82"), TEXT("\\xE2\\x82") },
    { TEXT("\xE2\x82"
           "a"),
      TEXT("\\xE2\\x82a"), TEXT("\\xE2\\x82a") },
    { TEXT("\xC0\x9B"), TEXT("\\xC0\\x9B"), TEXT("\\xC0\\x9B") },
    { TEXT("\xE0\x80\x9B\xED\xA0\x80"), TEXT("\\xE0\\x80\\x9B\\xED\\xA0\\x80"),
      TEXT("\\xE0\\x80\\x9B\\xED\\xA0\\x80") },
};

static void check(const struct buffer *got, struct text want)
{
    assert_int_equal(got->len, want.len);
    assert_memory_equal(got->len ? (const char *)got->at : "", want.at, want.len);
}

static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char room[256];
        struct buffer b = buffer_over(room, sizeof room);
        assert_true(harmless_text(&b, cases[i].given));
        check(&b, cases[i].text);
        b.len = 0;
        assert_true(harmless_line(&b, cases[i].given));
        check(&b, cases[i].line);
    }
}

static void test_any_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t step = 1; step <= 4; step++) {
            char room[256];
            struct harmless h = { 0 };
            struct buffer b = buffer_over(room, sizeof room);
            for (struct text t = cases[i].given; t.len; t = text_skip(t, step))
                assert_true(harmless_feed(&h, text_first(t, step), &b));
            assert_true(harmless_end(&h, &b));
            check(&b, cases[i].text);
        }
    }
}

static void test_no_room(void **state)
{
    (void)state;
    char room[5];
    struct buffer b = buffer_over(room, sizeof room);
    assert_false(harmless_text(&b, T("\x1B")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_any_cut),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
