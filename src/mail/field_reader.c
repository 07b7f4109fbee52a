/* field_reader.c - the fields of one name in a message whose octets pass by.
 *
 * Octet by octet at the front of a line only, up to where its name differs; from there to the end
 * of the line, and over the body, nothing is looked at.
 */
#include "mail/field_reader.h"

#include "base/check.h"

#include <string.h>

/* Where the reader stands; zero is the start of the message. */
enum {
    READ_LINE_START,
    READ_NAME,  /* all of this line so far matches */
    READ_COLON, /* the name is complete: white space or the colon */
    READ_VALUE, /* behind the colon */
    READ_FOLD,  /* at the start of a line behind a line of the value, which may go on here */
    READ_REST,  /* nothing of interest before the next line */
    READ_CR,    /* behind a CR at the start of a line */
    READ_OVER   /* behind the empty line */
};

static uint8_t take_name(struct field_reader *r, struct text name, char octet)
{
    if (text_lower(octet) != name.at[r->matched])
        return READ_REST;
    return ++r->matched == name.len ? READ_COLON : READ_NAME;
}

/* The state behind one octet of a line's front. */
static uint8_t take_octet(struct field_reader *r, struct text name, char octet)
{
    if (octet == '\n')
        return r->state == READ_LINE_START || r->state == READ_CR ? READ_OVER : READ_LINE_START;
    switch (r->state) {
    case READ_LINE_START:
        r->matched = 0;
        return octet == '\r' ? READ_CR : take_name(r, name, octet);
    case READ_NAME:
        return take_name(r, name, octet);
    case READ_COLON:
        return octet == ':' ? READ_VALUE : text_is_blank(octet) ? READ_COLON : READ_REST;
    default:
        return READ_REST;
    }
}

/* Takes a line with its end, or as much of it as there is.  False: its end is not there. */
static bool take_line(struct bytes *in, struct text *line_out)
{
    const uint8_t *lf = memchr(in->at, '\n', in->len);
    *line_out = text_of_bytes(*in);
    if (lf)
        line_out->len = (size_t)(lf - in->at) + 1;
    *in = (struct bytes){ in->at + line_out->len, in->len - line_out->len };
    return lf != NULL;
}

enum field_event field_read(struct field_reader *r, struct text name, struct bytes *in,
                            struct text *value_out)
{
    struct text line;
    CHECK(name.len > 0 && name.len <= UINT8_MAX);
    *value_out = T("");
    while (in->len > 0 && r->state != READ_OVER) {
        char octet = (char)in->at[0];
        if (r->state == READ_FOLD)
            r->state = text_is_blank(octet) ? READ_VALUE : READ_LINE_START;
        if (r->state == READ_VALUE) {
            r->state = take_line(in, value_out) ? READ_FOLD : READ_VALUE;
            return FIELD_VALUE;
        }
        if (r->state == READ_REST) {
            r->state = take_line(in, &line) ? READ_LINE_START : READ_REST;
            continue;
        }
        *in = (struct bytes){ in->at + 1, in->len - 1 };
        r->state = take_octet(r, name, octet);
        if (r->state == READ_VALUE)
            return FIELD_BEGINS;
    }
    in->len = 0;
    return FIELD_MORE;
}
