/* mbox_inner.h - what reading and writing a box share: the fronts of lines, the fields of the box.
 * Private to src/mail. */
#ifndef MAIL_MBOX_INNER_H
#define MAIL_MBOX_INNER_H

#include "mail/mbox.h"

enum mbox_place {
    MBOX_AT_FRONT, /* no From_ line yet */
    MBOX_IN_HEADER,
    MBOX_IN_BODY,
    MBOX_IN_COUNTED, /* a body whose length is known */
};
enum mbox_line {
    MBOX_LINE_START,
    MBOX_LINE_REST, /* of a line that goes out */
    MBOX_LINE_DROP, /* of one that does not */
};
enum mbox_turn {
    MBOX_NO_TURN,
    MBOX_ENDS,   /* a From_ line was read: the message before it has ended */
    MBOX_BEGINS, /* that was told: the next one begins */
};

/* Takes octets until it is seen what the line is; `whole`: it must be seen to its end if it has no
 * quotes.  False: more input is needed (unless none will come). */
bool mbox_head_gather(struct mbox_head *, bool whole, struct bytes *in);
static inline bool mbox_head_is_empty(const struct mbox_head *h)
{
    return h->quotes == 0 && h->len == 0;
}
struct text mbox_head_text(const struct mbox_head *);
/* Whether its octets begin with "From ". */
bool mbox_head_has_from(const struct mbox_head *);
/* What of the line is still to come. */
enum mbox_line mbox_head_rest(const struct mbox_head *, bool drops);

enum mbox_field {
    MBOX_FIELD_NONE, /* the message's own */
    MBOX_FIELD_STATUS,
    MBOX_FIELD_X_STATUS,
    MBOX_FIELD_LENGTH,
    MBOX_FIELD_FOLDER_DATA,
    MBOX_FIELD_OTHER, /* of the box, but without meaning for us */
};
/* The field that this line of a header begins, and what of its value stands in the line. */
enum mbox_field mbox_field_of(struct text line, struct text *value_out);
/* "X-Kept-" before the name of such a field: it was the message's own. */
#define MBOX_KEPT "X-Kept-"
/* Whether the line begins with that, perhaps several times, and the name of a field of the box. */
bool mbox_is_kept(struct text line);

/* What stands behind the sender of a From_ line; false: no date does, or it is no such line. */
bool mbox_from_date(struct text line, int64_t *date_ms_out);
/* Whether the line, which does not fold, belongs to a header; quotes before it do not matter. */
bool mbox_is_of_header(struct text line);

/* An empty line, however it ends. */
bool mbox_is_blank(struct text line);
/* Octets of `in` up to a line of the body that may be something else than text: empty, "From ",
 * quoted.  *rest_out: they end within a line. */
size_t mbox_plain_length(struct bytes in, bool *rest_out);

/* ">" as often as you like: 64 of them. */
enum { MBOX_QUOTES = 64 };
extern const char mbox_quotes[MBOX_QUOTES + 1];

#endif
