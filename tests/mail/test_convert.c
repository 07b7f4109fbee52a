/* test_convert.c - messages made fit for 7 bits, and for lines, at any cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "../short_countdown.h"
#include "mail/convert.h"

#include <stdlib.h>
#include <string.h>

#define E      "\xC3\xA9" /* U+00E9 */
#define X50    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X250   X50 X50 X50 X50 X50
#define X1000  X250 X250 X250 X250
#define MIXED  "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
#define SIGNED "MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=s\r\n"

static enum convert_verdict read_all(struct convert *c, struct text message, size_t cut)
{
    enum convert_verdict verdict;
    do {
        convert_read(c, bytes_of_text(text_first(message, cut)));
        convert_read(c, bytes_of_text(text_skip(message, cut)));
        verdict = convert_read_end(c);
    } while (verdict == CONVERT_AGAIN);
    return verdict;
}

static bool write_all(struct convert *c, struct text message, size_t cut, struct buffer *out)
{
    convert_rewind(c);
    return convert_write(c, bytes_of_text(text_first(message, cut)), out) &&
           convert_write(c, bytes_of_text(text_skip(message, cut)), out) &&
           convert_write_end(c, out);
}

/* An empty `want`: it fits as it is. */
static void check_cut(enum convert_target target, struct text message, size_t cut, struct text want)
{
    struct buffer out;
    struct convert *c = convert_new(target);
    assert_non_null(c);
    buffer_init(&out, CONVERT_ROOM(message.len));
    assert_int_equal(read_all(c, message, cut), want.len ? CONVERT_READY : CONVERT_NOTHING);
    assert_int_equal(convert_obstacle(c), CONVERT_NO_OBSTACLE);
    for (int twice = 0; want.len && twice < 2; twice++) {
        out.len = 0;
        assert_true(write_all(c, message, cut, &out));
        if (out.len != want.len || memcmp(out.at, want.at, want.len) != 0)
            print_message("%.*s", (int)out.len, (const char *)out.at);
        assert_int_equal(out.len, want.len);
        assert_memory_equal(out.at, want.at, want.len);
        assert_int_equal(convert_octets(c), want.len);
    }
    buffer_clear(&out);
    convert_free(&c);
}

struct conversion {
    enum convert_target target;
    struct text message, want;
};

static void check_all(const struct conversion *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t cut = 0; cut <= cases[i].message.len; cut++)
            check_cut(cases[i].target, cases[i].message, cut, cases[i].want);
}
#define CHECK_ALL(cases) check_all(cases, sizeof(cases) / sizeof *(cases))

static void test_fits(void **state)
{
    (void)state;
    static const struct conversion cases[] = {
        { CONVERT_TO_7BIT, TEXT(""), TEXT("") },
        { CONVERT_TO_7BIT, TEXT("Subject: x\r\n\r\nplain\r\n"), TEXT("") },
        { CONVERT_TO_8BIT, TEXT("Subject: " E "\r\n\r\n" E "\r\n"), TEXT("") },
        { CONVERT_TO_8BIT, TEXT("Content-Transfer-Encoding: 8bit\r\n\r\n" E "\r\n"), TEXT("") },
        { CONVERT_TO_7BIT, TEXT("Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n"), TEXT("") },
        { CONVERT_TO_7BIT, TEXT("Content-Transfer-Encoding: x-odd\r\n\r\nAAAA\r\n"), TEXT("") },
        { CONVERT_TO_7BIT,
          TEXT(SIGNED "\r\n--s\r\nContent-Transfer-Encoding: 8bit\r\n\r\nx\r\n--s--\r\n"),
          TEXT("") },
    };
    CHECK_ALL(cases);
}

static void test_one_body(void **state)
{
    (void)state;
    static const struct conversion cases[] = {
        /* no MIME at all: RFC 1428 3 */
        { CONVERT_TO_7BIT, TEXT("Subject: x\r\n\r\ncaf" E " and more and more\r\n"),
          TEXT("Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
               "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
               "caf=C3=A9 and more and more\r\n") },
        { CONVERT_TO_7BIT, TEXT("\r\ncaf\xE9 and more and more\r\n"),
          TEXT("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n"
               "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
               "caf=E9 and more and more\r\n") },
        { CONVERT_TO_7BIT, TEXT("no field caf" E " and more\r\n"),
          TEXT("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
               "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
               "no field caf=C3=A9 and more\r\n") },
        /* the shorter one */
        { CONVERT_TO_7BIT,
          TEXT("Mime-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
               "Content-transfer-encoding : 8BIT\r\nX: y\r\n\r\n" E E E E E "\r\n"),
          TEXT("Mime-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nX: y\r\n"
               "Content-Transfer-Encoding: base64\r\n\r\nw6nDqcOpw6nDqQ0K\r\n") },
        { CONVERT_TO_7BIT,
          TEXT("MIME-Version: 1.0\r\nContent-Type: application/json\r\n\r\n\"mostly ascii " E
               "\"\r\n"),
          TEXT("MIME-Version: 1.0\r\nContent-Type: application/json\r\n"
               "Content-Transfer-Encoding: base64\r\n\r\nIm1vc3RseSBhc2NpaSDDqSINCg==\r\n") },
        /* binary */
        { CONVERT_TO_8BIT,
          TEXT("MIME-Version: 1.0\r\nContent-Type: image/png\r\n"
               "Content-Transfer-Encoding:\r\n binary\r\n\r\n\x89PNG\0\r\n\n\r"),
          TEXT("MIME-Version: 1.0\r\nContent-Type: image/png\r\n"
               "Content-Transfer-Encoding: base64\r\n\r\niVBORwANCgoN\r\n") },
        { CONVERT_TO_8BIT,
          TEXT("MIME-Version: 1.0\r\nContent-Transfer-Encoding: binary\r\n\r\nno line end"),
          TEXT("MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
               "no line end=\r\n") },
        { CONVERT_TO_8BIT,
          TEXT(
              "MIME-Version: 1.0\r\nContent-Transfer-Encoding: binary\r\n\r\nunix text\nis text\n"),
          TEXT("MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
               "unix text=0Ais text=0A=\r\n") },
        /* only the label was more than the content */
        { CONVERT_TO_8BIT,
          TEXT("MIME-Version: 1.0\r\nContent-Transfer-Encoding: binary\r\n\r\ncaf" E "\r\n"),
          TEXT("MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n\r\ncaf" E "\r\n") },
        { CONVERT_TO_8BIT, TEXT("Content-Transfer-Encoding: binary\r\n\r\ncafe\r\n"),
          TEXT("MIME-Version: 1.0\r\nContent-Transfer-Encoding: 7bit\r\n\r\ncafe\r\n") },
        { CONVERT_TO_7BIT, TEXT("Content-Transfer-Encoding: 8bit\r\n\r\ncafe\r\n"),
          TEXT("MIME-Version: 1.0\r\nContent-Transfer-Encoding: 7bit\r\n\r\ncafe\r\n") },
        { CONVERT_TO_8BIT, TEXT("Content-Transfer-Encoding: binary\r\nX: header only"),
          TEXT("X: header only\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: 7bit\r\n\r\n") },
        { CONVERT_TO_8BIT, TEXT("X: y\r\nContent-Transfer-Encoding: binary"),
          TEXT("X: y\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: 7bit\r\n\r\n") },
        /* encoded already, and not fit all the same */
        { CONVERT_TO_7BIT,
          TEXT("MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
               "a=3Db " E "=\r\n=20\r\n"),
          TEXT("MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n"
               "Content-Type: text/plain; charset=utf-8\r\n\r\na=3Db =C3=A9=20\r\n") },
    };
    CHECK_ALL(cases);
}

static void test_long_lines(void **state)
{
    (void)state;
    static const char plain[] = "MIME-Version: 1.0\r\n\r\n" X1000 "\r\n";
    static const char base64[] = "Content-Transfer-Encoding: base64\r\n\r\n" X1000 "\r\n";
    static const char fits[] =
        "Subject: " X1000 "\r\n\r\n" X250 X250 X250 "\r\n" X250 X250 X250 "\r\n";
    static const struct text messages[] = { TEXT(plain), TEXT(base64), TEXT(fits) };
    for (size_t i = 0; i < 3; i++) {
        struct buffer out;
        struct convert *c = convert_new(CONVERT_TO_8BIT);
        buffer_init(&out, CONVERT_ROOM(4096));
        assert_int_equal(read_all(c, messages[i], 700), i < 2 ? CONVERT_READY : CONVERT_NOTHING);
        assert_true(i == 2 || write_all(c, messages[i], 700, &out));
        struct text rest = buffer_as_text(&out), line;
        while (text_cut(&rest, '\n', &line))
            assert_in_range(line.len, 0, 77);
        buffer_clear(&out);
        convert_free(&c);
    }
}

static void test_parts(void **state)
{
    (void)state;
    static const struct conversion cases[] = {
        { CONVERT_TO_7BIT,
          TEXT(MIXED "Content-Transfer-Encoding: 8bit\r\n\r\npreambl" E "\r\n--b\r\n"
                     "Content-Type: text/plain; charset=utf-8\r\n\r\nd" E "j" E
                     " vu once more\r\n--b\r\n"
                     "Content-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                     "AAAA\r\n--b--\r\nepilogu" E "\r\n"),
          TEXT(MIXED "Content-Transfer-Encoding: 7bit\r\n\r\npreambl**\r\n--b\r\n"
                     "Content-Type: text/plain; charset=utf-8\r\n"
                     "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
                     "d=C3=A9j=C3=A9 vu once more\r\n--b\r\n"
                     "Content-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                     "AAAA\r\n--b--\r\nepilogu**\r\n") },
        { CONVERT_TO_8BIT,
          TEXT(MIXED "Content-Transfer-Encoding: binary\r\n\r\n--b\r\n\r\nd" E "j" E
                     " vu\r\n--b\r\n"
                     "Content-Type: application/x\r\nContent-Transfer-Encoding: binary\r\n\r\n"
                     "\0\r\n--b--"),
          TEXT(MIXED "Content-Transfer-Encoding: 8bit\r\n\r\n--b\r\n\r\nd" E "j" E " vu\r\n--b\r\n"
                     "Content-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                     "AA==\r\n--b--\r\n") },
        /* a message within: RFC 2046 5.2.1 */
        { CONVERT_TO_7BIT,
          TEXT("MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n"
               "Content-Transfer-Encoding: 8bit\r\n\r\nSubject: y\r\n\r\n" E
               " and so on and on\r\n"),
          TEXT("MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n"
               "Content-Transfer-Encoding: 7bit\r\n\r\nSubject: y\r\nMIME-Version: 1.0\r\n"
               "Content-Type: text/plain; charset=utf-8\r\n"
               "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
               "=C3=A9 and so on and on\r\n") },
        /* what is signed stays while the rest changes */
        { CONVERT_TO_7BIT,
          TEXT(MIXED "\r\n--b\r\nContent-Type: multipart/signed; boundary=s\r\n"
                     "Content-Transfer-Encoding: 8bit\r\n\r\n--s\r\n"
                     "Content-Transfer-Encoding: 8bit\r\n\r\nx\r\n--s--\r\n\r\n--b\r\n\r\n"
                     "a trailer, added on the way " E "\r\n--b--\r\n"),
          TEXT(MIXED "\r\n--b\r\nContent-Type: multipart/signed; boundary=s\r\n"
                     "Content-Transfer-Encoding: 7bit\r\n\r\n--s\r\n"
                     "Content-Transfer-Encoding: 8bit\r\n\r\nx\r\n--s--\r\n\r\n--b\r\n"
                     "Content-Type: text/plain; charset=utf-8\r\n"
                     "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
                     "a trailer, added on the way =C3=A9\r\n--b--\r\n") },
        /* a line behind a header must not become one of it */
        { CONVERT_TO_7BIT, TEXT(MIXED "X" E ": y\r\n--b\r\n\r\nx\r\n--b--\r\n"),
          TEXT(MIXED "\r\nX**: y\r\n--b\r\n\r\nx\r\n--b--\r\n") },
        { CONVERT_TO_7BIT,
          TEXT("Mime-Version: 1.0\r\nContent-Type: message/rfc822\r\n" E
               ", and never a field of its own\r\n"),
          TEXT("Mime-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\n"
               "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
               "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
               "=C3=A9, and never a field of its own\r\n") },
        /* nor must it end another multipart than it did */
        { CONVERT_TO_7BIT,
          TEXT(MIXED "\r\n--b\r\nContent-Type: multipart/mixed; boundary=b\r\n"
                     "Content-Transfer-Encoding: 8bit\r\n--b\r\n\r\nx\r\n--b--\r\n"),
          TEXT(MIXED "\r\n--b\r\nContent-Type: multipart/mixed; boundary=b\r\n"
                     "Content-Transfer-Encoding: 7bit\r\n--b\r\n\r\nx\r\n--b--\r\n") },
        /* or become a delimiter */
        { CONVERT_TO_7BIT,
          TEXT("Content-Type: multipart/mixed; boundary=\"b?\"\r\n\r\n--b\xFF\r\n--b?\r\n\r\n"
               "x\r\n--b?--\r\n"),
          TEXT("Content-Type: multipart/mixed; boundary=\"b?\"\r\n\r\n--b*\r\n--b?\r\n\r\n"
               "x\r\n--b?--\r\n") },
        /* a part without a body needs no label, unless it has one */
        { CONVERT_TO_8BIT, TEXT(MIXED "\r\n--b\r\nContent-Transfer-Encoding: binary\r\n--b--\r\n"),
          TEXT(MIXED "\r\n--b\r\nContent-Transfer-Encoding: 7bit\r\n\r\n--b--\r\n") },
    };
    CHECK_ALL(cases);
}

static void test_obstacles(void **state)
{
    (void)state;
    static const struct {
        enum convert_target target;
        enum convert_obstacle obstacle;
        struct text message;
    } cases[] = {
        { CONVERT_TO_7BIT, CONVERT_HEADER, TEXT("Subject: " E "\r\n\r\nx\r\n") },
        { CONVERT_TO_7BIT, CONVERT_HEADER, TEXT(MIXED "\r\n--b\r\nX: " E "\r\n\r\n\r\n--b--\r\n") },
        { CONVERT_TO_8BIT, CONVERT_STRUCTURE, TEXT("Subject: a\rb\r\n\r\nx\r\n") },
        { CONVERT_TO_8BIT, CONVERT_STRUCTURE, TEXT("Subject: a\nTo: b\r\n\r\nx\r\n") },
        { CONVERT_TO_8BIT, CONVERT_STRUCTURE, TEXT("Subject: a\0\r\n\r\nx\r\n") },
        { CONVERT_TO_8BIT, CONVERT_STRUCTURE, TEXT(MIXED "\r\n--b\r\n\r\nx\n--b--\r\n") },
        { CONVERT_TO_7BIT, CONVERT_STRUCTURE,
          TEXT("Content-Type: multipart/mixed; boundary=\"b*\"\r\n\r\n" E "\r\n--b*\r\n\r\n"
               "x\r\n--b*--\r\n") },
        { CONVERT_TO_7BIT, CONVERT_STRUCTURE,
          TEXT("Content-Type: multipart/mixed; boundary*=utf-8''%E9\r\n\r\n--\xE9\r\n\r\n"
               "x\r\n--\xE9--\r\n") },
        { CONVERT_TO_7BIT, CONVERT_SIGNED,
          TEXT(SIGNED "\r\n--s\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" E "\r\n--s--\r\n") },
        { CONVERT_TO_8BIT, CONVERT_SIGNED,
          TEXT("Content-Type: multipart/encrypted; boundary=s\r\n\r\n--s\r\n\r\n\0\r\n--s--\r\n") },
        { CONVERT_TO_7BIT, CONVERT_SIGNED,
          TEXT(SIGNED "\r\n--s\r\n" MIXED "\r\npre " E "\r\n--b\r\n\r\nx\r\n--b--\r\n--s--\r\n") },
        { CONVERT_TO_7BIT, CONVERT_ENCODING,
          TEXT("Content-Transfer-Encoding: x-odd\r\n\r\n" E "\r\n") },
        { CONVERT_TO_7BIT, CONVERT_SHAPE, TEXT(MIXED "\r\nno part " E "\r\n") },
        { CONVERT_TO_7BIT, CONVERT_SHAPE,
          TEXT("Content-Type: multipart/mixed\r\n\r\nno boundary " E "\r\n") },
        { CONVERT_TO_7BIT, CONVERT_SHAPE,
          TEXT("Content-Type: message/partial; id=x\r\n\r\nX: " E "\r\n") },
        { CONVERT_TO_7BIT, CONVERT_SHAPE,
          TEXT("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" E
               "\r\n") },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct convert *c = convert_new(cases[i].target);
        assert_int_equal(read_all(c, cases[i].message, i), CONVERT_NEVER);
        assert_int_equal(convert_obstacle(c), cases[i].obstacle);
        assert_true(convert_obstacle_words(cases[i].obstacle).len > 0);
        convert_free(&c);
    }
}

/* So many parts of one leaf beside another, and one behind them. */
static struct buffer many_parts(unsigned pairs, struct text last)
{
    struct buffer b;
    buffer_init(&b, 1 << 20);
    buffer_text(&b, T(MIXED "\r\n"));
    for (unsigned i = 0; i < pairs; i++)
        buffer_text(&b, T("--b\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n"
                          "--a\r\n\r\nx\r\n--a\r\n\r\ny\r\n--a--\r\n"));
    buffer_text(&b, T("--b\r\n\r\n"));
    buffer_text(&b, last);
    assert_true(buffer_text(&b, T("\r\n--b--\r\n")));
    return b;
}

/* Behind the last part that is told there may be parts that are not. */
static void test_parts_beyond_the_limit(void **state)
{
    (void)state;
    static const struct {
        unsigned pairs; /* each is three parts */
        enum convert_verdict verdict;
        struct text last;
    } cases[] = {
        { 332, CONVERT_READY, TEXT(E) },
        { 333, CONVERT_NEVER, TEXT(E) },
        { 333, CONVERT_NOTHING, TEXT("e") },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct convert *c = convert_new(CONVERT_TO_7BIT);
        struct buffer message = many_parts(cases[i].pairs, cases[i].last);
        assert_int_equal(read_all(c, buffer_as_text(&message), 1000), cases[i].verdict);
        assert_int_equal(convert_obstacle(c),
                         cases[i].verdict == CONVERT_NEVER ? CONVERT_SHAPE : CONVERT_NO_OBSTACLE);
        buffer_clear(&message);
        convert_free(&c);
    }
}

static void test_what_is_told(void **state)
{
    (void)state;
    static const struct {
        struct text message;
        bool header_8bit, dkim;
    } cases[] = {
        { TEXT("Subject: x\r\n\r\nDKIM-Signature: y " E "\r\n"), false, false },
        { TEXT("dkim-signature : x\r\n\r\n"), false, true },
        { TEXT("X: y\r\n dkim-signature: x\r\n\r\n"), false, false },
        { TEXT("Subject: " E "\r\n\r\n"), true, false },
        { TEXT("Content-Type: message/global\r\n\r\nSubject: " E "\r\nDKIM-Signature: x\r\n\r\n"),
          true, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct convert *c = convert_new(CONVERT_TO_8BIT);
        assert_int_equal(read_all(c, cases[i].message, 3), CONVERT_NOTHING);
        assert_int_equal(convert_has_8bit_header(c), cases[i].header_8bit);
        assert_int_equal(convert_has_dkim(c), cases[i].dkim);
        convert_free(&c);
    }
}

static void test_short_memory(void **state)
{
    (void)state;
    static const struct text message =
        TEXT(MIXED "\r\n--b\r\n\r\nd" E "j" E " vu\r\n--b\r\n\r\nx\r\n--b--\r\n");
    bool ready = false;
    for (int n = 0; !ready; n++) {
        assert_true(n < 200);
        struct buffer out;
        buffer_init(&out, CONVERT_ROOM(message.len));
        fail_after(n);
        struct convert *c = convert_new(CONVERT_TO_7BIT);
        enum convert_verdict verdict = c ? read_all(c, message, 20) : CONVERT_NO_MEMORY;
        ready = verdict == CONVERT_READY && write_all(c, message, 20, &out);
        end_failing();
        assert_true(verdict == CONVERT_READY || verdict == CONVERT_NO_MEMORY);
        convert_free(&c);
        buffer_clear(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fits),         cmocka_unit_test(test_one_body),
        cmocka_unit_test(test_long_lines),   cmocka_unit_test(test_parts),
        cmocka_unit_test(test_obstacles),    cmocka_unit_test(test_parts_beyond_the_limit),
        cmocka_unit_test(test_what_is_told), cmocka_unit_test(test_short_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
