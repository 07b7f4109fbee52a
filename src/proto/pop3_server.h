/* pop3_server.h - one POP3 session, free of I/O (RFC 1939, 2449, 2595, 3206, 5034, 6856).
 *
 * The same shape as smtp_server.h, which says what step(), answer(), output() and an untaken line
 * are; what differs stands here.  Deletions are carried out at QUIT only, by one POP3_UPDATE.
 */
#ifndef PROTO_POP3_SERVER_H
#define PROTO_POP3_SERVER_H

#include "base/buffer.h"
#include "proto/penance.h"

enum pop3_step_kind {
    /* Waits */
    POP3_NEED_INPUT,
    POP3_NEED_DRAIN,
    POP3_NEED_TIME,
    POP3_NEED_ANSWER,

    /* Requests */
    POP3_LOGIN,     /* .user, .password: check them, lock the maildrop, count it */
    POP3_AUTH_STEP, /* .mechanism (first step only), .words decoded, .initial; then as LOGIN */
    POP3_LIST,      /* list the maildrop as it was at login: asked until it succeeds once */
    POP3_READ,      /* .message (0-based index), .offset: content from there on, at least 1 octet */
    POP3_UPDATE,    /* delete .deleted[0 .. .deleted_count-1] (0-based, ascending), then unlock */

    /* Orders */
    POP3_START_TLS, /* write the output, throw the rest of the input away, handshake */
    POP3_CLOSE, /* unlock, write the output, hang up: after +OK to QUIT the next login is free */
};

struct pop3_step {
    enum pop3_step_kind kind;
    uint32_t request;
    struct text user, password;
    struct text mechanism, words;
    bool initial;
    uint32_t message;
    uint64_t offset;
    const uint32_t *deleted;
    uint32_t deleted_count;
};

enum pop3_verdict {
    POP3_ACCEPT,
    POP3_CONTINUE,      /* AUTH only: words are the challenge */
    POP3_WRONG,         /* unknown user or wrong password: -ERR [AUTH] and the same words */
    POP3_IN_USE,        /* -ERR [IN-USE] (RFC 2449 8.1.2) */
    POP3_LOGIN_DELAYED, /* -ERR [LOGIN-DELAY] */
    POP3_TEMPORARY,     /* -ERR [SYS/TEMP] (RFC 3206) */
    POP3_PERMANENT,     /* -ERR [SYS/PERM] */
    POP3_DAMAGED,       /* READ: what is stored does not verify: -ERR [SYS/PERM] if nothing of the
                           message is out yet, else the session ends in mid-air */
};

/* One message of the maildrop. The driver owns the array and keeps it until the session is freed.
 */
enum { POP3_UIDL_MAX = 70 };
struct pop3_message {
    uint64_t octets;       /* exactly what RETR sends after un-stuffing, without the final dot */
    uint64_t uidl_message; /* the UIDL is made of these two, see pop3_uidl() */
    uint32_t uidl_placement;
    bool dot_lines; /* a line begins with a dot: must be stuffed */
};

struct pop3_answer {
    enum pop3_verdict verdict;
    struct text words;                   /* CONTINUE: the challenge; else empty, or what to say
                                            behind the response code (never for WRONG) */
    uint32_t count;                      /* LOGIN, AUTH: messages */
    uint64_t octets;                     /* LOGIN, AUTH: their sum */
    const struct pop3_message *messages; /* LIST: `count` as told at login */
    struct bytes content;                /* READ: borrowed for the call; of more than 64 KB the rest
                                            is asked for again */
};

struct pop3_server_config {
    struct text hostname;
    struct text implementation; /* CAPA IMPLEMENTATION, only words without spaces */
    uint32_t line_octets_max;   /* command lines: at most 16384 whatever this is */
    uint32_t errors_max;        /* -ERR that a correct client never sees; 0: none */
    uint32_t logins_max;        /* failed logins before the session is closed; 0: none */
    uint32_t login_delay_s;     /* CAPA LOGIN-DELAY; 0: not announced */
    uint64_t idle_ms; /* RFC 1939 3: at least ten minutes unless configured less; 0: none */
    bool offer_tls;
    struct text mechanisms; /* CAPA SASL; empty: no AUTH */
};

struct pop3_server_peer {
    bool tls;
    bool cleartext; /* USER, PASS and AUTH are allowed without TLS */
    bool stranger;  /* pays with time for its mistakes and failed logins, until it has logged in */
    uint32_t mistakes; /* that count as made before for what it pays (penance.h) */
};

struct pop3_server;

struct pop3_server *pop3_server_new(const struct pop3_server_config *,
                                    const struct pop3_server_peer *, uint64_t now_ms);
void pop3_server_free(struct pop3_server **);
void pop3_server_reconfigure(struct pop3_server *, const struct pop3_server_config *);
size_t pop3_server_input_max(const struct pop3_server *);
struct pop3_step pop3_server_step(struct pop3_server *, struct bytes *in, uint64_t now_ms);
void pop3_server_answer(struct pop3_server *, uint32_t request, struct pop3_answer,
                        uint64_t now_ms);
/* After STLS; `cleartext` of the peer becomes true. */
void pop3_server_tls_started(struct pop3_server *, uint64_t now_ms);
void pop3_server_input_ended(struct pop3_server *);
/* Between commands the session says -ERR [SYS/TEMP] with these words and closes, without UPDATE. */
void pop3_server_shut_down(struct pop3_server *, const char *words);
struct bytes pop3_server_output(const struct pop3_server *);
void pop3_server_drained(struct pop3_server *, size_t count);
uint64_t pop3_server_deadline_ms(const struct pop3_server *);
bool pop3_server_is_logged_in(const struct pop3_server *);
/* What it has done wrong so far. */
struct mistakes pop3_server_mistakes(const struct pop3_server *);
/* Whether the first line that the next step takes answers an AUTH challenge: for the log, which
 * shows no secrets. */
bool pop3_server_line_is_secret(const struct pop3_server *);

/* The unique-id of a message: 1 to 70 octets of 0x21..0x7E (RFC 1939 7), terminated.  Clients keep
 * it for years: its form never changes. */
struct text pop3_uidl(const struct pop3_message *, char out[POP3_UIDL_MAX + 1]);

#endif
