/* compose_text.c - text as lines that every mail system carries (RFC 2045 6).
 *
 * 7bit where the text is such lines already; otherwise the shorter of quoted-printable and base64.
 * Neither of those can hold a boundary: quoted_printable() begins no line with '-', and base64 has
 * no such character.
 */
#include "mail/compose_inner.h"

#include "base/base64.h"
#include "mail/encode.h"
#include "mail/flowed.h"
#include "mail/transfer_encode.h"

#include <string.h>

enum { PASS_OCTETS = 32 << 10 };

bool out_flush(struct out *o)
{
    if (o->buffer.failed)
        return error_set(o->error, ERROR_TEMPORARY, "there is no memory for the message");
    bool done =
        o->buffer.len == 0 || o->sink.write(o->sink.context, buffer_bytes(&o->buffer), o->error);
    o->buffer.len = 0;
    return done;
}

bool out_pass(struct out *o)
{
    return (o->buffer.len < PASS_OCTETS && !o->buffer.failed) || out_flush(o);
}

static struct text take_line(struct text *rest)
{
    struct text line;
    if (text_cut(rest, '\n', &line) && line.len && line.at[line.len - 1] == '\r')
        line.len--;
    return line;
}

/* Whether the line can go as it is. */
static bool is_7bit(struct text line)
{
    for (size_t i = 0; i < line.len; i++)
        if ((line.at[i] < ' ' && line.at[i] != '\t') || line.at[i] >= 0x7F)
            return false;
    return !text_starts(line, T("From ")); /* which some change on the way */
}

static bool contains(struct text t, struct text what)
{
    return t.len >= what.len && memmem(t.at, t.len, what.at, what.len);
}

static size_t base64_octets(size_t len)
{
    size_t lines = (len + TRANSFER_LINE_OCTETS - 1) / TRANSFER_LINE_OCTETS;
    return BASE64_ENCODED(len) + 2 * lines;
}

/* Whether base64 is shorter than quoted-printable. */
static bool base64_is_shorter(struct text t)
{
    size_t octets = 0, quoted = 0;
    while (t.len) {
        struct text line = take_line(&t);
        quoted += quoted_printable_octets(line) + 2;
        octets += line.len + 2;
    }
    return base64_octets(octets) < quoted;
}

enum text_form text_form_of(struct text t, struct text boundary, bool may_flow)
{
    bool plain = !contains(t, boundary), fits = true;
    for (struct text rest = t; plain && rest.len;) {
        struct text line = take_line(&rest);
        plain = is_7bit(line);
        fits &= line.len <= FLOWED_LINE_MAX;
    }
    if (plain && fits)
        return FORM_7BIT;
    if (plain && may_flow && flowed_suits(t))
        return FORM_FLOWED;
    return base64_is_shorter(t) ? FORM_BASE64 : FORM_QUOTED_PRINTABLE;
}

bool text_write(struct out *o, struct text t, enum text_form form)
{
    struct transfer_encoder lines;
    transfer_encode_init(&lines, MIME_BASE64);
    while (t.len && !o->buffer.failed) {
        struct text line = take_line(&t);
        if (form == FORM_BASE64) {
            transfer_encode(&lines, bytes_of_text(line), &o->buffer);
            transfer_encode(&lines, bytes_of_text(T("\r\n")), &o->buffer);
        } else if (form == FORM_FLOWED) {
            flowed_line(&o->buffer, line);
        } else {
            if (form == FORM_7BIT)
                buffer_text(&o->buffer, line);
            else
                quoted_printable(&o->buffer, line);
            buffer_text(&o->buffer, T("\r\n"));
        }
        if (!out_pass(o))
            return false;
    }
    transfer_encode_end(&lines, true, &o->buffer);
    return out_pass(o);
}
