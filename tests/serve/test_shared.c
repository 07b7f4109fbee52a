/* test_shared.c - what loops share: connection counts, remembered logins, login delay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "serve/shared.h"

static struct endpoint peer(const char *words)
{
    struct endpoint e;
    assert_true(endpoint_parse_address(text_of(words), &e));
    return e;
}

static void test_admission(void **state)
{
    (void)state;
    struct shared *s;
    assert_true(shared_new(&s, NULL));
    struct endpoint a = peer("192.0.2.1"), b = peer("192.0.2.2");
    struct endpoint six = peer("2001:db8::1"), neighbour = peer("2001:db8::2");
    assert_int_equal(shared_admit(s, &a, false, 6, 2), ADMITTED);
    assert_int_equal(shared_admit(s, &a, false, 6, 2), ADMITTED);
    assert_int_equal(shared_admit(s, &a, false, 6, 2), FULL_FOR_PEER);
    assert_int_equal(shared_admit(s, &a, true, 6, 2), ADMITTED);
    assert_int_equal(shared_admit(s, &six, false, 6, 1), ADMITTED);
    assert_int_equal(shared_admit(s, &neighbour, false, 6, 1), FULL_FOR_PEER); /* one /64 */
    assert_int_equal(shared_admit(s, &b, false, 6, 2), ADMITTED);
    assert_int_equal(shared_admit(s, &b, false, 6, 2), ADMITTED);
    assert_int_equal(
        shared_admit(s, &(struct endpoint){ NET_IPV4, { 192, 0, 2, 3 }, 0 }, false, 6, 2),
        FULL_IN_ALL);
    assert_int_equal(shared_connections(s), 6);
    shared_release(s, &a, true);
    shared_release(s, &a, false);
    assert_int_equal(shared_admit(s, &a, false, 6, 2), ADMITTED);
    assert_int_equal(shared_admit(s, &a, false, 0, 0), ADMITTED); /* 0: no maximum */
    shared_free(&s);
}

static void test_logins(void **state)
{
    (void)state;
    struct shared *s;
    mailbox_id mailbox;
    assert_true(shared_new(&s, NULL));
    shared_login_remember(s, T("a@b"), T("secret"), 7, shared_generation(s));
    assert_true(shared_login_known(s, T("a@b"), T("secret"), &mailbox));
    assert_int_equal(mailbox, 7);
    assert_false(shared_login_known(s, T("a@b"), T("secreT"), &mailbox));
    assert_false(shared_login_known(s, T("a@bs"), T("ecret"), &mailbox));
    shared_directory_changed(s); /* a password may be another one now */
    assert_false(shared_login_known(s, T("a@b"), T("secret"), &mailbox));
    shared_free(&s);
}

static void test_login_delay(void **state)
{
    (void)state;
    struct shared *s;
    assert_true(shared_new(&s, NULL));
    assert_false(shared_login_too_soon(s, 5, 1000, 0));
    assert_false(shared_login_too_soon(s, 5, 1000, 60));
    assert_true(shared_login_too_soon(s, 5, 1059, 60));
    assert_false(shared_login_too_soon(s, 5, 1060, 60));
    assert_true(shared_login_too_soon(s, 5, 1059, 60)); /* by a loop whose turn began earlier */
    shared_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_admission),
        cmocka_unit_test(test_logins),
        cmocka_unit_test(test_login_delay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
