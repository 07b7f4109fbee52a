/* pop3_client.h - one POP3 session with a server, free of I/O (RFC 1939, 2449, 2595, 3206, 5034,
 * 6856).
 *
 * The same shape as smtp_client.h: pop3_client_step() says what the driver must do next.  It may be
 * called at any time; input that is not yet a whole line stays with the driver, who must be able to
 * hold POP3_CLIENT_INPUT_MAX octets of it.
 *
 *     new -> greeting, CAPA, STLS, UTF8, LANG, login ... -> READY
 *     READY -> pop3_client_ask()  -> ... ANSWERED -> READY
 *     READY -> pop3_client_quit() -> ...          -> CLOSE
 *
 * Every command that was given to pop3_client_ask() comes back in exactly one ANSWERED, in the
 * order in which they were given, also when the session fails: then CLOSE follows the last of them.
 * Where the server offers PIPELINING (RFC 2449 6.6) many may be under way at once.
 *
 * A yes to RETR, TOP, or to LIST or UIDL of all messages is told twice: BEGINS, then the content or
 * the lines as they come, then ANSWERED.  What came counts only when that says POP3_CLIENT_YES.
 *
 * Deletions (RFC 1939 6) are carried out by the server at QUIT and at no other time: what became
 * of them is what pop3_client_deletions() says after CLOSE.
 *
 * For a log that shows no secrets (run/wire.h): what stands behind PASS, and behind the mechanism
 * of AUTH, is to be masked by whoever logs the output; of all other lines the machine knows more,
 * see pop3_client_said_secret() and pop3_client_hears_content().
 */
#ifndef PROTO_POP3_CLIENT_H
#define PROTO_POP3_CLIENT_H

#include "base/text.h"
#include "proto/sasl_talk.h"

enum {
    POP3_CLIENT_INPUT_MAX = 4096,   /* octets that a step can refuse to take: a line is shorter, or
                                       only its front is looked at */
    POP3_CLIENT_REPLY_MAX = 512,    /* of a reply, so much is kept: it is no longer (RFC 2449 4) */
    POP3_CLIENT_PIPELINE_MAX = 128, /* commands under way */
};

/* What may be asked once the session is READY. */
enum pop3_client_verb {
    POP3_CLIENT_STAT,
    POP3_CLIENT_LIST, /* of one message, or of all */
    POP3_CLIENT_UIDL, /* of one message, or of all */
    POP3_CLIENT_TOP,
    POP3_CLIENT_RETR,
    POP3_CLIENT_DELE,
    POP3_CLIENT_RSET,
    POP3_CLIENT_NOOP,
};

struct pop3_client_command {
    enum pop3_client_verb verb;
    uint32_t message; /* from 1; LIST and UIDL: 0 for all */
    uint32_t lines;   /* TOP: of the body */
};

enum pop3_client_step_kind {
    /* Waits.  Write out pop3_client_output(), then bring what is named; input may always come. */
    POP3_CLIENT_NEED_INPUT,
    POP3_CLIENT_NEED_ANSWER, /* the last request is still open */
    POP3_CLIENT_READY,       /* nothing is under way: pop3_client_ask(), pop3_client_quit(), or keep
                                the session; input tells when the server ends it */

    /* Request: it wants exactly one answer, now or later. */
    POP3_CLIENT_LOG_IN, /* .begins: how? Otherwise .challenge has come: pop3_client_auth(),
                           pop3_client_password() or pop3_client_login_failed() */

    /* Orders: carry out before the next call. */
    POP3_CLIENT_START_TLS, /* write the output, handshake, then pop3_client_tls_started() or
                              pop3_client_input_ended() */
    POP3_CLIENT_BEGINS,    /* .command: yes, and what it asks for follows; .result has the reply */
    POP3_CLIENT_LINE,      /* .command: LIST or UIDL: .number and .octets or .unique_id */
    POP3_CLIENT_CONTENT,   /* .command: RETR or TOP: the next .content, with its dots as they were
                              before transparency: a part of the input, or a constant */
    POP3_CLIENT_ANSWERED,  /* .command has its .result */
    POP3_CLIENT_CLOSE,     /* write the output, hang up; pop3_client_failure() says why; every later
                              step says it again */
};

struct pop3_client_result;

/* What it points to lives until the next call. */
struct pop3_client_step {
    enum pop3_client_step_kind kind;
    bool begins;                             /* LOG_IN: the first time */
    struct text challenge;                   /* LOG_IN: decoded */
    struct pop3_client_command command;      /* BEGINS, LINE, CONTENT, ANSWERED */
    const struct pop3_client_result *result; /* BEGINS, ANSWERED */
    struct bytes content;                    /* CONTENT */
    uint32_t number;                         /* LINE */
    uint64_t octets;                         /* LINE of LIST */
    struct text unique_id;                   /* LINE of UIDL: without white space; "" if the server
                                                gave none, and longer than 70 if it did that */
    struct text line;                        /* LINE: as the server said it */
};

enum pop3_client_tls {
    POP3_CLIENT_TLS_NEVER,
    POP3_CLIENT_TLS_IF_OFFERED, /* a handshake that fails ends the session; the next may be NEVER */
    POP3_CLIENT_TLS_MUST /* without it the session fails before anything is said of a login */
};

/* Borrowed by the session for its whole life. */
struct pop3_client_config {
    enum pop3_client_tls tls;
    bool secured; /* the connection began with TLS: STLS is not wanted */
    bool utf8;    /* say UTF8 where it is offered (RFC 6856 2): mail comes as it is, names and
                     passwords may be in UTF-8 */
    struct text language;        /* for LANG where it is offered (RFC 6856 3): a tag; "" for none */
    uint64_t content_octets_max; /* a message that is longer ends the session; 0: none */
    /* In ms, 0 for none: the greeting; any other reply; 64 KB of content or lines to the next.
     * Octets that come one by one win no time. */
    uint64_t greeting_ms, command_ms, content_ms;
};

/* Where in the session something was said or went wrong. */
enum pop3_client_where {
    POP3_CLIENT_AT_CONNECT, /* before there was a session; only the driver says so */
    POP3_CLIENT_AT_GREETING,
    POP3_CLIENT_AT_CAPA,
    POP3_CLIENT_AT_STLS, /* the handshake too */
    POP3_CLIENT_AT_LOGIN,
    POP3_CLIENT_AT_TRANSACTION, /* the login was accepted */
    POP3_CLIENT_AT_QUIT,
    POP3_CLIENT_AT_LOCAL /* the server has no part in it: memory, a password with a line end */
};

/* The response code of a refusal (RFC 2449 8, 3206, 6856). */
enum pop3_client_code {
    POP3_CODE_NONE,
    POP3_CODE_OTHER, /* one that is not known here */
    POP3_CODE_IN_USE,
    POP3_CODE_LOGIN_DELAY,
    POP3_CODE_AUTH, /* name, password, or the way they were given */
    POP3_CODE_SYS_TEMP,
    POP3_CODE_SYS_PERM,
    POP3_CODE_UTF8,
};

enum pop3_client_verdict {
    POP3_CLIENT_YES,
    POP3_CLIENT_NO,   /* the server refused it, with .reply */
    POP3_CLIENT_LOST, /* no whole answer came: it may have been carried out or not */
};

/* What became of one command, or why the session failed. */
struct pop3_client_result {
    enum pop3_client_verdict verdict;
    enum pop3_client_where where;
    enum pop3_client_code code; /* of a NO */
    bool temporary;    /* the same may succeed later: IN-USE, LOGIN-DELAY, SYS/TEMP, or LOST, but
                          not when it was the client that would not go on */
    bool senseless;    /* LOST: what the server says is no POP3 */
    struct text reply; /* the line as the server said it, whatever octets, its first 512; our own
                          sentence when it is LOST */
    uint32_t count;    /* STAT: messages; LIST, UIDL of all: lines that came */
    uint64_t octets;   /* STAT; LIST of one; RETR, TOP: of the content that came */
    struct text unique_id; /* UIDL of one */
};

struct pop3_client; /* opaque */

/* NULL when memory is short.  The connection is open, nothing was said. */
struct pop3_client *pop3_client_new(const struct pop3_client_config *, uint64_t now_ms);
/* Frees and clears, at any time; commands under way get no ANSWERED. */
void pop3_client_free(struct pop3_client **);
/* Advances by at most one step, taking what it uses from the front of *in. */
struct pop3_client_step pop3_client_step(struct pop3_client *, struct bytes *in, uint64_t now_ms);

/* Whether a command may be given now: in READY, or behind others when the server offers PIPELINING
 * and they are less than POP3_CLIENT_PIPELINE_MAX.  Worth a look at each wait and ANSWERED. */
bool pop3_client_may_ask(const struct pop3_client *);
/* The next command, when pop3_client_may_ask().  False: memory is short, and nothing happened. */
bool pop3_client_ask(struct pop3_client *, struct pop3_client_command, uint64_t now_ms);
/* The end, when pop3_client_may_ask(): QUIT, and CLOSE once it is answered.  Without memory for it
 * the session fails, and nothing is deleted. */
void pop3_client_quit(struct pop3_client *, uint64_t now_ms);

/* Answers LOG_IN: what the mechanism says. */
void pop3_client_auth(struct pop3_client *, const struct sasl_words *, uint64_t now_ms);
/* The same by USER and PASS, only when it begins.  Both are copied, and wiped.  What has an octet
 * that would end the line, or is longer than a line may be, is never said: the session fails. */
void pop3_client_password(struct pop3_client *, struct text user, struct text password,
                          uint64_t now_ms);
/* There is nothing to say, for this reason, which is copied (its first 200 octets).  The session
 * fails. */
void pop3_client_login_failed(struct pop3_client *, struct text why, uint64_t now_ms);

/* The handshake is complete: all that the server said is forgotten (RFC 2595 4). */
void pop3_client_tls_started(struct pop3_client *, uint64_t now_ms);
/* No more input will come, or nothing more can be written: `why` is empty after an orderly end,
 * else a sentence for the results, which is copied (its first 200 octets).  What is already in the
 * driver's hands is read first. */
void pop3_client_input_ended(struct pop3_client *, struct text why);

/* Bytes to write, oldest first, whole commands; valid until the next call.  A session that fails
 * throws away what was not written. */
struct bytes pop3_client_output(const struct pop3_client *);
void pop3_client_drained(struct pop3_client *, size_t count);
/* When to call step() even if nothing arrives; UINT64_MAX for never. */
uint64_t pop3_client_deadline_ms(const struct pop3_client *);

/* After CLOSE: why; NULL after a QUIT that left nothing open.  A QUIT without a good answer is a
 * failure only when something was to be deleted, or a command before it was not answered. */
const struct pop3_client_result *pop3_client_failure(const struct pop3_client *);

enum pop3_client_deletions {
    POP3_CLIENT_KEPT,    /* nothing was to be deleted, or QUIT was never said: all is still there */
    POP3_CLIENT_DELETED, /* every message whose DELE was answered with YES, after the last RSET */
    POP3_CLIENT_UNSURE   /* any of those, and of those whose DELE was LOST: QUIT was refused, or not
                            answered.  Only the next session's UIDL can tell */
};
/* After CLOSE. */
enum pop3_client_deletions pop3_client_deletions(const struct pop3_client *);

/* What the server said of itself; complete in LOG_IN and later. */
struct pop3_client_offers {
    bool capa; /* it knows CAPA; without it nothing is known, and USER is worth a try */
    bool stls, user, pipelining, top, uidl, resp_codes, auth_resp_code, utf8, lang;
    struct text mechanisms;     /* of SASL */
    uint32_t login_delay_s;     /* 0: not told */
    uint32_t expire_days;       /* 0: messages go once they were retrieved; UINT32_MAX: never, or
                                   not told (RFC 2449 6.7) */
    struct text implementation; /* at most 100 octets */
};
const struct pop3_client_offers *pop3_client_offers(const struct pop3_client *);
/* Whether what is said now goes through TLS. */
bool pop3_client_used_tls(const struct pop3_client *);
/* Whether UTF8 was said and accepted. */
bool pop3_client_used_utf8(const struct pop3_client *);

/* Whether what the last call added to the output is a bare line of an AUTH exchange. */
bool pop3_client_said_secret(const struct pop3_client *);
/* Whether what the next step takes from the input is content of a message. */
bool pop3_client_hears_content(const struct pop3_client *);

#endif
