/* test_encode.c - folding, encoded-words, quoted-printable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "mail/encode.h"

#include <string.h>

#define TEN   "xxxxxxxxxx"
#define SIXTY TEN TEN TEN TEN TEN TEN

static void prints(const struct buffer *b, const char *want)
{
    if (!text_equal(buffer_as_text(b), text_of(want)))
        fail_msg("got %.*s", TEXT_ARGS(buffer_as_text(b)));
}

static void test_fields(void **state)
{
    (void)state;
    static const struct {
        struct text value;
        const char *want;
    } cases[] = {
        { TEXT(""), "N:\r\n" },
        { TEXT("v"), "N: v\r\n" },
        { TEXT("  v  "), "N:  v\r\n" },
        { TEXT("a  b"), "N: a  b\r\n" },
        { TEXT("a\nb"), "N: a\r\n b\r\n" },
        { TEXT("\n\na\n \n b\n"), "N: a\r\n b\r\n" },
        { TEXT(SIXTY " " TEN "xxxx"), "N: " SIXTY " " TEN "xxxx\r\n" },
        { TEXT(SIXTY " " TEN "xxxxx"), "N: " SIXTY "\r\n " TEN "xxxxx\r\n" },
        { TEXT(SIXTY "   " SIXTY), "N: " SIXTY "\r\n   " SIXTY "\r\n" },
        { TEXT(SIXTY SIXTY " a"), "N: " SIXTY SIXTY "\r\n a\r\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer b;
        buffer_init(&b, 1000);
        assert_true(field_write(&b, T("N"), cases[i].value));
        prints(&b, cases[i].want);
        buffer_clear(&b);
    }
}

/* Lines in CRLF, none too long, none blank, none that could be another field. */
static void is_one_field(const struct buffer *b)
{
    struct text rest = buffer_as_text(b), line;
    bool first = true;
    while (text_cut(&rest, '\n', &line)) {
        assert_true(line.len >= 2 && line.len <= 999);
        assert_int_equal(line.at[line.len - 1], '\r');
        line.len--;
        assert_true(first || line.at[0] == ' ');
        assert_true(text_trim(line).len > 0);
        first = false;
    }
    assert_int_equal(rest.len, 0);
}

static void test_long_words(void **state)
{
    (void)state;
    char value[5000];
    for (size_t len = 900; len < sizeof value; len += 13)
        for (size_t gap = 0; gap < 300; gap += 99) {
            for (size_t i = 0; i < len; i++)
                value[i] = "\xE7\x94\xA8"[i % 3];
            memset(value + 300, ' ', gap);
            struct buffer b;
            buffer_init(&b, 2 * sizeof value);
            assert_true(field_write(&b, T("Name"), (struct text){ value, len }));
            is_one_field(&b);
            buffer_clear(&b);
        }
}

static void test_words(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 1000);
    assert_true(field_write_words(&b, T("Subject"), T("only ASCII")));
    assert_true(field_write_words(&b, T("Subject"),
                                  T("Gr\xC3\xBC\xC3\x9F"
                                    "e")));
    prints(&b, "Subject: only ASCII\r\nSubject: =?UTF-8?B?R3LDvMOfZQ==?=\r\n");
    b.len = 0;
    /* 20 characters of 3 octets: 39 octets fit into the first line, 45 into the others. */
    char long_value[60];
    for (size_t i = 0; i < sizeof long_value; i++)
        long_value[i] = "\xE7\x94\xA8"[i % 3];
    assert_true(field_write_words(&b, T("Subject"), (struct text){ long_value, 60 }));
    prints(&b, "Subject: =?UTF-8?B?55So55So55So55So55So55So55So55So55So55So55So55So55So?=\r\n"
               " =?UTF-8?B?55So55So55So55So55So55So55So?=\r\n");
    buffer_clear(&b);
}

static void test_quoted_printable(void **state)
{
    (void)state;
    static const struct {
        struct text from;
        const char *want;
    } cases[] = {
        { TEXT(""), "" },
        { TEXT("plain\r\n"), "plain\r\n" },
        { TEXT("LF\nno end"), "LF\r\nno end" },
        { TEXT("a = b\r\n"), "a =3D b\r\n" },
        { TEXT("end \r\nend\t\r\n in\tside"), "end=20\r\nend=09\r\n in\tside" },
        { TEXT("\xFF\0\r"), "=FF=00=0D" },
        { TEXT("a\rb\r\r\n"), "a=0Db=0D\r\n" },
        { TEXT("-- \r\n.\r\nFrom x\r\nFro\r\n"), "=2D-=20\r\n=2E\r\n=46rom x\r\nFro\r\n" },
        { TEXT(SIXTY TEN "xxxxxx\r\n"), SIXTY TEN "xxxxxx\r\n" },
        { TEXT(SIXTY TEN "xxxxxxx\r\n"), SIXTY TEN "xxxxx=\r\nxx\r\n" },
        { TEXT(SIXTY TEN "xxxx=\r\n"), SIXTY TEN "xxxx=\r\n=3D\r\n" },
        { TEXT(SIXTY TEN "xxxxx--\r\n"), SIXTY TEN "xxxxx=\r\n=2D-\r\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer b;
        buffer_init(&b, 1000);
        assert_true(quoted_printable(&b, cases[i].from));
        prints(&b, cases[i].want);
        buffer_clear(&b);
    }
}

static void test_no_room(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 20);
    assert_false(field_write(&b, T("Name"), T("longer than there is room")));
    buffer_clear(&b);
    assert_false(field_write_words(&b, T("Name"), T("\xC3\xBC and more than there is room")));
    buffer_clear(&b);
    assert_false(quoted_printable(&b, T("longer than there is room")));
    buffer_clear(&b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),  cmocka_unit_test(test_long_words),
        cmocka_unit_test(test_words),   cmocka_unit_test(test_quoted_printable),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
