/* convert_survey.c - what is true of a piece of a message, counted as it passes.
 *
 * One octet after the other, since what comes here is read for being odd.  It never keeps one but
 * the name of a field.
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
    if (s->line == 0) {
        s->naming = true;
        s->name_len = 0;
    }
    if (!s->naming)
        return;
    if (c > ' ' && c != ':' && s->name_len < sizeof s->name) {
        s->name[s->name_len++] = (char)c;
        return;
    }
    s->naming = false;
    if (c == ':' || c == ' ' || c == '\t')
        note_field(s);
}

/* --- Octets --- */

static void end_line(struct survey *s)
{
    s->long_line |= s->line - 1 > CONVERT_LINE_MAX;
    s->ended |= s->line == 1;
    s->line = 0;
}

/* An octet that quoted-printable gives as three; a CRLF is a line end. */
static bool wants_escape(uint8_t c)
{
    return c >= 0x7F || c == '=' || (c < ' ' && c != '\t' && c != '\r' && c != '\n');
}

static void read_octet(struct survey *s, uint8_t c)
{
    s->escapes += wants_escape(c);
    s->eight_bit |= c >= 0x80;
    s->has_nul |= c == 0;
    if (s->after_cr && c == '\n') {
        s->after_cr = false;
        end_line(s);
        return;
    }
    bool bare = s->after_cr || c == '\n';
    s->bare |= bare;
    s->escapes += bare;
    s->after_cr = c == '\r';
    s->line++;
}

void survey_read(struct survey *s, enum piece_kind kind, struct bytes b)
{
    s->octets += b.len;
    for (size_t i = 0; i < b.len; i++) {
        if (kind == PIECE_HEADER)
            read_name(s, b.at[i]);
        else if (kind == PIECE_BODY)
            read_utf8(&s->utf8, b.at[i]);
        read_octet(s, b.at[i]);
    }
}

void survey_end(struct survey *s)
{
    s->bare |= s->after_cr;
    s->long_line |= s->line > CONVERT_LINE_MAX;
    s->utf8.bad |= s->utf8.left > 0;
}
