/* compose_field.c - header fields as the composer writes them: folded between their words, with
 * encoded-words (RFC 2047) and parameters (RFC 2231) where ASCII is not enough.
 *
 * encode.c folds what is text already; here the writer knows what belongs together.
 */
#include "mail/compose_inner.h"

#include "base/base64.h"
#include "base/escape.h"

#include <string.h>

enum {
    LINE_OCTETS = 75,    /* as RFC 2047 2 wants it, and a comma or a semicolon may follow */
    ENCODED_OCTETS = 76, /* RFC 2047 2: a line with an encoded-word */
    WORD_OCTETS = 75,    /* and the word itself */
    WORD_ROOM_MIN = 12,  /* octets of text; a line with less room gets none: a character has 12 */
    PARAM_OCTETS = 75,   /* behind the space */
};

static const char hex_digits[] = "0123456789ABCDEF";

struct field field_begin(struct buffer *b, struct text name)
{
    struct field f = { .to = b };
    field_join(&f, name);
    field_join(&f, T(":"));
    return f;
}

void field_join(struct field *f, struct text t)
{
    buffer_text(f->to, t);
    f->line += t.len;
}

static void fold(struct field *f)
{
    buffer_text(f->to, T("\r\n "));
    f->line = 1;
}

void field_put(struct field *f, struct text t)
{
    if (f->line > 1 && f->line + 1 + t.len > LINE_OCTETS)
        fold(f);
    else
        field_join(f, T(" "));
    field_join(f, t);
}

void field_end(struct field *f)
{
    buffer_text(f->to, T("\r\n"));
}

/* --- Encoded-words --- */

/* RFC 2047 5 (3): what may stand for itself in a word anywhere. */
static bool is_plain_in_word(char c)
{
    return text_is_letter(c) || text_is_digit(c) || text_is_one_of(c, "!*+-/");
}

static size_t q_width(struct text t)
{
    size_t width = 0;
    for (size_t i = 0; i < t.len; i++)
        width += is_plain_in_word(t.at[i]) || t.at[i] == ' ' ? 1 : 3;
    return width;
}

static void put_q(struct field *f, struct text t)
{
    for (size_t i = 0; i < t.len; i++) {
        uint8_t c = (uint8_t)t.at[i];
        const char triple[3] = { '=', hex_digits[c >> 4], hex_digits[c & 15] };
        if (c == ' ')
            field_join(f, T("_"));
        else if (is_plain_in_word(t.at[i]))
            field_join(f, (struct text){ t.at + i, 1 });
        else
            field_join(f, (struct text){ triple, 3 });
    }
}

static void put_b(struct field *f, struct text t)
{
    base64_encode(f->to, bytes_of_text(t));
    f->line += BASE64_ENCODED(t.len);
}

static const struct encoding {
    struct text begin;
    void (*put)(struct field *, struct text);
} encodings[] = {
    { TEXT("=?UTF-8?Q?"), put_q },
    { TEXT("=?UTF-8?B?"), put_b },
};

static size_t width_of(const struct encoding *e, struct text t)
{
    return e->put == put_q ? q_width(t) : BASE64_ENCODED(t.len);
}

/* The whole characters at the front that have at most `width` octets when they are encoded. */
static struct text take_fitting(const struct encoding *e, struct text *rest, size_t width)
{
    size_t len = 0;
    while (len < rest->len) {
        size_t next = utf8_length(text_skip(*rest, len));
        next = len + (next ? next : 1);
        if (width_of(e, text_first(*rest, next)) > width)
            break;
        len = next;
    }
    struct text fits = text_first(*rest, len);
    *rest = text_skip(*rest, len);
    return fits;
}

void field_put_encoded(struct field *f, struct text t)
{
    const struct encoding *e = &encodings[q_width(t) > BASE64_ENCODED(t.len)];
    size_t frame = e->begin.len + 2;
    while (t.len) {
        if (f->line + 1 + frame + WORD_ROOM_MIN > ENCODED_OCTETS && f->line > 1)
            fold(f);
        else if (f->line > 1)
            field_join(f, T(" "));
        size_t room = ENCODED_OCTETS - f->line;
        room = room < WORD_OCTETS ? room : WORD_OCTETS;
        struct text piece = take_fitting(e, &t, room - frame);
        field_join(f, e->begin);
        e->put(f, piece);
        field_join(f, T("?="));
    }
}

/* Whether the words can stand as they are and are read as they are. */
static bool is_plain_words(struct text t)
{
    size_t word = 0;
    bool blank = true;
    for (size_t i = 0; i < t.len; i++) {
        char c = t.at[i];
        if (c < ' ' || c >= 0x7F || (blank && c == ' '))
            return false;
        if (c == '=' && i + 1 < t.len && t.at[i + 1] == '?') /* it would be decoded */
            return false;
        blank = c == ' ';
        word = blank ? 0 : word + 1;
        if (word >= LINE_OCTETS)
            return false;
    }
    return !blank;
}

void field_unstructured(struct buffer *b, struct text name, struct text value)
{
    struct field f = field_begin(b, name);
    struct text word;
    if (!is_plain_words(value))
        field_put_encoded(&f, value);
    else
        while (text_word(&value, &word))
            field_put(&f, word);
    field_end(&f);
}

/* --- Parameters --- */

/* Printable ASCII that a quoted string holds without a backslash, which not everybody undoes. */
static bool is_plain_value(struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        if (t.at[i] < ' ' || t.at[i] >= 0x7F || t.at[i] == '"' || t.at[i] == '\\')
            return false;
    return true;
}

/* RFC 2231 7: attribute-char. */
static bool is_attribute_char(char c)
{
    return c > ' ' && c < 0x7F && !text_is_one_of(c, "*'%()<>@,;:\\\"/[]?=");
}

static void put_percent(struct buffer *b, struct text t)
{
    for (size_t i = 0; i < t.len; i++) {
        uint8_t c = (uint8_t)t.at[i];
        const char triple[3] = { '%', hex_digits[c >> 4], hex_digits[c & 15] };
        if (is_attribute_char(t.at[i]))
            buffer_byte(b, c);
        else
            buffer_append(b, triple, sizeof triple);
    }
}

/* As much of the value as one piece can have: whole characters, `room` octets encoded. */
static struct text take_piece(struct text *rest, size_t room)
{
    size_t len = 0, width = 0;
    while (len < rest->len) {
        size_t n = utf8_length(text_skip(*rest, len));
        n = n ? n : 1;
        size_t wide = n == 1 && is_attribute_char(rest->at[len]) ? 1 : 3 * n;
        if (width + wide > room)
            break;
        width += wide;
        len += n;
    }
    struct text piece = text_first(*rest, len);
    *rest = text_skip(*rest, len);
    return piece;
}

/* RFC 2231 3 and 4: name*=UTF-8''value, or name*0*=..., name*1*=... */
static void put_extended(struct field *f, struct text name, struct text value)
{
    char room[PARAM_OCTETS + 16];
    struct text rest = value;
    struct text all = take_piece(&rest, PARAM_OCTETS - name.len - 10);
    if (rest.len == 0) {
        struct buffer b = buffer_over(room, sizeof room);
        buffer_printf(&b, "%.*s*=UTF-8''", TEXT_ARGS(name));
        put_percent(&b, all);
        field_put(f, buffer_as_text(&b));
        return;
    }
    rest = value;
    for (unsigned n = 0; rest.len; n++) {
        struct buffer b = buffer_over(room, sizeof room);
        buffer_printf(&b, "%.*s*%u*=%s", TEXT_ARGS(name), n, n ? "" : "UTF-8''");
        struct text piece = take_piece(&rest, PARAM_OCTETS - 1 - b.len);
        put_percent(&b, piece);
        if (rest.len)
            buffer_byte(&b, ';');
        field_put(f, buffer_as_text(&b));
    }
}

void field_param(struct field *f, struct text name, struct text value)
{
    char room[PARAM_OCTETS + 16];
    struct buffer b = buffer_over(room, sizeof room);
    field_join(f, T(";"));
    if (!is_plain_value(value) || name.len + value.len + 3 > PARAM_OCTETS) {
        put_extended(f, name, value);
        return;
    }
    buffer_printf(&b, "%.*s=\"%.*s\"", TEXT_ARGS(name), TEXT_ARGS(value));
    field_put(f, buffer_as_text(&b));
}
