/* smtp_client_internal.h - what the files of the SMTP client machine share; private to them.
 *
 *   smtp_client.c          the session: creation, steps, its failure, deadlines
 *   smtp_client_replies.c  the table of awaited replies and what each leads to
 *   smtp_client_offers.c   what EHLO tells
 *   smtp_client_auth.c     logging in: AUTH, line by line
 *   smtp_client_send.c     a message: its commands and its content
 *   smtp_client_results.c  what becomes of each recipient
 *
 * Two things run side by side.  Replies are matched, in order, with a list of what was said
 * (struct awaited).  And the newest message is sent, stage by stage, as far as pipelining, replies
 * and room in the output let it.  Replies always belong to the older of the two messages that there
 * may be: the newer one begins only when the end of the older one has been said.
 *
 *   phase             what goes on                             left for
 *   CLIENT_HELLO      greeting, EHLO, HELO, STARTTLS           OPEN, AUTH, HANDSHAKE
 *   CLIENT_HANDSHAKE  TLS, not ours                            HELLO, by smtp_client_tls_started()
 *   CLIENT_AUTH       logging in                               OPEN
 *   CLIENT_OPEN       messages, or nothing                     QUITTING
 *   CLIENT_QUITTING   the last message; then QUIT is said      LEAVING
 *   CLIENT_LEAVING    QUIT was said                            CLOSING
 *   CLIENT_CLOSING    results are handed out, nothing is read  -
 *
 * Every phase may also be left for CLOSING, by client_fail().
 */
#ifndef PROTO_SMTP_CLIENT_INTERNAL_H
#define PROTO_SMTP_CLIENT_INTERNAL_H

#include "base/arena.h"
#include "proto/reply_reader.h"
#include "proto/smtp_client.h"

enum {
    CLIENT_PIECE_MAX = 64 * 1024,   /* of content, in the output at a time */
    CLIENT_CHUNK_MAX = 1 << 20,     /* of content in one BDAT: small enough to refuse, large enough
                                       that its round trip does not matter */
    CLIENT_OUTPUT_HIGH = 16 * 1024, /* with more unwritten, nothing is added */
    CLIENT_COMMAND_MAX = 8 * 1024,  /* a path with all its parameters */
    /* A piece of nothing but dot lines grows by half. */
    CLIENT_OUTPUT_MAX = CLIENT_OUTPUT_HIGH + CLIENT_PIECE_MAX * 3 / 2 + CLIENT_COMMAND_MAX,
    CLIENT_WORDS_MAX = 256 * 1024, /* of replies that the results of one message keep */
    CLIENT_SENTENCE_MAX = 200,     /* octets of a sentence of our own */
    CLIENT_MECHANISMS_MAX = 500,
    CLIENT_AUTH_LINE_MAX = 512, /* of AUTH with an initial response (RFC 5321 4.5.3.1.4) */
    REPLY_CHALLENGE = 334,
    CLIENT_QUIT_MS = 10000, /* for the reply to QUIT, which changes nothing */
};

enum client_phase {
    CLIENT_HELLO,
    CLIENT_HANDSHAKE,
    CLIENT_AUTH,
    CLIENT_OPEN,
    CLIENT_QUITTING,
    CLIENT_LEAVING,
    CLIENT_CLOSING,
    CLIENT_PHASES
};

/* What was said and waits for its reply.  Several of a kind in a row are one entry. */
enum awaited_kind {
    AWAIT_GREETING,
    AWAIT_EHLO,
    AWAIT_HELO,
    AWAIT_STARTTLS,
    AWAIT_AUTH,
    AWAIT_RSET, /* from here on they belong to a message */
    AWAIT_MAIL,
    AWAIT_RCPT,
    AWAIT_DATA,
    AWAIT_CHUNK, /* BDAT, but not the last */
    AWAIT_END,   /* the final dot, or the last BDAT; with LMTP so many replies as recipients */
    AWAIT_QUIT,
    AWAITED_KINDS
};
/* END of one message, RSET, MAIL, RCPT and DATA of the next, and a spare. */
enum { AWAITED_MAX = 6 };

struct awaited {
    enum awaited_kind kind;
    uint32_t count;
};

/* How far the sending of a message is. */
enum stage {
    STAGE_MAIL,    /* RSET if there is something to forget, and MAIL */
    STAGE_RCPT,    /* the RCPT from .named on */
    STAGE_DATA,    /* DATA; with CHUNKING the replies are awaited first */
    STAGE_GO,      /* DATA was said: 354 is awaited */
    STAGE_CONTENT, /* the content from .offset on */
    STAGE_FINISH,  /* the final dot, once the driver lets it go */
    STAGE_CHUNK,   /* the next BDAT, the last one once the driver lets it go */
    STAGE_OCTETS,  /* the .chunk_left octets of it */
    STAGE_OVER,    /* nothing more is said for this message */
    STAGES
};

struct slot {
    struct smtp_client_result result;
    bool accepted; /* by the reply to RCPT */
    bool settled;  /* the result is known and stays */
};

/* Everything that belongs to one message.  It exists from smtp_client_send() to the step behind its
 * SENT; client_forget() is the one reset. */
struct outgoing {
    const struct smtp_client_message *message;
    enum stage stage;
    enum smtp_client_where where; /* what the next reply is about */
    uint32_t unanswered;          /* replies that are still to come */
    uint32_t named, answered;     /* RCPT commands said; replied to */
    uint32_t accepted;
    uint32_t ended; /* LMTP: recipients before this one have their reply behind the dot */
    uint64_t offset;
    uint64_t chunk_left;
    uint8_t tail[2]; /* the last two octets of the content so far */
    bool chunked;
    bool last_chunk;
    bool may_finish;
    bool refused; /* MAIL, or a chunk: no more of it is wanted */
    bool at_line_start;
    bool told; /* SENT was given */
    struct arena arena;
    struct text words; /* the last reply that was copied to the arena */
    struct slot slots[];
};

enum client_request { REQUEST_NONE, REQUEST_BODY, REQUEST_FINISH, REQUEST_AUTH };

/* A login under way; client_auth_clear() is the one reset. */
struct login {
    bool asks; /* the next step asks the driver for words */
    struct sasl_talk talk;
};

struct smtp_client {
    const struct smtp_client_config *config;
    enum client_phase phase;
    enum client_request request;
    bool start_tls; /* an order, to be given by the next step */
    bool tls;       /* what is said goes through TLS */
    bool fresh;     /* nothing was said since EHLO */
    bool dirty;     /* the server may hold a transaction: RSET before the next MAIL */
    bool input_ended;
    bool failed;
    bool has_secret; /* the output, or the room behind it, may hold words of a login */
    uint64_t now_ms; /* of the last call */
    uint64_t deadline_ms;
    uint32_t messages;  /* MAIL commands so far */
    uint32_t greetings; /* lines of a greeting that came behind its end */
    unsigned awaited_count;
    struct awaited awaited[AWAITED_MAX]; /* oldest first */
    struct outgoing *tx;                 /* NULL: none */
    struct outgoing *behind;             /* pipelined behind it; NULL: none */
    struct login login;
    struct buffer output;
    struct reply_reader reader;
    struct smtp_client_offers offers;
    char mechanisms[CLIENT_MECHANISMS_MAX];
    struct smtp_client_result failure;
    char sentence[CLIENT_SENTENCE_MAX]; /* what .failure.reply or the end of input says */
    size_t sentence_len;
};

/* The message that is being sent; NULL: none. */
static inline struct outgoing *client_newest(const struct smtp_client *c)
{
    return c->behind ? c->behind : c->tx;
}

/* smtp_client.c */

struct smtp_client_step client_wait(enum smtp_client_step_kind);
/* Says this line, given without its end, and awaits the reply.  Without memory for it the session
 * fails. */
void client_say(struct smtp_client *, enum awaited_kind, struct text line);
/* The same for a line that was appended to the output, with `count` replies to come. */
void client_said(struct smtp_client *, enum awaited_kind, uint32_t count);
/* The oldest entry of the list; NULL when nothing is awaited. */
const struct awaited *client_awaited(const struct smtp_client *);
/* One reply to it has come. */
void client_answered(struct smtp_client *);
/* Something happened that gives the session new time. */
void client_set_deadline(struct smtp_client *);

/* The session is over for a reason that the server did not give: every recipient without a result
 * gets this one, of code 0.  What was not written yet never will be. */
void client_fail(struct smtp_client *, enum smtp_client_where, const char *status,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));
/* ... for the reply in hand. */
void client_fail_by_reply(struct smtp_client *, enum smtp_client_where);
/* Where the session stands. */
enum smtp_client_where client_where(const struct smtp_client *);
/* The orderly end. */
void client_close(struct smtp_client *);
/* A server that refuses a session, or is refused one, still waits for QUIT (RFC 5321 3.1); its
 * answer does not matter.  Behind half a command that was never read there is no place for it. */
void client_refuse_by_reply(struct smtp_client *, enum smtp_client_where);
void client_refuse(struct smtp_client *, enum smtp_client_where, const char *status,
                   struct text sentence);
/* For good; the sentence is a constant. */
void client_refuse_for_good(struct smtp_client *, enum smtp_client_where, const char *status,
                            struct text sentence);

/* smtp_client_replies.c */

/* EHLO, LHLO or HELO. */
void client_say_hello(struct smtp_client *, enum awaited_kind);
/* Acts on the whole reply in c->reader. */
void client_take_reply(struct smtp_client *);
/* How long the reply to this may take; 0: for ever. */
uint64_t client_patience_ms(const struct smtp_client *, enum awaited_kind);
const char *client_command_name(enum awaited_kind);
enum smtp_client_where client_command_where(enum awaited_kind);

/* smtp_client_auth.c */

/* EHLO and TLS are done: logs in if that is wished, else opens the session. */
void client_log_in(struct smtp_client *);
/* The replies to AUTH and to what followed it. */
void client_auth_taken(struct smtp_client *);
void client_auth_refused(struct smtp_client *);
/* login.asks: the request for words. */
struct smtp_client_step client_ask_words(struct smtp_client *);
void client_auth_clear(struct smtp_client *);

/* smtp_client_offers.c */

void client_offers_reset(struct smtp_client *);
/* A line of the reply to EHLO, without its code; not the first one. */
void client_offers_line(struct smtp_client *, struct text words);

/* smtp_client_send.c */

/* Goes on with the newest message.  True: *step_out is for the driver. */
bool client_proceed(struct smtp_client *, struct smtp_client_step *step_out);
/* The final dot, or one without content. */
void client_say_end(struct smtp_client *, struct outgoing *);

/* smtp_client_results.c */

/* NULL: memory is short. */
struct outgoing *client_outgoing_new(const struct smtp_client_message *);
void client_forget(struct outgoing **);
/* Every recipient without a result gets this one; its words are static or the session's. */
void client_settle_all(struct outgoing *, const struct smtp_client_result *);
/* The reply in hand as a result; its words are borrowed. */
struct smtp_client_result client_reply_result(const struct smtp_client *, enum smtp_client_where,
                                              struct text words);
/* ... of this message, which keeps the words. */
struct smtp_client_result client_message_result(const struct smtp_client *, struct outgoing *);
/* One recipient, unless settled. */
void client_settle(struct outgoing *, uint32_t recipient, const struct smtp_client_result *);
/* A result of our own. */
struct smtp_client_result client_result(enum smtp_client_where, const char *status,
                                        struct text sentence);
/* From now on temporary, with this status, whatever its code. */
void client_result_soften(struct smtp_client_result *, const char *status);

#endif
