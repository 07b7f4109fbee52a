/* test_header.c - header fields as slices, unfolding, and the Received counter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "mail/header.h"

#include <string.h>

static void test_fields(void **state)
{
    (void)state;
    static const char message[] = "From: a@b\r\n"
                                  "To :c@d,\r\n\te@f\r\n"
                                  "X-Empty:\r\n"
                                  "X-Lf: one\n two\n"
                                  "X-Blank-Fold: a\r\n \r\n\tb\r\n"
                                  "\r\n"
                                  "Body: no\r\n";
    static const struct {
        struct text name, value, whole;
    } want[] = {
        { TEXT("From"), TEXT(" a@b"), TEXT("From: a@b\r\n") },
        { TEXT("To"), TEXT("c@d,\r\n\te@f"), TEXT("To :c@d,\r\n\te@f\r\n") },
        { TEXT("X-Empty"), TEXT(""), TEXT("X-Empty:\r\n") },
        { TEXT("X-Lf"), TEXT(" one\n two"), TEXT("X-Lf: one\n two\n") },
        { TEXT("X-Blank-Fold"), TEXT(" a\r\n \r\n\tb"), TEXT("X-Blank-Fold: a\r\n \r\n\tb\r\n") },
    };
    struct text rest = text_of(message);
    struct header_field field;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        assert_true(header_next(&rest, &field));
        assert_true(text_equal(field.name, want[i].name));
        assert_true(text_equal(field.value, want[i].value));
        assert_true(text_equal(field.whole, want[i].whole));
    }
    assert_false(header_next(&rest, &field));
    assert_true(text_equal(rest, T("\r\nBody: no\r\n")));
    assert_int_equal(header_length(text_of(message)), sizeof message - 1 - rest.len);
}

/* Where a header ends: its length in octets. */
static void test_ends(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        size_t length;
    } cases[] = {
        { "", 0 },
        { "\r\n", 0 },
        { "\r\nA: b\r\n", 0 },
        { "\nA: b\r\n", 0 },
        { "A: b", 4 },
        { "A: b\r\n", 6 },
        { "A: b\r\n\r\n", 6 },
        { "A: b\n\n", 5 },
        { "A: b\r\n c", 8 },
        { "A: b\r\nhello, this is the body\r\n", 6 },
        { " A: b\r\n", 0 },
        { ": b\r\n", 0 },
        { "A b: c\r\n", 0 },
        { "A\r\n", 0 },
        { "A", 0 },
        { "A \t:b\r\n", 7 },
        { "\xc3\xa9: b\r\n", 0 },
        { "A:\r\n\r\n", 4 },
        { "A:\rB: c\r\n", 9 },
        { "From root Mon Jan  1 00:00:00 2026\r\nA: b\r\n", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(header_length(text_of(cases[i].message)), cases[i].length);
}

static void test_find(void **state)
{
    (void)state;
    struct text message = T("Subject: one\r\nSUBJECT: two\r\nTo: x\r\n\r\nCc: y\r\n");
    struct header_field field;
    assert_true(header_find(message, T("subject"), &field));
    assert_true(text_equal(field.value, T(" one")));
    assert_true(header_find(message, T("TO"), &field));
    assert_false(header_find(message, T("Cc"), &field));
    assert_false(header_find(message, T("Subj"), &field));
}

static void test_unfold(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        const char *line;
    } cases[] = {
        { "", "" },
        { " a", "a" },
        { " a\r\n b", "a b" },
        { " a \r\n\t  b\n c", "a b c" },
        { "\r\n a", "a" },
        { " a\r\n \r\n b", "a b" },
        { " a  b ", "a  b" },
        { " a\r\n ", "a" },
        { " a\rb", "a b" },
        { " 0123456789", "01234567" },
        { " 0123456\r\n b", "0123456 " },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[8];
        struct text line = header_unfold(text_of(cases[i].value), out, sizeof out);
        assert_true(text_equal(line, text_of(cases[i].line)));
    }
    char out[8]; /* NUL is an octet like others */
    assert_true(text_equal(header_unfold(T("a\r\0\0"), out, sizeof out), T("a \0\0")));
}

static void test_skip_space(void **state)
{
    (void)state;
    static const struct {
        const char *value, *rest;
    } cases[] = {
        { "", "" },
        { "a b", "a b" },
        { " \t\r\n a ", "a " },
        { "(c)a", "a" },
        { " (c (d) \\) e) (f)\r\n a", "a" },
        { "(c", "" },
        { "(c\\", "" },
        { ") a", ") a" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text rest = text_of(cases[i].value);
        header_skip_space(&rest);
        assert_true(text_equal(rest, text_of(cases[i].rest)));
    }
}

static void test_received_counter(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        uint32_t received;
    } cases[] = {
        { "", 0 },
        { "Received: a\r\n", 1 },
        { "RECEIVED: a\r\nreceived:b\r\nReceived \t: c\r\n", 3 },
        { "Received:", 1 },
        { "Received", 0 },
        { "Received\r\n: a\r\n", 0 },
        { "Received-SPF: a\r\nX-Received: b\r\nReceive: c\r\nReceivedd: d\r\n", 0 },
        { "Subject: a\r\n Received: b\r\n\tReceived: c\r\nReceived: d\r\n", 1 },
        { "Received: a\r\n\r\nReceived: b\r\n", 1 },
        { "Received: a\n\nReceived: b\n", 1 },
        { "\r\nReceived: a\r\n", 0 },
        { "\nReceived: a\r\n", 0 },
        { "\r\rReceived: a\r\nReceived: b\r\n", 1 },
        { "\rReceived: a\r\nReceived: b\r\n", 1 },
        { "A: b\r\nno field\r\nReceived: c\r\n", 1 },
        { "Received: a\rReceived: b\r\n", 1 },
        { "ReReceived: a\r\n", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text message = text_of(cases[i].message);
        for (size_t cut = 0; cut <= message.len; cut++) {
            struct header_counter two = { 0 };
            header_count(&two, bytes_of_text(text_first(message, cut)));
            header_count(&two, bytes_of_text(text_skip(message, cut)));
            assert_int_equal(two.received, cases[i].received);
        }
        struct header_counter each = { 0 };
        for (size_t at = 0; at < message.len; at++)
            header_count(&each, bytes_of_text(text_first(text_skip(message, at), 1)));
        assert_int_equal(each.received, cases[i].received);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),     cmocka_unit_test(test_ends),
        cmocka_unit_test(test_find),       cmocka_unit_test(test_unfold),
        cmocka_unit_test(test_skip_space), cmocka_unit_test(test_received_counter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
