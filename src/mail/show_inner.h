/* show_inner.h - what the parts of the shower share; private to it. */
#ifndef MAIL_SHOW_INNER_H
#define MAIL_SHOW_INNER_H

#include "mail/show.h"

/* The message's own fields, in lines that end with LF. */
bool show_header(struct text message, const struct charset_more *, struct buffer *out);

/* The text of a leaf as UTF-8 with LF or CRLF, harmless.  False: no memory. */
bool show_text(struct text message, const struct mime_part *, const struct charset_more *,
               struct buffer *out);

/* What a parameter of a name says, as UTF-8 (RFC 2231, and encoded-words as many write them). */
bool show_part_name(const struct mime_part *, const struct charset_more *, struct buffer *out);

static inline struct text part_body(struct text message, const struct mime_part *p)
{
    return text_first(text_skip(message, p->body_at), p->end_at - p->body_at);
}

#endif
