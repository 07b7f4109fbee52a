/* test_route.c - where a domain's mail goes next, and what is us. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "queue/route.h"

#include <idn2.h>
#include <stdio.h>
#include <string.h>

static bool memory_is_short;

int __real_idn2_lookup_u8(const uint8_t *, uint8_t **, int);
int __wrap_idn2_lookup_u8(const uint8_t *, uint8_t **, int);
int __wrap_idn2_lookup_u8(const uint8_t *name, uint8_t **out, int flags)
{
    return memory_is_short ? IDN2_MALLOC : __real_idn2_lookup_u8(name, out, flags);
}

static struct config *read_config(const char *relay)
{
    char file[2000];
    struct config *c;
    struct error e = { 0 };
    snprintf(file, sizeof file,
             "hostname = \"mx.example.org\"\n"
             "data = \"/nowhere\"\n"
             "domain \"example.org\" { }\n"
             "domain \"b\xC3\xBC"
             "cher.example\" { }\n"
             "%s\n",
             relay);
    if (!config_read("/etc/g.conf", text_of(file), NULL, &c, &e))
        fail_msg("%s", e.words);
    return c;
}

static void check_endpoint(const struct route *r, const char *wanted)
{
    char words[ENDPOINT_TEXT_MAX];
    assert_int_equal(r->has_endpoint, wanted[0] != 0);
    if (r->has_endpoint)
        assert_string_equal(endpoint_print(&r->endpoint, words).at, wanted);
}

static void test_first_step(void **state)
{
    (void)state;
#define NOTHING ""
#define SMART   "relay { smarthost = \"Smart.Example.NET:587\" }"
#define ROUTES                                                                                     \
    "relay { port = 2525  smarthost = \"smart.example.net\"\n"                                     \
    "route \"gmail.com\" { host = \"127.0.0.1:2125\" }\n"                                          \
    "route \"v6.example\" { host = \"[2001:db8::1]:26\" }\n"                                       \
    "route \"bare.example\" { host = \"2001:db8::2\" }\n"                                          \
    "route \"name.example\" { host = \"B\xC3\xBC"                                                  \
    "cher.Example.\" }\n"                                                                          \
    "route \"example.org\" { host = \"never.example\" } }"
    static const struct {
        const char *relay, *domain;
        enum route_kind kind;
        const char *host;
        uint16_t port;
        const char *endpoint;
    } cases[] = {
        { NOTHING, "example.org", ROUTE_LOCAL, "example.org", 25, "" },
        { NOTHING, "xn--bcher-kva.example", ROUTE_LOCAL, "xn--bcher-kva.example", 25, "" },
        { NOTHING, "sub.example.org", ROUTE_MX, "sub.example.org", 25, "" },
        { NOTHING, "mx.example.org", ROUTE_MX, "mx.example.org", 25, "" },
        { NOTHING, "[192.0.2.1]", ROUTE_LITERAL, "192.0.2.1", 25, "192.0.2.1:25" },
        { NOTHING, "[IPv6:2001:db8::1]", ROUTE_LITERAL, "2001:db8::1", 25, "[2001:db8::1]:25" },
        { "relay { port = 2525 }", "a.test", ROUTE_MX, "a.test", 2525, "" },
        { "relay { port = 2525 }", "[192.0.2.1]", ROUTE_LITERAL, "192.0.2.1", 2525,
          "192.0.2.1:2525" },
        { SMART, "example.org", ROUTE_LOCAL, "example.org", 25, "" },
        { SMART, "a.test", ROUTE_HOST, "smart.example.net", 587, "" },
        { SMART, "[192.0.2.1]", ROUTE_HOST, "smart.example.net", 587, "" },
        { ROUTES, "a.test", ROUTE_HOST, "smart.example.net", 25, "" },
        { ROUTES, "gmail.com", ROUTE_HOST, "127.0.0.1", 2125, "127.0.0.1:2125" },
        { ROUTES, "mail.gmail.com", ROUTE_HOST, "smart.example.net", 25, "" },
        { ROUTES, "v6.example", ROUTE_HOST, "2001:db8::1", 26, "[2001:db8::1]:26" },
        { ROUTES, "bare.example", ROUTE_HOST, "2001:db8::2", 25, "[2001:db8::2]:25" },
        { ROUTES, "name.example", ROUTE_HOST, "xn--bcher-kva.example", 25, "" },
        { ROUTES, "example.org", ROUTE_LOCAL, "example.org", 2525, "" },
        { "relay { smarthost = \"192.0.2.9\" }", "a.test", ROUTE_HOST, "192.0.2.9", 25,
          "192.0.2.9:25" },
        { "relay { smarthost = \"[::ffff:192.0.2.9]:2525\" }", "a.test", ROUTE_HOST, "192.0.2.9",
          2525, "192.0.2.9:2525" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config *c = read_config(cases[i].relay);
        struct route r;
        route_for(c, text_of(cases[i].domain), &r);
        if (r.kind != cases[i].kind)
            fail_msg("%s: kind %d", cases[i].domain, r.kind);
        assert_string_equal(r.host, cases[i].host);
        assert_int_equal(r.port, cases[i].port);
        check_endpoint(&r, cases[i].endpoint);
        config_free(&c);
    }
}

/* Who logs in where, on which port, and what is wanted of TLS. */
static void test_logins(void **state)
{
    (void)state;
#define JOE  " user = joe password = x"
#define TWO  "route two.test { host = smart.test user = ann password = y } "
#define SAME "route same.test { host = smart.test user = joe password = z } "
    static const struct {
        const char *relay, *domain, *user, *password; /* NULL: no login */
        uint16_t port;
        enum relay_tls tls;
    } cases[] = {
        { "smarthost = smart.test", "a.test", "", NULL, 25, RELAY_TLS_MAY },
        { "smarthost = smart.test" JOE, "a.test", "joe", "x", 587, RELAY_TLS_VERIFY },
        { "smarthost = 'smart.test:26'" JOE, "a.test", "joe", "x", 26, RELAY_TLS_VERIFY },
        { "smarthost = '192.0.2.1'" JOE, "a.test", "joe", "x", 587, RELAY_TLS_VERIFY },
        { "smarthost = '192.0.2.1:26'" JOE, "a.test", "joe", "x", 26, RELAY_TLS_VERIFY },
        { "smarthost = smart.test tls = encrypt" JOE, "a.test", "joe", "x", 587,
          RELAY_TLS_ENCRYPT },
        { "smarthost = smart.test tls = may" JOE, "a.test", "joe", "x", 587, RELAY_TLS_MAY },
        { "smarthost = '127.0.0.9:26'" JOE, "a.test", "joe", "x", 26, RELAY_TLS_MAY },
        { "smarthost = localhost" JOE, "a.test", "joe", "x", 587, RELAY_TLS_MAY },
        { "smarthost = smart.test " TWO JOE, "two.test", "ann", "y", 587, RELAY_TLS_VERIFY },
        { "smarthost = smart.test " TWO JOE, "a.test", "joe", "x", 587, RELAY_TLS_VERIFY },
        { "smarthost = smart.test " TWO, "a.test", "", NULL, 25, RELAY_TLS_MAY },
        /* One name, one password: the smarthost's. */
        { "smarthost = smart.test " SAME JOE, "same.test", "joe", "x", 587, RELAY_TLS_VERIFY },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char relay[300];
        struct route r;
        snprintf(relay, sizeof relay, "relay { %s }", cases[i].relay);
        struct config *c = read_config(relay);
        route_for(c, text_of(cases[i].domain), &r);
        assert_int_equal(r.kind, ROUTE_HOST);
        assert_string_equal(r.user, cases[i].user);
        assert_int_equal(r.port, cases[i].port);
        assert_int_equal(r.tls, cases[i].tls);
        const struct config_login *login = route_login(c, &r);
        if (cases[i].password)
            assert_true(text_equal(login->password, text_of(cases[i].password)));
        snprintf(r.user, sizeof r.user, "somebody else"); /* as it was before a reload */
        assert_null(route_login(c, &r));
        config_free(&c);
    }
}

/* RFC 8314: port 465 is for TLS from the first octet, unless the operator says otherwise. */
static void test_when_tls_begins(void **state)
{
    (void)state;
    static const struct {
        const char *relay, *domain;
        bool tls_first;
    } cases[] = {
        { "smarthost = smart.test", "a.test", false },
        { "smarthost = 'smart.test:465'", "a.test", true },
        { "smarthost = '[2001:db8::1]:465'", "a.test", true },
        { "smarthost = 'smart.test:465' tls_begins = starttls", "a.test", false },
        { "smarthost = 'smart.test:2465'", "a.test", false },
        { "smarthost = 'smart.test:2465' tls_begins = connect", "a.test", true },
        { "smarthost = 'smart.test:465' route b.test { host = 'b.test:25' }", "b.test", false },
        { "route b.test { host = 'b.test:465' }", "b.test", true },
        { "route b.test { host = 'b.test:465' tls_begins = starttls }", "b.test", false },
        { "route b.test { host = 'b.test' tls_begins = connect }", "b.test", true },
        /* MX hosts know STARTTLS only. */
        { "port = 465", "a.test", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char relay[300];
        struct route r;
        snprintf(relay, sizeof relay, "relay { %s }", cases[i].relay);
        struct config *c = read_config(relay);
        route_for(c, text_of(cases[i].domain), &r);
        assert_int_equal(r.tls_first, cases[i].tls_first);
        config_free(&c);
    }
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        struct route route;
        const char *name;
    } cases[] = {
        { { .kind = ROUTE_MX, .host = "b.test", .port = 25 }, "b.test" },
        { { .kind = ROUTE_HOST, .host = "b.test", .port = 25 }, "b.test:25" },
        { { .kind = ROUTE_HOST, .host = "192.0.2.1", .port = 587 }, "192.0.2.1:587" },
        { { .kind = ROUTE_HOST, .host = "b.test", .port = 587, .user = "joe@b.test" },
          "b.test:587 as joe@b.test" },
        { { .kind = ROUTE_HOST,
            .host = "b.test",
            .port = 465,
            .user = "joe",
            .tls = RELAY_TLS_VERIFY,
            .tls_first = true },
          "b.test:465 over TLS as joe" },
        { { .kind = ROUTE_HOST, .host = "b.test", .port = 465, .tls_first = true }, "b.test:465" },
        { { .kind = ROUTE_LITERAL, .host = "192.0.2.1", .port = 25 }, "[192.0.2.1]" },
        { { .kind = ROUTE_LOCAL, .host = "a.test", .port = 25 }, "a.test (here)" },
        { { .kind = ROUTE_MX, .host = "b.test", .need = TLS_NEED_REQUIRED },
          "b.test with REQUIRETLS" },
        { { .kind = ROUTE_MX,
            .host = "b.test",
            .own_tls = true,
            .tls = RELAY_TLS_VERIFY,
            .need = TLS_NEED_WAIVED },
          "b.test with TLS-Required: No" },
        { { .kind = ROUTE_HOST,
            .host = "b.test",
            .port = 25,
            .own_tls = true,
            .tls = RELAY_TLS_VERIFY,
            .need = TLS_NEED_REQUIRED },
          "b.test:25 with tls = verify and REQUIRETLS" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[ROUTE_TEXT_MAX];
        assert_true(text_equal(route_print(&cases[i].route, name), text_of(cases[i].name)));
    }
}

/* What rows are queued under says what their mail needs, and leads to a hop of its own. */
static void test_needs(void **state)
{
    (void)state;
    static const struct {
        const char *relay, *name, *host;
        enum tls_need need;
        const char *hop;
    } cases[] = {
        { NOTHING, "a.test", "a.test", TLS_NEED_NONE, "a.test" },
        { NOTHING, "a.test requiretls", "a.test", TLS_NEED_REQUIRED, "a.test with REQUIRETLS" },
        { NOTHING, "a.test tls-required=no", "a.test", TLS_NEED_WAIVED,
          "a.test with TLS-Required: No" },
        { NOTHING, "a.test something", "a.test", TLS_NEED_NONE, "a.test" },
        { NOTHING, "[192.0.2.1] requiretls", "192.0.2.1", TLS_NEED_REQUIRED,
          "[192.0.2.1] with REQUIRETLS" },
        /* nothing leaves this machine */
        { NOTHING, "example.org requiretls", "example.org", TLS_NEED_NONE, "example.org (here)" },
        { SMART, "a.test requiretls", "smart.example.net", TLS_NEED_REQUIRED,
          "smart.example.net:587 with REQUIRETLS" },
        { ROUTES, "gmail.com tls-required=no", "127.0.0.1", TLS_NEED_WAIVED,
          "127.0.0.1:2125 with TLS-Required: No" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config *c = read_config(cases[i].relay);
        char words[ROUTE_TEXT_MAX];
        struct route r;
        route_for(c, text_of(cases[i].name), &r);
        assert_string_equal(r.host, cases[i].host);
        assert_int_equal(r.need, cases[i].need);
        assert_true(text_equal(route_print(&r, words), text_of(cases[i].hop)));
        config_free(&c);
    }
}

static void test_need_names(void **state)
{
    (void)state;
    struct arena memory;
    arena_init(&memory, 4096);
    for (int need = TLS_NEED_NONE; need <= TLS_NEED_WAIVED; need++) {
        struct text name;
        assert_true(tls_need_name(T("a.test"), (enum tls_need)need, &memory, &name));
        assert_int_equal(tls_need_take(&name), need);
        assert_true(text_equal(name, T("a.test")));
    }
    arena_reset(&memory);
}

static void test_short_memory(void **state)
{
    (void)state;
    struct config *c = read_config("relay { smarthost = \"b\xC3\xBC"
                                   "cher.example\" }");
    struct route r;
    memory_is_short = true;
    route_for(c, T("a.test"), &r);
    memory_is_short = false;
    assert_int_equal(r.kind, ROUTE_TROUBLE);
    config_free(&c);
}

/* An answer in words: "10 a, 20 b"; a lone number is the root. */
static size_t read_answer(const char *words, struct route_mx *out)
{
    struct text rest = text_of(words), one, number;
    size_t count = 0;
    while (rest.len) {
        text_cut(&rest, ',', &one);
        uint64_t preference = 0;
        assert_true(text_word(&one, &number) && text_to_u64(number, &preference));
        out[count++] = (struct route_mx){ (uint16_t)preference, text_trim(one) };
    }
    return count;
}

static void hosts_are(const struct route_hosts *h, const char *wanted)
{
    char got[1000] = "";
    for (size_t i = 0; i < h->count; i++) {
        size_t used = strlen(got);
        snprintf(got + used, sizeof got - used, "%s%.*s", i ? " " : "", TEXT_ARGS(h->at[i].name));
    }
    assert_string_equal(got, wanted);
}

static void test_order(void **state)
{
    (void)state;
    static const struct {
        const char *domain, *mx;
        enum route_verdict verdict;
        const char *hosts;
    } cases[] = {
        { "a.test", "10 mx.a.test", ROUTE_HOSTS, "mx.a.test" },
        { "a.test", "30 c, 10 a, 20 b", ROUTE_HOSTS, "a b c" },
        { "a.test", "65535 z, 0 a", ROUTE_HOSTS, "a z" },
        { "a.test", "20 a, 10 A, 30 a", ROUTE_HOSTS, "A" },
        { "a.test", "10 a, 20 b, 30 a", ROUTE_HOSTS, "a b" },
        { "a.test", "30 b, 20 a, 10 b", ROUTE_HOSTS, "b a" },
        /* No MX. */
        { "a.test", "", ROUTE_IMPLICIT, "a.test" },
        { "mx.example.org", "", ROUTE_LOOP, "" },
        /* Null MX (RFC 7505), alone and beside others. */
        { "a.test", "0", ROUTE_NULL_MX, "" },
        { "a.test", "10", ROUTE_NULL_MX, "" },
        { "a.test", "0, 0", ROUTE_NULL_MX, "" },
        { "a.test", "0, 10 a", ROUTE_HOSTS, "a" },
        { "a.test", "0, 10 mx.example.org", ROUTE_LOOP, "" },
        /* Ours, and what is not better. */
        { "a.test", "10 mx.example.org", ROUTE_LOOP, "" },
        { "a.test", "10 MX.Example.ORG.", ROUTE_LOOP, "" },
        { "a.test", "10 mx.example.org, 10 a, 20 b", ROUTE_LOOP, "" },
        { "a.test", "10 a, 20 mx.example.org, 20 b, 30 c", ROUTE_HOSTS, "a" },
        { "a.test", "10 a, 20 b, 30 mx.example.org", ROUTE_HOSTS, "a b" },
        { "a.test", "30 mx.example.org, 10 a, 20 mx.example.org, 20 b", ROUTE_HOSTS, "a" },
        { "a.test", "10 a, 20 smx.example.org", ROUTE_HOSTS, "a smx.example.org" },
    };
    struct config *c = read_config("");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (uint64_t seed = 0; seed < 20; seed++) {
            struct route_mx mx[10];
            struct route_answer answer = { text_of(cases[i].domain), mx,
                                           read_answer(cases[i].mx, mx) };
            struct route_hosts hosts;
            enum route_verdict verdict = route_order(c, &answer, seed, &hosts);
            if (verdict != cases[i].verdict)
                fail_msg("%s: verdict %d", cases[i].mx, verdict);
            hosts_are(&hosts, cases[i].hosts);
        }
    config_free(&c);
}

static void test_equals_take_turns(void **state)
{
    (void)state;
    struct config *c = read_config("");
    struct route_mx mx[4];
    struct route_answer answer = { T("a.test"), mx, read_answer("10 a, 10 b, 10 c, 5 d", mx) };
    unsigned first[3] = { 0 };
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct route_hosts hosts, again;
        assert_int_equal(route_order(c, &answer, seed, &hosts), ROUTE_HOSTS);
        assert_int_equal(route_order(c, &answer, seed, &again), ROUTE_HOSTS);
        assert_int_equal(hosts.count, 4);
        assert_true(text_equal(hosts.at[0].name, T("d")));
        first[hosts.at[1].name.at[0] - 'a']++;
        for (size_t i = 0; i < 4; i++)
            assert_true(text_equal(hosts.at[i].name, again.at[i].name));
    }
    for (size_t i = 0; i < 3; i++)
        assert_in_range(first[i], 850, 1150);
    config_free(&c);
}

/* 200 hosts: the best twenty, whatever the order they came in. */
static void test_many(void **state)
{
    (void)state;
    enum { MANY = 200 };
    struct config *c = read_config("");
    char names[MANY][8];
    struct route_mx mx[MANY];
    for (unsigned stride = 1; stride < MANY; stride += 2) {
        if (stride % 5 == 0)
            continue; /* does not reach all of them */
        for (unsigned i = 0; i < MANY; i++) {
            unsigned preference = i * stride % MANY;
            snprintf(names[i], sizeof names[i], "h%u", preference);
            mx[i] = (struct route_mx){ (uint16_t)preference, text_of(names[i]) };
        }
        struct route_answer answer = { T("a.test"), mx, MANY };
        struct route_hosts hosts;
        assert_int_equal(route_order(c, &answer, 1, &hosts), ROUTE_HOSTS);
        assert_int_equal(hosts.count, ROUTE_HOSTS_MAX);
        for (unsigned i = 0; i + 1 < ROUTE_HOSTS_MAX; i++)
            assert_true(hosts.at[i].preference < hosts.at[i + 1].preference);
        assert_int_equal(hosts.at[ROUTE_HOSTS_MAX - 1].preference, ROUTE_HOSTS_MAX - 1);
    }
    config_free(&c);
}

static void test_drop(void **state)
{
    (void)state;
    static const struct {
        size_t index;
        bool left;
        const char *hosts;
    } cases[] = {
        { 0, false, "" },
        { 1, true, "a" },
        { 2, true, "a" },
        { 3, true, "a b c" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct route_hosts h = { .count = read_answer("10 a, 20 b, 20 c, 30 d", h.at) };
        assert_int_equal(route_drop(&h, cases[i].index), cases[i].left);
        hosts_are(&h, cases[i].hosts);
    }
}

static void test_our_name(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool ours;
    } cases[] = {
        { "mx.example.org", true },
        { "MX.example.ORG", true },
        { "mx.example.org.", true },
        { "example.org", false },
        { "a.mx.example.org", false },
        { "x.example.org", false },
        { "mx.example.org..", false },
        { "", false },
        { ".", false },
    };
    struct config *c = read_config("");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (route_is_our_name(c, text_of(cases[i].name)) != cases[i].ours)
            fail_msg("%s", cases[i].name);
    config_free(&c);
}

static void test_our_address(void **state)
{
    (void)state;
    static const char all[] = "listen smtp { address = {\"0.0.0.0:25\", \"[::]:25\"} }";
    static const char v4[] = "listen smtp { address = \"0.0.0.0:25\" }";
    static const char one[] = "listen smtp { address = \"192.0.2.1:25\" }";
    static const char lab[] = "listen smtp { address = \"127.0.0.2:2525\" }";
    static const char loop[] = "listen smtp { address = {\"127.0.0.1:25\", \"[::1]:25\"} }";
    static const struct {
        const char *listen, *called;
        bool ours;
    } cases[] = {
        /* The machine has 192.0.2.1 and 2001:db8::1. */
        { all, "192.0.2.1:25", true },
        { all, "[2001:db8::1]:25", true },
        { all, "192.0.2.2:25", false },
        { all, "192.0.2.1:26", false },
        { all, "127.0.0.1:25", true },
        { all, "127.9.9.9:25", true },
        { all, "[::1]:25", true },
        { all, "127.0.0.1:2525", false },
        { all, "0.0.0.0:25", true },
        { all, "[::]:25", true },
        { all, "[::ffff:192.0.2.1]:25", true },
        { v4, "192.0.2.1:25", true },
        { v4, "[2001:db8::1]:25", false },
        { v4, "[::1]:25", false },
        { one, "192.0.2.1:25", true },
        { one, "192.0.2.2:25", false },
        { one, "127.0.0.1:25", false },
        { one, "0.0.0.0:25", false },
        { lab, "127.0.0.2:2525", true },
        { lab, "127.0.0.3:2525", false },
        { lab, "127.0.0.2:25", false },
        { loop, "0.0.0.0:25", true },
        { loop, "[::]:25", true },
        { loop, "192.0.2.1:25", false },
    };
    struct endpoint machine[2];
    assert_true(endpoint_parse_address(T("192.0.2.1"), &machine[0]));
    assert_true(endpoint_parse_address(T("2001:db8::1"), &machine[1]));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config *c = read_config(cases[i].listen);
        struct route_self self = { c, machine, 2 };
        struct endpoint called;
        assert_true(endpoint_parse(text_of(cases[i].called), &called));
        if (route_is_our_address(&self, &called) != cases[i].ours)
            fail_msg("%s %s", cases[i].listen, cases[i].called);
        config_free(&c);
    }
}

/* A route may have a tls of its own, with a host or without. */
static void test_own_tls(void **state)
{
    (void)state;
    static const struct {
        const char *domain, *printed;
        enum route_kind kind;
        enum relay_tls tls;
    } cases[] = {
        { "other.test", "other.test", ROUTE_MX, RELAY_TLS_ENCRYPT },
        { "strict.test", "strict.test", ROUTE_MX, RELAY_TLS_DANE },
        { "a.test", "hop.test:25", ROUTE_HOST, RELAY_TLS_ENCRYPT },
        { "b.test", "hop.test:25 with tls = verify", ROUTE_HOST, RELAY_TLS_VERIFY },
        { "c.test", "hop.test:587 as joe with tls = none", ROUTE_HOST, RELAY_TLS_NONE },
        { "example.org", "example.org (here)", ROUTE_LOCAL, RELAY_TLS_NONE },
    };
    struct config *c = read_config("relay { tls = encrypt\n"
                                   "route \"strict.test\" { tls = dane }\n"
                                   "route \"a.test\" { host = \"hop.test\" }\n"
                                   "route \"b.test\" { host = \"hop.test\"  tls = verify }\n"
                                   "route \"c.test\" { host = \"hop.test\"  tls = none\n"
                                   "  user = \"joe\"  password = \"x\" }\n"
                                   "route \"example.org\" { tls = dane } }");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct route r;
        char printed[ROUTE_TEXT_MAX];
        route_for(c, text_of(cases[i].domain), &r);
        route_print(&r, printed);
        assert_string_equal(printed, cases[i].printed);
        assert_int_equal(r.kind, cases[i].kind);
        assert_int_equal(r.tls, cases[i].tls);
    }
    config_free(&c);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_step),
        cmocka_unit_test(test_logins),
        cmocka_unit_test(test_when_tls_begins),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_needs),
        cmocka_unit_test(test_need_names),
        cmocka_unit_test(test_short_memory),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_equals_take_turns),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_drop),
        cmocka_unit_test(test_our_name),
        cmocka_unit_test(test_our_address),
        cmocka_unit_test(test_own_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
