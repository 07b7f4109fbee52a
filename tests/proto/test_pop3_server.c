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

static void check(struct text name, struct text script, const char *expected,
                  const struct pop3_habits *h)
{
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
        }
        free(expected);
    }
    buffer_clear(&script);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transcripts_line_by_line),
        cmocka_unit_test(test_transcripts_however_they_come),
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
