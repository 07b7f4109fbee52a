/* field_reader.h - the fields of one name in a message whose octets pass by. Pure.
 *
 * In any slicing, in linear time, and without keeping an octet:
 *
 *     Subject: hello       nothing
 *     Received: from a     FIELD_BEGINS, FIELD_VALUE " from a\r\n"
 *         by b             FIELD_VALUE "    by b\r\n"
 *                          the empty line: nothing comes any more
 *     Received: from c
 *
 * A value comes line by line, and a line in pieces where the input is cut; nothing else depends on
 * how it is.
 */
#ifndef MAIL_FIELD_READER_H
#define MAIL_FIELD_READER_H

#include "base/text.h"

/* Zeroed is the start. */
struct field_reader {
    uint8_t state;   /* private, as the rest */
    uint8_t matched; /* octets of the name that match in this line */
};

enum field_event {
    FIELD_MORE,   /* all of *in is taken */
    FIELD_BEGINS, /* behind a name and its colon */
    FIELD_VALUE, /* *value_out: the next octets of the value as they stand, of one line, not none */
};
/* Takes octets from the front of *in, up to the next event.  The name is the same in each call, in
 * lower case; *value_out points into *in, and is empty but for FIELD_VALUE.  Lines end with CRLF or
 * LF; one that is no field is passed by. */
enum field_event field_read(struct field_reader *, struct text name, struct bytes *in,
                            struct text *value_out);

#endif
