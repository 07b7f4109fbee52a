/* test_word.c - encoded-words for people, and the character sets that are known without help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "mail/word.h"

/* Knows one character set, in which every octet is an x. */
static bool convert_x(void *context, struct text charset, struct text octets, struct buffer *out)
{
    (void)context;
    if (!text_equal(charset, T("x-x")))
        return false;
    for (size_t i = 0; i < octets.len; i++)
        buffer_byte(out, 'x');
    return !out->failed;
}

static const struct charset_more more = { .convert = convert_x };

static void test_words(void **state)
{
    (void)state;
    static const struct {
        struct text value, want;
    } cases[] = {
        { TEXT(""), TEXT("") },
        { TEXT("a  b = c ?="), TEXT("a  b = c ?=") },
        /* RFC 2047 8 */
        { TEXT("=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>"),
          TEXT("Keith Moore <moore@cs.utk.edu>") },
        { TEXT("=?ISO-8859-1?Q?Andr=E9?= Pirard"), TEXT("Andr\xC3\xA9 Pirard") },
        { TEXT("=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?= =?ISO-8859-1?B?dSE=?="),
          TEXT("If you can read this you!") },
        { TEXT("(=?ISO-8859-1?Q?a?=)"), TEXT("(a)") },
        { TEXT("(=?ISO-8859-1?Q?a?= b)"), TEXT("(a b)") },
        { TEXT("(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)"), TEXT("(ab)") },
        { TEXT("(=?ISO-8859-1?Q?a_b?=)"), TEXT("(a b)") },
        /* a language (RFC 2231 5); charsets side by side; a character cut in two */
        { TEXT("=?US-ASCII*EN?Q?Keith?= x"), TEXT("Keith x") },
        { TEXT("=?utf-8?b?4oKs?= =?iso-8859-1?q?=E9?="), TEXT("\xE2\x82\xAC\xC3\xA9") },
        { TEXT("=?utf-8?q?=E2=82?=\t=?UTF-8?b?rA?="), TEXT("\xE2\x82\xAC") },
        { TEXT("x =?x-x?q?=01=02?= =?utf-8?q?"
               "?= y"),
          TEXT("x xx y") },
        /* not to be decoded: unknown, or malformed */
        { TEXT("=?x-y?q?a?= =?x-y?q?b?= c"), TEXT("=?x-y?q?a?= =?x-y?q?b?= c") },
        { TEXT("=?utf-8?x?a?= =?utf-8?q?a b?= =??q?a?= =?utf-8?q?a?"),
          TEXT("=?utf-8?x?a?= =?utf-8?q?a b?= =??q?a?= =?utf-8?q?a?") },
        { TEXT("=?=?utf-8?q?a?="), TEXT("=?a") },
        { TEXT("=?utf-8?q?=zz=4?="), TEXT("=zz=4") },
        /* what is no UTF-8 */
        { TEXT("\xC3\xA9 \xE9"), TEXT("\xC3\xA9 \xEF\xBF\xBD") },
        { TEXT("=?utf-8?q?=FF=C3?="), TEXT("\xEF\xBF\xBD\xEF\xBF\xBD") },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char room[256];
        struct buffer out = buffer_over(room, sizeof room);
        assert_true(words_decode(&more, cases[i].value, &out));
        assert_int_equal(out.len, cases[i].want.len);
        assert_memory_equal(out.at, cases[i].want.at, out.len);
        if (cases[i].want.len == 0)
            continue;
        out = buffer_over(room, cases[i].want.len - 1);
        assert_false(words_decode(&more, cases[i].value, &out));
    }
}

static void test_charsets(void **state)
{
    (void)state;
    char room[8];
    struct buffer out = buffer_over(room, sizeof room);
    assert_false(charset_to_utf8(NULL, T("x-x"), T("a"), &out));
    assert_true(charset_to_utf8(&more, T("x-x"), T("a"), &out));
    assert_true(charset_to_utf8(NULL, T("Latin1"), T("\xFF"), &out));
    assert_true(charset_to_utf8(NULL, T(""), T("z"), &out));
    assert_true(text_equal(buffer_as_text(&out), T("x\xC3\xBFz")));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_charsets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
