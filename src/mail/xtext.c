/* xtext.c - xtext and unitext: what RFC 3461 and RFC 6533 put into SMTP parameters.
 *
 * Decoding is strict, since what comes out of it is written into reports and logs.
 */
#include "mail/xtext.h"

#include "base/escape.h"

/* "\x{10FFFF}" */
enum { POINT_DIGITS_MIN = 2, POINT_DIGITS_MAX = 6 };

static bool is_graphic(char c)
{
    return c > ' ' && c < 0x7F;
}

/* xchar of RFC 3461 4. */
static bool is_xchar(char c)
{
    return is_graphic(c) && c != '+' && c != '=';
}

/* Capitals only: "two upper case hexadecimal digits". */
static bool take_hexchar(struct text *rest, uint8_t *octet_out)
{
    if (rest->len < 3 || rest->at[1] >= 'a' || rest->at[2] >= 'a')
        return false;
    int high = text_hex_value(rest->at[1]), low = text_hex_value(rest->at[2]);
    if (high < 0 || low < 0)
        return false;
    *octet_out = (uint8_t)(high << 4 | low);
    *rest = text_skip(*rest, 3);
    return *octet_out >= ' ' && *octet_out != 0x7F;
}

static bool xtext_octet(struct text *rest, uint8_t *octet_out)
{
    if (rest->at[0] == '+')
        return take_hexchar(rest, octet_out);
    *octet_out = (uint8_t)rest->at[0];
    bool fits = is_xchar(rest->at[0]);
    *rest = text_skip(*rest, 1);
    return fits;
}

bool xtext_decode(struct buffer *b, struct text t)
{
    size_t before = b->len;
    while (t.len) {
        uint8_t octet;
        if (xtext_octet(&t, &octet) && buffer_byte(b, octet))
            continue;
        b->len = before;
        return false;
    }
    return true;
}

bool xtext_encode(struct buffer *b, struct text t)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t before = b->len;
    for (size_t i = 0; i < t.len; i++) {
        uint8_t c = (uint8_t)t.at[i];
        const char hexchar[3] = { '+', digits[c >> 4], digits[c & 15] };
        bool done = is_xchar(t.at[i]) ? buffer_byte(b, c) : buffer_append(b, hexchar, 3);
        if (!done) {
            b->len = before;
            return false;
        }
    }
    return true;
}

/* QCHAR of RFC 6533 3. */
static bool is_qchar(char c)
{
    return is_xchar(c) && c != '\\';
}

/* What HEXPOINT may mean, less the control characters that its grammar has. */
static bool is_point(uint32_t c)
{
    if (c == ' ' || c == '+' || c == '=' || c == '\\')
        return true;
    return c >= 0xA0 && c <= 0x10FFFF && !(c >= 0xD800 && c <= 0xDFFF);
}

/* "\x{NN}" at the front, two to six digits, more than two without a leading zero. */
static bool take_point(struct text *rest, uint32_t *point_out)
{
    struct text t = *rest;
    if (!text_starts(t, T("\\x{")))
        return false;
    t = text_skip(t, 3);
    size_t digits = 0;
    uint32_t point = 0;
    while (digits < t.len && digits < POINT_DIGITS_MAX && text_hex_value(t.at[digits]) >= 0)
        point = point << 4 | (uint32_t)text_hex_value(t.at[digits++]);
    bool closed = digits < t.len && t.at[digits] == '}';
    if (!closed || digits < POINT_DIGITS_MIN || (digits > POINT_DIGITS_MIN && t.at[0] == '0'))
        return false;
    *rest = text_skip(t, digits + 1);
    *point_out = point;
    return is_point(point);
}

static bool append_utf8(struct buffer *b, uint32_t c)
{
    if (c < 0x80)
        return buffer_byte(b, (uint8_t)c);
    uint8_t octets[4];
    size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = { 0, 0, 0xC0, 0xE0, 0xF0 };
    for (size_t i = len - 1; i > 0; i--, c >>= 6)
        octets[i] = (uint8_t)(0x80 | (c & 0x3F));
    octets[0] = (uint8_t)(lead[len] | c);
    return buffer_append(b, octets, len);
}

static bool decode_point(struct buffer *b, struct text *rest)
{
    uint32_t point;
    if (rest->at[0] == '\\')
        return take_point(rest, &point) && append_utf8(b, point);
    size_t len = utf8_length(*rest);
    bool fits = len == 1 ? is_qchar(rest->at[0]) : len > 1 && is_point(utf8_code_point(*rest));
    struct text whole = text_first(*rest, len);
    *rest = text_skip(*rest, len);
    return fits && buffer_text(b, whole);
}

bool unitext_decode(struct buffer *b, struct text t)
{
    size_t before = b->len;
    while (t.len)
        if (!decode_point(b, &t)) {
            b->len = before;
            return false;
        }
    return true;
}

bool unitext_encode(struct buffer *b, struct text t)
{
    size_t before = b->len;
    while (t.len) {
        size_t len = utf8_length(t);
        bool done = len > 0 && (len == 1 && is_qchar(t.at[0])
                                    ? buffer_byte(b, (uint8_t)t.at[0])
                                    : buffer_printf(b, "\\x{%02X}", utf8_code_point(t)));
        if (!done) {
            b->len = before;
            return false;
        }
        t = text_skip(t, len);
    }
    return true;
}
