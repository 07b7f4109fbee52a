/* test_dane.c - what is asked about a host's TLSA records, and what is found: answers of a table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "queue/dane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGEST = 32, RECORD_MAX = 80 };

/* What the answer to a question is. */
enum answer { NONE, NOBODY, SICK, ALIAS, EE, TA, PKIX, SHORT, ODD, MIXED, UNSIGNED };

static const struct {
    enum answer answer;
    enum dns_verdict verdict;
    bool secure;
    const char *records; /* usage, selector, matching and octets of data, of each */
} answers[] = {
    { NONE, DNS_NO_DATA, true, "" },
    { NOBODY, DNS_NO_NAME, true, "" },
    { SICK, DNS_TROUBLE, false, "" },
    { ALIAS, DNS_FOUND, true, "" },
    { EE, DNS_FOUND, true, "3 1 1 32" },
    { TA, DNS_FOUND, true, "2 0 2 64" },
    { PKIX, DNS_FOUND, true, "1 1 1 32,0 0 1 32" },
    { SHORT, DNS_FOUND, true, "3 1 1 31,3 1 1 33,3 1 2 32" },
    { ODD, DNS_FOUND, true, "4 1 1 32,3 2 1 32,3 1 3 32,3 1 0 40,2 0 0 40" },
    { MIXED, DNS_FOUND, true, "1 1 1 32,3 1 1 7,3 1 1 32,255 255 255 9" },
    { UNSIGNED, DNS_FOUND, false, "3 1 1 32" },
};

static void add_record(struct dns_query *q, uint8_t *room, struct text words)
{
    uint64_t numbers[4];
    for (size_t i = 0; i < 4; i++) {
        struct text word;
        assert_true(text_word(&words, &word) && text_to_u64(word, &numbers[i]));
        room[i] = (uint8_t)(i < 3 ? numbers[i] : 0xa5);
    }
    memset(room + 3, 0x5a, numbers[3]);
    q->records[q->record_count++].data = (struct bytes){ room, 3 + numbers[3] };
}

static struct dns_query answer_of(enum answer which)
{
    struct dns_query q = { .verdict = answers[which].verdict, .secure = answers[which].secure };
    struct text rest = text_of(answers[which].records), record;
    assert_int_equal(answers[which].answer, which);
    uint8_t *room;
    q.records = calloc(8, sizeof *q.records + RECORD_MAX);
    assert_non_null(q.records);
    room = (uint8_t *)&q.records[8];
    while (rest.len) {
        text_cut(&rest, ',', &record);
        add_record(&q, room, record);
        room += RECORD_MAX;
    }
    return q;
}

/* 'S' secure, 'I' not secure, '-' no such records, 'T' trouble */
static struct dns_query address_answer(char kind, const char *canonical)
{
    struct dns_query q = { .verdict = kind == '-'   ? DNS_NO_DATA
                                      : kind == 'T' ? DNS_TROUBLE
                                                    : DNS_FOUND,
                           .secure = kind == 'S' || kind == '-' };
    snprintf(q.canonical, sizeof q.canonical, "%s", canonical);
    return q;
}

static const struct {
    const char *addresses; /* AAAA, A */
    const char *canonical;
    enum answer said[2];
    const char *asked;
    enum dane_finding finding;
    const char *base;
} cases[] = {
    { "SS", "", { EE }, "_25._tcp.mx.test ", DANE_USABLE, "mx.test" },
    { "SS", "mx.test", { EE }, "_25._tcp.mx.test ", DANE_USABLE, "mx.test" },
    { "-S", "", { TA }, "_25._tcp.mx.test ", DANE_USABLE, "mx.test" },
    { "TS", "", { EE }, "_25._tcp.mx.test ", DANE_USABLE, "mx.test" },
    { "SS", "", { MIXED }, "_25._tcp.mx.test ", DANE_USABLE, "mx.test" },
    { "SS", "", { PKIX }, "_25._tcp.mx.test ", DANE_UNUSABLE, "" },
    { "SS", "", { SHORT }, "_25._tcp.mx.test ", DANE_UNUSABLE, "" },
    { "SS", "", { ODD }, "_25._tcp.mx.test ", DANE_UNUSABLE, "" },
    { "SS", "", { NONE }, "_25._tcp.mx.test ", DANE_NOTHING, "" },
    { "SS", "", { NOBODY }, "_25._tcp.mx.test ", DANE_NOTHING, "" },
    { "SS", "", { UNSIGNED }, "_25._tcp.mx.test ", DANE_NOTHING, "" },
    { "SS", "", { SICK }, "_25._tcp.mx.test ", DANE_TROUBLE, "" },
    { "II", "", { 0 }, "", DANE_NOTHING, "" },
    { "SI", "", { 0 }, "", DANE_NOTHING, "" },
    { "--", "", { 0 }, "", DANE_NOTHING, "" },
    { "TT", "", { 0 }, "", DANE_NOTHING, "" },
    /* aliases: the expanded name first, then the host's own */
    { "SS", "h.test", { EE }, "_25._tcp.h.test ", DANE_USABLE, "h.test" },
    { "SS", "h.test", { NONE, EE }, "_25._tcp.h.test _25._tcp.mx.test ", DANE_USABLE, "mx.test" },
    { "SS", "h.test", { PKIX }, "_25._tcp.h.test ", DANE_UNUSABLE, "" },
    { "SS", "h.test", { SICK }, "_25._tcp.h.test ", DANE_TROUBLE, "" },
    { "SS", "h.test", { NONE, NONE }, "_25._tcp.h.test _25._tcp.mx.test ", DANE_NOTHING, "" },
    /* a secure alias into a zone that is not */
    { "I-", "h.test", { ALIAS, EE }, "mx.test _25._tcp.mx.test ", DANE_USABLE, "mx.test" },
    { "I-", "h.test", { UNSIGNED }, "mx.test ", DANE_NOTHING, "" },
    { "I-", "h.test", { SICK }, "mx.test ", DANE_TROUBLE, "" },
};

static void run_case(size_t i)
{
    struct dns_query six = address_answer(cases[i].addresses[0], cases[i].canonical);
    struct dns_query four = address_answer(cases[i].addresses[1], cases[i].canonical);
    struct dane_host host = { .name = "mx.test", .port = 25, .addresses = { &six, &four } };
    struct dane d;
    char asked[400] = "", name[DANE_QUESTION_MAX];
    enum dns_type type;
    size_t said = 0;
    dane_begin(&d, &host);
    while (dane_asks(&d, name, &type)) {
        assert_in_range(said, 0, 1);
        assert_int_equal(type, name[0] == '_' ? DNS_TLSA : DNS_CNAME);
        snprintf(asked + strlen(asked), sizeof asked - strlen(asked), "%s ", name);
        struct dns_query q = answer_of(cases[i].said[said++]);
        dane_take(&d, &q);
        assert_null(q.records);
    }
    if (strcmp(asked, cases[i].asked) != 0 || d.finding != cases[i].finding)
        fail_msg("case %zu: %s, %d", i, asked, d.finding);
    if (d.finding == DANE_USABLE)
        assert_true(text_equal(d.base, text_of(cases[i].base)));
    for (size_t k = 0; k < d.used_count; k++)
        assert_int_equal(d.used[k].data.at[0], 0x5a);
    dane_clear(&d);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        run_case(i);
}

static void test_names(void **state)
{
    (void)state;
    struct dns_query address = address_answer('S', "");
    struct dane_host host = { .name = "mx.test",
                              .port = 2525,
                              .addresses = { &address, &address },
                              .names = { T("b.test"), T("") } };
    struct dane d;
    char name[DANE_QUESTION_MAX];
    enum dns_type type;
    dane_begin(&d, &host);
    assert_true(dane_asks(&d, name, &type));
    assert_string_equal(name, "_2525._tcp.mx.test");
    assert_int_equal(d.name_count, 1);
    assert_true(text_equal(d.names[0], T("b.test")));
    dane_clear(&d);
    assert_false(dane_asks(&d, name, &type));
}

/* As many as are kept, and the longest name that there is. */
static void test_limits(void **state)
{
    (void)state;
    struct dns_query address = address_answer('S', ""), many = { .verdict = DNS_FOUND };
    char longest[DNS_NAME_MAX], name[DANE_QUESTION_MAX];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    struct dane_host host = { longest, 65535, { &address, &address }, { T(""), T("") } };
    struct dane d;
    enum dns_type type;
    uint8_t data[3 + DIGEST] = { 3, 1, 1 };
    many.secure = true;
    many.records = calloc(DNS_RECORDS_MAX, sizeof *many.records);
    assert_non_null(many.records);
    for (; many.record_count < DNS_RECORDS_MAX; many.record_count++)
        many.records[many.record_count].data = (struct bytes){ data, sizeof data };
    dane_begin(&d, &host);
    assert_true(dane_asks(&d, name, &type));
    assert_int_equal(strlen(name), strlen("_65535._tcp.") + sizeof longest - 1);
    dane_take(&d, &many);
    assert_int_equal(d.finding, DANE_USABLE);
    assert_int_equal(d.used_count, DANE_USED_MAX);
    dane_clear(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases), cmocka_unit_test(test_names),
                                        cmocka_unit_test(test_limits) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
