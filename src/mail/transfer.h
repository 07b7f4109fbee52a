/* transfer.h - bodies out of their transfer encodings, as their octets pass by (RFC 2045 6.7,
 * 6.8). Pure.
 *
 * The octets come in any slicing; the state between two slices is a few octets.  Nothing malformed
 * fails: RFC 2045 6.7 and 6.8 say what a reader makes of it.
 */
#ifndef MAIL_TRANSFER_H
#define MAIL_TRANSFER_H

#include "base/buffer.h"
#include "mail/mime.h"

/* Octets that one slice of `len` octets may give, with what was held before; at the end the same
 * for a `len` of 0. */
#define TRANSFER_ROOM(len) ((size_t)(len) + 128)

enum { TRANSFER_BLANKS_MAX = 96 };

struct transfer {
    enum mime_encoding encoding;
    /* base64 */
    uint32_t bits;
    uint8_t bit_count;
    bool ended; /* padding was seen: nothing counts behind it */
    /* quoted-printable: what is held until it is known what follows, an "=..." that is not whole,
     * or white space that is taken off when the line ends */
    uint8_t held;
    char hold[TRANSFER_BLANKS_MAX];
};

void transfer_init(struct transfer *, enum mime_encoding);
/* Appends what the slice gives.  Other encodings than quoted-printable and base64 leave octets as
 * they are.  False: the buffer has no room (TRANSFER_ROOM() is enough), and the state is lost. */
bool transfer_feed(struct transfer *, struct bytes, struct buffer *out);
/* Appends what was held back: the body has ended. */
bool transfer_end(struct transfer *, struct buffer *out);

#endif
