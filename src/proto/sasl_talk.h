/* sasl_talk.h - the client's side of a SASL exchange in lines of text (RFC 4954 4, RFC 5034 4).
 * Pure.
 *
 * SMTP and POP3 frame alike: a mechanism's words come from the driver and go out as base64,
 * challenges come in as base64 and go to the driver.  What they mean is not known here.  The
 * server's side is sasl_frame.h.
 */
#ifndef PROTO_SASL_TALK_H
#define PROTO_SASL_TALK_H

#include "base/buffer.h"

/* What a mechanism says. */
struct sasl_words {
    struct text mechanism; /* when it begins */
    bool has_words;        /* false, only when it begins: there is no initial response */
    struct text words;     /* copied; may be a secret, and copies are wiped once they are written */
    bool may_end;          /* the mechanism is content with a yes to this.  One that is not has not
                              been shown yet that the server knows the password: then a yes is a
                              failure (RFC 5802 5) */
};

/* An exchange; sasl_talk_clear() is the one reset, and comes first. */
struct sasl_talk {
    struct buffer challenge; /* decoded; the mechanism's next words answer it */
    bool begun;              /* AUTH was said */
    bool may_end;            /* what was said last may be answered with a yes */
    bool waits;              /* .later is said once the server asks for it */
    struct buffer later;     /* an initial response that is too long for the command's line */
};

/* Wipes it; `input_max` is how long a challenge may be in base64. */
void sasl_talk_clear(struct sasl_talk *, size_t input_max);
/* Appends what is said next: AUTH, with the initial response unless that makes the line longer than
 * `line_max` octets with its end; behind that a line of words.  It has a secret.  A buffer that has
 * failed tells that memory is short. */
void sasl_talk_say(struct sasl_talk *, const struct sasl_words *, size_t line_max,
                   struct buffer *out);

enum sasl_heard {
    SASL_HEARD,           /* the mechanism is asked about .challenge */
    SASL_HEARD_GO,        /* what had to wait was appended to the output, and has a secret */
    SASL_HEARD_NONSENSE,  /* it is not base64 */
    SASL_HEARD_NO_MEMORY, /* it is short */
};
/* A challenge, as base64; one of no octets may come as nothing at all or as "=". */
enum sasl_heard sasl_talk_hear(struct sasl_talk *, struct text challenge, struct buffer *out);
/* Whether a yes means that the login is done. */
bool sasl_talk_is_done(const struct sasl_talk *);
#define SASL_TALK_TOO_EARLY "the server said yes before it had shown that it knows the password"

#endif
