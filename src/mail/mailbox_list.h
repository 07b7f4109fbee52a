/* mailbox_list.h - the addresses of From, To and the like (RFC 5322 3.4, with 4.4's old forms and
 * the groups of RFC 6854 2.1).  Pure.
 *
 * Beyond the grammar a display name may have dots and at signs, as programs write them without
 * quotes in front of an angle address.  Whatever else could be read in two ways is malformed.
 */
#ifndef MAIL_MAILBOX_LIST_H
#define MAIL_MAILBOX_LIST_H

#include "mail/address.h"

struct mailbox_list {
    struct text rest; /* borrowed from who made it */
    bool in_group;
};

/* The value of a field, its folds as they are or taken out. */
static inline struct mailbox_list mailbox_list_of(struct text value)
{
    return (struct mailbox_list){ value, false };
}

enum mailbox_found {
    MAILBOX_ADDRESS,
    MAILBOX_NAME, /* words without any address ("root"), from programs that know no domain */
    MAILBOX_LIST_END,
    MAILBOX_LIST_MALFORMED,
};
/* The next one.  Behind LIST_END and LIST_MALFORMED it says the same again. */
enum mailbox_found mailbox_list_next(struct mailbox_list *, struct address *out);
/* The same, with the display name as it is written before an angle address: a slice of the value
 * with its quotes, folds and encoded-words.  Empty when there is none. */
enum mailbox_found mailbox_list_next_named(struct mailbox_list *, struct address *out,
                                           struct text *name_out);
/* Appends such a name without its quotes and folds.  False: no room. */
bool mailbox_name_plain(struct buffer *, struct text name);

#endif
