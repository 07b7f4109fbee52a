/* charset.h - text in its sender's character set to UTF-8.  Pure.
 *
 * US-ASCII, UTF-8, ISO-8859-1 and Windows-1252 are known here.  The C library's iconv knows all
 * others, but opens files for it, so whoever may do that gives a converter of his own; this room
 * only calls it.
 */
#ifndef MAIL_CHARSET_H
#define MAIL_CHARSET_H

#include "base/buffer.h"

struct charset_more {
    void *context;
    /* Appends the octets as UTF-8.  False: no such character set (nothing was appended), or no room
     * in the buffer. */
    bool (*convert)(void *context, struct text charset, struct text octets, struct buffer *out);
};

/* Appends the octets as well-formed UTF-8; what stands for no character becomes U+FFFD.  An empty
 * name is US-ASCII.  `more` may be NULL.  False: the character set is unknown, or no room. */
bool charset_to_utf8(const struct charset_more *more, struct text charset, struct text octets,
                     struct buffer *out);

#endif
