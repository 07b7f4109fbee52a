/* wire.h - the protocol log of one session: every line, both ways, with secrets masked.
 *
 * Costs nothing while the protocol log is off.  Lines longer than WIRE_LINE_MAX are logged in
 * pieces.
 */
#ifndef RUN_WIRE_H
#define RUN_WIRE_H

#include "base/buffer.h"
#include "run/log.h"

enum { WIRE_LINE_MAX = 2048 };

enum wire_level { WIRE_OFF, WIRE_COMMANDS, WIRE_ALL };

enum wire_kind {
    WIRE_WORDS,  /* commands and replies */
    WIRE_BODY,   /* message content: only with log protocol = all */
    WIRE_SECRET, /* the whole line is ***  */
};

struct wire {
    struct log *log;
    struct text session;
    enum wire_level level;
    struct buffer lines[2]; /* what has no line end yet, by enum log_from */
    bool is_body[2];        /* ... and is content */
    bool hides[2];          /* the line's beginning was a secret's, and so is the rest of it */
    size_t logged;          /* octets of the session's output that were logged already */
};

void wire_init(struct wire *, struct log *, struct text session, enum wire_level);
void wire_clear(struct wire *);
static inline bool wire_is_on(const struct wire *w)
{
    return w->level != WIRE_OFF;
}
void wire_add(struct wire *, enum log_from, enum wire_kind, struct bytes);
/* Logs what is new in the session's output. */
void wire_add_output(struct wire *, enum log_from, enum wire_kind, struct bytes output);
/* `count` octets left the front of the output. */
void wire_drained(struct wire *, size_t count);

/* What of a client's line may be shown: passwords stand behind PASS, and behind the mechanism's
 * name of AUTH.  `ends`: the line is whole; else it is the beginning of one that is too long to be
 * held. Returns whether the rest of the line, which comes in further pieces, must be hidden too,
 * and that also where its beginning does not say what it is. */
enum { WIRE_MASK_MAX = 64 };
bool wire_mask(struct text *line, bool ends, char room[WIRE_MASK_MAX]);

#endif
