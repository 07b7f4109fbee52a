/* smtp_commands.c - the commands of SMTP: a table, and what each of them does.
 *
 * A handler reads its arguments and gives an outcome: a reply or a request.  It writes no output,
 * takes no input and waits for nothing; smtp_server.c does.  Which command may come when is not
 * the handlers' business either: the table says what each needs and refuses.
 */
#include "proto/smtp_server_internal.h"

#include <stdlib.h>
#include <string.h>

/* What a session has at the moment; what a command may need or refuse. */
enum have {
    HAVE_HELLO = 1 << 0,
    HAVE_TLS = 1 << 1,
    HAVE_LOGIN = 1 << 2,
    HAVE_LEAVE = 1 << 3, /* to send mail: on a submission port only after a login */
    HAVE_SENDER = 1 << 4,
    HAVE_RECIPIENT = 1 << 5,
    HAVE_CHUNK = 1 << 6,  /* content has begun to come with BDAT */
    HAVE_BINARY = 1 << 7, /* ... and can come in no other way (RFC 3030 3) */
};

enum command_flags {
    NO_ARGUMENTS = 1, /* anything behind the verb is a mistake */
    ANY_OCTETS = 2,   /* octets over 0x7F are the handler's to judge (RFC 6531) */
};

typedef struct outcome handler(struct smtp_server *, struct text arguments);
static handler on_ehlo, on_helo, on_mail, on_rcpt, on_data, on_bdat, on_rset, on_noop, on_quit;
static handler on_vrfy, on_expn, on_help, on_auth, on_starttls, on_web;

typedef bool condition(const struct smtp_server *);
static condition always, never, offers_auth, offers_tls, may_expand;

struct command {
    struct text verb;
    handler *run;
    condition *offered; /* otherwise 502: known, but not here */
    unsigned needs;
    unsigned refuses;
    unsigned flags;
    bool hidden; /* not in HELP */
};

static const struct command commands[] = {
    /* verb, handler, offered, needs, refuses, flags */
    { TEXT("MAIL"), on_mail, always, HAVE_HELLO | HAVE_LEAVE, HAVE_SENDER, ANY_OCTETS },
    { TEXT("RCPT"), on_rcpt, always, HAVE_HELLO | HAVE_SENDER, HAVE_CHUNK, ANY_OCTETS },
    { TEXT("DATA"), on_data, always, HAVE_HELLO | HAVE_SENDER | HAVE_RECIPIENT,
      HAVE_CHUNK | HAVE_BINARY, NO_ARGUMENTS },
    { TEXT("BDAT"), on_bdat, always, HAVE_HELLO | HAVE_SENDER | HAVE_RECIPIENT, 0, 0 },
    { TEXT("EHLO"), on_ehlo, always, 0, 0, ANY_OCTETS },
    { TEXT("HELO"), on_helo, always, 0, 0, ANY_OCTETS },
    { TEXT("RSET"), on_rset, always, 0, 0, NO_ARGUMENTS },
    { TEXT("NOOP"), on_noop, always, 0, 0, 0 },
    { TEXT("QUIT"), on_quit, always, 0, 0, NO_ARGUMENTS },
    { TEXT("AUTH"), on_auth, offers_auth, HAVE_HELLO, HAVE_LOGIN | HAVE_SENDER, 0 },
    { TEXT("STARTTLS"), on_starttls, offers_tls, HAVE_HELLO, HAVE_TLS | HAVE_LOGIN | HAVE_SENDER,
      NO_ARGUMENTS },
    { TEXT("VRFY"), on_vrfy, always, 0, 0, ANY_OCTETS },
    { TEXT("EXPN"), on_expn, may_expand, 0, 0, ANY_OCTETS },
    { TEXT("HELP"), on_help, always, 0, 0, 0 },
    /* Known from the registry of commands, and not served: 502 tells a client more than 500. */
    { TEXT("SEND"), on_noop, never, .hidden = true },
    { TEXT("SOML"), on_noop, never, .hidden = true },
    { TEXT("SAML"), on_noop, never, .hidden = true },
    { TEXT("TURN"), on_noop, never, .hidden = true },
    { TEXT("ETRN"), on_noop, never, .hidden = true },
    { TEXT("ATRN"), on_noop, never, .hidden = true },
    { TEXT("BURL"), on_noop, never, .hidden = true },
    /* A browser made to post a form to this port would send mail in the name of its user. */
    { TEXT("POST"), on_web, always, .flags = ANY_OCTETS, .hidden = true },
    { TEXT("GET"), on_web, always, .flags = ANY_OCTETS, .hidden = true },
    { TEXT("PUT"), on_web, always, .flags = ANY_OCTETS, .hidden = true },
    { TEXT("CONNECT"), on_web, always, .flags = ANY_OCTETS, .hidden = true },
};
enum { COMMANDS = sizeof commands / sizeof *commands };

/* Why a command is refused, in the order in which a client should mend things. */
static const struct {
    unsigned have;
    struct reply lacking, present;
} refusals[] = {
    { HAVE_HELLO, REPLY_ROW(503, "5.5.1", "say EHLO or HELO first"), { 0 } },
    { HAVE_LOGIN, { 0 }, REPLY_ROW(503, "5.5.1", "already logged in") },
    { HAVE_TLS, { 0 }, REPLY_ROW(503, "5.5.1", "TLS is already active") },
    { HAVE_SENDER, REPLY_ROW(503, "5.5.1", "send MAIL first"),
      REPLY_ROW(503, "5.5.1", "a transaction is open") },
    { HAVE_LEAVE, REPLY_ROW(530, "5.7.0", "authentication required"), { 0 } },
    { HAVE_RECIPIENT, REPLY_ROW(503, "5.5.1", "no recipient was accepted"), { 0 } },
    { HAVE_CHUNK, { 0 }, REPLY_ROW(503, "5.5.1", "only BDAT may follow BDAT") },
    { HAVE_BINARY, { 0 }, REPLY_ROW(503, "5.5.1", "BODY=BINARYMIME goes with BDAT only") },
};

static unsigned what_it_has(const struct smtp_server *s)
{
    const struct transaction *tx = s->tx;
    return (s->hello ? HAVE_HELLO : 0u) | (s->tls ? HAVE_TLS : 0u) |
           (s->authenticated ? HAVE_LOGIN : 0u) |
           (s->authenticated || !s->config->submission ? HAVE_LEAVE : 0u) |
           (tx ? HAVE_SENDER : 0u) | (tx && tx->recipients ? HAVE_RECIPIENT : 0u) |
           (tx && tx->chunked ? HAVE_CHUNK : 0u) |
           (tx && tx->mail.body == SMTP_BODY_BINARYMIME ? HAVE_BINARY : 0u);
}

static const struct reply *find_refusal(const struct smtp_server *s, const struct command *c)
{
    unsigned has = what_it_has(s);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        if (refusals[i].have & c->needs & ~has)
            return &refusals[i].lacking;
        if (refusals[i].have & c->refuses & has)
            return &refusals[i].present;
    }
    return NULL;
}

static const struct command *find_command(struct text verb)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (text_equal_nocase(verb, commands[i].verb))
            return &commands[i];
    return NULL;
}

/* ---- outcomes ---- */

static const struct outcome nothing;

static struct outcome say(struct reply reply)
{
    return (struct outcome){ .reply = reply };
}

static struct outcome ask(enum smtp_step_kind kind)
{
    return (struct outcome){ .asks = kind };
}

static const struct reply no_memory = REPLY_ROW(452, "4.3.1", "memory is short, try again");
static const struct reply done = REPLY_ROW(250, "2.0.0", "ok");

/* What follows a BDAT without a size cannot be told from commands, and may be a message that says
 * what its author likes, RSET and MAIL too: nothing of it is obeyed. */
struct outcome smtp_lose_track(struct smtp_server *s)
{
    smtp_close(s);
    return say(REPLY(421, "4.5.0", "BDAT without octets [LAST]: where is the next command?"));
}

/* A refused chunk still comes: it is read and thrown away before the reply (RFC 3030 2). */
static struct outcome refuse(struct smtp_server *s, const struct command *c, struct text arguments,
                             struct reply reply)
{
    bool last;
    if (c->run != on_bdat)
        return say(reply);
    if (smtp_read_bdat(arguments, &s->chunk_left, &last) == BDAT_NO_SIZE)
        return smtp_lose_track(s);
    smtp_waste_chunk(s, reply);
    return nothing;
}

/* ---- running a line ---- */

/* 0x00-0x1F and 0x7F have no place in a command; a lone CR is among them. */
static bool has_control(struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        if ((uint8_t)t.at[i] < ' ' || t.at[i] == 0x7F)
            return true;
    return false;
}

/* AUTH is not offered in the clear where passwords may not be spoken so; the client is told that it
 * needs TLS (RFC 4954 6). */
static struct reply not_offered(const struct smtp_server *s, const struct command *c)
{
    if (c->run == on_auth && s->config->offer_tls && !s->tls)
        return REPLY(538, "5.7.11", "log in over TLS only: say STARTTLS first");
    return REPLY(502, "5.5.1", "the command is known but not served here");
}

/* A verb ends at a TAB as well, though that is refused: behind BDAT a chunk follows all the same.
 */
static void cut_verb(struct text *line, struct text *verb_out)
{
    size_t blank = text_find(*line, ' '), tab = text_find(*line, '\t');
    size_t end = blank < tab ? blank : tab;
    *verb_out = text_first(*line, end);
    *line = text_trim(text_skip(*line, end));
}

struct outcome smtp_run_command(struct smtp_server *s, struct text line)
{
    struct text verb, arguments = line;
    cut_verb(&arguments, &verb);
    const struct command *c = find_command(verb);
    if (!c)
        return say(REPLY(500, "5.5.2", "unknown command"));
    if (has_control(line) || (!text_is_ascii(line) && !(c->flags & ANY_OCTETS)))
        return refuse(s, c, arguments, REPLY(500, "5.5.2", "only printable ASCII, please"));
    if (!c->offered(s))
        return say(not_offered(s, c));
    const struct reply *refusal = find_refusal(s, c);
    if (refusal)
        return refuse(s, c, arguments, *refusal);
    if (arguments.len && c->flags & NO_ARGUMENTS)
        return say(REPLY(501, "5.5.4", "the command takes no argument"));
    return c->run(s, arguments);
}

/* ---- greeting ---- */

/* Keeps what the client calls itself.  It is used in trace fields and logs only, so any word will
 * do: clients say what they like, and RFC 5321 4.1.4 forbids to refuse mail for it. */
static bool keep_hello(struct smtp_server *s, struct text name)
{
    char *copy = malloc(name.len);
    if (!copy)
        return false;
    memcpy(copy, name.at, name.len);
    free(s->hello);
    s->hello = copy;
    s->hello_len = name.len;
    return true;
}

/* Both greetings. Replies to them carry no enhanced code (RFC 2034 4). */
static struct outcome greet(struct smtp_server *s, struct text name, bool esmtp)
{
    if (name.len == 0 || name.len > SMTP_HELLO_MAX || text_find(name, ' ') < name.len ||
        !text_is_ascii(name))
        return say(REPLY(501, NULL, "syntax: EHLO or HELO with your host name"));
    if (!keep_hello(s, name)) {
        smtp_close(s);
        return say(REPLY(421, "4.3.0", "memory is short"));
    }
    smtp_transaction_end(s); /* RFC 5321 4.1.4: as RSET */
    s->esmtp = esmtp;
    return (struct outcome){ .reply = { 250, NULL, s->config->hostname } };
}

static struct outcome on_helo(struct smtp_server *s, struct text name)
{
    return greet(s, name, false);
}

/* RFC 9422: only limits that are kept. */
static void list_limits(const struct smtp_server_config *config, struct buffer *b)
{
    if (!config->recipients_max && !config->transactions_max)
        return;
    buffer_text(b, T("\nLIMITS"));
    if (config->recipients_max)
        buffer_printf(b, " RCPTMAX=%u", config->recipients_max);
    if (config->transactions_max)
        buffer_printf(b, " MAILMAX=%u", config->transactions_max);
}

static void list_extensions(const struct smtp_server *s, struct buffer *b)
{
    const struct smtp_server_config *config = s->config;
    buffer_text(b, T("\nPIPELINING\n8BITMIME\nSMTPUTF8\nCHUNKING\nBINARYMIME\nDSN"
                     "\nENHANCEDSTATUSCODES"));
    buffer_printf(b, "\nSIZE %llu", (unsigned long long)config->message_octets_max);
    list_limits(config, b);
    if (s->tls) /* RFC 8689 2: only there */
        buffer_text(b, T("\nREQUIRETLS"));
    if (config->offer_tls && !s->tls && !s->authenticated)
        buffer_text(b, T("\nSTARTTLS"));
    if (config->mechanisms.len && !s->authenticated) {
        buffer_text(b, T("\nAUTH "));
        buffer_text(b, config->mechanisms);
    }
    if (may_expand(s)) /* RFC 5321 3.5.2: EXPN must be listed when it is served */
        buffer_text(b, T("\nVRFY\nEXPN"));
    buffer_text(b, T("\nHELP"));
}

static struct outcome on_ehlo(struct smtp_server *s, struct text name)
{
    struct outcome out = greet(s, name, true);
    if (out.reply.code != 250)
        return out;
    buffer_text(&s->words, s->config->hostname);
    list_extensions(s, &s->words);
    if (s->words.failed) {
        smtp_close(s);
        return say(REPLY(421, "4.3.0", "memory is short"));
    }
    out.reply.words = buffer_as_text(&s->words);
    return out;
}

/* ---- transactions ---- */

static struct outcome on_mail(struct smtp_server *s, struct text arguments)
{
    const struct smtp_server_config *config = s->config;
    if (config->transactions_max && s->transactions >= config->transactions_max) {
        smtp_close(s); /* RFC 9422: another session may send more */
        return say(REPLY(421, "4.7.0", "too many messages in one session"));
    }
    struct transaction *tx = calloc(1, sizeof *tx);
    if (!tx)
        return say(no_memory);
    tx->extended = s->esmtp;
    tx->tls = s->tls;
    struct reply refusal = smtp_read_mail(tx, arguments);
    if (refusal.code == 0 && config->message_octets_max &&
        tx->mail.size > config->message_octets_max)
        refusal = REPLY(552, "5.3.4", "the message is larger than is taken here");
    if (refusal.code) {
        free(tx);
        return say(refusal);
    }
    tx->settled = true; /* until the driver accepts it */
    s->tx = tx;
    return ask(SMTP_CHECK_SENDER);
}

static struct outcome on_rcpt(struct smtp_server *s, struct text arguments)
{
    struct reply refusal = smtp_read_rcpt(s->tx, arguments);
    if (refusal.code)
        return say(refusal);
    if (s->config->recipients_max && s->tx->recipients >= s->config->recipients_max)
        return say(REPLY(452, "4.5.3", "too many recipients"));
    if (!buffer_text(&s->words, s->tx->rcpt.orcpt))
        return say(no_memory);
    s->tx->rcpt.orcpt = buffer_as_text(&s->words);
    return ask(SMTP_CHECK_RECIPIENT);
}

static struct outcome on_data(struct smtp_server *s, struct text arguments)
{
    (void)s;
    (void)arguments;
    return ask(SMTP_OPEN_MESSAGE);
}

static struct outcome on_bdat(struct smtp_server *s, struct text arguments)
{
    struct transaction *tx = s->tx;
    switch (smtp_read_bdat(arguments, &s->chunk_left, &tx->last_chunk)) {
    case BDAT_NO_SIZE:
        return smtp_lose_track(s);
    case BDAT_BAD_WORDS:
        smtp_waste_chunk(s, REPLY(501, "5.5.4", "only LAST may follow the size"));
        return nothing;
    case BDAT_OK:
        break;
    }
    tx->chunk_octets = s->chunk_left;
    if (!tx->chunked) {
        tx->chunked = true;
        return ask(SMTP_OPEN_MESSAGE);
    }
    s->phase = PHASE_CHUNK;
    return nothing;
}

static struct outcome on_rset(struct smtp_server *s, struct text arguments)
{
    (void)arguments;
    smtp_transaction_end(s);
    return say(done);
}

/* ---- the rest ---- */

static struct outcome on_noop(struct smtp_server *s, struct text arguments)
{
    (void)s;
    (void)arguments;
    return say(done);
}

static struct outcome on_quit(struct smtp_server *s, struct text arguments)
{
    (void)arguments;
    s->quit = true;
    smtp_close(s);
    return say(REPLY(221, "2.0.0", "closing the connection"));
}

static struct outcome on_web(struct smtp_server *s, struct text arguments)
{
    (void)arguments;
    smtp_close(s);
    return say(REPLY(421, "4.7.0", "this is not a web server"));
}

/* RFC 5321 4.1.1.8; the verbs that would work, whatever the state. */
static struct outcome on_help(struct smtp_server *s, struct text arguments)
{
    (void)arguments;
    buffer_text(&s->words, T("commands:"));
    for (size_t i = 0; i < COMMANDS; i++) {
        if (commands[i].hidden || !commands[i].offered(s))
            continue;
        buffer_byte(&s->words, ' ');
        buffer_text(&s->words, commands[i].verb);
    }
    if (s->words.failed)
        return say(no_memory);
    return say((struct reply){ 214, "2.0.0", buffer_as_text(&s->words) });
}

/* "string [SMTPUTF8]" (RFC 6531 3.7.4.2). */
static struct outcome ask_about(struct smtp_server *s, struct text arguments,
                                enum smtp_step_kind kind)
{
    s->charset = REPLY_ASCII;
    if (text_ends_nocase(arguments, T(" SMTPUTF8"))) {
        s->charset = REPLY_UTF8;
        arguments = text_trim(text_first(arguments, arguments.len - strlen(" SMTPUTF8")));
    }
    if (arguments.len == 0)
        return say(REPLY(501, "5.5.4", "a name or an address is missing"));
    if (!text_is_ascii(arguments) && s->charset == REPLY_ASCII)
        return say(REPLY(553, "5.6.7", "an address with UTF-8 needs SMTPUTF8"));
    if (kind == SMTP_VERIFY && !may_expand(s)) /* RFC 5321 3.5.3, 7.3 */
        return say(REPLY(252, "2.0.0", "not verified, but mail for it will be tried"));
    if (!buffer_text(&s->words, arguments))
        return say(no_memory);
    return ask(kind);
}

static struct outcome on_vrfy(struct smtp_server *s, struct text arguments)
{
    return ask_about(s, arguments, SMTP_VERIFY);
}

static struct outcome on_expn(struct smtp_server *s, struct text arguments)
{
    return ask_about(s, arguments, SMTP_EXPAND);
}

static struct outcome on_starttls(struct smtp_server *s, struct text arguments)
{
    (void)arguments;
    s->phase = PHASE_STARTTLS;
    return say(REPLY(220, "2.0.0", "ready to start TLS"));
}

/* ---- AUTH ---- */

static struct reply sasl_refusal(enum sasl_frame_verdict verdict)
{
    switch (verdict) {
    case SASL_FRAME_CANCELLED: /* RFC 4954 4 */
        return REPLY(501, "5.7.0", "authentication cancelled");
    case SASL_FRAME_MALFORMED:
        return REPLY(501, "5.5.2", "that is not base64");
    case SASL_FRAME_TOO_LONG:
        return REPLY(500, "5.5.6", "the line is too long");
    case SASL_FRAME_SYNTAX:
        return REPLY(501, "5.5.4", "syntax: AUTH mechanism [initial response]");
    case SASL_FRAME_UNKNOWN:
        return REPLY(504, "5.5.4", "that mechanism is not offered");
    case SASL_FRAME_MEMORY:
        return REPLY(454, "4.7.0", "memory is short, try again");
    case SASL_FRAME_OK:
        break;
    }
    return (struct reply){ 0 };
}

static struct outcome on_auth(struct smtp_server *s, struct text arguments)
{
    size_t line_octets = strlen("AUTH ") + arguments.len + strlen("\r\n");
    enum sasl_frame_verdict verdict =
        sasl_frame_begin(&s->sasl, arguments, s->config->mechanisms, line_octets);
    return verdict == SASL_FRAME_OK ? ask(SMTP_AUTH_STEP) : say(sasl_refusal(verdict));
}

struct outcome smtp_run_response(struct smtp_server *s, struct text line)
{
    s->phase = PHASE_COMMANDS;
    enum sasl_frame_verdict verdict = sasl_frame_continue(&s->sasl, line);
    return verdict == SASL_FRAME_OK ? ask(SMTP_AUTH_STEP) : smtp_end_exchange(s, verdict);
}

struct outcome smtp_end_exchange(struct smtp_server *s, enum sasl_frame_verdict verdict)
{
    s->phase = PHASE_COMMANDS;
    s->order = SMTP_FORGET; /* the driver holds half an exchange */
    return say(sasl_refusal(verdict));
}

/* ---- what is offered ---- */

static bool always(const struct smtp_server *s)
{
    (void)s;
    return true;
}
static bool never(const struct smtp_server *s)
{
    (void)s;
    return false;
}
/* Still true afterwards, so that asking twice is a bad sequence and no unknown command. */
static bool offers_auth(const struct smtp_server *s)
{
    return s->config->mechanisms.len || s->authenticated;
}
static bool offers_tls(const struct smtp_server *s)
{
    return s->config->offer_tls || s->tls;
}
static bool may_expand(const struct smtp_server *s)
{
    return s->peer.may_verify || s->authenticated;
}
