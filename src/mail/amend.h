/* amend.h - what a submitted message's header lacks is added, and what must not be told is taken
 * away (RFC 6409 8).  Pure.
 *
 * A message passes by in any slicing; what it keeps is handed on as it lies, so memory does not
 * depend on its size.  The changes are these and no others:
 *   - Date, From and Message-ID are added at the end of the header when it has none (RFC 5322 3.6);
 *   - Bcc and Resent-Bcc are taken away, with all their lines (RFC 5322 3.6.3);
 *   - where the header ends at a line that is no field, the empty line that is missing there is put
 *     in, so that no reader takes for header what was not looked at here;
 *   - a first line of an mbox ("From somebody Sat Nov 21 ...") is taken away.
 * A field is what mail/header.h takes for one, with a name of at most AMEND_NAME_MAX octets.
 */
#ifndef MAIL_AMEND_H
#define MAIL_AMEND_H

#include "base/text.h"

enum {
    AMEND_NAME_MAX = 998,   /* with the white space behind it; RFC 5322 2.1.1: a line */
    AMEND_FROM_MAX = 2048,  /* octets of From that are kept to be looked at */
    AMEND_VALUES_MAX = 900, /* of the three values together */
    AMEND_ADDED_MAX = 1024,
};

/* What to add where it is missing. */
struct amend_values {
    struct text date;       /* as date_rfc5322() gives it */
    struct text from;       /* an address */
    struct text message_id; /* with its angle brackets */
};

enum amend_state { AMEND_LINE, AMEND_REST, AMEND_MBOX, AMEND_OVER };
enum amend_field { AMEND_NO_FIELD, AMEND_OTHER, AMEND_DATE, AMEND_FROM, AMEND_ID, AMEND_HIDDEN };

/* All private; borrows the values. */
struct amend {
    struct amend_values values;
    enum amend_state state;
    enum amend_field field; /* the one that the last line belongs to */
    bool first_line;
    bool has_date, has_id;
    unsigned froms;
    bool from_too_long;
    uint16_t held_len, name_len, from_len;
    struct bytes owed[2];      /* to be given next: what is added, then what was held */
    char held[AMEND_NAME_MAX]; /* the front of a line, until it is known what the line is */
    char from[AMEND_FROM_MAX];
    char added[AMEND_ADDED_MAX];
};

void amend_init(struct amend *, const struct amend_values *);
/* Takes octets from the front of *in and gives what goes on in their place: a part of the input or
 * of the struct, valid until the next call.  False: the input is used up and nothing is owed. */
bool amend_next(struct amend *, struct bytes *in, struct bytes *out);
/* The message is over, and all of it was given on: what amend_next() then gives without input is
 * its rest. */
void amend_end(struct amend *);

/* Who the author is said to be, once the header is over. */
struct amend_author {
    unsigned fields;   /* From fields in what came; RFC 5322 3.6: one */
    struct text value; /* of the first, its line ends left out */
    bool too_long;     /* ... and cut to AMEND_FROM_MAX octets */
};
struct amend_author amend_author(const struct amend *);

#endif
