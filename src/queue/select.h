/* select.h - which recipients in the queue a person means.  Pure.
 *
 *   ID               the message with this id
 *   domain:D         recipients in this domain
 *   from:ADDRESS     messages of this sender; from:<> those of nobody (reports)
 *   to:ADDRESS       this recipient
 *   older:2d         messages that came at least so long ago
 *   all              whatever waits
 *
 * A recipient is meant when every kind that is named fits it; several words of one kind are
 * alternatives, since no recipient could fit two of them: "domain:a.test domain:b.test older:1d".
 */
#ifndef QUEUE_SELECT_H
#define QUEUE_SELECT_H

#include "base/arena.h"
#include "base/error.h"
#include "store/queue.h"

enum select_kind {
    SELECT_ALL,
    SELECT_MESSAGE,
    SELECT_DOMAIN,
    SELECT_FROM,
    SELECT_TO,
    SELECT_OLDER,
    SELECT_KINDS
};

struct selector {
    enum select_kind kind;
    message_id message; /* MESSAGE */
    struct text text;   /* DOMAIN, FROM, TO: canonical */
    int64_t age_ms;     /* OLDER */
};

enum { SELECTORS_MAX = 1000 };

struct selection {
    struct arena memory; /* private: the texts */
    struct selector *list;
    size_t count;
};

/* Empty: nothing is meant.  No memory is held before the first word. */
void selection_init(struct selection *);
void selection_clear(struct selection *);
/* One word of the above.  ERROR_USAGE says what is wrong with it. */
bool selection_add(struct selection *, struct text word, struct error *);
/* `now_ms`: wall clock. */
bool selection_takes(const struct selection *, const struct queue_item *, int64_t now_ms);

#endif
