/* test_flowed.c - paragraphs as lines that flow, both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "mail/flowed.h"

#define WORDS10 "ten octets ten octets ten octets ten octets " /* 44 */
#define LONG    WORDS10 WORDS10 "end"                          /* 91 */

static void check(const struct buffer *got, struct text want)
{
    assert_int_equal(got->len, want.len);
    assert_memory_equal(got->len ? (const char *)got->at : "", want.at, want.len);
}

static void test_suits(void **state)
{
    (void)state;
    static const struct {
        struct text text;
        bool suits;
    } cases[] = {
        { TEXT(LONG), true },
        { TEXT("a\r\n" LONG "\r\n-- \r\nb"), true },
        { TEXT("> " LONG "\n>x\n From me"), true },
        { TEXT(""), false },
        { TEXT("short\n"), false },
        { TEXT(LONG " \n"), false },       /* a space at the end would flow */
        { TEXT(LONG "\n> \n"), false },    /* here too */
        { TEXT("  " LONG), false },        /* set by hand */
        { TEXT("a\tb " LONG), false },     /* a table */
        { TEXT("\xC3\xA4 " LONG), false }, /* quoted-printable keeps its lines */
        { TEXT(LONG " " LONG "x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x-x"),
          false },
        { TEXT(">>>>>>>>>>> " LONG), false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(flowed_suits(cases[i].text), cases[i].suits);
}

static void test_write(void **state)
{
    (void)state;
    static const struct {
        struct text line, want;
    } cases[] = {
        { TEXT(""), TEXT("\r\n") },
        { TEXT("a b"), TEXT("a b\r\n") },
        { TEXT("-- "), TEXT("-- \r\n") },
        { TEXT(" a"), TEXT("  a\r\n") },
        { TEXT("From a"), TEXT(" From a\r\n") },
        { TEXT(">a"), TEXT(" >a\r\n") },
        { TEXT("> a"), TEXT("> a\r\n") },
        { TEXT(">"), TEXT(">\r\n") },
        { TEXT(">>  a"), TEXT(">>  a\r\n") },
        { TEXT(LONG), TEXT(WORDS10 "ten octets ten octets ten octets \r\nten octets end\r\n") },
        { TEXT("> " LONG),
          TEXT("> " WORDS10 "ten octets ten octets ten \r\n> octets ten octets end\r\n") },
        { TEXT(WORDS10 "ten octets ten octets ten octets >a"),
          TEXT(WORDS10 "ten octets ten octets ten octets \r\n >a\r\n") },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char room[512];
        struct buffer b = buffer_over(room, sizeof room);
        assert_true(flowed_line(&b, cases[i].line));
        check(&b, cases[i].want);
        /* and back */
        struct text written = cases[i].want;
        char again[512];
        struct buffer back = buffer_over(again, sizeof again);
        assert_true(flowed_undo(&back, written, false));
        back.len--;
        check(&back, cases[i].line);
    }
}

static void test_undo(void **state)
{
    (void)state;
    static const struct {
        struct text given, want;
        bool delete_space;
    } cases[] = {
        { TEXT(""), TEXT(""), false },
        { TEXT("a \r\nb\r\nc"), TEXT("a b\nc\n"), false },
        { TEXT("a \r\nb"), TEXT("ab\n"), true },
        { TEXT("a \n"), TEXT("a \n"), false },
        { TEXT("a \n\nb\n"), TEXT("a \nb\n"), false },
        /* RFC 3676 4.5: the depth changes, or a signature comes, in the middle of a paragraph */
        { TEXT("> a \n>> b \n>> c\nd\n"), TEXT("> a \n>> b c\nd\n"), false },
        { TEXT("a \n-- \nb \nc\n"), TEXT("a \n-- \nb c\n"), false },
        { TEXT(">a\n>\n> b\n"), TEXT("> a\n>\n> b\n"), false },
        { TEXT(" >a\n From\n"), TEXT(">a\nFrom\n"), false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char room[512];
        struct buffer b = buffer_over(room, sizeof room);
        assert_true(flowed_undo(&b, cases[i].given, cases[i].delete_space));
        check(&b, cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_suits),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_undo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
