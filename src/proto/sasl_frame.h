/* sasl_frame.h - how a SASL exchange is framed in lines of text (RFC 4954 4, RFC 5034 4). Pure.
 *
 * SMTP and POP3 frame alike: a client's octets come as one line of base64, "=" for an empty initial
 * response, "*" to give up.  What the octets mean is the mechanism's business and not known here.
 */
#ifndef PROTO_SASL_FRAME_H
#define PROTO_SASL_FRAME_H

#include "base/buffer.h"

/* A line with base64, its CRLF counted (RFC 4954 4). RFC 4422 3.1: a mechanism's name. */
enum { SASL_LINE_MAX = 12288, SASL_MECHANISM_MAX = 20 };

enum sasl_frame_verdict {
    SASL_FRAME_OK,
    SASL_FRAME_CANCELLED, /* the client sent "*" */
    SASL_FRAME_MALFORMED, /* not base64 */
    SASL_FRAME_TOO_LONG,  /* over SASL_LINE_MAX */
    SASL_FRAME_SYNTAX,    /* AUTH: no mechanism, or more than mechanism and initial response */
    SASL_FRAME_UNKNOWN,   /* AUTH: a mechanism that is not offered */
    SASL_FRAME_MEMORY,    /* memory is short */
};

/* What the client said in one line; zeroed is none. Its words are a secret. */
struct sasl_frame {
    char mechanism[SASL_MECHANISM_MAX]; /* upper case; none unless this line began the exchange */
    size_t mechanism_len;
    bool initial; /* the words are an initial response, maybe empty; false: there is none */
    struct buffer words;
};

/* Reads the arguments of AUTH: a mechanism of the list `offered` ("PLAIN LOGIN") and an initial
 * response, if there is one.  `line_octets` is the length of the whole line with its end. */
enum sasl_frame_verdict sasl_frame_begin(struct sasl_frame *, struct text arguments,
                                         struct text offered, size_t line_octets);
/* Reads a further line, without its end. */
enum sasl_frame_verdict sasl_frame_continue(struct sasl_frame *, struct text line);
/* Wipes and frees. */
void sasl_frame_wipe(struct sasl_frame *);

static inline struct text sasl_frame_mechanism(const struct sasl_frame *f)
{
    return (struct text){ f->mechanism, f->mechanism_len };
}
static inline struct text sasl_frame_words(const struct sasl_frame *f)
{
    return buffer_as_text(&f->words);
}

#endif
