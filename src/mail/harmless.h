/* harmless.h - text of others for a terminal: it can be read, and moves nothing but the cursor to
 * the right and down.  Pure.
 *
 * Printable characters, line ends and tabs stay; CRLF becomes LF.  Every other control, DEL, C1 (as
 * the characters U+0080 to U+009F), what reverses or reorders its neighbours, and tags, which hide
 * text, become \u{NN}; octets that are no UTF-8 become \xNN.  What joins and separates letters
 * stays, since scripts and emoji are written with it.  A backslash stays as well: this is for
 * people to read and not to be turned back (that is base/escape.h).
 */
#ifndef MAIL_HARMLESS_H
#define MAIL_HARMLESS_H

#include "base/buffer.h"

/* Octets that a text of `len` octets becomes at the most, with what was held before. */
#define HARMLESS_ROOM(len) (6 * ((size_t)(len) + 4))

/* A text that comes in slices, cut anywhere.  Zeroed is the start. */
struct harmless {
    uint8_t held;
    char hold[4]; /* a character that is not whole, or a CR */
};

/* Appends what the slice gives.  False: no room. */
bool harmless_feed(struct harmless *, struct text, struct buffer *out);
/* Appends what was held back: the text has ended. */
bool harmless_end(struct harmless *, struct buffer *out);

/* A whole text. */
bool harmless_text(struct buffer *out, struct text);
/* Text that must stay on one line, as a name or a subject: tabs and line ends become spaces. */
bool harmless_line(struct buffer *out, struct text);

#endif
