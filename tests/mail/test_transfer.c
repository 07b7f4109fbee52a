/* test_transfer.c - bodies out of quoted-printable and base64, at any cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "mail/transfer.h"

static void check(enum mime_encoding encoding, struct text body, size_t cut, struct text want)
{
    char room[1024];
    struct buffer out = buffer_over(room, sizeof room);
    struct transfer t;
    transfer_init(&t, encoding);
    assert_true(transfer_feed(&t, bytes_of_text(text_first(body, cut)), &out));
    assert_in_range(out.len, 0, TRANSFER_ROOM(cut));
    assert_true(transfer_feed(&t, bytes_of_text(text_skip(body, cut)), &out));
    assert_true(transfer_end(&t, &out));
    assert_int_equal(out.len, want.len);
    assert_memory_equal(out.at, want.at, want.len);
}

#define BLANKS_10 "          "
#define BLANKS_95                                                                                  \
    BLANKS_10 BLANKS_10 BLANKS_10 BLANKS_10 BLANKS_10 BLANKS_10 BLANKS_10 BLANKS_10 BLANKS_10      \
        "     "

static void test_bodies(void **state)
{
    (void)state;
    static const struct {
        enum mime_encoding encoding;
        struct text body, want;
    } cases[] = {
        { MIME_7BIT, TEXT("=41 \r\n"), TEXT("=41 \r\n") },
        { MIME_OTHER, TEXT("\0\xFF"), TEXT("\0\xFF") },
        { MIME_QUOTED_PRINTABLE, TEXT(""), TEXT("") },
        { MIME_QUOTED_PRINTABLE, TEXT("a=3D=C3=a9b"),
          TEXT("a=\xC3\xA9"
               "b") },
        { MIME_QUOTED_PRINTABLE, TEXT("a=\r\nb=\nc"), TEXT("abc") },
        { MIME_QUOTED_PRINTABLE, TEXT("a= \t\r\nb"), TEXT("ab") },
        { MIME_QUOTED_PRINTABLE, TEXT("a \t\r\nb \nc\t"), TEXT("a\r\nb\nc") },
        { MIME_QUOTED_PRINTABLE, TEXT("a  b\tc"), TEXT("a  b\tc") },
        { MIME_QUOTED_PRINTABLE, TEXT("a =20\r\n"), TEXT("a  \r\n") },
        { MIME_QUOTED_PRINTABLE, TEXT("a \r b"), TEXT("a \r b") },
        /* malformed */
        { MIME_QUOTED_PRINTABLE, TEXT("=zz=4z=4\r\n=="), TEXT("=zz=4z=4\r\n=") },
        { MIME_QUOTED_PRINTABLE, TEXT("= x=\rx"), TEXT("= x=\rx") },
        { MIME_QUOTED_PRINTABLE, TEXT("a="), TEXT("a") },
        { MIME_QUOTED_PRINTABLE, TEXT("a=4"), TEXT("a=4") },
        { MIME_QUOTED_PRINTABLE, TEXT("\xC3\xA9\0"), TEXT("\xC3\xA9\0") },
        /* more white space than is held is the body's own */
        { MIME_QUOTED_PRINTABLE, TEXT("a" BLANKS_95 "\r\nb"), TEXT("a\r\nb") },
        { MIME_QUOTED_PRINTABLE, TEXT("a" BLANKS_95 BLANKS_10 "\r\nb"),
          TEXT("a" BLANKS_95 " \r\nb") },
        { MIME_BASE64, TEXT(""), TEXT("") },
        { MIME_BASE64, TEXT("aGVsbG8="), TEXT("hello") },
        { MIME_BASE64, TEXT("aGVs\r\nbG8="), TEXT("hello") },
        { MIME_BASE64, TEXT("AP8+/w=="), TEXT("\0\xFF>\xFF") },
        /* malformed: other octets, nothing at the end, more behind it */
        { MIME_BASE64, TEXT("a-G!V s\0bG8"), TEXT("hello") },
        { MIME_BASE64, TEXT("aGVsbG8=\r\naGVs"), TEXT("hello") },
        { MIME_BASE64, TEXT("aGVsb"), TEXT("hel") },
        { MIME_BASE64, TEXT("="), TEXT("") },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t cut = 0; cut <= cases[i].body.len; cut++)
            check(cases[i].encoding, cases[i].body, cut, cases[i].want);
}

static void test_no_room(void **state)
{
    (void)state;
    char room[2];
    struct buffer out = buffer_over(room, sizeof room);
    struct transfer t;
    transfer_init(&t, MIME_BASE64);
    assert_false(transfer_feed(&t, bytes_of_text(T("aGVs")), &out));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
