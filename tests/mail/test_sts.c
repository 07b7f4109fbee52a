/* test_sts.c - MTA-STS: which record is the one, what a policy says, whom it names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "mail/sts.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *records[3];
    const char *id; /* NULL: none */
} records[] = {
    { { "v=STSv1; id=20160831085700Z;" }, "20160831085700Z" },
    { { "v=STSv1;id=a" }, "a" },
    { { "v=STSv1 ; id=a ;" }, "a" },
    { { "v=STSv1; new=x; id=a; id=b" }, "a" },
    { { "v=spf1 -all", "v=STSv1; id=7;", "words" }, "7" },
    { { "v=STSv10; id=1;", "v=STSv1; id=7;" }, "7" },
    { { "v=STSv1; id=12345678901234567890123456789012;" }, "12345678901234567890123456789012" },
    { { "v=STSv1; id=123456789012345678901234567890123;" }, NULL },
    { { "v=STSv1; id=1;", "v=STSv1; id=1;" }, NULL },
    { { "v=STSv1;" }, NULL },
    { { "v=STSv1" }, NULL },
    { { "v=STSv1; id=;" }, NULL },
    { { "v=STSv1; id=a-b;" }, NULL },
    { { "v=stsv1; id=a;" }, NULL },
    { { " v=STSv1; id=a;" }, NULL },
    { { "" }, NULL },
    { { NULL }, NULL },
};

static void test_records(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        struct text given[3], id;
        size_t count = 0;
        while (count < 3 && records[i].records[count]) {
            given[count] = text_of(records[i].records[count]);
            count++;
        }
        bool found = sts_choose_record(given, count, &id);
        if (found != (records[i].id != NULL) || (found && !text_equal(id, text_of(records[i].id))))
            fail_msg("case %zu", i);
    }
}

#define HEAD "version: STSv1\nmode: enforce\nmax_age: 86400\n"

/* What it says as "mode age patterns...", or a part of why it is none. */
static const struct {
    const char *words, *want;
} policies[] = {
    { HEAD "mx: mail.example.com\n", "enforce 86400 mail.example.com" },
    { "version: STSv1\r\nmode: testing\r\nmx: mx1.example.com\r\nmx: *.example.net\r\n"
      "max_age: 604800\r\n",
      "testing 604800 mx1.example.com *.example.net" },
    { "version:STSv1\nmode:none\nmax_age:0", "none 0" },
    { HEAD "mx: a.test\nmode: none\nmax_age: 1\nversion: STSv2\n", "enforce 86400 a.test" },
    { HEAD "mx: a.test\nnew_thing: x y z: w\n\n", "enforce 86400 a.test" },
    { HEAD "  mx:   a.test  \n", "enforce 86400 a.test" },
    { "max_age: 9999999999\nversion: STSv1\nmode: none\n", "none 31557600" },
    { HEAD, "no mx" },
    { "mode: none\nmax_age: 1\n", "no version" },
    { "version: STSv1\nmax_age: 1\n", "no mode" },
    { "version: STSv1\nmode: none\n", "no max_age" },
    { "version: STSv2\nmode: none\nmax_age: 1\n", "not STSv1" },
    { "version: STSv1\nmode: Enforce\nmax_age: 1\n", "none of enforce" },
    { "version: STSv1\nmode: none\nmax_age: -1\n", "no number" },
    { "version: STSv1\nmode: none\nmax_age: 99999999999999999999\n", "no number" },
    { HEAD "mx: \n", "no host name" },
    { HEAD "mx: *.\n", "no host name" },
    { HEAD "mx: a..b\n", "no host name" },
    { HEAD "mx: a.*.b\n", "no host name" },
    { HEAD "mx: a b\n", "no host name" },
    { "<html>\n", "no \"name: value\"" },
    { "", "no version" },
};

static void print(const struct sts_policy *p, char *out, size_t room)
{
    size_t len = (size_t)snprintf(out, room, "%s %u", sts_mode_name(p->mode), p->age_s);
    for (size_t i = 0; i < p->pattern_count; i++)
        len += (size_t)snprintf(out + len, room - len, " %.*s", TEXT_ARGS(p->patterns[i]));
}

static void test_policies(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        struct sts_policy p;
        char got[300] = "";
        const char *why = sts_read_policy(text_of(policies[i].words), &p);
        if (why ? !strstr(why, policies[i].want)
                : (print(&p, got, sizeof got), strcmp(got, policies[i].want) != 0))
            fail_msg("case %zu: %s", i, why ? why : got);
    }
}

static void test_too_much(void **state)
{
    (void)state;
    static char words[STS_POLICY_MAX + 2];
    struct sts_policy p;
    size_t len = (size_t)snprintf(words, sizeof words, "%s", HEAD);
    for (int i = 0; i < STS_PATTERNS_MAX; i++)
        len += (size_t)snprintf(words + len, sizeof words - len, "mx: h%d.test\n", i);
    assert_null(sts_read_policy((struct text){ words, len }, &p));
    assert_int_equal(p.pattern_count, STS_PATTERNS_MAX);
    len += (size_t)snprintf(words + len, sizeof words - len, "mx: one.more\n");
    assert_non_null(sts_read_policy((struct text){ words, len }, &p));
    memset(words, '\n', sizeof words);
    assert_non_null(sts_read_policy((struct text){ words, STS_POLICY_MAX + 1 }, &p));
}

static void test_hosts(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        bool named;
    } cases[] = {
        { "mail.example.com", true },      { "MAIL.example.com", true },
        { "www.mail.example.com", false }, { "example.com", false },
        { "a.example.net", true },         { "a.b.example.net", false },
        { "example.net", false },          { ".example.net", false },
        { "aexample.net", false },         { "", false },
    };
    struct sts_policy p;
    assert_null(sts_read_policy(T(HEAD "mx: mail.example.com\nmx: *.Example.net\n"), &p));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (sts_names_host(&p, text_of(cases[i].host)) != cases[i].named)
            fail_msg("%s", cases[i].host);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_records),
                                        cmocka_unit_test(test_policies),
                                        cmocka_unit_test(test_too_much),
                                        cmocka_unit_test(test_hosts) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
