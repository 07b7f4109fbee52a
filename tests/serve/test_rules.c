/* test_rules.c - the named rules about strangers: what breaks them, and what is said then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "serve/rules.h"

#include <string.h>

static const struct config_domain domains[] = { { .name = TEXT("example.org") } };
static const struct config every_rule = {
    .hostname = TEXT("mx.example.org"),
    .domains = domains,
    .domain_count = 1,
    .helo_name = RULE_REJECT,
    .helo_ours = RULE_DEFER,
    .reverse_dns = RULE_REJECT,
};

static struct endpoint address(const char *words)
{
    struct endpoint e;
    assert_true(endpoint_parse_address(text_of(words), &e));
    return e;
}

/* "reject 550 5.7.1 rule helo_name: ...;" for each finding. */
static void note(void *owner, const struct rule_finding *f)
{
    static const char *const actions[] = { "off", "warn", "defer", "reject" };
    assert_int_equal(f->answer.verdict, f->action == RULE_REJECT ? SMTP_REJECT : SMTP_DEFER);
    buffer_printf(owner, "%s %u %s %.*s;", actions[f->action], f->answer.code, f->answer.status,
                  TEXT_ARGS(f->answer.words));
}

static void assert_finds(const struct rule_facts *facts, const char *wanted)
{
    struct buffer found;
    buffer_init(&found, 4096);
    rules_judge(facts, note, &found);
    buffer_byte(&found, 0);
    assert_string_equal((const char *)found.at, wanted);
    buffer_clear(&found);
}

static struct rule_facts facts_of(const char *hello)
{
    return (struct rule_facts){ .config = &every_rule,
                                .hello = text_of(hello),
                                .peer = address("192.0.2.1"),
                                .local = address("198.51.100.1"),
                                .reverse = REVERSE_CONFIRMED };
}

static void test_helo(void **state)
{
#define NAME(hello) "reject 550 5.7.1 rule helo_name: " hello " is no full host name to greet with;"
#define OURS(hello) "defer 450 4.7.1 rule helo_ours: " hello " is our own name;"
    static const struct {
        const char *hello, *wanted;
    } rows[] = {
        { "client.example.net", "" },
        { "Client.Example.NET.", "" },
        { "xn--bcher-kva.example", "" },
        { "under_score.example.net", "" },
        { "[203.0.113.5]", "" },
        { "[IPv6:2001:db8::1]", "" },
        { "client", NAME("client") },
        { "localhost", NAME("localhost") },
        { "203.0.113.5", NAME("203.0.113.5") },
        { "[203.0.113]", NAME("[203.0.113]") },
        { "-.-", NAME("-.-") },
        { "mx.example.org", OURS("mx.example.org") },
        { "MX.EXAMPLE.ORG.", OURS("MX.EXAMPLE.ORG.") },
        { "example.org", OURS("example.org") },
        { "[198.51.100.1]", OURS("[198.51.100.1]") },
        { "198.51.100.1", NAME("198.51.100.1") OURS("198.51.100.1") },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rule_facts facts = facts_of(rows[i].hello);
        assert_finds(&facts, rows[i].wanted);
    }
}

static void test_reverse(void **state)
{
    static const struct {
        enum reverse reverse;
        const char *wanted;
    } rows[] = {
        { REVERSE_UNKNOWN, "" },
        { REVERSE_CONFIRMED, "" },
        { REVERSE_MISSING,
          "reject 550 5.7.25 rule reverse_dns: 192.0.2.1 has no name in the DNS (PTR);" },
        { REVERSE_UNCONFIRMED, "reject 550 5.7.25 rule reverse_dns: the name of 192.0.2.1 in the "
                               "DNS does not have this address;" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rule_facts facts = facts_of("client.example.net");
        facts.reverse = rows[i].reverse;
        assert_finds(&facts, rows[i].wanted);
    }
}

static void test_actions(void **state)
{
    struct config config = every_rule;
    struct rule_facts facts = facts_of("client");
    (void)state;
    facts.config = &config;
    config.helo_name = RULE_OFF;
    assert_finds(&facts, "");
    config.helo_name = RULE_WARN;
    assert_finds(&facts, "warn 450 4.7.1 rule helo_name: client is no full host name to greet "
                         "with;");
    config.helo_name = RULE_DEFER;
    assert_finds(&facts, "defer 450 4.7.1 rule helo_name: client is no full host name to greet "
                         "with;");
}

static void test_blocklists(void **state)
{
    static const struct rule_listing listings[] = {
        { .zone = "a.example", .action = RULE_REJECT, .listed = true, .words = "see a.example" },
        { .zone = "b.example", .action = RULE_REJECT },
        { .zone = "c.example", .action = RULE_WARN, .listed = true },
        { .zone = "d.example", .action = RULE_OFF, .listed = true },
    };
    struct rule_facts facts = facts_of("client.example.net");
    (void)state;
    facts.listings = listings;
    facts.listing_count = 4;
    assert_finds(&facts, "reject 550 5.7.1 rule blocklist: 192.0.2.1 is listed by a.example: see "
                         "a.example;warn 450 4.7.1 rule blocklist: 192.0.2.1 is listed by "
                         "c.example;");
}

/* However long the words are: they come from outside. */
static void test_long_words(void **state)
{
    struct rule_listing listing = { .action = RULE_REJECT, .listed = true };
    char hello[256];
    (void)state;
    memset(hello, 'h', sizeof hello - 1);
    hello[sizeof hello - 1] = 0;
    memset(listing.zone, 'z', sizeof listing.zone - 1);
    memset(listing.words, 'w', sizeof listing.words - 1);
    struct rule_facts facts = facts_of(hello);
    facts.listings = &listing;
    facts.listing_count = 1;
    struct buffer found;
    buffer_init(&found, 4096);
    rules_judge(&facts, note, &found);
    assert_true(found.len > 300 && found.len < 1000);
    buffer_clear(&found);
}

static void test_names(void **state)
{
    static const char longest[] =
        "a23456789.b23456789.c23456789.d23456789.e23456789.f23456789.g23456789.h23456789."
        "i23456789.j23456789.k23456789.l23456789.m23456789.n23456789.o23456789.p23456789."
        "q23456789.r23456789.s23456789";
    char name[RULE_ZONE_MAX];
    struct endpoint four = address("192.0.2.1"), six = address("2001:db8::567:89ab");
    (void)state;
    assert_true(rules_reverse_name(&four, T("list.example"), name));
    assert_string_equal(name, "1.2.0.192.list.example");
    assert_true(rules_reverse_name(&six, T("ip6.arpa"), name));
    assert_string_equal(name, "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2."
                              "ip6.arpa");
    assert_true(rules_reverse_name(&six, T(longest), name));
    assert_false(rules_reverse_name(&six,
                                    T("1234567890."
                                      "1"
                                      "1"
                                      ".a23456789.b23456789.c23456789.d23456789.e23456789."
                                      "f23456789.g23456789.h23456789.i23456789.j23456789."
                                      "k23456789.l23456789.m23456789.n23456789.o23456789."
                                      "p23456789.q23456789.r23456789"),
                                    name));
}

static void test_answers(void **state)
{
    static const struct {
        const char *answer;
        bool listed;
    } rows[] = {
        { "127.0.0.2", true },  { "127.0.0.255", true },    { "127.0.0.1", false },
        { "127.0.0.0", false }, { "127.0.1.2", false },     { "127.255.255.254", false },
        { "192.0.2.1", false }, { "127.255.255.2", false }, { "::1", false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct endpoint e = address(rows[i].answer);
        assert_int_equal(rules_is_listed(&e), rows[i].listed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_helo),       cmocka_unit_test(test_reverse),
        cmocka_unit_test(test_actions),    cmocka_unit_test(test_blocklists),
        cmocka_unit_test(test_long_words), cmocka_unit_test(test_names),
        cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
