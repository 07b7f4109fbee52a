/* charset.h - text from one character set to another, by the C library's iconv.
 *
 * Only whoever shows mail needs it: iconv opens files.  Names are as mail writes them; those that
 * mail often uses for more than they mean stand for the larger set (gb2312 is read as GB18030).
 */
#ifndef RUN_CHARSET_H
#define RUN_CHARSET_H

#include "base/buffer.h"

/* One conversion of one text that comes in slices. */
struct recoder;

enum { RECODER_NAME_MAX = 40 };

/* Octets that a slice of `len` octets becomes at the most, with what was held before. */
#define RECODER_ROOM(len) (8 * ((size_t)(len) + 64))

/* From the named set to well-formed UTF-8.  NULL: it is unknown, or memory is short. */
struct recoder *recoder_to_utf8(struct text charset);
/* From UTF-8 to the named set, a terminal's: what it lacks becomes what looks like it, else '?'. */
struct recoder *recoder_from_utf8(struct text charset);
/* NULL is fine. */
void recoder_free(struct recoder **);

/* Appends what the slice gives, which may be cut anywhere.  Octets that stand for nothing become
 * U+FFFD, or '?' in a terminal's set.  False: the buffer has no room, and the state is lost. */
bool recoder_feed(struct recoder *, struct text slice, struct buffer *out);
/* Appends what was held back: the text has ended.  Another text may begin. */
bool recoder_end(struct recoder *, struct buffer *out);

/* What mail/charset.h calls for the character sets that it does not know:
 *     struct charset_more more = { charsets, charsets_convert };
 * It keeps the last converter, since the words of a header mostly have one character set. */
struct charsets;
/* NULL: memory is short. */
struct charsets *charsets_new(void);
void charsets_free(struct charsets **);
/* Appends the octets as UTF-8.  False: no such character set (nothing was appended), or no room. */
bool charsets_convert(void *charsets, struct text charset, struct text octets, struct buffer *out);

enum { CHARSET_TERMINAL_MAX = 64 };
/* The character set of the user's environment (LC_ALL, LC_CTYPE, LANG), "UTF-8" where nothing is
 * said: terminated, and returned. */
struct text charset_of_terminal(char out[CHARSET_TERMINAL_MAX]);

#endif
