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

/* What stands for itself, but for white space at the end of a line. */
static bool is_literal(uint8_t c)
{
    return (c > ' ' && c < 0x7F && c != '=') || text_is_blank((char)c);
}

/* Where octets go: room for all of them was made before. */
struct pen {
    uint8_t *to;
};

static void put(struct pen *pen, const void *octets, size_t len)
{
    memcpy(pen->to, octets, len);
    pen->to += len;
}

/* A soft line end when the line has no room for so many octets and the "=" that would end it. */
static void make_room(struct transfer_encoder *e, size_t octets, struct pen *pen)
{
    if (e->column + octets < TRANSFER_LINE_MAX)
        return;
    put(pen, "=\r\n", 3);
    e->column = 0;
}

static void put_encoded(struct transfer_encoder *e, uint8_t c, struct pen *pen)
{
    static const char digits[] = "0123456789ABCDEF";
    uint8_t encoded[3] = { '=', (uint8_t)digits[c >> 4], (uint8_t)digits[c & 15] };
    make_room(e, sizeof encoded, pen);
    put(pen, encoded, sizeof encoded);
    e->column = (uint8_t)(e->column + sizeof encoded);
}

static void put_literals(struct transfer_encoder *e, const uint8_t *at, size_t len, struct pen *pen)
{
    while (len > 0) {
        make_room(e, 1, pen);
        size_t run = (size_t)(TRANSFER_LINE_MAX - 1 - e->column);
        if (run > len)
            run = len;
        if (e->column == 0 && (*at == '-' || *at == '.')) {
            put_encoded(e, *at, pen);
            run = 1;
        } else {
            put(pen, at, run);
            e->column = (uint8_t)(e->column + run);
        }
        at += run;
        len -= run;
    }
}

/* What was held, now that `c` follows it.  True: `c` was used up. */
static bool resolve(struct transfer_encoder *e, uint8_t c, struct pen *pen)
{
    uint8_t before = e->hold[0];
    e->held = 0;
    if (before == '\r' && c == '\n') {
        put(pen, "\r\n", 2);
        e->column = 0;
        return true;
    }
    if (before == '\r' || c == '\r')
        put_encoded(e, before, pen);
    else
        put_literals(e, &before, 1, pen);
    return false;
}

/* Literals up to the first octet that is none; the last one is held when it is white space. */
static size_t feed_literals(struct transfer_encoder *e, struct bytes b, struct pen *pen)
{
    size_t run = 0;
    while (run < b.len && is_literal(b.at[run]))
        run++;
    if (run > 0 && text_is_blank((char)b.at[run - 1]))
        e->hold[e->held++] = b.at[run - 1];
    put_literals(e, b.at, run - e->held, pen);
    return run;
}

static void feed_quoted(struct transfer_encoder *e, struct bytes b, struct buffer *out)
{
    struct pen pen = { buffer_reserve(out, TRANSFER_ENCODE_ROOM(b.len)) };
    const uint8_t *from = pen.to;
    if (!from)
        return;
    for (size_t i = 0; i < b.len;) {
        uint8_t c = b.at[i];
        if (e->held && resolve(e, c, &pen))
            i++;
        else if (is_literal(c))
            i += feed_literals(e, (struct bytes){ b.at + i, b.len - i }, &pen);
        else if (c == '\r')
            e->hold[e->held++] = b.at[i++];
        else
            put_encoded(e, b.at[i++], &pen);
    }
    out->len += (size_t)(pen.to - from);
}

static void end_quoted(struct transfer_encoder *e, bool last, struct buffer *out)
{
    struct pen pen = { buffer_reserve(out, TRANSFER_ENCODE_ROOM(0)) };
    const uint8_t *from = pen.to;
    if (!from)
        return;
    if (e->held)
        put_encoded(e, e->hold[0], &pen);
    e->held = 0;
    if (last && e->column) /* a soft one, which is not the body's */
        put(&pen, "=\r\n", 3);
    out->len += (size_t)(pen.to - from);
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
    if (e->encoding == MIME_QUOTED_PRINTABLE) {
        end_quoted(e, last, out);
        return !out->failed;
    }
    if (e->held)
        end_base64_line(e, out);
    if (last && e->any)
        buffer_text(out, T("\r\n"));
    return !out->failed;
}
