/* test_pop3_server.c - POP3 sessions: transcripts however bytes and answers come, every command in
 * every state, and what is too long, too much or not text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "pop3_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Transcripts --- */

static struct buffer transcripts; /* the file, read once */

static void read_transcripts(const char *path)
{
    char piece[4096];
    size_t n;
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(1);
    }
    buffer_init(&transcripts, 1 << 20);
    while ((n = fread(piece, 1, sizeof piece, file)) > 0)
        buffer_append(&transcripts, piece, n);
    fclose(file);
}

/* The lines behind the one that is `head`, up to the next empty line. */
static struct text piece_named(struct text head)
{
    struct text rest = buffer_as_text(&transcripts), line;
    while (text_cut(&rest, '\n', &line))
        if (text_starts(line, T("--- ")) && text_equal(text_skip(line, 4), head)) {
            struct text from = rest;
            while (text_cut(&rest, '\n', &line) && line.len > 0)
                continue;
            return text_first(from, (size_t)(line.at - from.at));
        }
    fail_msg("no piece is named %.*s", TEXT_ARGS(head));
    return T("");
}

/* Takes the next transcript off *rest, with what it includes; false when there is none. */
static bool next_transcript(struct text *rest, struct text *name_out, struct buffer *script)
{
    struct text line;
    buffer_clear(script);
    do {
        if (rest->len == 0)
            return false;
        text_cut(rest, '\n', &line);
    } while (!text_starts(line, T("=== ")));
    *name_out = text_skip(line, 4);
    while (text_cut(rest, '\n', &line) && line.len > 0) {
        if (text_starts(line, T("@ "))) {
            buffer_text(script, piece_named(text_skip(line, 2)));
            continue;
        }
        buffer_text(script, line);
        buffer_byte(script, '\n');
    }
    return true;
}

static unsigned plays;

static void check(struct text name, struct text script, const char *expected,
                  const struct pop3_habits *h)
{
    plays++;
    char *got = pop3_play(script, h);
    if (strcmp(got, expected) != 0) {
        print_error("%.*s: step %d cut %zu input %zu drain %zu slice %zu patience %u\n",
                    TEXT_ARGS(name), h->in_step, h->cut, h->input_max, h->drain_max, h->slice_max,
                    h->patience);
        assert_string_equal(got, expected);
    }
    free(got);
}

static void test_transcripts_line_by_line(void **state)
{
    (void)state;
    static const struct pop3_habits in_step = { .in_step = true };
    struct text rest = buffer_as_text(&transcripts), name;
    struct buffer script;
    buffer_init(&script, 1 << 16);
    unsigned count = 0;
    for (; next_transcript(&rest, &name, &script); count++) {
        char *expected = pop3_expected(buffer_as_text(&script));
        check(name, buffer_as_text(&script), expected, &in_step);
        free(expected);
    }
    buffer_clear(&script);
    assert_true(count > 30);
}

/* Every cut, byte by byte, answers late, writes of an octet, content in slices of any length. */
static void test_transcripts_however_they_come(void **state)
{
    (void)state;
    static const struct pop3_habits ways[] = {
        { 0 },
        { .input_max = 1 },
        { .input_max = 1, .drain_max = 1, .slice_max = 1, .patience = 2 },
        { .input_max = 7, .drain_max = 3, .slice_max = 2 },
        { .slice_max = 1, .patience = 1 },
        { .slice_max = 80 },
        { .drain_max = 1 },
    };
    struct text rest = buffer_as_text(&transcripts), name;
    struct buffer script;
    buffer_init(&script, 1 << 16);
    while (next_transcript(&rest, &name, &script)) {
        char *expected = pop3_expected(buffer_as_text(&script));
        for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
            check(name, buffer_as_text(&script), expected, &ways[i]);
        for (size_t cut = 1; cut < pop3_said(buffer_as_text(&script)); cut++) {
            struct pop3_habits h = { .cut = cut, .slice_max = cut };
            check(name, buffer_as_text(&script), expected, &h);
            h = (struct pop3_habits){
                .cut = cut, .slice_max = 1 + cut % 5, .drain_max = 1, .patience = 1
            };
            check(name, buffer_as_text(&script), expected, &h);
        }
        free(expected);
    }
    buffer_clear(&script);
    assert_true(plays > 4000);
}

/* --- Every command in every state --- */

#define USER_SAID "C: USER ada\n"
#define LOGGED_IN USER_SAID "C: PASS open sesame\n"

static const struct {
    const char *name, *script;
} states[] = {
    { "in the clear", "K: cleartext no\n" },
    { "in the clear, no TLS", "K: cleartext no\nK: offer-tls no\n" },
    { "passwords allowed", "" },
    { "USER said", USER_SAID },
    { "UTF8 said", "C: UTF8\n" },
    { "TLS from the start", "K: tls\nK: cleartext no\n" },
    { "TLS by STLS", "K: cleartext no\nC: STLS\nW:\n" },
    { "logged in", LOGGED_IN },
    { "message 1 deleted", LOGGED_IN "C: DELE 1\n" },
    { "an AUTH exchange", "C: AUTH PLAIN\n" },
};

/* A column for each state: + one line, m several lines, - refused, A refused with [AUTH], > a
 * challenge. */
static const struct {
    const char *command, *replies;
} matrix[] = {
    { "CAPA", "mmmmmmmmmA" },
    { "CAPA x", "----------" },
    { "LANG", "mmmmmmmmmA" },
    { "LANG *", "+++++++++-" },
    { "LANG tlh", "----------" },
    { "NOOP", "-------++A" },
    { "QUIT", "+++++++++A" },
    { "QUIT now", "----------" },
    { "USER ada", "AA+++++---" },
    { "PASS open sesame", "AA-+------" },
    { "PASS wrong", "AA-A------" },
    { "AUTH PLAIN", "AA>>>>>---" },
    { "AUTH PLAIN AGFkYQBvcGVuIHNlc2FtZQ==", "AA+++++---" },
    { "AUTH PLAIN AGFkYQA=", "AAAAAAA---" },
    { "AUTH", "AA-------A" },
    { "STLS", "+-++-----A" },
    { "STLS x", "----------" },
    { "UTF8", "+++++++--A" },
    { "UTF8 x", "----------" },
    { "STAT", "-------++A" },
    { "LIST", "-------mmA" },
    { "LIST 1", "-------+--" },
    { "LIST 2", "-------++-" },
    { "LIST 3", "----------" },
    { "UIDL", "-------mmA" },
    { "UIDL 1", "-------+--" },
    { "UIDL 2", "-------++-" },
    { "UIDL x", "----------" },
    { "RETR 1", "-------m--" },
    { "RETR 2", "-------mm-" },
    { "RETR 9", "----------" },
    { "TOP 1 0", "-------m--" },
    { "TOP 2 1000", "-------mm-" },
    { "TOP 2", "----------" },
    { "DELE 1", "-------+--" },
    { "DELE 2", "-------++-" },
    { "RSET", "-------++A" },
    { "RSET x", "----------" },
    { "APOP ada c4c9334bac560ecc979e58001b3e22fb", "----------" },
    { "XYZZY", "----------" },
    { "USERS ada", "----------" },
    { "", "---------A" },
    { " QUIT", "----------" },
    { "=", "----------" },
    { "AGFkYQBvcGVuIHNlc2FtZQ==", "---------+" },
    { "AGFkYQA=", "---------A" },
};

/* What was said at the end of a transcript, behind `skip` octets of it. */
static char classify(const char *record, size_t skip)
{
    const char *said = strstr(record + skip, "S: ");
    if (!said)
        return '?';
    if (strncmp(said, "S: + \n", 6) == 0)
        return '>';
    if (strncmp(said, "S: -ERR", 7) == 0)
        return strncmp(said, "S: -ERR [AUTH] ", 15) == 0 ? 'A' : '-';
    if (strncmp(said, "S: +OK ", 7) != 0)
        return '?';
    const char *more = strstr(said + 1, "S: ");
    if (!more)
        return '+';
    const char *end = strstr(more, "S: .\n");
    return end && end[5] == '\0' ? 'm' : '?';
}

static void test_every_command_in_every_state(void **state)
{
    (void)state;
    static const struct pop3_habits all_at_once = { 0 };
    for (size_t row = 0; row < sizeof matrix / sizeof *matrix; row++) {
        for (size_t column = 0; column < sizeof states / sizeof *states; column++) {
            char script[512];
            snprintf(script, sizeof script, "%s", states[column].script);
            char *before = pop3_play(text_of(script), &all_at_once);
            snprintf(script, sizeof script, "%sC: %s\n", states[column].script,
                     matrix[row].command);
            char *after = pop3_play(text_of(script), &all_at_once);
            char reply = classify(after, strlen(before));
            if (reply != matrix[row].replies[column])
                fail_msg("\"%s\" in \"%s\" should be %c:\n%s", matrix[row].command,
                         states[column].name, matrix[row].replies[column], after);
            free(before);
            free(after);
        }
    }
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transcripts_line_by_line),
        cmocka_unit_test(test_transcripts_however_they_come),
        cmocka_unit_test(test_every_command_in_every_state),
    };
    if (argc != 2) {
        fprintf(stderr, "usage: test_pop3_server TRANSCRIPTS\n");
        return 2;
    }
    read_transcripts(argv[1]);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buffer_clear(&transcripts);
    return failed;
}
