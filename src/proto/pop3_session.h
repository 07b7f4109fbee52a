/* pop3_session.h - what the files of the POP3 server share.  Private to proto/pop3_*.c.
 *
 *   pop3_server.c    the session: its life, the step loop, requests and answers, the output
 *   pop3_commands.c  the table of commands and what each does
 *   pop3_listing.c   replies that are lists of lines: LIST, UIDL, CAPA, LANG
 *   pop3_transfer.c  RETR and TOP: content as it comes from the driver
 *   pop3_maildrop.c  the messages, which of them are marked as deleted, unique-ids
 *
 * Control flow is in pop3_server.c alone: the others compute a reply, a request or a piece of
 * output and move the phase.
 */
#ifndef PROTO_POP3_SESSION_H
#define PROTO_POP3_SESSION_H

#include "proto/penance.h"
#include "proto/pop3_server.h"
#include "proto/sasl_frame.h"

enum {
    POP3_LINE_OCTETS_MIN = 512,   /* RFC 2449 4 asks for 255 */
    POP3_LINE_OCTETS_MAX = 16384, /* a command or an AUTH response (SASL_LINE_MAX), CRLF counted */
    POP3_REPLY_OCTETS_MAX = 512,  /* RFC 2449 4: the first line of a reply, CRLF counted */
    POP3_USER_OCTETS_MAX = 1024,  /* of USER; no address is longer than 320 */
    POP3_SLICE_OCTETS_MAX = 64 * 1024,   /* of content that one answer is sure to have room for */
    POP3_OUTPUT_OCTETS_MAX = 256 * 1024, /* many small messages share one write */
    POP3_OUTPUT_OCTETS_KEPT = 512,       /* of memory, by a session that has nothing to say */
    /* Free before a command is taken or content is asked for: room for any one-line reply, any
     * challenge, and the end of a message. */
    POP3_REPLY_ROOM = 20 * 1024,
};

enum pop3_phase {
    POP3_IN_COMMAND,   /* the next line is a command */
    POP3_IN_AUTH,      /* the next line answers a challenge */
    POP3_IN_RESUME,    /* the list has come: `waiting` is carried out */
    POP3_IN_LISTING,   /* lines of `listing` are still to be printed */
    POP3_IN_TRANSFER,  /* content of `transfer` is still to be sent */
    POP3_IN_TLS,       /* STLS was accepted: the handshake is still to be ordered */
    POP3_IN_HANDSHAKE, /* it is ordered */
    POP3_IN_CLOSE,     /* nothing more is taken; what is queued is written */
};

/* What a session has or may do: what a command may need or refuse. */
enum pop3_have {
    POP3_HAVE_LOGIN = 1 << 0,
    POP3_HAVE_USER = 1 << 1,
    POP3_HAVE_UTF8 = 1 << 2,
    POP3_HAVE_TLS = 1 << 3,
    POP3_MAY_LOG_IN = 1 << 4, /* passwords are allowed on this connection */
    POP3_MAY_AUTH = 1 << 5,   /* there are SASL mechanisms */
    POP3_MAY_TLS = 1 << 6,    /* STLS is offered */
};

/* Whose fault a -ERR is: each kind has its own maximum in the configuration. */
enum pop3_fault { POP3_FAULT_NONE, POP3_FAULT_CLIENT, POP3_FAULT_LOGIN };

struct pop3_reply {
    bool ok;
    enum pop3_fault fault;
    char words[POP3_REPLY_OCTETS_MAX - sizeof "-ERR " - 1]; /* terminated; may be empty */
};

/* What a command comes to. */
struct pop3_outcome {
    enum { POP3_REPLIES, POP3_ASKS, POP3_GOES_ON } kind; /* goes on: by its phase */
    struct pop3_reply reply;
    struct pop3_step step;
};

struct pop3_outcome pop3_ok(const char *format, ...) __attribute__((format(printf, 1, 2)));
struct pop3_outcome pop3_err(enum pop3_fault, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct pop3_outcome pop3_ask(struct pop3_step);

/* The arguments of a command, as its row in the table wants them. */
struct pop3_args {
    struct text text;
    uint32_t number;    /* of a message, from 1; 0: not given */
    uint64_t lines;     /* TOP */
    size_t line_octets; /* of the whole command with its end */
};

/* A command that waits for the list of messages; its arguments hold numbers only. */
struct pop3_waiting {
    const struct pop3_command *command;
    struct pop3_args args;
};

struct pop3_maildrop {
    uint32_t count;
    uint64_t octets;
    bool listed;
    const struct pop3_message *messages; /* the driver's */
    uint8_t *deleted;                    /* a bit for each message; NULL before the first DELE */
    uint32_t deleted_count;
    uint64_t deleted_octets;
    uint32_t *update; /* what POP3_UPDATE names; NULL before */
};

/* A reply of several lines: prints row `index`, or nothing if it is not to be shown. */
typedef void pop3_row(const struct pop3_server *, uint32_t index, struct buffer *);
struct pop3_listing {
    pop3_row *print;
    uint32_t next, count;
};

struct pop3_transfer {
    uint32_t message; /* index */
    uint64_t offset;  /* content sent so far */
    bool announced;   /* the reply's first line is out */
    bool is_top, top_done;
    bool in_body;         /* TOP: the empty line behind the header was sent */
    uint64_t lines_left;  /* TOP: of the body */
    uint64_t line_octets; /* TOP: sent of the line that is not yet complete */
    bool at_line_start;   /* dot_encode()'s state between slices */
    uint8_t last[2];      /* octets sent */
};

struct pop3_server {
    const struct pop3_server_config *config;
    enum pop3_phase phase;
    unsigned have; /* enum pop3_have, without what the configuration says */
    enum pop3_step_kind request_kind;
    uint32_t request_open; /* 0: none */
    uint32_t request_last;
    uint32_t commands;
    uint32_t errors, failed_logins;
    bool too_many_errors, too_many_logins;
    uint32_t mistakes_before; /* see struct pop3_server_peer */
    uint64_t now_ms;          /* of the call in progress */
    uint64_t deadline_ms;
    struct penance penance;
    const char *farewell; /* NULL: the server is not going down */
    bool input_ended;
    bool discarding;  /* the rest of a line that was too long */
    bool wants_drain; /* the last step was POP3_NEED_DRAIN */
    bool drained;     /* and output has left since */
    bool stranger;
    size_t output_gone; /* octets at the front of `output` that were written already */
    struct buffer output;
    struct buffer user;
    struct buffer password; /* secret, there only while POP3_LOGIN is open */
    struct sasl_frame auth; /* secret, there only while POP3_AUTH_STEP is open */
    struct pop3_waiting waiting;
    struct pop3_maildrop maildrop;
    union { /* by the phase */
        struct pop3_listing listing;
        struct pop3_transfer transfer;
    };
};

/* --- pop3_server.c --- */
/* Queues a reply of one line, or the first line of several; counts the fault. */
void pop3_say(struct pop3_server *, const struct pop3_reply *);
/* Whether the output has room for so many octets more. */
bool pop3_has_room(struct pop3_server *, size_t octets);
/* Everything that the session has or may do: enum pop3_have. */
unsigned pop3_has(const struct pop3_server *);
/* Forgets USER and every secret. */
void pop3_forget_login(struct pop3_server *);
/* -ERR with the response code of the verdict, and its own words if it brings any. */
struct pop3_outcome pop3_refuse(enum pop3_verdict, struct text words);

/* --- pop3_commands.c --- */
/* Carries out a command line, without its end; `line_octets` counts the end too. */
struct pop3_outcome pop3_command(struct pop3_server *, struct text line, size_t line_octets);
/* Carries out the command that waited for the list. */
struct pop3_outcome pop3_command_resume(struct pop3_server *);
/* A line that answers a challenge. */
struct pop3_outcome pop3_auth_response(struct pop3_server *, struct text line);
/* Whether STLS would be accepted now. */
bool pop3_may_start_tls(const struct pop3_server *);

/* --- pop3_listing.c --- */
/* Begins the list; the reply's first line is the caller's. */
void pop3_list_messages(struct pop3_server *);
void pop3_list_uidl(struct pop3_server *);
void pop3_list_capabilities(struct pop3_server *);
void pop3_list_languages(struct pop3_server *);
/* The tag of the first language that matches the range (RFC 4647 3.3.1); NULL: none. */
const char *pop3_language(struct text range);
/* Prints as much as there is room for.  False: the output must drain first. */
bool pop3_listing_continue(struct pop3_server *);

/* --- pop3_transfer.c --- */
/* RETR, or TOP with so many lines of the body. */
void pop3_transfer_retr(struct pop3_server *, uint32_t message);
void pop3_transfer_top(struct pop3_server *, uint32_t message, uint64_t lines);
/* What the transfer needs next: POP3_READ, POP3_NEED_DRAIN, or false: it is complete. */
bool pop3_transfer_continue(struct pop3_server *, struct pop3_step *step_out);
void pop3_transfer_answered(struct pop3_server *, const struct pop3_answer *);

/* --- pop3_maildrop.c --- */
/* Takes the driver's list. */
void pop3_maildrop_listed(struct pop3_maildrop *, const struct pop3_message *);
bool pop3_maildrop_is_deleted(const struct pop3_maildrop *, uint32_t index);
/* Marks a message that is not marked; false: memory is short. */
bool pop3_maildrop_delete(struct pop3_maildrop *, uint32_t index);
void pop3_maildrop_undelete(struct pop3_maildrop *);
/* Makes .update from the marks; false: memory is short. */
bool pop3_maildrop_update(struct pop3_maildrop *);
void pop3_maildrop_clear(struct pop3_maildrop *);

#endif
