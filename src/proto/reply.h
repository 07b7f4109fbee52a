/* reply.h - composing the lines of SMTP replies (RFC 5321 4.2, RFC 2034). Pure. */
#ifndef PROTO_REPLY_H
#define PROTO_REPLY_H

#include "base/buffer.h"

/* A reply line with its CRLF (RFC 5321 4.5.3.1.5). */
enum { REPLY_LINE_MAX = 512 };

struct reply {
    uint16_t code;      /* 200..599; 0: there is no reply */
    const char *status; /* RFC 3463, "5.1.1"; NULL for none */
    struct text words;  /* lines separated by '\n', whatever octets */
};

/* A reply as an initializer of tables and as an expression; the words are a literal. */
#define REPLY_ROW(code, status, words)                                                             \
    {                                                                                              \
        (code), (status), TEXT(words)                                                              \
    }
#define REPLY(code, status, words) ((struct reply)REPLY_ROW(code, status, words))

enum reply_charset {
    REPLY_ASCII, /* octets over 0x7F are escaped */
    REPLY_UTF8,  /* the client asked for UTF-8 (RFC 6531 3.7.4.2) */
};

/* Appends the reply, one line for each line of its words, with code and status on each (RFC 2034
 * 4).  After 220, 221 and 421 the host name stands before the words (RFC 5321 4.2.2).  Controls are
 * escaped, and a line that would be too long is cut between two characters.  False, and no change:
 * the buffer has no room. */
bool reply_compose(struct buffer *, const struct reply *, struct text hostname, enum reply_charset);

#endif
