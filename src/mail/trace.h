/* trace.h - the trace fields that this host adds: Received, Return-Path, Delivered-To. Pure. */
#ifndef MAIL_TRACE_H
#define MAIL_TRACE_H

#include "base/buffer.h"
#include "base/net.h"

/* RFC 5321 4.4; "with" keywords of RFC 3848 and RFC 6531 (UTF8SMTP...). */
struct trace_received {
    struct text hello; /* what HELO or EHLO said; made harmless here; empty: the peer's literal */
    struct endpoint peer; /* NET_NONE: made here, so neither "from" nor "with"; NET_LOCAL: `hello`
                             is the user's name, and no protocol of RFC 3848 brought it */
    struct text hostname; /* ours */
    bool esmtp, utf8, tls, authenticated; /* give SMTP, ESMTP, ESMTPSA, UTF8SMTPS, ... */
    struct text id;                       /* the message id */
    struct text only_recipient; /* `for <...>`: only when there is exactly one; else empty.  As
                                   address_text() gives it. */
    int64_t wall_ms;
    int zone_seconds;
};
/* Appends the folded field with its CRLF; no line is over 998 octets, most under 78.  False: no
 * room, and nothing is appended. */
bool trace_received(struct buffer *, const struct trace_received *);
/* "Delivered-To: ...\r\n", the recipient as address_text() gives him.  False as above. */
bool trace_delivered_to(struct buffer *, struct text recipient);
/* A placement's own prefix: "Return-Path: <...>\r\n", then Delivered-To unless `recipient` is
 * empty, since the content has it already.  Both texts as address_text() gives them, the sender
 * maybe empty.  False as above. */
bool trace_prefix(struct buffer *, struct text sender, struct text recipient);

/* What HELO or EHLO said, as it may stand in a field: octets that no domain and no address literal
 * has are question marks, and it ends after TRACE_HELLO_MAX octets, as a domain does. */
enum { TRACE_HELLO_MAX = 255 };
struct text trace_hello(struct text hello, char out[TRACE_HELLO_MAX]);

/* Who brought a message here, read from the first Received field of a message of ours. */
struct trace_origin {
    struct text hello; /* in `words`; "" when nothing was said */
    struct endpoint peer;
    char words[TRACE_HELLO_MAX + ENDPOINT_TEXT_MAX + 16];
};
/* False: it was made here, or the field is none that trace_received() writes. */
bool trace_origin(struct text message, struct trace_origin *out);

#endif
