/* witness.h - what a server promised in its conversations, as somebody sees it who only has what
 * was said and what was heard.
 *
 *   - every reply is one to its command, and none is missing as long as the connection stands;
 *   - what got "250 2.0.0 accepted as ID" is in a mailbox, unless somebody said DELE and QUIT, once
 *     in each, and ends with the octets that were said;
 *   - what did not is nowhere, unless its reply may have been lost.
 */
#ifndef FUZZ_WITNESS_H
#define FUZZ_WITNESS_H

#include "base/buffer.h"
#include "store/ids.h"

enum { WITNESS_PROMISES_MAX = 256 };

struct promise {
    char id[MESSAGE_ID_TEXT + 1];
    struct buffer content; /* that every copy ends with */
    unsigned recipients;   /* that were taken */
    bool is_local;         /* one of them is a user */
    unsigned found;
};

struct witness {
    struct promise promises[WITNESS_PROMISES_MAX];
    size_t count;
    unsigned doubts;    /* messages whose end was said, and no reply came */
    unsigned removals;  /* messages that may have been removed */
    unsigned strangers; /* found, and nobody was promised them */
};

/* What was said on a connection and all lines that were heard, with LF.  `amends`: the header may
 * be changed. */
void witness_smtp(struct witness *, struct text said, struct text heard, bool amends);
void witness_pop3(struct witness *, struct text said, struct text heard);
/* A copy in a mailbox; the id must be another one each time in a mailbox. */
void witness_copy(struct witness *, message_id, struct text whole);
/* All mailboxes were told. */
void witness_end(struct witness *);
void witness_clear(struct witness *);

#endif
