/* header.c - scanning a message's header: fields as slices, and the Received counter.
 *
 * Every function is linear in what it reads and keeps nothing of it.  Nothing here decodes, judges
 * or changes a field: a message is accepted however odd its header is, and relayed as it came.
 */
#include "mail/header.h"

#include <string.h>

/* The length of the first line with its line end; all of it when there is none. */
static size_t line_length(struct text t)
{
    const char *lf = t.len ? memchr(t.at, '\n', t.len) : NULL;
    return lf ? (size_t)(lf - t.at) + 1 : t.len;
}

/* The length of the line end that `t` ends with. */
static size_t line_end_length(struct text t)
{
    if (t.len == 0 || t.at[t.len - 1] != '\n')
        return 0;
    return t.len >= 2 && t.at[t.len - 2] == '\r' ? 2 : 1;
}

/* RFC 5322 3.6.8: printable ASCII but the colon; white space before the colon is 4.5's old form. */
static bool take_name(struct text *rest, struct text *name_out)
{
    size_t len = 0;
    while (len < rest->len && rest->at[len] > ' ' && rest->at[len] < 0x7F && rest->at[len] != ':')
        len++;
    size_t colon = len;
    while (colon < rest->len && text_is_blank(rest->at[colon]))
        colon++;
    if (len == 0 || colon == rest->len || rest->at[colon] != ':')
        return false;
    *name_out = text_first(*rest, len);
    *rest = text_skip(*rest, colon + 1);
    return true;
}

bool header_next(struct text *rest, struct header_field *out)
{
    struct text left = *rest;
    if (!take_name(&left, &out->name))
        return false;
    const char *value = left.at;
    do
        left = text_skip(left, line_length(left));
    while (left.len && text_is_blank(left.at[0]));
    out->value = (struct text){ value, (size_t)(left.at - value) };
    out->value.len -= line_end_length(out->value);
    out->whole = text_first(*rest, rest->len - left.len);
    *rest = left;
    return true;
}

size_t header_length(struct text message)
{
    struct text rest = message;
    struct header_field field;
    while (header_next(&rest, &field))
        ;
    return message.len - rest.len;
}

bool header_find(struct text message, struct text name, struct header_field *out)
{
    while (header_next(&message, out))
        if (text_equal_nocase(out->name, name))
            return true;
    return false;
}

static bool is_line_end(char c)
{
    return c == '\r' || c == '\n';
}

void header_skip_space(struct text *rest)
{
    size_t depth = 0, i = 0;
    for (; i < rest->len; i++) {
        char c = rest->at[i];
        if (c == '(')
            depth++;
        else if (depth && c == ')')
            depth--;
        else if (depth && c == '\\')
            i++;
        else if (!depth && !text_is_blank(c) && !is_line_end(c))
            break;
    }
    *rest = text_skip(*rest, i);
}

struct text header_unfold(struct text value, char *out, size_t max)
{
    value = text_trim(value);
    size_t len = 0;
    for (size_t i = 0; i < value.len && len < max;) {
        if (!is_line_end(value.at[i])) {
            out[len++] = value.at[i++];
            continue;
        }
        while (i < value.len && (text_is_blank(value.at[i]) || is_line_end(value.at[i])))
            i++;
        while (len && text_is_blank(out[len - 1]))
            len--;
        if (len && i < value.len)
            out[len++] = ' ';
    }
    return (struct text){ out, len };
}

void header_count(struct header_counter *h, struct bytes b)
{
    struct text value;
    enum field_event event;
    while ((event = field_read(&h->reader, T("received"), &b, &value)) != FIELD_MORE)
        h->received += event == FIELD_BEGINS && h->received < UINT32_MAX;
}
