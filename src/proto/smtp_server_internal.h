/* smtp_server_internal.h - what the files of the SMTP server machine share; private to them.
 *
 *   smtp_server.c    the session: creation, steps, lines, orders, output, deadlines
 *   smtp_commands.c  the table of commands and what each does
 *   smtp_params.c    the arguments of MAIL and RCPT
 *   smtp_dsn.c       ... those of RFC 3461
 *   smtp_body.c      content: DATA, chunks, and what is refused of it
 *   smtp_answers.c   requests, their answers, and the stock replies
 *
 * A phase says what the next octets of input are, and therefore which function takes them:
 *
 *   phase            next octets                      left for
 *   PHASE_GREETING   a mistake: nothing may come      COMMANDS
 *   PHASE_COMMANDS   a command line                   any
 *   PHASE_RESPONSE   a line of an AUTH exchange       COMMANDS
 *   PHASE_DATA       content up to CRLF.CRLF          COMMANDS
 *   PHASE_CHUNK      content, chunk_left octets       COMMANDS
 *   PHASE_WASTE      a refused chunk, likewise        COMMANDS
 *   PHASE_STARTTLS   thrown away                      HANDSHAKE
 *   PHASE_HANDSHAKE  not ours                         COMMANDS, by smtp_server_tls_started()
 *   PHASE_CLOSING    never read                       -
 *
 * Every phase may also be left for CLOSING.
 */
#ifndef PROTO_SMTP_SERVER_INTERNAL_H
#define PROTO_SMTP_SERVER_INTERNAL_H

#include "proto/penance.h"
#include "proto/reply.h"
#include "proto/sasl_frame.h"
#include "proto/smtp_server.h"

enum {
    SMTP_COMMAND_MAX = 16384, /* octets in a command line with its end, at most */
    SMTP_COMMAND_MIN = 512,   /* ... and what is taken however small the configured limit is:
                                 RFC 5321 4.5.3.1.4 */
    SMTP_WORDS_MAX = SMTP_COMMAND_MAX,
    SMTP_HELLO_MAX = 255,          /* RFC 5321 4.5.3.1.2 */
    SMTP_AUTH_PARAMETER_MAX = 500, /* RFC 4954 3 */
    SMTP_ENVID_MAX = 100,          /* RFC 3461 4.4 */
    SMTP_ORCPT_MAX = 500,          /* RFC 3461 4.2 */
    SMTP_OUTPUT_MAX = 256 * 1024,  /* an EXPN of a thousand targets */
    SMTP_OUTPUT_HIGH = 8 * 1024,   /* with more unwritten, no command is taken */
    /* Held free before anything is done that may have to be answered: a reply and the 421 that may
     * follow it.  A single line therefore never fails for lack of memory. */
    SMTP_OUTPUT_SPARE = 2 * REPLY_LINE_MAX,
};

enum smtp_phase {
    PHASE_COMMANDS,
    PHASE_GREETING,
    PHASE_RESPONSE,
    PHASE_DATA,
    PHASE_CHUNK,
    PHASE_WASTE,
    PHASE_STARTTLS,
    PHASE_HANDSHAKE,
    PHASE_CLOSING,
    PHASES
};

/* Everything that the end of a transaction forgets, and nothing else.  It exists from MAIL on;
 * smtp_transaction_end() is the one reset. */
struct transaction {
    struct smtp_mail mail;
    char auth[SMTP_AUTH_PARAMETER_MAX]; /* what mail.auth borrows */
    char envid[SMTP_ENVID_MAX];         /* ... and mail.envid */
    bool extended;                      /* begun after EHLO, which offered the parameters */
    bool tls;                           /* ... through TLS */
    uint32_t recipients;
    bool chunked;      /* the content comes with BDAT */
    bool last_chunk;   /* ... and this is its last chunk */
    bool flushed;      /* ... whose end was given to the decoder */
    bool message_open; /* OPEN_MESSAGE was accepted and neither commit nor abandon followed */
    bool settled;      /* the driver holds nothing for it: not yet, or not any more */
    uint64_t chunk_octets;
    uint64_t deadline_ms; /* of the content */
    struct dot_decoder decoder;
    struct address sender;
    struct address recipient; /* of the open request */
    struct smtp_rcpt rcpt;    /* likewise */
};

struct smtp_server {
    const struct smtp_server_config *config;
    struct smtp_server_peer peer;
    enum smtp_phase phase;
    enum smtp_step_kind order; /* to be given first by the next step; SMTP_NEED_INPUT: none */
    enum smtp_step_kind request_kind;
    uint32_t request_open; /* 0: none */
    uint32_t request_last;
    uint32_t errors;
    uint32_t failed_logins;
    uint32_t transactions;
    bool esmtp;
    bool authenticated;
    bool tls;
    bool input_ended;
    bool quit;                                                        /* the client has said QUIT */
    enum { SKIPPING_NOTHING, SKIPPING_LINE, SKIPPING_BDAT } skipping; /* a line that is too long */
    enum reply_charset charset; /* of the answer to the open request */
    char *hello;                /* owned; NULL: not said */
    size_t hello_len;
    uint64_t now_ms;       /* of the call in progress */
    uint64_t deadline_ms;  /* UINT64_MAX: none */
    uint64_t chunk_left;   /* CHUNK, WASTE: octets that are still to come */
    struct reply farewell; /* asked for by smtp_server_shut_down() */
    struct penance penance;
    struct mistakes mistakes;
    struct buffer output;
    struct buffer words; /* what the open request borrows, or the reply in the making */
    struct buffer held;  /* WASTE: the reply that follows */
    struct sasl_frame sasl;
    struct transaction *tx; /* NULL: none */
};

/* What a command leads to. */
struct outcome {
    enum smtp_step_kind asks; /* a request; SMTP_NEED_INPUT: none */
    struct reply reply;       /* otherwise, unless its code is 0 */
};

/* smtp_server.c */

/* Appends a reply and counts it if it is an error.  A single line always finds room: see
 * SMTP_OUTPUT_SPARE.  When several lines do not, the session says 421 and closes. */
void smtp_say(struct smtp_server *, struct reply);
/* Appends a reply without counting; false, and no change, when there is no room. */
bool smtp_try_say(struct smtp_server *, struct reply, enum reply_charset);
/* Every 5xx is an error of the client.  Its reply, the last `octets` of the output, may have to
 * wait for its time. */
void smtp_count_error(struct smtp_server *, unsigned code, size_t octets);
/* Nothing more is read; an open transaction is given up. */
void smtp_close(struct smtp_server *);
/* The reset: frees the transaction, if there is one, and orders what the driver does not know yet.
 */
void smtp_transaction_end(struct smtp_server *);
/* A new deadline, for what the phase waits for now. */
void smtp_set_deadline(struct smtp_server *);
/* From now; a span of 0 is no limit. */
uint64_t smtp_deadline_after(const struct smtp_server *, uint64_t span_ms);
struct smtp_step smtp_wait(enum smtp_step_kind);

/* smtp_commands.c */

/* Carries out one command line, given without its end. */
struct outcome smtp_run_command(struct smtp_server *, struct text line);
/* A chunk may follow whose size is not known: the session is over. */
struct outcome smtp_lose_track(struct smtp_server *);
/* One line of an AUTH exchange. */
struct outcome smtp_run_response(struct smtp_server *, struct text line);
/* The exchange is over for this reason. */
struct outcome smtp_end_exchange(struct smtp_server *, enum sasl_frame_verdict);

/* smtp_params.c: each fills the transaction and gives the refusal, or a reply with code 0. */

struct reply smtp_read_mail(struct transaction *, struct text arguments);
/* rcpt.orcpt borrows from the arguments. */
struct reply smtp_read_rcpt(struct transaction *, struct text arguments);
enum bdat_verdict {
    BDAT_OK,
    BDAT_BAD_WORDS, /* the size is known, but what follows it is not LAST */
    BDAT_NO_SIZE,   /* nobody can say where the chunk ends */
};
enum bdat_verdict smtp_read_bdat(struct text arguments, uint64_t *size_out, bool *last_out);

/* smtp_dsn.c: each reads the value of one parameter, which is not empty, into the transaction. */

enum parameter_verdict { PARAMETER_GOOD, PARAMETER_BAD, PARAMETER_NO_MEMORY };
enum parameter_verdict smtp_read_ret(struct transaction *, struct text value);
enum parameter_verdict smtp_read_envid(struct transaction *, struct text value);
enum parameter_verdict smtp_read_notify(struct transaction *, struct text value);
enum parameter_verdict smtp_read_orcpt(struct transaction *, struct text value);

/* smtp_body.c: each takes input and either fills *step_out and returns true, or returns false and
 * wants to be called again (maybe in another phase). */

bool smtp_advance_data(struct smtp_server *, struct bytes *in, struct smtp_step *step_out);
bool smtp_advance_chunk(struct smtp_server *, struct bytes *in, struct smtp_step *step_out);
bool smtp_advance_waste(struct smtp_server *, struct bytes *in, struct smtp_step *step_out);
/* The next `chunk_left` octets are a refused chunk: they are thrown away, then the reply is made.
 */
void smtp_waste_chunk(struct smtp_server *, struct reply);
/* OPEN_MESSAGE was accepted. */
void smtp_body_begin(struct smtp_server *);

/* smtp_answers.c */

/* Opens the request and gives the step that asks it. */
struct smtp_step smtp_ask(struct smtp_server *, enum smtp_step_kind);

#endif
