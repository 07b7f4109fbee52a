/* test_reply.c - the lines of replies: limits, escapes, host names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "proto/reply.h"

#include <string.h>

static void expect(struct reply reply, enum reply_charset charset, const char *lines)
{
    struct buffer b;
    buffer_init(&b, 1 << 16);
    assert_true(reply_compose(&b, &reply, T("mx.example.org"), charset));
    buffer_byte(&b, 0);
    assert_string_equal((const char *)b.at, lines);
    buffer_clear(&b);
}

static void test_forms(void **state)
{
    (void)state;
    static const struct {
        struct reply reply;
        const char *lines;
    } cases[] = {
        { REPLY_ROW(250, "2.1.0", "ok"), "250 2.1.0 ok\r\n" },
        { REPLY_ROW(354, NULL, "go on"), "354 go on\r\n" },
        { REPLY_ROW(220, NULL, "ESMTP"), "220 mx.example.org ESMTP\r\n" },
        { REPLY_ROW(221, "2.0.0", "bye"), "221 2.0.0 mx.example.org bye\r\n" },
        { REPLY_ROW(421, "4.4.2", "late"), "421 4.4.2 mx.example.org late\r\n" },
        { REPLY_ROW(250, NULL, "a\nb\nc"), "250-a\r\n250-b\r\n250 c\r\n" },
        { REPLY_ROW(250, "2.1.5", "a\nb"), "250-2.1.5 a\r\n250 2.1.5 b\r\n" },
        { REPLY_ROW(550, "5.1.1", "\\ \"\\q\" stay"), "550 5.1.1 \\ \"\\q\" stay\r\n" },
        { REPLY_ROW(550, "5.1.1", "\r\t\x1b\x7f\0"), "550 5.1.1 \\x0D\\x09\\x1B\\x7F\\x00\r\n" },
        { REPLY_ROW(250, "2.1.5", "caf\xc3\xa9"), "250 2.1.5 caf\\xC3\\xA9\r\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(cases[i].reply, REPLY_ASCII, cases[i].lines);
}

static void test_utf8(void **state)
{
    (void)state;
    expect(REPLY(250, "2.1.5", "caf\xc3\xa9"), REPLY_UTF8, "250 2.1.5 caf\xc3\xa9\r\n");
    expect(REPLY(250, "2.1.5", "\xc3("), REPLY_UTF8, "250 2.1.5 \\xC3(\r\n");
    expect(REPLY(250, "2.1.5", "\xc2\x85"), REPLY_UTF8, "250 2.1.5 \\u{85}\r\n");
    expect(REPLY(250, "2.1.5", "\xe2\x80\xae"), REPLY_UTF8, "250 2.1.5 \\u{202E}\r\n");
}

/* RFC 5321 4.5.3.1.5; never half a character or half an escape. */
static void test_length(void **state)
{
    (void)state;
    for (size_t before = 490; before < 520; before++)
        for (unsigned kind = 0; kind < 3; kind++) {
            static const char *const tails[] = { "abcdefgh", "\xe2\x82\xac\xe2\x82\xac",
                                                 "\x01\x02\x03" };
            char words[600];
            memset(words, 'x', before);
            strcpy(words + before, tails[kind]);
            struct buffer b;
            buffer_init(&b, 1 << 16);
            struct reply reply = { 250, "2.1.5", text_of(words) };
            assert_true(reply_compose(&b, &reply, T("mx"), REPLY_UTF8));
            assert_true(b.len <= REPLY_LINE_MAX);
            assert_true(b.len > REPLY_LINE_MAX - 5);
            assert_memory_equal(b.at + b.len - 2, "\r\n", 2);
            char last = (char)b.at[b.len - 3];
            if (kind == 1)
                assert_true(last == 'x' || last == '\xac');
            if (kind == 2)
                assert_true(strchr("x123", last) != NULL);
            buffer_clear(&b);
        }
}

static void test_no_room(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 30);
    struct reply reply = REPLY(250, "2.1.5", "first\nsecond\nthird");
    assert_true(buffer_text(&b, T("before")));
    assert_false(reply_compose(&b, &reply, T("mx"), REPLY_ASCII));
    assert_true(text_equal(buffer_as_text(&b), T("before")));
    buffer_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
