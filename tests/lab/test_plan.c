/* test_plan.c - what a lab consists of: from words, and to DNS records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "lab/book.h"
#include "lab/records.h"

#include <stdlib.h>
#include <string.h>

static struct lab_plan *new_plan(const char *domains)
{
    struct error e;
    struct lab_plan *plan = calloc(1, sizeof *plan);
    assert_non_null(plan);
    strcpy(plan->folder, "/lab");
    assert_true(plan_add_domains(plan, text_of(domains), &e));
    return plan;
}

/* A plan as "HOST=DOMAIN+DOMAIN,...". */
static void check_hosts(const struct lab_plan *plan, const char *wanted)
{
    char words[1024] = "";
    for (size_t i = 0; i < plan->host_count; i++) {
        const struct lab_host *h = &plan->hosts[i];
        snprintf(words + strlen(words), sizeof words - strlen(words), "%s%s", i ? "," : "",
                 h->name);
        for (size_t j = 0; j < h->domain_count; j++)
            snprintf(words + strlen(words), sizeof words - strlen(words), "%c%s", j ? '+' : '=',
                     plan->domains[h->first_domain + j].name);
    }
    assert_string_equal(words, wanted);
}

static void test_domains(void **state)
{
    (void)state;
    static const struct {
        const char *words, *hosts;
    } cases[] = {
        { "a.test", "mx.a.test=a.test" },
        { "a.test, B.Test.", "mx.a.test=a.test,mx.b.test=b.test" },
        { "gmail.com=gmail.com", "gmail.com=gmail.com" },
        { "exmail.qq.com=mail.sustech.edu.cn+x.test,x.org",
          "exmail.qq.com=mail.sustech.edu.cn+x.test,mx.x.org=x.org" },
        { "m\xc3\xbcller.test", "mx.xn--mller-kva.test=xn--mller-kva.test" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lab_plan *plan = new_plan(cases[i].words);
        check_hosts(plan, cases[i].hosts);
        free(plan);
    }
}

static void test_domains_that_are_none(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",    ",",   "a.test,", "a..test", "=a.test", "h=",  "h=a.test+",
        "a b", "a,a", "h=a,h=b", "h=a+a",   "a@b",     "a;b",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lab_plan *plan = calloc(1, sizeof *plan);
        struct error e = { 0 };
        print_message("%s\n", cases[i]);
        assert_false(plan_add_domains(plan, text_of(cases[i]), &e));
        assert_int_equal(e.kind, ERROR_USAGE);
        free(plan);
    }
}

static void test_a_lab_has_a_limit(void **state)
{
    (void)state;
    struct lab_plan *plan = new_plan("a.test");
    struct error e;
    for (int i = 1; i < LAB_HOSTS_MAX; i++) {
        char name[32];
        snprintf(name, sizeof name, "d%d.test", i);
        assert_true(plan_add_domains(plan, text_of(name), &e));
    }
    assert_false(plan_add_domains(plan, T("one.too.many"), &e));
    assert_int_equal(plan->host_count, LAB_HOSTS_MAX);
    free(plan);
}

static void test_finding(void **state)
{
    (void)state;
    struct lab_plan *plan = new_plan("h.test=a.test+b.test,c.test");
    struct address address;
    assert_ptr_equal(plan_host(plan, T("B.test")), &plan->hosts[0]);
    assert_ptr_equal(plan_host(plan, T("mx.c.test")), &plan->hosts[1]);
    assert_null(plan_host(plan, T("d.test")));
    assert_int_equal(address_parse(T("bob@b.test"), 0, &address), ADDRESS_OK);
    assert_ptr_equal(plan_user(plan, &address), &plan->domains[1].users[1]);
    assert_ptr_equal(plan_host_of(plan, &address), &plan->hosts[0]);
    assert_int_equal(address_parse(T("carol@b.test"), 0, &address), ADDRESS_OK);
    assert_null(plan_user(plan, &address));
    free(plan);
}

static void test_faults(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        enum fault_kind kind;
        uint64_t delay_ms, times;
        bool passes;
    } cases[] = {
        { "dead", FAULT_DEAD, 0, 0, false },
        { "silent", FAULT_SILENT, 0, 0, false },
        { "busy:3", FAULT_BUSY, 0, 3, true },
        { "refuse", FAULT_REFUSE, 0, 0, false },
        { "cut:2", FAULT_CUT, 0, 2, true },
        { "slow:2s", FAULT_SLOW, 2000, 0, true },
        { "greylist:1m30s", FAULT_GREYLIST, 90000, 0, true },
        { "none", FAULT_NONE, 0, 0, true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fault f;
        struct error e;
        assert_true(fault_parse(text_of(cases[i].words), &f, &e));
        assert_int_equal(f.kind, cases[i].kind);
        assert_int_equal(f.delay_ms, cases[i].delay_ms);
        assert_int_equal(f.times, cases[i].times);
        assert_int_equal(fault_passes(&f), cases[i].passes);
    }
    static const char *const wrong[] = { "", "ded", "dead:1", "slow", "slow:2", "cut:0", "cut:x" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct fault f;
        struct error e = { 0 };
        assert_false(fault_parse(text_of(wrong[i]), &f, &e));
        assert_int_equal(e.kind, ERROR_USAGE);
    }
}

static void check_record(const struct zones *z, const char *name, ldns_rr_type type,
                         const char *wanted)
{
    size_t at = 0;
    ldns_rdf *dname = ldns_dname_new_frm_str(name);
    const ldns_rr *rr = zones_next(z, dname, type, &at);
    assert_non_null(rr);
    char *words = ldns_rr2str(rr);
    assert_non_null(strstr(words, wanted));
    LDNS_FREE(words);
    ldns_rdf_deep_free(dname);
}

static void test_records(void **state)
{
    (void)state;
    struct error e;
    struct zones *z;
    struct lab_plan *plan = new_plan("a.test,qq.com=b.test");
    plan->dns = (struct endpoint){ NET_IPV4, { 127, 0, 0, 1 }, 53 };
    plan->ports.roles[ROLE_POP3] = 110;
    assert_true(zones_new(&z, &e) && records_fill(plan, z, &e));
    check_record(z, "b.test.", LDNS_RR_TYPE_MX, "10 qq.com.");
    check_record(z, "qq.com.", LDNS_RR_TYPE_A, "127.0.0.3");
    check_record(z, "3.0.0.127.in-addr.arpa.", LDNS_RR_TYPE_PTR, "qq.com.");
    check_record(z, "a.test.", LDNS_RR_TYPE_TXT, "v=spf1 mx ");
    check_record(z, "a.test.", LDNS_RR_TYPE_SOA, "ns.lab.invalid.");
    check_record(z, "_pop3._tcp.a.test.", LDNS_RR_TYPE_SRV, "0 1 110 mx.a.test.");
    check_record(z, "_imap._tcp.a.test.", LDNS_RR_TYPE_SRV, "0 0 0 .");
    zones_free(&z);
    free(plan);
}

/* What lab.json says gives the same plan again, passwords too. */
static void test_the_book(void **state)
{
    (void)state;
    struct error e;
    struct lab_plan *plan = new_plan("a.test,h.test=b.test+c.test");
    strcpy(plan->domains[2].users[1].password, "secret");
    json_t *book = book_make(plan);
    assert_non_null(book);
    struct lab_plan *again = calloc(1, sizeof *again);
    assert_true(book_add_domains(book, again, &e));
    book_take_passwords(book, again);
    check_hosts(again, "mx.a.test=a.test,h.test=b.test+c.test");
    assert_string_equal(again->domains[2].users[1].password, "secret");
    assert_string_equal(again->domains[0].users[1].password, "");
    json_decref(book);

    book = json_loads("{\"servers\":[{\"host\":1}]}", 0, NULL);
    memset(again, 0, sizeof *again);
    assert_false(book_add_domains(book, again, &e));
    assert_int_equal(e.kind, ERROR_DAMAGED);
    json_decref(book);
    free(again);
    free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_domains),
        cmocka_unit_test(test_domains_that_are_none),
        cmocka_unit_test(test_a_lab_has_a_limit),
        cmocka_unit_test(test_finding),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_the_book),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
