/* line_ends.c - LF to CRLF and back; a line is copied at once. */
#include "mail/line_ends.h"

#include <string.h>

/* Up to and with the first `octet`, or all. */
static size_t up_to(struct bytes in, char octet)
{
    const uint8_t *at = memchr(in.at, octet, in.len);
    return at ? (size_t)(at - in.at) + 1 : in.len;
}

bool line_ends_to_crlf(struct line_ends *l, struct bytes in, struct buffer *out)
{
    while (in.len > 0) {
        size_t len = up_to(in, '\n');
        bool ends = in.at[len - 1] == '\n';
        char before = len > 1 ? (char)in.at[len - 2] : l->last;
        bool ok = !ends || before == '\r'
                      ? buffer_append(out, in.at, len)
                      : buffer_append(out, in.at, len - 1) && buffer_append(out, "\r\n", 2);
        if (!ok)
            return false;
        l->last = (char)in.at[len - 1];
        in = (struct bytes){ in.at + len, in.len - len };
    }
    return true;
}

bool line_ends_to_crlf_end(struct line_ends *l, struct buffer *out)
{
    bool ok = l->last == '\n'   ? true
              : l->last == '\r' ? buffer_byte(out, '\n')
                                : buffer_append(out, "\r\n", 2);
    l->last = '\n';
    return ok;
}

bool line_ends_to_lf(struct line_ends *l, struct bytes in, struct buffer *out)
{
    while (in.len > 0) {
        if (l->last == '\r' && in.at[0] != '\n' && !buffer_byte(out, '\r'))
            return false;
        size_t len = up_to(in, '\r');
        l->last = (char)in.at[len - 1];
        if (!buffer_append(out, in.at, l->last == '\r' ? len - 1 : len))
            return false;
        in = (struct bytes){ in.at + len, in.len - len };
    }
    return true;
}

bool line_ends_to_lf_end(struct line_ends *l, struct buffer *out)
{
    bool owes = l->last == '\r';
    l->last = '\n';
    return !owes || buffer_byte(out, '\n');
}
