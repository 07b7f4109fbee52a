/* test_hosts.c - which hosts are called, in which order, or why none: a resolver in memory, a real
 * loop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "fake_dns.h"

#include "base/buffer.h"
#include "queue/hosts.h"

#include <stdio.h>
#include <string.h>

struct place {
    struct loop *loop;
    struct config *config;
    struct office office;
    struct dns dns;
    struct hosts *hosts;
    struct error error;
    bool within;
    unsigned readies;
};

static const struct config *config_of(void *server, unsigned index)
{
    const struct place *p = server;
    assert_int_equal(index, 0);
    return p->config;
}

static void ready(void *owner)
{
    struct place *p = owner;
    assert_false(p->within);
    p->readies++;
    loop_stop(p->loop);
}

static void open_place(struct place *p, const char *config, const char *const *zone)
{
    struct config_notices notices = { 0 };
    *p = (struct place){ .dns.zone = zone };
    if (!loop_new(&p->loop, &p->error) ||
        !config_read("test.conf", text_of(config), &notices, &p->config, &p->error))
        fail_msg("%s", p->error.words);
    p->office.loops[0] = p->loop;
    p->office.loop_count = 1;
    p->office.config = config_of;
    p->office.server = p;
    atomic_store(&p->office.dns, &p->dns);
}

static void close_place(struct place *p)
{
    hosts_free(&p->hosts);
    assert_null(p->hosts);
    loop_free(&p->loop);
    assert_int_equal(p->dns.open, 0);
    config_free(&p->config);
}

static void begin(struct place *p, const char *domain)
{
    struct route route;
    route_for(p->config, text_of(domain), &route);
    p->hosts = hosts_new(&(struct hosts_options){
        .office = &p->office, .route = &route, .seed = 1, .ready = ready, .owner = p });
    assert_non_null(p->hosts);
}

static enum hosts_verdict next(struct place *p, struct hosts_call *call)
{
    for (;;) {
        p->within = true;
        enum hosts_verdict verdict = hosts_next(p->hosts, call);
        p->within = false;
        if (verdict != HOSTS_WAIT)
            return verdict;
        loop_run(p->loop);
    }
}

/* "name[address]:port" of each, then "end", or the failure. */
static void list(struct place *p, struct buffer *out)
{
    struct hosts_call call;
    char words[ENDPOINT_TEXT_MAX];
    enum hosts_verdict verdict;
    buffer_init(out, 1 << 16);
    while ((verdict = next(p, &call)) == HOSTS_CALL) {
        endpoint_print_address(&call.endpoint, words);
        buffer_printf(out, "%s[%s]:%u ", call.name, words, call.endpoint.port);
    }
    const struct hosts_failure *f = hosts_failure(p->hosts);
    if (verdict == HOSTS_END)
        buffer_printf(out, f ? "end, " : "end");
    if (verdict == HOSTS_END && !f)
        return;
    assert_true(strlen(f->words) > 10);
    buffer_printf(out, "%s %s", f->status, f->permanent ? "for good" : "for now");
}

static const char plain[] = "hostname = \"mx.a.test\"\ndomain \"a.test\" {}\n"
                            "listen smtp { address = \"127.0.0.1:25\" }\n";

static const char *const zone[] = {
    "b.test MX 10 mx1.b.test",
    "b.test MX 20 mx2.b.test",
    "mx1.b.test A 192.0.2.1",
    "mx1.b.test A 192.0.2.2",
    "mx1.b.test AAAA 2001:db8::1",
    "mx2.b.test A 192.0.2.3",
    "implicit.test A 192.0.2.9",
    "null.test MX 0",
    "sick.test TROUBLE",
    "nothing.test TXT words",
    "bare.test MX 10 gone.bare.test",
    "halfsick.test MX 10 mx.sick.test",
    "halfsick.test MX 20 mx2.b.test",
    "sicklast.test MX 10 mx2.b.test",
    "sicklast.test MX 20 mx.sick.test",
    "mx.sick.test TROUBLE",
    "onlysick.test MX 10 mx.sick.test",
    "onefamily.test MX 10 mx.onefamily.test",
    "mx.onefamily.test TROUBLE AAAA",
    "mx.onefamily.test A 192.0.2.4",
    "usfirst.test MX 10 mx.a.test",
    "usfirst.test MX 20 mx2.b.test",
    "backup.test MX 10 mx2.b.test",
    "backup.test MX 20 mx.a.test",
    "backup.test MX 20 mx1.b.test",
    "backup.test MX 30 mx1.b.test",
    "byaddress.test MX 10 mx2.b.test",
    "byaddress.test MX 20 us.test",
    "byaddress.test MX 20 mx1.b.test",
    "byaddress.test MX 30 mx1.b.test",
    "us.test A 127.0.0.1",
    "onlyus.test MX 10 us.test",
    "onlyus.test MX 20 mx2.b.test",
    "usimplicit.test A 127.0.0.1",
    "sickandus.test MX 10 mx.sick.test",
    "sickandus.test MX 20 us.test",
    "relay.test A 192.0.2.7",
    NULL,
};

static const struct {
    const char *domain, *want;
} orders[] = {
    { "b.test", "mx1.b.test[2001:db8::1]:25 mx1.b.test[192.0.2.1]:25 mx1.b.test[192.0.2.2]:25 "
                "mx2.b.test[192.0.2.3]:25 end" },
    { "implicit.test", "implicit.test[192.0.2.9]:25 end" },
    { "[192.0.2.77]", "192.0.2.77[192.0.2.77]:25 end" },
    { "[IPv6:2001:db8::5]", "2001:db8::5[2001:db8::5]:25 end" },
    { "[127.0.0.1]", "5.4.6 for good" },
    { "null.test", "5.1.10 for good" },
    { "gone.test", "5.1.2 for good" },
    { "sick.test", "4.4.3 for now" },
    { "nothing.test", "5.1.2 for good" },
    { "bare.test", "5.4.4 for good" },
    { "halfsick.test", "mx2.b.test[192.0.2.3]:25 end, 4.4.3 for now" },
    { "sicklast.test", "mx2.b.test[192.0.2.3]:25 end, 4.4.3 for now" },
    { "onlysick.test", "4.4.3 for now" },
    { "onefamily.test", "mx.onefamily.test[192.0.2.4]:25 end" },
    { "usfirst.test", "5.4.6 for good" },
    { "backup.test", "mx2.b.test[192.0.2.3]:25 end" },
    { "byaddress.test", "mx2.b.test[192.0.2.3]:25 end" },
    { "onlyus.test", "5.4.6 for good" },
    { "usimplicit.test", "5.4.6 for good" },
    { "sickandus.test", "4.4.3 for now" },
    { "a.test", "mx.a.test[127.0.0.1]:25 end" }, /* ours by now: our own door */
};

static void check(struct place *p, const char *domain, const char *want)
{
    struct buffer got;
    begin(p, domain);
    list(p, &got);
    if (!text_equal(buffer_as_text(&got), text_of(want)))
        fail_msg("%s: %.*s", domain, TEXT_ARGS(buffer_as_text(&got)));
    buffer_clear(&got);
    close_place(p);
}

static void test_orders(void **state)
{
    struct place p;
    (void)state;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        open_place(&p, plain, zone);
        check(&p, orders[i].domain, orders[i].want);
    }
}

static void test_configured(void **state)
{
    static const struct {
        const char *config, *domain, *want;
    } cases[] = {
        { "relay { smarthost = \"relay.test:587\" }", "b.test", "relay.test[192.0.2.7]:587 end" },
        { "relay { smarthost = \"gone.test\" }", "b.test", "4.4.4 for now" },
        { "relay { smarthost = \"sick.test\" }", "b.test", "4.4.3 for now" },
        { "relay { route \"b.test\" { host = \"192.0.2.50:26\" } }", "b.test",
          "192.0.2.50[192.0.2.50]:26 end" },
        { "relay { port = 2525 }", "implicit.test", "implicit.test[192.0.2.9]:2525 end" },
        { "relay { port = 2525 }", "usimplicit.test", "usimplicit.test[127.0.0.1]:2525 end" },
    };
    struct place p;
    char config[300];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(config, sizeof config, "%s%s\n", plain, cases[i].config);
        open_place(&p, config, zone);
        check(&p, cases[i].domain, cases[i].want);
    }
}

static const char *const signed_zone[] = {
    "b.test MX 10 mx1.b.test",
    "b.test MX 10 mx2.b.test",
    "b.test MX 20 alias.b.test",
    "b.test MX 30 odd.b.test",
    "b.test MX 40 sick.b.test",
    "b.test MX 50 elsewhere.test",
    "mx1.b.test A 192.0.2.1",
    "mx1.b.test AAAA 2001:db8::1",
    "_25._tcp.mx1.b.test TLSA 3 1 1",
    "mx2.b.test A 192.0.2.2",
    "alias.b.test CNAME real.b.test",
    "real.b.test A 192.0.2.3",
    "_25._tcp.real.b.test TLSA 2 0 1",
    "odd.b.test A 192.0.2.4",
    "_25._tcp.odd.b.test TLSA 1 1 1",
    "sick.b.test A 192.0.2.5",
    "_25._tcp.sick.b.test TROUBLE",
    "elsewhere.test A 192.0.2.6",
    "elsewhere.test INSECURE",
    "_25._tcp.elsewhere.test TLSA 3 1 1",
    "plain.test MX 10 mx1.b.test",
    "plain.test INSECURE",
    "implicit.test A 192.0.2.7",
    "_25._tcp.implicit.test TLSA 3 1 1",
    NULL,
};

/* "name: finding base" of each. */
static void list_findings(struct place *p, struct buffer *out)
{
    static const char *const words[] = { "nothing", "unusable", "usable", "trouble" };
    struct hosts_call call;
    buffer_init(out, 1 << 16);
    while (next(p, &call) == HOSTS_CALL) {
        assert_non_null(call.dane);
        buffer_printf(out, "%s: %s %.*s; ", call.name, words[call.dane->finding],
                      TEXT_ARGS(call.dane->base));
    }
}

static void test_dane(void **state)
{
    static const struct {
        const char *config, *domain, *want;
        bool unsigned_zone;
    } cases[] = {
        { "", "b.test",
          "mx1.b.test: usable mx1.b.test; mx1.b.test: usable mx1.b.test; mx2.b.test: nothing ; "
          "alias.b.test: usable real.b.test; odd.b.test: unusable odd.b.test; "
          "sick.b.test: trouble ; elsewhere.test: nothing ; ",
          false },
        { "", "b.test",
          "mx1.b.test: nothing ; mx1.b.test: nothing ; mx2.b.test: nothing ; "
          "alias.b.test: nothing ; odd.b.test: nothing ; sick.b.test: nothing ; "
          "elsewhere.test: nothing ; ",
          true },
        { "relay { tls = none }", "implicit.test", "implicit.test: nothing ; ", false },
        { "", "implicit.test", "implicit.test: usable implicit.test; ", false },
        /* the hosts are vouched for, the list of them is not */
        { "", "plain.test", "mx1.b.test: nothing ; mx1.b.test: nothing ; ", false },
        /* a configured host needs no list */
        { "relay { smarthost = \"alias.b.test\" }", "plain.test",
          "alias.b.test: usable real.b.test; ", false },
    };
    struct place p;
    struct buffer got;
    char config[300];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(config, sizeof config, "%s%s\n", plain, cases[i].config);
        open_place(&p, config, signed_zone);
        p.dns.secure = !cases[i].unsigned_zone;
        begin(&p, cases[i].domain);
        list_findings(&p, &got);
        if (!text_equal(buffer_as_text(&got), text_of(cases[i].want)))
            fail_msg("%zu: %.*s", i, TEXT_ARGS(buffer_as_text(&got)));
        buffer_clear(&got);
        close_place(&p);
    }
}

/* The best of them, and no more calls than there may be. */
static void test_many_hosts(void **state)
{
    enum { MANY = 100 };
    static char words[2 * MANY + MANY * 4][40];
    static const char *lines[2 * MANY + MANY * 4 + 1];
    struct place p;
    struct hosts_call call;
    size_t n = 0;
    unsigned calls = 0;
    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(words[n], sizeof *words, "many.test MX %u mx%u.test", MANY - i, i);
        lines[n] = words[n];
        n++;
        for (unsigned k = 0; k < 5; k++, n++) {
            snprintf(words[n], sizeof *words, "mx%u.test A 192.0.%u.%u", i, i, k);
            lines[n] = words[n];
        }
    }
    open_place(&p, plain, lines);
    begin(&p, "many.test");
    enum hosts_verdict verdict;
    while ((verdict = next(&p, &call)) == HOSTS_CALL)
        if (calls++ == 0)
            assert_string_equal(call.name, "mx99.test");
    assert_int_equal(verdict, HOSTS_END);
    assert_int_equal(calls, HOSTS_CALLS_MAX);
    close_place(&p);
}

/* Hosts of equal preference, in another order for another seed; each seed gives all. */
static void test_equals(void **state)
{
    static const char *const equals[] = { "e.test MX 5 a.e.test",
                                          "e.test MX 5 b.e.test",
                                          "e.test MX 5 c.e.test",
                                          "a.e.test A 192.0.2.1",
                                          "b.e.test A 192.0.2.2",
                                          "c.e.test A 192.0.2.3",
                                          NULL };
    bool first[3] = { false };
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct place p;
        struct route route;
        struct hosts_call call;
        unsigned count = 0;
        open_place(&p, plain, equals);
        route_for(p.config, T("e.test"), &route);
        p.hosts = hosts_new(&(struct hosts_options){
            .office = &p.office, .route = &route, .seed = seed, .ready = ready, .owner = &p });
        while (next(&p, &call) == HOSTS_CALL)
            if (count++ == 0)
                first[call.name[0] - 'a'] = true;
        assert_int_equal(count, 3);
        close_place(&p);
    }
    assert_true(first[0] && first[1] && first[2]);
}

/* Whatever question finds no room is asked again, however often. */
static void test_no_room(void **state)
{
    (void)state;
    for (unsigned refusals = 1; refusals < 6; refusals++) {
        struct place p;
        open_place(&p, plain, zone);
        p.dns.refusals = refusals;
        check(&p, "b.test", orders[0].want);
    }
}

/* RFC 8689 2: a name out of DNS is worth something when it is signed, one that was configured is
 * always, and an address is no name. */
static void test_vouched_for(void **state)
{
    static const char fixed[] = "hostname = \"mx.a.test\"\ndomain \"a.test\" {}\n"
                                "listen smtp { address = \"127.0.0.1:25\" }\n"
                                "relay { route \"b.test\" { host = \"mx1.b.test\" }"
                                " route \"c.test\" { host = \"192.0.2.7\" } }\n";
    static const struct {
        const char *config, *domain;
        bool is_signed, vouched;
    } cases[] = {
        { plain, "b.test", true, true },        { plain, "b.test", false, false },
        { plain, "implicit.test", true, true }, { plain, "implicit.test", false, false },
        { plain, "[192.0.2.7]", true, false },  { fixed, "b.test", false, true },
        { fixed, "c.test", false, true },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct place p;
        struct hosts_call call;
        open_place(&p, cases[i].config, zone);
        p.dns.secure = cases[i].is_signed;
        begin(&p, cases[i].domain);
        assert_int_equal(next(&p, &call), HOSTS_CALL);
        if (call.is_vouched_for != cases[i].vouched)
            fail_msg("case %zu", i);
        close_place(&p);
    }
}

/* Freed in each state, with questions open, held back, or waiting for room. */
static void test_freed(void **state)
{
    (void)state;
    for (unsigned turns = 0; turns < 6; turns++) {
        struct place p;
        struct hosts_call call;
        open_place(&p, plain, zone);
        begin(&p, "b.test");
        for (unsigned i = 0; i < turns; i++)
            if (hosts_next(p.hosts, &call) == HOSTS_WAIT && i + 1 < turns)
                loop_run(p.loop);
        close_place(&p);
    }
    for (unsigned how = 0; how < 2; how++) {
        struct place p;
        struct hosts_call call;
        open_place(&p, plain, zone);
        begin(&p, "b.test");
        p.dns.holds = how == 0;
        p.dns.refusals = how == 0 ? 0 : 100;
        assert_int_equal(hosts_next(p.hosts, &call), HOSTS_WAIT);
        close_place(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders),     cmocka_unit_test(test_configured),
        cmocka_unit_test(test_many_hosts), cmocka_unit_test(test_equals),
        cmocka_unit_test(test_no_room),    cmocka_unit_test(test_vouched_for),
        cmocka_unit_test(test_freed),      cmocka_unit_test(test_dane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
