/* mime.h - the parts of a message and where they lie, as its octets pass by (RFC 2045, 2046). Pure.
 *
 * The octets come in any slicing and none is kept but the values of a few Content- fields, so a
 * message of any size is read in one pass, in linear time and in bounded memory.  There is no
 * malformed message: what is wrong with one is read by the defaults of RFC 2045 5.2, and a limit
 * that is reached only makes the tree coarser.
 *
 *     header_at        body_at                            end_at
 *     | Content-Type: ... CRLF CRLF | the body ... | CRLF --boundary
 *
 * The line end before a delimiter belongs to the delimiter, unless a header ends with it.  A part's
 * end is its parent's business: children lie within their parent's body, in order.  Lines end with
 * CRLF or LF.
 */
#ifndef MAIL_MIME_H
#define MAIL_MIME_H

#include "mail/mime_value.h"

enum {
    MIME_DEPTH_MAX = 50,     /* a part has at most so many parts around it, the message included */
    MIME_PARTS_MAX = 1000,   /* what would be more is body of the part before */
    MIME_BOUNDARY_MAX = 200, /* octets; RFC 2046 5.1.1 has 70.  A longer one is none. */
    MIME_FIELD_MAX = 16 * 1024, /* octets of a field that are read; the rest is passed over */
    MIME_MEMORY_MAX = 4 << 20,  /* octets for all parts; fields that find no room are left out */
};

enum mime_kind {
    MIME_LEAF,
    MIME_MULTIPART, /* children: its parts.  None when no delimiter was found. */
    MIME_MESSAGE,   /* message/rfc822 or message/global; one child, the message's own part */
};

enum mime_encoding {
    MIME_7BIT, /* RFC 2045 6.1: where nothing is said */
    MIME_8BIT,
    MIME_BINARY,
    MIME_QUOTED_PRINTABLE,
    MIME_BASE64,
    MIME_OTHER, /* RFC 2045 6.4: whoever does not know it treats the body as octets */
};

struct mime_part {
    struct mime_part *parent; /* NULL for the message itself */
    struct mime_part *first;  /* child */
    struct mime_part *next;   /* sibling */
    enum mime_kind kind;
    uint32_t depth; /* of the message itself: 0 */

    uint64_t header_at; /* octets from the beginning of the message */
    uint64_t body_at;   /* behind the empty line */
    uint64_t end_at;
    uint64_t lines; /* line ends in the body */

    /* What the part is read as.  That is not always what it says: multipart and message types stand
     * here only with their kinds, so a multipart without a boundary is text/plain, and one that
     * lies too deep, or a message in base64, is application/octet-stream. */
    struct mime_value type;
    bool misread;                  /* it says that it holds other parts */
    struct mime_value disposition; /* empty word: none */
    enum mime_encoding encoding;
    struct text encoding_name; /* as written; empty: none */
    /* On one line each; empty: none. */
    struct text id;
    struct text description;
    struct text md5;
    struct text language;
    struct text location;
};

/* One scan of one message. */
struct mime;

/* NULL: memory is short. */
struct mime *mime_new(void);
/* NULL is fine. */
void mime_free(struct mime **);
/* The next octets of the message. */
void mime_feed(struct mime *, struct bytes);
/* The message has ended; called once, last.  The tree lives as long as the scan.  NULL: memory was
 * short. */
const struct mime_part *mime_end(struct mime *);
/* After that: whether a limit made the tree coarser.  Then what holds other parts may stand as a
 * leaf, and parts may lie within a leaf or between two. */
bool mime_is_coarse(const struct mime *);

/* The part behind this one: its first child, else the next sibling of it or of one around it.  NULL
 * behind the last; so a loop visits all in the order in which they lie. */
const struct mime_part *mime_next(const struct mime_part *);

#endif
