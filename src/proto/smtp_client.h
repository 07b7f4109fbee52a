/* smtp_client.h - one outgoing SMTP session, free of I/O (RFC 5321, 1870, 2920, 3030, 3461, 6152,
 * 6531).
 *
 * The same shape as smtp_server.h: step() says what the driver must do next, input that is not a
 * whole reply line stays with the driver.  One session carries any number of messages, one after
 * the other; each ends in a result for every recipient.
 *
 *   NEW -> greeting, EHLO (or HELO) -> SMTP_CLIENT_READY -> send() -> ... -> SMTP_CLIENT_SENT ->
 * READY
 *   ... -> quit() -> SMTP_CLIENT_CLOSE
 *
 * Pipelining: MAIL, all RCPT and DATA leave in one piece when the server offers it; with CHUNKING
 * the content goes as BDAT and is sent without transparency.  The final dot (or BDAT LAST) of a
 * message is sent only once SMTP_CLIENT_MAY_FINISH is answered, so that the driver can hold it back
 * until the results of the message before are durable (STORE.md 16).
 */
#ifndef PROTO_SMTP_CLIENT_H
#define PROTO_SMTP_CLIENT_H

#include "base/arena.h"
#include "mail/address.h"
#include "proto/dot.h"

enum smtp_client_step_kind {
    /* Waits: write out smtp_client_output(), then bring what is named. */
    SMTP_CLIENT_NEED_INPUT,
    SMTP_CLIENT_NEED_DRAIN,
    SMTP_CLIENT_NEED_ANSWER,

    /* Requests: each wants exactly one answer. */
    SMTP_CLIENT_READY,      /* the session is free: smtp_client_send() or smtp_client_quit() */
    SMTP_CLIENT_READ_BODY,  /* .offset: content from there on: smtp_client_body() */
    SMTP_CLIENT_MAY_FINISH, /* smtp_client_finish(): the final dot may go */

    /* Orders */
    SMTP_CLIENT_START_TLS, /* write the output, throw the rest of the input away, handshake, then
                              smtp_client_tls_started() */
    SMTP_CLIENT_SENT,  /* the message has a result for every recipient; read them before the next
                          call of step() */
    SMTP_CLIENT_CLOSE, /* write the output, hang up; smtp_client_failure() says why, if not QUIT */
};

struct smtp_client_step {
    enum smtp_client_step_kind kind;
    uint64_t offset;
};

enum smtp_client_tls { SMTP_CLIENT_TLS_NEVER, SMTP_CLIENT_TLS_IF_OFFERED, SMTP_CLIENT_TLS_MUST };

struct smtp_client_config {
    struct text hostname; /* for EHLO */
    enum smtp_client_tls tls;
    /* RFC 5321 4.5.3.2, each in ms: greeting 5 m, MAIL 5 m, RCPT 5 m, DATA 2 m, block 3 m, dot 10 m
     */
    uint64_t greeting_ms, command_ms, data_ms, block_ms, dot_ms;
    bool lmtp; /* RFC 2033: LHLO, one reply for each recipient behind the dot */
};

enum smtp_client_notify {
    NOTIFY_DEFAULT = 0,
    NOTIFY_NEVER = 1,
    NOTIFY_SUCCESS = 2,
    NOTIFY_FAILURE = 4,
    NOTIFY_DELAY = 8
};

struct smtp_client_recipient {
    struct text address; /* canonical */
    unsigned notify;
    struct text orcpt; /* xtext as received, "" for none */
};

/* Borrowed until SMTP_CLIENT_SENT or SMTP_CLIENT_CLOSE. */
struct smtp_client_message {
    struct text sender; /* canonical, "" for <> */
    uint64_t octets;
    bool eight_bit, utf8;   /* content or addresses need 8BITMIME, SMTPUTF8 */
    bool dot_lines;         /* a line begins with a dot */
    struct text ret, envid; /* RFC 3461, "" for none */
    const struct smtp_client_recipient *recipients;
    uint32_t recipient_count;
};

enum smtp_client_where {
    AT_CONNECT,
    AT_GREETING,
    AT_HELLO,
    AT_STARTTLS,
    AT_MAIL,
    AT_RCPT,
    AT_DATA,
    AT_END_OF_DATA,
    AT_LOCAL
};

/* What became of one recipient, or why the session failed. */
struct smtp_client_result {
    uint16_t code;   /* 0: no reply came; else 2xx, 4xx or 5xx */
    char status[12]; /* enhanced, from the reply or made up from its class */
    enum smtp_client_where where;
    struct text reply; /* all lines as the peer said them, separated by '\n', not escaped;
                          or our own sentence when code is 0 */
    bool permanent;    /* decided here, once: 5xx to this recipient, or a want that the peer
                          cannot satisfy (5.6.3, 5.6.7, 5.3.4) */
    bool delivered;
    bool relayed_without_dsn; /* delivered to a peer that does not know DSN */
};

struct smtp_client;
struct smtp_client *smtp_client_new(const struct smtp_client_config *, uint64_t now_ms);
void smtp_client_free(struct smtp_client **);
size_t smtp_client_input_max(const struct smtp_client *);
struct smtp_client_step smtp_client_step(struct smtp_client *, struct bytes *in, uint64_t now_ms);

/* Answers READY: the next message, or the end. */
void smtp_client_send(struct smtp_client *, const struct smtp_client_message *, uint64_t now_ms);
void smtp_client_quit(struct smtp_client *, uint64_t now_ms);
/* Answers READ_BODY with 1..n octets; borrowed for the call.  smtp_client_body_failed(): the
 * content cannot be read; the session is cut so that the peer never sees an end of data. */
void smtp_client_body(struct smtp_client *, struct bytes);
void smtp_client_body_failed(struct smtp_client *);
void smtp_client_finish(struct smtp_client *, uint64_t now_ms);
void smtp_client_tls_started(struct smtp_client *, uint64_t now_ms);
void smtp_client_input_ended(struct smtp_client *, uint64_t now_ms);

struct bytes smtp_client_output(const struct smtp_client *);
void smtp_client_drained(struct smtp_client *, size_t count);
uint64_t smtp_client_deadline_ms(const struct smtp_client *);

/* After SENT, and after CLOSE for a message under way: one for each recipient, in order. */
const struct smtp_client_result *smtp_client_result(const struct smtp_client *, uint32_t recipient);
/* After CLOSE: why; NULL after an orderly QUIT. */
const struct smtp_client_result *smtp_client_failure(const struct smtp_client *);
/* What the server said of itself. */
struct smtp_client_offers {
    bool esmtp, pipelining, size, eight_bit_mime, smtputf8, chunking, dsn, starttls, requiretls;
    uint64_t size_max;       /* 0: not told */
    uint32_t recipients_max; /* LIMITS RCPTMAX (RFC 9422); 0: not told */
    uint32_t messages_max;   /* LIMITS MAILMAX */
    struct text mechanisms;  /* of AUTH */
};
const struct smtp_client_offers *smtp_client_offers(const struct smtp_client *);
bool smtp_client_used_tls(const struct smtp_client *);

#endif
