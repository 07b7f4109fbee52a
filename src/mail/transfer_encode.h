/* transfer_encode.h - bodies into their transfer encodings, as their octets pass by (RFC 2045 6.7,
 * 6.8). Pure.
 *
 * The other direction of transfer.h: what it decodes is octet for octet what was given here.  The
 * octets come in any slicing, and what comes out does not depend on it: lines of at most 76 octets,
 * printable ASCII.
 */
#ifndef MAIL_TRANSFER_ENCODE_H
#define MAIL_TRANSFER_ENCODE_H

#include "base/buffer.h"
#include "mail/mime.h"

/* Octets that one slice of `len` octets may give, with what was held before; at the end the same
 * for a `len` of 0. */
#define TRANSFER_ENCODE_ROOM(len) ((size_t)(len)*4 + 128)

enum { TRANSFER_LINE_MAX = 76, TRANSFER_LINE_OCTETS = 57 };

struct transfer_encoder {
    enum mime_encoding encoding;
    uint8_t column; /* quoted-printable: octets of the line so far */
    bool any;       /* base64: a line was given */
    uint8_t held;   /* octets that wait for what follows them */
    uint8_t hold[TRANSFER_LINE_OCTETS];
};

/* The encoding is quoted-printable or base64. */
void transfer_encode_init(struct transfer_encoder *, enum mime_encoding);
/* Appends what the slice gives.  False: the buffer has no room, and the state is lost.
 *
 * In quoted-printable a CRLF is a line end, as the text's own; a CR or LF without the other is
 * encoded.  No line begins with '-' or '.', so that none is mistaken for something else. */
bool transfer_encode(struct transfer_encoder *, struct bytes, struct buffer *out);
/* Appends what was held back: the body has ended.  What follows is a line end that is not the
 * body's, unless `last`: then nothing follows, and what was given ends with a line end. */
bool transfer_encode_end(struct transfer_encoder *, bool last, struct buffer *out);

#endif
