/* test_smtp_matrix.c - every command in every state: the code of the first reply to it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "smtp_script.h"

#include <stdio.h>
#include <string.h>

enum { COLUMNS = 22 };

static const char *const commands[COLUMNS] = {
    "EHLO client",
    "HELO client",
    "MAIL FROM:<a@b.example>",
    "RCPT TO:<bob@example.org>",
    "DATA",
    "BDAT 0",
    "BDAT 0 LAST",
    "RSET",
    "NOOP",
    "HELP",
    "VRFY bob",
    "EXPN staff",
    "AUTH PLAIN",
    "STARTTLS",
    "TURN",
    "XYZZY",
    "",
    "MAIL FROM:",
    "BDAT",
    "QUIT",
    "MAIL FROM:<a@b.example> RET=HDRS",
    "RCPT TO:<bob@example.org> NOTIFY=NEVER",
};

#define GREETED "= tls auth\nC: EHLO client\n"
#define SENDER  GREETED "C: MAIL FROM:<a@b.example>\n"
#define READY   SENDER "C: RCPT TO:<bob@example.org>\n"

/* "---" is no reply. */
static const struct state {
    const char *name;
    const char *script; /* leads there */
    const char *codes;  /* one for each command */
} states[] = {
    /*             EHLO    MAIL    DATA    BDAT    NOOP    VRFY    AUTH    TURN    ""  BDAT (no
       size) HELO    RCPT    BDAT    RSET    HELP    EXPN    TLS     ???  MAIL (no path) QUIT, MAIL
       and RCPT of RFC 3461 */
    { "connected", "= tls auth\n",
      "250 250 503 503 503 503 503 250 250 214 252 502 503 503 502 500 500 503 421 221 503 503" },
    { "after HELO", "= tls auth\nC: HELO client\n",
      "250 250 250 503 503 503 503 250 250 214 252 502 334 220 502 500 500 501 421 221 555 503" },
    { "after EHLO", GREETED,
      "250 250 250 503 503 503 503 250 250 214 252 502 334 220 502 500 500 501 421 221 250 503" },
    { "after MAIL", SENDER,
      "250 250 503 250 503 503 503 250 250 214 252 502 503 503 502 500 500 503 421 221 503 250" },
    { "after a refused MAIL", GREETED "C: MAIL FROM:<nosuch@example.org>\n",
      "250 250 250 503 503 503 503 250 250 214 252 502 334 220 502 500 500 501 421 221 250 503" },
    { "after a refused RCPT", SENDER "C: RCPT TO:<nosuch@example.org>\n",
      "250 250 503 250 503 503 503 250 250 214 252 502 503 503 502 500 500 503 421 221 503 250" },
    { "after RCPT", READY,
      "250 250 503 250 354 250 250 250 250 214 252 502 503 503 502 500 500 503 421 221 503 250" },
    { "in DATA", READY "C: DATA\n",
      "--- --- --- --- --- --- --- --- --- --- --- --- --- --- --- --- --- --- --- --- --- ---" },
    { "between chunks", READY "C: BDAT 0\n",
      "250 250 503 503 503 250 250 250 250 214 252 502 503 503 502 500 500 503 421 221 503 503" },
    { "in a chunk", READY "C: BDAT 1000\n",
      "--- --- --- --- --- --- --- --- --- --- --- --- --- --- --- --- --- --- --- --- --- ---" },
    { "in a refused chunk", GREETED "C: BDAT 1000\n",
      "--- --- --- --- --- --- --- --- --- --- --- --- --- --- --- --- --- --- --- --- --- ---" },
    /* Lines of four or eight letters are base64 of something. */
    { "in AUTH", GREETED "C: AUTH PLAIN\n",
      "501 501 501 501 535 501 501 535 535 535 501 501 501 535 535 501 535 501 535 535 501 501" },
    { "after a message", READY "C: DATA\nC: .\n",
      "250 250 250 503 503 503 503 250 250 214 252 502 334 220 502 500 500 501 421 221 250 503" },
    { "after a refused message", READY "C: DATA\nc: \\n\\r\\n.\\r\\n\n",
      "250 250 250 503 503 503 503 250 250 214 252 502 334 220 502 500 500 501 421 221 250 503" },
    { "after a refused DATA",
      GREETED "C: MAIL FROM:<full@b.example>\nC: RCPT TO:<bob@example.org>\nC: DATA\n",
      "250 250 250 503 503 503 503 250 250 214 252 502 334 220 502 500 500 501 421 221 250 503" },
    { "after RSET", READY "C: RSET\n",
      "250 250 250 503 503 503 503 250 250 214 252 502 334 220 502 500 500 501 421 221 250 503" },
    { "logged in", GREETED "C: AUTH PLAIN AGJvYgBzZWNyZXQ=\n",
      "250 250 250 503 503 503 503 250 250 214 250 250 503 503 502 500 500 501 421 221 250 503" },
    { "TLS is up", GREETED "C: STARTTLS\n! tls\n",
      "250 250 503 503 503 503 503 250 250 214 252 502 503 503 502 500 500 503 421 221 503 503" },
    { "after EHLO in TLS", GREETED "C: STARTTLS\n! tls\nC: EHLO client\n",
      "250 250 250 503 503 503 503 250 250 214 252 502 334 503 502 500 500 501 421 221 250 503" },
    { "submission, after EHLO", "= submission\n" GREETED,
      "250 250 530 503 503 503 503 250 250 214 252 502 334 220 502 500 500 530 421 221 530 503" },
    { "a chunk was lost", GREETED "C: BDAT x\n",
      "--- --- --- --- --- --- --- --- --- --- --- --- --- --- --- --- --- --- --- --- --- ---" },
};

/* Plays the script and gives the text of its log. */
static struct text play(const char *name, const char *lines, struct buffer *log)
{
    struct script *script = script_parse(name, lines);
    buffer_init(log, 1 << 20);
    assert_true(script_play(script, &(struct script_weather){ .lockstep = true }, log));
    script_free(&script);
    return buffer_as_text(log);
}

/* The code of the first reply in these log lines. */
static void find_code(struct text lines, char code[4])
{
    struct text line;
    while (text_cut(&lines, '\n', &line))
        if (text_starts(line, T("S: "))) {
            memcpy(code, line.at + 3, 3);
            return;
        }
}

static void test_state(void **state)
{
    const struct state *s = *state;
    struct buffer before, after;
    size_t common = play(s->name, s->script, &before).len;
    assert_int_equal(strlen(s->codes), COLUMNS * 4 - 1);
    bool wrong = false;
    for (size_t i = 0; i < COLUMNS; i++) {
        char lines[1000], code[4] = "---", expected[4] = "";
        snprintf(lines, sizeof lines, "%sC: %s\n", s->script, commands[i]);
        find_code(text_skip(play(s->name, lines, &after), common), code);
        memcpy(expected, s->codes + i * 4, 3);
        if (strcmp(code, expected) != 0) {
            print_error("%s: %s: %s instead of %s\n", s->name, commands[i], code, expected);
            wrong = true;
        }
        buffer_clear(&after);
    }
    buffer_clear(&before);
    assert_false(wrong);
}

int main(void)
{
    enum { STATES = sizeof states / sizeof *states };
    static struct CMUnitTest tests[STATES];
    for (size_t i = 0; i < STATES; i++)
        tests[i] = (struct CMUnitTest){ states[i].name, test_state, NULL, NULL,
                                        (void *)(uintptr_t)&states[i] };
    return _cmocka_run_group_tests("matrix", tests, STATES, NULL, NULL);
}
