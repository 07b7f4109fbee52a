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

uint32_t utf8_code_point(struct text t)
{
    static const uint8_t lead[] = { 0, 0x7F, 0x1F, 0x0F, 0x07 };
    size_t len = utf8_length(t);
    uint32_t c = len ? (uint8_t)t.at[0] & lead[len] : 0;
    for (size_t i = 1; i < len; i++)
        c = c << 6 | ((uint8_t)t.at[i] & 0x3F);
    return c;
}

enum utf8_sight utf8_sight(uint32_t c)
{
    static const struct {
        uint32_t from, to;
        enum utf8_sight sight;
    } ranges[] = {
        { 0x00, 0x1F, UTF8_HIDES },       { 0x7F, 0x9F, UTF8_HIDES },
        { 0xAD, 0xAD, UTF8_JOINS },       { 0x61C, 0x61C, UTF8_JOINS },
        { 0x200B, 0x200F, UTF8_JOINS },   { 0x2028, 0x202E, UTF8_HIDES },
        { 0x2060, 0x2060, UTF8_HIDES },   { 0x2061, 0x2065, UTF8_JOINS },
        { 0x2066, 0x206F, UTF8_HIDES },   { 0xFEFF, 0xFEFF, UTF8_JOINS },
        { 0xFFF9, 0xFFFB, UTF8_HIDES },   { 0xE0000, 0xE00FF, UTF8_HIDES },
        { 0xE0100, 0xE0FFF, UTF8_JOINS },
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (c >= ranges[i].from && c <= ranges[i].to)
            return ranges[i].sight;
    return UTF8_SEEN;
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
        else if (utf8_sight(utf8_code_point(t)) != UTF8_SEEN)
            done = buffer_printf(b, "\\u{%X}", utf8_code_point(t));
        else
            done = buffer_append(b, t.at, n);
        if (!done)
            return false;
        t = text_skip(t, n ? n : 1);
    }
    return true;
}
