/* dialogue.h - a client that says one thing after another and looks at each answer.
 *
 * For SMTP and POP3 alike, in the order of the exchanges: each is said when the answer to the one
 * before was as wanted.  All functions are for the loop's thread.
 */
#ifndef LAB_DIALOGUE_H
#define LAB_DIALOGUE_H

#include "base/error.h"
#include "base/net.h"
#include "run/loop.h"

struct exchange {
    struct text say;    /* with its CRLF; empty: nothing, the server speaks first */
    struct text wanted; /* how the answer must begin */
    bool many;          /* POP3: the answer goes on to a line of one dot */
};

enum { EXCHANGES_MAX = 8, DIALOGUE_ANSWER_MAX = 1 << 20 };

enum dialogue_end {
    DIALOGUE_DONE,    /* all answers were as wanted: `words` has the one that was to be kept */
    DIALOGUE_REFUSED, /* an answer was not: it is in `words` */
    DIALOGUE_BROKEN,  /* no connection, or none any more: `words` say why */
};

struct dialogue_script {
    struct endpoint to;
    struct exchange exchanges[EXCHANGES_MAX];
    size_t count;
    size_t kept;         /* the exchange whose answer is wanted in the end */
    uint64_t timeout_ms; /* for the whole */
    /* Exactly once, never within dialogue_start().  The words live for the call. */
    void (*done)(void *owner, enum dialogue_end, struct text words);
    void *owner;
};

struct dialogue;

/* The script is copied, its texts must live until `done`.  NULL: memory is short. */
struct dialogue *dialogue_start(struct loop *, const struct dialogue_script *);
/* Forgets it, nothing will be called; harmless with NULL inside.  Not after `done`. */
void dialogue_cancel(struct dialogue **);

#endif
