/* test_moment.c - the clock and the source of unpredictable bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "run/clock.h"
#include "run/entropy.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static void test_monotonic_does_not_go_back(void **state)
{
    (void)state;
    uint64_t last = clock_monotonic_ms();
    for (int i = 0; i < 1000; i++) {
        uint64_t now = clock_monotonic_ms();
        assert_true(now >= last);
        last = now;
    }
}

static void test_wall_is_the_systems(void **state)
{
    (void)state;
    int64_t before = time(NULL);
    int64_t wall = clock_wall_ms();
    int64_t after = time(NULL);
    /* time() may be a tick behind. */
    assert_true(wall / 1000 >= before && wall / 1000 <= after + 1);
}

static void test_zone(void **state)
{
    (void)state;
    static const struct {
        const char *zone;
        int64_t wall_ms;
        int seconds;
    } cases[] = {
        { "UTC0", 0, 0 },
        { "IST-5:30", 1792568487123, 19800 },
        { "PST8", 1792568487123, -28800 },
        { "CET-1CEST,M3.5.0,M10.5.0/3", 1767225600000, 3600 }, /* 2026-01-01 */
        { "CET-1CEST,M3.5.0,M10.5.0/3", 1782864000000, 7200 }, /* 2026-07-01 */
        { "CET-1CEST,M3.5.0,M10.5.0/3", 1774745999999, 3600 }, /* the last ms of winter */
        { "CET-1CEST,M3.5.0,M10.5.0/3", 1774746000000, 7200 }, /* the first of summer */
        { "CET-1CEST,M3.5.0,M10.5.0/3", -1, 3600 },
        { "UTC0", INT64_MAX, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv("TZ", cases[i].zone, 1);
        tzset();
        assert_int_equal(clock_zone_seconds(cases[i].wall_ms), cases[i].seconds);
    }
    unsetenv("TZ");
    tzset();
}

static void test_entropy_fills_all(void **state)
{
    (void)state;
    /* More than the 256 octets that a signal never interrupts; each octet gets a value other than 0
     * in one of 64 tries, but for a chance of 2^-512. */
    uint8_t seen[1000] = { 0 }, drawn[sizeof seen + 1];
    for (int round = 0; round < 64; round++) {
        drawn[sizeof seen] = 0xA5;
        entropy_fill(drawn, sizeof seen);
        for (size_t i = 0; i < sizeof seen; i++)
            seen[i] |= drawn[i];
        assert_int_equal(drawn[sizeof seen], 0xA5);
    }
    assert_null(memchr(seen, 0, sizeof seen));
    assert_true(entropy_u64() != entropy_u64());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_monotonic_does_not_go_back),
        cmocka_unit_test(test_wall_is_the_systems),
        cmocka_unit_test(test_zone),
        cmocka_unit_test(test_entropy_fills_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
