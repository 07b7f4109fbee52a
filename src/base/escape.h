/* escape.h - what a peer said, made harmless for logs, replies, terminals and JSON.
 *
 * Printable ASCII and well-formed UTF-8 stay.  Controls, DEL, C1, bidirectional and other invisible
 * formatting characters, and octets that are not UTF-8 become \xNN (or \u{NNNN} for characters), a
 * backslash becomes \\, so that the text is one line and can be turned back.
 */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include "base/buffer.h"

/* Appends the escaped text; false when the buffer has no room (a part may have been added). */
bool escape_text(struct buffer *, struct text);
/* The length of the UTF-8 character at the front, 1 to 4; 0 when it is not well-formed
 * (overlong, surrogate, beyond U+10FFFF, cut). */
size_t utf8_length(struct text);
/* The character at the front, which is well-formed. */
uint32_t utf8_code_point(struct text);

enum utf8_sight {
    UTF8_SEEN,
    UTF8_JOINS, /* not seen, but joins, parts or marks letters: scripts and emoji need it */
    UTF8_HIDES, /* a control, or it reverses or reorders its neighbours, or is a tag */
};
enum utf8_sight utf8_sight(uint32_t character);

/* Whether the whole text is well-formed UTF-8. */
bool utf8_valid(struct text);

#endif
