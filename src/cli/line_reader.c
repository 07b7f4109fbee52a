/* line_reader.c - lines from a person, through libedit or plainly.
 *
 * While a line is edited the terminal sends no signals for keys: Ctrl-C is bound to a function that
 * ends the line, Ctrl-Z to one that sends the signal.
 */
#include "cli/line_reader.h"

#include "base/check.h"
#include "mail/harmless.h"
#include "run/charset.h"
#include "run/late.h"

#include <errno.h>
#include <histedit.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HISTORY_LINES = 500, OFFERS_MAX = 200, OFFER_MAX = 320 };

/* What is called of libedit, which only a person at a terminal needs. */
struct edit_library {
    typeof(el_end) *el_end;
    typeof(el_get) *el_get;
    typeof(el_gets) *el_gets;
    typeof(el_init) *el_init;
    typeof(el_insertstr) *el_insertstr;
    typeof(el_line) *el_line;
    typeof(el_reset) *el_reset;
    typeof(el_set) *el_set;
    typeof(el_source) *el_source;
    typeof(history) *history;
    typeof(history_end) *history_end;
    typeof(history_init) *history_init;
};

#define CALL(name) LATE_CALL(struct edit_library, , name)

#define LIBRARY "libedit.so.2"

static const struct late_call calls[] = {
    CALL(el_end),       CALL(el_get),  CALL(el_gets),     CALL(el_init),
    CALL(el_insertstr), CALL(el_line), CALL(el_reset),    CALL(el_set),
    CALL(el_source),    CALL(history), CALL(history_end), CALL(history_init),
};

struct line_reader {
    struct line_options options; /* .history is our own */
    const char *prompt;
    struct buffer line;      /* of a pipe */
    struct buffer text;      /* in UTF-8 */
    struct recoder *recoder; /* NULL: the terminal's character set is UTF-8 */

    /* A terminal. */
    struct edit_library lib;
    EditLine *edit;
    History *history;
    bool interrupted;
};

/* --- Keys --- */

/* The library calls us with nothing but its own handle; so one call is found by name. */
static struct line_reader *reader_of(EditLine *edit)
{
    static const struct late_call call = { "el_get", 0 };
    typeof(el_get) *get;
    void *reader = NULL;
    struct error e;
    CHECK(late_load(LIBRARY, LATE_FIND, &call, 1, &get, &e));
    get(edit, EL_CLIENTDATA, &reader);
    return reader;
}

static char *give_prompt(EditLine *edit)
{
    return (char *)(uintptr_t)reader_of(edit)->prompt;
}

static unsigned char interrupt(EditLine *edit, int key)
{
    (void)key;
    reader_of(edit)->interrupted = true;
    fputs("^C", stdout);
    return CC_EOF;
}

/* The library's handler puts the terminal in order before the program stops, and after. */
static unsigned char suspend(EditLine *edit, int key)
{
    (void)edit;
    (void)key;
    raise(SIGTSTP);
    return CC_REDISPLAY;
}

struct offers {
    char words[OFFERS_MAX][OFFER_MAX];
    size_t count;
};

static void add_offer(void *to, struct text word)
{
    struct offers *o = to;
    if (o->count == OFFERS_MAX || word.len >= OFFER_MAX)
        return;
    memcpy(o->words[o->count], word.at, word.len);
    o->words[o->count][word.len] = '\0';
    o->count++;
}

/* How many octets all offers have in common. */
static size_t common_front(const struct offers *o)
{
    size_t len = strlen(o->words[0]);
    for (size_t i = 1; i < o->count; i++) {
        size_t same = 0;
        while (same < len && o->words[i][same] == o->words[0][same])
            same++;
        len = same;
    }
    return len;
}

/* Others may have chosen what a file is called. */
static void list_offers(const struct offers *o)
{
    struct buffer line;
    buffer_init(&line, HARMLESS_ROOM(OFFERS_MAX * OFFER_MAX));
    for (size_t i = 0; i < o->count; i++) {
        if (line.len)
            buffer_text(&line, T("  "));
        harmless_line(&line, text_of(o->words[i]));
    }
    printf("\n%.*s\n", TEXT_ARGS(buffer_as_text(&line)));
    buffer_clear(&line);
}

/* Adds what all offers go on with, and a space when there is only one. */
static unsigned char take_offers(struct line_reader *r, const struct offers *o, size_t typed)
{
    char more[OFFER_MAX + 1];
    size_t len = common_front(o);
    if (len < typed)
        return CC_ERROR;
    int count = snprintf(more, sizeof more, "%.*s%s", (int)(len - typed), o->words[0] + typed,
                         o->count == 1 ? " " : "");
    if (count > 0)
        return r->lib.el_insertstr(r->edit, more) == 0 ? CC_REFRESH : CC_ERROR;
    list_offers(o);
    return CC_REDISPLAY;
}

static unsigned char complete(EditLine *edit, int key)
{
    (void)key;
    struct line_reader *r = reader_of(edit);
    const LineInfo *info = r->lib.el_line(edit);
    struct text before = { info->buffer, (size_t)(info->cursor - info->buffer) };
    size_t word = before.len;
    while (word > 0 && before.at[word - 1] != ' ' && before.at[word - 1] != ',')
        word--;
    struct offers *o = calloc(1, sizeof *o);
    if (!o)
        return CC_ERROR;
    struct line_offer offer = { add_offer, o };
    r->options.complete(r->options.owner, before, word, &offer);
    unsigned char done = o->count ? take_offers(r, o, before.len - word) : CC_ERROR;
    free(o);
    return done;
}

/* --- Beginning and end --- */

static void open_history(struct line_reader *r)
{
    HistEvent event;
    r->history = r->lib.history_init();
    if (!r->history)
        return;
    r->lib.history(r->history, &event, H_SETSIZE, HISTORY_LINES);
    r->lib.history(r->history, &event, H_SETUNIQUE, 1);
    if (r->options.history)
        r->lib.history(r->history, &event, H_LOAD, r->options.history);
    r->lib.el_set(r->edit, EL_HIST, r->lib.history, r->history);
}

static bool open_terminal(struct line_reader *r, struct error *e)
{
    if (!late_load(LIBRARY, LATE_LOAD, calls, sizeof calls / sizeof *calls, &r->lib, e))
        return false;
    r->edit = r->lib.el_init(r->options.program, stdin, stdout, stderr);
    if (!r->edit)
        return error_set(e, ERROR_TEMPORARY, "the terminal cannot be used for editing");
    r->lib.el_set(r->edit, EL_CLIENTDATA, r);
    r->lib.el_set(r->edit, EL_EDITOR, "emacs");
    r->lib.el_set(r->edit, EL_SIGNAL, 1);
    r->lib.el_set(r->edit, EL_PROMPT, give_prompt);
    r->lib.el_set(r->edit, EL_ADDFN, "godwit-complete", "complete the word", complete);
    r->lib.el_set(r->edit, EL_BIND, "^I", "godwit-complete", NULL);
    r->lib.el_source(r->edit, NULL); /* ~/.editrc */
    r->lib.el_set(r->edit, EL_ADDFN, "godwit-interrupt", "back to the prompt", interrupt);
    r->lib.el_set(r->edit, EL_ADDFN, "godwit-suspend", "back to the shell", suspend);
    r->lib.el_set(r->edit, EL_SETTY, "-d", "-isig", NULL);
    r->lib.el_set(r->edit, EL_BIND, "^C", "godwit-interrupt", NULL);
    r->lib.el_set(r->edit, EL_BIND, "^Z", "godwit-suspend", NULL);
    open_history(r);
    return true;
}

/* Where the environment says nothing (the locale C), what is typed is UTF-8 all the same, or ASCII.
 */
static bool needs_recoder(struct text charset)
{
    return !text_equal_nocase(charset, T("UTF-8")) &&
           !text_equal_nocase(charset, T("ANSI_X3.4-1968")) &&
           !text_equal_nocase(charset, T("US-ASCII"));
}

bool line_reader_new(const struct line_options *options, struct line_reader **out, struct error *e)
{
    char name[CHARSET_TERMINAL_MAX];
    struct line_reader *r = calloc(1, sizeof *r);
    *out = NULL;
    if (!r)
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    r->options = *options;
    r->options.history = options->history ? strdup(options->history) : NULL;
    buffer_init(&r->line, LINE_OCTETS_MAX);
    buffer_init(&r->text, RECODER_ROOM(LINE_OCTETS_MAX));
    struct text charset = charset_of_terminal(name);
    if (needs_recoder(charset))
        r->recoder = recoder_to_utf8(charset);
    if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !open_terminal(r, e)) {
        line_reader_free(&r);
        return false;
    }
    *out = r;
    return true;
}

void line_reader_free(struct line_reader **reader)
{
    struct line_reader *r = *reader;
    HistEvent event;
    if (!r)
        return;
    if (r->history && r->options.history)
        r->lib.history(r->history, &event, H_SAVE, r->options.history);
    if (r->edit)
        r->lib.el_end(r->edit);
    if (r->history)
        r->lib.history_end(r->history);
    recoder_free(&r->recoder);
    free((char *)(uintptr_t)r->options.history);
    buffer_clear(&r->line);
    buffer_clear(&r->text);
    free(r);
    *reader = NULL;
}

bool line_reader_is_terminal(const struct line_reader *r)
{
    return r->edit != NULL;
}

/* --- Reading --- */

/* Octet by octet: programs that are started may read what stands behind the line. */
static enum line_verdict read_plain(struct line_reader *r, struct text *out)
{
    char c;
    ssize_t got;
    r->line.len = 0;
    for (;;) {
        got = read(STDIN_FILENO, &c, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || c == '\n')
            break;
        buffer_byte(&r->line, (uint8_t)c);
    }
    *out = buffer_as_text(&r->line);
    bool failed = r->line.failed;
    r->line.failed = false;
    if (failed)
        return LINE_TOO_LONG;
    return got <= 0 && out->len == 0 ? LINE_END : LINE_READ;
}

static enum line_verdict read_edited(struct line_reader *r, enum line_kind kind, struct text *out)
{
    int count = 0;
    HistEvent event;
    r->interrupted = false;
    /* Before the prompt, which the library shows first: keys that follow it at once are not echoed
     * twice, and none is a signal. */
    r->lib.el_set(r->edit, EL_PREP_TERM, 1);
    const char *line = r->lib.el_gets(r->edit, &count);
    if (r->interrupted || !line || count <= 0) {
        fputc('\n', stdout);
        r->lib.el_reset(r->edit);
        return r->interrupted ? LINE_INTERRUPTED : LINE_END;
    }
    *out = (struct text){ line, (size_t)count };
    if (out->len && out->at[out->len - 1] == '\n')
        out->len--;
    if (kind == LINE_COMMAND && r->history && text_trim(*out).len)
        r->lib.history(r->history, &event, H_ENTER, line);
    return LINE_READ;
}

/* Without memory the line stays as it was typed. */
static struct text in_utf8(struct line_reader *r, struct text line)
{
    r->text.len = 0;
    if (!r->recoder || !recoder_feed(r->recoder, line, &r->text) ||
        !recoder_end(r->recoder, &r->text))
        return line;
    return buffer_as_text(&r->text);
}

enum line_verdict line_read(struct line_reader *r, enum line_kind kind, const char *prompt,
                            struct text *out)
{
    enum line_verdict verdict;
    r->prompt = prompt;
    fflush(stdout);
    if (r->edit) {
        verdict = read_edited(r, kind, out);
    } else {
        fputs(prompt, stdout);
        fflush(stdout);
        verdict = read_plain(r, out);
    }
    if (verdict != LINE_READ)
        return verdict;
    if (out->len && out->at[out->len - 1] == '\r')
        out->len--;
    *out = in_utf8(r, *out);
    return LINE_READ;
}
