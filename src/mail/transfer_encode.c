/* transfer_encode.c - bodies into quoted-printable and base64.
 *
 * base64 holds octets until they fill a line.  Quoted-printable holds one: a CR until it is known
 * whether an LF makes it a line end, white space until it is known whether a line end follows.
 */
#include "mail/transfer_encode.h"

#include "base/base64.h"
#include "base/check.h"

#include <string.h>

void transfer_encode_init(struct transfer_encoder *e, enum mime_encoding encoding)
{
    CHECK(encoding == MIME_QUOTED_PRINTABLE || encoding == MIME_BASE64);
    *e = (struct transfer_encoder){ .encoding = encoding };
}

/* --- base64 --- */

/* A line's end is given when the next one begins: the last one's is not the body's. */
static void end_base64_line(struct transfer_encoder *e, struct buffer *out)
{
    if (e->any)
        buffer_text(out, T("\r\n"));
    base64_encode(out, (struct bytes){ e->hold, e->held });
    e->any = true;
    e->held = 0;
}

static void feed_base64(struct transfer_encoder *e, struct bytes b, struct buffer *out)
{
    while (b.len > 0) {
        size_t len = sizeof e->hold - e->held;
        if (len > b.len)
            len = b.len;
        memcpy(e->hold + e->held, b.at, len);
        e->held = (uint8_t)(e->held + len);
        b = (struct bytes){ b.at + len, b.len - len };
        if (e->held == sizeof e->hold)
            end_base64_line(e, out);
    }
}

/* --- quoted-printable --- */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* What stands for itself, but for white space at the end of a line. */
static bool is_literal(uint8_t c)
{
    return (c > ' ' && c < 0x7F && c != '=') || is_blank(c);
}

/* A soft line end when the line has no room for so many octets and the "=" that would end it. */
static void make_room(struct transfer_encoder *e, size_t octets, struct buffer *out)
{
    if (e->column + octets < TRANSFER_LINE_MAX)
        return;
    buffer_text(out, T("=\r\n"));
    e->column = 0;
}

static void put_encoded(struct transfer_encoder *e, uint8_t c, struct buffer *out)
{
    static const char digits[] = "0123456789ABCDEF";
    uint8_t encoded[3] = { '=', (uint8_t)digits[c >> 4], (uint8_t)digits[c & 15] };
    make_room(e, sizeof encoded, out);
    buffer_append(out, encoded, sizeof encoded);
    e->column = (uint8_t)(e->column + sizeof encoded);
}

static void put_literal(struct transfer_encoder *e, uint8_t c, struct buffer *out)
{
    make_room(e, 1, out);
    if (e->column == 0 && (c == '-' || c == '.')) {
        put_encoded(e, c, out);
        return;
    }
    buffer_byte(out, c);
    e->column++;
}

/* What was held, now that `c` follows it.  True: `c` was used up. */
static bool resolve(struct transfer_encoder *e, uint8_t c, struct buffer *out)
{
    uint8_t before = e->hold[0];
    e->held = 0;
    if (before == '\r' && c == '\n') {
        buffer_text(out, T("\r\n"));
        e->column = 0;
        return true;
    }
    if (before == '\r' || c == '\r')
        put_encoded(e, before, out);
    else
        put_literal(e, before, out);
    return false;
}

static void feed_quoted(struct transfer_encoder *e, struct bytes b, struct buffer *out)
{
    for (size_t i = 0; i < b.len; i++) {
        uint8_t c = b.at[i];
        if (e->held && resolve(e, c, out))
            continue;
        if (c == '\r' || is_blank(c))
            e->hold[e->held++] = c;
        else if (is_literal(c))
            put_literal(e, c, out);
        else
            put_encoded(e, c, out);
    }
}

bool transfer_encode(struct transfer_encoder *e, struct bytes b, struct buffer *out)
{
    if (e->encoding == MIME_BASE64)
        feed_base64(e, b, out);
    else
        feed_quoted(e, b, out);
    return !out->failed;
}

bool transfer_encode_end(struct transfer_encoder *e, bool last, struct buffer *out)
{
    if (e->encoding == MIME_BASE64) {
        if (e->held)
            end_base64_line(e, out);
        if (last && e->any)
            buffer_text(out, T("\r\n"));
        return !out->failed;
    }
    if (e->held)
        put_encoded(e, e->hold[0], out);
    e->held = 0;
    if (last && e->column) /* a soft one, which is not the body's */
        buffer_text(out, T("=\r\n"));
    return !out->failed;
}
