/* test_sts_entry.c - what the cache keeps of a policy: written, read again, and damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "queue/sts_lookup.h"

static void test_both_ways(void **state)
{
    (void)state;
    static const struct sts_entry cases[] = {
        { 0, TEXT("20160831085700Z"), TEXT("version: STSv1\nmode: none\nmax_age: 1\n") },
        { 1763740000, TEXT(""), TEXT("") },
        { INT64_MAX, TEXT("1"), TEXT("\n\n") },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer value;
        struct sts_entry got;
        buffer_init(&value, 1000);
        assert_true(sts_entry_write(&cases[i], &value));
        assert_true(sts_entry_read(buffer_as_text(&value), &got));
        assert_true(got.failed_s == cases[i].failed_s);
        assert_true(text_equal(got.id, cases[i].id));
        assert_true(text_equal(got.policy, cases[i].policy));
        buffer_clear(&value);
    }
}

static void test_damaged(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "1",
        "1 a",
        "\n",
        " a\n",
        "x a\n",
        "-1 a\n",
        "9223372036854775808 a\n",
        "1 123456789012345678901234567890123\n",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sts_entry got;
        if (sts_entry_read(text_of(cases[i]), &got))
            fail_msg("%s", cases[i]);
    }
}

static void test_no_room(void **state)
{
    (void)state;
    struct buffer value;
    buffer_init(&value, 5);
    assert_false(sts_entry_write(&(struct sts_entry){ 0, T("id"), T("policy") }, &value));
    buffer_clear(&value);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_both_ways),
                                        cmocka_unit_test(test_damaged),
                                        cmocka_unit_test(test_no_room) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
