/* header.h - scanning a message's header: fields as slices, nothing decoded, linear time. Pure. */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "mail/field_reader.h"

struct header_field {
    struct text name;  /* without the colon and without white space before it */
    struct text value; /* behind the colon, folds as they are, without the last line end */
    struct text whole; /* the field with its line end */
};

/* Takes the next field off the front of *rest.  False at the empty line (which stays), at the end,
 * and at a line that is no field: *rest then begins with what is not header. Lines end with CRLF or
 * LF. */
bool header_next(struct text *rest, struct header_field *out);
/* The length of the header in a message: up to and without the empty line. */
size_t header_length(struct text message);
/* Finds the first field of this name; case does not count. */
bool header_find(struct text message, struct text name, struct header_field *out);
/* Skips white space, folds and comments at the front of *rest, which may stand between two tokens
 * of a value (RFC 5322 3.2.2). */
void header_skip_space(struct text *rest);
/* The value on one line: folds become single spaces, at most `max` octets are written to `out`;
 * returns what was written. */
struct text header_unfold(struct text value, char *out, size_t max);

/* Counts the Received fields of a message as its octets pass by, in any slicing, without keeping
 * any (RFC 5321 6.3). Zeroed is the start. */
struct header_counter {
    uint32_t received;
    struct field_reader reader; /* private */
};
void header_count(struct header_counter *, struct bytes);

#endif
