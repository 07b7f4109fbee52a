/* test_schedule.c - retries, warnings and expiry in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "queue/schedule.h"

#define SECOND  1000LL
#define MINUTE  (60 * SECOND)
#define HOUR    (60 * MINUTE)
#define DAY     (24 * HOUR)
#define ARRIVED 1795246887000
#define NEVER   INT64_MAX

enum { EXACT = SCHEDULE_SPREAD / 2 }; /* the spread that moves nothing */

static const uint64_t standard_steps[] = { MINUTE,   5 * MINUTE, 15 * MINUTE, 30 * MINUTE,
                                           1 * HOUR, 2 * HOUR,   4 * HOUR };
static const struct schedule standard = {
    .retry_ms = standard_steps,
    .retry_count = 7,
    .warn_ms = 4 * HOUR,
    .expire_ms = 5 * DAY,
};

static void test_after(void **state)
{
    (void)state;
    static const struct {
        uint32_t attempts;
        bool warned;
        int64_t now; /* after arrival */
        unsigned spread;
        enum schedule_verdict verdict;
        int64_t due; /* after arrival */
        bool warn;
    } cases[] = {
        { 1, false, 0, EXACT, SCHEDULE_RETRY, MINUTE, false },
        { 2, false, MINUTE, EXACT, SCHEDULE_RETRY, 6 * MINUTE, false },
        { 7, true, 5 * HOUR, EXACT, SCHEDULE_RETRY, 9 * HOUR, false },
        { 8, true, 5 * HOUR, EXACT, SCHEDULE_RETRY, 9 * HOUR, false },
        { UINT32_MAX, true, 5 * HOUR, EXACT, SCHEDULE_RETRY, 9 * HOUR, false },
        { 0, false, 0, EXACT, SCHEDULE_RETRY, MINUTE, false },
        /* A tenth either way. */
        { 1, false, 0, 0, SCHEDULE_RETRY, 54 * SECOND, false },
        { 1, false, 0, 250, SCHEDULE_RETRY, 57 * SECOND, false },
        { 1, false, 0, 999, SCHEDULE_RETRY, 65988, false },
        /* The step is cut to the time of the warning, and only before it. */
        { 6, false, 231 * MINUTE, EXACT, SCHEDULE_RETRY, 4 * HOUR, false },
        { 6, true, 231 * MINUTE, EXACT, SCHEDULE_RETRY, 351 * MINUTE, false },
        { 7, false, 4 * HOUR, EXACT, SCHEDULE_RETRY, 8 * HOUR, true },
        { 7, true, 4 * HOUR, EXACT, SCHEDULE_RETRY, 8 * HOUR, false },
        { 7, false, 4 * HOUR - 1, EXACT, SCHEDULE_RETRY, 4 * HOUR, false },
        { 7, false, DAY, EXACT, SCHEDULE_RETRY, DAY + 4 * HOUR, true },
        /* And to the expiry time. */
        { 40, true, 5 * DAY - HOUR, EXACT, SCHEDULE_RETRY, 5 * DAY, false },
        { 40, true, 5 * DAY - 1, EXACT, SCHEDULE_RETRY, 5 * DAY, false },
        { 40, true, 5 * DAY, EXACT, SCHEDULE_EXPIRE, 0, false },
        { 40, false, 6 * DAY, EXACT, SCHEDULE_EXPIRE, 0, false },
        /* The first attempt of all, after a long time without a server. */
        { 1, false, 6 * DAY, EXACT, SCHEDULE_EXPIRE, 0, false },
        /* A clock that was set back. */
        { 3, false, -DAY, EXACT, SCHEDULE_RETRY, -DAY + 15 * MINUTE, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct schedule_row row = { ARRIVED, cases[i].attempts, cases[i].warned };
        struct schedule_next next =
            schedule_after(&standard, &row, ARRIVED + cases[i].now, cases[i].spread);
        if (next.verdict != cases[i].verdict || next.warn != cases[i].warn)
            fail_msg("case %zu", i);
        if (next.verdict == SCHEDULE_RETRY)
            assert_int_equal(next.due_ms - ARRIVED, cases[i].due);
    }
}

static void test_behind(void **state)
{
    (void)state;
    static const struct {
        bool warned;
        int64_t probed, now; /* after arrival */
        enum schedule_verdict verdict;
        int64_t due; /* after arrival */
        bool warn;
    } cases[] = {
        { false, 0, 0, SCHEDULE_RETRY, 4 * HOUR, false },
        { false, 0, 4 * HOUR, SCHEDULE_RETRY, 5 * DAY, true },
        { true, 0, 4 * HOUR, SCHEDULE_RETRY, 5 * DAY, false },
        { true, 0, 0, SCHEDULE_RETRY, 5 * DAY, false },
        /* Past its time, it waits for a probe. */
        { true, 5 * DAY - 1, 5 * DAY, SCHEDULE_RETRY, 5 * DAY, false },
        { false, 0, 6 * DAY, SCHEDULE_RETRY, 6 * DAY, false },
        { true, 5 * DAY, 5 * DAY, SCHEDULE_EXPIRE, 0, false },
        { false, 6 * DAY, 6 * DAY, SCHEDULE_EXPIRE, 0, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct schedule_row row = { .arrived_ms = ARRIVED, .warned = cases[i].warned };
        struct schedule_next next =
            schedule_behind(&standard, &row, ARRIVED + cases[i].probed, ARRIVED + cases[i].now);
        if (next.verdict != cases[i].verdict || next.warn != cases[i].warn)
            fail_msg("case %zu", i);
        if (next.verdict == SCHEDULE_RETRY)
            assert_int_equal(next.due_ms - ARRIVED, cases[i].due);
    }
}

/* Settings that never fire, and that fire at once. */
static void test_odd_settings(void **state)
{
    (void)state;
    static const uint64_t day[] = { DAY };
    static const struct {
        uint64_t warn, expire;
        int64_t now;
        enum schedule_verdict verdict;
        int64_t due;
        bool warn_now;
    } cases[] = {
        { 0, 5 * DAY, 0, SCHEDULE_RETRY, DAY, false },
        { 0, 5 * DAY, 2 * DAY, SCHEDULE_RETRY, 3 * DAY, false },
        { 6 * DAY, 5 * DAY, 9 * HOUR, SCHEDULE_RETRY, DAY + 9 * HOUR, false },
        { 6 * DAY, 5 * DAY, 5 * DAY, SCHEDULE_EXPIRE, 0, false },
        { HOUR, 2 * HOUR, 0, SCHEDULE_RETRY, HOUR, false },
        { HOUR, 2 * HOUR, HOUR, SCHEDULE_RETRY, 2 * HOUR, true },
        { HOUR, HOUR, HOUR, SCHEDULE_EXPIRE, 0, false },
        { 0, 0, 0, SCHEDULE_EXPIRE, 0, false },
        { UINT64_MAX, UINT64_MAX, 0, SCHEDULE_RETRY, DAY, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct schedule s = { day, 1, cases[i].warn, cases[i].expire };
        struct schedule_row row = { ARRIVED, 1, false };
        struct schedule_next next = schedule_after(&s, &row, ARRIVED + cases[i].now, EXACT);
        if (next.verdict != cases[i].verdict || next.warn != cases[i].warn_now)
            fail_msg("case %zu", i);
        if (next.verdict == SCHEDULE_RETRY)
            assert_int_equal(next.due_ms - ARRIVED, cases[i].due);
    }
}

static void test_the_end_of_time(void **state)
{
    (void)state;
    struct schedule_row row = { NEVER - 10, 1, false };
    struct schedule_next next = schedule_after(&standard, &row, NEVER - 10, EXACT);
    assert_int_equal(next.verdict, SCHEDULE_RETRY);
    assert_true(next.due_ms == NEVER);
    assert_false(next.warn);
}

/* A life without success: the attempts, one warning at its time, one expiry at its time. */
static void test_a_whole_life(void **state)
{
    (void)state;
    static const int64_t first[] = { 0,           MINUTE,       6 * MINUTE,   21 * MINUTE,
                                     51 * MINUTE, 111 * MINUTE, 231 * MINUTE, 240 * MINUTE,
                                     8 * HOUR,    12 * HOUR };
    struct schedule_row row = { .arrived_ms = ARRIVED };
    int64_t now = ARRIVED;
    size_t warnings = 0;
    for (;;) {
        if (row.attempts < sizeof first / sizeof *first)
            assert_int_equal(now - ARRIVED, first[row.attempts]);
        row.attempts++;
        struct schedule_next next = schedule_after(&standard, &row, now, EXACT);
        if (next.verdict == SCHEDULE_EXPIRE)
            break;
        if (next.warn) {
            assert_int_equal(now - ARRIVED, 4 * HOUR);
            row.warned = true;
            warnings++;
        }
        assert_true(next.due_ms > now);
        now = next.due_ms;
    }
    assert_int_equal(now - ARRIVED, 5 * DAY);
    assert_int_equal(warnings, 1);
    assert_int_equal(row.attempts, 8 + (5 * DAY - 4 * HOUR) / (4 * HOUR));
}

/* What failed together comes back over two tenths of the step, evenly. */
static void test_spread(void **state)
{
    (void)state;
    struct schedule_row row = { ARRIVED, 5, true };
    int64_t before = 0;
    for (unsigned spread = 0; spread < SCHEDULE_SPREAD; spread++) {
        int64_t due = schedule_after(&standard, &row, ARRIVED, spread).due_ms - ARRIVED;
        assert_in_range(due, 54 * MINUTE, 66 * MINUTE - 1);
        assert_true(spread == 0 || due - before == 2 * 6 * MINUTE / SCHEDULE_SPREAD);
        before = due;
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_after),        cmocka_unit_test(test_behind),
        cmocka_unit_test(test_odd_settings), cmocka_unit_test(test_the_end_of_time),
        cmocka_unit_test(test_a_whole_life), cmocka_unit_test(test_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
