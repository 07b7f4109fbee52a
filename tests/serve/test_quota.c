/* test_quota.c - how much each user has sent within the last hour. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "serve/quota.h"

enum { MINUTE = 60 * 1000 };

/* How many of `wanted` are counted at that moment. */
static unsigned take(struct quota *q, mailbox_id user, enum quota_of of, unsigned wanted,
                     unsigned minute)
{
    unsigned taken = 0;
    for (unsigned i = 0; i < wanted; i++)
        taken += quota_take(q, user, of, 10, (uint64_t)minute * MINUTE);
    return taken;
}

static void test_within_an_hour(void **state)
{
    (void)state;
    static const struct {
        unsigned minute, wanted, taken;
    } steps[] = {
        { 1000, 4, 4 }, { 1030, 4, 4 },   { 1059, 9, 2 },   { 1060, 1, 0 },
        { 1066, 9, 4 }, { 1089, 1, 0 },   { 1096, 9, 4 },   { 1400, 20, 10 },
        { 1401, 1, 0 }, { 1466, 20, 10 }, { 9999, 20, 10 },
    };
    struct quota *q;
    assert_true(quota_new(&q, NULL));
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        assert_int_equal(take(q, 5, QUOTA_MESSAGES, steps[i].wanted, steps[i].minute),
                         steps[i].taken);
    quota_free(&q);
    assert_null(q);
}

/* Never more than the maximum within any hour, however they are spread. */
static void test_any_hour(void **state)
{
    (void)state;
    enum { MINUTES = 1000 };
    struct quota *q;
    unsigned taken[MINUTES];
    assert_true(quota_new(&q, NULL));
    for (unsigned m = 0; m < MINUTES; m++)
        taken[m] = take(q, 5, QUOTA_MESSAGES, m % 7 == 0 ? 3 : 0, 77 + m);
    for (unsigned m = 0; m + 60 <= MINUTES; m++) {
        unsigned sum = 0;
        for (unsigned i = 0; i < 60; i++)
            sum += taken[m + i];
        assert_true(sum <= 10);
    }
    quota_free(&q);
}

/* Each user has his own, and messages and recipients are two. */
static void test_each_on_his_own(void **state)
{
    (void)state;
    struct quota *q;
    assert_true(quota_new(&q, NULL));
    for (unsigned round = 0; round < 2; round++) {
        unsigned minute = 1000 + round * 100; /* those of the first round are forgotten */
        for (mailbox_id user = 1; user < 5000; user++) {
            assert_int_equal(take(q, user, QUOTA_MESSAGES, 11, minute), 10);
            assert_int_equal(take(q, user, QUOTA_RECIPIENTS, 3, minute), 3);
        }
        for (mailbox_id user = 1; user < 5000; user++) {
            assert_int_equal(take(q, user, QUOTA_MESSAGES, 1, minute), 0);
            assert_int_equal(take(q, user, QUOTA_RECIPIENTS, 11, minute), 7);
        }
    }
    quota_free(&q);
}

static void test_no_maximum(void **state)
{
    (void)state;
    struct quota *q;
    assert_true(quota_new(&q, NULL));
    for (unsigned i = 0; i < 100; i++)
        assert_true(quota_take(q, 5, QUOTA_MESSAGES, 0, MINUTE));
    assert_int_equal(take(q, 5, QUOTA_MESSAGES, 11, 1), 10); /* nothing was counted */
    quota_free(&q);
    quota_free(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_within_an_hour),
        cmocka_unit_test(test_any_hour),
        cmocka_unit_test(test_each_on_his_own),
        cmocka_unit_test(test_no_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
