/* test_agent_trace.c - a conversation as people read it: no cut, no order shows a secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "agent/trace.h"

#include <stdio.h>
#include <string.h>

enum { HEARD_MAX = 64 * 1024 };

static void note(void *owner, enum trace_side side, enum trace_kind kind, struct text line)
{
    static const char marks[] = { [TRACE_CLIENT] = 'C', [TRACE_SERVER] = 'S', [TRACE_NOTE] = '-' };
    (void)kind;
    struct buffer *b = owner;
    buffer_printf(b, "%c %.*s|", marks[side], TEXT_ARGS(line));
}

struct said {
    enum trace_side side;
    enum trace_kind kind;
    const char *words;
};

/* Says it all in pieces of `cut` octets; the server's lines stand between. */
static void play(const struct said *dialogue, size_t count, size_t cut, struct buffer *heard)
{
    struct trace to = { note, heard };
    struct trace_session t;
    trace_begin(&t, &to);
    for (size_t i = 0; i < count; i++) {
        struct text rest = text_of(dialogue[i].words);
        while (rest.len) {
            struct bytes piece = bytes_of_text(text_first(rest, cut));
            if (dialogue[i].side == TRACE_SERVER) {
                trace_heard(&t, dialogue[i].kind, piece);
            } else {
                trace_said(&t, dialogue[i].kind, piece);
                trace_drained(&t, piece.len);
            }
            rest = text_skip(rest, cut);
        }
    }
    trace_clear(&t);
}

#define C TRACE_CLIENT
#define S TRACE_SERVER

static void test_masks(void **state)
{
    (void)state;
    static const struct said dialogue[] = {
        { S, TRACE_WORDS, "220 mx\r\n" },
        { C, TRACE_WORDS, "AUTH PLAIN AGEAc2VjcmV0\r\n" },
        { S, TRACE_WORDS, "235 ok\r\n" },
        { C, TRACE_WORDS, "auth login\r\n" },
        { S, TRACE_WORDS, "334 VXNlcm5hbWU6\r\n" },
        { C, TRACE_SECRET, "c2VjcmV0\r\n" },
        { C, TRACE_WORDS, "USER a@a.test\r\nPASS my secret\r\n" },
        { C, TRACE_WORDS, "pass secret\r\nNOOP\r\n" },
    };
    static const char wanted[] = "S 220 mx|C AUTH PLAIN ***|S 235 ok|C auth login|"
                                 "S 334 VXNlcm5hbWU6|C ***|C USER a@a.test|C PASS ***|"
                                 "C PASS ***|C NOOP|";
    for (size_t cut = 1; cut < 40; cut++) {
        struct buffer heard;
        buffer_init(&heard, HEARD_MAX);
        play(dialogue, sizeof dialogue / sizeof *dialogue, cut, &heard);
        buffer_byte(&heard, '\0');
        assert_string_equal((const char *)heard.at, wanted);
        buffer_clear(&heard);
    }
}

/* A password that is longer than a line is shown in pieces: none of them is. */
static void test_long_secret(void **state)
{
    (void)state;
    static char line[3 * TRACE_LINE_MAX];
    memset(line, 'x', sizeof line);
    memcpy(line, "PASS ", 5);
    memcpy(line + sizeof line - 8, "\r\nNOOP\r", 7);
    line[sizeof line - 1] = '\0';
    for (size_t cut = 1; cut < sizeof line; cut += 777) {
        struct said one = { C, TRACE_WORDS, line };
        struct buffer heard;
        buffer_init(&heard, HEARD_MAX);
        play(&one, 1, cut, &heard);
        buffer_byte(&heard, '\0');
        assert_string_equal((const char *)heard.at, "C PASS ***|");
        buffer_clear(&heard);
    }
}

/* So many spaces stand before it that its verb is cut. */
static void test_secret_behind_spaces(void **state)
{
    (void)state;
    for (size_t spaces = TRACE_LINE_MAX - 12; spaces < TRACE_LINE_MAX + 2; spaces++) {
        char line[TRACE_LINE_MAX + 64];
        snprintf(line, sizeof line, "%*sAUTH PLAIN secret\r\nNOOP\r\n", (int)spaces, "");
        struct said one = { C, TRACE_WORDS, line };
        struct buffer heard;
        buffer_init(&heard, HEARD_MAX);
        play(&one, 1, 1000, &heard);
        buffer_byte(&heard, '\0');
        assert_null(strstr((const char *)heard.at, "secret"));
        assert_non_null(strstr((const char *)heard.at, "C NOOP|"));
        buffer_clear(&heard);
    }
}

static void test_content_is_cut(void **state)
{
    (void)state;
    static char body[TRACE_CONTENT_MAX + 102];
    for (size_t i = 0; i + 1 < sizeof body; i += 1)
        body[i] = i % 64 == 63 ? '\n' : 'b';
    struct said dialogue[] = { { C, TRACE_WORDS, "DATA\r\n" },
                               { C, TRACE_CONTENT, body },
                               { C, TRACE_WORDS, ".\r\n" } };
    struct buffer heard;
    buffer_init(&heard, HEARD_MAX);
    play(dialogue, 3, 1000, &heard);
    buffer_byte(&heard, '\0');
    const char *end = strstr((const char *)heard.at, "- C: ... 101 octets more|C .|");
    assert_non_null(end);
    assert_int_equal(end[strlen("- C: ... 101 octets more|C .|")], '\0');
    buffer_clear(&heard);
}

static void test_nobody_listens(void **state)
{
    (void)state;
    struct trace_session t;
    trace_begin(&t, NULL);
    trace_said(&t, TRACE_WORDS, bytes_of_text(T("PASS secret\r\n")));
    trace_heard(&t, TRACE_WORDS, bytes_of_text(T("+OK\r\n")));
    trace_note(&t, "nothing");
    assert_int_equal(t.lines[C].len + t.lines[S].len, 0);
    trace_clear(&t);
}

static void test_challenges(void **state)
{
    (void)state;
    static const struct {
        const char *line, *wanted; /* NULL: none */
    } cases[] = {
        { "334 VXNlcm5hbWU6", "Username:" },
        { "334 UGFzc3dvcmQ6", "Password:" },
        { "334 ", NULL },
        { "334", NULL },
        { "334 not base64!", NULL },
        { "334 AAECAw==", NULL }, /* not for people */
        { "334 G1szMW0=", NULL }, /* an escape sequence */
        { "235 VXNlcm5hbWU6", NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[TRACE_CHALLENGE_MAX] = "";
        bool is = trace_challenge(text_of(cases[i].line), out);
        assert_int_equal(is, cases[i].wanted != NULL);
        if (is)
            assert_string_equal(out, cases[i].wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_masks),          cmocka_unit_test(test_long_secret),
        cmocka_unit_test(test_content_is_cut), cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_challenges),     cmocka_unit_test(test_secret_behind_spaces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
