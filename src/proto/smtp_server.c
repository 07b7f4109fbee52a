/* smtp_server.c - one SMTP session: its steps, its lines, its output and its time.
 *
 * The loop here is the only place that takes command lines, prints replies, counts errors, opens
 * requests and closes.  It does no input or output itself and never looks at a clock.
 */
#include "proto/smtp_server_internal.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

/* ---- creation ---- */

static bool greet(struct smtp_server *s)
{
    s->phase = PHASE_COMMANDS;
    smtp_set_deadline(s);
    return smtp_try_say(s, REPLY(220, NULL, "ESMTP godwit"), REPLY_ASCII);
}

struct smtp_server *smtp_server_new(const struct smtp_server_config *config,
                                    const struct smtp_server_peer *peer, uint64_t now_ms)
{
    struct smtp_server *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->config = config;
    s->peer = *peer;
    s->tls = peer->tls;
    s->now_ms = now_ms;
    buffer_init(&s->output, SMTP_OUTPUT_MAX);
    buffer_init(&s->words, SMTP_WORDS_MAX);
    buffer_init(&s->held, REPLY_LINE_MAX);
    if (peer->stranger && config->greeting_ms > 0) {
        s->phase = PHASE_GREETING;
        s->deadline_ms = smtp_deadline_after(s, config->greeting_ms);
    } else if (!greet(s)) {
        smtp_server_free(&s);
    }
    return s;
}

void smtp_server_free(struct smtp_server **s)
{
    if (!*s)
        return;
    free((*s)->tx);
    free((*s)->hello);
    buffer_clear(&(*s)->output);
    buffer_clear(&(*s)->words);
    buffer_clear(&(*s)->held);
    sasl_frame_wipe(&(*s)->sasl);
    free(*s);
    *s = NULL;
}

void smtp_server_reconfigure(struct smtp_server *s, const struct smtp_server_config *config)
{
    s->config = config;
}

/* ---- output ---- */

bool smtp_try_say(struct smtp_server *s, struct reply reply, enum reply_charset charset)
{
    return reply_compose(&s->output, &reply, s->config->hostname, charset);
}

void smtp_say(struct smtp_server *s, struct reply reply)
{
    size_t before = s->output.len;
    if (!smtp_try_say(s, reply, REPLY_ASCII)) {
        smtp_close(s);
        smtp_try_say(s, REPLY(421, "4.3.0", "memory is short"), REPLY_ASCII);
    }
    smtp_count_error(s, reply.code, s->output.len - before);
}

void smtp_count_error(struct smtp_server *s, unsigned code, size_t octets)
{
    if (code < 500)
        return;
    s->errors++;
    s->mistakes.errors++;
    s->failed_logins += code == 535;
    s->mistakes.logins += code == 535;
    if (s->peer.stranger && !s->authenticated)
        penance_begin(&s->penance, s->peer.mistakes + s->errors, octets, s->now_ms);
}

static bool has_room(struct smtp_server *s)
{
    return s->output.len <= SMTP_OUTPUT_HIGH && buffer_reserve(&s->output, SMTP_OUTPUT_SPARE);
}

/* Called when there is no room.  What is written out makes room; with nothing to write, memory is
 * so short that not even a reply can be made. */
static bool need_drain(struct smtp_server *s, struct smtp_step *step_out)
{
    if (s->output.len == 0) {
        smtp_close(s);
        return false;
    }
    *step_out = smtp_wait(SMTP_NEED_DRAIN);
    return true;
}

struct bytes smtp_server_output(const struct smtp_server *s)
{
    return penance_shows(&s->penance, buffer_bytes(&s->output));
}

/* The memory goes back when all is written, but for the room that an answer or the end of the
 * content will need; a transaction keeps it to its end. */
void smtp_server_drained(struct smtp_server *s, size_t count)
{
    buffer_take(&s->output, count);
    if (s->output.len == 0 && s->request_open == 0 && !s->tx && s->phase != PHASE_WASTE)
        buffer_clear(&s->output);
}

/* ---- the end of things ---- */

/* A commit, an abandon or a forget: each transaction whose sender was accepted ends in one. */
void smtp_transaction_end(struct smtp_server *s)
{
    struct transaction *tx = s->tx;
    if (!tx)
        return;
    if (!tx->settled) {
        CHECK(s->order == SMTP_NEED_INPUT);
        s->order = tx->message_open ? SMTP_ABANDON_MESSAGE : SMTP_FORGET;
    }
    free(tx);
    s->tx = NULL;
}

void smtp_close(struct smtp_server *s)
{
    smtp_transaction_end(s);
    s->phase = PHASE_CLOSING;
}

static void close_with(struct smtp_server *s, struct reply reply)
{
    smtp_close(s);
    smtp_try_say(s, reply, REPLY_ASCII); /* without memory for it the client is not told */
}

void smtp_server_input_ended(struct smtp_server *s)
{
    s->input_ended = true;
}

void smtp_server_shut_down(struct smtp_server *s, const char *status, const char *words)
{
    s->farewell = (struct reply){ 421, status, text_of(words) };
    penance_forgive(&s->penance);
}

void smtp_server_tls_started(struct smtp_server *s, uint64_t now_ms)
{
    CHECK(s->phase == PHASE_HANDSHAKE);
    free(s->hello); /* RFC 3207 4.2: forget what was said in the clear */
    s->hello = NULL;
    s->hello_len = 0;
    s->esmtp = false;
    s->tls = true;
    s->phase = PHASE_COMMANDS;
    s->now_ms = now_ms;
    smtp_set_deadline(s);
}

/* ---- time ---- */

uint64_t smtp_deadline_after(const struct smtp_server *s, uint64_t span_ms)
{
    uint64_t deadline;
    if (span_ms == 0 || __builtin_add_overflow(s->now_ms, span_ms, &deadline))
        return UINT64_MAX;
    return deadline;
}

/* Called when a command, an answer or a chunk is complete and at no other time: octets that come
 * one by one win no time. */
void smtp_set_deadline(struct smtp_server *s)
{
    const struct transaction *tx = s->tx;
    uint64_t command = smtp_deadline_after(s, s->config->command_ms);
    bool in_content = s->phase == PHASE_DATA || s->phase == PHASE_CHUNK;
    if (s->phase == PHASE_WASTE)
        s->deadline_ms = smtp_deadline_after(s, s->config->message_ms);
    else if (tx && tx->message_open && (in_content || tx->deadline_ms < command))
        s->deadline_ms = tx->deadline_ms; /* between two chunks both hold */
    else
        s->deadline_ms = command;
}

uint64_t smtp_server_deadline_ms(const struct smtp_server *s)
{
    if (penance_lasts(&s->penance))
        return s->penance.until_ms;
    return s->request_open || s->phase == PHASE_CLOSING ? UINT64_MAX : s->deadline_ms;
}

static void time_out(struct smtp_server *s)
{
    if (s->phase == PHASE_HANDSHAKE)
        smtp_close(s); /* nobody could read it */
    else if (s->phase == PHASE_GREETING && greet(s))
        return;
    else
        close_with(s, REPLY(421, "4.4.2", "timed out, closing the connection"));
}

/* ---- lines ---- */

size_t smtp_server_input_max(const struct smtp_server *s)
{
    (void)s;
    return SMTP_COMMAND_MAX;
}

bool smtp_server_line_is_secret(const struct smtp_server *s)
{
    return s->phase == PHASE_RESPONSE;
}

bool smtp_server_input_is_body(const struct smtp_server *s)
{
    return s->phase == PHASE_DATA || s->phase == PHASE_CHUNK || s->phase == PHASE_WASTE;
}

static size_t line_max(const struct smtp_server *s)
{
    uint32_t configured = s->config->line_octets_max;
    if (s->phase == PHASE_RESPONSE)
        return SASL_LINE_MAX;
    if (configured == 0 || configured > SMTP_COMMAND_MAX)
        return SMTP_COMMAND_MAX;
    return configured < SMTP_COMMAND_MIN ? SMTP_COMMAND_MIN : configured;
}

/* A command line ends with LF.  The CR before it belongs there, but clients on bare sockets leave
 * it out, and no harm comes of it: what a line is does not depend on where a message ends. */
static struct text without_end(const uint8_t *at, size_t octets)
{
    struct text line = { (const char *)at, octets - 1 };
    if (line.len && line.at[line.len - 1] == '\r')
        line.len--;
    return line;
}

/* The line that begins here is too long: it is thrown away. */
static void skip_line(struct smtp_server *s, const uint8_t *at)
{
    struct text verb = { (const char *)at, strlen("BDAT") };
    s->skipping = text_equal_nocase(verb, T("BDAT")) ? SKIPPING_BDAT : SKIPPING_LINE;
}

static struct outcome end_skipped_line(struct smtp_server *s)
{
    bool chunk = s->skipping == SKIPPING_BDAT;
    s->skipping = SKIPPING_NOTHING;
    if (s->phase == PHASE_RESPONSE)
        return smtp_end_exchange(s, SASL_FRAME_TOO_LONG);
    if (chunk)
        return smtp_lose_track(s);
    return (struct outcome){ .reply = REPLY(500, "5.5.2", "the line is too long") };
}

static struct outcome run_line(struct smtp_server *s, const uint8_t *at, size_t octets)
{
    if (s->skipping == SKIPPING_NOTHING && octets > line_max(s))
        skip_line(s, at);
    if (s->skipping != SKIPPING_NOTHING)
        return end_skipped_line(s);
    struct text line = without_end(at, octets);
    s->mistakes.commands++;
    return s->phase == PHASE_RESPONSE ? smtp_run_response(s, line) : smtp_run_command(s, line);
}

static void take_all(struct bytes *in)
{
    in->at += in->len;
    in->len = 0;
}

/* There is no complete line in the input. */
static bool need_line(struct smtp_server *s, struct bytes *in, struct smtp_step *step_out)
{
    if (s->input_ended) {
        smtp_close(s);
        return false;
    }
    if (s->skipping == SKIPPING_NOTHING && in->len >= line_max(s))
        skip_line(s, in->at);
    if (s->skipping != SKIPPING_NOTHING)
        take_all(in);
    *step_out = smtp_wait(SMTP_NEED_INPUT);
    return true;
}

/* RFC 5321 3.8 lets a server close with 421 between commands.  A message that is under way in
 * chunks is finished first, unless its sender makes too many mistakes. */
static bool takes_leave(struct smtp_server *s)
{
    uint32_t errors_max = s->config->errors_max, logins_max = s->config->logins_max;
    s->mistakes.too_many_errors = errors_max && s->errors >= errors_max;
    s->mistakes.too_many_logins = logins_max && s->failed_logins >= logins_max;
    if (s->mistakes.too_many_errors)
        close_with(s, REPLY(421, "4.7.0", "rule errors: too many errors"));
    else if (s->mistakes.too_many_logins)
        close_with(s, REPLY(421, "4.7.0", "rule logins: too many failed logins"));
    else if (s->farewell.code && !(s->tx && s->tx->message_open))
        close_with(s, s->farewell);
    return s->phase == PHASE_CLOSING;
}

static bool advance_line(struct smtp_server *s, struct bytes *in, struct smtp_step *step_out)
{
    if (takes_leave(s))
        return false;
    const uint8_t *end = in->len ? memchr(in->at, '\n', in->len) : NULL;
    if (!end)
        return need_line(s, in, step_out);
    if (!has_room(s))
        return need_drain(s, step_out);
    size_t octets = (size_t)(end - in->at) + 1;
    struct outcome out = run_line(s, in->at, octets);
    in->at += octets;
    in->len -= octets;
    if (out.asks != SMTP_NEED_INPUT) {
        *step_out = smtp_ask(s, out.asks);
        return true;
    }
    if (out.reply.code)
        smtp_say(s, out.reply);
    buffer_clear(&s->words);
    smtp_set_deadline(s);
    return false;
}

/* RFC 5321 3.1, 4.3.1: a client waits for the greeting.  Programs that send to whoever listens do
 * not. */
static bool await_greeting(struct smtp_server *s, struct bytes *in, struct smtp_step *step_out)
{
    if (s->farewell.code) {
        close_with(s, s->farewell);
    } else if (s->input_ended) {
        smtp_close(s);
    } else if (in->len > 0) {
        s->mistakes.early = 1;
        close_with(s, REPLY(554, "5.5.1", "rule greeting_delay: you talked before the greeting"));
    } else {
        *step_out = smtp_wait(SMTP_NEED_INPUT);
        return true;
    }
    return false;
}

/* ---- steps ---- */

struct smtp_step smtp_wait(enum smtp_step_kind kind)
{
    return (struct smtp_step){ .kind = kind };
}

static bool advance_body(struct smtp_server *s, struct bytes *in, struct smtp_step *step_out)
{
    if (!has_room(s))
        return need_drain(s, step_out);
    if (s->phase == PHASE_DATA)
        return smtp_advance_data(s, in, step_out);
    if (s->phase == PHASE_CHUNK)
        return smtp_advance_chunk(s, in, step_out);
    return smtp_advance_waste(s, in, step_out);
}

/* What came behind STARTTLS in the clear is an attacker's or a mistake (RFC 3207 6): gone. */
static bool start_tls(struct smtp_server *s, struct bytes *in, struct smtp_step *step_out)
{
    take_all(in);
    s->phase = PHASE_HANDSHAKE;
    *step_out = smtp_wait(SMTP_START_TLS);
    return true;
}

static bool await_handshake(struct smtp_server *s, struct bytes *in, struct smtp_step *step_out)
{
    (void)in;
    if (s->input_ended || s->farewell.code) {
        smtp_close(s);
        return false;
    }
    *step_out = smtp_wait(SMTP_NEED_INPUT);
    return true;
}

static bool hang_up(struct smtp_server *s, struct bytes *in, struct smtp_step *step_out)
{
    (void)s;
    (void)in;
    *step_out = smtp_wait(SMTP_CLOSE);
    return true;
}

struct smtp_step smtp_server_step(struct smtp_server *s, struct bytes *in, uint64_t now_ms)
{
    typedef bool advance(struct smtp_server *, struct bytes *, struct smtp_step *);
    static advance *const advances[PHASES] = {
        [PHASE_GREETING] = await_greeting, [PHASE_COMMANDS] = advance_line,
        [PHASE_RESPONSE] = advance_line,   [PHASE_DATA] = advance_body,
        [PHASE_CHUNK] = advance_body,      [PHASE_WASTE] = advance_body,
        [PHASE_STARTTLS] = start_tls,      [PHASE_HANDSHAKE] = await_handshake,
        [PHASE_CLOSING] = hang_up,
    };
    if (s->request_open)
        return smtp_wait(SMTP_NEED_ANSWER);
    s->now_ms = now_ms;
    if (penance_ends(&s->penance, now_ms))
        smtp_set_deadline(s);
    else if (now_ms >= smtp_server_deadline_ms(s))
        time_out(s);
    for (;;) {
        struct smtp_step step;
        if (s->order != SMTP_NEED_INPUT) {
            step = smtp_wait(s->order);
            s->order = SMTP_NEED_INPUT;
            return step;
        }
        if (penance_lasts(&s->penance))
            return smtp_wait(SMTP_NEED_TIME);
        bool body = smtp_server_input_is_body(s);
        if (advances[s->phase](s, in, &step))
            return step;
        if (smtp_server_input_is_body(s) != body)
            return smtp_wait(SMTP_GO_ON);
    }
}

/* ---- what the session knows ---- */

struct text smtp_server_hello(const struct smtp_server *s)
{
    return (struct text){ s->hello, s->hello_len };
}

bool smtp_server_is_esmtp(const struct smtp_server *s)
{
    return s->esmtp;
}

bool smtp_server_has_quit(const struct smtp_server *s)
{
    return s->quit;
}

bool smtp_server_is_authenticated(const struct smtp_server *s)
{
    return s->authenticated;
}

const struct smtp_mail *smtp_server_mail(const struct smtp_server *s)
{
    return s->tx ? &s->tx->mail : NULL;
}

const struct address *smtp_server_sender(const struct smtp_server *s)
{
    return s->tx ? &s->tx->sender : NULL;
}

uint32_t smtp_server_recipient_count(const struct smtp_server *s)
{
    return s->tx ? s->tx->recipients : 0;
}

struct mistakes smtp_server_mistakes(const struct smtp_server *s)
{
    return s->mistakes;
}
