/* test_answer.c - queries to the lab's DNS and their replies, without a socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "lab/answer.h"

#include <string.h>

#define SOA " 60 IN SOA ns.lab.invalid. hostmaster.lab.invalid. 1 60 60 60 30"

static const char *const lines[] = {
    "." SOA,
    ". 60 IN NS ns.lab.invalid.",
    "ns.lab.invalid. 60 IN A 127.0.0.1",
    "a.test." SOA,
    "a.test. 60 IN NS ns.lab.invalid.",
    "a.test. 60 IN MX 10 mx.a.test.",
    "mx.a.test. 60 IN A 127.0.0.2",
    "mx.a.test. 60 IN AAAA ::2",
    "a.test. 60 IN TXT \"v=spf1 mx -all\"",
    "_pop3._tcp.a.test. 60 IN SRV 0 1 2110 mx.a.test.",
    "www.a.test. 60 IN CNAME mx.a.test.",
    "away.a.test. 60 IN CNAME mx.b.test.",
    "lost.a.test. 60 IN CNAME nowhere.test.",
    "empty.a.test. 60 IN CNAME _tcp.a.test.",
    "loop.a.test. 60 IN CNAME loop2.a.test.",
    "loop2.a.test. 60 IN CNAME loop.a.test.",
    "b.test." SOA,
    "b.test. 60 IN MX 10 mx.b.test.",
    "b.test. 60 IN MX 20 mx.b.test.",
    "mx.b.test. 60 IN A 127.0.0.3",
    "nomail.test. 60 IN MX 0 .",
    "2.0.0.127.in-addr.arpa. 60 IN PTR mx.a.test.",
};

static struct zones *zones;

static int make_zones(void **state)
{
    (void)state;
    struct error e;
    if (!zones_new(&zones, &e))
        return -1;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (!zones_add(zones, lines[i], &e))
            return -1;
    return 0;
}

static int free_zones(void **state)
{
    (void)state;
    zones_free(&zones);
    return 0;
}

/* A query for the name and type; a test may change it before it is sent. */
static ldns_pkt *query_for(const char *name, ldns_rr_type type)
{
    ldns_rdf *dname = ldns_dname_new_frm_str(name);
    ldns_pkt *query = ldns_pkt_query_new(dname, type, LDNS_RR_CLASS_IN, LDNS_RD);
    assert_non_null(query);
    ldns_pkt_set_id(query, 4711);
    return query;
}

/* The reply, read again; takes the query. */
static ldns_pkt *ask(ldns_pkt *query, enum answer_by by, size_t *octets_out)
{
    uint8_t *wire = NULL;
    size_t len = 0;
    ldns_pkt *reply = NULL;
    struct buffer out;
    buffer_init(&out, ANSWER_OCTETS_MAX);
    assert_int_equal(ldns_pkt2wire(&wire, query, &len), LDNS_STATUS_OK);
    assert_true(answer_query(zones, (struct bytes){ wire, len }, by, &out));
    assert_int_equal(ldns_wire2pkt(&reply, out.at, out.len), LDNS_STATUS_OK);
    assert_int_equal(ldns_pkt_id(reply), 4711);
    assert_true(ldns_pkt_qr(reply));
    if (octets_out)
        *octets_out = out.len;
    buffer_clear(&out);
    LDNS_FREE(wire);
    ldns_pkt_free(query);
    return reply;
}

struct row {
    const char *name;
    ldns_rr_type type;
    ldns_pkt_rcode code;
    const char *answer;    /* the records, one a line, tabs as spaces; "" none */
    const char *authority; /* the owner of the SOA, or "" */
    size_t additional;
};

static const struct row rows[] = {
    { "a.test.", LDNS_RR_TYPE_MX, 0, "a.test. 60 IN MX 10 mx.a.test.\n", "", 2 },
    /* names are compressed into the question, whose case stays */
    { "A.TeSt.", LDNS_RR_TYPE_MX, 0, "A.TeSt. 60 IN MX 10 mx.A.TeSt.\n", "", 2 },
    { "b.test.", LDNS_RR_TYPE_MX, 0,
      "b.test. 60 IN MX 10 mx.b.test.\nb.test. 60 IN MX 20 mx.b.test.\n", "", 1 },
    { "mx.a.test.", LDNS_RR_TYPE_A, 0, "mx.a.test. 60 IN A 127.0.0.2\n", "", 0 },
    { "a.test.", LDNS_RR_TYPE_TXT, 0, "a.test. 60 IN TXT \"v=spf1 mx -all\"\n", "", 0 },
    { "_pop3._tcp.a.test.", LDNS_RR_TYPE_SRV, 0,
      "_pop3._tcp.a.test. 60 IN SRV 0 1 2110 mx.a.test.\n", "", 2 },
    { "2.0.0.127.in-addr.arpa.", LDNS_RR_TYPE_PTR, 0,
      "2.0.0.127.in-addr.arpa. 60 IN PTR mx.a.test.\n", "", 0 },
    { ".", LDNS_RR_TYPE_NS, 0, ". 60 IN NS ns.lab.invalid.\n", "", 1 },
    /* null MX (RFC 7505): a record like any other */
    { "nomail.test.", LDNS_RR_TYPE_MX, 0, "nomail.test. 60 IN MX 0 .\n", "", 0 },
    /* the name is there, the type is not */
    { "a.test.", LDNS_RR_TYPE_A, 0, "", "a.test.", 0 },
    { "_tcp.a.test.", LDNS_RR_TYPE_A, 0, "", "a.test.", 0 },
    { "test.", LDNS_RR_TYPE_MX, 0, "", ".", 0 },
    { ".", LDNS_RR_TYPE_DNSKEY, 0, "", ".", 0 },
    /* DS of a zone is the parent's */
    { "a.test.", LDNS_RR_TYPE_DS, 0, "", ".", 0 },
    { ".", LDNS_RR_TYPE_DS, 0, "", ".", 0 },
    /* nothing there */
    { "nobody.a.test.", LDNS_RR_TYPE_A, LDNS_RCODE_NXDOMAIN, "", "a.test.", 0 },
    { "com.", LDNS_RR_TYPE_NS, LDNS_RCODE_NXDOMAIN, "", ".", 0 },
    { "xa.test.", LDNS_RR_TYPE_MX, LDNS_RCODE_NXDOMAIN, "", ".", 0 },
    /* aliases */
    { "www.a.test.", LDNS_RR_TYPE_CNAME, 0, "www.a.test. 60 IN CNAME mx.a.test.\n", "", 0 },
    { "www.a.test.", LDNS_RR_TYPE_A, 0,
      "www.a.test. 60 IN CNAME mx.a.test.\nmx.a.test. 60 IN A 127.0.0.2\n", "", 0 },
    { "away.a.test.", LDNS_RR_TYPE_A, 0,
      "away.a.test. 60 IN CNAME mx.b.test.\nmx.b.test. 60 IN A 127.0.0.3\n", "", 0 },
    { "lost.a.test.", LDNS_RR_TYPE_A, LDNS_RCODE_NXDOMAIN,
      "lost.a.test. 60 IN CNAME nowhere.test.\n", ".", 0 },
    { "empty.a.test.", LDNS_RR_TYPE_A, 0, "empty.a.test. 60 IN CNAME _tcp.a.test.\n", "a.test.",
      0 },
};

static void check_answer(const ldns_pkt *reply, const struct row *row)
{
    char *words = ldns_rr_list2str(ldns_pkt_answer(reply));
    assert_non_null(words);
    for (char *c = words; *c; c++)
        if (*c == '\t')
            *c = ' ';
    assert_string_equal(words, row->answer);
    LDNS_FREE(words);
}

static void check_authority(const ldns_pkt *reply, const struct row *row)
{
    const ldns_rr_list *list = ldns_pkt_authority(reply);
    assert_int_equal(ldns_rr_list_rr_count(list), row->authority[0] != '\0');
    if (!row->authority[0])
        return;
    const ldns_rr *soa = ldns_rr_list_rr(list, 0);
    char *owner = ldns_rdf2str(ldns_rr_owner(soa));
    assert_string_equal(owner, row->authority);
    assert_int_equal(ldns_rr_ttl(soa), 30);
    LDNS_FREE(owner);
}

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ldns_pkt *reply = ask(query_for(rows[i].name, rows[i].type), ANSWER_BY_DATAGRAM, NULL);
        print_message("%s %d\n", rows[i].name, (int)rows[i].type);
        assert_int_equal(ldns_pkt_get_rcode(reply), rows[i].code);
        assert_true(ldns_pkt_aa(reply));
        assert_true(ldns_pkt_rd(reply) && ldns_pkt_ra(reply));
        assert_false(ldns_pkt_tc(reply) || ldns_pkt_edns(reply));
        check_answer(reply, &rows[i]);
        check_authority(reply, &rows[i]);
        assert_int_equal(ldns_rr_list_rr_count(ldns_pkt_additional(reply)), rows[i].additional);
        ldns_pkt_free(reply);
    }
}

static void test_any_gives_all(void **state)
{
    (void)state;
    ldns_pkt *reply = ask(query_for("a.test.", LDNS_RR_TYPE_ANY), ANSWER_BY_DATAGRAM, NULL);
    assert_int_equal(ldns_pkt_ancount(reply), 4);
    ldns_pkt_free(reply);
}

static void test_a_loop_of_aliases_ends(void **state)
{
    (void)state;
    ldns_pkt *reply = ask(query_for("loop.a.test.", LDNS_RR_TYPE_A), ANSWER_BY_STREAM, NULL);
    assert_int_equal(ldns_pkt_get_rcode(reply), LDNS_RCODE_SERVFAIL);
    ldns_pkt_free(reply);
}

static void test_edns(void **state)
{
    (void)state;
    ldns_pkt *query = query_for("a.test.", LDNS_RR_TYPE_MX);
    ldns_pkt_set_edns_udp_size(query, 4096);
    ldns_pkt_set_edns_do(query, true);
    ldns_pkt *reply = ask(query, ANSWER_BY_DATAGRAM, NULL);
    assert_int_equal(ldns_pkt_edns_udp_size(reply), ANSWER_EDNS_OCTETS);
    assert_true(ldns_pkt_edns_do(reply));
    assert_int_equal(ldns_pkt_ancount(reply), 1);
    ldns_pkt_free(reply);

    query = query_for("a.test.", LDNS_RR_TYPE_MX);
    ldns_pkt_set_edns_udp_size(query, 4096);
    ldns_pkt_set_edns_version(query, 1);
    reply = ask(query, ANSWER_BY_DATAGRAM, NULL);
    assert_int_equal(ldns_pkt_edns_extended_rcode(reply), 1);
    assert_int_equal(ldns_pkt_get_rcode(reply), 0);
    assert_int_equal(ldns_pkt_ancount(reply), 0);
    ldns_pkt_free(reply);
}

/* 40 records of 100 octets each are too many for any datagram. */
static void test_what_does_not_fit_is_cut(void **state)
{
    (void)state;
    struct error e;
    size_t octets;
    for (int i = 0; i < 40; i++)
        assert_true(zones_addf(zones, &e, "big.a.test. 60 IN TXT \"%d%0100d\"", i, 0));
    ldns_pkt *reply = ask(query_for("big.a.test.", LDNS_RR_TYPE_TXT), ANSWER_BY_DATAGRAM, &octets);
    assert_true(ldns_pkt_tc(reply));
    assert_int_equal(ldns_pkt_ancount(reply), 0);
    assert_true(octets <= 512);
    ldns_pkt_free(reply);
    reply = ask(query_for("big.a.test.", LDNS_RR_TYPE_TXT), ANSWER_BY_STREAM, &octets);
    assert_false(ldns_pkt_tc(reply));
    assert_int_equal(ldns_pkt_ancount(reply), 40);
    ldns_pkt_free(reply);
}

/* Addresses that were only added are dropped without a word. */
static void test_additional_records_may_be_missing(void **state)
{
    (void)state;
    struct error e;
    size_t octets;
    for (int i = 0; i < 12; i++) {
        assert_true(zones_addf(zones, &e, "many.a.test. 60 IN MX %d m%d.a.test.", i, i));
        assert_true(zones_addf(zones, &e, "m%d.a.test. 60 IN AAAA ::%d", i, i + 1));
    }
    ldns_pkt *reply = ask(query_for("many.a.test.", LDNS_RR_TYPE_MX), ANSWER_BY_DATAGRAM, &octets);
    assert_false(ldns_pkt_tc(reply));
    assert_int_equal(ldns_pkt_ancount(reply), 12);
    assert_int_equal(ldns_pkt_arcount(reply), 0);
    assert_true(octets <= 512);
    ldns_pkt_free(reply);
}

static void test_queries_that_are_refused(void **state)
{
    (void)state;
    ldns_pkt *query = query_for("a.test.", LDNS_RR_TYPE_AXFR);
    ldns_pkt *reply = ask(query, ANSWER_BY_STREAM, NULL);
    assert_int_equal(ldns_pkt_get_rcode(reply), LDNS_RCODE_REFUSED);
    ldns_pkt_free(reply);

    query = query_for("version.bind.", LDNS_RR_TYPE_TXT);
    ldns_rr_set_class(ldns_rr_list_rr(ldns_pkt_question(query), 0), LDNS_RR_CLASS_CH);
    reply = ask(query, ANSWER_BY_DATAGRAM, NULL);
    assert_int_equal(ldns_pkt_get_rcode(reply), LDNS_RCODE_REFUSED);
    assert_false(ldns_pkt_aa(reply));
    ldns_pkt_free(reply);

    query = query_for("a.test.", LDNS_RR_TYPE_SOA);
    ldns_pkt_set_opcode(query, LDNS_PACKET_NOTIFY);
    reply = ask(query, ANSWER_BY_DATAGRAM, NULL);
    assert_int_equal(ldns_pkt_get_rcode(reply), LDNS_RCODE_NOTIMPL);
    assert_int_equal(ldns_pkt_get_opcode(reply), LDNS_PACKET_NOTIFY);
    ldns_pkt_free(reply);
}

static void test_octets_that_are_no_query(void **state)
{
    (void)state;
    static const struct {
        const char *octets;
        size_t len;
        int code; /* -1: silence */
    } cases[] = {
        { "", 0, -1 },
        { "\x12\x67\1\0\0\1\0\0\0\0\0", 11, -1 },
        /* a reply */
        { "\x12\x67\x81\0\0\1\0\0\0\0\0\0\0\0\1\0\1", 17, -1 },
        /* a question that is missing, cut, loops, or is two */
        { "\x12\x67\1\0\0\0\0\0\0\0\0\0", 12, LDNS_RCODE_FORMERR },
        { "\x12\x67\1\0\0\1\0\0\0\0\0\0\1", 13, LDNS_RCODE_FORMERR },
        { "\x12\x67\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1", 18, LDNS_RCODE_FORMERR },
        { "\x12\x67\1\0\0\2\0\0\0\0\0\0\0\0\1\0\1\0\0\1\0\1", 22, LDNS_RCODE_FORMERR },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer out;
        buffer_init(&out, ANSWER_OCTETS_MAX);
        struct bytes query = { (const uint8_t *)cases[i].octets, cases[i].len };
        bool said = answer_query(zones, query, ANSWER_BY_DATAGRAM, &out);
        print_message("case %zu\n", i);
        assert_int_equal(said, cases[i].code >= 0);
        if (said) {
            assert_memory_equal(out.at, "\x12\x67\x81", 3);
            assert_int_equal(out.at[3] & 15, cases[i].code);
        }
        buffer_clear(&out);
    }
}

static void test_a_zone_of_ones_own_refuses_the_rest(void **state)
{
    (void)state;
    struct zones *all = zones;
    struct error e;
    assert_true(zones_new(&zones, &e) && zones_add(zones, "a.test." SOA, &e));
    ldns_pkt *reply = ask(query_for("b.test.", LDNS_RR_TYPE_MX), ANSWER_BY_DATAGRAM, NULL);
    assert_int_equal(ldns_pkt_get_rcode(reply), LDNS_RCODE_REFUSED);
    ldns_pkt_free(reply);
    zones_free(&zones);
    zones = all;
}

static void test_lines_that_are_no_records(void **state)
{
    (void)state;
    static const char *const wrong[] = { "a.test. IN MX", "a.test. 60 IN A 1.2.3", "", "x" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct error e = { 0 };
        assert_false(zones_add(zones, wrong[i], &e));
        assert_int_equal(e.kind, ERROR_USAGE);
    }
    struct error e;
    assert_true(zones_add(zones, lines[0], &e)); /* there already: once */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_any_gives_all),
        cmocka_unit_test(test_a_loop_of_aliases_ends),
        cmocka_unit_test(test_edns),
        cmocka_unit_test(test_what_does_not_fit_is_cut),
        cmocka_unit_test(test_additional_records_may_be_missing),
        cmocka_unit_test(test_queries_that_are_refused),
        cmocka_unit_test(test_octets_that_are_no_query),
        cmocka_unit_test(test_a_zone_of_ones_own_refuses_the_rest),
        cmocka_unit_test(test_lines_that_are_no_records),
    };
    return cmocka_run_group_tests(tests, make_zones, free_zones);
}
