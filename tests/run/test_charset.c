/* test_charset.c - other character sets to UTF-8, and UTF-8 to a terminal's, in any slices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "run/charset.h"

#include <stdlib.h>
#include <string.h>

#define LOST "\xEF\xBF\xBD"

static void check(const struct buffer *got, struct text want)
{
    assert_int_equal(got->len, want.len);
    assert_memory_equal(got->len ? (const char *)got->at : "", want.at, want.len);
}

static void recode(struct recoder *r, struct text given, size_t step, struct text want)
{
    char room[4096];
    struct buffer b = buffer_over(room, sizeof room);
    for (; given.len; given = text_skip(given, step))
        assert_true(recoder_feed(r, text_first(given, step), &b));
    assert_true(recoder_end(r, &b));
    check(&b, want);
}

static const struct {
    struct text charset, given, want;
} to_utf8[] = {
    { TEXT("KOI8-R"), TEXT("\xD0\xD2\xC9\xD7\xC5\xD4"), TEXT("привет") },
    { TEXT("windows-1251"), TEXT("\xEF\xF0\xE8\xE2\xE5\xF2"), TEXT("привет") },
    { TEXT("iso-8859-15"), TEXT("\xA4"), TEXT("€") },
    { TEXT("Windows-1252"), TEXT("\x80\x93"), TEXT("€“") },
    { TEXT("shift_jis"), TEXT("\x93\xFA\x96{"), TEXT("日本") },
    { TEXT("iso-2022-jp"), TEXT("a\x1B$BF|K\\\x1B(Bb"), TEXT("a日本b") },
    { TEXT("euc-jp"), TEXT("\xC6\xFC\xCB\xDC"), TEXT("日本") },
    { TEXT("GB2312"), TEXT("\xC4\xE3\xBA\xC3"), TEXT("你好") },
    { TEXT("gb18030"), TEXT("\x81\x30\x81\x30"), TEXT("\xC2\x80") },
    { TEXT("big5"), TEXT("\xA7\x41\xA6\x6E"), TEXT("你好") },
    { TEXT("euc-kr"), TEXT("\xC7\xD1"), TEXT("한") },
    { TEXT("ks_c_5601-1987"), TEXT("\xC7\xD1"), TEXT("한") },
    { TEXT("utf-16be"), TEXT("\0a\x20\xAC"), TEXT("a€") },
    { TEXT("utf-7"), TEXT("a+AOQ-b"), TEXT("aäb") },
    { TEXT("iso-8859-8-i"), TEXT("\xF9"), TEXT("ש") },
    { TEXT("tis-620"), TEXT("\xA1"), TEXT("ก") },
    /* what stands for nothing: in the middle, twice, at the end, cut */
    { TEXT("utf-8"),
      TEXT("a\xFF\xFE"
           "b"),
      TEXT("a" LOST LOST "b") },
    { TEXT("utf-8"), TEXT("a\xE2\x82"), TEXT("a" LOST) },
    { TEXT("euc-jp"), TEXT("\xC6"), TEXT(LOST) },
    { TEXT("us-ascii"), TEXT("a\x80z"), TEXT("a" LOST "z") },
    { TEXT("utf-16be"), TEXT("\xD8\x00\0a"), TEXT(LOST "a") },
    /* no characters: a surrogate, and a number behind the last one */
    { TEXT("ucs-4be"), TEXT("\0\0\xD8\0\0\x11\0\0\0\0\0a"), TEXT(LOST LOST "a") },
};

static void test_to_utf8(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof to_utf8 / sizeof *to_utf8; i++) {
        struct recoder *r = recoder_to_utf8(to_utf8[i].charset);
        assert_non_null(r);
        /* Again with the same one: the end of a text brings it back to its beginning. */
        for (size_t step = 1; step <= 5; step++)
            recode(r, to_utf8[i].given, step, to_utf8[i].want);
        recoder_free(&r);
        assert_null(r);
    }
}

static void test_from_utf8(void **state)
{
    (void)state;
    static const struct {
        struct text charset, given, want;
    } cases[] = {
        { TEXT("UTF-8"), TEXT("привет €"), TEXT("привет €") },
        { TEXT("KOI8-R"), TEXT("привет"), TEXT("\xD0\xD2\xC9\xD7\xC5\xD4") },
        { TEXT("ISO-8859-1"),
          TEXT("Gr\xC3\xBC\xC3\x9F"
               "e"),
          TEXT("Gr\xFC\xDF"
               "e") },
        { TEXT("ISO-8859-1"), TEXT("a日本b"), TEXT("a??b") },
        { TEXT("ISO-8859-1"),
          TEXT("a\xFF"
               "b\xE2\x82"),
          TEXT("a?b?") },
        { TEXT("ANSI_X3.4-1968"), TEXT("a 日 b"), TEXT("a ? b") },
        { TEXT("ISO-2022-JP"), TEXT("日"), TEXT("\x1B$BF|\x1B(B") },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct recoder *r = recoder_from_utf8(cases[i].charset);
        assert_non_null(r);
        for (size_t step = 1; step <= 5; step++)
            recode(r, cases[i].given, step, cases[i].want);
        recoder_free(&r);
    }
}

static void test_names(void **state)
{
    (void)state;
    static const struct text none[] = {
        TEXT(""),
        TEXT("x-unknown"),
        TEXT("utf-8//IGNORE"),
        TEXT("koi8-r,"),
        TEXT("../../etc"),
        TEXT("utf-8\nkoi8-r"),
        TEXT("koi8-r\0"),
        TEXT("utf 8"),
        TEXT("ISO-2022-CN-EXT"),
        TEXT("a-name-that-is-longer-than-any-character-set-has"),
    };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        assert_null(recoder_to_utf8(none[i]));
        assert_null(recoder_from_utf8(none[i]));
    }
}

/* A long text of every octet, in slices of every size around those of the converter. */
static void test_long(void **state)
{
    (void)state;
    enum { SIZE = 20000 };
    char *text = malloc(SIZE);
    assert_non_null(text);
    for (size_t i = 0; i < SIZE; i++)
        text[i] = (char)(i * 7 + i / 251);
    struct recoder *r = recoder_to_utf8(T("euc-kr"));
    struct buffer whole, sliced;
    assert_non_null(r);
    buffer_init(&whole, RECODER_ROOM(SIZE));
    assert_true(recoder_feed(r, (struct text){ text, SIZE }, &whole) && recoder_end(r, &whole));
    static const size_t steps[] = { 1, 13, 4095, 4096, 4097, 9000 };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        buffer_init(&sliced, RECODER_ROOM(SIZE) * 2);
        struct text rest = { text, SIZE };
        for (; rest.len; rest = text_skip(rest, steps[i]))
            assert_true(recoder_feed(r, text_first(rest, steps[i]), &sliced));
        assert_true(recoder_end(r, &sliced));
        check(&sliced, (struct text){ (const char *)whole.at, whole.len });
        buffer_clear(&sliced);
    }
    buffer_clear(&whole);
    recoder_free(&r);
    free(text);
}

static void test_charsets(void **state)
{
    (void)state;
    char room[64];
    struct buffer b = buffer_over(room, sizeof room);
    struct charsets *c = charsets_new();
    assert_non_null(c);
    assert_true(charsets_convert(c, T("koi8-r"), T("\xD0"), &b));
    assert_true(charsets_convert(c, T("KOI8-R"), T("\xD2"), &b));
    assert_false(charsets_convert(c, T("x-none"), T("a"), &b));
    assert_false(charsets_convert(c, T("x-none"), T("a"), &b));
    assert_false(charsets_convert(c, T(""), T("a"), &b));
    assert_true(charsets_convert(c, T("shift_jis"), T("\x93"), &b));
    assert_true(charsets_convert(c, T("shift_jis"), T("a"), &b));
    check(&b, T("пр" LOST "a"));
    char narrow[2];
    struct buffer full = buffer_over(narrow, sizeof narrow);
    assert_false(charsets_convert(c, T("koi8-r"), T("\xD0\xD2"), &full));
    b.len = 0;
    assert_true(charsets_convert(c, T("koi8-r"), T("\xD0"), &b));
    check(&b, T("п"));
    charsets_free(&c);
    assert_null(c);
}

static void test_terminal(void **state)
{
    (void)state;
    char name[CHARSET_TERMINAL_MAX];
    setenv("LC_ALL", "C", 1);
    struct text charset = charset_of_terminal(name);
    assert_string_equal(charset.at, "ANSI_X3.4-1968");
    struct recoder *r = recoder_from_utf8(charset);
    assert_non_null(r);
    recoder_free(&r);
    setenv("LC_ALL", "no_SUCH.locale", 1);
    assert_string_equal(charset_of_terminal(name).at, "UTF-8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_to_utf8),  cmocka_unit_test(test_from_utf8),
        cmocka_unit_test(test_names),    cmocka_unit_test(test_long),
        cmocka_unit_test(test_charsets), cmocka_unit_test(test_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
