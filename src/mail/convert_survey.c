/* convert_survey.c - what is true of a piece of a message, counted as it passes.
 *
 * Bodies in runs, since they may be large; headers, and text whose character set is not known, one
 * octet after the other.  It never keeps one but the name of a field.
 */
#include "mail/convert_inner.h"

#include <string.h>

/* RFC 3629 4, as what the next octet may be. */
static void begin_character(struct utf8_reader *u, uint8_t c)
{
    u->low = 0x80;
    u->high = 0xBF;
    if (c >= 0xC2 && c <= 0xDF)
        u->left = 1;
    else if (c >= 0xE0 && c <= 0xEF)
        u->left = 2;
    else if (c >= 0xF0 && c <= 0xF4)
        u->left = 3;
    else
        u->bad = true;
    if (c == 0xE0)
        u->low = 0xA0;
    else if (c == 0xED)
        u->high = 0x9F;
    else if (c == 0xF0)
        u->low = 0x90;
    else if (c == 0xF4)
        u->high = 0x8F;
}

static void read_utf8(struct utf8_reader *u, uint8_t c)
{
    if (u->left == 0) {
        if (c >= 0x80)
            begin_character(u, c);
        return;
    }
    u->bad |= c < u->low || c > u->high;
    u->left--;
    u->low = 0x80;
    u->high = 0xBF;
}

/* --- Fields --- */

static void note_field(struct survey *s)
{
    struct text name = { s->name, s->name_len };
    s->mime_version |= text_equal_nocase(name, T("MIME-Version"));
    s->content_type |= text_equal_nocase(name, T("Content-Type"));
    s->dkim |= text_equal_nocase(name, T("DKIM-Signature"));
}

/* The name of a field stands at the front of a line, white space before its colon or not. */
static void read_name(struct survey *s, uint8_t c)
{
    if (s->at_line_start) {
        s->naming = true;
        s->name_len = 0;
    }
    s->at_line_start = c == '\n';
    if (!s->naming)
        return;
    if (c > ' ' && c != ':' && s->name_len < sizeof s->name) {
        s->name[s->name_len++] = (char)c;
        return;
    }
    s->naming = false;
    if (c == ':' || text_is_blank((char)c))
        note_field(s);
}

/* --- Octets --- */

enum { BLOCK = 128 }; /* octets; fewer than a counter of 8 bits can count */

/* What octets say alone. */
struct tally {
    uint8_t all, nuls, crs, escapes;
};

static inline void tally_octet(struct tally *t, uint8_t c)
{
    uint8_t control = (c < ' ') & (c != '\t') & (c != '\r') & (c != '\n');
    t->all |= c;
    t->nuls = (uint8_t)(t->nuls + (c == 0));
    t->crs = (uint8_t)(t->crs + (c == '\r'));
    t->escapes = (uint8_t)(t->escapes + (control | (c == '=') | (c >= 0x7F)));
}

static void add_tally(struct survey *s, const struct tally *t, size_t *crs)
{
    s->eight_bit |= t->all >= 0x80;
    s->has_nul |= t->nuls > 0;
    s->escapes += t->escapes;
    *crs += t->crs;
}

/* In blocks of one length, so that a compiler takes many octets at a time.  Returns the CRs. */
static size_t tally(struct survey *s, struct bytes b)
{
    size_t crs = 0, at = 0;
    for (; b.len - at >= BLOCK; at += BLOCK) {
        struct tally t = { 0 };
        for (size_t i = 0; i < BLOCK; i++)
            tally_octet(&t, b.at[at + i]);
        add_tally(s, &t, &crs);
    }
    struct tally rest = { 0 };
    for (; at < b.len; at++)
        tally_octet(&rest, b.at[at]);
    add_tally(s, &rest, &crs);
    return crs;
}

static void end_line(struct survey *s, uint64_t octets)
{
    s->long_line |= octets > CONVERT_LINE_MAX;
    s->ended |= octets == 0;
    s->line = 0;
}

/* Walks from LF to LF.  Returns how many CRs of these octets stand before an LF. */
static size_t read_lines(struct survey *s, struct bytes b, size_t *bare)
{
    size_t pairs = 0;
    const uint8_t *end = b.at + b.len, *from = b.at;
    for (const uint8_t *lf; (lf = memchr(from, '\n', (size_t)(end - from))); from = lf + 1) {
        bool here = lf > b.at && lf[-1] == '\r';
        s->line += (size_t)(lf - from);
        if (here || (lf == b.at && s->after_cr)) {
            end_line(s, s->line - 1);
        } else {
            s->line++;
            *bare += 1;
        }
        pairs += here;
    }
    s->line += (size_t)(end - from);
    return pairs;
}

static void read_octets(struct survey *s, struct bytes b)
{
    size_t bare = s->after_cr && b.at[0] != '\n';
    size_t pairs = read_lines(s, b, &bare);
    s->after_cr = b.at[b.len - 1] == '\r';
    bare += tally(s, b) - pairs - s->after_cr;
    s->bare |= bare > 0;
    s->escapes += bare;
}

void survey_read(struct survey *s, enum piece_kind kind, struct bytes b)
{
    if (b.len == 0)
        return;
    s->octets += b.len;
    if (kind == PIECE_HEADER)
        for (size_t i = 0; i < b.len; i++)
            read_name(s, b.at[i]);
    else if (s->wants_charset)
        for (size_t i = 0; i < b.len; i++)
            read_utf8(&s->utf8, b.at[i]);
    read_octets(s, b);
}

void survey_end(struct survey *s)
{
    s->bare |= s->after_cr;
    s->long_line |= s->line > CONVERT_LINE_MAX;
    s->utf8.bad |= s->utf8.left > 0;
}
