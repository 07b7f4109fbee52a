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

static int base64_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* RFC 2045 6.8: octets outside of the alphabet do not count, and padding is the end. */
static void feed_base64(struct transfer *t, struct bytes b, struct buffer *out)
{
    for (size_t i = 0; i < b.len && !t->ended; i++) {
        int value = base64_value(b.at[i]);
        if (value < 0) {
            t->ended = b.at[i] == '=';
            continue;
        }
        t->bits = t->bits << 6 | (uint32_t)value;
        t->bit_count = (uint8_t)(t->bit_count + 6);
        if (t->bit_count >= 8) {
            t->bit_count = (uint8_t)(t->bit_count - 8);
            buffer_byte(out, (uint8_t)(t->bits >> t->bit_count));
        }
    }
}

int hex_value(char c)
{
    if (text_is_digit(c))
        return c - '0';
    c = text_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
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
    bool hex = t->held == 2 && hex_value(before) >= 0;
    if (hex && hex_value(c) >= 0) {
        buffer_byte(out, (uint8_t)(hex_value(before) * 16 + hex_value(c)));
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
    if (fits && ((is_blank(c) && before != '\r') || (c == '\r' && before != '\r') ||
                 (first && hex_value(c) >= 0))) {
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
    if (t->held < TRANSFER_BLANKS_MAX && before != '\r' && (is_blank(c) || c == '\r')) {
        t->hold[t->held++] = c;
        return true;
    }
    release(t, out);
    return false;
}

static void feed_quoted(struct transfer *t, struct bytes b, struct buffer *out)
{
    for (size_t i = 0; i < b.len; i++) {
        char c = (char)b.at[i];
        if (t->held && (t->hold[0] == '=' ? after_equals(t, c, out) : after_blank(t, c, out)))
            continue;
        if (c == '=' || is_blank(c))
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
    if (soft && t->held == 2 && hex_value(t->hold[1]) >= 0)
        release(t, out);
    t->held = 0;
    return !out->failed;
}
