/* pop3_client_internal.h - what the files of the POP3 client machine share; private to them.
 *
 *   pop3_client.c           the session: creation, commands, steps, its time, its end
 *   pop3_client_replies.c   the table of awaited replies and what each leads to
 *   pop3_client_read.c      taking the input apart: replies, lines, content
 *   pop3_client_offers.c    what CAPA tells
 *   pop3_client_login.c     UTF8, LANG, and logging in: AUTH, line by line, or USER and PASS
 *
 * Replies are matched, in order, with a ring of what was said (struct awaited).  Behind the good
 * reply to some of it follow lines or content, up to a dot alone.
 *
 *   phase            what goes on                         left for
 *   POPPING_HELLO      greeting, CAPA, STLS                 HANDSHAKE, LOGIN
 *   POPPING_HANDSHAKE  TLS, not ours                        HELLO, by pop3_client_tls_started()
 *   POPPING_LOGIN      UTF8, LANG, logging in               OPEN
 *   POPPING_OPEN       commands, or nothing                 QUITTING
 *   POPPING_QUITTING   QUIT was said; answers still come    CLOSING
 *   POPPING_CLOSING    what is not answered is handed out as lost, nothing is read
 *
 * Every phase may also be left for CLOSING, by pop3_client_fail().
 */
#ifndef PROTO_POP3_CLIENT_INTERNAL_H
#define PROTO_POP3_CLIENT_INTERNAL_H

#include "base/buffer.h"
#include "proto/dot.h"
#include "proto/pop3_client.h"

enum {
    POPPING_OUTPUT_MAX = 32 * 1024,     /* the longest line of AUTH, and all commands of the ring */
    POPPING_LINE_MAX = 255,             /* of a command, with its end (RFC 2449 4) */
    POPPING_PASSWORD_MAX = 4096,        /* servers take longer lines for USER and PASS */
    POPPING_REPLY_OCTETS_MAX = 1 << 20, /* a line, or all lines of CAPA, beyond that has no end */
    POPPING_LISTED_MAX = 1 << 24,       /* lines of LIST and UIDL */
    POPPING_PROGRESS_OCTETS = 64 * 1024, /* of content or lines, that win time */
    POPPING_SENTENCE_MAX = 200,          /* octets of a sentence of our own */
    POPPING_MECHANISMS_MAX = 500,
    POPPING_IMPLEMENTATION_MAX = 100,
    POPPING_QUIT_MS = 10000, /* for the answer to QUIT, when nothing hangs on it */
};

enum popping_phase {
    POPPING_HELLO,
    POPPING_HANDSHAKE,
    POPPING_LOGIN,
    POPPING_OPEN,
    POPPING_QUITTING,
    POPPING_CLOSING,
    POPPING_PHASES
};

/* What is expected of the input. */
enum popping_reading {
    READ_REPLY,   /* a line that begins with +OK, -ERR or + */
    READ_LINES,   /* lines up to a dot */
    READ_CONTENT, /* content up to a dot */
    READINGS
};

/* What was said and waits for its reply.  The verbs of enum pop3_client_verb stand from AWAIT_STAT
 * on, in their order. */
enum popping_awaited {
    AWAIT_GREETING,
    AWAIT_CAPA,
    AWAIT_STLS,
    AWAIT_UTF8,
    AWAIT_LANG,
    AWAIT_AUTH,
    AWAIT_USER,
    AWAIT_PASS,
    AWAIT_STAT, /* from here on they are the driver's */
    AWAIT_LIST,
    AWAIT_UIDL,
    AWAIT_TOP,
    AWAIT_RETR,
    AWAIT_DELE,
    AWAIT_RSET,
    AWAIT_NOOP,
    AWAIT_QUIT,
    AWAITED_KINDS
};

struct awaited {
    enum popping_awaited kind;
    struct pop3_client_command command; /* of the driver's */
};
/* The driver's, and QUIT. */
enum { AWAITED_MAX = POP3_CLIENT_PIPELINE_MAX + 1 };

/* A login under way; pop3_client_login_clear() is the one reset. */
struct popping_login {
    bool asks; /* the next step asks the driver */
    struct sasl_talk talk;
    struct buffer password; /* between USER and PASS */
};

/* The answer that is being read; pop3_client_next_reply() is the one reset. */
struct popping_answer {
    enum popping_reading reading;
    bool losing;     /* the rest of a reply that is too long is thrown away */
    bool begins;     /* BEGINS is to be told */
    bool complete;   /* ANSWERED is to be told */
    uint64_t octets; /* of the reply, its lines or its content, as they came */
    struct dot_decoder dots;
    struct pop3_client_result result;
};

struct pop3_client {
    const struct pop3_client_config *config;
    enum popping_phase phase;
    bool asked;     /* LOG_IN is open */
    bool start_tls; /* an order, to be given by the next step */
    bool tls, utf8; /* in effect */
    bool said_secret;
    bool has_secret; /* the output, or the room behind it, may hold words of a login */
    bool input_ended;
    bool failed;
    bool quit_said, quit_left, quit_taken; /* said; an octet of it may be on its way; +OK came */
    bool lost_deletion;                    /* a DELE was not answered */
    uint32_t marked;                       /* for deletion */
    size_t before_quit;                    /* octets of the output before QUIT */
    uint64_t now_ms, deadline_ms;
    unsigned first, awaited_count;
    struct awaited awaited[AWAITED_MAX]; /* a ring, oldest at .first */
    struct popping_login login;
    struct popping_answer answer;
    struct buffer output;
    struct pop3_client_offers offers;
    struct pop3_client_result failure;
    size_t reply_len, sentence_len;
    char reply[POP3_CLIENT_REPLY_MAX];    /* the last reply, or its front */
    char sentence[POP3_CLIENT_REPLY_MAX]; /* of the failure, or of the end of input */
    char mechanisms[POPPING_MECHANISMS_MAX];
    char implementation[POPPING_IMPLEMENTATION_MAX];
};

/* pop3_client.c */

/* The oldest entry of the ring; NULL when nothing is awaited. */
const struct awaited *pop3_client_awaited(const struct pop3_client *);
/* One reply to it has come. */
void pop3_client_replied(struct pop3_client *);
/* Says this line, given without its end, and awaits the reply.  Without memory for it the session
 * fails. */
void pop3_client_say(struct pop3_client *, enum popping_awaited, struct text line);
/* The same for a line that was appended to the output. */
void pop3_client_said(struct pop3_client *, enum popping_awaited);
/* Something happened that gives the session new time. */
void pop3_client_set_deadline(struct pop3_client *);
/* The session is over for a reason that the server did not give.  What was not written yet never
 * will be. */
void pop3_client_fail(struct pop3_client *, enum pop3_client_where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* ... since what it says is no POP3. */
void pop3_client_nonsense(struct pop3_client *, enum pop3_client_where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* ... for the -ERR in hand. */
void pop3_client_fail_by_reply(struct pop3_client *, enum pop3_client_where);
/* A server that refuses a session, or is refused one for good, is told QUIT; its answer does not
 * matter. */
void pop3_client_refuse_by_reply(struct pop3_client *, enum pop3_client_where);
void pop3_client_refuse(struct pop3_client *, enum pop3_client_where, struct text sentence);
/* Where the session stands. */
enum pop3_client_where pop3_client_where(const struct pop3_client *);
/* The orderly end. */
void pop3_client_close(struct pop3_client *);

/* pop3_client_replies.c */

/* A whole reply is in c->reply; `line` is all of it that was looked at. */
void pop3_client_take_reply(struct pop3_client *, struct text line);
/* The lines or the content behind a reply have ended. */
void pop3_client_take_end(struct pop3_client *);
/* The reply in hand as a result; its text is borrowed from the session. */
struct pop3_client_result pop3_client_refusal(const struct pop3_client *, enum pop3_client_where);
/* The line is not what is awaited here: the session fails. */
void pop3_client_junk(struct pop3_client *, struct text line);
const char *pop3_client_command_name(enum popping_awaited);
enum pop3_client_where pop3_client_command_where(enum popping_awaited);

/* pop3_client_read.c */

/* Ready for the next reply. */
void pop3_client_next_reply(struct pop3_client *);
/* Takes what it can from the input.  False: there is no whole line, or nothing at all.  True with
 * *told_out: *step_out is for the driver; true without: something was taken. */
bool pop3_client_read(struct pop3_client *, struct bytes *in, struct pop3_client_step *step_out,
                      bool *told_out);
/* "120" or "120 more": false when no number stands there. */
bool pop3_client_number(struct text *rest, uint64_t *number_out);

/* pop3_client_offers.c */

void pop3_client_offers_reset(struct pop3_client *);
/* A line of the answer to CAPA. */
void pop3_client_offers_line(struct pop3_client *, struct text line);

/* pop3_client_login.c */

/* CAPA and TLS are done: UTF8 and LANG where they are wished and offered, then the login. */
void pop3_client_log_in(struct pop3_client *);
void pop3_client_utf8_taken(struct pop3_client *);
void pop3_client_utf8_refused(struct pop3_client *);
void pop3_client_lang_answered(struct pop3_client *);
/* The replies to AUTH and to what followed it; to USER; to PASS. */
void pop3_client_challenged(struct pop3_client *, struct text line);
void pop3_client_auth_taken(struct pop3_client *);
void pop3_client_user_taken(struct pop3_client *);
void pop3_client_pass_taken(struct pop3_client *);
void pop3_client_login_refused(struct pop3_client *);
/* login.asks: the request. */
struct pop3_client_step pop3_client_ask_login(struct pop3_client *);
void pop3_client_login_clear(struct pop3_client *);

#endif
