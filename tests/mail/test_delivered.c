/* test_delivered.c - the Delivered-To fields of a message, whole and cut at every octet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "mail/delivered.h"

static const struct {
    const char *message, *address;
    bool any, has;
} cases[] = {
    { "Delivered-To: a@b.test\r\n\r\n", "a@b.test", true, true },
    { "Delivered-To: a@b.test\r\n\r\n", "A@B.TEST", true, true },
    { "DELIVERED-TO :\t \"A\"@b.test. \r\n\r\n", "a@b.test", true, true },
    { "Delivered-To: a@b.test\n\n", "a@b.test", true, true },
    { "Delivered-To: a@b.test\r\n\r\n", "x@b.test", true, false },
    { "Delivered-To: aa@b.test\r\n\r\n", "a@b.test", true, false },
    { "Subject: x\r\n more\r\nDelivered-To: c@d\r\nDelivered-To: a@b.test\r\nTo: y\r\n\r\nz",
      "a@b.test", true, true },
    /* folded */
    { "Delivered-To:\r\n a@b.test\r\n\r\n", "a@b.test", true, true },
    { "Delivered-To: a@b.test\r\n \r\n\r\n", "a@b.test", true, true },
    { "Delivered-To: a@b.test\r\n c\r\n\r\n", "a@b.test", false, false },
    { "Delivered-To: c@d\r\nDelivered-To: a@b.test\r\n c\r\n\r\n", "a@b.test", true, false },
    /* behind the header it is content */
    { "Subject: x\r\n\r\nDelivered-To: a@b.test\r\n", "a@b.test", false, false },
    { "\r\nDelivered-To: a@b.test\r\n", "a@b.test", false, false },
    /* not the field */
    { "X-Delivered-To: a@b.test\r\n\r\n", "a@b.test", false, false },
    { "Delivered-Too: a@b.test\r\n\r\n", "a@b.test", false, false },
    { "Delivered-To\r\n: a@b.test\r\n\r\n", "a@b.test", false, false },
    { " Delivered-To: a@b.test\r\n\r\n", "a@b.test", false, false },
    { "Subject: x\r\n Delivered-To: a@b.test\r\n\r\n", "a@b.test", false, false },
    /* not an address */
    { "Delivered-To: <a@b.test>\r\n\r\n", "a@b.test", false, false },
    { "Delivered-To: a\r\n\r\n", "a@b.test", false, false },
    { "Delivered-To:\r\n\r\n", "a@b.test", false, false },
    { "Delivered-To: a@b.test, c@d\r\n\r\n", "a@b.test", false, false },
    { "Delivered-To: jos\xc3\xa9@b\xc3\xbc.test\r\n\r\n", "jos\xc3\xa9@xn--b-eha.test", true,
      true },
    { "", "a@b.test", false, false },
};

static void check(size_t i, const char *how, const struct delivered *d)
{
    bool has = delivered_has(d, text_of(cases[i].address));
    if (delivered_any(d) != cases[i].any || has != cases[i].has)
        fail_msg("case %zu, %s: any %d, has %d", i, how, delivered_any(d), has);
}

static void test_fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes all = bytes_of_text(text_of(cases[i].message));
        for (size_t cut = 0; cut <= all.len; cut++) {
            struct delivered d;
            delivered_init(&d);
            delivered_read(&d, (struct bytes){ all.at, cut });
            delivered_read(&d, (struct bytes){ all.at + cut, all.len - cut });
            check(i, "in two", &d);
            delivered_clear(&d);
        }
        struct delivered d;
        delivered_init(&d);
        for (size_t at = 0; at < all.len; at++)
            delivered_read(&d, (struct bytes){ all.at + at, 1 });
        check(i, "octet by octet", &d);
        delivered_clear(&d);
    }
}

static void test_limits(void **state)
{
    (void)state;
    struct delivered d;
    struct buffer message;
    buffer_init(&message, 1 << 20);
    delivered_init(&d);
    buffer_text(&message, T("Delivered-To: "));
    for (size_t i = 0; i < 70000; i++)
        buffer_byte(&message, 'a');
    buffer_text(&message, T("@b.test\r\n"));
    for (unsigned i = 0; i < 5000; i++)
        buffer_printf(&message, "Delivered-To: user%u@b.test\r\n", i);
    delivered_read(&d, buffer_bytes(&message));
    assert_true(delivered_has(&d, T("user0@b.test")));
    assert_true(delivered_has(&d, T("user500@b.test")));
    assert_false(delivered_has(&d, T("user4999@b.test")));
    assert_true(d.keys.len <= DELIVERED_OCTETS_MAX);
    delivered_clear(&d);
    buffer_clear(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_fields),
                                        cmocka_unit_test(test_limits) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
