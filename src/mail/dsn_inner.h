/* dsn_inner.h - what the files of a report share.  Private to this room.
 *
 *   dsn.c          the message: header, parts, what is returned
 *   dsn_fields.c   the part for programs
 *   dsn_people.c   the part for people
 *   dsn_words.c    what a status code means, in words
 */
#ifndef MAIL_DSN_INNER_H
#define MAIL_DSN_INNER_H

#include "mail/dsn.h"

/* How much of the original is returned. */
enum dsn_returned { DSN_RETURNED_NOTHING, DSN_RETURNED_HEADER, DSN_RETURNED_WHOLE };

/* Both append to the buffer, whose `failed` says whether all had room.  The fields are ASCII unless
 * dsn_fields_are_global(). */
void dsn_write_people(struct buffer *, const struct dsn_report *, enum dsn_returned);
void dsn_write_fields(struct buffer *, const struct dsn_report *);
/* Whether the fields need RFC 6533's form, since an address has more than ASCII. */
bool dsn_fields_are_global(const struct dsn_report *);

/* Whether octets over 0x7F may not be written, and whether the forms of RFC 6533 may. */
bool dsn_is_seven_bit(const struct dsn_report *);
bool dsn_has_utf8_forms(const struct dsn_report *);

/* What a person knows as his address: escaped, but for its backslashes. */
void dsn_put_address(struct buffer *, struct text);
/* The next line of a reply that is not blank; `rest` begins as the diagnostic. */
bool dsn_next_line(struct text *rest, struct text *line_out);

/* The status as it is written: the recipient's own, or the general one of his action. */
struct text dsn_status(const struct dsn_recipient *);
/* The address in an ORCPT value, decoded into the buffer; false when it cannot be. */
bool dsn_original_address(struct buffer *, struct text orcpt);

struct dsn_words {
    const char *meaning; /* what happened, a sentence */
    const char *advice;  /* what the sender can do about a failure */
};
/* What this status means, by all of it or, failing that, by its subject (RFC 3463 2). */
const struct dsn_words *dsn_words(struct text status);

#endif
