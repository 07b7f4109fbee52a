/* compose.c - the body of a message: its parts, one after the other, to a sink.
 *
 * The boundaries of the two multiparts differ in their third octet, so neither begins with the
 * other.  No content can hold one: see compose_text.c for text; files are base64.
 */
#include "mail/compose.h"

#include "base/check.h"
#include "base/escape.h"
#include "mail/charset.h"
#include "mail/compose_inner.h"
#include "mail/encode.h"
#include "mail/media_type.h"
#include "mail/mime_value.h"
#include "mail/transfer_encode.h"

#include <string.h>

enum {
    BUFFER_MAX = 4 * COMPOSE_TEXT_MAX, /* one line of text, quoted-printable */
    READ_OCTETS = 16 << 10,            /* of a file, at once */
    TYPE_MAX = 200,
};

/* What stands around the parts. */
static const struct text mixed = TEXT("=_m"), alternative = TEXT("=_a");

/* --- What is refused --- */

static bool check_text(struct text t, const char *what, struct error *e)
{
    if (t.len > COMPOSE_TEXT_MAX)
        return error_set(e, ERROR_USAGE, "the %s is longer than %d MB; send it as a file", what,
                         COMPOSE_TEXT_MAX >> 20);
    if (!utf8_valid(t))
        return error_set(e, ERROR_USAGE, "the %s is not UTF-8", what);
    return true;
}

/* "type/subtype", perhaps with parameters that stand as they are. */
static bool check_type(struct text type, struct error *e)
{
    struct arena arena;
    struct mime_value value = { 0 };
    bool good = type.len <= TYPE_MAX;
    for (size_t i = 0; i < type.len; i++)
        good = good && type.at[i] >= ' ' && type.at[i] < 0x7F;
    if (good) {
        arena_init(&arena, MIME_VALUE_ROOM(TYPE_MAX));
        good = mime_type_read(&arena, type, &value) && value.word.len > 0;
        arena_reset(&arena);
    }
    if (!good)
        return error_set(e, ERROR_USAGE, "\"%.*s\" is no media type as image/png is one",
                         TEXT_ARGS(text_first(type, TYPE_MAX)));
    return true;
}

bool compose_check(const struct compose *c, struct error *e)
{
    CHECK(c->boundary.len >= COMPOSE_BOUNDARY_MIN);
    CHECK(c->boundary.len <= COMPOSE_BOUNDARY_MAX);
    if (!compose_check_header(c, e) || !check_text(c->text, "text", e) ||
        !check_text(c->html, "HTML text", e))
        return false;
    for (size_t i = 0; i < c->file_count; i++)
        if (c->files[i].type.len && !check_type(c->files[i].type, e))
            return false;
    return true;
}

/* --- Parts --- */

static void put_multipart(const struct compose *c, struct text sub, struct text prefix,
                          struct buffer *b)
{
    char room[COMPOSE_BOUNDARY_MAX + 8];
    struct buffer boundary = buffer_over(room, sizeof room);
    buffer_printf(&boundary, "%.*s%.*s", TEXT_ARGS(prefix), TEXT_ARGS(c->boundary));
    struct field f = field_begin(b, T("Content-Type"));
    field_put(&f, sub);
    field_param(&f, T("boundary"), buffer_as_text(&boundary));
    field_end(&f);
}

/* A delimiter; `end` is "--" behind the last part.  The line end in front of it belongs to it;
 * behind a header it makes the empty line. */
static void put_delimiter(const struct compose *c, struct text prefix, struct text end,
                          struct buffer *b)
{
    buffer_printf(b, "\r\n--%.*s%.*s%.*s\r\n", TEXT_ARGS(prefix), TEXT_ARGS(c->boundary),
                  TEXT_ARGS(end));
}

static struct text encoding_name(enum text_form form)
{
    switch (form) {
    case FORM_7BIT:
    case FORM_FLOWED:
        return T("7bit");
    case FORM_QUOTED_PRINTABLE:
        return T("quoted-printable");
    case FORM_BASE64:
        break;
    }
    return T("base64");
}

/* The fields of a part of text, and the text. */
static bool put_text(const struct compose *c, struct text t, struct text type, struct out *o)
{
    bool plain = text_equal(type, T("text/plain"));
    enum text_form form = c->force_base64 ? FORM_BASE64 : text_form_of(t, c->boundary, plain);
    bool ascii = !c->force_base64 && text_is_ascii(t);
    struct field f = field_begin(&o->buffer, T("Content-Type"));
    field_put(&f, type);
    field_param(&f, T("charset"), ascii ? T("us-ascii") : T("utf-8"));
    if (form == FORM_FLOWED)
        field_param(&f, T("format"), T("flowed"));
    field_end(&f);
    field_write(&o->buffer, T("Content-Transfer-Encoding"), encoding_name(form));
    buffer_text(&o->buffer, T("\r\n"));
    return text_write(o, t, form);
}

static bool put_texts(const struct compose *c, struct out *o)
{
    if (c->html.len == 0)
        return put_text(c, c->text, T("text/plain"), o);
    put_multipart(c, T("multipart/alternative"), alternative, &o->buffer);
    put_delimiter(c, alternative, T(""), &o->buffer);
    if (!put_text(c, c->text, T("text/plain"), o))
        return false;
    put_delimiter(c, alternative, T(""), &o->buffer);
    if (!put_text(c, c->html, T("text/html"), o))
        return false;
    put_delimiter(c, alternative, T("--"), &o->buffer);
    return out_pass(o);
}

/* --- Files --- */

static struct text type_of(const struct compose_file *file)
{
    struct text type = file->type.len ? file->type : media_type_of_name(file->name);
    bool opaque =
        text_starts_nocase(type, T("message/")) || text_starts_nocase(type, T("multipart/"));
    return opaque ? T("application/octet-stream") : type;
}

static void put_file_fields(const struct compose_file *file, struct buffer *b)
{
    struct buffer name;
    struct text type = type_of(file), word;
    buffer_init(&name, 3 * COMPOSE_FILE_NAME_MAX);
    charset_to_utf8(NULL, T("utf-8"), text_first(file->name, COMPOSE_FILE_NAME_MAX), &name);
    struct field f = field_begin(b, T("Content-Type"));
    while (text_word(&type, &word))
        field_put(&f, word);
    field_end(&f);
    field_write(b, T("Content-Transfer-Encoding"), T("base64"));
    f = field_begin(b, T("Content-Disposition"));
    field_put(&f, T("attachment"));
    if (name.len)
        field_param(&f, T("filename"), buffer_as_text(&name));
    field_end(&f);
    buffer_text(b, T("\r\n"));
    b->failed |= name.failed;
    buffer_clear(&name);
}

static bool put_file(const struct compose_file *file, struct out *o)
{
    uint8_t room[READ_OCTETS];
    struct transfer_encoder lines;
    size_t len;
    transfer_encode_init(&lines, MIME_BASE64);
    put_file_fields(file, &o->buffer);
    do {
        if (!file->read(file->context, room, sizeof room, &len, o->error))
            return false;
        CHECK(len <= sizeof room);
        transfer_encode(&lines, (struct bytes){ room, len }, &o->buffer);
        if (!out_pass(o))
            return false;
    } while (len > 0);
    transfer_encode_end(&lines, false, &o->buffer);
    return out_pass(o);
}

static bool put_mixed(const struct compose *c, struct out *o)
{
    put_multipart(c, T("multipart/mixed"), mixed, &o->buffer);
    put_delimiter(c, mixed, T(""), &o->buffer);
    if (!put_texts(c, o))
        return false;
    for (size_t i = 0; i < c->file_count; i++) {
        put_delimiter(c, mixed, T(""), &o->buffer);
        if (!put_file(&c->files[i], o))
            return false;
    }
    put_delimiter(c, mixed, T("--"), &o->buffer);
    return out_pass(o);
}

bool compose_write(const struct compose *c, struct sink sink, struct error *e)
{
    struct out o = { .sink = sink, .error = e };
    if (!compose_check(c, e))
        return false;
    buffer_init(&o.buffer, BUFFER_MAX);
    bool done = compose_header(c, &o.buffer);
    if (!done)
        error_set(e, ERROR_TEMPORARY, "there is no memory for the message");
    done = done && (c->file_count ? put_mixed(c, &o) : put_texts(c, &o)) && out_flush(&o);
    buffer_clear(&o.buffer);
    return done;
}
