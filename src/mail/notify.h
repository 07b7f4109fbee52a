/* notify.h - when a sender wants to hear what became of a recipient: NOTIFY of RFC 3461 4.1, as
 * bits.  What is received, kept in the queue, and sent on. */
#ifndef MAIL_NOTIFY_H
#define MAIL_NOTIFY_H

enum notify {
    NOTIFY_DEFAULT = 0, /* not said: failures, and delays when the host likes */
    NOTIFY_NEVER = 1,   /* alone */
    NOTIFY_SUCCESS = 2,
    NOTIFY_FAILURE = 4,
    NOTIFY_DELAY = 8
};

#endif
