/* dsn.h - delivery status notifications: RFC 3461, 3464, 6522, 6533, 3834. Pure.
 *
 * A report is written once, for all recipients of a transaction that share its sender.
 */
#ifndef MAIL_DSN_H
#define MAIL_DSN_H

#include "base/buffer.h"

enum dsn_action { DSN_FAILED, DSN_DELAYED, DSN_DELIVERED, DSN_RELAYED, DSN_EXPANDED };

struct dsn_recipient {
    struct text final_recipient;    /* canonical address */
    struct text original_recipient; /* ORCPT as received: "rfc822;xtext", or "" */
    enum dsn_action action;
    struct text status;     /* "5.1.1" */
    struct text remote_mta; /* host name of the peer, or "" */
    struct text diagnostic; /* the peer's reply, all lines separated by '\n', unescaped; "" */
    struct text reason;     /* our own sentence, when no peer spoke */
    int64_t last_attempt_ms;
    int64_t will_retry_until_ms; /* DELAYED */
};

struct dsn_report {
    struct text reporting_mta; /* our host name */
    struct text from_domain;   /* MAILER-DAEMON@ this */
    struct text to;            /* the sender of the original */
    struct text envid;         /* xtext decoded, or "" */
    struct text message_id;    /* of the report: left part of its Message-ID */
    struct text original_id;   /* our id of the original, for people */
    int64_t arrived_ms, now_ms;
    int zone_seconds;
    const struct dsn_recipient *recipients;
    size_t recipient_count;
    struct text original;   /* its header, or the whole message */
    bool original_is_whole; /* RET=FULL */
    bool utf8;              /* any address or header needs RFC 6533 forms */
    struct text boundary;   /* unique, at most 60 octets of letters, digits, '-', '_' */
};

/* Appends the whole message, header and body, every line ended by CRLF and at most 998 octets. */
bool dsn_write(struct buffer *, const struct dsn_report *);
/* Subject of a report, for logs too: "Undelivered mail: a@b and 2 others", ... */
struct text dsn_subject(const struct dsn_report *, char *out, size_t max);

/* xtext (RFC 3461 4): decoding refuses what is not xtext and any control character. */
bool xtext_decode(struct buffer *, struct text);
bool xtext_encode(struct buffer *, struct text);

#endif
