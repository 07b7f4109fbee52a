/* test_sasl_frame.c - lines of AUTH and what they carry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "proto/sasl_frame.h"

#include <stdlib.h>
#include <string.h>

static void test_begin(void **state)
{
    (void)state;
    static const struct {
        const char *arguments;
        enum sasl_frame_verdict verdict;
        const char *mechanism;
        bool initial;
        struct text words;
    } cases[] = {
        { "PLAIN", SASL_FRAME_OK, "PLAIN", false, TEXT("") },
        { "plain", SASL_FRAME_OK, "PLAIN", false, TEXT("") },
        { "PLAIN =", SASL_FRAME_OK, "PLAIN", true, TEXT("") },
        { "plain AHVzZXIAc2VjcmV0", SASL_FRAME_OK, "PLAIN", true, TEXT("\0user\0secret") },
        { "SCRAM-SHA-256-PLUS", SASL_FRAME_OK, "SCRAM-SHA-256-PLUS", false, TEXT("") },
        { "LOGIN  dXNlcg== ", SASL_FRAME_OK, "LOGIN", true, TEXT("user") },
        { "", SASL_FRAME_SYNTAX, "", false, TEXT("") },
        { "PLAIN a b", SASL_FRAME_SYNTAX, "", false, TEXT("") },
        { "CRAM-MD5", SASL_FRAME_UNKNOWN, "", false, TEXT("") },
        { "PLAI", SASL_FRAME_UNKNOWN, "", false, TEXT("") },
        { "PLAINER", SASL_FRAME_UNKNOWN, "", false, TEXT("") },
        { "PLAIN *", SASL_FRAME_MALFORMED, "", false, TEXT("") },
        { "PLAIN ==", SASL_FRAME_MALFORMED, "", false, TEXT("") },
        { "PLAIN abc", SASL_FRAME_MALFORMED, "", false, TEXT("") },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sasl_frame f = { 0 };
        struct text arguments = text_of(cases[i].arguments);
        assert_int_equal(
            sasl_frame_begin(&f, arguments, T("PLAIN LOGIN SCRAM-SHA-256-PLUS"), arguments.len + 7),
            cases[i].verdict);
        assert_true(text_equal(sasl_frame_mechanism(&f), text_of(cases[i].mechanism)));
        assert_int_equal(f.initial, cases[i].initial);
        assert_true(text_equal(sasl_frame_words(&f), cases[i].words));
        sasl_frame_wipe(&f);
    }
}

static void test_continue(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum sasl_frame_verdict verdict;
        const char *words;
    } cases[] = {
        { "", SASL_FRAME_OK, "" },         { "dXNlcg==", SASL_FRAME_OK, "user" },
        { "*", SASL_FRAME_CANCELLED, "" }, { "**", SASL_FRAME_MALFORMED, "" },
        { "=", SASL_FRAME_MALFORMED, "" }, { "dXNlcg== ", SASL_FRAME_MALFORMED, "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sasl_frame f = { 0 };
        assert_int_equal(sasl_frame_continue(&f, text_of(cases[i].line)), cases[i].verdict);
        assert_true(text_equal(sasl_frame_words(&f), text_of(cases[i].words)));
        assert_int_equal(f.mechanism_len, 0);
        sasl_frame_wipe(&f);
    }
}

static void test_length(void **state)
{
    (void)state;
    static char line[SASL_LINE_MAX];
    struct sasl_frame f = { 0 };
    memset(line, 'A', sizeof line);
    assert_int_equal(sasl_frame_continue(&f, (struct text){ line, SASL_LINE_MAX - 4 }),
                     SASL_FRAME_OK);
    assert_int_equal(f.words.len, (SASL_LINE_MAX - 4) / 4 * 3);
    assert_int_equal(sasl_frame_continue(&f, (struct text){ line, SASL_LINE_MAX }),
                     SASL_FRAME_TOO_LONG);
    assert_int_equal(f.words.len, 0);
    assert_int_equal(sasl_frame_begin(&f, T("PLAIN"), T("PLAIN"), SASL_LINE_MAX + 1),
                     SASL_FRAME_TOO_LONG);
    sasl_frame_wipe(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begin),
        cmocka_unit_test(test_continue),
        cmocka_unit_test(test_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
