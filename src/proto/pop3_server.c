/* pop3_server.c - one POP3 session: its life, the step loop, requests and answers, the output.
 *
 * This file decides what happens next; what a command means stands in pop3_commands.c, how long
 * replies are printed in pop3_listing.c and pop3_transfer.c.  It never performs I/O, reads no clock
 * and never deletes: POP3_UPDATE is asked for in one place, by QUIT.
 */
#include "proto/pop3_session.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/escape.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* --- Replies --- */

static void set_words(struct pop3_reply *r, const char *format, va_list args)
{
    vsnprintf(r->words, sizeof r->words, format, args); /* what is longer is cut */
}

struct pop3_outcome pop3_ok(const char *format, ...)
{
    struct pop3_outcome o = { .kind = POP3_REPLIES, .reply.ok = true };
    va_list args;
    va_start(args, format);
    set_words(&o.reply, format, args);
    va_end(args);
    return o;
}

struct pop3_outcome pop3_err(enum pop3_fault fault, const char *format, ...)
{
    struct pop3_outcome o = { .kind = POP3_REPLIES, .reply.fault = fault };
    va_list args;
    va_start(args, format);
    set_words(&o.reply, format, args);
    va_end(args);
    return o;
}

struct pop3_outcome pop3_ask(struct pop3_step step)
{
    return (struct pop3_outcome){ .kind = POP3_ASKS, .step = step };
}

/* RFC 2449 8.1, RFC 3206 4. */
static const struct {
    const char *code, *words;
} stock[] = {
    [POP3_WRONG] = { "AUTH", "wrong user name or password" },
    [POP3_IN_USE] = { "IN-USE", "another session has this maildrop open" },
    [POP3_LOGIN_DELAYED] = { "LOGIN-DELAY", "too soon after the last login" },
    [POP3_TEMPORARY] = { "SYS/TEMP", "not possible now, try again later" },
    [POP3_PERMANENT] = { "SYS/PERM", "not possible until the administrator helps" },
    [POP3_DAMAGED] = { "SYS/PERM", "the message is damaged" },
};

struct pop3_outcome pop3_refuse(enum pop3_verdict verdict, struct text words)
{
    CHECK(stock[verdict].code != NULL);
    struct buffer escaped;
    buffer_init(&escaped, POP3_REPLY_OCTETS_MAX);
    enum pop3_fault fault = verdict == POP3_WRONG ? POP3_FAULT_LOGIN : POP3_FAULT_NONE;
    struct pop3_outcome o;
    /* One text for unknown users and wrong passwords, whatever the driver knows. */
    if (verdict != POP3_WRONG && words.len > 0 && escape_text(&escaped, words))
        o = pop3_err(fault, "[%s] %.*s", stock[verdict].code, TEXT_ARGS(buffer_as_text(&escaped)));
    else
        o = pop3_err(fault, "[%s] %s", stock[verdict].code, stock[verdict].words);
    buffer_clear(&escaped);
    return o;
}

/* Whether one more reaches the maximum; 0 is none. */
static bool count_up(uint32_t *count, uint32_t max)
{
    ++*count;
    return max > 0 && *count >= max;
}

void pop3_say(struct pop3_server *s, const struct pop3_reply *r)
{
    const char *words = r->words;
    if (r->fault == POP3_FAULT_CLIENT && count_up(&s->errors, s->config->errors_max)) {
        words = "rule errors: too many errors";
        s->phase = POP3_IN_CLOSE;
        s->too_many_errors = true;
    }
    if (r->fault == POP3_FAULT_LOGIN && count_up(&s->failed_logins, s->config->logins_max)) {
        s->phase = POP3_IN_CLOSE;
        s->too_many_logins = true;
    }
    char line[POP3_REPLY_OCTETS_MAX + 1];
    int n = snprintf(line, sizeof line, "%s %s\r\n", r->ok ? "+OK" : "-ERR", words);
    CHECK(n > 0 && (size_t)n < sizeof line);
    if (buffer_append(&s->output, line, (size_t)n) && r->fault != POP3_FAULT_NONE && s->stranger &&
        !(s->have & POP3_HAVE_LOGIN))
        penance_begin(&s->penance, s->mistakes_before + s->errors + s->failed_logins, (size_t)n,
                      s->now_ms);
}

static void say(struct pop3_server *s, struct pop3_outcome o)
{
    CHECK(o.kind == POP3_REPLIES);
    pop3_say(s, &o.reply);
}

/* --- What a session is --- */

static void set_deadline(struct pop3_server *s, uint64_t now_ms)
{
    uint64_t idle_ms = s->config->idle_ms;
    s->deadline_ms = idle_ms ? now_ms + idle_ms : UINT64_MAX;
    s->drained = false;
}

struct pop3_server *pop3_server_new(const struct pop3_server_config *config,
                                    const struct pop3_server_peer *peer, uint64_t now_ms)
{
    struct pop3_server *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->config = config;
    s->stranger = peer->stranger;
    s->mistakes_before = peer->mistakes;
    s->have =
        (peer->tls ? POP3_HAVE_TLS : 0) | (peer->tls || peer->cleartext ? POP3_MAY_LOG_IN : 0);
    buffer_init(&s->output, POP3_OUTPUT_OCTETS_MAX);
    buffer_init(&s->user, POP3_USER_OCTETS_MAX);
    buffer_init(&s->password, POP3_LINE_OCTETS_MAX);
    set_deadline(s, now_ms);
    /* No "<...>" in it: that would offer APOP (RFC 1939 7). */
    say(s, pop3_ok("%.*s POP3 server ready", TEXT_ARGS(config->hostname)));
    if (s->output.failed)
        pop3_server_free(&s);
    return s;
}

void pop3_server_free(struct pop3_server **session)
{
    struct pop3_server *s = *session;
    if (!s)
        return;
    pop3_forget_login(s);
    pop3_maildrop_clear(&s->maildrop);
    buffer_clear(&s->output);
    free(s);
    *session = NULL;
}

void pop3_server_reconfigure(struct pop3_server *s, const struct pop3_server_config *config)
{
    s->config = config;
}

unsigned pop3_has(const struct pop3_server *s)
{
    return s->have | (s->config->offer_tls ? POP3_MAY_TLS : 0) |
           (s->config->mechanisms.len > 0 ? POP3_MAY_AUTH : 0);
}

void pop3_forget_login(struct pop3_server *s)
{
    s->have &= ~(unsigned)POP3_HAVE_USER;
    buffer_clear(&s->user);
    buffer_wipe(&s->password);
    sasl_frame_wipe(&s->auth);
}

bool pop3_server_is_logged_in(const struct pop3_server *s)
{
    return s->have & POP3_HAVE_LOGIN;
}

bool pop3_server_line_is_secret(const struct pop3_server *s)
{
    return s->phase == POP3_IN_AUTH;
}

uint64_t pop3_server_deadline_ms(const struct pop3_server *s)
{
    if (penance_lasts(&s->penance))
        return s->penance.until_ms;
    return s->request_open ? UINT64_MAX : s->deadline_ms;
}

void pop3_server_input_ended(struct pop3_server *s)
{
    s->input_ended = true;
}

void pop3_server_shut_down(struct pop3_server *s, const char *words)
{
    s->farewell = words;
    penance_forgive(&s->penance);
}

void pop3_server_tls_started(struct pop3_server *s, uint64_t now_ms)
{
    CHECK(s->phase == POP3_IN_HANDSHAKE);
    pop3_forget_login(s); /* what was said in the clear may have been said by anyone */
    s->have = POP3_HAVE_TLS | POP3_MAY_LOG_IN;
    s->phase = POP3_IN_COMMAND;
    set_deadline(s, now_ms);
}

/* --- Output --- */

struct bytes pop3_server_output(const struct pop3_server *s)
{
    if (s->output_gone == s->output.len)
        return (struct bytes){ 0 };
    struct bytes all = { s->output.at + s->output_gone, s->output.len - s->output_gone };
    return penance_shows(&s->penance, all);
}

bool pop3_has_room(struct pop3_server *s, size_t octets)
{
    struct buffer *b = &s->output;
    if (octets > b->max - (b->len - s->output_gone))
        return false;
    if (octets > b->max - b->len) {
        buffer_take(b, s->output_gone);
        s->output_gone = 0;
    }
    return true;
}

/* A reply that memory was too short for leaves a gap that the client could take for another's. */
static void close_if_output_failed(struct pop3_server *s)
{
    if (s->output.failed)
        s->phase = POP3_IN_CLOSE;
}

void pop3_server_drained(struct pop3_server *s, size_t count)
{
    CHECK(count <= s->output.len - s->output_gone);
    if (count == 0)
        return;
    s->drained = s->wants_drain;
    s->output_gone += count;
    if (s->output_gone < s->output.len)
        return;
    close_if_output_failed(s);
    s->output_gone = s->output.len = 0;
    if (s->output.room > POP3_OUTPUT_OCTETS_KEPT)
        buffer_clear(&s->output);
}

/* --- Input --- */

size_t pop3_server_input_max(const struct pop3_server *s)
{
    uint32_t max = s->config->line_octets_max;
    if (s->phase == POP3_IN_AUTH) /* RFC 5034 4 */
        return SASL_LINE_MAX;
    if (max == 0 || max > POP3_LINE_OCTETS_MAX)
        return POP3_LINE_OCTETS_MAX;
    return max < POP3_LINE_OCTETS_MIN ? POP3_LINE_OCTETS_MIN : max;
}

enum line { LINE_INCOMPLETE, LINE_TOO_LONG, LINE_COMPLETE };

/* Takes a line, which then stands in *line_out without its end: CRLF, or a bare LF.  A line of more
 * than input_max octets is taken in pieces and told when it ends. */
static enum line take_line(struct pop3_server *s, struct bytes *in, struct text *line_out,
                           size_t *octets_out)
{
    struct text t = text_of_bytes(*in);
    size_t max = pop3_server_input_max(s);
    size_t lf = text_find(t, '\n');
    bool complete = lf < t.len;
    size_t octets = complete ? lf + 1 : t.len;
    bool too_long = s->discarding || octets > max || (!complete && octets == max);
    if (!complete && !too_long)
        return LINE_INCOMPLETE;
    *in = bytes_of_text(text_skip(t, octets));
    *octets_out = octets;
    if (too_long) {
        s->discarding = !complete;
        return complete ? LINE_TOO_LONG : LINE_INCOMPLETE;
    }
    *line_out = text_first(t, lf);
    if (lf > 0 && t.at[lf - 1] == '\r')
        line_out->len--;
    return LINE_COMPLETE;
}

/* --- The step loop --- */

/* What the session waits for, or orders. */
static bool do_next(struct pop3_step *step_out, enum pop3_step_kind kind)
{
    *step_out = (struct pop3_step){ .kind = kind };
    return true;
}

static bool open_request(struct pop3_server *s, struct pop3_step *step_out)
{
    CHECK(s->request_open == 0);
    if (++s->request_last == 0) /* 0 names none */
        ++s->request_last;
    s->request_open = step_out->request = s->request_last;
    s->request_kind = step_out->kind;
    return true;
}

/* True when *step_out is for the driver. */
static bool carry_out(struct pop3_server *s, const struct pop3_outcome *o,
                      struct pop3_step *step_out)
{
    if (o->kind == POP3_REPLIES)
        pop3_say(s, &o->reply);
    if (o->kind != POP3_ASKS)
        return false;
    *step_out = o->step;
    return open_request(s, step_out);
}

/* The session is between commands, or between a challenge and its response. */
static bool take_command(struct pop3_server *s, struct bytes *in, uint64_t now_ms,
                         struct pop3_step *step_out)
{
    struct text line;
    size_t octets;
    struct pop3_outcome o;
    if (!pop3_has_room(s, POP3_REPLY_ROOM))
        return do_next(step_out, POP3_NEED_DRAIN);
    if (s->farewell) {
        s->phase = POP3_IN_CLOSE;
        say(s, pop3_err(POP3_FAULT_NONE, "[SYS/TEMP] %s", s->farewell));
        return false;
    }
    enum line taken = take_line(s, in, &line, &octets);
    if (taken == LINE_INCOMPLETE) {
        if (!s->input_ended)
            return do_next(step_out, POP3_NEED_INPUT);
        s->phase = POP3_IN_CLOSE;
        return false;
    }
    set_deadline(s, now_ms);
    s->commands++;
    if (taken == LINE_TOO_LONG) {
        s->phase = POP3_IN_COMMAND; /* the end of an AUTH exchange too */
        o = pop3_err(POP3_FAULT_CLIENT, "the line is too long");
    } else if (s->phase == POP3_IN_AUTH) {
        o = pop3_auth_response(s, line);
    } else {
        o = pop3_command(s, line, octets);
    }
    return carry_out(s, &o, step_out);
}

/* One move.  True when *step_out is for the driver, false when the session can go on by itself. */
static bool advance(struct pop3_server *s, struct bytes *in, uint64_t now_ms,
                    struct pop3_step *step_out)
{
    struct pop3_outcome o;
    if (penance_lasts(&s->penance))
        return do_next(step_out, POP3_NEED_TIME);
    close_if_output_failed(s);
    switch (s->phase) {
    case POP3_IN_COMMAND:
    case POP3_IN_AUTH:
        return take_command(s, in, now_ms, step_out);
    case POP3_IN_RESUME:
        s->phase = POP3_IN_COMMAND;
        o = pop3_command_resume(s);
        return carry_out(s, &o, step_out);
    case POP3_IN_LISTING:
        return !pop3_listing_continue(s) && do_next(step_out, POP3_NEED_DRAIN);
    case POP3_IN_TRANSFER:
        if (!pop3_transfer_continue(s, step_out))
            return false;
        return step_out->kind == POP3_NEED_DRAIN || open_request(s, step_out);
    case POP3_IN_TLS:
        /* RFC 2595 4: what came with STLS was not said under TLS and never counts. */
        *in = (struct bytes){ in->at + in->len, 0 };
        s->phase = POP3_IN_HANDSHAKE;
        return do_next(step_out, POP3_START_TLS);
    case POP3_IN_HANDSHAKE:
        if (s->input_ended || s->farewell)
            break;
        return do_next(step_out, POP3_NEED_INPUT);
    case POP3_IN_CLOSE:
        break;
    }
    s->phase = POP3_IN_CLOSE;
    return do_next(step_out, POP3_CLOSE);
}

struct pop3_step pop3_server_step(struct pop3_server *s, struct bytes *in, uint64_t now_ms)
{
    struct pop3_step step;
    if (s->request_open)
        return (struct pop3_step){ .kind = POP3_NEED_ANSWER };
    s->now_ms = now_ms;
    if (penance_ends(&s->penance, now_ms))
        set_deadline(s, now_ms);
    if (s->drained) /* a client that reads what is long is not idle */
        set_deadline(s, now_ms);
    if (now_ms >= pop3_server_deadline_ms(s))
        s->phase = POP3_IN_CLOSE; /* RFC 1939 3: no UPDATE, and no reply */
    while (!advance(s, in, now_ms, &step))
        continue;
    s->wants_drain = step.kind == POP3_NEED_DRAIN;
    return step;
}

/* --- Answers --- */

static void logged_in(struct pop3_server *s, const struct pop3_answer *a)
{
    struct pop3_maildrop *m = &s->maildrop;
    s->have |= POP3_HAVE_LOGIN;
    m->count = a->count;
    m->octets = a->octets;
    if (m->count == 0)
        pop3_maildrop_listed(m, NULL);
    say(s, pop3_ok("maildrop has %" PRIu32 " messages (%" PRIu64 " octets)", m->count, m->octets));
}

static void login_answered(struct pop3_server *s, const struct pop3_answer *a)
{
    pop3_forget_login(s);
    if (a->verdict == POP3_ACCEPT)
        logged_in(s, a);
    else
        say(s, pop3_refuse(a->verdict, a->words));
}

static void auth_challenges(struct pop3_server *s, struct text challenge)
{
    buffer_text(&s->output, T("+ "));
    base64_encode(&s->output, bytes_of_text(challenge));
    buffer_text(&s->output, T("\r\n"));
    s->phase = POP3_IN_AUTH;
}

static void auth_answered(struct pop3_server *s, const struct pop3_answer *a)
{
    sasl_frame_wipe(&s->auth);
    if (a->verdict == POP3_CONTINUE)
        auth_challenges(s, a->words);
    else if (a->verdict == POP3_ACCEPT)
        login_answered(s, a);
    else
        say(s, pop3_refuse(a->verdict, a->words)); /* as if AUTH had not been said (RFC 5034 4) */
}

static void list_answered(struct pop3_server *s, const struct pop3_answer *a)
{
    if (a->verdict == POP3_ACCEPT) {
        pop3_maildrop_listed(&s->maildrop, a->messages);
        s->phase = POP3_IN_RESUME;
    } else {
        s->waiting = (struct pop3_waiting){ 0 };
        say(s, pop3_refuse(a->verdict, a->words));
    }
}

static void update_answered(struct pop3_server *s, const struct pop3_answer *a)
{
    if (a->verdict == POP3_ACCEPT)
        say(s, pop3_ok("%.*s POP3 server signing off", TEXT_ARGS(s->config->hostname)));
    else
        say(s, pop3_refuse(a->verdict, T("some deleted messages not removed")));
}

enum { /* sets of verdicts */
       EITHER_WAY = 1 << POP3_ACCEPT | 1 << POP3_TEMPORARY | 1 << POP3_PERMANENT,
       LOGGING_IN = EITHER_WAY | 1 << POP3_WRONG | 1 << POP3_IN_USE | 1 << POP3_LOGIN_DELAYED,
};

static const struct {
    void (*run)(struct pop3_server *, const struct pop3_answer *);
    unsigned verdicts;
} answers[] = {
    [POP3_LOGIN] = { login_answered, LOGGING_IN },
    [POP3_AUTH_STEP] = { auth_answered, LOGGING_IN | 1 << POP3_CONTINUE },
    [POP3_LIST] = { list_answered, EITHER_WAY },
    [POP3_READ] = { pop3_transfer_answered, EITHER_WAY | 1 << POP3_DAMAGED },
    [POP3_UPDATE] = { update_answered, EITHER_WAY },
};

void pop3_server_answer(struct pop3_server *s, uint32_t request, struct pop3_answer a,
                        uint64_t now_ms)
{
    CHECK(request != 0);
    CHECK(request == s->request_open);
    CHECK(answers[s->request_kind].verdicts >> a.verdict & 1);
    s->request_open = 0;
    s->now_ms = now_ms;
    set_deadline(s, now_ms);
    answers[s->request_kind].run(s, &a);
}

struct mistakes pop3_server_mistakes(const struct pop3_server *s)
{
    return (struct mistakes){ .commands = s->commands,
                              .errors = s->errors,
                              .logins = s->failed_logins,
                              .too_many_errors = s->too_many_errors,
                              .too_many_logins = s->too_many_logins };
}
