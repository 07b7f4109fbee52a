/* original.h - reads the part of a stored message that a report may return: its header, or all of
 * it when it is not too large. */
#ifndef QUEUE_ORIGINAL_H
#define QUEUE_ORIGINAL_H

#include "base/buffer.h"
#include "store/content.h"

/* A larger message is returned as its header, whatever RET says. */
enum { ORIGINAL_WHOLE_MAX = 1 << 20 };

enum original_verdict {
    ORIGINAL_READ,
    ORIGINAL_LOST,    /* damaged or gone: nothing of it can be returned */
    ORIGINAL_TROUBLE, /* local trouble that may pass */
};

struct original {
    struct buffer text; /* header, or all; "" when LOST */
    bool is_whole;

    /* Once, perhaps before original_start() returns. */
    void (*done)(struct original *, enum original_verdict);

    struct content *content; /* private */
};

/* Reads on this loop.  An entry without a message: ORIGINAL_LOST. */
void original_start(struct original *, struct store *, struct loop *, const struct maildrop_entry *,
                    bool whole);
/* Any time behind done. */
void original_clear(struct original *);

#endif
