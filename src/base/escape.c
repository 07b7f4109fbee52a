/* escape.c - what a peer said, made harmless. */
#include "base/escape.h"

static bool continues(struct text t, size_t at)
{
    return at < t.len && ((uint8_t)t.at[at] & 0xC0) == 0x80;
}

/* RFC 3629 4: the table of well-formed sequences. */
size_t utf8_length(struct text t)
{
    if (t.len == 0)
        return 0;
    uint8_t a = (uint8_t)t.at[0];
    uint8_t b = t.len > 1 ? (uint8_t)t.at[1] : 0;
    if (a < 0x80)
        return 1;
    if (a >= 0xC2 && a <= 0xDF)
        return continues(t, 1) ? 2 : 0;
    if (a >= 0xE0 && a <= 0xEF) {
        if ((a == 0xE0 && b < 0xA0) || (a == 0xED && b > 0x9F))
            return 0;
        return continues(t, 1) && continues(t, 2) ? 3 : 0;
    }
    if (a >= 0xF0 && a <= 0xF4) {
        if ((a == 0xF0 && b < 0x90) || (a == 0xF4 && b > 0x8F))
            return 0;
        return continues(t, 1) && continues(t, 2) && continues(t, 3) ? 4 : 0;
    }
    return 0;
}

bool utf8_valid(struct text t)
{
    while (t.len) {
        size_t n = utf8_length(t);
        if (n == 0)
            return false;
        t = text_skip(t, n);
    }
    return true;
}

static uint32_t code_point(struct text t, size_t n)
{
    static const uint8_t lead[] = { 0, 0x7F, 0x1F, 0x0F, 0x07 };
    uint32_t c = (uint8_t)t.at[0] & lead[n];
    for (size_t i = 1; i < n; i++)
        c = c << 6 | ((uint8_t)t.at[i] & 0x3F);
    return c;
}

/* Controls, and what changes how its neighbours are shown without being seen. */
static bool is_invisible(uint32_t c)
{
    static const struct {
        uint32_t from, to;
    } ranges[] = {
        { 0x00, 0x1F },     { 0x7F, 0x9F },       { 0xAD, 0xAD },     { 0x61C, 0x61C },
        { 0x200B, 0x200F }, { 0x2028, 0x202E },   { 0x2060, 0x206F }, { 0xFEFF, 0xFEFF },
        { 0xFFF9, 0xFFFB }, { 0xE0000, 0xE0FFF },
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (c >= ranges[i].from && c <= ranges[i].to)
            return true;
    return false;
}

bool escape_text(struct buffer *b, struct text t)
{
    while (t.len) {
        size_t plain = 0;
        while (plain < t.len && t.at[plain] >= ' ' && t.at[plain] < 0x7F && t.at[plain] != '\\')
            plain++;
        if (!buffer_append(b, t.at, plain))
            return false;
        t = text_skip(t, plain);
        if (t.len == 0)
            break;
        size_t n = utf8_length(t);
        bool done;
        if (t.at[0] == '\\')
            done = buffer_text(b, T("\\\\"));
        else if (n <= 1)
            done = buffer_printf(b, "\\x%02X", (uint8_t)t.at[0]);
        else if (is_invisible(code_point(t, n)))
            done = buffer_printf(b, "\\u{%X}", code_point(t, n));
        else
            done = buffer_append(b, t.at, n);
        if (!done)
            return false;
        t = text_skip(t, n ? n : 1);
    }
    return true;
}
