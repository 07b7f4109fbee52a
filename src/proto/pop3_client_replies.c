/* pop3_client_replies.c - the replies of a server: a table, and what each of them leads to.
 *
 * A handler records the result, moves the phase, and says at most one line.  It takes no input and
 * waits for nothing.  What is no reply of POP3 ends the session: then the two sides no longer speak
 * of the same thing, and nothing may be trusted.
 */
#include "proto/pop3_client_internal.h"

#include "base/check.h"
#include "base/escape.h"

#include <stdio.h>
#include <string.h>

enum { STLS_REPLY_SHOWN = 100 /* octets, within a sentence of ours */ };

enum sign { SIGN_JUNK, SIGN_OK, SIGN_ERR, SIGN_CHALLENGE };

/* Behind the good reply. */
enum follows { NOTHING, LINES, LINES_OF_ALL, CONTENT };

typedef void handler(struct pop3_client *);
static handler greeting_taken, greeting_refused, capa_refused, stls_taken, stls_refused;
static handler simply_taken, stat_taken, list_taken, uidl_taken, dele_taken, rset_taken, refused;
static handler quit_taken, quit_refused;

static const struct {
    const char *name;
    enum pop3_client_where where;
    enum follows follows;
    handler *taken; /* unless something follows */
    handler *refused;
} rows[AWAITED_KINDS] = {
    [AWAIT_GREETING] = { "the greeting", POP3_CLIENT_AT_GREETING, NOTHING, greeting_taken,
                         greeting_refused },
    [AWAIT_CAPA] = { "CAPA", POP3_CLIENT_AT_CAPA, LINES, NULL, capa_refused },
    [AWAIT_STLS] = { "STLS", POP3_CLIENT_AT_STLS, NOTHING, stls_taken, stls_refused },
    [AWAIT_UTF8] = { "UTF8", POP3_CLIENT_AT_LOGIN, NOTHING, pop3_client_utf8_taken,
                     pop3_client_utf8_refused },
    [AWAIT_LANG] = { "LANG", POP3_CLIENT_AT_LOGIN, NOTHING, pop3_client_lang_answered,
                     pop3_client_lang_answered },
    [AWAIT_AUTH] = { "AUTH", POP3_CLIENT_AT_LOGIN, NOTHING, pop3_client_auth_taken,
                     pop3_client_login_refused },
    [AWAIT_USER] = { "USER", POP3_CLIENT_AT_LOGIN, NOTHING, pop3_client_user_taken,
                     pop3_client_login_refused },
    [AWAIT_PASS] = { "PASS", POP3_CLIENT_AT_LOGIN, NOTHING, pop3_client_pass_taken,
                     pop3_client_login_refused },
    [AWAIT_STAT] = { "STAT", POP3_CLIENT_AT_TRANSACTION, NOTHING, stat_taken, refused },
    [AWAIT_LIST] = { "LIST", POP3_CLIENT_AT_TRANSACTION, LINES_OF_ALL, list_taken, refused },
    [AWAIT_UIDL] = { "UIDL", POP3_CLIENT_AT_TRANSACTION, LINES_OF_ALL, uidl_taken, refused },
    [AWAIT_TOP] = { "TOP", POP3_CLIENT_AT_TRANSACTION, CONTENT, NULL, refused },
    [AWAIT_RETR] = { "RETR", POP3_CLIENT_AT_TRANSACTION, CONTENT, NULL, refused },
    [AWAIT_DELE] = { "DELE", POP3_CLIENT_AT_TRANSACTION, NOTHING, dele_taken, refused },
    [AWAIT_RSET] = { "RSET", POP3_CLIENT_AT_TRANSACTION, NOTHING, rset_taken, refused },
    [AWAIT_NOOP] = { "NOOP", POP3_CLIENT_AT_TRANSACTION, NOTHING, simply_taken, refused },
    [AWAIT_QUIT] = { "QUIT", POP3_CLIENT_AT_QUIT, NOTHING, quit_taken, quit_refused },
};

const char *pop3_client_command_name(enum popping_awaited kind)
{
    return rows[kind].name;
}

enum pop3_client_where pop3_client_command_where(enum popping_awaited kind)
{
    return rows[kind].where;
}

/* ---- words ---- */

static struct text reply_of(const struct pop3_client *c)
{
    return (struct text){ c->reply, c->reply_len };
}

/* What stands behind +OK or -ERR. */
static struct text words_of(const struct pop3_client *c)
{
    struct text words = reply_of(c), sign;
    text_word(&words, &sign);
    return words;
}

/* RFC 2449 8.1: a code stands first, in brackets. */
static enum pop3_client_code read_code(struct text words)
{
    static const struct {
        struct text name;
        enum pop3_client_code code;
    } codes[] = {
        { TEXT("IN-USE"), POP3_CODE_IN_USE },     { TEXT("LOGIN-DELAY"), POP3_CODE_LOGIN_DELAY },
        { TEXT("AUTH"), POP3_CODE_AUTH },         { TEXT("SYS/TEMP"), POP3_CODE_SYS_TEMP },
        { TEXT("SYS/PERM"), POP3_CODE_SYS_PERM }, { TEXT("UTF8"), POP3_CODE_UTF8 },
    };
    struct text name;
    words = text_trim(words);
    if (!text_starts(words, T("[")))
        return POP3_CODE_NONE;
    words = text_skip(words, 1);
    if (!text_cut(&words, ']', &name))
        return POP3_CODE_NONE;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (text_equal_nocase(name, codes[i].name))
            return codes[i].code;
    return POP3_CODE_OTHER;
}

struct pop3_client_result pop3_client_refusal(const struct pop3_client *c,
                                              enum pop3_client_where where)
{
    enum pop3_client_code code = read_code(words_of(c));
    return (struct pop3_client_result){
        .verdict = POP3_CLIENT_NO,
        .where = where,
        .code = code,
        .temporary =
            code == POP3_CODE_IN_USE || code == POP3_CODE_LOGIN_DELAY || code == POP3_CODE_SYS_TEMP,
        .reply = reply_of(c),
    };
}

void pop3_client_junk(struct pop3_client *c, struct text line)
{
    const struct awaited *oldest = pop3_client_awaited(c);
    uint8_t memory[POPPING_SENTENCE_MAX / 2]; /* a buffer over memory of its own never allocates */
    struct buffer shown = buffer_over(memory, sizeof memory);
    escape_text(&shown, text_first(line, sizeof memory));
    pop3_client_nonsense(c, pop3_client_where(c), "this is no answer to %s: %.*s",
                         oldest ? rows[oldest->kind].name : "anything",
                         TEXT_ARGS(buffer_as_text(&shown)));
}

/* ---- the session ---- */

static void say_capa(struct pop3_client *c)
{
    pop3_client_say(c, AWAIT_CAPA, T("CAPA"));
}

static void greeting_taken(struct pop3_client *c)
{
    say_capa(c);
}

static void greeting_refused(struct pop3_client *c)
{
    pop3_client_refuse_by_reply(c, POP3_CLIENT_AT_GREETING);
}

static void tls_denied(struct pop3_client *c, struct text why)
{
    pop3_client_refuse(c, POP3_CLIENT_AT_STLS, why);
}

static void capa_known(struct pop3_client *c)
{
    enum pop3_client_tls tls = c->tls ? POP3_CLIENT_TLS_NEVER : c->config->tls;
    if (tls != POP3_CLIENT_TLS_NEVER && c->offers.stls)
        pop3_client_say(c, AWAIT_STLS, T("STLS"));
    else if (tls == POP3_CLIENT_TLS_MUST)
        tls_denied(c, T("TLS is required here, and the server does not offer it"));
    else
        pop3_client_log_in(c);
}

/* A server of before RFC 2449: only what RFC 1939 has can be hoped for. */
static void capa_refused(struct pop3_client *c)
{
    pop3_client_offers_reset(c);
    capa_known(c);
}

static void stls_taken(struct pop3_client *c)
{
    c->phase = POPPING_HANDSHAKE;
    c->start_tls = true;
}

static void stls_refused(struct pop3_client *c)
{
    char words[POPPING_SENTENCE_MAX];
    if (c->config->tls != POP3_CLIENT_TLS_MUST) {
        pop3_client_log_in(c);
        return;
    }
    snprintf(words, sizeof words, "TLS is required here, and the server refused to start it: %.*s",
             TEXT_ARGS(text_first(reply_of(c), STLS_REPLY_SHOWN)));
    tls_denied(c, text_of(words));
}

/* The -ERR speaks of the deletions: some of them were not done (RFC 1939 6). */
static void quit_refused(struct pop3_client *c)
{
    pop3_client_fail_by_reply(c, POP3_CLIENT_AT_QUIT);
}

/* A yes to what was not said yet is none. */
static void quit_taken(struct pop3_client *c)
{
    c->quit_taken = c->quit_left;
    if (c->quit_left)
        pop3_client_close(c);
    else
        pop3_client_nonsense(c, POP3_CLIENT_AT_QUIT, "the server answered QUIT before it was said");
}

/* ---- commands of the driver: their entry stays until ANSWERED is told ---- */

static void refused(struct pop3_client *c)
{
    c->answer.result = pop3_client_refusal(c, POP3_CLIENT_AT_TRANSACTION);
    c->answer.complete = true;
}

static void begin_result(struct pop3_client *c)
{
    c->answer.result = (struct pop3_client_result){ .verdict = POP3_CLIENT_YES,
                                                    .where = POP3_CLIENT_AT_TRANSACTION,
                                                    .reply = reply_of(c) };
}

static void simply_taken(struct pop3_client *c)
{
    begin_result(c);
    c->answer.complete = true;
}

/* RFC 1939 5: "+OK nn mm". */
static void stat_taken(struct pop3_client *c)
{
    struct text words = words_of(c);
    uint64_t count, octets;
    if (!pop3_client_number(&words, &count) || count > UINT32_MAX ||
        !pop3_client_number(&words, &octets)) {
        pop3_client_junk(c, reply_of(c));
        return;
    }
    simply_taken(c);
    c->answer.result.count = (uint32_t)count;
    c->answer.result.octets = octets;
}

/* "+OK nn ...", of the message that was asked for: an answer about another one belongs to another
 * command, and then nothing fits any more. */
static bool take_number(struct pop3_client *c, struct text *words)
{
    uint64_t number;
    if (pop3_client_number(words, &number) && number == pop3_client_awaited(c)->command.message)
        return true;
    pop3_client_junk(c, reply_of(c));
    return false;
}

static void list_taken(struct pop3_client *c)
{
    struct text words = words_of(c);
    uint64_t octets;
    if (!take_number(c, &words))
        return;
    if (!pop3_client_number(&words, &octets)) {
        pop3_client_junk(c, reply_of(c));
        return;
    }
    simply_taken(c);
    c->answer.result.octets = octets;
}

static void uidl_taken(struct pop3_client *c)
{
    struct text words = words_of(c), unique_id = { NULL, 0 };
    if (!take_number(c, &words))
        return;
    text_word(&words, &unique_id);
    simply_taken(c);
    c->answer.result.unique_id = unique_id;
}

static void dele_taken(struct pop3_client *c)
{
    simply_taken(c);
    c->marked++;
}

static void rset_taken(struct pop3_client *c)
{
    simply_taken(c);
    c->marked = 0;
}

/* ---- every reply ---- */

/* Lines or content follow. */
static void begin(struct pop3_client *c, enum popping_reading reading)
{
    bool is_capa = pop3_client_awaited(c)->kind == AWAIT_CAPA;
    c->answer.reading = reading;
    c->answer.octets = 0;
    begin_result(c);
    if (reading == READ_CONTENT)
        dot_decoder_init(&c->answer.dots, true, DOT_KEEP);
    if (is_capa) {
        pop3_client_offers_reset(c);
        c->offers.capa = true;
    }
    c->answer.begins = !is_capa;
}

void pop3_client_take_end(struct pop3_client *c)
{
    c->answer.reading = READ_REPLY;
    c->answer.octets = 0;
    if (pop3_client_awaited(c)->kind == AWAIT_CAPA) {
        pop3_client_replied(c);
        capa_known(c);
    } else {
        c->answer.complete = true;
    }
    pop3_client_set_deadline(c);
}

/* Clients have to take what comes: in any case, and with or without words. */
static enum sign sign_of(struct text line)
{
    struct text sign, rest = line;
    text_word(&rest, &sign);
    if (text_starts(line, T(" ")) || text_starts(line, T("\t")))
        return SIGN_JUNK;
    if (text_equal_nocase(sign, T("+OK")))
        return SIGN_OK;
    if (text_equal_nocase(sign, T("-ERR")))
        return SIGN_ERR;
    return text_equal(sign, T("+")) ? SIGN_CHALLENGE : SIGN_JUNK;
}

/* The session's own commands are done with their reply; the driver's when ANSWERED is told. */
static void call(struct pop3_client *c, handler *answer, enum popping_awaited kind)
{
    if (kind < AWAIT_STAT || kind == AWAIT_QUIT)
        pop3_client_replied(c);
    answer(c);
}

static void take_expected(struct pop3_client *c, enum popping_awaited kind, struct text line)
{
    enum follows follows = rows[kind].follows;
    bool of_all = follows == LINES_OF_ALL && pop3_client_awaited(c)->command.message == 0;
    switch (sign_of(line)) {
    case SIGN_OK:
        if (follows == CONTENT)
            begin(c, READ_CONTENT);
        else if (follows == LINES || of_all)
            begin(c, READ_LINES);
        else
            call(c, rows[kind].taken, kind);
        return;
    case SIGN_ERR:
        call(c, rows[kind].refused, kind);
        return;
    case SIGN_CHALLENGE:
        if (kind == AWAIT_AUTH) {
            pop3_client_replied(c);
            pop3_client_challenged(c, line);
            return;
        }
        break;
    default:
        break;
    }
    pop3_client_junk(c, line);
}

/* A reply to nothing: between commands a server says why it ends the session. */
static void unasked(struct pop3_client *c, struct text line)
{
    if (sign_of(line) == SIGN_ERR)
        pop3_client_fail_by_reply(c, pop3_client_where(c));
    else
        pop3_client_junk(c, line);
}

void pop3_client_take_reply(struct pop3_client *c, struct text line)
{
    const struct awaited *oldest = pop3_client_awaited(c);
    bool is_cut = c->answer.octets > POP3_CLIENT_INPUT_MAX;
    c->answer.octets = 0;
    if (is_cut && sign_of(line) == SIGN_CHALLENGE)
        pop3_client_junk(c, line);
    else if (oldest)
        take_expected(c, oldest->kind, line);
    else
        unasked(c, line);
    pop3_client_set_deadline(c);
}
