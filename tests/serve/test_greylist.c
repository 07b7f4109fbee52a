/* test_greylist.c - how long a triplet waits, and how long it is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "serve/greylist.h"

#define NOW    1800000000000LL
#define MINUTE 60000LL
#define DAY    (24 * 60 * MINUTE)

static void test_judge(void **state)
{
    static const struct greylist_question q = { .delay_ms = 5 * MINUTE, .life_ms = 35 * DAY };
    static const struct {
        int64_t due_ms;
        uint64_t wait_ms;
        int64_t due_out, expires_out;
    } rows[] = {
        { 0, 5 * MINUTE, NOW + 5 * MINUTE, NOW + 5 * MINUTE + 2 * DAY },         /* new */
        { NOW + MINUTE, MINUTE, NOW + MINUTE, NOW + MINUTE + 2 * DAY },          /* too soon */
        { NOW, 0, NOW, NOW + 35 * DAY },                                         /* in time */
        { NOW - DAY, 0, NOW - DAY, NOW + 35 * DAY },                             /* known */
        { NOW + DAY, 5 * MINUTE, NOW + 5 * MINUTE, NOW + 5 * MINUTE + 2 * DAY }, /* no time */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t due, expires;
        assert_int_equal(greylist_judge(NOW, rows[i].due_ms, &q, &due, &expires), rows[i].wait_ms);
        assert_int_equal(due, rows[i].due_out);
        assert_int_equal(expires, rows[i].expires_out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_judge) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
