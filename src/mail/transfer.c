/* transfer.c - bodies out of quoted-printable and base64.
 *
 * For showing and saving what others sent, so both are lenient; base/base64.h is the strict one.
 */
#include "mail/transfer.h"

#include <string.h>

void transfer_init(struct transfer *t, enum mime_encoding encoding)
{
    *t = (struct transfer){ .encoding = encoding };
}

enum { NO = 64 }; /* no octet of the alphabet */

static const uint8_t base64_values[128] = {
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, 62,
    NO, NO, NO, 63, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, NO, NO, NO, NO, NO, NO, NO, 0,
    1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
    23, 24, 25, NO, NO, NO, NO, NO, NO, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38,
    39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, NO, NO, NO, NO, NO,
};

static uint8_t base64_value(uint8_t c)
{
    return c < sizeof base64_values ? base64_values[c] : NO;
}

/* Whole groups of four, as long as nothing else comes; how many octets those are. */
static size_t feed_groups(struct bytes b, struct buffer *out)
{
    size_t at = 0;
    uint8_t *to = out->at + out->len; /* there is room */
    for (; b.len - at >= 4; at += 4) {
        uint8_t v[4];
        for (size_t i = 0; i < 4; i++)
            v[i] = base64_value(b.at[at + i]);
        if ((v[0] | v[1] | v[2] | v[3]) & NO)
            break;
        *to++ = (uint8_t)(v[0] << 2 | v[1] >> 4);
        *to++ = (uint8_t)(v[1] << 4 | v[2] >> 2);
        *to++ = (uint8_t)(v[2] << 6 | v[3]);
    }
    out->len += at / 4 * 3;
    return at;
}

/* RFC 2045 6.8: octets outside of the alphabet do not count, and padding is the end. */
static void feed_base64(struct transfer *t, struct bytes b, struct buffer *out)
{
    if (!buffer_reserve(out, b.len / 4 * 3 + 4))
        return;
    for (size_t i = 0; i < b.len && !t->ended; i++) {
        if (t->bit_count == 0)
            i += feed_groups((struct bytes){ b.at + i, b.len - i }, out);
        if (i == b.len)
            break;
        uint8_t value = base64_value(b.at[i]);
        if (value == NO) {
            t->ended = b.at[i] == '=';
            continue;
        }
        t->bits = t->bits << 6 | value;
        t->bit_count = (uint8_t)(t->bit_count + 6);
        if (t->bit_count >= 8) {
            t->bit_count = (uint8_t)(t->bit_count - 8);
            buffer_byte(out, (uint8_t)(t->bits >> t->bit_count));
        }
    }
}

/* Gives what was held as it stands. */
static void release(struct transfer *t, struct buffer *out)
{
    buffer_append(out, t->hold, t->held);
    t->held = 0;
}

/* The next octet while "=" and perhaps more is held.  True: it was used up. */
static bool after_equals(struct transfer *t, char c, struct buffer *out)
{
    char before = t->hold[t->held - 1];
    bool hex = t->held == 2 && text_hex_value(before) >= 0;
    if (hex && text_hex_value(c) >= 0) {
        buffer_byte(out, (uint8_t)(text_hex_value(before) * 16 + text_hex_value(c)));
        t->held = 0;
        return true;
    }
    if (hex) { /* RFC 2045 6.7: "=" and what is not two digits stands as it is */
        release(t, out);
        return false;
    }
    if (c == '\n') { /* a soft line end; white space before it was added on the way */
        t->held = 0;
        return true;
    }
    bool first = t->held == 1;
    bool fits = t->held < TRANSFER_BLANKS_MAX;
    if (fits && ((text_is_blank(c) && before != '\r') || (c == '\r' && before != '\r') ||
                 (first && text_hex_value(c) >= 0))) {
        t->hold[t->held++] = c;
        return true;
    }
    release(t, out);
    return false;
}

/* The next octet while white space is held, perhaps with a CR behind it. */
static bool after_blank(struct transfer *t, char c, struct buffer *out)
{
    char before = t->hold[t->held - 1];
    if (c == '\n') { /* RFC 2045 6.7 (3): white space at the end of a line was added on the way */
        buffer_text(out, before == '\r' ? T("\r\n") : T("\n"));
        t->held = 0;
        return true;
    }
    if (t->held < TRANSFER_BLANKS_MAX && before != '\r' && (text_is_blank(c) || c == '\r')) {
        t->hold[t->held++] = c;
        return true;
    }
    release(t, out);
    return false;
}

static bool is_line_end(uint8_t c)
{
    return c == '\r' || c == '\n';
}

/* How many octets at the front stand for themselves, whatever follows them. */
static size_t plain_length(struct bytes b)
{
    size_t len = 0;
    for (; len < b.len && b.at[len] != '='; len++) {
        bool blank = text_is_blank((char)b.at[len]);
        if (blank &&
            (len + 1 == b.len || text_is_blank((char)b.at[len + 1]) || is_line_end(b.at[len + 1])))
            break;
    }
    return len;
}

static void feed_quoted(struct transfer *t, struct bytes b, struct buffer *out)
{
    for (size_t i = 0; i < b.len; i++) {
        if (t->held == 0) {
            size_t plain = plain_length((struct bytes){ b.at + i, b.len - i });
            buffer_append(out, b.at + i, plain);
            i += plain;
        }
        if (i == b.len)
            break;
        char c = (char)b.at[i];
        if (t->held && (t->hold[0] == '=' ? after_equals(t, c, out) : after_blank(t, c, out)))
            continue;
        if (c == '=' || text_is_blank(c))
            t->hold[t->held++] = c;
        else
            buffer_byte(out, b.at[i]);
    }
}

bool transfer_feed(struct transfer *t, struct bytes b, struct buffer *out)
{
    if (t->encoding == MIME_BASE64)
        feed_base64(t, b, out);
    else if (t->encoding == MIME_QUOTED_PRINTABLE)
        feed_quoted(t, b, out);
    else
        buffer_append(out, b.at, b.len);
    return !out->failed;
}

bool transfer_end(struct transfer *t, struct buffer *out)
{
    bool soft = t->held && t->hold[0] == '=';
    /* An "=" at the very end is a soft line end that was cut; white space is taken off as before
     * any line end. */
    if (soft && t->held == 2 && text_hex_value(t->hold[1]) >= 0)
        release(t, out);
    t->held = 0;
    return !out->failed;
}
