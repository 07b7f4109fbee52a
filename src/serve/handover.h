/* handover.h - a posting is given to a server over a local socket.  Blocks: for lanes and the
 * command line.
 *
 * One session for one posting.  Whether the server takes it is said for each recipient; what became
 * of it is known, but for a session that ends between the end of the message and its reply
 * (proto/smtp_client.h): that is HANDOVER_LATER, and the posting may come twice.
 */
#ifndef SERVE_HANDOVER_H
#define SERVE_HANDOVER_H

#include "base/error.h"
#include "mail/posting.h"

enum { HANDOVER_WORDS_MAX = 300 };

enum handover_verdict {
    HANDOVER_TAKEN,
    HANDOVER_REFUSED, /* for good */
    HANDOVER_LATER,   /* for now: try again */
};

/* What became of one recipient; the texts live in the arena of the call. */
struct handover_result {
    enum handover_verdict verdict;
    struct text address; /* in full, if he makes one */
    uint16_t code;       /* 0: nothing was said about him */
    char status[12];
    struct text words; /* the server's, one line, or ours */
    bool of_sender;    /* it is the sender that was refused */
    bool of_recipient; /* it is he, by his address */
    bool expired;      /* refused, since it was put off until its time was over */
};

struct handover {
    const struct posting *posting;
    struct text login;   /* whose posting it is: the default sender is he at the server */
    struct arena *arena; /* of what is told */
    int64_t arrived_ms;  /* for the report: since when it waits; 0: it did not */
    uint64_t expire_ms;  /* ... and how long one may */

    struct text hostname;         /* the server's */
    uint64_t octets_max;          /* of a message that it takes; 0: not told */
    struct text sender;           /* in full; "" for <> */
    struct handover_result *list; /* as many as the posting has recipients, in their order */
};

/* Takes the connected socket.  False: it failed before anything was said about the posting, which
 * is as if it had not been tried; ERROR_TEMPORARY. */
bool handover(struct handover *, int socket, struct error *);

/* The worst of all, in the order of the enum: REFUSED before LATER before TAKEN. */
const struct handover_result *handover_worst(const struct handover *);

/* A report to the sender about those who were refused (RFC 3464), as a posting of nobody; its
 * content is in the buffer, its other texts in the arena of the handover.  It returns the whole
 * posting, unless that makes it longer than the server takes, or HDRS was asked for.  False: there
 * is nobody to tell, he did not want to know, or memory is short (then the buffer has failed). */
bool handover_report(const struct handover *, struct buffer *, struct posting *out);

#endif
