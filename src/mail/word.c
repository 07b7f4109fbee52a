/* word.c - encoded-words in header fields, for people to read.
 *
 * Words of one character set that follow one another are decoded as one run of octets, because many
 * senders cut characters in two (which RFC 2047 5 forbids).
 */
#include "mail/word.h"

#include "mail/transfer.h"

#include <string.h>

struct word {
    struct text charset; /* without a language (RFC 2231 5) */
    bool base64;         /* "B"; else "Q" */
    struct text body;
    size_t len; /* of all of it */
};

/* Words that follow one another. */
struct run {
    struct text charset;
    struct text source; /* as they stand in the value */
    struct buffer octets;
};

/* The octets up to the next one that is no part of an encoded-word: all but '?' and spaces. */
static struct text take_part(struct text *rest)
{
    size_t len = 0;
    while (len < rest->len && rest->at[len] != '?' && (uint8_t)rest->at[len] > ' ')
        len++;
    struct text part = text_first(*rest, len);
    *rest = text_skip(*rest, len);
    return part;
}

static bool take(struct text *rest, struct text what)
{
    if (!text_starts(*rest, what))
        return false;
    *rest = text_skip(*rest, what.len);
    return true;
}

/* RFC 2047 2: =?charset?encoding?text?= */
static bool read_word(struct text t, struct word *out)
{
    struct text rest = t;
    if (!take(&rest, T("=?")))
        return false;
    struct text charset = take_part(&rest);
    if (charset.len == 0 || !take(&rest, T("?")))
        return false;
    struct text encoding = take_part(&rest);
    out->base64 = text_equal_nocase(encoding, T("B"));
    if ((!out->base64 && !text_equal_nocase(encoding, T("Q"))) || !take(&rest, T("?")))
        return false;
    out->body = take_part(&rest);
    if (!take(&rest, T("?=")))
        return false;
    out->charset = text_first(charset, text_find(charset, '*'));
    out->len = t.len - rest.len;
    return true;
}

/* RFC 2047 4.2 */
static void put_q(struct buffer *out, struct text body)
{
    for (size_t i = 0; i < body.len; i++) {
        char c = body.at[i];
        if (c == '=' && i + 2 < body.len && text_hex_value(body.at[i + 1]) >= 0 &&
            text_hex_value(body.at[i + 2]) >= 0) {
            c = (char)(text_hex_value(body.at[i + 1]) * 16 + text_hex_value(body.at[i + 2]));
            i += 2;
        } else if (c == '_')
            c = ' ';
        buffer_byte(out, (uint8_t)c);
    }
}

/* RFC 2047 4.1 */
static void put_b(struct buffer *out, struct text body)
{
    struct transfer t;
    transfer_init(&t, MIME_BASE64);
    transfer_feed(&t, bytes_of_text(body), out);
}

/* Text that is no word: UTF-8 by RFC 6532, whatever else it may be. */
static bool put_plain(struct buffer *out, struct text t)
{
    return charset_to_utf8(NULL, T("utf-8"), t, out);
}

/* Ends the run.  Words in an unknown character set come out as they stand. */
static bool end_run(struct run *r, const struct charset_more *more, struct buffer *out)
{
    bool good = !r->octets.failed;
    if (good && r->source.len)
        good = charset_to_utf8(more, r->charset, buffer_as_text(&r->octets), out) ||
               (!out->failed && put_plain(out, r->source));
    r->octets.len = 0;
    r->source = T("");
    return good;
}

static void add_word(struct run *r, const struct word *w, const char *at)
{
    if (r->source.len == 0) {
        r->charset = w->charset;
        r->source.at = at;
    }
    r->source.len = (size_t)(at - r->source.at) + w->len;
    if (w->base64)
        put_b(&r->octets, w->body);
    else
        put_q(&r->octets, w->body);
}

/* The next word and the blanks before it.  RFC 2047 6.2: blanks between two words do not count. */
static bool next_word(struct run *r, struct text *rest, const struct charset_more *more,
                      struct buffer *out)
{
    size_t gap = 0;
    while (gap < rest->len && text_is_blank(rest->at[gap]))
        gap++;
    struct text at = text_skip(*rest, gap);
    struct word w;
    bool good = true;
    if (read_word(at, &w)) {
        bool follows = r->source.len > 0;
        if (follows && !text_equal_nocase(r->charset, w.charset))
            good = end_run(r, more, out);
        if (!follows)
            good = put_plain(out, text_first(*rest, gap));
        add_word(r, &w, at.at);
        *rest = text_skip(at, w.len);
        return good;
    }
    size_t plain = gap + (at.len > 0);
    while (plain < rest->len && !text_is_blank(rest->at[plain]) && rest->at[plain] != '=')
        plain++;
    good = end_run(r, more, out) && put_plain(out, text_first(*rest, plain));
    *rest = text_skip(*rest, plain);
    return good;
}

bool words_decode(const struct charset_more *more, struct text value, struct buffer *out)
{
    struct run r = { .source = T("") };
    buffer_init(&r.octets, value.len + 1);
    bool good = true;
    while (good && value.len)
        good = next_word(&r, &value, more, out);
    good = good && end_run(&r, more, out);
    buffer_clear(&r.octets);
    return good;
}
