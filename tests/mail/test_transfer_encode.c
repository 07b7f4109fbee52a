/* test_transfer_encode.c - bodies into quoted-printable and base64, at any cut, and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "mail/transfer.h"
#include "mail/transfer_encode.h"

#include <string.h>

static void check_cut(enum mime_encoding encoding, bool last, struct text body, size_t cut,
                      struct text want)
{
    char room[4096];
    struct buffer out = buffer_over(room, sizeof room);
    struct transfer_encoder e;
    transfer_encode_init(&e, encoding);
    assert_true(transfer_encode(&e, bytes_of_text(text_first(body, cut)), &out));
    assert_in_range(out.len, 0, TRANSFER_ENCODE_ROOM(cut));
    assert_true(transfer_encode(&e, bytes_of_text(text_skip(body, cut)), &out));
    assert_true(transfer_encode_end(&e, last, &out));
    assert_int_equal(out.len, want.len);
    assert_memory_equal(out.at, want.at, want.len);
}

static void check_back(enum mime_encoding encoding, struct text body, struct text encoded)
{
    char room[4096];
    struct buffer out = buffer_over(room, sizeof room);
    struct transfer t;
    transfer_init(&t, encoding);
    assert_true(transfer_feed(&t, bytes_of_text(encoded), &out));
    assert_true(transfer_end(&t, &out));
    assert_int_equal(out.len, body.len);
    assert_memory_equal(out.at, body.at, body.len);
}

#define X10 "xxxxxxxxxx"
#define X70 X10 X10 X10 X10 X10 X10 X10

static void test_bodies(void **state)
{
    (void)state;
    static const struct {
        enum mime_encoding encoding;
        bool last;
        struct text body, want;
    } cases[] = {
        { MIME_QUOTED_PRINTABLE, false, TEXT(""), TEXT("") },
        { MIME_QUOTED_PRINTABLE, false, TEXT("a=b\xC3\xA9"), TEXT("a=3Db=C3=A9") },
        { MIME_QUOTED_PRINTABLE, false, TEXT("a b\tc\r\nd"), TEXT("a b\tc\r\nd") },
        { MIME_QUOTED_PRINTABLE, false, TEXT("a \r\nb\t\r\nc "), TEXT("a=20\r\nb=09\r\nc=20") },
        { MIME_QUOTED_PRINTABLE, false, TEXT("a\rb\nc\r\r\n\n"), TEXT("a=0Db=0Ac=0D\r\n=0A") },
        { MIME_QUOTED_PRINTABLE, false, TEXT("a \nb \rc"), TEXT("a =0Ab=20=0Dc") },
        { MIME_QUOTED_PRINTABLE, false, TEXT("\0\x7F\xFF"), TEXT("=00=7F=FF") },
        { MIME_QUOTED_PRINTABLE, false, TEXT("-a\r\n.b\r\n--c-.\r\n"),
          TEXT("=2Da\r\n=2Eb\r\n=2D-c-.\r\n") },
        { MIME_QUOTED_PRINTABLE, false, TEXT(X70 "12345"), TEXT(X70 "12345") },
        { MIME_QUOTED_PRINTABLE, false, TEXT(X70 "123456"), TEXT(X70 "12345=\r\n6") },
        { MIME_QUOTED_PRINTABLE, false, TEXT(X70 "12345-"), TEXT(X70 "12345=\r\n=2D") },
        { MIME_QUOTED_PRINTABLE, false, TEXT(X70 "123\xFF"), TEXT(X70 "123=\r\n=FF") },
        { MIME_QUOTED_PRINTABLE, true, TEXT("a"), TEXT("a=\r\n") },
        { MIME_QUOTED_PRINTABLE, true, TEXT("a\r\n"), TEXT("a\r\n") },
        { MIME_QUOTED_PRINTABLE, true, TEXT("a\r"), TEXT("a=0D=\r\n") },
        { MIME_QUOTED_PRINTABLE, true, TEXT(""), TEXT("") },
        { MIME_BASE64, false, TEXT(""), TEXT("") },
        { MIME_BASE64, true, TEXT(""), TEXT("") },
        { MIME_BASE64, false, TEXT("hello"), TEXT("aGVsbG8=") },
        { MIME_BASE64, true, TEXT("hello"), TEXT("aGVsbG8=\r\n") },
        { MIME_BASE64, false, TEXT(X10 X10 X10 X10 X10 "1234567"),
          TEXT("eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHgxMjM0NTY3") },
        { MIME_BASE64, true, TEXT(X10 X10 X10 X10 X10 "12345678"),
          TEXT("eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHgxMjM0NTY3\r\n"
               "OA==\r\n") },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t cut = 0; cut <= cases[i].body.len; cut++)
            check_cut(cases[i].encoding, cases[i].last, cases[i].body, cut, cases[i].want);
        check_back(cases[i].encoding, cases[i].body, cases[i].want);
    }
}

static void test_no_room(void **state)
{
    (void)state;
    static const enum mime_encoding encodings[] = { MIME_QUOTED_PRINTABLE, MIME_BASE64 };
    for (size_t i = 0; i < 2; i++) {
        char room[16];
        struct buffer out = buffer_over(room, sizeof room);
        struct transfer_encoder e;
        transfer_encode_init(&e, encodings[i]);
        bool fed = transfer_encode(&e, bytes_of_text(T("a long text with \xC3\xA9")), &out);
        assert_false(fed && transfer_encode_end(&e, true, &out));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
