/* word.h - encoded-words in header fields, for people to read (RFC 2047).  Pure. */
#ifndef MAIL_WORD_H
#define MAIL_WORD_H

#include "mail/charset.h"

/* Appends the value, which stands on one line (header_unfold()), as UTF-8 with its encoded-words
 * decoded; one in an unknown character set or of another form stays as it is.  Linear in the value.
 * What comes out may hold any character, controls too: escape_text() before a terminal sees it.
 * False: no room, or memory is short; a part may have been appended. */
bool words_decode(const struct charset_more *more, struct text value, struct buffer *out);

#endif
