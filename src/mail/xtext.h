/* xtext.h - how addresses and ids stand in SMTP parameters: xtext (RFC 3461 4) and, for addresses
 * of the type utf-8, unitext (RFC 6533 3).  Pure.
 *
 * All four append to the buffer.  False, and nothing appended: the text is malformed, or the buffer
 * has no room (then its `failed` is set).
 */
#ifndef MAIL_XTEXT_H
#define MAIL_XTEXT_H

#include "base/buffer.h"

/* Refuses what is not xtext, and any control character (C0 and DEL) that it may hide.  Octets over
 * 0x7F pass: AUTH= of an SMTPUTF8 session has them.  What must be ASCII is the caller's to check.
 */
bool xtext_decode(struct buffer *, struct text);
/* Any octets, as xtext. */
bool xtext_encode(struct buffer *, struct text);

/* The address in the value of an ORCPT parameter of the type utf-8, in any of its three forms, as
 * UTF-8.  Refuses what is malformed, not UTF-8, or hides a control character (C1 too). */
bool unitext_decode(struct buffer *, struct text);
/* Well-formed UTF-8 in the form that is ASCII only (utf-8-addr-xtext). */
bool unitext_encode(struct buffer *, struct text);

#endif
