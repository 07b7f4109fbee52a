/* html.h - HTML as text that can be read.  Pure.
 *
 * No browser: it knows where lines and paragraphs end, what a list is, that scripts and styles are
 * not text, where links lead and what the entities mean.  Linear in what it reads.
 */
#ifndef MAIL_HTML_H
#define MAIL_HTML_H

#include "base/buffer.h"

/* Octets that HTML of `len` octets becomes at the most. */
#define HTML_ROOM(len) (3 * (size_t)(len) + 16)

/* Appends the text of the HTML (UTF-8), in lines that end with LF.  What comes out may hold any
 * character, as what went in.  False: no room. */
bool html_text(struct buffer *out, struct text html);

#endif
