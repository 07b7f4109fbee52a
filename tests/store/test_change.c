/* test_change.c - changes and message ids: what is written is read, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "store/local/change.h"

#include <string.h>

/* A macro, since a constant may not stand in a static initializer. */
#define FACTS                                                                                      \
    {                                                                                              \
        .octets = 5000000000u, .received = 7, .line_longest = 998, .dot_lines = true,              \
        .eight_bit = true, .bare_cr_or_lf = true,                                                  \
    }

static const struct change changes[] = {
    { .kind = CHANGE_MAILBOX,
      .mailbox = 0x0123456789abcdef,
      .modseq = INT64_MAX,
      .uid_validity = 1,
      .uid_next = UINT32_MAX,
      .when_ms = -1,
      .words = TEXT("info@example.org") },
    { .kind = CHANGE_MESSAGE, .message = INT64_MAX, .when_ms = INT64_MIN, .facts = FACTS },
    { .kind = CHANGE_MESSAGE, .message = 1, .words = TEXT("a@b"), .facts = { .has_nul = true } },
    { .kind = CHANGE_PLACED,
      .mailbox = 1,
      .message = 2,
      .uid = 3,
      .modseq = 4,
      .flags = 5,
      .when_ms = 6,
      .words = TEXT("Return-Path: <>\r\nDelivered-To: info@example.org\r\n"),
      .facts = { .octets = 49, .ends_with_crlf = true } },
    { .kind = CHANGE_EXPUNGED, .mailbox = 8, .uid = UINT32_MAX, .modseq = 9 },
    { .kind = CHANGE_PURGED, .mailbox = 10 },
    { .kind = CHANGE_RECIPIENT,
      .row = { .message = 11,
               .number = UINT32_MAX,
               .generation = 12,
               .state = QUEUE_EXPIRED,
               .held = true,
               .attempts = 13,
               .due_ms = -14,
               .address = TEXT("someone@b.test"),
               .domain = TEXT("b.test"),
               .last = TEXT("450 4.2.1 later"),
               .notify = 15,
               .orcpt = TEXT("rfc822;else@c.test") } },
    { .kind = CHANGE_RECIPIENT,
      .row = { .message = 1, .generation = 1, .warned = true, .domain = TEXT("b") } },
    { .kind = CHANGE_ENVELOPE, .message = 16, .envelope = { TEXT("HDRS"), TEXT("QQ1"), true } },
    { .kind = CHANGE_ENVELOPE, .message = 17 },
    { .kind = CHANGE_ENVELOPE, .message = 18, .envelope = { .requires_tls = true } },
    { .kind = CHANGE_ENVELOPE,
      .message = 19,
      .envelope = { .utf8 = true, .waives_tls = true, .binary = true } },
};
enum { CHANGES = sizeof changes / sizeof *changes };

static void assert_same_row(const struct queue_row *a, const struct queue_row *b)
{
    assert_true(a->message == b->message);
    assert_int_equal(a->number, b->number);
    assert_int_equal(a->generation, b->generation);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->held, b->held);
    assert_int_equal(a->warned, b->warned);
    assert_int_equal(a->attempts, b->attempts);
    assert_true(a->due_ms == b->due_ms);
    assert_true(text_equal(a->address, b->address));
    assert_true(text_equal(a->domain, b->domain));
    assert_true(text_equal(a->last, b->last));
    assert_int_equal(a->notify, b->notify);
    assert_true(text_equal(a->orcpt, b->orcpt));
}

static void assert_same(const struct change *a, const struct change *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_true(a->mailbox == b->mailbox);
    assert_true(a->message == b->message);
    assert_int_equal(a->uid, b->uid);
    assert_true(a->modseq == b->modseq);
    assert_int_equal(a->uid_validity, b->uid_validity);
    assert_int_equal(a->uid_next, b->uid_next);
    assert_int_equal(a->flags, b->flags);
    assert_true(a->when_ms == b->when_ms);
    assert_true(text_equal(a->words, b->words));
    assert_true(a->facts.octets == b->facts.octets);
    assert_int_equal(a->facts.received, b->facts.received);
    assert_int_equal(a->facts.line_longest, b->facts.line_longest);
    assert_int_equal(a->facts.dot_lines, b->facts.dot_lines);
    assert_int_equal(a->facts.ends_with_crlf, b->facts.ends_with_crlf);
    assert_int_equal(a->facts.eight_bit, b->facts.eight_bit);
    assert_int_equal(a->facts.has_nul, b->facts.has_nul);
    assert_int_equal(a->facts.bare_cr_or_lf, b->facts.bare_cr_or_lf);
    assert_same_row(&a->row, &b->row);
    assert_true(text_equal(a->envelope.ret, b->envelope.ret));
    assert_true(text_equal(a->envelope.envid, b->envelope.envid));
    assert_int_equal(a->envelope.utf8, b->envelope.utf8);
    assert_int_equal(a->envelope.requires_tls, b->envelope.requires_tls);
    assert_int_equal(a->envelope.waives_tls, b->envelope.waives_tls);
    assert_int_equal(a->envelope.binary, b->envelope.binary);
}

static struct buffer encoded(void)
{
    struct buffer b;
    buffer_init(&b, 4096);
    for (size_t i = 0; i < CHANGES; i++)
        assert_true(change_encode(&b, &changes[i]));
    return b;
}

static void test_what_is_written_is_read(void **state)
{
    (void)state;
    struct buffer b = encoded();
    struct bytes rest = buffer_bytes(&b);
    struct change c;
    for (size_t i = 0; i < CHANGES; i++) {
        assert_true(change_decode(&rest, &c));
        assert_same(&changes[i], &c);
    }
    assert_int_equal(rest.len, 0);
    assert_false(change_decode(&rest, &c));
    buffer_clear(&b);
}

/* The octets are a promise: a change here is a new format version. */
static void test_octets_stay(void **state)
{
    (void)state;
    static const uint8_t expected[] = {
        4,    0,    0,    0,    20, 0, 0, 0,    /* kind, octets that follow */
        0xef, 0xcd, 0xab, 0x89, 0,  0, 0, 0x01, /* mailbox */
        3,    0,    0,    0,                    /* uid */
        0xff, 0,    0,    0,    0,  0, 0, 0,    /* modseq */
    };
    struct change c = {
        .kind = CHANGE_EXPUNGED, .mailbox = 0x0100000089abcdef, .uid = 3, .modseq = 255
    };
    struct buffer b;
    buffer_init(&b, 100);
    assert_true(change_encode(&b, &c));
    assert_int_equal(b.len, sizeof expected);
    assert_memory_equal(b.at, expected, sizeof expected);
    buffer_clear(&b);
}

static void test_octets_of_a_row_stay(void **state)
{
    (void)state;
    static const uint8_t expected[] = {
        6,    0,    0,    0,    66,   0,    0,    0,    /* kind, octets that follow */
        0xef, 0xcd, 0xab, 0x89, 0,    0,    0,    0x01, /* message */
        7,    0,    0,    0,    8,    0,    0,    0,    /* number, generation */
        2,    0,    0,    0,    3,    0,    0,    0,    /* state, bits */
        9,    0,    0,    0,                            /* attempts */
        0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* due */
        4,    0,    0,    0,                            /* NOTIFY */
        3,    0,    0,    0,    'x',  '@',  'b',        /* address */
        1,    0,    0,    0,    'b',                    /* domain */
        2,    0,    0,    0,    'o',  'r',              /* ORCPT */
        'l',  'a',  's',  't',  '!',  '!',  '!',  '!',  /* the last attempt */
    };
    struct change c = { .kind = CHANGE_RECIPIENT,
                        .row = { .message = 0x0100000089abcdef,
                                 .number = 7,
                                 .generation = 8,
                                 .state = QUEUE_BOUNCED,
                                 .held = true,
                                 .warned = true,
                                 .attempts = 9,
                                 .due_ms = -2,
                                 .address = T("x@b"),
                                 .domain = T("b"),
                                 .last = T("last!!!!"),
                                 .notify = 4,
                                 .orcpt = T("or") } };
    struct buffer b;
    buffer_init(&b, 100);
    assert_true(change_encode(&b, &c));
    assert_int_equal(b.len, sizeof expected);
    assert_memory_equal(b.at, expected, sizeof expected);
    buffer_clear(&b);
}

static void test_every_cut_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < CHANGES; i++) {
        struct buffer b;
        buffer_init(&b, 4096);
        assert_true(change_encode(&b, &changes[i]));
        for (size_t len = 0; len < b.len; len++) {
            struct bytes cut = { b.at, len }, rest = cut;
            struct change c;
            assert_false(change_decode(&rest, &c));
            assert_true(rest.at == cut.at && rest.len == cut.len);
        }
        buffer_clear(&b);
    }
}

static void test_what_cannot_be_is_refused_both_ways(void **state)
{
    (void)state;
    static const struct change bad[] = {
        { .kind = (enum change_kind)0, .mailbox = 1 },
        { .kind = (enum change_kind)8, .mailbox = 1 },
        { .kind = CHANGE_RECIPIENT, .row = { .generation = 1 } },
        { .kind = CHANGE_RECIPIENT, .row = { .message = 1 } },
        { .kind = CHANGE_RECIPIENT,
          .row = { .message = 1, .generation = 1, .state = (enum queue_state)5 } },
        { .kind = CHANGE_RECIPIENT,
          .row = { .message = 1, .generation = 1, .domain = { "", CHANGE_DOMAIN_MAX + 1 } } },
        { .kind = CHANGE_RECIPIENT,
          .row = { .message = 1, .generation = 1, .last = { "", CHANGE_WORDS_MAX + 1 } } },
        { .kind = CHANGE_ENVELOPE },
        { .kind = CHANGE_PURGED },
        { .kind = CHANGE_PURGED, .mailbox = (uint64_t)1 << 63 },
        { .kind = CHANGE_EXPUNGED, .mailbox = 1, .modseq = 1 },
        { .kind = CHANGE_EXPUNGED, .mailbox = 1, .uid = 1, .modseq = (uint64_t)1 << 63 },
        { .kind = CHANGE_MESSAGE },
        { .kind = CHANGE_MESSAGE, .message = 1, .facts = { .octets = (uint64_t)1 << 63 } },
        { .kind = CHANGE_MAILBOX, .mailbox = 1, .uid_next = 1 },
        { .kind = CHANGE_MAILBOX, .mailbox = 1, .uid_validity = 1 },
        { .kind = CHANGE_MESSAGE, .message = 1, .words = { "", CHANGE_WORDS_MAX + 1 } },
    };
    struct buffer b;
    buffer_init(&b, 4096);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(change_encode(&b, &bad[i]));
        assert_int_equal(b.len, 0);
    }
    /* The same in octets: a mailbox of 0, a uid of 0, words where there are none, unknown facts. */
    static const struct {
        size_t change, at;
        uint8_t octet;
    } flips[] = {
        { 5, 8, 0 },
        { 5, 15, 0x80 },
        { 5, 0, 99 },
        { 5, 1, 1 },
        { 5, 4, 9 },
        { 5, 4, 7 },
        { 2, 40, 32 },
        { 2, 43, 1 },
        /* A row: its message, generation, state, bits, the length of its address; unknown bits of
         * an envelope, the length of its first text. */
        { 7, 8, 0 },
        { 7, 20, 0 },
        { 7, 24, 5 },
        { 7, 28, 4 },
        { 7, 48, 99 },
        { 7, 51, 1 },
        { 9, 16, 16 },
        { 9, 20, 9 },
    };
    for (size_t i = 0; i < sizeof flips / sizeof *flips; i++) {
        assert_true(change_encode(&b, &changes[flips[i].change]));
        assert_true(buffer_byte(&b, 0));
        struct bytes rest = buffer_bytes(&b);
        struct change c;
        assert_true(change_decode(&rest, &c));
        rest = buffer_bytes(&b);
        b.at[flips[i].at] = flips[i].octet;
        assert_false(change_decode(&rest, &c));
        b.len = 0;
    }
    buffer_clear(&b);
}

static void test_no_room_leaves_nothing_behind(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 60);
    assert_true(change_encode(&b, &changes[4]));
    size_t len = b.len;
    assert_false(change_encode(&b, &changes[3]));
    assert_int_equal(b.len, len);
    buffer_clear(&b);
}

static void test_message_ids(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        bool ok;
        message_id id;
    } cases[] = {
        { "0000000000001", true, 1 },
        { "000000000000z", true, 31 },
        { "0000000000010", true, 32 },
        { "7zzzzzzzzzzzz", true, INT64_MAX },
        { "0g00000000000", true, (message_id)16 << 55 },
        { "0000000000000", false, 0 },
        { "8000000000000", false, 0 },
        { "z000000000000", false, 0 },
        { "000000000001", false, 0 },
        { "00000000000001", false, 0 },
        { "000000000000i", false, 0 },
        { "000000000000l", false, 0 },
        { "000000000000o", false, 0 },
        { "000000000000u", false, 0 },
        { "000000000000A", false, 0 },
        { "00000000000/1", false, 0 },
        { "", false, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        message_id id = 0;
        char out[MESSAGE_ID_TEXT + 1];
        assert_int_equal(message_id_parse(text_of(cases[i].words), &id), cases[i].ok);
        if (!cases[i].ok)
            continue;
        assert_true(id == cases[i].id);
        assert_string_equal(message_id_print(id, out).at, cases[i].words);
    }
    message_id id;
    assert_false(message_id_parse((struct text){ "000000000000\0", 13 }, &id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_is_read),
        cmocka_unit_test(test_octets_stay),
        cmocka_unit_test(test_octets_of_a_row_stay),
        cmocka_unit_test(test_every_cut_is_refused),
        cmocka_unit_test(test_what_cannot_be_is_refused_both_ways),
        cmocka_unit_test(test_no_room_leaves_nothing_behind),
        cmocka_unit_test(test_message_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
