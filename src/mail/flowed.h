/* flowed.h - paragraphs as lines that flow (RFC 3676, format=flowed).  Pure.
 *
 * A line that ends with a space goes on in the next one; those who know that show one paragraph,
 * and all others lines of the usual length.
 */
#ifndef MAIL_FLOWED_H
#define MAIL_FLOWED_H

#include "base/buffer.h"

enum { FLOWED_LINE_MAX = 78 }; /* octets, as far as words allow */

/* Whether the text is prose that gains from it: ASCII with lines over FLOWED_LINE_MAX, all of whose
 * long lines are words with spaces between them.  Only then does flowed_undo() give the very text
 * back that flowed_line() wrote. */
bool flowed_suits(struct text);
/* Appends a line of the text (without its line end) as one or more, each ended by CRLF. */
bool flowed_line(struct buffer *, struct text line);
/* Appends the text with its paragraphs as lines, ended by LF.  `delete_space` is DelSp=yes (4.1).
 * False: no room; RFC 3676 makes nothing longer, but quoted paragraphs by an octet. */
bool flowed_undo(struct buffer *, struct text, bool delete_space);

#endif
