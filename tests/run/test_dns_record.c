/* test_dns_record.c - record data from the wire, and the names that may be asked about. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "run/dns_inner.h"

#include <stdlib.h>
#include <string.h>

/* Wire octets written as a string constant, which may have NULs. */
#define WIRE(octets) (octets), sizeof(octets) - 1
#define TEN          "abcdefghij"
#define SIXTY        TEN TEN TEN TEN TEN TEN
#define L63          "\x3f" SIXTY "abc"

static const struct {
    enum dns_type type;
    const char *wire;
    size_t len;
    const char *wanted; /* NULL: malformed; A, AAAA: the address; TXT, TLSA: the data */
    unsigned preference, weight, port;
} rows[] = {
    { DNS_A, WIRE("\xc0\0\2\1"), "192.0.2.1" },
    { DNS_A, WIRE("\xc0\0\2"), NULL },
    { DNS_A, WIRE("\xc0\0\2\1\1"), NULL },
    { DNS_A, WIRE(""), NULL },
    { DNS_AAAA, WIRE("\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"), "2001:db8::1" },
    { DNS_AAAA, WIRE("\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0"), NULL },
    { DNS_AAAA, WIRE("\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1"), NULL },
    { DNS_AAAA, WIRE("\xc0\0\2\1"), NULL },
    { DNS_MX, WIRE("\0\x0a\2mx\7Example\3ORG\0"), "mx.example.org", 10 },
    { DNS_MX, WIRE("\xff\xff\3_mx\0"), "_mx", 65535 },
    { DNS_MX, WIRE("\0\0\0"), "" },
    { DNS_MX, WIRE("\0\x0a"), NULL },
    { DNS_MX, WIRE("\0"), NULL },
    { DNS_MX, WIRE("\0\x0a\2mx"), NULL },
    { DNS_MX, WIRE("\0\x0a\3mx"), NULL },
    { DNS_MX, WIRE("\0\x0a\2mx\0\0"), NULL },
    { DNS_MX, WIRE("\0\x0a\xc0\0"), NULL },
    { DNS_MX, WIRE("\0\x0a\2mx\xc0\2"), NULL },
    { DNS_MX, WIRE("\0\x0a\x40" SIXTY "abcd\0"), NULL },
    { DNS_MX, WIRE("\0\x0a\4a.bc\0"), NULL },
    { DNS_MX, WIRE("\0\x0a\4a\\bc\0"), NULL },
    { DNS_MX, WIRE("\0\x0a\3a b\0"), NULL },
    { DNS_MX, WIRE("\0\x0a\3a\0b\0"), NULL },
    { DNS_MX, WIRE("\0\x0a\2\xc3\xa9\0"), NULL },
    { DNS_MX,
      WIRE("\0\x0a\x0e"
           "192.168.0.1\r\nx\0"),
      NULL },
    { DNS_PTR, WIRE(L63 L63 L63 "\x3d" SIXTY "a\0"),
      SIXTY "abc." SIXTY "abc." SIXTY "abc." SIXTY "a" },
    { DNS_PTR, WIRE(L63 L63 L63 "\x3e" SIXTY "ab\0"), NULL },
    { DNS_PTR, WIRE(L63 L63 L63 L63 "\0"), NULL },
    { DNS_PTR, WIRE(L63 L63 L63 L63 L63 L63 L63 L63 "\0"), NULL },
    { DNS_PTR, WIRE(""), NULL },
    { DNS_SRV, WIRE("\0\1\0\2\3\xe1\4pop3\1x\0"), "pop3.x", 1, 2, 993 },
    { DNS_SRV, WIRE("\0\0\0\0\0\0\0"), "" },
    { DNS_SRV, WIRE("\0\1\0\2\3"), NULL },
    { DNS_SRV, WIRE("\0\1\0\2\3\xe1"), NULL },
    { DNS_TXT, WIRE("\6v=spf1\5 -all"), "v=spf1 -all" },
    { DNS_TXT, WIRE("\0"), "" },
    { DNS_TXT, WIRE("\0\1a\0"), "a" },
    { DNS_TXT, WIRE(""), NULL },
    { DNS_TXT, WIRE("\6v=spf"), NULL },
    { DNS_TXT, WIRE("\1a\2b"), NULL },
    { DNS_TLSA, WIRE("\3\1\1\xaa"), "\3\1\1\xaa" },
    { DNS_TLSA, WIRE("\3\1\1"), NULL },
    { DNS_TLSA, WIRE(""), NULL },
    { (enum dns_type)99, WIRE("x"), NULL },
};

static struct text found_text(enum dns_type type, const struct dns_record *r,
                              char address[ENDPOINT_TEXT_MAX])
{
    switch (type) {
    case DNS_A:
    case DNS_AAAA:
        return endpoint_print_address(&r->address, address);
    case DNS_TXT:
    case DNS_TLSA:
        return text_of_bytes(r->data);
    default:
        return text_of(r->name);
    }
}

static void records(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        /* Memory of exactly that size: a sanitizer sees what reads or writes beyond it. */
        uint8_t *wire = malloc(rows[i].len + 1), *room = malloc(rows[i].len + 1);
        assert_non_null(wire);
        assert_non_null(room);
        memcpy(wire + 1, rows[i].wire, rows[i].len);
        struct dns_record r;
        struct bytes data = { wire + 1, rows[i].len };
        bool good = dns_parse_record(rows[i].type, data, room + 1, &r);
        if (good != (rows[i].wanted != NULL))
            fail_msg("row %zu: %s", i, good ? "parsed" : "malformed");
        if (good) {
            char address[ENDPOINT_TEXT_MAX];
            struct text found = found_text(rows[i].type, &r, address);
            if (!text_equal(found, text_of(rows[i].wanted)))
                fail_msg("row %zu: %.*s", i, TEXT_ARGS(found));
            assert_int_equal(r.preference, rows[i].preference);
            assert_int_equal(r.weight, rows[i].weight);
            assert_int_equal(r.port, rows[i].port);
        }
        free(wire);
        free(room);
    }
}

static void every_cut_is_malformed(void **state)
{
    (void)state;
    static const char wire[] = "\0\1\0\2\3\xe1\4pop3\7example\4test";
    uint8_t room[sizeof wire];
    struct dns_record r;
    for (size_t len = 0; len < sizeof wire - 1; len++)
        assert_false(
            dns_parse_record(DNS_SRV, (struct bytes){ (const uint8_t *)wire, len }, room, &r));
    assert_true(
        dns_parse_record(DNS_SRV, (struct bytes){ (const uint8_t *)wire, sizeof wire }, room, &r));
    assert_string_equal(r.name, "pop3.example.test");
}

#define NAME253 SIXTY "abc." SIXTY "abc." SIXTY "abc." SIXTY "a"

static void names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool possible;
    } names[] = {
        { "example.org", true }, { "example.org.", true },
        { "a", true },           { "_25._tcp.mx.a", true },
        { "", false },           { ".", false },
        { "..", false },         { ".a", false },
        { "a..b", false },       { "a..", false },
        { "a b", false },        { "a\\.b", false },
        { "a\x7f", false },      { "\xc3\xa9.x", false },
        { SIXTY "abc", true },   { SIXTY "abcd", false },
        { NAME253, true },       { NAME253 ".", true },
        { NAME253 "b", false },  { "0/25.2.0.192.in-addr.arpa", true },
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (dns_name_possible(text_of(names[i].name)) != names[i].possible)
            fail_msg("%s", names[i].name);
}

static void canonical_names(void **state)
{
    (void)state;
    static const struct {
        const char *name, *wanted;
    } names[] = {
        { "Mail.Example.ORG.", "mail.example.org" },
        { ".", "" },
        { "a\\032b.x", "" },
        { NAME253 ".", NAME253 },
        { NAME253 "bb.", "" },
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char out[DNS_NAME_MAX];
        dns_name_canonical(text_of(names[i].name), out);
        assert_string_equal(out, names[i].wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records),
        cmocka_unit_test(every_cut_is_malformed),
        cmocka_unit_test(names),
        cmocka_unit_test(canonical_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
