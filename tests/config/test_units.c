/* test_units.c - durations and sizes, and the nearest name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "config/nearest.h"
#include "config/units.h"

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        enum units_verdict verdict;
        uint64_t ms;
    } cases[] = {
        { "0", UNITS_OK, 0 },
        { "0s", UNITS_OK, 0 },
        { "1s", UNITS_OK, 1000 },
        { "5m", UNITS_OK, 300000 },
        { "1h30m", UNITS_OK, 5400000 },
        { "2w", UNITS_OK, 1209600000 },
        { "1w1d1h1m1s", UNITS_OK, 694861000 },
        { "90m", UNITS_OK, 5400000 },
        { "007s", UNITS_OK, 7000 },
        { "9007199254740s", UNITS_OK, 9007199254740000 },
        { "9007199254741s", UNITS_TOO_LARGE, 0 },
        { "18446744073709551615w", UNITS_TOO_LARGE, 0 },
        { "18446744073709551616s", UNITS_TOO_LARGE, 0 },
        { "", UNITS_EMPTY, 0 },
        { "-1s", UNITS_NEGATIVE, 0 },
        { "1h-1m", UNITS_NEGATIVE, 0 },
        { "s", UNITS_NO_NUMBER, 0 },
        { " 1s", UNITS_NO_NUMBER, 0 },
        { "+1s", UNITS_NO_NUMBER, 0 },
        { "1.5h", UNITS_BAD_UNIT, 0 },
        { "60", UNITS_NO_UNIT, 0 },
        { "1h30", UNITS_NO_UNIT, 0 },
        { "1 s", UNITS_BAD_UNIT, 0 },
        { "1S", UNITS_BAD_UNIT, 0 },
        { "1ms", UNITS_NO_NUMBER, 0 },
        { "30m1h", UNITS_ORDER, 0 },
        { "1h1h", UNITS_ORDER, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t ms;
        assert_int_equal(duration_parse(text_of(cases[i].words), &ms), cases[i].verdict);
        assert_true(ms == cases[i].ms);
    }
}

static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        enum units_verdict verdict;
        uint64_t octets;
    } cases[] = {
        { "0", UNITS_OK, 0 },
        { "1", UNITS_OK, 1 },
        { "64K", UNITS_OK, 65536 },
        { "50M", UNITS_OK, 52428800 },
        { "1G", UNITS_OK, 1073741824 },
        { "9223372036854775807", UNITS_OK, 9223372036854775807u },
        { "9223372036854775808", UNITS_TOO_LARGE, 0 },
        { "18446744073709551616", UNITS_TOO_LARGE, 0 },
        { "17179869184G", UNITS_TOO_LARGE, 0 },
        { "", UNITS_EMPTY, 0 },
        { "-5M", UNITS_NEGATIVE, 0 },
        { "M", UNITS_NO_NUMBER, 0 },
        { "5k", UNITS_BAD_UNIT, 0 },
        { "5MB", UNITS_BAD_UNIT, 0 },
        { "5 M", UNITS_BAD_UNIT, 0 },
        { "1.5G", UNITS_BAD_UNIT, 0 },
        { "0x10", UNITS_BAD_UNIT, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t octets;
        assert_int_equal(size_parse(text_of(cases[i].words), &octets), cases[i].verdict);
        assert_true(octets == cases[i].octets);
    }
}

static void test_printing(void **state)
{
    (void)state;
    char out[UNITS_TEXT_MAX];
    assert_string_equal(duration_print(0, out).at, "0s");
    assert_string_equal(duration_print(5400000, out).at, "1h30m");
    assert_string_equal(duration_print(1209600000 + 1000, out).at, "2w1s");
    assert_string_equal(duration_print(UINT64_MAX, out).at, "30500568904w6d14h25m51s");
    assert_string_equal(size_print(0, out).at, "0");
    assert_string_equal(size_print(1000, out).at, "1000");
    assert_string_equal(size_print(65536, out).at, "64K");
    assert_string_equal(size_print(3221225472, out).at, "3G");
}

static void test_nearest(void **state)
{
    (void)state;
    static const struct {
        const char *word, *nearest;
    } cases[] = {
        { "recipents", "recipients" },
        { "hop", "hops" },
        { "LINE", "line" },
        { "conections", "connections" },
        { "", "hops" },
        { "an extremely long name that matches nothing at all", "connections" },
    };
    static const char *const names[] = { "recipients", "connections", "hops", "line" };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct nearest n = nearest_to(text_of(cases[i].word));
        for (size_t j = 0; j < sizeof names / sizeof *names; j++)
            nearest_offer(&n, names[j]);
        assert_string_equal(n.name, cases[i].nearest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_printing),
        cmocka_unit_test(test_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
