/* smtp_server.h - one SMTP or submission session, free of I/O (RFC 5321, RFC 6409).
 *
 * A session is a function of bytes, answers and time.  It owns no socket, clock, file or thread and
 * calls nothing back: smtp_server_step() says what the driver must do next.  The same object runs
 * under the event loop, the fuzzer and the simulator.
 *
 * Back-pressure is the pipelining design: step() takes only what it may act on now and leaves the
 * rest of `in` with the driver.  Nothing is read past an open request, so a pipelined group is
 * answered in order; its replies coalesce because the driver writes only when step() asks to wait.
 *
 * An incomplete command line is not taken either: the driver brings it again with what follows it.
 * The session therefore keeps no line buffer, and an idle one is small.  What the driver must be
 * able to hold is smtp_server_input_max() octets; a longer line is taken and thrown away in pieces
 * and answered with 500 at its end.
 */
#ifndef PROTO_SMTP_SERVER_H
#define PROTO_SMTP_SERVER_H

#include "mail/address.h"
#include "mail/notify.h"
#include "proto/dot.h"
#include "proto/penance.h"

enum smtp_step_kind {
    /* Waits.  Write out smtp_server_output(), then bring what is named. */
    SMTP_NEED_INPUT,  /* more input than is in `in` now */
    SMTP_NEED_DRAIN,  /* no room for another reply */
    SMTP_NEED_TIME,   /* the reply to a mistake is held back until the deadline (penance.h) */
    SMTP_NEED_ANSWER, /* the last request is still open */

    /* Requests.  Each wants exactly one smtp_server_answer(), now or later. */
    SMTP_CHECK_SENDER,    /* .address, .mail */
    SMTP_CHECK_RECIPIENT, /* .address, .rcpt */
    SMTP_VERIFY,          /* VRFY .words; the answer's words may have several lines */
    SMTP_EXPAND,          /* EXPN .words; likewise */
    SMTP_AUTH_STEP,       /* .mechanism (first step only, upper case), .words: the decoded response;
                             .initial says whether there is one */
    SMTP_OPEN_MESSAGE,    /* the envelope is complete: make a place for the body */
    SMTP_COMMIT_MESSAGE,  /* the body is complete; answer only once it is durable; .facts */

    /* Orders.  Carry out before the next call; no answer. */
    SMTP_APPEND_BODY,     /* .body, transparency removed */
    SMTP_ABANDON_MESSAGE, /* the open message will never be committed; the transaction is over */
    SMTP_FORGET,          /* the transaction is over without a message (RSET, HELO, a refused
                             OPEN_MESSAGE, ...), or the AUTH exchange is (cancelled, malformed) */
    SMTP_GO_ON,           /* nothing: the next octets are content and no commands, or no more */
    SMTP_START_TLS,       /* write the output, throw the rest of the input away, handshake */
    SMTP_CLOSE,           /* write the output, then hang up; every later step says it again */
};

enum smtp_body { SMTP_BODY_7BIT, SMTP_BODY_8BITMIME, SMTP_BODY_BINARYMIME };

/* The parameters of MAIL (RFC 1870, 6152, 6531, 4954, 3461, 8689). */
struct smtp_mail {
    uint64_t size; /* 0: not given */
    enum smtp_body body;
    bool smtputf8;
    bool requiretls;
    bool has_auth;     /* AUTH= was given; its value is decoded in auth, "" for <> */
    struct text auth;  /* valid while the request is open */
    struct text ret;   /* "FULL", "HDRS", or "" when not said */
    struct text envid; /* xtext as received, "" for none; as long as the transaction */
};

/* The parameters of RCPT (RFC 3461). */
struct smtp_rcpt {
    unsigned notify;   /* mail/notify.h */
    struct text orcpt; /* "type;xtext" as received, "" for none; valid while the request is open */
};

/* Each transaction whose CHECK_SENDER was accepted ends in exactly one of these: COMMIT_MESSAGE
 * answered, ABANDON_MESSAGE, FORGET.  Only smtp_server_free() ends it without. */
struct smtp_step {
    enum smtp_step_kind kind;
    uint32_t request;              /* requests only: names the answer; never 0 */
    const struct address *address; /* valid until the request is answered */
    const struct smtp_mail *mail;
    const struct smtp_rcpt *rcpt;
    struct text mechanism;
    struct text words; /* valid until the request is answered */
    bool initial;
    struct bytes body; /* points into `in`, or constant; valid until the next call */
    const struct content_facts *facts; /* of the body as received; valid until answered */
};

enum smtp_verdict {
    SMTP_ACCEPT,
    SMTP_DEFER,    /* temporary: 4xx */
    SMTP_REJECT,   /* permanent: 5xx */
    SMTP_CONTINUE, /* AUTH only: 334, words are the challenge, encoded by the session */
    SMTP_VANISH,   /* the outcome is unknown: nothing more is said and the session closes */
};

/* Borrowed for the call of smtp_server_answer(). */
struct smtp_answer {
    enum smtp_verdict verdict;
    uint16_t code;      /* 200..599; 0 means the stock reply for request and verdict */
    const char *status; /* RFC 3463 "5.1.1", agreeing in class with code; NULL: the stock one, or
                           x.0.0 when there is a code */
    struct text words;  /* VRFY, EXPN: several lines separated by '\n'.  Escaped by the session. */
};

/* Shared by sessions, never changed by them. */
struct smtp_server_config {
    struct text hostname;
    uint64_t message_octets_max; /* 0: none */
    uint32_t recipients_max;     /* at least 100 (RFC 5321 4.5.3.1.8) unless less is configured; 0:
                                    none */
    uint32_t transactions_max;   /* mails in a session; 0: none.  One more MAIL: 421 and close */
    uint32_t errors_max;         /* 0: none.  So many 5xx replies since the last accepted message (a
                                    refused recipient of a trusted or logged-in client does not
                                    count) are followed by 421, and the session closes */
    uint32_t logins_max;         /* 0: none.  So many AUTH exchanges refused with 535: likewise */
    uint32_t line_octets_max;    /* 0: none; command lines: 512 to 16384 whatever this is */
    uint32_t hops_max;           /* Received fields in a message; 0: none */
    uint64_t command_ms;         /* from one command to the next; 0: none.  Octets win no time */
    uint64_t message_ms;         /* from DATA, or the first BDAT, to the end; 0: none */
    uint64_t greeting_ms;        /* strangers wait so long for the greeting; whoever talks before it
                                    is refused with 554 (RFC 5321 3.1) */
    bool submission;             /* AUTH before MAIL: 530 5.7.0 */
    bool offer_tls;
    struct text mechanisms; /* "PLAIN LOGIN"; empty: AUTH is not offered */
};

/* Of this one connection. */
struct smtp_server_peer {
    bool trusted;      /* a network that may relay: bare line ends are mended */
    bool tls;          /* the connection began with TLS */
    bool may_verify;   /* VRFY and EXPN ask; otherwise 252 and 502 */
    bool stranger;     /* pays with time for its mistakes, until it has logged in */
    uint32_t mistakes; /* that count as made before for what it pays (penance.h) */
};

struct smtp_server; /* opaque */

/* NULL when memory is short.  The greeting is queued at once, unless strangers wait for it.  The
 * config must outlive the session or be replaced in time by smtp_server_reconfigure(). */
struct smtp_server *smtp_server_new(const struct smtp_server_config *,
                                    const struct smtp_server_peer *, uint64_t now_ms);
/* Frees and clears.  An open request need not be answered any more. */
void smtp_server_free(struct smtp_server **);
/* From now on these values (reload, or what is offered changes with TLS).  Nothing is borrowed from
 * the old ones afterwards. */
void smtp_server_reconfigure(struct smtp_server *, const struct smtp_server_config *);

/* The most input that a step can refuse to take. */
size_t smtp_server_input_max(const struct smtp_server *);
/* Advances by at most one step, taking what it uses from the front of *in: content or command
 * lines, never both. */
struct smtp_step smtp_server_step(struct smtp_server *, struct bytes *in, uint64_t now_ms);
/* Answers the open request, which must be `request`. */
void smtp_server_answer(struct smtp_server *, uint32_t request, struct smtp_answer,
                        uint64_t now_ms);
/* The handshake ordered by SMTP_START_TLS is complete: all the client said is forgotten. */
void smtp_server_tls_started(struct smtp_server *, uint64_t now_ms);
/* The peer will send no more: step() winds the session up once `in` has no more complete line. */
void smtp_server_input_ended(struct smtp_server *);
/* The server is going down, or the peer is banned: at the next moment between commands (a message
 * in flight is finished first) the session says 421 with these words (static) and closes.  Call
 * step() soon, unless a request is open. */
void smtp_server_shut_down(struct smtp_server *, const char *status, const char *words);

/* The next line of input is a response in an AUTH exchange: a secret that no log may show.  (The
 * line that begins the exchange may hold one too, behind the mechanism.) */
bool smtp_server_line_is_secret(const struct smtp_server *);

/* The next octets of input are content, or a chunk that is thrown away, and no command: what the
 * next step takes is that. */
bool smtp_server_input_is_body(const struct smtp_server *);

/* Bytes to write, oldest first; valid until the next call. */
struct bytes smtp_server_output(const struct smtp_server *);
void smtp_server_drained(struct smtp_server *, size_t count);
/* When to call step() even if nothing arrives; UINT64_MAX for never. */
uint64_t smtp_server_deadline_ms(const struct smtp_server *);

/* What the session knows: for trace fields, policy and logs. */
struct text smtp_server_hello(const struct smtp_server *); /* as said; empty before */
bool smtp_server_is_esmtp(const struct smtp_server *);
/* The client has said QUIT, and sends nothing behind it (RFC 2920 3.1). */
bool smtp_server_has_quit(const struct smtp_server *);
bool smtp_server_is_authenticated(const struct smtp_server *);
/* The envelope of the open transaction, from MAIL on; valid until it ends, NULL and 0 without. */
const struct smtp_mail *smtp_server_mail(const struct smtp_server *);
const struct address *smtp_server_sender(const struct smtp_server *);
uint32_t smtp_server_recipient_count(const struct smtp_server *);
/* What it has done wrong so far. */
struct mistakes smtp_server_mistakes(const struct smtp_server *);

#endif
