/* test_tls_required.c - "TLS-Required: No" in a header, whole and cut at every octet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "mail/tls_required.h"

static const struct {
    const char *message;
    bool no;
} cases[] = {
    { "TLS-Required: No\r\n\r\n", true },
    { "tls-required:NO\r\n\r\n", true },
    { "TLS-REQUIRED \t:\t no \t\r\n\r\n", true },
    { "TLS-Required: No\n\n", true },
    { "TLS-Required:\r\n No\r\n\r\n", true },
    { "TLS-Required: No\r\n \r\nSubject: x\r\n\r\n", true },
    { "Subject: x\r\n more\r\nTLS-Required: No\r\nTo: y\r\n\r\nz", true },
    { "TLS-Required: No", true },
    /* another value */
    { "TLS-Required: Yes\r\n\r\n", false },
    { "TLS-Required:\r\n\r\n", false },
    { "TLS-Required:\r\nNo\r\n\r\n", false },
    { "TLS-Required: N\r\n\r\n", false },
    { "TLS-Required: N o\r\n\r\n", false },
    { "TLS-Required: N\r\n o\r\n\r\n", false },
    { "TLS-Required: No; x\r\n\r\n", false },
    { "TLS-Required: No\r\n thing\r\n\r\n", false },
    { "TLS-Required: None\r\n\r\n", false },
    /* the first one counts */
    { "TLS-Required: Yes\r\nTLS-Required: No\r\n\r\n", false },
    { "TLS-Required: No\r\nTLS-Required: Yes\r\n\r\n", true },
    /* behind the header it is content */
    { "Subject: x\r\n\r\nTLS-Required: No\r\n", false },
    { "\r\nTLS-Required: No\r\n", false },
    { "\nTLS-Required: No\r\n", false },
    /* not the field */
    { "X-TLS-Required: No\r\n\r\n", false },
    { "TLS-Requiredd: No\r\n\r\n", false },
    { "TLS-Required\r\n: No\r\n\r\n", false },
    { " TLS-Required: No\r\n\r\n", false },
    { "Subject: x\r\n TLS-Required: No\r\n\r\n", false },
    { "", false },
};

static void check(size_t i, const char *how, const struct tls_required *t)
{
    if (tls_required_says_no(t) != cases[i].no)
        fail_msg("case %zu, %s: %d", i, how, tls_required_says_no(t));
}

static void test_fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes all = bytes_of_text(text_of(cases[i].message));
        for (size_t cut = 0; cut <= all.len; cut++) {
            struct tls_required t = { 0 };
            tls_required_read(&t, (struct bytes){ all.at, cut });
            tls_required_read(&t, (struct bytes){ all.at + cut, all.len - cut });
            check(i, "in two", &t);
        }
        struct tls_required t = { 0 };
        for (size_t at = 0; at < all.len; at++)
            tls_required_read(&t, (struct bytes){ all.at + at, 1 });
        check(i, "octet by octet", &t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_fields) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
