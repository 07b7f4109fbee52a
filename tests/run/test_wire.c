/* test_wire.c - what of a client's line the log of a session shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "run/wire.h"

static void test_masks(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool ends;
        const char *shown;
        bool hides; /* the rest */
    } cases[] = {
        { "PASS secret", true, "PASS ***", true },
        { "  pass secret", true, "PASS ***", true },
        { "PASS", true, "PASS ***", true },
        { "PASSWORD secret", true, "PASSWORD secret", false },
        { "AUTH PLAIN AGEA", true, "AUTH PLAIN ***", true },
        { "auth  LOGIN", true, "auth  LOGIN", false },
        { "AUTH", true, "AUTH", false },
        { "MAIL FROM:<a@b.test>", true, "MAIL FROM:<a@b.test>", false },
        { "", true, "", false },
        /* the beginning of a line that does not say yet what it is */
        { "   ", false, "   ", true },
        { "  PA", false, "  PA", true },
        { "AUTH", false, "AUTH", true },
        { "AUTH  ", false, "AUTH  ", true },
        { "AUTH PL", false, "AUTH PL", true },
        { "AUTH PLAIN ", false, "AUTH PLAIN ", true },
        { "NOOP ", false, "NOOP ", false },
        { "NOOP x", false, "NOOP x", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char room[WIRE_MASK_MAX];
        struct text line = text_of(cases[i].line);
        assert_int_equal(wire_mask(&line, cases[i].ends, room), cases[i].hides);
        assert_true(text_equal(line, text_of(cases[i].shown)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_masks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
