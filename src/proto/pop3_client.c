/* pop3_client.c - one POP3 session with a server: its commands, its ring of awaited replies, its
 * time, its end.
 *
 * The loop here is the only place that hands out results and closes.  It does no input or output
 * itself and never looks at a clock.
 */
#include "proto/pop3_client_internal.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- creation ---- */

static void await(struct pop3_client *, enum popping_awaited, struct pop3_client_command);
static void drop_output(struct pop3_client *);

static const struct pop3_client_command no_command;

struct pop3_client *pop3_client_new(const struct pop3_client_config *config, uint64_t now_ms)
{
    struct pop3_client *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->config = config;
    c->tls = config->secured;
    c->now_ms = now_ms;
    buffer_init(&c->output, POPPING_OUTPUT_MAX);
    pop3_client_login_clear(c);
    pop3_client_offers_reset(c);
    pop3_client_next_reply(c);
    await(c, AWAIT_GREETING, no_command);
    return c;
}

void pop3_client_free(struct pop3_client **c)
{
    if (!*c)
        return;
    pop3_client_login_clear(*c);
    drop_output(*c);
    free(*c);
    *c = NULL;
}

/* ---- what was said and is awaited ---- */

static bool is_drivers(enum popping_awaited kind)
{
    return kind >= AWAIT_STAT && kind < AWAIT_QUIT;
}

static void await(struct pop3_client *c, enum popping_awaited kind,
                  struct pop3_client_command command)
{
    CHECK(c->awaited_count < AWAITED_MAX);
    unsigned at = (c->first + c->awaited_count++) % AWAITED_MAX;
    c->awaited[at] = (struct awaited){ kind, command };
    if (c->awaited_count == 1)
        pop3_client_set_deadline(c);
}

const struct awaited *pop3_client_awaited(const struct pop3_client *c)
{
    return c->awaited_count ? &c->awaited[c->first] : NULL;
}

void pop3_client_replied(struct pop3_client *c)
{
    CHECK(c->awaited_count > 0);
    c->awaited_count--;
    c->first = (c->first + 1) % AWAITED_MAX;
}

void pop3_client_said(struct pop3_client *c, enum popping_awaited kind)
{
    if (c->output.failed)
        pop3_client_fail(c, POP3_CLIENT_AT_LOCAL, "memory is short");
    else
        await(c, kind, no_command);
}

void pop3_client_say(struct pop3_client *c, enum popping_awaited kind, struct text line)
{
    buffer_text(&c->output, line);
    buffer_text(&c->output, T("\r\n"));
    pop3_client_said(c, kind);
}

/* ---- commands of the driver ---- */

bool pop3_client_may_ask(const struct pop3_client *c)
{
    if (c->phase != POPPING_OPEN)
        return false;
    return c->awaited_count == 0 ||
           (c->offers.pipelining && c->awaited_count < POP3_CLIENT_PIPELINE_MAX);
}

bool pop3_client_ask(struct pop3_client *c, struct pop3_client_command command, uint64_t now_ms)
{
    enum popping_awaited kind = AWAIT_STAT + command.verb;
    char memory[POPPING_LINE_MAX];
    struct buffer line = buffer_over(memory, sizeof memory);
    CHECK(pop3_client_may_ask(c));
    CHECK(is_drivers(kind));
    char *end = memory + snprintf(memory, sizeof memory, "%s", pop3_client_command_name(kind));
    if (command.message > 0)
        end += snprintf(end, sizeof memory / 3, " %" PRIu32, command.message);
    if (command.verb == POP3_CLIENT_TOP)
        end += snprintf(end, sizeof memory / 3, " %" PRIu32, command.lines);
    end += snprintf(end, sizeof "\r\n", "\r\n");
    line.len = (size_t)(end - memory);
    c->now_ms = now_ms;
    c->said_secret = false;
    if (!buffer_text(&c->output, buffer_as_text(&line))) {
        c->output.failed = false; /* nothing of it is there */
        return false;
    }
    await(c, kind, command);
    return true;
}

void pop3_client_quit(struct pop3_client *c, uint64_t now_ms)
{
    CHECK(pop3_client_may_ask(c));
    c->now_ms = now_ms;
    c->said_secret = false;
    c->before_quit = c->output.len;
    c->phase = POPPING_QUITTING;
    c->quit_said = true;
    pop3_client_say(c, AWAIT_QUIT, T("QUIT"));
}

/* ---- output ---- */

struct bytes pop3_client_output(const struct pop3_client *c)
{
    return buffer_bytes(&c->output);
}

bool pop3_client_said_secret(const struct pop3_client *c)
{
    return c->said_secret;
}

static void drop_output(struct pop3_client *c)
{
    if (c->has_secret)
        buffer_wipe(&c->output);
    else
        buffer_clear(&c->output);
    c->has_secret = false;
}

/* From the first octet of QUIT on nobody can tell what the server will make of it. */
void pop3_client_drained(struct pop3_client *c, size_t count)
{
    c->quit_left |= c->quit_said && count > c->before_quit;
    c->before_quit -= count < c->before_quit ? count : c->before_quit;
    buffer_take(&c->output, count);
    if (c->output.len == 0)
        drop_output(c);
}

/* ---- deletions ---- */

/* Whether something hangs on the answer to QUIT. */
static bool would_delete(const struct pop3_client *c)
{
    bool deletes = c->marked > 0 || c->lost_deletion;
    for (unsigned i = 0; i < c->awaited_count; i++)
        deletes |= c->awaited[(c->first + i) % AWAITED_MAX].kind == AWAIT_DELE;
    return deletes;
}

enum pop3_client_deletions pop3_client_deletions(const struct pop3_client *c)
{
    if (!c->quit_left || !would_delete(c))
        return POP3_CLIENT_KEPT;
    return c->quit_taken ? POP3_CLIENT_DELETED : POP3_CLIENT_UNSURE;
}

/* ---- time ---- */

static uint64_t patience_ms(const struct pop3_client *c)
{
    const struct awaited *oldest = pop3_client_awaited(c);
    if (c->phase == POPPING_HANDSHAKE)
        return c->config->command_ms;
    if (!oldest)
        return 0;
    if (c->answer.reading != READ_REPLY)
        return c->config->content_ms;
    if (oldest->kind == AWAIT_QUIT && !would_delete(c))
        return POPPING_QUIT_MS;
    return oldest->kind == AWAIT_GREETING ? c->config->greeting_ms : c->config->command_ms;
}

/* Called when a reply is complete, enough of what follows it came or an answer was given, and at no
 * other time: octets that come one by one win no time. */
void pop3_client_set_deadline(struct pop3_client *c)
{
    uint64_t span = patience_ms(c);
    if (span == 0 || __builtin_add_overflow(c->now_ms, span, &c->deadline_ms))
        c->deadline_ms = UINT64_MAX;
}

uint64_t pop3_client_deadline_ms(const struct pop3_client *c)
{
    return c->asked || c->phase == POPPING_CLOSING ? UINT64_MAX : c->deadline_ms;
}

static void time_out(struct pop3_client *c)
{
    const struct awaited *oldest = pop3_client_awaited(c);
    if (c->phase == POPPING_HANDSHAKE)
        pop3_client_fail(c, POP3_CLIENT_AT_STLS, "timed out in the TLS handshake");
    else if (c->answer.reading == READ_REPLY)
        pop3_client_fail(c, pop3_client_where(c), "timed out waiting for the reply to %s",
                         pop3_client_command_name(oldest->kind));
    else
        pop3_client_fail(c, pop3_client_where(c), "timed out in the middle of the answer to %s",
                         pop3_client_command_name(oldest->kind));
}

/* ---- the end of things ---- */

enum pop3_client_where pop3_client_where(const struct pop3_client *c)
{
    const struct awaited *oldest = pop3_client_awaited(c);
    if (c->phase == POPPING_HANDSHAKE)
        return POP3_CLIENT_AT_STLS;
    if (c->phase == POPPING_LOGIN)
        return POP3_CLIENT_AT_LOGIN;
    return oldest ? pop3_client_command_where(oldest->kind) : POP3_CLIENT_AT_TRANSACTION;
}

void pop3_client_close(struct pop3_client *c)
{
    c->phase = POPPING_CLOSING;
    pop3_client_next_reply(c);
}

/* Whether a session that was to end did so with nothing left open. */
static bool has_nothing_to_lose(const struct pop3_client *c)
{
    const struct awaited *oldest = pop3_client_awaited(c);
    return c->phase == POPPING_QUITTING && !would_delete(c) &&
           (!oldest || oldest->kind == AWAIT_QUIT);
}

/* The output is thrown away, half a line with it. */
static void fail(struct pop3_client *c, const struct pop3_client_result *why)
{
    bool matters = !has_nothing_to_lose(c);
    drop_output(c);
    pop3_client_login_clear(c);
    if (matters) {
        c->failure = *why;
        c->failed = true;
    }
    pop3_client_close(c);
}

/* A result of our own. */
static struct pop3_client_result loss(enum pop3_client_where where, struct text sentence)
{
    return (struct pop3_client_result){
        .verdict = POP3_CLIENT_LOST, .where = where, .temporary = true, .reply = sentence
    };
}

static struct text write_sentence(struct pop3_client *c, const char *format, va_list args)
{
    int len = vsnprintf(c->sentence, POPPING_SENTENCE_MAX, format, args);
    CHECK(len >= 0);
    struct text sentence = { c->sentence, (size_t)len };
    return text_first(sentence, POPPING_SENTENCE_MAX - 1);
}

void pop3_client_fail(struct pop3_client *c, enum pop3_client_where where, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct pop3_client_result why = loss(where, write_sentence(c, format, args));
    va_end(args);
    fail(c, &why);
}

void pop3_client_nonsense(struct pop3_client *c, enum pop3_client_where where, const char *format,
                          ...)
{
    va_list args;
    va_start(args, format);
    struct pop3_client_result why = loss(where, write_sentence(c, format, args));
    va_end(args);
    why.senseless = true;
    fail(c, &why);
}

/* The words move to where no later reply can overwrite them. */
void pop3_client_fail_by_reply(struct pop3_client *c, enum pop3_client_where where)
{
    struct pop3_client_result why = pop3_client_refusal(c, where);
    memcpy(c->sentence, why.reply.at, why.reply.len);
    why.reply.at = c->sentence;
    fail(c, &why);
}

static void leave_politely(struct pop3_client *c, bool all_was_written, bool in_exchange)
{
    if (!all_was_written)
        return; /* half a command was never read: there is no place for another */
    if (in_exchange)
        buffer_text(&c->output, T("*\r\n")); /* RFC 5034 4: it is cancelled */
    buffer_text(&c->output, T("QUIT\r\n"));
}

void pop3_client_refuse_by_reply(struct pop3_client *c, enum pop3_client_where where)
{
    bool all_was_written = c->output.len == 0;
    pop3_client_fail_by_reply(c, where);
    leave_politely(c, all_was_written, false);
}

void pop3_client_refuse(struct pop3_client *c, enum pop3_client_where where, struct text sentence)
{
    bool all_was_written = c->output.len == 0;
    bool in_exchange = c->login.talk.begun && c->awaited_count == 0 && c->reply[0] == '+' &&
                       (c->reply_len == 1 || c->reply[1] == ' ');
    sentence = text_first(sentence, POPPING_SENTENCE_MAX - 1);
    memcpy(c->sentence, sentence.at, sentence.len);
    struct pop3_client_result why = loss(where, (struct text){ c->sentence, sentence.len });
    why.temporary = false;
    fail(c, &why);
    leave_politely(c, all_was_written, in_exchange);
}

void pop3_client_input_ended(struct pop3_client *c, struct text why)
{
    if (c->phase == POPPING_CLOSING || c->input_ended)
        return; /* the sentence may already be that of the failure */
    c->input_ended = true;
    why =
        text_first(why.len ? why : T("the server closed the connection"), POPPING_SENTENCE_MAX - 1);
    memcpy(c->sentence, why.at, why.len);
    c->sentence_len = why.len;
}

/* All that came was read. */
static void end(struct pop3_client *c)
{
    struct text sentence = { c->sentence, c->sentence_len };
    struct pop3_client_result why = loss(pop3_client_where(c), sentence);
    fail(c, &why);
}

/* ---- steps ---- */

static struct pop3_client_step only(enum pop3_client_step_kind kind)
{
    return (struct pop3_client_step){ .kind = kind };
}

/* ANSWERED, which is the end of the oldest entry. */
static struct pop3_client_step hand_out(struct pop3_client *c)
{
    struct pop3_client_step step = { .kind = POP3_CLIENT_ANSWERED,
                                     .command = pop3_client_awaited(c)->command,
                                     .result = &c->answer.result };
    pop3_client_replied(c);
    pop3_client_set_deadline(c);
    c->answer.complete = false;
    return step;
}

static struct pop3_client_step hand_beginning(struct pop3_client *c)
{
    c->answer.begins = false;
    return (struct pop3_client_step){ .kind = POP3_CLIENT_BEGINS,
                                      .command = pop3_client_awaited(c)->command,
                                      .result = &c->answer.result };
}

/* False: something was done, and there may be more to do. */
static bool talk(struct pop3_client *c, struct bytes *in, struct pop3_client_step *step_out)
{
    bool told = false;
    if (c->login.asks) {
        *step_out = pop3_client_ask_login(c);
        return true;
    }
    if (pop3_client_read(c, in, step_out, &told))
        return told;
    if (c->input_ended) {
        end(c);
        return false;
    }
    *step_out = only(c->phase == POPPING_OPEN && c->awaited_count == 0 ? POP3_CLIENT_READY
                                                                       : POP3_CLIENT_NEED_INPUT);
    return true;
}

/* What came behind the +OK in the clear is an attacker's (RFC 2595 4): no server says anything
 * before the client's first octets of TLS. */
static bool handshake(struct pop3_client *c, struct bytes *in, struct pop3_client_step *step_out)
{
    if (c->start_tls && in->len > 0) {
        in->at += in->len;
        in->len = 0;
        pop3_client_fail(c, POP3_CLIENT_AT_STLS,
                         "the server spoke in the clear behind its yes to STLS");
        return false;
    }
    if (c->start_tls) {
        c->start_tls = false;
        *step_out = only(POP3_CLIENT_START_TLS);
        return true;
    }
    if (c->input_ended) {
        end(c);
        return false;
    }
    *step_out = only(POP3_CLIENT_NEED_INPUT);
    return true;
}

/* What was never answered gets the reason of the failure. */
static bool hang_up(struct pop3_client *c, struct bytes *in, struct pop3_client_step *step_out)
{
    const struct awaited *oldest = pop3_client_awaited(c);
    (void)in;
    if (!oldest) {
        *step_out = only(POP3_CLIENT_CLOSE);
        return true;
    }
    if (!is_drivers(oldest->kind)) {
        pop3_client_replied(c);
        return false;
    }
    c->lost_deletion |= oldest->kind == AWAIT_DELE;
    c->answer.result = loss(c->failure.where, c->failure.reply);
    *step_out = hand_out(c);
    return true;
}

struct pop3_client_step pop3_client_step(struct pop3_client *c, struct bytes *in, uint64_t now_ms)
{
    typedef bool advance(struct pop3_client *, struct bytes *, struct pop3_client_step *);
    static advance *const advances[POPPING_PHASES] = {
        [POPPING_HELLO] = talk, [POPPING_HANDSHAKE] = handshake, [POPPING_LOGIN] = talk,
        [POPPING_OPEN] = talk,  [POPPING_QUITTING] = talk,       [POPPING_CLOSING] = hang_up,
    };
    struct pop3_client_step step;
    if (c->asked)
        return only(POP3_CLIENT_NEED_ANSWER);
    c->now_ms = now_ms;
    c->said_secret = false;
    if (now_ms >= pop3_client_deadline_ms(c))
        time_out(c);
    do {
        if (c->answer.begins)
            return hand_beginning(c);
        if (c->answer.complete)
            return hand_out(c);
    } while (!advances[c->phase](c, in, &step));
    return step;
}

void pop3_client_tls_started(struct pop3_client *c, uint64_t now_ms)
{
    CHECK(c->phase == POPPING_HANDSHAKE);
    c->phase = POPPING_HELLO;
    c->tls = true;
    c->now_ms = now_ms;
    c->said_secret = false;
    pop3_client_offers_reset(c);
    pop3_client_say(c, AWAIT_CAPA, T("CAPA"));
}

/* ---- what the session knows ---- */

const struct pop3_client_result *pop3_client_failure(const struct pop3_client *c)
{
    return c->failed ? &c->failure : NULL;
}

const struct pop3_client_offers *pop3_client_offers(const struct pop3_client *c)
{
    return &c->offers;
}

bool pop3_client_used_tls(const struct pop3_client *c)
{
    return c->tls;
}

bool pop3_client_used_utf8(const struct pop3_client *c)
{
    return c->utf8;
}

bool pop3_client_hears_content(const struct pop3_client *c)
{
    return c->answer.reading == READ_CONTENT;
}
