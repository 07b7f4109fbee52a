/* test_short.c - a configuration is read with every allocation of ours failing in turn.  Those from
 * inside libraries are not ours, and stay whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "../short_countdown.h"
#include "config/config.h"

#include <stdlib.h>

static const char text[] = "hostname = mx.example.org\n"
                           "listen smtp { } listen pop3 { address = '127.0.0.1:110' }\n"
                           "domain a.example { catch_all = x@b.example } domain b.example { }\n"
                           "tls { certificate = a key = b host c { certificate = d key = e } }\n"
                           "relay { route d { host = e } retry = { 1m, 2m } }\n"
                           "dns { resolvers = { ::1 } } log { file = log }\n";

static void test_every_allocation_fails(void **state)
{
    (void)state;
    int refused = 0;
    for (;;) {
        struct config *config;
        struct error error = { 0 };
        fail_after(refused);
        bool ok = config_read("/f", (struct text){ text, sizeof text - 1 }, NULL, &config, &error);
        bool all_came = !end_failing();
        if (ok && all_came) {
            config_free(&config);
            break;
        }
        /* What could not be kept is never left out. */
        assert_false(ok);
        assert_null(config);
        assert_int_equal(error.kind, ERROR_TEMPORARY);
        refused++;
    }
    assert_true(refused > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
