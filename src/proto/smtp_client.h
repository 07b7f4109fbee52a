/* smtp_client.h - one outgoing SMTP or LMTP session, free of I/O (RFC 5321, 1870, 2033, 2920, 3030,
 * 3207, 3461, 4954, 6152, 6531, 8689, 9422).
 *
 * The same shape as smtp_server.h: smtp_client_step() says what the driver must do next.  It may be
 * called at any time; input that is not yet a whole reply line stays with the driver, who must be
 * able to hold smtp_client_input_max() octets of it.
 *
 *     new -> greeting, EHLO, STARTTLS, AUTH ... -> READY
 *     READY -> smtp_client_send() -> ... SENT -> READY
 *     READY -> smtp_client_quit() -> ...      -> CLOSE
 *
 * Any number of messages may go, one after the other.  Each that was given to smtp_client_send()
 * comes back in exactly one SENT, in the order in which they were given, also when the session
 * fails: then CLOSE follows the last of them.
 *
 * Pipelining (RFC 2920), where the server offers it: MAIL, all RCPT and DATA leave in one piece,
 * and once the end of a message is on its way the next one may be given without waiting for the
 * reply (smtp_client_may_send()), so that a busy session costs one round trip for each message.
 * With CHUNKING the content goes as BDAT, without transparency, once a recipient was accepted.
 *
 * The end of a message (the final dot, the last BDAT) is sent only after SMTP_CLIENT_MAY_FINISH was
 * answered: the driver holds it back until the results of the message before are durable
 * (store rule 16).  It is asked only after the SENT of that message.
 *
 * Who logs in (.login of the config) is asked for what to say by SMTP_CLIENT_AUTH: once for the
 * mechanism, then for an answer to each challenge.  What is exchanged means nothing here.  However
 * a login ends that is not a yes, the session fails for now only: the password is this side's
 * matter, and no sender's mail comes back for it.
 *
 * What becomes of a message is certain but for one case: a session that ends between the end of the
 * message and its reply.  The server may have taken it or not (RFC 1047).  The result then has the
 * code 0 and says AT_END_OF_DATA; it is temporary, so that the message is sent again, since two
 * copies are better than none.
 */
#ifndef PROTO_SMTP_CLIENT_H
#define PROTO_SMTP_CLIENT_H

#include "base/text.h"
#include "mail/notify.h"
#include "proto/sasl_talk.h"

enum smtp_client_step_kind {
    /* Waits.  Write out smtp_client_output(), then bring what is named; input may always come. */
    SMTP_CLIENT_NEED_INPUT,
    SMTP_CLIENT_NEED_DRAIN,  /* ... or write more of the output first */
    SMTP_CLIENT_NEED_ANSWER, /* the last request is still open */
    SMTP_CLIENT_READY,       /* nothing is under way: smtp_client_send(), smtp_client_quit(), or
                                keep the session for later; input tells when the server ends it */

    /* Requests: each wants exactly one answer, now or later. */
    SMTP_CLIENT_READ_BODY,  /* .message, .offset: content from there on, by smtp_client_body() or
                               smtp_client_body_failed() */
    SMTP_CLIENT_MAY_FINISH, /* .message: smtp_client_finish() */
    SMTP_CLIENT_AUTH,       /* .begins: which mechanism? Otherwise .challenge has come:
                               smtp_client_auth() or smtp_client_auth_failed() */

    /* Orders: carry out before the next call. */
    SMTP_CLIENT_START_TLS, /* write the output, throw the rest of the input away, handshake, then
                              smtp_client_tls_started() or smtp_client_input_ended() */
    SMTP_CLIENT_SENT,      /* .message has a result for every recipient: smtp_client_result() */
    SMTP_CLIENT_CLOSE,     /* write the output, hang up; smtp_client_failure() says why; every
                              later step says it again */
};

struct smtp_client_message;

struct smtp_client_step {
    enum smtp_client_step_kind kind;
    const struct smtp_client_message *message;
    uint64_t offset;
    bool begins;           /* AUTH: the first time; smtp_client_offers() has the mechanisms */
    struct text challenge; /* AUTH: decoded, until the answer */
};

enum smtp_client_tls {
    SMTP_CLIENT_TLS_NEVER,
    SMTP_CLIENT_TLS_IF_OFFERED, /* a refusal, or a handshake that fails, ends the session; the next
                                   may be NEVER */
    SMTP_CLIENT_TLS_MUST        /* without it the session fails, and only for now */
};

/* Borrowed by the session for its whole life. */
struct smtp_client_config {
    struct text hostname; /* for EHLO */
    enum smtp_client_tls tls;
    bool secured; /* the connection began with TLS: STARTTLS is not wanted */
    bool lmtp;    /* RFC 2033: LHLO, and one reply for each recipient behind the dot */
    bool login;   /* AUTH before the first message, whatever TLS came to: what may be said on this
                     connection is the driver's to judge */
    /* RFC 5321 4.5.3.2, each in ms, 0 for none: greeting 5 m, MAIL and RCPT 5 m, DATA 2 m, block
     * 3 m, dot 10 m.  From one whole reply, or 64 KB of content, to the next: octets win no time.
     */
    uint64_t greeting_ms, command_ms, data_ms, block_ms, dot_ms;
    /* Every message goes with REQUIRETLS (RFC 8689 4.2.1).  `tls` is MUST, unless `secured`, and
     * whom the certificate is of is the driver's to judge.  A server that does not offer TLS, or
     * behind it REQUIRETLS, fails the session for good: 5.7.10, 5.7.30. */
    bool requiretls;
};
/* In the initializer of a config: those times. */
#define SMTP_CLIENT_USUAL_TIMES                                                                    \
    .greeting_ms = 5 * 60 * 1000, .command_ms = 5 * 60 * 1000, .data_ms = 2 * 60 * 1000,           \
    .block_ms = 3 * 60 * 1000, .dot_ms = 10 * 60 * 1000

struct smtp_client_recipient {
    struct text address; /* canonical */
    unsigned notify;     /* mail/notify.h */
    struct text orcpt; /* type and address as received, UTF-8 of the type utf-8 too; "" for none */
};

/* Borrowed, with all that it points to, until its SENT has been given and step() is called again.
 * Unless it is `binary`, the content is whole lines, each with CRLF and none with a CR or LF
 * elsewhere; a CRLF that is missing at its end is added with DATA. */
struct smtp_client_message {
    struct text sender; /* canonical, "" for <> */
    uint64_t octets;
    bool eight_bit, utf8;   /* needs 8BITMIME, SMTPUTF8, whether for content or addresses */
    bool binary;            /* the content needs BINARYMIME (RFC 3030 3): it is what it is, not
                               lines, and need not end with one */
    struct text obstacle;   /* for people, why it was not converted to need less: "it is signed";
                               "" for none */
    bool dot_lines;         /* a line begins with a dot: otherwise transparency costs nothing */
    struct text ret, envid; /* RFC 3461: "FULL" or "HDRS", xtext as received; "" for none */
    const struct smtp_client_recipient *recipients;
    uint32_t recipient_count; /* 1..; who has more than .recipients_max splits them */
};

/* Where in the session something was said or went wrong. */
enum smtp_client_where {
    AT_CONNECT, /* before there was a session; only the driver says so */
    AT_GREETING,
    AT_HELLO,
    AT_STARTTLS, /* the handshake too */
    AT_AUTH,
    AT_IDLE, /* between two messages */
    AT_MAIL, /* nothing of the message was accepted yet */
    AT_RCPT,
    AT_DATA, /* up to the last octet before the end */
    AT_END_OF_DATA,
    AT_LOCAL /* the server has no part in it: a want that it cannot satisfy, memory, content */
};

/* What became of one recipient, or why the session failed. */
struct smtp_client_result {
    uint16_t code;   /* 0: no reply came; else 2xx, 4xx or 5xx */
    char status[12]; /* enhanced, as the peer gave it (RFC 3463) or made up from the class */
    enum smtp_client_where where;
    struct text reply; /* all lines as the peer said them, codes too, separated by '\n', whatever
                          octets, at most 4 KB; our own sentence when the code is 0; "" when memory
                          is short */
    bool permanent;    /* decided here, once: 5xx to this recipient, or a want that the server
                          cannot satisfy (5.6.3, 5.6.7, 5.3.4) */
    bool delivered;
    bool relayed_without_dsn; /* delivered to a server that does not offer DSN */
};

struct smtp_client; /* opaque */

/* NULL when memory is short.  The connection is open, nothing was said. */
struct smtp_client *smtp_client_new(const struct smtp_client_config *, uint64_t now_ms);
/* Frees and clears, at any time; messages under way get no SENT. */
void smtp_client_free(struct smtp_client **);
/* The most input that a step can refuse to take. */
size_t smtp_client_input_max(const struct smtp_client *);
/* Advances by at most one step, taking what it uses from the front of *in. */
struct smtp_client_step smtp_client_step(struct smtp_client *, struct bytes *in, uint64_t now_ms);

/* Whether a message may be given now: in READY and SENT, or behind a message whose end has been
 * sent when the server offers PIPELINING; never more than LIMITS MAILMAX allows.  Worth a look at
 * each wait.  To give it behind another is the driver's choice: it relies on the server's replies
 * coming in order, and one that gets that wrong can make the next MAIL's yes look like the
 * message's. */
bool smtp_client_may_send(const struct smtp_client *);
/* The next message, when smtp_client_may_send().  False: memory is short, and nothing happened. */
bool smtp_client_send(struct smtp_client *, const struct smtp_client_message *, uint64_t now_ms);
/* The end, in READY or when smtp_client_may_send(): QUIT, and CLOSE once it is answered, or not
 * answered in ten seconds. */
void smtp_client_quit(struct smtp_client *, uint64_t now_ms);

/* Answers READ_BODY with 1..n octets, borrowed for the call.  What is beyond 64 KB, or beyond the
 * present chunk, is not taken: the next request says where to go on. */
void smtp_client_body(struct smtp_client *, struct bytes, uint64_t now_ms);
/* Answers READ_BODY: the content cannot be read.  The session is cut, so that the server never sees
 * an end of data; the message is tried again. */
void smtp_client_body_failed(struct smtp_client *, uint64_t now_ms);
/* Answers MAY_FINISH. */
void smtp_client_finish(struct smtp_client *, uint64_t now_ms);

/* Answers SMTP_CLIENT_AUTH: what the mechanism says. */
void smtp_client_auth(struct smtp_client *, const struct sasl_words *, uint64_t now_ms);
/* Answers SMTP_CLIENT_AUTH: there is nothing to say, for this reason, which is copied (its first
 * 200 octets).  The session fails. */
void smtp_client_auth_failed(struct smtp_client *, struct text why, uint64_t now_ms);

/* The handshake is complete: all that the server said is forgotten (RFC 3207 4.2). */
void smtp_client_tls_started(struct smtp_client *, uint64_t now_ms);
/* No more input will come, or nothing more can be written: `why` is empty after an orderly end,
 * else a sentence for the results, which is copied (its first 200 octets).  Replies that are
 * already in the driver's hands are read first.  When writing breaks, read what is there to read
 * before this: often the server said why. */
void smtp_client_input_ended(struct smtp_client *, struct text why);

/* Bytes to write, oldest first; valid until the next call.  What smtp_client_body() adds is
 * content, everything else is whole commands.  A session that fails throws away what was not
 * written. */
struct bytes smtp_client_output(const struct smtp_client *);
void smtp_client_drained(struct smtp_client *, size_t count);
/* When to call step() even if nothing arrives; UINT64_MAX for never. */
uint64_t smtp_client_deadline_ms(const struct smtp_client *);

/* After SENT, until the next step(): of one recipient of the message. */
const struct smtp_client_result *smtp_client_result(const struct smtp_client *, uint32_t recipient);
/* After CLOSE: why; NULL after QUIT.  It speaks of this host: another one of the same domain may
 * say otherwise, so that one is tried first even when this is permanent (5xx to the greeting, EHLO
 * or HELO, or no REQUIRETLS).  And when a session that was used before fails AT_IDLE or AT_MAIL,
 * that says nothing even of this host: servers end what was idle, and a new session may be tried at
 * once. */
const struct smtp_client_result *smtp_client_failure(const struct smtp_client *);

/* What the server said of itself; complete in READY. */
struct smtp_client_offers {
    bool esmtp, pipelining, size, eight_bit_mime, binary_mime, smtputf8, chunking, dsn, starttls,
        requiretls;
    uint64_t size_max; /* 0: not told */
    /* LIMITS (RFC 9422): MAILMAX, RCPTMAX, RCPTDOMAINMAX; 0: not told. */
    uint32_t messages_max, recipients_max, domains_max;
    struct text mechanisms; /* of AUTH */
};
const struct smtp_client_offers *smtp_client_offers(const struct smtp_client *);
/* Whether it takes binary content, which goes in chunks only (RFC 3030 3). */
static inline bool smtp_client_takes_binary(const struct smtp_client_offers *o)
{
    return o->binary_mime && o->chunking;
}
/* Whether what is said now goes through TLS. */
bool smtp_client_used_tls(const struct smtp_client *);

#endif
