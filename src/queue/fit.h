/* fit.h - whether a message's content fits what a next hop takes, and what it must become. Pure. */
#ifndef QUEUE_FIT_H
#define QUEUE_FIT_H

#include "mail/convert.h"
#include "proto/smtp_client.h"
#include "store/queue.h"

enum fit_way {
    FIT_AS_IT_IS,
    FIT_AS_BINARY, /* as it is, with BODY=BINARYMIME */
    FIT_CONVERT,   /* the message must be looked at (mail/convert.h) */
};

struct fit {
    enum fit_way way;
    enum convert_target target; /* FIT_CONVERT */
    /* FIT_CONVERT: it cannot go as it is, and goes back when it cannot be converted.  Otherwise it
     * only should not: lines that are too long and NULs have passed many hosts before. */
    bool must;
    bool binary; /* the content is no lines */
};

struct fit fit_of(const struct queue_item *, const struct smtp_client_offers *);

#endif
