/* mime_value.h - values of Content-Type and Content-Disposition: words and parameters (RFC
 * 2045 5.1, RFC 2183, RFC 2231).  Pure.
 *
 * What is malformed never fails: it is read as most readers read it, or left out.  The texts are
 * octets as the sender chose them: controls, NUL and octets over 0x7F may stand in them.
 */
#ifndef MAIL_MIME_VALUE_H
#define MAIL_MIME_VALUE_H

#include "base/arena.h"

enum {
    MIME_PARAMS_MAX = 32, /* parameters in one field, joined ones counted once; more are left out */
    MIME_PIECES_MAX = 128, /* and as they stand in it, before they are joined */
};

struct mime_param {
    struct text name;  /* as written, without RFC 2231's asterisks */
    struct text value; /* unquoted, its continuations joined, %XX undone */
    /* RFC 2231 4: the value's character set and language; empty where none is named. */
    struct text charset;
    struct text language;
};

/* "text/plain; charset=utf-8": word "text", sub "plain".  "attachment; filename=x": sub is empty.
 */
struct mime_value {
    struct text word; /* empty: the value is malformed, and everything else is empty too */
    struct text sub;
    struct mime_param *params; /* each name once, in the order of their first pieces */
    size_t param_count;
};

/* Octets that reading a value of `len` octets may take from an arena. */
#define MIME_VALUE_ROOM(len) (2 * (size_t)(len) + (size_t)MIME_PARAMS_MAX * 160 + 256)

/* Reads "type/subtype *(; parameter)" or "word *(; parameter)"; folds and comments may stand in it.
 * The result lives as long as the arena.  False: memory is short. */
bool mime_type_read(struct arena *, struct text value, struct mime_value *out);
bool mime_disposition_read(struct arena *, struct text value, struct mime_value *out);
/* The first word of a value, without comments; a slice of it.  Empty when there is none. */
struct text mime_word(struct text value);
/* The parameter of this name; NULL when there is none.  Case does not count. */
const struct mime_param *mime_param(const struct mime_value *, struct text name);
/* Whether the value is this type; an empty `sub` stands for any. */
bool mime_is(const struct mime_value *, struct text word, struct text sub);

#endif
