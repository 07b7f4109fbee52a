/* encode.c - folding, quoted-printable, encoded-words.
 *
 * For what godwit writes itself; content that came from others is never rewritten with it.
 */
#include "mail/encode.h"

#include "base/base64.h"
#include "base/escape.h"

#include <string.h>

enum {
    LINE_OCTETS = 78,      /* RFC 5322 2.1.1: should be no longer */
    LINE_OCTETS_MAX = 998, /* and must not */
    GAP_MAX = 100,
    QUOTED_OCTETS = 76, /* RFC 2045 6.7 (5) */
    WORD_OCTETS = 75,   /* RFC 2047 2 */
};

/* A field that is folded as it grows. */
struct fold {
    struct buffer *to;
    size_t line; /* octets in this line */
};

static void put(struct fold *f, struct text t)
{
    buffer_text(f->to, t);
    f->line += t.len;
}

static void new_line(struct fold *f)
{
    buffer_text(f->to, T("\r\n"));
    f->line = 0;
}

/* Where a text can be cut at `max` octets without cutting a character. */
static size_t whole_characters(struct text t, size_t max)
{
    if (t.len <= max)
        return t.len;
    size_t at = max;
    while (at > 0 && max - at < 3 && ((uint8_t)t.at[at] & 0xC0) == 0x80)
        at--;
    return at > 0 ? at : max;
}

static void put_word(struct fold *f, struct text word)
{
    while (f->line + word.len > LINE_OCTETS_MAX) {
        size_t fits = whole_characters(word, LINE_OCTETS_MAX - f->line);
        put(f, text_first(word, fits));
        word = text_skip(word, fits);
        new_line(f);
        put(f, T(" "));
    }
    put(f, word);
}

static size_t count_spaces(struct text t)
{
    size_t n = 0;
    while (n < t.len && t.at[n] == ' ')
        n++;
    return n;
}

static size_t word_length(struct text t)
{
    size_t n = 0;
    while (n < t.len && t.at[n] != ' ' && t.at[n] != '\n')
        n++;
    return n;
}

/* The words of one line of the value, each behind its spaces.  A fold never leaves a line of
 * nothing but spaces, which some would take for the end of the header. */
static void put_line(struct fold *f, struct text value, bool first)
{
    while (value.len) {
        size_t gap = count_spaces(value);
        value = text_skip(value, gap);
        struct text word = text_first(value, word_length(value));
        if (word.len == 0)
            return;
        gap = gap < 1 ? 1 : gap > GAP_MAX ? GAP_MAX : gap;
        if (!first && f->line > 0 && f->line + gap + word.len > LINE_OCTETS)
            new_line(f);
        while (gap-- > 0)
            put(f, T(" "));
        put_word(f, word);
        value = text_skip(value, word.len);
        first = false;
    }
}

bool field_write(struct buffer *b, struct text name, struct text value)
{
    struct fold f = { .to = b };
    put(&f, name);
    put(&f, T(":"));
    bool first = true;
    while (value.len) {
        struct text line;
        text_cut(&value, '\n', &line);
        if (count_spaces(line) == line.len)
            continue;
        if (!first)
            new_line(&f);
        put_line(&f, line, first);
        first = false;
    }
    new_line(&f);
    return !b->failed;
}

static const char word_begin[] = "=?UTF-8?B?", word_end[] = "?=";
enum { WORD_FRAME = sizeof word_begin + sizeof word_end - 2 };

/* Each encoded-word has whole characters (RFC 2047 5), and is alone in its line but for the name of
 * the field. */
static void put_encoded(struct fold *f, struct text value)
{
    while (value.len) {
        size_t room = WORD_OCTETS - f->line - WORD_FRAME;
        size_t fits = whole_characters(value, room / 4 * 3);
        put(f, T(" "));
        put(f, text_of(word_begin));
        base64_encode(f->to, bytes_of_text(text_first(value, fits)));
        put(f, text_of(word_end));
        value = text_skip(value, fits);
        if (value.len)
            new_line(f);
    }
    new_line(f);
}

bool field_write_words(struct buffer *b, struct text name, struct text value)
{
    if (text_is_ascii(value))
        return field_write(b, name, value);
    struct fold f = { .to = b };
    put(&f, name);
    put(&f, T(":"));
    put_encoded(&f, value);
    return !b->failed;
}

/* Whether this octet must be encoded; `rest` begins with it and ends with its line. */
static bool needs_quoting(struct text rest, bool at_start)
{
    char c = rest.at[0];
    if (text_is_blank(c))
        return rest.len == 1;
    if (c <= ' ' || c >= 0x7F || c == '=')
        return true;
    return at_start && (c == '-' || c == '.' || text_starts(rest, T("From ")));
}

/* Appends the line encoded, unless there is no buffer; how many octets it has then. */
static size_t quote_line(struct buffer *b, struct text line)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t used = 0, before = 0;
    for (; line.len; line = text_skip(line, 1)) {
        bool quoted = needs_quoting(line, used == 0);
        size_t wide = quoted ? 3 : 1;
        if (used + wide > QUOTED_OCTETS - (line.len > 1)) {
            if (b)
                buffer_text(b, T("=\r\n"));
            before += used + 3;
            used = 0;
            quoted = needs_quoting(line, true);
            wide = quoted ? 3 : 1;
        }
        uint8_t c = (uint8_t)line.at[0];
        const char triple[3] = { '=', digits[c >> 4], digits[c & 15] };
        if (b)
            buffer_append(b, quoted ? triple : line.at, wide);
        used += wide;
    }
    return before + used;
}

size_t quoted_printable_octets(struct text line)
{
    return quote_line(NULL, line);
}

bool quoted_printable(struct buffer *b, struct text t)
{
    while (t.len) {
        struct text line;
        bool ended = text_cut(&t, '\n', &line);
        if (ended && line.len && line.at[line.len - 1] == '\r')
            line.len--;
        quote_line(b, line);
        if (ended)
            buffer_text(b, T("\r\n"));
    }
    return !b->failed;
}
