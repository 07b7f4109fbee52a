/* test_convert_short.c - mail that must be converted, while memory is short: it waits, and goes
 * once and whole.
 *
 * Linked with --wrap for what begins a conversion and what ends a reading of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "dispatch_world.h"

#include "mail/convert.h"

#include <stdio.h>

static unsigned until_failure;

static bool fails(void)
{
    return until_failure > 0 && --until_failure == 0;
}

struct convert *__wrap_convert_new(enum convert_target);
struct convert *__real_convert_new(enum convert_target);
enum convert_verdict __wrap_convert_read_end(struct convert *);
enum convert_verdict __real_convert_read_end(struct convert *);
bool __wrap_convert_write(struct convert *, struct bytes, struct buffer *);
bool __real_convert_write(struct convert *, struct bytes, struct buffer *);

struct convert *__wrap_convert_new(enum convert_target target)
{
    return fails() ? NULL : __real_convert_new(target);
}

enum convert_verdict __wrap_convert_read_end(struct convert *c)
{
    return fails() ? CONVERT_NO_MEMORY : __real_convert_read_end(c);
}

bool __wrap_convert_write(struct convert *c, struct bytes b, struct buffer *out)
{
    return !fails() && __real_convert_write(c, b, out);
}

static void test_each_step_fails(void **state)
{
    struct office_world *o = *state;
    o->eight_bit = true;
    office_start(o);
    for (unsigned n = 1; n <= 12; n++) {
        until_failure = n;
        office_mail(o, n % 2 ? "b.test" : "b.test,c.test", 2);
        office_until_empty(o);
        char words[30];
        snprintf(words, sizeof words, " letter-%u", n);
        assert_int_equal(mail_hosts_took(&o->hosts, words), 2);
    }
    until_failure = 0;
    assert_int_equal(office_reports(o), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_step_fails, office_set_up, office_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
