/* test_date.c - dates as text, there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "mail/date.h"

#include <string.h>
#include <time.h>

static void test_print(void **state)
{
    (void)state;
    static const struct {
        int64_t wall_ms;
        int zone_seconds;
        const char *rfc5322;
        const char *rfc3339;
    } cases[] = {
        { 0, 0, "Thu, 1 Jan 1970 00:00:00 +0000", "1970-01-01T00:00:00.000Z" },
        { 1795246887123, 0, "Sat, 21 Nov 2026 07:41:27 +0000", "2026-11-21T07:41:27.123Z" },
        { 1795246887123, 3600, "Sat, 21 Nov 2026 08:41:27 +0100", "2026-11-21T07:41:27.123Z" },
        { 1795246887123, -34200, "Fri, 20 Nov 2026 22:11:27 -0930", "2026-11-21T07:41:27.123Z" },
        { 1795246887123, -1770, "Sat, 21 Nov 2026 07:12:27 -0029", "2026-11-21T07:41:27.123Z" },
        { 951782399999, 0, "Mon, 28 Feb 2000 23:59:59 +0000", "2000-02-28T23:59:59.999Z" },
        { 951782400000, 0, "Tue, 29 Feb 2000 00:00:00 +0000", "2000-02-29T00:00:00.000Z" },
        { 4107542400000, 0, "Mon, 1 Mar 2100 00:00:00 +0000", "2100-03-01T00:00:00.000Z" },
        { -1, 0, "Wed, 31 Dec 1969 23:59:59 +0000", "1969-12-31T23:59:59.999Z" },
        { 253402300799000, 0, "Fri, 31 Dec 9999 23:59:59 +0000", "9999-12-31T23:59:59.000Z" },
    };
    char out[DATE_TEXT_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text t = date_rfc5322(cases[i].wall_ms, cases[i].zone_seconds, out);
        assert_string_equal(out, cases[i].rfc5322);
        assert_int_equal(t.len, strlen(out));
        t = date_rfc3339(cases[i].wall_ms, true, out);
        assert_string_equal(out, cases[i].rfc3339);
        assert_int_equal(t.len, strlen(out));
    }
    date_rfc3339(1795246887999, false, out);
    assert_string_equal(out, "2026-11-21T07:41:27Z");
}

/* No clock, however wrong, overruns the text. */
static void test_far_away(void **state)
{
    (void)state;
    static const int64_t far[] = { INT64_MAX / 2, INT64_MIN / 2, 1LL << 60, -(1LL << 60) };
    char out[DATE_TEXT_MAX];
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        assert_true(date_rfc5322(far[i], 86399, out).len < DATE_TEXT_MAX);
        assert_true(date_rfc5322(far[i], -86399, out).len < DATE_TEXT_MAX);
        assert_true(date_rfc3339(far[i], true, out).len < DATE_TEXT_MAX);
    }
}

/* Every day from 1900 to 2110 beside the C library's calendar, and read back. */
static void test_every_day(void **state)
{
    (void)state;
    for (int64_t day = -25567; day < 51134; day++) {
        time_t seconds = (time_t)(day * 86400 + 43210);
        struct tm tm;
        char want[DATE_TEXT_MAX], got[DATE_TEXT_MAX];
        gmtime_r(&seconds, &tm);
        strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%SZ", &tm);
        date_rfc3339(seconds * 1000, false, got);
        if (strcmp(want, got) != 0)
            fail_msg("%s is not %s", got, want);
        strftime(want, sizeof want, "%a", &tm);
        struct text t = date_rfc5322(seconds * 1000, 0, got);
        if (strncmp(want, got, 3) != 0)
            fail_msg("%s is no %s", got, want);
        int64_t wall_ms;
        if (!date_parse_rfc5322(t, &wall_ms) || wall_ms != seconds * 1000)
            fail_msg("%s is read as %lld", got, (long long)wall_ms);
    }
}

static void test_read(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        int64_t seconds;
    } cases[] = {
        { "Sat, 21 Nov 2026 07:41:27 +0000", 1795246887 },
        { " Sat, 21 Nov 2026 07:41:27 +0000 (UTC)\r\n", 1795246887 },
        { "21 Nov 2026 07:41:27 +0000", 1795246887 },
        { "21 Nov 2026 07:41 +0000", 1795246860 },
        { "Sat,21 Nov 2026 08:41:27 +0100", 1795246887 },
        { "Sat, 21 Nov 2026 02:41:27 -0500", 1795246887 },
        { "sat, 21 NOV 2026 07:41:27 gmt", 1795246887 },
        { "Sat, 21\r\n\tNov\r\n 2026 07:41:27\r\n +0000", 1795246887 },
        { "(a) Sat (b) , (c(d\\)e)) 21 () Nov 2026 07 (x) : 41 : 27 UT", 1795246887 },
        { "Mon, 21 Nov 2026 07:41:27 -0000", 1795246887 },
        { "21 Nov 26 07:41:27 Z", 1795246887 },
        { "21 Nov 126 07:41:27 UT", 1795246887 },
        { "21 Nov 2026 02:41:27 EST", 1795246887 },
        { "21 Nov 2026 03:41:27 EDT", 1795246887 },
        { "21 Nov 2026 01:41:27 CST", 1795246887 },
        { "21 Nov 2026 00:41:27 PDT", 1795246887 },
        { "21 Nov 2026 07:41:27 A", 1795246887 },
        { "21 Nov 2026 07:41:27 MESZ", 1795246887 },
        { "1 Jan 70 00:00:00 +0000", 0 },
        { "01 Jan 1970 00:00:00 +0000", 0 },
        { "31 Dec 2016 23:59:60 +0000", 1483228800 },
        { "29 Feb 2000 00:00:00 +0000", 951782400 },
        { "21 Nov 2026 07:41:27 +0000 (not closed", 1795246887 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t wall_ms = -1;
        if (!date_parse_rfc5322(text_of(cases[i].words), &wall_ms))
            fail_msg("not read: %s", cases[i].words);
        assert_true(wall_ms == cases[i].seconds * 1000);
    }
}

static void test_refuse(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "yesterday",
        "Sat",
        "Sat, 21 Nov 2026",
        "21 Nov 2026 07:41:27",
        "Sat 21 Nov 2026 07:41:27 +0000",
        "Sut, 21 Nov 2026 07:41:27 +0000",
        "21 Now 2026 07:41:27 +0000",
        "21 November 2026 07:41:27 +0000",
        "0 Nov 2026 07:41:27 +0000",
        "31 Nov 2026 07:41:27 +0000",
        "29 Feb 1900 07:41:27 +0000",
        "121 Nov 2026 07:41:27 +0000",
        "21 Nov 6 07:41:27 +0000",
        "21 Nov 1899 07:41:27 +0000",
        "21 Nov 12026 07:41:27 +0000",
        "21 Nov 99999999999999999999 07:41:27 +0000",
        "21 Nov 2026 24:00:00 +0000",
        "21 Nov 2026 07:60:00 +0000",
        "21 Nov 2026 07:41:61 +0000",
        "21 Nov 2026 7:41:27 +0000",
        "21 Nov 2026 07:41:27 +000",
        "21 Nov 2026 07:41:27 +00000",
        "21 Nov 2026 07:41:27 +0060",
        "21 Nov 2026 07:41:27 0000",
        "21 Nov 2026 07:41:27 +0000 x",
        "21 Nov 2026 07:41: +0000",
        "2026-11-21T07:41:27Z",
        "((((((((",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t wall_ms;
        if (date_parse_rfc5322(text_of(cases[i]), &wall_ms))
            fail_msg("read: %s", cases[i]);
    }
}

static void test_asctime(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        int64_t seconds; /* -1: none */
    } cases[] = {
        { "Sat Nov 21 07:41:27 2026", 1795246887 },
        { "Sat Nov 21 07:41 2026", 1795246860 },
        { "Sat Nov 21 07:41:27 2026 +0100", 1795243287 },
        { "Sat Nov 21 07:41:27 -0100 2026", 1795250487 },
        { "Sat Nov 21 07:41:27 EST 2026", 1795264887 },
        { "Sat Nov 21 07:41:27 XYZ 2026", 1795246887 },
        { "Thu Jan  1 00:00:00 1970", 0 },
        { "Thu Jan  1 00:00:00 1970 ", 0 },
        { "", -1 },
        { "Sat Nov 21", -1 },
        { "Sat Nov 21 07:41:27", -1 },
        { "Sat Nov 31 07:41:27 2026", -1 },
        { "Sat Nov 21 07:41:27 26", -1 },
        { "Sat Nov 21 07:41:27 1899", -1 },
        { "Sat Nov 21 07:41:27 2026 x y", -1 },
        { "Sat, 21 Nov 2026 07:41:27 +0000", -1 },
        { "Nov 21 07:41:27 2026", -1 },
    };
    char out[DATE_TEXT_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t wall_ms = -1000;
        bool ok = date_parse_asctime(text_of(cases[i].words), &wall_ms);
        if (ok != (cases[i].seconds >= 0) || wall_ms != cases[i].seconds * 1000)
            fail_msg("%s", cases[i].words);
    }
    assert_string_equal(date_asctime((int64_t)1795246887 * 1000, out).at, cases[0].words);
    assert_string_equal(date_asctime(0, out).at, cases[6].words);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_print),     cmocka_unit_test(test_far_away),
        cmocka_unit_test(test_every_day), cmocka_unit_test(test_read),
        cmocka_unit_test(test_refuse),    cmocka_unit_test(test_asctime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
