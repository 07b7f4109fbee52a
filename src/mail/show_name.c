/* show_name.c - names of files that strangers chose, made safe.
 *
 * A name must not lead out of the folder it is saved in, hide itself, look like an option to the
 * next program, or do anything to the terminal that lists the folder.
 */
#include "base/escape.h"
#include "mail/harmless.h"
#include "mail/media_type.h"
#include "mail/show_inner.h"
#include "mail/word.h"

#include <string.h>

enum { STEM_MIN = 100, ENDING_MAX = 20 };

bool show_part_name(const struct mime_part *p, const struct charset_more *more, struct buffer *out)
{
    const struct mime_param *name = mime_param(&p->disposition, T("filename"));
    if (!name || name->value.len == 0)
        name = mime_param(&p->type, T("name"));
    if (!name)
        return true;
    struct text value = text_first(name->value, SHOW_FIELD_MAX);
    if (name->charset.len)
        return charset_to_utf8(more, name->charset, value, out) ||
               (!out->failed && charset_to_utf8(NULL, T("utf-8"), value, out));
    return words_decode(more, value, out);
}

/* Without the folders in front, of either kind of system. */
static struct text base_name(struct text t)
{
    size_t from = t.len;
    while (from > 0 && t.at[from - 1] != '/' && t.at[from - 1] != '\\')
        from--;
    return text_skip(t, from);
}

static bool is_unsafe(struct text character)
{
    char line[64];
    struct buffer b = buffer_over(line, sizeof line);
    if (character.len == 1)
        return (uint8_t)character.at[0] < ' ' || character.at[0] == 0x7F ||
               text_is_one_of(character.at[0], "/\\:*?\"<>|");
    /* What is not seen at its place changes what the name seems to be. */
    return !escape_text(&b, character) || !text_equal(buffer_as_text(&b), character);
}

static void put_safe(struct buffer *out, struct text t)
{
    while (t.len) {
        size_t len = utf8_length(t);
        struct text character = text_first(t, len ? len : 1);
        buffer_text(out, len == 0 || is_unsafe(character) ? T("_") : character);
        t = text_skip(t, character.len);
    }
}

/* At most `max` octets of whole characters. */
static struct text whole_first(struct text t, size_t max)
{
    size_t len = t.len < max ? t.len : max;
    while (len > 0 && len < t.len && ((uint8_t)t.at[len] & 0xC0) == 0x80)
        len--;
    return text_first(t, len);
}

/* The ending of a name with its dot, if it has one of usual length. */
static struct text ending_of(struct text t)
{
    size_t dot = t.len;
    while (dot > 0 && t.at[dot - 1] != '.')
        dot--;
    return dot > 1 && t.len - dot < ENDING_MAX ? text_skip(t, dot - 1) : T("");
}

bool show_file_name(struct text name, struct text type, size_t number, struct buffer *out)
{
    size_t from = out->len;
    struct text base = text_trim(base_name(name));
    while (base.len && text_is_one_of(base.at[base.len - 1], ". "))
        base.len--;
    if (base.len == 0)
        return buffer_printf(out, "attachment-%zu.%.*s", number,
                             TEXT_ARGS(media_type_ending(type)));
    struct text ending = ending_of(base);
    base = whole_first(text_first(base, base.len - ending.len), SHOW_NAME_MAX - ending.len);
    put_safe(out, base);
    put_safe(out, ending);
    if (!out->failed && text_is_one_of((char)out->at[from], ".-~"))
        out->at[from] = '_';
    return !out->failed;
}
