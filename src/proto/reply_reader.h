/* reply_reader.h - taking the replies of a server apart (RFC 5321 4.2). Pure.
 *
 * A reply is any number of lines "250-words" and a last one "250 words".  Real servers are taken as
 * they are: the last line may be "250" alone or "250words", a line may end with a bare LF, and
 * between the lines of one reply there may be text without a code.  What begins without a code, or
 * goes on with another code, is no reply.
 *
 * Memory is bounded whatever comes: of a line the first 4 KB are looked at, of a reply 4 KB in 50
 * lines are kept, and a reply of more than 1 MB is given up.
 */
#ifndef PROTO_REPLY_READER_H
#define PROTO_REPLY_READER_H

#include "base/buffer.h"

enum {
    REPLY_INPUT_MAX = 4096, /* octets of a line, with its end, that are looked at */
    REPLY_KEPT_MAX = 4096,
    REPLY_KEPT_LINES = 50,
    REPLY_OCTETS_MAX = 1 << 20,
};

enum reply_reader_step {
    REPLY_NEED_INPUT, /* no whole line is left in the input, which has less than REPLY_INPUT_MAX */
    REPLY_LINE,       /* a line was taken, another must follow */
    REPLY_WHOLE,      /* the last line was taken */
    REPLY_JUNK,       /* .line is no reply, or does not belong to this one: read no more */
    REPLY_ENDLESS,    /* more than REPLY_OCTETS_MAX: read no more */
};

/* All fields are for reading only. */
struct reply_reader {
    uint16_t code;    /* 200..599 once a line of the reply was read; 0 between two replies */
    char status[12];  /* enhanced (RFC 2034), terminated; "" when the peer gave none of its class */
    struct text line; /* the last line without its end, code and all; "" when it was too long;
                         points into the input */
    struct buffer kept; /* the lines, separated by '\n' */
    uint32_t lines;
    uint64_t octets;
    bool is_last;   /* private: the line in hand is the last one */
    bool is_whole;  /* private: the next line begins a new reply */
    bool is_losing; /* private: the rest of a line that is too long is thrown away */
};

void reply_reader_init(struct reply_reader *);
/* Frees what is kept and begins anew. */
void reply_reader_clear(struct reply_reader *);
/* Takes at most one line from the front of *in. */
enum reply_reader_step reply_read(struct reply_reader *, struct bytes *in);
/* What stands behind the code of a line, as reply_read() gave it. */
struct text reply_words(struct text line);

#endif
