/* test_sasl_frame.c - lines of AUTH and what they carry, on both sides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "proto/sasl_frame.h"
#include "proto/sasl_talk.h"

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

/* --- The client's side --- */

static void check_said(struct buffer *out, const char *line)
{
    assert_false(out->failed);
    if (!text_equal(buffer_as_text(out), text_of(line)))
        fail_msg("said %.*s", TEXT_ARGS(buffer_as_text(out)));
    out->len = 0;
}

static void test_talk_begins(void **state)
{
    (void)state;
    static const struct {
        bool has_words;
        const char *words;
        size_t line_max;
        const char *line, *later;
    } cases[] = {
        { false, "", 255, "AUTH PLAIN\r\n", NULL },
        { true, "", 255, "AUTH PLAIN =\r\n", NULL },
        { true, "user", 255, "AUTH PLAIN dXNlcg==\r\n", NULL },
        { true, "user", 20, "AUTH PLAIN\r\n", "dXNlcg==\r\n" },
        { true, "", 20, "AUTH PLAIN\r\n", "\r\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sasl_talk t = { .begun = false };
        struct sasl_words words = { T("PLAIN"), cases[i].has_words, text_of(cases[i].words), true };
        struct buffer out;
        buffer_init(&out, 1024);
        sasl_talk_clear(&t, 512);
        sasl_talk_say(&t, &words, cases[i].line_max, &out);
        check_said(&out, cases[i].line);
        assert_int_equal(sasl_talk_is_done(&t), cases[i].later == NULL);
        assert_int_equal(sasl_talk_hear(&t, T(""), &out),
                         cases[i].later ? SASL_HEARD_GO : SASL_HEARD);
        check_said(&out, cases[i].later ? cases[i].later : "");
        assert_true(sasl_talk_is_done(&t));
        sasl_talk_clear(&t, 0);
        buffer_clear(&out);
    }
}

static void test_talk_goes_on(void **state)
{
    (void)state;
    static const struct {
        const char *challenge;
        enum sasl_heard heard;
        const char *words;
    } cases[] = {
        { "", SASL_HEARD, "" },
        { "=", SASL_HEARD, "" },
        { " dXNlcg== ", SASL_HEARD, "user" },
        { "dXNlcg=", SASL_HEARD_NONSENSE, "" },
        { "**", SASL_HEARD_NONSENSE, "" },
        { "dXNlcm5hbWU6dXNlcm5hbWU6", SASL_HEARD_NO_MEMORY, "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sasl_talk t = { .begun = false };
        struct sasl_words first = { .mechanism = T("X") }, next = { .words = T("user") };
        struct buffer out;
        buffer_init(&out, 1024);
        sasl_talk_clear(&t, 16);
        sasl_talk_say(&t, &first, 255, &out);
        check_said(&out, "AUTH X\r\n");
        assert_false(sasl_talk_is_done(&t));
        assert_int_equal(sasl_talk_hear(&t, text_of(cases[i].challenge), &out), cases[i].heard);
        if (cases[i].heard == SASL_HEARD) {
            assert_true(text_equal(buffer_as_text(&t.challenge), text_of(cases[i].words)));
            sasl_talk_say(&t, &next, 255, &out);
            check_said(&out, "dXNlcg==\r\n");
            assert_int_equal(t.challenge.len, 0);
        }
        sasl_talk_clear(&t, 0);
        buffer_clear(&out);
    }
}

/* A challenge before what had to wait was said: nothing that follows makes the login done. */
static void test_talk_out_of_turn(void **state)
{
    (void)state;
    struct sasl_talk t = { .begun = false };
    struct sasl_words words = { T("PLAIN"), true, T("user"), true };
    char room[64];
    struct buffer out = buffer_over(room, sizeof room);
    sasl_talk_clear(&t, 16);
    sasl_talk_say(&t, &words, 1, &out);
    assert_int_equal(sasl_talk_hear(&t, T("dXNlcg=="), &out), SASL_HEARD);
    sasl_talk_say(&t, &words, 1, &out);
    assert_false(sasl_talk_is_done(&t));
    sasl_talk_clear(&t, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begin),        cmocka_unit_test(test_continue),
        cmocka_unit_test(test_length),       cmocka_unit_test(test_talk_begins),
        cmocka_unit_test(test_talk_goes_on), cmocka_unit_test(test_talk_out_of_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
