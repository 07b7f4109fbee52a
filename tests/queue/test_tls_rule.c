/* test_tls_rule.c - what TLS with a host has to be like: the whole table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "queue/tls_rule.h"

enum { NEVER = SMTP_CLIENT_TLS_NEVER, OFFERED = SMTP_CLIENT_TLS_IF_OFFERED };
enum { MUST = SMTP_CLIENT_TLS_MUST, SHUNNED = 99 };

static const struct {
    enum relay_tls setting;
    enum dane_finding dane;
    int wish;
    enum tls_verify verify;
} rows[] = {
    { RELAY_TLS_NONE, DANE_NOTHING, NEVER, TLS_VERIFY_NONE },
    { RELAY_TLS_NONE, DANE_USABLE, NEVER, TLS_VERIFY_NONE },
    { RELAY_TLS_NONE, DANE_TROUBLE, NEVER, TLS_VERIFY_NONE },
    { RELAY_TLS_MAY, DANE_NOTHING, OFFERED, TLS_VERIFY_NONE },
    { RELAY_TLS_MAY, DANE_UNUSABLE, MUST, TLS_VERIFY_NONE },
    { RELAY_TLS_MAY, DANE_USABLE, MUST, TLS_VERIFY_DANE },
    { RELAY_TLS_MAY, DANE_TROUBLE, SHUNNED, TLS_VERIFY_NONE },
    { RELAY_TLS_ENCRYPT, DANE_NOTHING, MUST, TLS_VERIFY_NONE },
    { RELAY_TLS_ENCRYPT, DANE_UNUSABLE, MUST, TLS_VERIFY_NONE },
    { RELAY_TLS_ENCRYPT, DANE_USABLE, MUST, TLS_VERIFY_DANE },
    { RELAY_TLS_ENCRYPT, DANE_TROUBLE, SHUNNED, TLS_VERIFY_NONE },
    { RELAY_TLS_VERIFY, DANE_NOTHING, MUST, TLS_VERIFY_NAME },
    { RELAY_TLS_VERIFY, DANE_UNUSABLE, MUST, TLS_VERIFY_NAME },
    { RELAY_TLS_VERIFY, DANE_USABLE, MUST, TLS_VERIFY_DANE },
    { RELAY_TLS_VERIFY, DANE_TROUBLE, SHUNNED, TLS_VERIFY_NONE },
    { RELAY_TLS_DANE, DANE_NOTHING, SHUNNED, TLS_VERIFY_NONE },
    { RELAY_TLS_DANE, DANE_UNUSABLE, SHUNNED, TLS_VERIFY_NONE },
    { RELAY_TLS_DANE, DANE_USABLE, MUST, TLS_VERIFY_DANE },
    { RELAY_TLS_DANE, DANE_TROUBLE, SHUNNED, TLS_VERIFY_NONE },
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tls_rule rule =
            tls_rule_for(&(struct tls_voices){ .setting = rows[i].setting, .dane = rows[i].dane });
        bool good = rows[i].wish == SHUNNED ? rule.refusal != NULL
                                            : !rule.refusal && (int)rule.wish == rows[i].wish &&
                                                  rule.verify == rows[i].verify;
        if (!good)
            fail_msg("row %zu", i);
        assert_int_equal(rule.or_clear, rows[i].wish == OFFERED);
        assert_non_null(rule.by);
    }
}

static const struct {
    enum relay_tls setting;
    enum dane_finding dane;
    enum sts_mode sts;
    bool named;
    int wish;
    enum tls_verify verify;
} policies[] = {
    { RELAY_TLS_MAY, DANE_NOTHING, STS_MODE_ENFORCE, true, MUST, TLS_VERIFY_NAME },
    { RELAY_TLS_MAY, DANE_NOTHING, STS_MODE_ENFORCE, false, SHUNNED, TLS_VERIFY_NONE },
    { RELAY_TLS_MAY, DANE_NOTHING, STS_MODE_TESTING, false, OFFERED, TLS_VERIFY_NONE },
    { RELAY_TLS_MAY, DANE_NOTHING, STS_MODE_NONE, false, OFFERED, TLS_VERIFY_NONE },
    { RELAY_TLS_MAY, DANE_UNUSABLE, STS_MODE_ENFORCE, true, MUST, TLS_VERIFY_NAME },
    { RELAY_TLS_MAY, DANE_USABLE, STS_MODE_ENFORCE, false, MUST, TLS_VERIFY_DANE },
    { RELAY_TLS_MAY, DANE_TROUBLE, STS_MODE_ENFORCE, true, SHUNNED, TLS_VERIFY_NONE },
    { RELAY_TLS_ENCRYPT, DANE_NOTHING, STS_MODE_ENFORCE, true, MUST, TLS_VERIFY_NAME },
    { RELAY_TLS_VERIFY, DANE_NOTHING, STS_MODE_ENFORCE, false, SHUNNED, TLS_VERIFY_NONE },
    { RELAY_TLS_DANE, DANE_NOTHING, STS_MODE_ENFORCE, true, SHUNNED, TLS_VERIFY_NONE },
    { RELAY_TLS_NONE, DANE_NOTHING, STS_MODE_ENFORCE, true, NEVER, TLS_VERIFY_NONE },
};

static void test_policies(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        struct tls_rule rule = tls_rule_for(&(struct tls_voices){
            .setting = policies[i].setting,
            .dane = policies[i].dane,
            .sts = policies[i].sts,
            .sts_names_host = policies[i].named,
        });
        bool good = policies[i].wish == SHUNNED
                        ? rule.refusal != NULL
                        : !rule.refusal && (int)rule.wish == policies[i].wish &&
                              rule.verify == policies[i].verify;
        if (!good)
            fail_msg("row %zu", i);
        assert_int_equal(rule.or_clear, policies[i].wish == OFFERED);
    }
}

static const struct {
    enum tls_need need;
    enum relay_tls setting;
    enum dane_finding dane;
    enum sts_mode sts;
    bool named, vouched;
    int wish;
    enum tls_verify verify;
    bool for_good;
} needs[] = {
#define NO   TLS_NEED_WAIVED
#define MUCH TLS_NEED_REQUIRED
    { MUCH, RELAY_TLS_MAY, DANE_USABLE, STS_MODE_NONE, false, true, MUST, TLS_VERIFY_DANE, false },
    { MUCH, RELAY_TLS_MAY, DANE_NOTHING, STS_MODE_NONE, false, true, MUST, TLS_VERIFY_NAME, false },
    { MUCH, RELAY_TLS_MAY, DANE_UNUSABLE, STS_MODE_NONE, false, true, MUST, TLS_VERIFY_NAME,
      false },
    { MUCH, RELAY_TLS_MAY, DANE_NOTHING, STS_MODE_ENFORCE, true, false, MUST, TLS_VERIFY_NAME,
      false },
    { MUCH, RELAY_TLS_MAY, DANE_TROUBLE, STS_MODE_NONE, false, true, SHUNNED, TLS_VERIFY_NONE,
      false },
    { MUCH, RELAY_TLS_MAY, DANE_NOTHING, STS_MODE_ENFORCE, false, true, SHUNNED, TLS_VERIFY_NONE,
      false },
    { MUCH, RELAY_TLS_MAY, DANE_NOTHING, STS_MODE_TESTING, true, false, SHUNNED, TLS_VERIFY_NONE,
      true },
    { MUCH, RELAY_TLS_MAY, DANE_NOTHING, STS_MODE_NONE, false, false, SHUNNED, TLS_VERIFY_NONE,
      true },
    { MUCH, RELAY_TLS_ENCRYPT, DANE_NOTHING, STS_MODE_NONE, false, true, MUST, TLS_VERIFY_NAME,
      false },
    { MUCH, RELAY_TLS_VERIFY, DANE_NOTHING, STS_MODE_NONE, false, false, SHUNNED, TLS_VERIFY_NONE,
      true },
    { MUCH, RELAY_TLS_DANE, DANE_NOTHING, STS_MODE_ENFORCE, true, true, SHUNNED, TLS_VERIFY_NONE,
      false },
    { MUCH, RELAY_TLS_NONE, DANE_USABLE, STS_MODE_NONE, false, true, SHUNNED, TLS_VERIFY_NONE,
      true },
    { NO, RELAY_TLS_MAY, DANE_NOTHING, STS_MODE_NONE, false, true, OFFERED, TLS_VERIFY_NONE,
      false },
    { NO, RELAY_TLS_MAY, DANE_USABLE, STS_MODE_NONE, false, true, OFFERED, TLS_VERIFY_NONE, false },
    { NO, RELAY_TLS_MAY, DANE_UNUSABLE, STS_MODE_NONE, false, true, OFFERED, TLS_VERIFY_NONE,
      false },
    { NO, RELAY_TLS_MAY, DANE_TROUBLE, STS_MODE_NONE, false, true, OFFERED, TLS_VERIFY_NONE,
      false },
    { NO, RELAY_TLS_MAY, DANE_NOTHING, STS_MODE_ENFORCE, false, false, OFFERED, TLS_VERIFY_NONE,
      false },
    { NO, RELAY_TLS_ENCRYPT, DANE_USABLE, STS_MODE_ENFORCE, true, true, MUST, TLS_VERIFY_NONE,
      false },
    { NO, RELAY_TLS_VERIFY, DANE_USABLE, STS_MODE_NONE, false, true, MUST, TLS_VERIFY_NAME, false },
    { NO, RELAY_TLS_DANE, DANE_USABLE, STS_MODE_NONE, false, true, MUST, TLS_VERIFY_DANE, false },
    { NO, RELAY_TLS_DANE, DANE_NOTHING, STS_MODE_NONE, false, true, SHUNNED, TLS_VERIFY_NONE,
      false },
    { NO, RELAY_TLS_NONE, DANE_USABLE, STS_MODE_NONE, false, true, NEVER, TLS_VERIFY_NONE, false },
};

static void test_needs(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
        struct tls_rule rule = tls_rule_for(&(struct tls_voices){
            .setting = needs[i].setting,
            .dane = needs[i].dane,
            .validated = true,
            .sts = needs[i].sts,
            .sts_names_host = needs[i].named,
            .need = needs[i].need,
            .is_vouched_for = needs[i].vouched,
        });
        bool good = needs[i].wish == SHUNNED ? rule.refusal != NULL
                                             : !rule.refusal && (int)rule.wish == needs[i].wish &&
                                                   rule.verify == needs[i].verify;
        if (!good || rule.is_for_good != needs[i].for_good)
            fail_msg("row %zu", i);
        assert_int_equal(rule.or_clear, needs[i].wish == OFFERED);
    }
}

/* Where TLS begins with the connection there is nothing to fall back to. */
static void test_tls_first(void **state)
{
    (void)state;
    static const struct {
        enum relay_tls setting;
        enum tls_need need;
        int wish;
        enum tls_verify verify;
    } firsts[] = {
        { RELAY_TLS_NONE, TLS_NEED_NONE, NEVER, TLS_VERIFY_NONE },
        { RELAY_TLS_MAY, TLS_NEED_NONE, MUST, TLS_VERIFY_NONE },
        { RELAY_TLS_MAY, TLS_NEED_WAIVED, MUST, TLS_VERIFY_NONE },
        { RELAY_TLS_MAY, TLS_NEED_REQUIRED, MUST, TLS_VERIFY_NAME },
        { RELAY_TLS_ENCRYPT, TLS_NEED_NONE, MUST, TLS_VERIFY_NONE },
        { RELAY_TLS_VERIFY, TLS_NEED_NONE, MUST, TLS_VERIFY_NAME },
    };
    for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
        struct tls_rule rule = tls_rule_for(&(struct tls_voices){ .setting = firsts[i].setting,
                                                                  .need = firsts[i].need,
                                                                  .is_vouched_for = true,
                                                                  .tls_first = true });
        assert_null(rule.refusal);
        assert_int_equal(rule.wish, firsts[i].wish);
        assert_int_equal(rule.verify, firsts[i].verify);
        assert_false(rule.or_clear);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows),
                                        cmocka_unit_test(test_policies),
                                        cmocka_unit_test(test_needs),
                                        cmocka_unit_test(test_tls_first) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
