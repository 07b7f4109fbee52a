/* base64.h - base64 without line breaks (RFC 4648 4).
 *
 * What is decoded may be a secret: decoding writes only where the caller says.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buffer.h"

/* The room that base64_decode() needs at most for this text; base64_encode() adds
 * BASE64_ENCODED(len) octets. */
#define BASE64_DECODED_MAX(len) ((size_t)(len) / 4 * 3)
#define BASE64_ENCODED(len)     (((size_t)(len) + 2) / 3 * 4)

/* Appends the encoded octets; false, and no change, when the buffer has no room. */
bool base64_encode(struct buffer *, struct bytes);
/* Decodes the whole text to `out`, which has BASE64_DECODED_MAX(text.len) octets and may be where
 * the text itself stands.  False when it is malformed: another octet than the 64 (white space too),
 * missing or misplaced padding, bits behind the last octet that are not zero (RFC 4648 3.5: one
 * value has one form).  What stands in `out` then is unspecified. */
bool base64_decode(struct text, uint8_t *out, size_t *len_out);

#endif
