/* dsn.h - delivery status notifications: RFC 3461 6, 3464, 6522, 6533, 3834.  Pure.
 *
 * A report is written once, for all recipients of a transaction that share its sender; what became
 * of each may differ.  Who gets a report at all is not decided here: never the null sender, never
 * against NOTIFY.
 *
 * The report is a whole message in three parts: words for people, fields for programs, and what the
 * report is about (its header, or all of it).  It is 7-bit unless an address or what is returned
 * has more; nothing that a peer or the sender said can end a line, a part or the message.
 */
#ifndef MAIL_DSN_H
#define MAIL_DSN_H

#include "base/buffer.h"
#include "base/net.h"

enum dsn_action { DSN_FAILED, DSN_DELAYED, DSN_DELIVERED, DSN_RELAYED, DSN_EXPANDED };
enum { DSN_ACTIONS = DSN_EXPANDED + 1 };

struct dsn_recipient {
    struct text final_recipient;    /* canonical address */
    struct text original_recipient; /* ORCPT as received: "rfc822;xtext", or "" */
    enum dsn_action action;
    struct text status;          /* "5.1.1"; anything malformed becomes 5.0.0, 4.0.0 or 2.0.0 */
    struct text remote_mta;      /* host name or literal of the host that was called, or "" */
    struct text diagnostic;      /* its reply, all lines separated by '\n', unescaped; or "" */
    struct text reason;          /* ours: why we gave up, or what happened when no peer spoke; or
                                    "".  With a full stop it is a sentence and says all; else it is
                                    a detail of what the status means */
    int64_t last_attempt_ms;     /* 0: none was made */
    int64_t will_retry_until_ms; /* DELAYED only; 0: not told */
};

struct dsn_report {
    struct text reporting_mta; /* our host name */
    struct text from_domain;   /* postmaster@ this is who reports: an answer reaches a person */
    struct text to;            /* the sender of the original, canonical; never the null sender */
    struct text envid;         /* xtext decoded, or "" */
    struct text message_id;    /* of the report: left part of its Message-ID */
    struct text original_id;   /* our id of the original, for people and for Final-Log-ID */
    struct text received_from; /* what HELO or EHLO said when the original came; or "" */
    struct endpoint received_peer; /* who said it; NET_NONE: not known */
    int64_t arrived_ms, now_ms;
    int zone_seconds;
    const struct dsn_recipient *recipients;
    size_t recipient_count; /* at least 1 */
    struct text original;   /* the message, or at least its header */
    bool original_is_whole; /* RET=FULL: return all of it, see below */
    bool utf8;              /* the original came with SMTPUTF8: RFC 6533 forms where needed */
    bool seven_bit;         /* the way to the sender may lack 8BITMIME: write ASCII only.  Has no
                               effect when `to` is UTF-8, which no ASCII can say. */
    bool waives_tls;        /* the original said "TLS-Required: No" (RFC 8689 3): so does this */
    struct text boundary;   /* drawn at random, at most 60 octets of letters, digits, '-', '_' */
};

enum {
    DSN_BOUNDARY_MAX = 60,
    DSN_DIAGNOSTIC_MAX = 4096, /* octets of a peer's reply that are quoted */
    DSN_HEADER_MAX = 64 << 10, /* octets of header that are returned, in whole fields */
};

/* Appends the whole message, header and body, every line ended by CRLF and at most 998 octets.
 * False: no room, and nothing is appended.
 *
 * All of the original is returned when `original_is_whole`, a recipient failed (RFC 3461 4.3), and
 * it can travel as it is: lines end with CRLF and within 998 octets, no NUL, and no octet over 0x7F
 * with `seven_bit`.  Otherwise its header is, quoted-printable when it must be. */
bool dsn_write(struct buffer *, const struct dsn_report *);
/* No report with these values is longer: the maximum for its buffer. */
size_t dsn_octets_max(const struct dsn_report *);
/* Whether the report itself must be sent with SMTPUTF8 (its header has UTF-8).  Whether it needs
 * 8BITMIME is for its octets to say. */
bool dsn_needs_smtputf8(const struct dsn_report *);

/* Subject of a report, for logs too: "Undelivered mail: a@b.example and 2 others".  Speaks of the
 * worst action in the report.  Cut at `max` octets, not terminated. */
struct text dsn_subject(const struct dsn_report *, char *out, size_t max);

#endif
