/* test_check_records.c - what godwit check makes of DNS records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "cli/check_records.h"

#include <string.h>

static void test_reverse(void **state)
{
    (void)state;
    static const struct {
        const char *address, *name;
    } cases[] = {
        { "192.0.2.1", "1.2.0.192.in-addr.arpa" },
        { "255.255.255.255", "255.255.255.255.in-addr.arpa" },
        { "2001:db8::567:89ab",
          "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct endpoint e;
        char out[RECORDS_REVERSE_MAX];
        assert_true(endpoint_parse_address(text_of(cases[i].address), &e));
        assert_string_equal(records_reverse(&e, out), cases[i].name);
    }
}

static void test_private(void **state)
{
    (void)state;
    assert_true(records_is_private(T("localhost")));
    assert_true(records_is_private(T("a.test")));
    assert_true(records_is_private(T("mx.A.TEST")));
    assert_false(records_is_private(T("example.org")));
    assert_false(records_is_private(T("mytest.org")));
    assert_false(records_is_private(T("contest.attest")));
}

static void test_is_spf(void **state)
{
    (void)state;
    assert_true(records_is_spf(T("v=spf1")));
    assert_true(records_is_spf(T("V=SPF1 -all")));
    assert_false(records_is_spf(T("v=spf10 -all")));
    assert_false(records_is_spf(T("v=spf1-all")));
    assert_false(records_is_spf(T(" v=spf1 -all")));
    assert_false(records_is_spf(T("")));
}

static void test_spf(void **state)
{
    (void)state;
    struct endpoint addresses[2];
    assert_true(endpoint_parse_address(T("192.0.2.7"), &addresses[0]));
    assert_true(endpoint_parse_address(T("2001:db8::7"), &addresses[1]));
    static const struct {
        const char *record;
        bool is_mx;
        enum spf_view view;
    } cases[] = {
        { "v=spf1", true, SPF_MISSES },
        { "v=spf1 mx -all", true, SPF_COVERS },
        { "v=spf1  MX  ~all", true, SPF_COVERS },
        { "v=spf1 mx/24 -all", true, SPF_COVERS },
        { "v=spf1 mx:example.org -all", true, SPF_COVERS },
        { "v=spf1 mx:other.net -all", true, SPF_OPEN },
        { "v=spf1 -mx +all", true, SPF_MISSES },
        { "v=spf1 mx -all", false, SPF_OPEN }, /* an MX host may have our address */
        { "v=spf1 -all", true, SPF_MISSES },
        { "v=spf1 ~all", true, SPF_MISSES },
        { "v=spf1 ?all", true, SPF_MISSES },
        { "v=spf1 +all", false, SPF_COVERS },
        { "v=spf1 all", false, SPF_COVERS },
        { "v=spf1 ip4:192.0.2.0/24 -all", false, SPF_COVERS },
        { "v=spf1 ip4:192.0.2.7 -all", false, SPF_COVERS },
        { "v=spf1 ip4:198.51.100.0/24 -all", false, SPF_MISSES },
        { "v=spf1 ip6:2001:db8::/32 -all", false, SPF_COVERS },
        { "v=spf1 ip4:192.0.2.1/24 -all", false, SPF_OPEN }, /* bits behind the prefix */
        { "v=spf1 a -all", false, SPF_OPEN },
        { "v=spf1 a:mx.example.org -all", false, SPF_COVERS },
        { "v=spf1 a:mx.example.org/28 -all", false, SPF_COVERS },
        { "v=spf1 include:other.net -all", false, SPF_OPEN },
        { "v=spf1 include:other.net mx -all", true, SPF_COVERS },
        { "v=spf1 redirect=other.net", false, SPF_OPEN },
        { "v=spf1 exp=why.example.org -all", false, SPF_MISSES },
        { "v=spf1 exists:%{i}.x.org -all", false, SPF_OPEN },
        { "v=spf1 allx -all", false, SPF_OPEN },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct spf_sender sender = { .domain = T("example.org"),
                                     .hostname = T("mx.example.org"),
                                     .is_mx = cases[i].is_mx,
                                     .addresses = addresses,
                                     .address_count = 2 };
        if (records_spf(text_of(cases[i].record), &sender) != cases[i].view)
            fail_msg("%s", cases[i].record);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reverse),
        cmocka_unit_test(test_private),
        cmocka_unit_test(test_is_spf),
        cmocka_unit_test(test_spf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
