/* fault.h - what may be wrong with a host, as --faults has it.  A value.
 *
 *   host or domain=KIND[:ARGUMENT]
 *
 * One row a kind in fault.c says what it does, and where in a session.
 */
#ifndef LAB_FAULT_H
#define LAB_FAULT_H

#include "base/error.h"

enum fault_kind {
    FAULT_NONE,
    FAULT_DEAD,     /* nobody listens */
    FAULT_SILENT,   /* accepts a connection and says nothing */
    FAULT_BUSY,     /* 421 instead of a greeting */
    FAULT_REFUSE,   /* 550 to every recipient */
    FAULT_DEFER,    /* 451 after the message */
    FAULT_CUT,      /* closes after the message, without a reply */
    FAULT_LIAR,     /* 250 to everything, and throws it away */
    FAULT_SLOW,     /* every reply is late */
    FAULT_GREYLIST, /* 451 to a sender and recipient who have not been seen for long enough */
};

struct fault {
    enum fault_kind kind;
    uint64_t delay_ms; /* slow, greylist */
    uint64_t times;    /* how many sessions it lasts; 0: for ever */
};

/* "slow:2s", "cut:2", "dead".  ERROR_USAGE names the kinds. */
bool fault_parse(struct text, struct fault *out, struct error *);
const char *fault_name(enum fault_kind);
/* What it does, in a few words for people. */
const char *fault_words(enum fault_kind);
/* Whether the real server stands behind it and takes what passes. */
bool fault_passes(const struct fault *);

#endif
