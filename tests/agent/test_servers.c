/* test_servers.c - lists of servers: what was written, our own, SRV in its order, habit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "agent/find.h"

#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 2000 };

/* "mail.a.test:465 tls, a.test:110": what people would say. */
static const char *said(const struct servers *list, char out[WORDS_MAX])
{
    struct buffer b = buffer_over(out, WORDS_MAX);
    for (size_t i = 0; i < list->count; i++) {
        const struct server *s = &list->at[i];
        char address[ENDPOINT_TEXT_MAX];
        buffer_printf(&b, "%s%s:%u%s%s", i ? ", " : "", s->host, (unsigned)s->endpoint.port,
                      s->tls_first ? " tls" : "", s->is_foreign ? " foreign" : "");
        if (s->endpoint.family != NET_NONE)
            buffer_printf(&b, " %s", endpoint_print_address(&s->endpoint, address).at);
    }
    buffer_byte(&b, '\0');
    assert_false(b.failed);
    return out;
}

static void test_written(void **state)
{
    (void)state;
    static const struct {
        enum find_service service;
        const char *written, *wanted; /* NULL: refused */
    } cases[] = {
        { FIND_SMTP, "mail.a.test:2525", "mail.a.test:2525" },
        { FIND_SMTP, "mail.a.test:465", "mail.a.test:465 tls" },
        { FIND_POP, "mail.a.test:465", "mail.a.test:465" },
        { FIND_POP, "Mail.A.Test:995", "mail.a.test:995 tls" },
        { FIND_SMTP, "mail.a.test", "mail.a.test:465 tls, mail.a.test:587, mail.a.test:25" },
        { FIND_POP, "mail.a.test", "mail.a.test:995 tls, mail.a.test:110" },
        { FIND_POP, "pop3s://mail.a.test:2995", "mail.a.test:2995 tls" },
        { FIND_POP, "pop3://mail.a.test:995", "mail.a.test:995" },
        { FIND_POP, "POP3S://mail.a.test", "mail.a.test:995 tls" },
        { FIND_SMTP, "submission://mail.a.test", "mail.a.test:587, mail.a.test:25" },
        { FIND_SMTP, "192.0.2.1:25", "192.0.2.1:25 192.0.2.1" },
        { FIND_SMTP, "[2001:db8::1]:587", "2001:db8::1:587 2001:db8::1" },
        { FIND_POP, "2001:db8::1", "2001:db8::1:995 tls 2001:db8::1, 2001:db8::1:110 2001:db8::1" },
        { FIND_POP, "localhost:2110", "localhost:2110" },
        { FIND_SMTP,
          "b\xC3\xBC"
          "cher.example:25",
          "xn--bcher-kva.example:25" },
        { FIND_SMTP, "", NULL },
        { FIND_SMTP, ":25", NULL },
        { FIND_SMTP, "a.test:", NULL },
        { FIND_SMTP, "a.test:0", NULL },
        { FIND_SMTP, "a.test:65536", NULL },
        { FIND_SMTP, "a.test:smtp", NULL },
        { FIND_SMTP, "a test:25", NULL },
        { FIND_SMTP, "a.test\r\nQUIT:25", NULL },
        { FIND_SMTP, "https://a.test", NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct servers list = { .count = 0 };
        struct error e = { 0 };
        char words[WORDS_MAX];
        bool ok = servers_add_written(&list, cases[i].service, text_of(cases[i].written), &e);
        if (ok != (cases[i].wanted != NULL))
            fail_msg("%s: %d %s", cases[i].written, ok, e.words);
        if (ok)
            assert_string_equal(said(&list, words), cases[i].wanted);
        else
            assert_int_equal(e.kind, ERROR_USAGE);
    }
}

static void test_ours(void **state)
{
    (void)state;
    static const char file[] = "hostname = \"mx.a.test\"\n"
                               "data = \"/nowhere\"\n"
                               "domain \"a.test\" { }\n"
                               "listen smtp { address = \"0.0.0.0:25\" }\n"
                               "listen submission { address = {\"0.0.0.0:587\", \"[::]:587\"} }\n"
                               "listen pop3s { address = \"192.0.2.7:995\" }\n";
    struct config *c;
    struct error e = { 0 };
    char words[WORDS_MAX];
    if (!config_read("/etc/g.conf", text_of(file), NULL, &c, &e))
        fail_msg("%s", e.words);
    struct servers list = { .count = 0 };
    servers_add_ours(&list, FIND_SMTP, c, T("b.test"));
    assert_int_equal(list.count, 0);
    servers_add_ours(&list, FIND_SMTP, c, T("a.test"));
    assert_string_equal(said(&list, words), "mx.a.test:587 127.0.0.1, mx.a.test:587 ::1, "
                                            "mx.a.test:25 127.0.0.1");
    list.count = 0;
    servers_add_ours(&list, FIND_POP, c, T("a.test"));
    assert_string_equal(said(&list, words), "mx.a.test:995 tls 192.0.2.7");
    config_free(&c);
}

static struct dns_record srv(uint16_t priority, uint16_t weight, const char *name)
{
    struct dns_record r = { .preference = priority, .weight = weight, .port = 587 };
    snprintf(r.name, sizeof r.name, "%s", name);
    return r;
}

static void test_srv_priorities(void **state)
{
    (void)state;
    struct dns_record records[] = { srv(20, 5, "late.a.test"), srv(10, 0, "first.a.test"),
                                    srv(30, 1, "") };
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct servers list = { .count = 0 };
        struct servers_srv s = { .service = FIND_SMTP, .domain = T("a.test"), .seed = seed };
        char words[WORDS_MAX];
        servers_add_srv(&list, &s, records, 3);
        assert_string_equal(said(&list, words), "first.a.test:587, late.a.test:587");
    }
}

/* RFC 2782: three times the weight, three times as often; no weight hardly ever, but at last. */
static void test_srv_weights(void **state)
{
    (void)state;
    struct dns_record records[] = { srv(1, 10, "one.a.test"), srv(1, 30, "three.a.test"),
                                    srv(1, 0, "none.a.test") };
    enum { ROUNDS = 20000 };
    unsigned one = 0, three = 0, none = 0;
    for (uint64_t i = 1; i <= ROUNDS; i++) {
        struct servers list = { .count = 0 };
        struct servers_srv s = { .service = FIND_SMTP,
                                 .domain = T("a.test"),
                                 .seed = i * UINT64_C(0x9E3779B97F4A7C15) };
        servers_add_srv(&list, &s, records, 3);
        assert_int_equal(list.count, 3);
        one += strcmp(list.at[0].host, "one.a.test") == 0;
        three += strcmp(list.at[0].host, "three.a.test") == 0;
        none += strcmp(list.at[0].host, "none.a.test") == 0;
    }
    assert_int_equal(one + three + none, ROUNDS);
    assert_in_range(three, 2 * one, 4 * one);
    assert_in_range(none, 1, ROUNDS / 20);
}

static void test_srv_foreign(void **state)
{
    (void)state;
    static const struct {
        const char *target;
        bool secure, foreign;
    } cases[] = {
        { "a.test", false, false },      { "mail.a.test", false, false },
        { "MAIL.A.TEST", false, false }, { "mail.b.test", false, true },
        { "nota.test", false, true },    { "a.test.evil.example", false, true },
        { "mail.b.test", true, false },  { "test", false, true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dns_record one = srv(1, 1, cases[i].target);
        struct servers list = { .count = 0 };
        struct servers_srv s = { .domain = T("a.test"), .secure = cases[i].secure };
        servers_add_srv(&list, &s, &one, 1);
        assert_int_equal(list.count, 1);
        if (list.at[0].is_foreign != cases[i].foreign)
            fail_msg("%s", cases[i].target);
    }
}

static void test_denied(void **state)
{
    (void)state;
    struct dns_record no[] = { srv(0, 0, "") }, both[] = { srv(0, 0, ""), srv(1, 1, "a.test") };
    assert_true(servers_are_denied(no, 1));
    assert_false(servers_are_denied(both, 2));
    assert_false(servers_are_denied(no, 0));
}

/* A domain that names more servers than anybody would try. */
static void test_too_many(void **state)
{
    (void)state;
    static struct dns_record records[DNS_RECORDS_MAX];
    for (size_t i = 0; i < DNS_RECORDS_MAX; i++)
        records[i] = srv((uint16_t)i, 1, "a.test");
    struct servers list = { .count = 0 };
    struct servers_srv s = { .domain = T("a.test") };
    servers_add_srv(&list, &s, records, DNS_RECORDS_MAX);
    assert_int_equal(list.count, SERVERS_MAX);
}

static void test_usual(void **state)
{
    (void)state;
    static const struct {
        enum find_service service;
        const char *domain, *wanted;
    } cases[] = {
        { FIND_SMTP, "a.test",
          "mail.a.test:465 tls, mail.a.test:587, mail.a.test:25, smtp.a.test:465 tls, "
          "smtp.a.test:587, smtp.a.test:25, a.test:465 tls, a.test:587, a.test:25" },
        { FIND_POP, "a.test",
          "mail.a.test:995 tls, mail.a.test:110, pop.a.test:995 tls, pop.a.test:110, "
          "pop3.a.test:995 tls, pop3.a.test:110, a.test:995 tls, a.test:110" },
        { FIND_POP, "[192.0.2.1]", "192.0.2.1:995 tls 192.0.2.1, 192.0.2.1:110 192.0.2.1" },
        { FIND_POP, "[IPv6:2001:db8::1]",
          "2001:db8::1:995 tls 2001:db8::1, 2001:db8::1:110 2001:db8::1" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct servers list = { .count = 0 };
        char words[WORDS_MAX];
        servers_add_usual(&list, cases[i].service, text_of(cases[i].domain));
        assert_string_equal(said(&list, words), cases[i].wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written),        cmocka_unit_test(test_ours),
        cmocka_unit_test(test_srv_priorities), cmocka_unit_test(test_srv_weights),
        cmocka_unit_test(test_srv_foreign),    cmocka_unit_test(test_denied),
        cmocka_unit_test(test_too_many),       cmocka_unit_test(test_usual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
