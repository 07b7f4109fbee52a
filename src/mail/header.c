/* header.c - scanning a message's header: fields as slices, and the Received counter.
 *
 * Every function is linear in what it reads and keeps nothing of it.  Nothing here decodes, judges
 * or changes a field: a message is accepted however odd its header is, and relayed as it came.
 */
#include "mail/header.h"

#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

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
    while (colon < rest->len && is_blank(rest->at[colon]))
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
    while (left.len && is_blank(left.at[0]));
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

struct text header_unfold(struct text value, char *out, size_t max)
{
    value = text_trim(value);
    size_t len = 0;
    for (size_t i = 0; i < value.len && len < max;) {
        if (!is_line_end(value.at[i])) {
            out[len++] = value.at[i++];
            continue;
        }
        while (i < value.len && (is_blank(value.at[i]) || is_line_end(value.at[i])))
            i++;
        while (len && is_blank(out[len - 1]))
            len--;
        if (len && i < value.len)
            out[len++] = ' ';
    }
    return (struct text){ out, len };
}

/* Where the counter stands in a line; zero is the start of the message. */
enum {
    COUNT_LINE_START,
    COUNT_NAME,       /* all of this line so far matches */
    COUNT_COLON,      /* "Received" is complete: white space or the colon */
    COUNT_REST,       /* nothing of interest before the next line */
    COUNT_CR,         /* a CR at the start of a line */
    COUNT_HEADER_OVER /* behind the empty line */
};

static const char counted_name[] = "received";
enum { COUNTED_NAME_LEN = sizeof counted_name - 1 };

/* The state behind one octet, which is no LF. */
static uint8_t count_octet(struct header_counter *h, char octet)
{
    if (h->state == COUNT_LINE_START) {
        h->matched = 0;
        if (octet == '\r')
            return COUNT_CR;
    }
    if (h->state == COUNT_CR)
        return COUNT_REST;
    if (h->state == COUNT_COLON) {
        if (is_blank(octet))
            return COUNT_COLON;
        if (octet == ':' && h->received < UINT32_MAX)
            h->received++;
        return COUNT_REST;
    }
    if (text_lower(octet) != counted_name[h->matched])
        return COUNT_REST;
    return ++h->matched == COUNTED_NAME_LEN ? COUNT_COLON : COUNT_NAME;
}

void header_count(struct header_counter *h, struct bytes b)
{
    size_t i = 0;
    while (i < b.len && h->state != COUNT_HEADER_OVER) {
        if (h->state == COUNT_REST) {
            const uint8_t *lf = memchr(b.at + i, '\n', b.len - i);
            if (!lf)
                return;
            i = (size_t)(lf - b.at);
        }
        char octet = (char)b.at[i++];
        if (octet != '\n')
            h->state = count_octet(h, octet);
        else if (h->state == COUNT_LINE_START || h->state == COUNT_CR)
            h->state = COUNT_HEADER_OVER;
        else
            h->state = COUNT_LINE_START;
    }
}
