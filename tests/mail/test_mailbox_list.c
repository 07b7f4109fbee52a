/* test_mailbox_list.c - who a From field names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "base/buffer.h"
#include "mail/mailbox_list.h"

/* What is found, separated by spaces: an address, "-" for words without one, "!" for malformed. */
static const struct {
    const char *value, *found;
} cases[] = {
    { "", "" },
    { "  ", "" },
    { "a@b.test", "a@b.test" },
    { " A@B.Test ", "A@b.test" },
    { "<a@b.test>", "a@b.test" },
    { "Ann Bee <a@b.test>", "a@b.test" },
    { "Ann.Bee <a@b.test>", "a@b.test" },
    { "=?utf-8?q?Ann?= <a@b.test>", "a@b.test" },
    { "\xc3\x84nne <a@b.test>", "a@b.test" },
    { "\xc3\xa4@b.test", "\xc3\xa4@b.test" },
    { "\"Bee, Ann\" <a@b.test>", "a@b.test" },
    { "\"<c@d.test>\" <a@b.test>", "a@b.test" },
    { "\"\\\"c@d.test\" <a@b.test>", "a@b.test" },
    { "c@d.test <a@b.test>", "a@b.test" },
    { "[Team] Ann <a@b.test>", "a@b.test" },
    { "a@b.test (Ann (Bee) \\) c@d.test)", "a@b.test" },
    { "(c@d.test) a@b.test", "a@b.test" },
    { "a (x) @ (y) b.test", "a@b.test" },
    { "a\r\n @b.test", "a@b.test" },
    { "< a @ b . test >", "a@b.test" },
    { "\"a b\"@b.test", "\"a b\"@b.test" },
    { "\"a\"@b.test", "a@b.test" },
    { "<@c.test,@d.test:a@b.test>", "a@b.test" },
    { "a@[192.0.2.1]", "a@[192.0.2.1]" },
    { "a@b.test, c@d.test", "a@b.test c@d.test" },
    { ", a@b.test ,, <c@d.test>,", "a@b.test c@d.test" },
    { "team: a@b.test, Cee <c@d.test>;", "a@b.test c@d.test" },
    { "team:;, a@b.test", "a@b.test" },
    { "undisclosed:;", "" },
    { "root", "-" },
    { "root (Cron Daemon)", "-" },
    { "Ann Bee, a@b.test", "- a@b.test" },
    /* two ways to read it, or none */
    { "a@b.test c@d.test", "!" },
    { "a b@c.test", "!" },
    { "a@b.test <", "!" },
    { "<a@b.test", "!" },
    { "a@b.test>", "!" },
    { "<a@b.test> c", "!" },
    { "<a@b.test> <c@d.test>", "!" },
    { "<a@b.test>c@d.test", "!" },
    { "<<a@b.test>>", "!" },
    { "<>", "!" },
    { "<a b@c.test>", "!" },
    { "a@b.test\\, c@d.test", "!" },
    { "\"c@d.test\"", "!" },
    { "\"a@b.test", "!" },
    { "(a@b.test", "!" },
    { "a@b.test)", "!" },
    { "[a@b.test", "!" },
    { "team: a@b.test", "!" },
    { "team: other: a@b.test;;", "!" },
    { "a@b.test;", "!" },
    { "a@b.test: c@d.test;", "!" },
    { ": a@b.test;", "!" },
    { "a@@b.test", "!" },
    { "@b.test", "!" },
    { "a@b\x01.test", "!" },
    { "a@b.test, \"c", "a@b.test !" },
};

static void test_lists(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char room[512];
        struct buffer said = buffer_over(room, sizeof room);
        struct mailbox_list list = mailbox_list_of(text_of(cases[i].value));
        struct address address;
        enum mailbox_found found;
        do {
            found = mailbox_list_next(&list, &address);
            if (found == MAILBOX_LIST_END)
                break;
            buffer_text(&said, said.len ? T(" ") : T(""));
            buffer_text(&said, found == MAILBOX_ADDRESS ? address_text(&address)
                               : found == MAILBOX_NAME  ? T("-")
                                                        : T("!"));
        } while (found != MAILBOX_LIST_MALFORMED);
        if (!text_equal(buffer_as_text(&said), text_of(cases[i].found)))
            fail_msg("%s: %.*s", cases[i].value, TEXT_ARGS(buffer_as_text(&said)));
        assert_int_equal(mailbox_list_next(&list, &address), found);
    }
}

/* NUL ends no list. */
static void test_nul(void **state)
{
    (void)state;
    struct mailbox_list list = mailbox_list_of(T("a@b.test\0, c@d.test"));
    struct mailbox_list quoted = mailbox_list_of(T("\"a\0\" <a@b.test>"));
    struct address address;
    assert_int_equal(mailbox_list_next(&list, &address), MAILBOX_LIST_MALFORMED);
    assert_int_equal(mailbox_list_next(&quoted, &address), MAILBOX_LIST_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
