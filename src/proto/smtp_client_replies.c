/* smtp_client_replies.c - the replies of a server: a table, and what each of them leads to.
 *
 * A handler records results, moves the phase or the stage of the message, and says at most one
 * line.  It takes no input and waits for nothing.  What holds for every reply is decided before the
 * table is asked: 421 ends the session wherever it comes, and a class that the command cannot have
 * means that the two sides no longer speak of the same thing, so that nothing may be trusted.
 */
#include "proto/smtp_client_internal.h"

#include "base/check.h"

#include <stdio.h>

enum { STARTTLS_REPLY_SHOWN = 100 /* octets, within a sentence of ours */ };

typedef void handler(struct smtp_client *);
static handler say_ehlo, greeting_refused, ehlo_taken, ehlo_refused, hello_taken, helo_refused,
    starttls_taken, starttls_refused;
static handler nothing, rset_refused, mail_taken, mail_refused, rcpt_taken, rcpt_refused;
static handler data_taken, data_refused, chunk_taken, chunk_refused, end_taken, end_refused;

static const struct {
    const char *name;
    enum smtp_client_where where;
    unsigned good; /* the class that is a yes; 4 and 5 are a no, others are a misunderstanding */
    handler *taken;
    handler *refused;
    size_t patience; /* in the config */
} rows[AWAITED_KINDS] = {
#define WITHIN(field) offsetof(struct smtp_client_config, field)
    [AWAIT_GREETING] = { "the greeting", AT_GREETING, 2, say_ehlo, greeting_refused,
                         WITHIN(greeting_ms) },
    [AWAIT_EHLO] = { "EHLO", AT_HELLO, 2, ehlo_taken, ehlo_refused, WITHIN(command_ms) },
    [AWAIT_HELO] = { "HELO", AT_HELLO, 2, hello_taken, helo_refused, WITHIN(command_ms) },
    [AWAIT_STARTTLS] = { "STARTTLS", AT_STARTTLS, 2, starttls_taken, starttls_refused,
                         WITHIN(command_ms) },
    [AWAIT_AUTH] = { "AUTH", AT_AUTH, 2, client_auth_taken, client_auth_refused,
                     WITHIN(command_ms) },
    [AWAIT_RSET] = { "RSET", AT_MAIL, 2, nothing, rset_refused, WITHIN(command_ms) },
    [AWAIT_MAIL] = { "MAIL", AT_MAIL, 2, mail_taken, mail_refused, WITHIN(command_ms) },
    [AWAIT_RCPT] = { "RCPT", AT_RCPT, 2, rcpt_taken, rcpt_refused, WITHIN(command_ms) },
    [AWAIT_DATA] = { "DATA", AT_DATA, 3, data_taken, data_refused, WITHIN(data_ms) },
    [AWAIT_CHUNK] = { "BDAT", AT_DATA, 2, chunk_taken, chunk_refused, WITHIN(dot_ms) },
    [AWAIT_END] = { "the end of data", AT_END_OF_DATA, 2, end_taken, end_refused, WITHIN(dot_ms) },
    [AWAIT_QUIT] = { "QUIT", AT_IDLE, 2, client_close, client_close, 0 },
#undef WITHIN
};

const char *client_command_name(enum awaited_kind kind)
{
    return rows[kind].name;
}

enum smtp_client_where client_command_where(enum awaited_kind kind)
{
    return rows[kind].where;
}

uint64_t client_patience_ms(const struct smtp_client *c, enum awaited_kind kind)
{
    if (kind == AWAIT_QUIT)
        return CLIENT_QUIT_MS;
    return *(const uint64_t *)(const void *)((const char *)c->config + rows[kind].patience);
}

static void nothing(struct smtp_client *c)
{
    (void)c;
}

/* ---- the session ---- */

static void greeting_refused(struct smtp_client *c)
{
    client_refuse_by_reply(c, AT_GREETING);
}

static void helo_refused(struct smtp_client *c)
{
    client_refuse_by_reply(c, AT_HELLO);
}

void client_say_hello(struct smtp_client *c, enum awaited_kind kind)
{
    if (kind == AWAIT_HELO)
        buffer_text(&c->output, T("HELO "));
    else
        buffer_text(&c->output, c->config->lmtp ? T("LHLO ") : T("EHLO "));
    buffer_text(&c->output, c->config->hostname);
    buffer_text(&c->output, T("\r\n"));
    client_said(c, kind, 1);
}

static void say_ehlo(struct smtp_client *c)
{
    client_say_hello(c, AWAIT_EHLO);
}

static void tls_denied(struct smtp_client *c, struct text why)
{
    client_refuse(c, AT_STARTTLS, "4.7.4", why);
}

/* RFC 8689 4.2.1: a host that cannot do what a message requires is not waited for. */
static void tls_not_offered(struct smtp_client *c)
{
    if (c->config->requiretls)
        client_refuse_for_good(
            c, AT_STARTTLS, "5.7.10",
            T("the message came with REQUIRETLS, and the server does not offer TLS"));
    else
        tls_denied(c, T("TLS is required here, and the server does not offer it"));
}

static void promise_not_offered(struct smtp_client *c)
{
    client_refuse_for_good(c, AT_HELLO, "5.7.30",
                           T("the message came with REQUIRETLS, which the server does not offer"));
}

/* The reply to EHLO or HELO. */
static void hello_taken(struct smtp_client *c)
{
    enum smtp_client_tls tls = c->tls ? SMTP_CLIENT_TLS_NEVER : c->config->tls;
    if (tls != SMTP_CLIENT_TLS_NEVER && c->offers.starttls) {
        client_say(c, AWAIT_STARTTLS, T("STARTTLS"));
    } else if (tls == SMTP_CLIENT_TLS_MUST) {
        tls_not_offered(c);
    } else if (c->config->requiretls && !(c->tls && c->offers.requiretls)) {
        promise_not_offered(c);
    } else {
        c->fresh = c->offers.esmtp;
        client_log_in(c);
    }
}

static void ehlo_taken(struct smtp_client *c)
{
    c->offers.esmtp = true;
    hello_taken(c);
}

/* RFC 5321 3.2: who does not know EHLO is asked with HELO, and offers nothing. LMTP has no other
 * greeting. */
static void ehlo_refused(struct smtp_client *c)
{
    if (c->reader.code < 500 || c->config->lmtp)
        helo_refused(c);
    else
        client_say_hello(c, AWAIT_HELO);
}

static void starttls_taken(struct smtp_client *c)
{
    c->phase = CLIENT_HANDSHAKE;
    c->start_tls = true;
}

/* RFC 3207 4.1: the client decides whether to go on in the clear.  That is the driver's choice, in
 * another session: what broke a server's TLS may have broken more of this one. */
static void starttls_refused(struct smtp_client *c)
{
    char words[CLIENT_SENTENCE_MAX];
    struct text rest = buffer_as_text(&c->reader.kept), line;
    if (c->config->tls != SMTP_CLIENT_TLS_MUST) {
        client_refuse_by_reply(c, AT_STARTTLS);
        return;
    }
    text_cut(&rest, '\n', &line);
    snprintf(words, sizeof words, "TLS is required here, and the server refused to start it: %.*s",
             TEXT_ARGS(text_first(line, STARTTLS_REPLY_SHOWN)));
    tls_denied(c, text_of(words));
}

/* ---- a message ---- */

/* What RSET was to clear is still there: the next message could be mixed with it. */
static void rset_refused(struct smtp_client *c)
{
    client_fail(c, AT_MAIL, "4.5.0", "the server refused RSET with %u", c->reader.code);
}

static void mail_taken(struct smtp_client *c)
{
    c->tx->where = AT_RCPT;
}

static void mail_refused(struct smtp_client *c)
{
    struct smtp_client_result result = client_message_result(c, c->tx);
    client_settle_all(c->tx, &result);
    c->tx->refused = true;
}

static void next_recipient(struct outgoing *o)
{
    if (++o->answered == o->message->recipient_count && !o->refused)
        o->where = AT_DATA;
}

static void rcpt_taken(struct smtp_client *c)
{
    struct outgoing *o = c->tx;
    o->slots[o->answered].accepted = true;
    o->accepted++;
    next_recipient(o);
}

/* RFC 5321 4.5.3.1.10: servers of old say 552 for "too many recipients", which passes.  It can mean
 * that only behind an accepted one; a full mailbox (5.2.2) has its own status. */
static bool means_too_many(const struct smtp_client *c, const struct outgoing *o)
{
    struct text status = text_of(c->reader.status);
    return c->reader.code == 552 && o->accepted > 0 &&
           (status.len == 0 || text_equal(status, T("5.5.3")));
}

static void rcpt_refused(struct smtp_client *c)
{
    struct outgoing *o = c->tx;
    struct smtp_client_result result = client_message_result(c, o);
    if (means_too_many(c, o))
        client_result_soften(&result, "4.5.3");
    client_settle(o, o->answered, &result);
    next_recipient(o);
}

/* 354.  RFC 2920 3.1: DATA that was pipelined may be taken although every recipient was refused; a
 * dot alone ends it.  But once a recipient was taken that dot would send him an empty message, and
 * LMTP has no reply to it: then only hanging up is left. */
static void data_taken(struct smtp_client *c)
{
    struct outgoing *o = c->tx;
    if (!o->refused && o->accepted > 0) {
        o->stage = STAGE_CONTENT;
    } else if (o->accepted == 0 && !c->config->lmtp) {
        client_say_end(c, o);
    } else {
        client_fail(c, AT_DATA, "4.5.0", "the server wants content for a refused message");
    }
}

static void data_refused(struct smtp_client *c)
{
    struct smtp_client_result result = client_message_result(c, c->tx);
    client_settle_all(c->tx, &result);
    c->tx->stage = STAGE_OVER;
}

/* Whether the reply in hand is to a chunk whose octets were not all said. */
static bool is_early(const struct outgoing *o)
{
    return o->stage == STAGE_OCTETS && o->chunk_left > 0 && o->unanswered == 0;
}

static void out_of_step(struct smtp_client *c, const char *name)
{
    client_fail(c, client_where(c), "4.5.0", "the server answered %s with %u", name,
                c->reader.code);
}

static void chunk_taken(struct smtp_client *c)
{
    if (is_early(c->tx))
        out_of_step(c, "half a chunk");
}

/* RFC 3030 2: the chunk in hand is completed, and no other is sent. */
static void chunk_refused(struct smtp_client *c)
{
    struct smtp_client_result result = client_message_result(c, c->tx);
    client_settle_all(c->tx, &result);
    c->tx->refused = true;
}

/* The reply behind the end, for the one recipient whose it is (RFC 2033 4.2) or for all. */
static void settle_end(struct smtp_client *c, const struct smtp_client_result *result)
{
    struct outgoing *o = c->tx;
    if (!c->config->lmtp) {
        client_settle_all(o, result);
        return;
    }
    while (!o->slots[o->ended].accepted)
        o->ended++;
    client_settle(o, o->ended++, result);
}

static void end_taken(struct smtp_client *c)
{
    struct outgoing *o = c->tx;
    if (is_early(o)) {
        out_of_step(c, "half a chunk");
        return;
    }
    struct smtp_client_result result = client_message_result(c, o);
    result.delivered = true;
    result.relayed_without_dsn = !c->offers.dsn;
    settle_end(c, &result);
    if (!c->behind)
        c->dirty = false;
}

static void end_refused(struct smtp_client *c)
{
    struct smtp_client_result result = client_message_result(c, c->tx);
    settle_end(c, &result);
}

/* ---- every reply ---- */

/* A reply to nothing.  While content goes out, a server may have had enough of it: what it says
 * counts, but the message can only be ended by hanging up.  At another time it speaks of the
 * session, often of its idleness, and not of a message that was just given. */
static void unasked(struct smtp_client *c)
{
    struct outgoing *o = c->tx;
    if (c->fresh && c->reader.code / 100 == 2)
        return; /* see hears_offer() */
    if (c->reader.code < 400) {
        out_of_step(c, "nothing");
        return;
    }
    if (o && (o->stage == STAGE_CONTENT || o->stage == STAGE_FINISH)) {
        struct smtp_client_result result = client_message_result(c, o);
        client_settle_all(o, &result);
    }
    client_fail_by_reply(c, client_where(c));
}

/* Some servers end every line of their greeting as if it were the last.  What is left of it comes
 * before the reply to EHLO, which is never 220. */
static bool is_more_greeting(struct smtp_client *c, enum awaited_kind kind)
{
    return (kind == AWAIT_EHLO || kind == AWAIT_HELO) && c->reader.code == 220 &&
           ++c->greetings < REPLY_KEPT_LINES;
}

/* Of a class that the command cannot have (but AUTH has 334 too), or a code that has one meaning
 * and not this one: 220 is a greeting, 221 the end.  Least of all may the reply to QUIT pass for a
 * yes to the message before it. */
static bool is_misplaced(enum awaited_kind kind, unsigned code)
{
    if (kind == AWAIT_AUTH && code == REPLY_CHALLENGE)
        return false;
    return (code / 100 != rows[kind].good && code < 400) || code == 221 ||
           (code == 220 && kind >= AWAIT_RSET);
}

static void take_expected(struct smtp_client *c, enum awaited_kind kind)
{
    if (is_more_greeting(c, kind))
        return;
    if (is_misplaced(kind, c->reader.code)) {
        out_of_step(c, rows[kind].name);
        return;
    }
    client_answered(c);
    if (c->reader.code < 400)
        rows[kind].taken(c);
    else
        rows[kind].refused(c);
}

void client_take_reply(struct smtp_client *c)
{
    const struct awaited *oldest = client_awaited(c);
    if (oldest && oldest->kind == AWAIT_QUIT)
        client_close(c); /* whatever it says */
    else if (c->reader.code == 421)
        client_fail_by_reply(c, client_where(c)); /* RFC 5321 3.8: the server is closing */
    else if (oldest)
        take_expected(c, oldest->kind);
    else
        unasked(c);
}
