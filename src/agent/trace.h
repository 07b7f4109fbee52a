/* trace.h - a conversation as people read it: every line, both ways, with secrets masked.
 *
 * A listener is told of each whole line as it is said or heard.  What no listener may see never
 * reaches it: behind PASS and behind the mechanism of AUTH stands "***", and a line of a SASL
 * exchange is "***" as a whole.  Lines longer than TRACE_LINE_MAX are told in pieces.  Of a
 * message's content the first TRACE_CONTENT_MAX octets are told, then how much there was.
 */
#ifndef AGENT_TRACE_H
#define AGENT_TRACE_H

#include "base/buffer.h"
#include "base/error.h"

#include <stdio.h>

enum { TRACE_LINE_MAX = 2048, TRACE_CONTENT_MAX = 4096 };

enum trace_side { TRACE_CLIENT, TRACE_SERVER, TRACE_NOTE /* ours: TLS, whom we call */ };

enum trace_kind {
    TRACE_WORDS,   /* commands and replies */
    TRACE_SECRET,  /* of a SASL exchange */
    TRACE_CONTENT, /* of a message */
};

/* `line` has no line end, and whatever octets a server may say; it lives for the call. */
struct trace {
    void (*line)(void *owner, enum trace_side, enum trace_kind, struct text line);
    void *owner;
};

/* A listener that prints "17:06:12.345 C: EHLO ..." to the FILE (`owner`), escaped, and behind a
 * challenge of AUTH ("334 VXNlcm5hbWU6") what it means. */
void trace_print(void *file, enum trace_side, enum trace_kind, struct text line);

/* One session's lines while they come together; may not be moved.  There is no memory to be short
 * of: a piece that was lost could take the word with it that makes the next one a secret. */
struct trace_session {
    const struct trace *to; /* NULL: nobody listens, and nothing is done */
    char room[2][TRACE_LINE_MAX];
    struct buffer lines[2]; /* over the room: what has no line end yet, by side */
    bool hides[2];          /* the line's beginning was a secret's, and so is its rest */
    uint64_t content[2];    /* octets of a message that were told, or not */
    size_t said;            /* octets of the client's output that were told already */
};

void trace_begin(struct trace_session *, const struct trace *to);
void trace_clear(struct trace_session *);
/* What the server said. */
void trace_heard(struct trace_session *, enum trace_kind, struct bytes);
/* What is new in the client's output. */
void trace_said(struct trace_session *, enum trace_kind, struct bytes output);
/* `count` octets left the front of the output. */
void trace_drained(struct trace_session *, size_t count);
/* A line of ours. */
void trace_note(struct trace_session *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What the challenge in a reply means for people, when it is a line "334 BASE64" of printable text;
 * terminated in `out`.  False: it is none.  Pure. */
enum { TRACE_CHALLENGE_MAX = 256 };
bool trace_challenge(struct text line, char out[TRACE_CHALLENGE_MAX]);

#endif
