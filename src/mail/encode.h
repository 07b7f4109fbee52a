/* encode.h - how we write header fields and bodies: folding (RFC 5322 2.2.3), quoted-printable
 * (RFC 2045 6.7), encoded-words (RFC 2047 2).  Pure.
 *
 * All append to the buffer.  False: no room, and a part may have been appended.
 */
#ifndef MAIL_ENCODE_H
#define MAIL_ENCODE_H

#include "base/buffer.h"

/* "name: value" with its CRLF.  Folded at spaces to keep lines to 78 octets, and within a word that
 * would pass 998; a '\n' in the value begins a new line.  Unfolding gives the value back, each '\n'
 * as a space and runs of more than 100 spaces shortened.  The value has no other control character.
 */
bool field_write(struct buffer *, struct text name, struct text value);
/* The same for text of any length in UTF-8, as encoded-words where it is not ASCII. */
bool field_write_words(struct buffer *, struct text name, struct text value);

/* Lines ended by CRLF or LF, as lines of at most 76 octets ended by CRLF; any octet may stand in
 * them.  No line begins with '-', '.' or "From ", so that none is mistaken for something else. */
bool quoted_printable(struct buffer *, struct text);
/* How many octets it makes of one line, which is given without its line end. */
size_t quoted_printable_octets(struct text line);

#endif
