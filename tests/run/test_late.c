#include "run/late.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

/* The C library's own mathematics: always there, and no test program is linked with it. */
#define LIBRARY    "libm.so.6"
/* A part of the C library that is there just as surely, and that nothing loads by itself. */
#define NOT_LOADED "libBrokenLocale.so.1"

struct library {
    typeof(cos) *cos;
    typeof(lround) *lround;
};

static const struct late_call calls[] = {
    LATE_CALL(struct library, , cos),
    { "lround", offsetof(struct library, lround) },
};

static void test_what_was_loaded_can_be_found_and_called(void **state)
{
    (void)state;
    struct library first, again;
    struct error e;
    assert_true(late_load(LIBRARY, LATE_LOAD, calls, 2, &first, &e));
    assert_true(late_load(LIBRARY, LATE_FIND, calls, 2, &again, &e));
    assert_true(first.cos == again.cos);
    assert_int_equal(again.lround(first.cos(0.0)), 1);
}

static void test_what_nobody_loaded_is_not_found(void **state)
{
    (void)state;
    struct error e;
    assert_false(late_load(NOT_LOADED, LATE_FIND, NULL, 0, NULL, &e));
    assert_non_null(strstr(e.words, NOT_LOADED " cannot be loaded: it is too late"));
    assert_int_equal(e.kind, ERROR_TEMPORARY);
    assert_true(late_load(NOT_LOADED, LATE_LOAD, NULL, 0, NULL, &e));
    assert_true(late_load(NOT_LOADED, LATE_FIND, NULL, 0, NULL, &e));
}

static void test_a_library_that_is_missing_is_named(void **state)
{
    (void)state;
    struct library lib;
    struct error e;
    assert_false(late_load("libnone.so.9", LATE_LOAD, calls, 2, &lib, &e));
    assert_non_null(strstr(e.words, "libnone.so.9"));
    assert_int_equal(e.kind, ERROR_TEMPORARY);
}

static void test_a_call_that_is_missing_is_named(void **state)
{
    (void)state;
    static const struct late_call none[] = { { "no_such_call", 0 } };
    void *call;
    struct error e;
    assert_false(late_load(LIBRARY, LATE_LOAD, none, 1, &call, &e));
    assert_non_null(strstr(e.words, LIBRARY " has no no_such_call"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_nobody_loaded_is_not_found),
        cmocka_unit_test(test_what_was_loaded_can_be_found_and_called),
        cmocka_unit_test(test_a_library_that_is_missing_is_named),
        cmocka_unit_test(test_a_call_that_is_missing_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
