/* test_reply_reader.c - replies taken apart: forms, oddities, limits; the same at every cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "proto/reply_reader.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
    [REPLY_NEED_INPUT] = "more?", [REPLY_LINE] = "line",       [REPLY_WHOLE] = "whole",
    [REPLY_JUNK] = "junk",        [REPLY_ENDLESS] = "endless",
};

/* Reads all of the octets in pieces and writes down what came, in one line. */
static void read_in_pieces(struct text octets, size_t piece, struct buffer *out)
{
    struct reply_reader r;
    struct bytes in = { NULL, 0 };
    size_t end = 0;
    enum reply_reader_step step = REPLY_NEED_INPUT;
    reply_reader_init(&r);
    while (step != REPLY_JUNK && step != REPLY_ENDLESS) {
        step = reply_read(&r, &in);
        if (step == REPLY_NEED_INPUT) {
            assert_true(in.len < REPLY_INPUT_MAX);
            if (end == octets.len)
                break;
            size_t left = end - in.len;
            end += octets.len - end < piece ? octets.len - end : piece;
            in = (struct bytes){ (const uint8_t *)octets.at + left, end - left };
            continue;
        }
        buffer_printf(out, "%s", names[step]);
        if (step == REPLY_WHOLE)
            buffer_printf(out, " %u %s [%.*s]", r.code, r.status,
                          TEXT_ARGS(buffer_as_text(&r.kept)));
        else if (step == REPLY_JUNK)
            buffer_printf(out, " [%.*s]", TEXT_ARGS(r.line));
        buffer_text(out, T("; "));
    }
    reply_reader_clear(&r);
}

static void expect(const char *octets, const char *what)
{
    for (size_t piece = 1; piece <= strlen(octets) + 1; piece++) {
        struct buffer out;
        buffer_init(&out, 1 << 16);
        read_in_pieces(text_of(octets), piece, &out);
        buffer_byte(&out, 0);
        assert_string_equal((const char *)out.at, what);
        buffer_clear(&out);
    }
}

static void test_forms(void **state)
{
    (void)state;
    static const struct {
        const char *octets, *what;
    } cases[] = {
        { "", "" },
        { "250 ok", "" },
        { "250 ok\r\n", "whole 250  [250 ok]; " },
        { "250 ok\n", "whole 250  [250 ok]; " },
        { "250\r\n", "whole 250  [250]; " },
        { "250\n", "whole 250  [250]; " },
        { "250 \r\n", "whole 250  [250 ]; " },
        { "250ok\r\n", "whole 250  [250ok]; " },
        { "250\tok\r\n", "whole 250  [250\tok]; " },
        { "250-\r\n250\r\n", "line; whole 250  [250-\n250]; " },
        { "250-a\r\n250-b\r\n250 c\r\n", "line; line; whole 250  [250-a\n250-b\n250 c]; " },
        { "250-a\r\nbare\r\n\r\n250 c\r\n",
          "line; line; line; whole 250  [250-a\nbare\n\n250 c]; " },
        { "250 a\r\n550 b\r\n", "whole 250  [250 a]; whole 550  [550 b]; " },
        { "550 5.1.1 no\r\n", "whole 550 5.1.1 [550 5.1.1 no]; " },
        { "550 5.1.1\r\n", "whole 550 5.1.1 [550 5.1.1]; " },
        { "550 5.999.999 no\r\n", "whole 550 5.999.999 [550 5.999.999 no]; " },
        { "550 5.1000.1 no\r\n", "whole 550  [550 5.1000.1 no]; " },
        { "550 5.1.1000 no\r\n", "whole 550  [550 5.1.1000 no]; " },
        { "550 5.1 no\r\n", "whole 550  [550 5.1 no]; " },
        { "550 5..1 no\r\n", "whole 550  [550 5..1 no]; " },
        { "550 5.1.1: no\r\n", "whole 550  [550 5.1.1: no]; " },
        { "550 4.1.1 no\r\n", "whole 550  [550 4.1.1 no]; " },
        { "450-hm\r\n450 4.2.0 no\r\n", "line; whole 450 4.2.0 [450-hm\n450 4.2.0 no]; " },
        { "550-5.1.1 a\r\n550 5.2.2 b\r\n", "line; whole 550 5.1.1 [550-5.1.1 a\n550 5.2.2 b]; " },
        { "250-a\r\n550 b\r\n", "line; junk [550 b]; " },
        { "250-a\r\n2500 b\r\n250 c\r\n", "line; line; whole 250  [250-a\n2500 b\n250 c]; " },
        { "2500 b\r\n", "junk [2500 b]; " },
        { "\r\n", "junk []; " },
        { "\n", "junk []; " },
        { "25\r\n", "junk [25]; " },
        { "150 a\r\n", "junk [150 a]; " },
        { "650 a\r\n", "junk [650 a]; " },
        { " 250 a\r\n", "junk [ 250 a]; " },
        { "+OK hi\r\n", "junk [+OK hi]; " },
        { "25x ok\r\n", "junk [25x ok]; " },
        { "250 a\rb\r\n", "whole 250  [250 a\rb]; " },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(cases[i].octets, cases[i].what);
}

/* A line of `octets` without its end, read in pieces; how much is kept of it. */
static void test_long_lines(void **state)
{
    (void)state;
    static const struct {
        size_t octets;
        const char *end, *steps;
        size_t kept;
    } cases[] = {
        { REPLY_INPUT_MAX - 2, "\r\n", "whole 250 ", REPLY_INPUT_MAX - 2 },
        { REPLY_INPUT_MAX - 1, "\n", "whole 250 ", REPLY_INPUT_MAX - 1 },
        { REPLY_INPUT_MAX - 1, "\r\n", "whole 250 ", REPLY_INPUT_MAX }, /* its CR is kept */
        { REPLY_INPUT_MAX, "\r\n", "whole 250 ", REPLY_KEPT_MAX },
        { 100000, "\r\n", "whole 250 ", REPLY_KEPT_MAX },
        { REPLY_OCTETS_MAX - 2, "\r\n", "whole 250 ", REPLY_KEPT_MAX },
        { REPLY_OCTETS_MAX - 1, "\r\n", "endless", 0 },
    };
    static const size_t pieces[] = { 1000, 4095, 4096, 4097, 65536, SIZE_MAX };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer octets, out;
        buffer_init(&octets, 1 << 21);
        memset(buffer_reserve(&octets, cases[i].octets), 'a', cases[i].octets);
        octets.len = cases[i].octets;
        memcpy(octets.at, "250 ", 4);
        buffer_text(&octets, text_of(cases[i].end));
        for (size_t j = 0; j < sizeof pieces / sizeof *pieces; j++) {
            buffer_init(&out, 1 << 16);
            read_in_pieces(buffer_as_text(&octets), pieces[j], &out);
            assert_true(text_starts(buffer_as_text(&out), text_of(cases[i].steps)));
            size_t kept = out.len - strlen("whole 250  []; ");
            assert_true(cases[i].kept == 0 || kept == cases[i].kept);
            buffer_clear(&out);
        }
        buffer_clear(&octets);
    }
}

/* Fifty lines and 4 KB are kept; the code and the end are found all the same. */
static void test_many_lines(void **state)
{
    (void)state;
    for (size_t words = 1; words <= 200; words += 199) {
        struct reply_reader r;
        reply_reader_init(&r);
        char line[300] = "550-";
        memset(line + 4, 'x', words);
        memcpy(line + 4 + words, "\r\n", 3);
        for (int i = 0; i < 200; i++) {
            struct bytes in = { (const uint8_t *)line, strlen(line) };
            assert_int_equal(reply_read(&r, &in), REPLY_LINE);
        }
        line[3] = ' ';
        struct bytes in = { (const uint8_t *)line, strlen(line) };
        assert_int_equal(reply_read(&r, &in), REPLY_WHOLE);
        assert_int_equal(r.code, 550);
        assert_int_equal(r.lines, 201);
        size_t line_kept = 4 + words + 1;
        size_t all = REPLY_KEPT_LINES * line_kept - 1;
        assert_int_equal(r.kept.len, all < REPLY_KEPT_MAX ? all : REPLY_KEPT_MAX);
        reply_reader_clear(&r);
        assert_null(r.kept.at);
    }
}

static void test_words(void **state)
{
    (void)state;
    assert_true(text_equal(reply_words(T("250-SIZE 10")), T("SIZE 10")));
    assert_true(text_equal(reply_words(T("250 SIZE")), T("SIZE")));
    assert_true(text_equal(reply_words(T("250SIZE")), T("SIZE")));
    assert_true(text_equal(reply_words(T("250")), T("")));
    assert_true(text_equal(reply_words(T("")), T("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_many_lines),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
