/* smtp_client.c - one outgoing session: its steps, its list of awaited replies, its time, its end.
 *
 * The loop here is the only place that takes input, hands out results and closes.  It does no input
 * or output itself and never looks at a clock.
 */
#include "proto/smtp_client_internal.h"

#include "base/check.h"
#include "base/escape.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- creation ---- */

enum { CODE_WRONG_PASSWORD = 535 };

static void await(struct smtp_client *, enum awaited_kind, uint32_t count);
static void drop_output(struct smtp_client *);

struct smtp_client *smtp_client_new(const struct smtp_client_config *config, uint64_t now_ms)
{
    struct smtp_client *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->config = config;
    c->tls = config->secured;
    c->now_ms = now_ms;
    buffer_init(&c->output, CLIENT_OUTPUT_MAX);
    client_auth_clear(c);
    reply_reader_init(&c->reader);
    client_offers_reset(c);
    await(c, AWAIT_GREETING, 1);
    return c;
}

void smtp_client_free(struct smtp_client **c)
{
    if (!*c)
        return;
    client_forget(&(*c)->tx);
    client_forget(&(*c)->behind);
    client_auth_clear(*c);
    drop_output(*c);
    reply_reader_clear(&(*c)->reader);
    free(*c);
    *c = NULL;
}

/* ---- what was said and is awaited ---- */

static bool is_of_message(enum awaited_kind kind)
{
    return kind >= AWAIT_RSET && kind <= AWAIT_END;
}

static void await(struct smtp_client *c, enum awaited_kind kind, uint32_t count)
{
    struct awaited *last = &c->awaited[c->awaited_count - (c->awaited_count > 0)];
    bool first = c->awaited_count == 0;
    if (!first && last->kind == kind) {
        last->count += count;
    } else {
        CHECK(c->awaited_count < AWAITED_MAX);
        c->awaited[c->awaited_count++] = (struct awaited){ kind, count };
    }
    if (is_of_message(kind))
        client_newest(c)->unanswered += count;
    c->fresh = false;
    if (first)
        client_set_deadline(c);
}

const struct awaited *client_awaited(const struct smtp_client *c)
{
    return c->awaited_count ? &c->awaited[0] : NULL;
}

void client_answered(struct smtp_client *c)
{
    struct awaited *oldest = &c->awaited[0];
    if (is_of_message(oldest->kind))
        c->tx->unanswered--;
    if (--oldest->count > 0)
        return;
    c->awaited_count--;
    memmove(oldest, oldest + 1, c->awaited_count * sizeof *oldest);
}

void client_said(struct smtp_client *c, enum awaited_kind kind, uint32_t count)
{
    if (c->output.failed)
        client_fail(c, AT_LOCAL, "4.3.0", "memory is short");
    else
        await(c, kind, count);
}

void client_say(struct smtp_client *c, enum awaited_kind kind, struct text line)
{
    buffer_text(&c->output, line);
    buffer_text(&c->output, T("\r\n"));
    client_said(c, kind, 1);
}

/* ---- output ---- */

struct bytes smtp_client_output(const struct smtp_client *c)
{
    return buffer_bytes(&c->output);
}

static void drop_output(struct smtp_client *c)
{
    if (c->has_secret)
        buffer_wipe(&c->output);
    else
        buffer_clear(&c->output);
    c->has_secret = false;
}

/* The memory goes back when all is written, unless the next piece of content will need it. */
void smtp_client_drained(struct smtp_client *c, size_t count)
{
    const struct outgoing *o = client_newest(c);
    buffer_take(&c->output, count);
    if (c->output.len == 0 && !(o && (o->stage == STAGE_CONTENT || o->stage == STAGE_OCTETS)))
        drop_output(c);
}

/* ---- time ---- */

static uint64_t patience_ms(const struct smtp_client *c)
{
    const struct outgoing *o = client_newest(c);
    const struct awaited *oldest = client_awaited(c);
    if (c->phase == CLIENT_HANDSHAKE)
        return c->config->command_ms;
    if (o && (o->stage == STAGE_CONTENT || o->stage == STAGE_OCTETS))
        return c->config->block_ms;
    return oldest ? client_patience_ms(c, oldest->kind) : 0;
}

/* Called when a reply is complete, a piece of content was given or an answer came, and at no other
 * time: octets that come one by one win no time. */
void client_set_deadline(struct smtp_client *c)
{
    uint64_t span = patience_ms(c);
    if (span == 0 || __builtin_add_overflow(c->now_ms, span, &c->deadline_ms))
        c->deadline_ms = UINT64_MAX;
}

uint64_t smtp_client_deadline_ms(const struct smtp_client *c)
{
    return c->request != REQUEST_NONE || c->phase == CLIENT_CLOSING ? UINT64_MAX : c->deadline_ms;
}

static void time_out(struct smtp_client *c)
{
    const struct outgoing *o = client_newest(c);
    if (c->phase == CLIENT_HANDSHAKE)
        client_fail(c, AT_STARTTLS, "4.4.2", "timed out in the TLS handshake");
    else if (o && (o->stage == STAGE_CONTENT || o->stage == STAGE_OCTETS))
        client_fail(c, AT_DATA, "4.4.2", "timed out sending the content");
    else
        client_fail(c, client_where(c), "4.4.2", "timed out waiting for the reply to %s",
                    client_command_name(client_awaited(c)->kind));
}

/* ---- the end of things ---- */

enum smtp_client_where client_where(const struct smtp_client *c)
{
    const struct awaited *oldest = client_awaited(c);
    if (c->tx)
        return c->tx->where;
    if (c->phase == CLIENT_HANDSHAKE)
        return AT_STARTTLS;
    if (c->phase == CLIENT_AUTH)
        return AT_AUTH;
    return oldest ? client_command_where(oldest->kind) : AT_IDLE;
}

void client_close(struct smtp_client *c)
{
    c->phase = CLIENT_CLOSING;
    c->awaited_count = 0;
}

/* The failure as the result of a message that was under way. */
static void fail_message(const struct smtp_client *c, struct outgoing *o)
{
    struct smtp_client_result result = c->failure;
    if (result.where != AT_LOCAL)
        result.where = o->where;
    client_settle_all(o, &result);
    o->stage = STAGE_OVER;
    o->unanswered = 0;
}

/* The output is thrown away, half a line or half a message with it.  Once the session was to end,
 * and no message is under way, nothing that goes wrong matters. */
static void fail(struct smtp_client *c, const struct smtp_client_result *why)
{
    drop_output(c);
    client_auth_clear(c);
    if (c->phase >= CLIENT_QUITTING && !c->tx) {
        client_close(c);
        return;
    }
    c->failure = *why;
    c->failed = true;
    if (c->tx)
        fail_message(c, c->tx);
    if (c->behind)
        fail_message(c, c->behind);
    client_close(c);
}

void client_fail(struct smtp_client *c, enum smtp_client_where where, const char *status,
                 const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(c->sentence, sizeof c->sentence, format, args);
    va_end(args);
    CHECK(len >= 0);
    struct text sentence =
        text_first((struct text){ c->sentence, (size_t)len }, sizeof c->sentence - 1);
    struct smtp_client_result why = client_result(where, status, sentence);
    fail(c, &why);
}

/* The peer's status in the class of what passes; RFC 3463 3.8: X.7.8, credentials invalid. */
static void soften_login(const struct smtp_client *c, struct smtp_client_result *why)
{
    char status[sizeof why->status] = "4.7.0";
    if (c->reader.status[0])
        snprintf(status, sizeof status, "4%s", c->reader.status + 1);
    else if (why->code == CODE_WRONG_PASSWORD)
        snprintf(status, sizeof status, "4.7.8");
    client_result_soften(why, status);
}

/* 5xx refuses a session before it is open; later it is only the end of one, and was not said to a
 * recipient.  What is said to a login is between the two hosts, and never for good.  The reader is
 * not used any more, so that its text stays. */
void client_fail_by_reply(struct smtp_client *c, enum smtp_client_where where)
{
    struct smtp_client_result why = client_reply_result(c, where, buffer_as_text(&c->reader.kept));
    if (why.permanent && where >= AT_IDLE)
        client_result_soften(&why, "4.4.2");
    else if (why.permanent && where == AT_STARTTLS)
        client_result_soften(&why, "4.7.4"); /* as a handshake that fails */
    else if (where == AT_AUTH)
        soften_login(c, &why);
    fail(c, &why);
}

static void leave_politely(struct smtp_client *c, bool all_was_written, bool in_exchange)
{
    if (!all_was_written)
        return;
    if (in_exchange)
        buffer_text(&c->output, T("*\r\n")); /* RFC 4954 4: it is cancelled */
    buffer_text(&c->output, T("QUIT\r\n"));
}

void client_refuse_by_reply(struct smtp_client *c, enum smtp_client_where where)
{
    bool all_was_written = c->output.len == 0;
    client_fail_by_reply(c, where);
    leave_politely(c, all_was_written, false);
}

void client_refuse(struct smtp_client *c, enum smtp_client_where where, const char *status,
                   struct text sentence)
{
    bool all_was_written = c->output.len == 0;
    bool in_exchange =
        c->login.talk.begun && c->awaited_count == 0 && c->reader.code == REPLY_CHALLENGE;
    client_fail(c, where, status, "%.*s", TEXT_ARGS(sentence));
    leave_politely(c, all_was_written, in_exchange);
}

void client_refuse_for_good(struct smtp_client *c, enum smtp_client_where where, const char *status,
                            struct text sentence)
{
    struct smtp_client_result why = client_result(where, status, sentence);
    bool all_was_written = c->output.len == 0;
    why.permanent = true;
    fail(c, &why);
    leave_politely(c, all_was_written, false);
}

void smtp_client_input_ended(struct smtp_client *c, struct text why)
{
    if (c->phase == CLIENT_CLOSING || c->input_ended)
        return; /* the sentence may already be that of the failure */
    c->input_ended = true;
    why = text_first(why.len ? why : T("the server closed the connection"), sizeof c->sentence);
    memcpy(c->sentence, why.at, why.len);
    c->sentence_len = why.len;
}

/* All that came was read. */
static void end(struct smtp_client *c)
{
    struct text sentence = { c->sentence, c->sentence_len };
    struct smtp_client_result why = client_result(client_where(c), "4.4.2", sentence);
    fail(c, &why);
}

/* ---- steps ---- */

struct smtp_client_step client_wait(enum smtp_client_step_kind kind)
{
    return (struct smtp_client_step){ .kind = kind };
}

size_t smtp_client_input_max(const struct smtp_client *c)
{
    (void)c;
    return REPLY_INPUT_MAX;
}

/* Whether the line in hand tells of an extension.  Some servers end every line of their reply to
 * EHLO as if it were the last: what follows at once, before anything else was said, belongs to it.
 */
static bool hears_offer(const struct smtp_client *c)
{
    const struct awaited *oldest = client_awaited(c);
    if (c->reader.code / 100 != 2)
        return false;
    return oldest ? oldest->kind == AWAIT_EHLO && c->reader.lines > 1 : c->fresh;
}

static void line_came(struct smtp_client *c)
{
    if (hears_offer(c))
        client_offers_line(c, reply_words(c->reader.line));
}

static void junk_came(struct smtp_client *c)
{
    uint8_t memory[CLIENT_SENTENCE_MAX / 2]; /* a buffer over memory of its own never allocates */
    struct buffer shown = buffer_over(memory, sizeof memory);
    escape_text(&shown, text_first(c->reader.line, sizeof memory));
    client_fail(c, client_where(c), "4.5.0", "this is not a reply of SMTP: %.*s",
                TEXT_ARGS(buffer_as_text(&shown)));
}

/* False: there is no whole line in the input. */
static bool read_line(struct smtp_client *c, struct bytes *in)
{
    switch (reply_read(&c->reader, in)) {
    case REPLY_NEED_INPUT:
        return false;
    case REPLY_LINE:
        line_came(c);
        return true;
    case REPLY_WHOLE:
        line_came(c);
        client_take_reply(c);
        client_set_deadline(c);
        return true;
    case REPLY_JUNK:
        junk_came(c);
        return true;
    case REPLY_ENDLESS:
        break;
    }
    client_fail(c, client_where(c), "4.5.0", "the server's reply has no end");
    return true;
}

static bool talk(struct smtp_client *c, struct bytes *in, struct smtp_client_step *step_out)
{
    if (c->login.asks) {
        *step_out = client_ask_words(c);
        return true;
    }
    if (read_line(c, in))
        return false;
    if (!c->input_ended)
        return client_proceed(c, step_out);
    end(c);
    return false;
}

/* What came behind the 220 in the clear is an attacker's or a mistake (RFC 3207 6): gone. */
static bool handshake(struct smtp_client *c, struct bytes *in, struct smtp_client_step *step_out)
{
    if (c->start_tls) {
        in->at += in->len;
        in->len = 0;
        c->start_tls = false;
        *step_out = client_wait(SMTP_CLIENT_START_TLS);
        return true;
    }
    if (c->input_ended) {
        end(c);
        return false;
    }
    *step_out = client_wait(SMTP_CLIENT_NEED_INPUT);
    return true;
}

static bool hang_up(struct smtp_client *c, struct bytes *in, struct smtp_client_step *step_out)
{
    (void)c;
    (void)in;
    *step_out = client_wait(SMTP_CLIENT_CLOSE);
    return true;
}

static bool is_complete(const struct outgoing *o)
{
    return o->stage == STAGE_OVER && o->unanswered == 0;
}

/* The results of a message live until the step behind its SENT. */
static void forget_told(struct smtp_client *c)
{
    if (!c->tx || !c->tx->told)
        return;
    client_forget(&c->tx);
    c->tx = c->behind;
    c->behind = NULL;
}

static struct smtp_client_step hand_out(struct smtp_client *c)
{
    struct smtp_client_step step = { .kind = SMTP_CLIENT_SENT, .message = c->tx->message };
    c->tx->told = true;
    return step;
}

struct smtp_client_step smtp_client_step(struct smtp_client *c, struct bytes *in, uint64_t now_ms)
{
    typedef bool advance(struct smtp_client *, struct bytes *, struct smtp_client_step *);
    static advance *const advances[CLIENT_PHASES] = {
        [CLIENT_HELLO] = talk,      [CLIENT_HANDSHAKE] = handshake, [CLIENT_AUTH] = talk,
        [CLIENT_OPEN] = talk,       [CLIENT_QUITTING] = talk,       [CLIENT_LEAVING] = talk,
        [CLIENT_CLOSING] = hang_up,
    };
    if (c->request != REQUEST_NONE)
        return client_wait(SMTP_CLIENT_NEED_ANSWER);
    c->now_ms = now_ms;
    forget_told(c);
    if (now_ms >= smtp_client_deadline_ms(c))
        time_out(c);
    for (;;) {
        struct smtp_client_step step;
        if (c->tx && is_complete(c->tx))
            return hand_out(c);
        if (advances[c->phase](c, in, &step))
            return step;
    }
}

void smtp_client_tls_started(struct smtp_client *c, uint64_t now_ms)
{
    CHECK(c->phase == CLIENT_HANDSHAKE);
    c->phase = CLIENT_HELLO;
    c->tls = true;
    c->now_ms = now_ms;
    client_offers_reset(c);
    client_say_hello(c, AWAIT_EHLO);
}

/* ---- what the session knows ---- */

const struct smtp_client_result *smtp_client_result(const struct smtp_client *c, uint32_t recipient)
{
    CHECK(c->tx != NULL);
    CHECK(c->tx->told);
    CHECK(recipient < c->tx->message->recipient_count);
    return &c->tx->slots[recipient].result;
}

const struct smtp_client_result *smtp_client_failure(const struct smtp_client *c)
{
    return c->failed ? &c->failure : NULL;
}

const struct smtp_client_offers *smtp_client_offers(const struct smtp_client *c)
{
    return &c->offers;
}

bool smtp_client_used_tls(const struct smtp_client *c)
{
    return c->tls;
}
