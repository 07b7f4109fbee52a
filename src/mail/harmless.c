/* harmless.c - text of others for a terminal.
 *
 * A terminal obeys what it is shown: escape sequences set its title, move its cursor over what
 * stood there, on some even type on the user's behalf.  So nothing passes that is not text.
 */
#include "mail/harmless.h"

#include "base/escape.h"

#include <string.h>

static bool is_plain(char c)
{
    return (c >= ' ' && c < 0x7F) || c == '\n' || c == '\t';
}

/* Whether more octets could make a character, or a line end, of all that there is. */
static bool may_grow(struct text t)
{
    uint8_t lead = (uint8_t)t.at[0];
    if (lead == '\r')
        return t.len == 1;
    size_t want = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || t.len >= want)
        return false;
    for (size_t i = 1; i < t.len; i++)
        if (((uint8_t)t.at[i] & 0xC0) != 0x80)
            return false;
    return true;
}

/* Appends the character at the front of the text; how many octets it has. */
static size_t put_character(struct buffer *out, struct text t)
{
    if (text_starts(t, T("\r\n"))) {
        buffer_byte(out, '\n');
        return 2;
    }
    size_t len = utf8_length(t);
    if (len == 0) {
        buffer_printf(out, "\\x%02X", (uint8_t)t.at[0]);
        return 1;
    }
    bool line = len == 1 && is_plain(t.at[0]);
    if (!line && utf8_sight(utf8_code_point(t)) == UTF8_HIDES)
        buffer_printf(out, "\\u{%X}", utf8_code_point(t));
    else
        buffer_append(out, t.at, len);
    return len;
}

/* Goes on with what was held, one octet of the slice after the other, until nothing is. */
static void finish_held(struct harmless *h, struct text *slice, struct buffer *out)
{
    while (h->held && slice->len) {
        h->hold[h->held++] = slice->at[0];
        *slice = text_skip(*slice, 1);
        struct text t = { h->hold, h->held };
        while (t.len && !may_grow(t))
            t = text_skip(t, put_character(out, t));
        memmove(h->hold, t.at, t.len);
        h->held = (uint8_t)t.len;
    }
}

bool harmless_feed(struct harmless *h, struct text slice, struct buffer *out)
{
    finish_held(h, &slice, out);
    while (slice.len) {
        size_t plain = 0;
        while (plain < slice.len && is_plain(slice.at[plain]))
            plain++;
        buffer_append(out, slice.at, plain);
        slice = text_skip(slice, plain);
        if (slice.len == 0)
            break;
        if (slice.len < sizeof h->hold && may_grow(slice)) {
            memcpy(h->hold, slice.at, slice.len);
            h->held = (uint8_t)slice.len;
            break;
        }
        slice = text_skip(slice, put_character(out, slice));
    }
    return !out->failed;
}

bool harmless_end(struct harmless *h, struct buffer *out)
{
    struct text t = { h->hold, h->held };
    while (t.len)
        t = text_skip(t, put_character(out, t));
    h->held = 0;
    return !out->failed;
}

bool harmless_text(struct buffer *out, struct text t)
{
    struct harmless h = { 0 };
    return harmless_feed(&h, t, out) && harmless_end(&h, out);
}

bool harmless_line(struct buffer *out, struct text t)
{
    size_t from = out->len;
    bool done = harmless_text(out, t);
    for (size_t i = from; i < out->len; i++)
        if (out->at[i] == '\n' || out->at[i] == '\t')
            out->at[i] = ' ';
    return done;
}
