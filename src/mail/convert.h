/* convert.h - a message made fit for a way that bears less: 7 bits only, or 8 bits but lines (RFC
 * 2045 6, RFC 6152 3, RFC 3030 3).  Pure.
 *
 * A way that bears lines wants no NUL, no CR or LF but as CRLF, and at most 998 octets between two
 * of them (RFC 2045 2.8).  What does not fit is encoded, part by part:
 *   - a leaf becomes quoted-printable or base64, whichever is the shorter by count; what is no
 * text, and what holds NUL, becomes base64.  What it decodes to is octet for octet what stood
 * there.
 *   - a leaf that was encoded already, but holds what its encoding does not, is decoded as
 *     mail/transfer.h does and encoded anew.
 *   - Content-Transfer-Encoding says so; a label "8bit" or "binary" that is no longer true is
 *     replaced, on what holds other parts too (RFC 2045 6.4).
 *   - text that says nothing of its type is called what it is: charset utf-8, or unknown-8bit (RFC
 *     1428 3); a message that said nothing of MIME now does, also one within another.
 *   - what stands around parts and is read by nobody loses its octets beyond ASCII, and the rest of
 *     a line that is too long.
 * Fields of headers are never changed: 8-bit ones need SMTPUTF8.  Neither is what is signed or
 * encrypted (RFC 1847 2.1).  What would need it cannot be converted.  Long lines of a header stay.
 *
 * Nothing is kept of the message but the tree of its parts, so it may have any size; it is read
 * several times, in any slicing:
 *
 *     convert_new(), then  convert_read() ... convert_read_end()   as often as it says AGAIN
 *     READY:               convert_write() ... convert_write_end() as often as it is wanted,
 *                                                                  each after convert_rewind()
 */
#ifndef MAIL_CONVERT_H
#define MAIL_CONVERT_H

#include "base/buffer.h"

enum { CONVERT_LINE_MAX = 998 }; /* RFC 5322 2.1.1 */

enum convert_target {
    CONVERT_TO_8BIT, /* lines */
    CONVERT_TO_7BIT, /* lines of ASCII */
};

enum convert_verdict {
    CONVERT_AGAIN,   /* the message must be read once more, from its front */
    CONVERT_NOTHING, /* it fits as it is */
    CONVERT_READY,
    CONVERT_NEVER,     /* it does not fit and cannot be converted: convert_obstacle() */
    CONVERT_NO_MEMORY, /* local trouble that may pass */
};

enum convert_obstacle {
    CONVERT_NO_OBSTACLE,
    CONVERT_HEADER,    /* a header has octets over 0x7F */
    CONVERT_STRUCTURE, /* NUL, or a CR or LF alone, in a header or a delimiter */
    CONVERT_SIGNED,    /* a signed or encrypted part does not fit */
    CONVERT_ENCODING,  /* a part that does not fit is in an encoding that is not known */
    CONVERT_SHAPE,     /* a part that may not be encoded, or whose parts cannot be told */
};

struct convert; /* one message on its way to one target; opaque */

/* NULL: memory is short. */
struct convert *convert_new(enum convert_target);
/* NULL is fine. */
void convert_free(struct convert **);

/* The next octets, in each reading the same ones. */
void convert_read(struct convert *, struct bytes);
enum convert_verdict convert_read_end(struct convert *);

/* After a verdict that is neither AGAIN nor NO_MEMORY. */
enum convert_obstacle convert_obstacle(const struct convert *);
/* For people: "it is signed or encrypted"; static. */
struct text convert_obstacle_words(enum convert_obstacle);
/* Whether any header has octets over 0x7F; whether the message's own has a DKIM signature, which
 * does not survive a conversion. */
bool convert_has_8bit_header(const struct convert *);
bool convert_has_dkim(const struct convert *);
/* READY: the octets of what it becomes, which ends with CRLF. */
uint64_t convert_octets(const struct convert *);

/* The message will be written from its front. */
void convert_rewind(struct convert *);
/* Octets that one slice of `len` octets, or the end, may give. */
#define CONVERT_ROOM(len) ((size_t)(len)*4 + 256 * 1024)
/* The next octets of the message; appends what they become.  False: the buffer has no room, and the
 * writing must be begun again. */
bool convert_write(struct convert *, struct bytes, struct buffer *out);
bool convert_write_end(struct convert *, struct buffer *out);

#endif
