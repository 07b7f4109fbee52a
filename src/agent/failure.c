/* failure.c - why something that a user asked for did not happen. */
#include "agent/failure.h"

#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

bool failure_set(struct failure *f, enum failure_kind kind, const char *format, ...)
{
    va_list arguments;
    f->kind = kind;
    va_start(arguments, format);
    vsnprintf(f->words, sizeof f->words, format, arguments);
    va_end(arguments);
    return false;
}

bool failure_of(struct failure *f, const struct error *e)
{
    static const enum failure_kind kinds[] = {
        [ERROR_NONE] = FAILURE_NONE,      [ERROR_TEMPORARY] = FAILURE_LATER,
        [ERROR_REFUSED] = FAILURE_DENIED, [ERROR_USAGE] = FAILURE_USAGE,
        [ERROR_CONFIG] = FAILURE_CONFIG,  [ERROR_DAMAGED] = FAILURE_DATA,
    };
    return failure_set(f, kinds[e->kind], "%s", e->words);
}

/* --- Replies --- */

/* Takes "550-" or "550 " off the front. */
static bool take_code(struct text *line, struct text *code_out)
{
    if (line->len < 3 || !text_is_digit(line->at[0]) || !text_is_digit(line->at[1]) ||
        !text_is_digit(line->at[2]) || (line->len > 3 && line->at[3] != '-' && line->at[3] != ' '))
        return false;
    *code_out = text_first(*line, 3);
    *line = text_skip(*line, 4);
    return true;
}

/* RFC 3463: three numbers. */
static bool is_status(struct text word)
{
    struct text number;
    uint64_t value;
    for (int i = 0; i < 3; i++) {
        bool more = text_cut(&word, '.', &number);
        if (more != (i < 2) || !text_to_u64(number, &value))
            return false;
    }
    return true;
}

/* Of a further line, what the first has said already; RFC 2034 4: the status stands on each. */
static void drop_codes(struct text *line, struct text code, struct text status)
{
    struct text rest = *line, its_code, word;
    if (!take_code(&rest, &its_code) || !text_equal(its_code, code))
        return;
    *line = rest;
    if (status.len && text_word(&rest, &word) && text_equal(word, status))
        *line = text_trim(rest);
}

/* As much as there is room for; the buffer knows whether that was all. */
static void add_words(struct buffer *b, struct text words)
{
    if (b->len && words.len)
        buffer_byte(b, ' ');
    struct text fits = text_first(words, b->max - b->len);
    buffer_text(b, fits);
    b->failed |= fits.len < words.len;
}

/* What was cut is cut behind a whole character. */
static void end_words(struct buffer *b, char *out)
{
    static const struct text more = TEXT("...");
    if (b->failed) {
        b->len = b->max - more.len;
        while (b->len > 0 && (b->at[b->len] & 0xC0) == 0x80)
            b->len--;
        b->failed = false;
        buffer_text(b, more);
    }
    out[b->len] = '\0';
}

const char *failure_reply(struct text reply, char out[FAILURE_REPLY_MAX])
{
    struct buffer b = buffer_over(out, FAILURE_REPLY_MAX - 1);
    struct text rest = reply, line, words, code = T(""), status = T("");
    bool more = text_cut(&rest, '\n', &line);
    words = line;
    if (take_code(&words, &code)) {
        add_words(&b, code);
        line = words;
        if (!text_word(&words, &status) || !is_status(status))
            status = T("");
    }
    add_words(&b, line);
    while (more) {
        more = text_cut(&rest, '\n', &line);
        if (code.len)
            drop_codes(&line, code, status);
        add_words(&b, line);
    }
    end_words(&b, out);
    return out;
}

/* One row a kind. */
static const struct {
    enum error_kind error;
    int sysexit;
} rows[] = {
    [FAILURE_NONE] = { ERROR_NONE, EX_OK },
    [FAILURE_USAGE] = { ERROR_USAGE, EX_USAGE },
    [FAILURE_DATA] = { ERROR_REFUSED, EX_DATAERR },
    [FAILURE_NO_INPUT] = { ERROR_REFUSED, EX_NOINPUT },
    [FAILURE_NO_USER] = { ERROR_REFUSED, EX_NOUSER },
    [FAILURE_NO_HOST] = { ERROR_REFUSED, EX_NOHOST },
    [FAILURE_REFUSED] = { ERROR_REFUSED, EX_UNAVAILABLE },
    [FAILURE_CREATE] = { ERROR_REFUSED, EX_CANTCREAT },
    [FAILURE_LATER] = { ERROR_TEMPORARY, EX_TEMPFAIL },
    [FAILURE_PROTOCOL] = { ERROR_REFUSED, EX_PROTOCOL },
    [FAILURE_DENIED] = { ERROR_REFUSED, EX_NOPERM },
    [FAILURE_CONFIG] = { ERROR_CONFIG, EX_CONFIG },
    [FAILURE_INTERRUPTED] = { ERROR_REFUSED, EX_UNAVAILABLE },
};

bool failure_to_error(const struct failure *f, struct error *e)
{
    return error_set(e, rows[f->kind].error, "%s", f->words);
}

int failure_sysexit(enum failure_kind kind)
{
    return rows[kind].sysexit;
}
