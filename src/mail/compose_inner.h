/* compose_inner.h - what the parts of the composer share; private to it. */
#ifndef MAIL_COMPOSE_INNER_H
#define MAIL_COMPOSE_INNER_H

#include "mail/compose.h"

/* --- A field that is folded as it grows (compose_field.c) --- */

struct field {
    struct buffer *to;
    size_t line; /* octets in this line */
};

/* "Name:"; the buffer must have room, else it fails as buffers do. */
struct field field_begin(struct buffer *, struct text name);
/* A space, or a fold where the line would grow over 75 octets, and the text, which stays whole. */
void field_put(struct field *, struct text);
/* The text right behind what stands there. */
void field_join(struct field *, struct text);
/* UTF-8 as encoded-words, in lines of at most 76 octets (RFC 2047 2). */
void field_put_encoded(struct field *, struct text);
void field_end(struct field *);

/* A field of words for people (RFC 5322 2.2.1), encoded if it must be. */
void field_unstructured(struct buffer *, struct text name, struct text value);
/* ";" and a parameter, as RFC 2231 wants it where it is long or not ASCII. */
void field_param(struct field *, struct text name, struct text value);

/* --- The header (compose_header.c) --- */

bool compose_check_header(const struct compose *, struct error *);
/* All of it but Content- fields; false: memory is short. */
bool compose_header(const struct compose *, struct buffer *);

/* --- Text (compose_text.c) --- */

enum text_form {
    FORM_7BIT,
    FORM_FLOWED,
    FORM_QUOTED_PRINTABLE,
    FORM_BASE64,
};

/* How the text is best written, so that `boundary` stands nowhere in it. */
enum text_form text_form_of(struct text, struct text boundary, bool may_flow);

/* Octets on their way to the sink. */
struct out {
    struct buffer buffer;
    struct sink sink;
    struct error *error;
};
/* Gives the sink what has gathered, if that is much. */
bool out_pass(struct out *);
/* Gives it all. */
bool out_flush(struct out *);

bool text_write(struct out *, struct text, enum text_form);

#endif
