/* test_maildir.c - names of files in a Maildir. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "mail/maildir.h"

#include <string.h>

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *name, *base;
        unsigned flags;
        uint64_t time;
    } cases[] = {
        { "1795246887.M1P2.host:2,FS", "1795246887.M1P2.host", MAIL_FLAGGED | MAIL_SEEN,
          1795246887 },
        { "1795246887.M1P2.host:2,", "1795246887.M1P2.host", 0, 1795246887 },
        { "1795246887.M1P2.host", "1795246887.M1P2.host", 0, 1795246887 },
        { "12.a,S=34:2,DPRTabz", "12.a,S=34",
          MAIL_DRAFT | MAIL_PASSED | MAIL_ANSWERED | MAIL_DELETED, 12 },
        { "12.a:1,S", "12.a", 0, 12 },
        { "12.a:", "12.a", 0, 12 },
        { "name", "name", 0, 0 },
        { "99999999999999999999.a", "99999999999999999999.a", 0, 0 },
        { "", "", 0, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text name = text_of(cases[i].name);
        assert_true(text_equal(maildir_base(name), text_of(cases[i].base)));
        assert_int_equal(maildir_flags(name), cases[i].flags);
        assert_true(maildir_time(name) == cases[i].time);
    }
}

static void test_paths(void **state)
{
    (void)state;
    char path[MAILDIR_PATH_MAX], longest[300];
    assert_string_equal(maildir_path(T("1.a"), 0, path), "new/1.a");
    assert_string_equal(maildir_path(T("1.a"), MAIL_SEEN | MAIL_DRAFT, path), "cur/1.a:2,DS");
    memset(longest, 'x', sizeof longest);
    assert_non_null(maildir_path((struct text){ longest, MAILDIR_NAME_MAX }, 0, path));
    assert_null(maildir_path((struct text){ longest, MAILDIR_NAME_MAX + 1 }, 0, path));
    assert_null(maildir_path((struct text){ longest, MAILDIR_NAME_MAX - 3 }, MAIL_SEEN, path));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
