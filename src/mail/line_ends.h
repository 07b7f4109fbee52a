/* line_ends.h - line ends as mail has them (CRLF) and as files have them (LF), both ways, in any
 * slicing.  Pure.
 *
 * CRLF and LF end a line; any other CR is an octet like others and stays.  A last line without its
 * end gets one on the way into mail.  So what mail has comes back octet for octet through a file,
 * but for CRs right before a line's end: the last of them is taken for a part of it.
 */
#ifndef MAIL_LINE_ENDS_H
#define MAIL_LINE_ENDS_H

#include "base/buffer.h"

/* Zeroed at the front of a message. */
struct line_ends {
    char last; /* octet that was read; to LF: a CR is not written yet */
};

/* What comes out may be so long at the most, whatever was read before. */
#define LINE_ENDS_ROOM(len) (2 * (len) + 2)

/* False: no room, and nothing may be assumed. */
bool line_ends_to_crlf(struct line_ends *, struct bytes, struct buffer *out);
/* Ends the last line of a message. */
bool line_ends_to_crlf_end(struct line_ends *, struct buffer *out);
bool line_ends_to_lf(struct line_ends *, struct bytes, struct buffer *out);
/* A CR that ends the message becomes LF. */
bool line_ends_to_lf_end(struct line_ends *, struct buffer *out);

#endif
