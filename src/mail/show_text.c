/* show_text.c - the text of a part for people: out of its transfer encoding, out of its character
 * set, out of HTML or format=flowed, and harmless at the end.
 *
 * Each step has a buffer of its own with a maximum; what is longer is cut at the first step, and
 * said to be.
 */
#include "mail/flowed.h"
#include "mail/harmless.h"
#include "mail/html.h"
#include "mail/show_inner.h"
#include "mail/transfer.h"

enum {
    SLICE = 64 << 10,
    UTF8_MAX = 4 * SHOW_TEXT_MAX, /* a character set may have one octet where UTF-8 has four */
};

static const struct text cut_note = TEXT("\n[the text goes on: save it to read all]\n");

/* As much of the body as is shown, decoded. */
static bool decode(struct text body, enum mime_encoding encoding, struct buffer *out)
{
    struct transfer t;
    transfer_init(&t, encoding);
    while (body.len && out->len < SHOW_TEXT_MAX) {
        struct text slice = text_first(body, SLICE);
        if (!transfer_feed(&t, bytes_of_text(slice), out))
            return false;
        body = text_skip(body, slice.len);
    }
    return transfer_end(&t, out);
}

static struct text param_of(const struct mime_value *v, struct text name)
{
    const struct mime_param *p = mime_param(v, name);
    return p ? p->value : T("");
}

/* The text as UTF-8.  An unknown character set is said, and read as UTF-8. */
static bool to_utf8(const struct mime_part *p, const struct charset_more *more, struct text octets,
                    struct buffer *out)
{
    struct text charset = param_of(&p->type, T("charset"));
    if (charset_to_utf8(more, charset, octets, out))
        return true;
    if (out->failed)
        return false;
    buffer_text(out, T("[unknown character set: "));
    charset_to_utf8(NULL, T("utf-8"), text_first(charset, 100), out);
    buffer_text(out, T("]\n"));
    return charset_to_utf8(NULL, T("utf-8"), octets, out);
}

/* What the form of the text hides. */
static bool unwrap(const struct mime_part *p, struct text utf8, struct buffer *out)
{
    if (mime_is(&p->type, T("text"), T("html")))
        return html_text(out, utf8);
    bool flowed = mime_is(&p->type, T("text"), T("plain")) &&
                  text_equal_nocase(param_of(&p->type, T("format")), T("flowed"));
    if (!flowed)
        return buffer_text(out, utf8);
    return flowed_undo(out, utf8, text_equal_nocase(param_of(&p->type, T("delsp")), T("yes")));
}

bool show_text(struct text message, const struct mime_part *p, const struct charset_more *more,
               struct buffer *out)
{
    struct buffer octets, utf8, text;
    struct text body = part_body(message, p);
    buffer_init(&octets, SHOW_TEXT_MAX + TRANSFER_ROOM(SLICE));
    buffer_init(&utf8, UTF8_MAX);
    buffer_init(&text, HTML_ROOM(UTF8_MAX));
    bool good = decode(body, p->encoding, &octets);
    bool cut = octets.len > SHOW_TEXT_MAX;
    good = good && to_utf8(p, more, text_first(buffer_as_text(&octets), SHOW_TEXT_MAX), &utf8);
    buffer_clear(&octets);
    good = good && unwrap(p, buffer_as_text(&utf8), &text);
    buffer_clear(&utf8);
    good = good && harmless_text(out, buffer_as_text(&text));
    buffer_clear(&text);
    if (out->len && out->at[out->len - 1] != '\n')
        buffer_byte(out, '\n');
    if (cut)
        buffer_text(out, cut_note);
    return good && !out->failed;
}
