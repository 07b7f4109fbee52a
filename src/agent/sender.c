/* sender.c - a session that sends mail: what the machine is given, what is done with its results.
 *
 * A message is in the machine as a flight: the slice of its recipients that the server takes at
 * once.  A flight of which a used session's server had not heard anything flies again.
 */
#include "agent/sender.h"

#include "agent/link.h"
#include "base/check.h"

#include <stdlib.h>
#include <string.h>

/* The one that is sent, and the one behind it. */
enum { FLIGHTS = 2 };

struct flight {
    struct smtp_client_message slice;
    const struct smtp_client_message *message; /* NULL: this one is free */
    uint32_t first;
    bool again; /* its session was gone before it had heard of it */
};

struct sender {
    const struct sender_options *options;
    struct link link;
    struct login login;
    struct smtp_client *machine;
    struct smtp_client_config config;
    char literal[ENDPOINT_TEXT_MAX];
    bool logging_in; /* lines are secrets */
    bool quits;
    bool ready; /* the session got as far as to take messages */
    bool used;  /* it has */

    const struct sender_source *source;     /* during sender_run() */
    const struct smtp_client_message *rest; /* has recipients from rest_first on that did not fly */
    uint32_t rest_first;
    struct flight flights[FLIGHTS];
    bool renew; /* the session ended, and another is to go on */
};

/* --- The machine --- */

static bool begin(void *owner)
{
    static const enum smtp_client_tls wishes[] = {
        [LINK_TLS_NEVER] = SMTP_CLIENT_TLS_NEVER,
        [LINK_TLS_IF_OFFERED] = SMTP_CLIENT_TLS_IF_OFFERED,
        [LINK_TLS_MUST] = SMTP_CLIENT_TLS_MUST,
    };
    struct sender *s = owner;
    s->config = (struct smtp_client_config){
        .hostname = s->options->hostname.len ? s->options->hostname
                                             : link_our_literal(&s->link, s->literal),
        .tls = wishes[link_wish(&s->link)],
        .secured = s->link.secured,
        .lmtp = s->options->lmtp,
        .login = s->options->credentials != NULL,
        SMTP_CLIENT_USUAL_TIMES,
    };
    s->ready = s->used = s->quits = s->logging_in = false;
    s->machine = smtp_client_new(&s->config, link_now_ms(&s->link));
    return s->machine != NULL;
}

static void end(void *owner)
{
    struct sender *s = owner;
    smtp_client_free(&s->machine);
    login_clear(&s->login);
}

static enum trace_kind said(const void *owner)
{
    const struct sender *s = owner;
    return s->logging_in && !smtp_client_failure(s->machine) ? TRACE_SECRET : TRACE_WORDS;
}

LINK_PASSES_ON(struct sender, smtp_client)

static bool is_settled(const void *owner)
{
    const struct sender *s = owner;
    const struct smtp_client_result *r = smtp_client_failure(s->machine);
    return s->ready || !r || (r->where > AT_STARTTLS && r->where != AT_LOCAL);
}

/* --- Login --- */

static void tell_words(struct sender *s, const struct sasl_words *words, uint64_t now)
{
    smtp_client_auth(s->machine, words, now);
    trace_said(&s->link.trace, s->logging_in ? TRACE_SECRET : TRACE_WORDS,
               smtp_client_output(s->machine));
    s->logging_in = true;
}

static void log_in(struct sender *s, const struct smtp_client_step *step, uint64_t now)
{
    struct sasl_words words;
    const char *obstacle = step->begins ? link_obstacle(&s->link) : NULL;
    if (obstacle) {
        smtp_client_auth_failed(s->machine, text_of(obstacle), now);
        return;
    }
    bool ok = step->begins ? login_begin(&s->login, s->options->credentials,
                                         smtp_client_offers(s->machine)->mechanisms,
                                         link_binding(&s->link), &words)
                           : login_go_on(&s->login, step->challenge, &words);
    if (ok)
        tell_words(s, &words, now);
    else
        smtp_client_auth_failed(s->machine, error_text(&s->login.error), now);
}

/* --- Messages --- */

static struct flight *free_flight(struct sender *s)
{
    for (int i = 0; i < FLIGHTS; i++)
        if (!s->flights[i].message)
            return &s->flights[i];
    return NULL;
}

static struct flight *flight_again(struct sender *s)
{
    for (int i = 0; i < FLIGHTS; i++)
        if (s->flights[i].message && s->flights[i].again)
            return &s->flights[i];
    return NULL;
}

/* How many recipients the server takes at a time (RFC 9422). */
static uint32_t slice_max(const struct sender *s)
{
    uint32_t max = smtp_client_offers(s->machine)->recipients_max;
    return max ? max : UINT32_MAX;
}

/* The next slice of what there is to send; NULL: nothing. */
static struct flight *next_flight(struct sender *s)
{
    struct flight *f = flight_again(s);
    if (f || !s->source)
        return f;
    f = free_flight(s);
    if (!f)
        return NULL;
    if (!s->rest) {
        s->rest = s->source->next(s->source->owner);
        s->rest_first = 0;
    }
    if (!s->rest)
        return NULL;
    uint32_t left = s->rest->recipient_count - s->rest_first, max = slice_max(s);
    *f = (struct flight){ .slice = *s->rest, .message = s->rest, .first = s->rest_first };
    f->slice.recipients += f->first;
    f->slice.recipient_count = left < max ? left : max;
    s->rest_first += f->slice.recipient_count;
    if (s->rest_first == s->rest->recipient_count)
        s->rest = NULL;
    return f;
}

static struct flight *flight_of(const struct smtp_client_message *slice)
{
    return OWNER_OF(slice, struct flight, slice);
}

static const struct smtp_client_result *result_of(void *from, uint32_t index)
{
    return smtp_client_result(from, index);
}

static const struct smtp_client_result *same_result(void *from, uint32_t index)
{
    (void)index;
    return from;
}

/* Tells the source what became of the slice. */
static void tell_sent(struct sender *s, struct flight *f,
                      const struct smtp_client_result *(*result)(void *, uint32_t), void *from)
{
    struct sender_sent sent = { .message = f->message };
    uint32_t count = f->slice.recipient_count;
    f->message = NULL;
    for (uint32_t told = 0; told < count; told += sent.count) {
        sent.first = f->first + told;
        sent.count = count - told < SENDER_RESULTS_MAX ? count - told : SENDER_RESULTS_MAX;
        for (uint32_t i = 0; i < sent.count; i++)
            sent.results[i] = result(from, told + i);
        s->source->sent(s->source->owner, &sent);
    }
}

/* A server ends a session that was used before, and has not heard anything of this message. */
static bool says_nothing(const struct sender *s, const struct smtp_client_result *r)
{
    return s->used && !r->delivered && !r->permanent && (r->code == 0 || r->code == 421) &&
           r->where <= AT_MAIL;
}

static void take_sent(struct sender *s, const struct smtp_client_message *slice)
{
    struct flight *f = flight_of(slice);
    if (says_nothing(s, smtp_client_result(s->machine, 0))) {
        f->again = s->renew = true;
        return;
    }
    s->used = true;
    tell_sent(s, f, result_of, s->machine);
}

/* Gives the machine its next message.  Returns whether there was one. */
static bool send_next(struct sender *s, uint64_t now)
{
    struct flight *f = next_flight(s);
    if (!f)
        return false;
    f->again = !smtp_client_send(s->machine, &f->slice, now);
    if (f->again) /* sender_run() tells it, once the session is over */
        smtp_client_input_ended(s->machine, T("memory is short here"));
    return true;
}

static enum link_turn be_ready(struct sender *s, uint64_t now)
{
    s->ready = true;
    s->logging_in = false;
    login_clear(&s->login);
    if (s->quits || (!smtp_client_may_send(s->machine) && s->source)) {
        s->renew = !s->quits;
        smtp_client_quit(s->machine, now);
        return LINK_AGAIN;
    }
    return send_next(s, now) ? LINK_AGAIN : LINK_REST;
}

static void read_body(struct sender *s, const struct smtp_client_step *step, uint64_t now)
{
    struct flight *f = flight_of(step->message);
    struct bytes piece;
    if (!s->source->read(s->source->owner, f->message, step->offset, &piece)) {
        smtp_client_body_failed(s->machine, now);
        return;
    }
    smtp_client_body(s->machine, piece, now);
    trace_said(&s->link.trace, TRACE_CONTENT, smtp_client_output(s->machine));
}

static enum link_turn wait_on(struct sender *s, uint64_t now)
{
    bool more = s->source && smtp_client_may_send(s->machine) && send_next(s, now);
    return more ? LINK_AGAIN : LINK_WAIT;
}

static enum link_turn step(void *owner, struct bytes *in, uint64_t now)
{
    struct sender *s = owner;
    const uint8_t *from = in->at;
    struct smtp_client_step step = smtp_client_step(s->machine, in, now);
    trace_heard(&s->link.trace, TRACE_WORDS, (struct bytes){ from, (size_t)(in->at - from) });
    switch (step.kind) {
    case SMTP_CLIENT_NEED_INPUT:
        return wait_on(s, now);
    case SMTP_CLIENT_NEED_DRAIN:
    case SMTP_CLIENT_NEED_ANSWER:
        return LINK_WAIT;
    case SMTP_CLIENT_READY:
        return be_ready(s, now);
    case SMTP_CLIENT_READ_BODY:
        read_body(s, &step, now);
        return LINK_AGAIN;
    case SMTP_CLIENT_MAY_FINISH:
        smtp_client_finish(s->machine, now);
        return LINK_AGAIN;
    case SMTP_CLIENT_AUTH:
        log_in(s, &step, now);
        return LINK_AGAIN;
    case SMTP_CLIENT_START_TLS:
        return LINK_START_TLS;
    case SMTP_CLIENT_SENT:
        take_sent(s, step.message);
        return LINK_AGAIN;
    case SMTP_CLIENT_CLOSE:
        return LINK_OVER;
    }
    return LINK_OVER;
}

static bool failure(void *owner, struct failure *f);

static const struct link_machine smtp = {
    .begin = begin,
    .end = end,
    .step = step,
    .said = said,
    LINK_PASSED_ON,
    .failure = failure,
    .is_settled = is_settled,
    .input_max = 64 * 1024,
};

/* --- Failures --- */

static const char *step_name(enum smtp_client_where where)
{
    static const char *const names[] = {
        [AT_CONNECT] = "connecting", [AT_GREETING] = "the greeting",
        [AT_HELLO] = "EHLO",         [AT_STARTTLS] = "STARTTLS",
        [AT_AUTH] = "the login",     [AT_IDLE] = "waiting for the next message",
        [AT_MAIL] = "the sender",    [AT_RCPT] = "a recipient",
        [AT_DATA] = "the message",   [AT_END_OF_DATA] = "the end of the message",
        [AT_LOCAL] = "the message",
    };
    return names[where];
}

/* Our own word, with a status for what happened: it was no SMTP that was heard (X.5), or
 * we would not say the password. */
static bool is_ours(const struct smtp_client_result *r, const char *status)
{
    return r->code == 0 && strcmp(r->status, status) == 0;
}

static enum failure_kind kind_of(const struct smtp_client_result *r)
{
    if (is_ours(r, "4.5.0"))
        return FAILURE_PROTOCOL;
    if (r->where == AT_AUTH)
        return r->code >= 500 || is_ours(r, "4.7.0") ? FAILURE_DENIED : FAILURE_LATER;
    if (!r->permanent)
        return r->where == AT_STARTTLS ? FAILURE_PROTOCOL : FAILURE_LATER;
    if (r->where == AT_LOCAL)
        return FAILURE_DATA;
    if (r->where == AT_RCPT && strncmp(r->status, "5.1.", 4) == 0)
        return FAILURE_NO_USER;
    return r->code == 550 && r->where == AT_RCPT ? FAILURE_NO_USER : FAILURE_REFUSED;
}

static const char *advice_for(const struct sender *s, const struct smtp_client_result *r)
{
    static const char later[] = "; try again later";
    if (is_ours(r, "4.5.0"))
        return r->where <= AT_HELLO ? "; is that a mail server, and the port right?" : "";
    switch (r->where) {
    case AT_STARTTLS:
        return link_tls_advice(&s->link);
    case AT_AUTH:
        if (r->code >= 500)
            return "; check the address and the password";
        return is_ours(r, "4.7.0") ? "" : later;
    case AT_MAIL:
        if (r->code == 530)
            return "; the server wants a login: give a password";
        return r->permanent ? "; may this sender send through this server?" : later;
    case AT_RCPT:
        if (r->permanent)
            return s->link.has_login ? "; check the address"
                                     : "; check the address, or give a password";
        return later;
    case AT_END_OF_DATA:
        if (r->code == 0) /* RFC 1047 */
            return "; the server may have taken it all the same: sent again it may come twice";
        return r->permanent ? "" : later;
    default:
        return r->permanent ? "" : later;
    }
}

static void explain(const struct sender *s, struct text about, const struct smtp_client_result *r,
                    struct failure *out)
{
    char reply[FAILURE_REPLY_MAX];
    failure_set(out, kind_of(r), "%s, at %s%s%.*s: %s%s", s->link.where, step_name(r->where),
                about.len ? " " : "", TEXT_ARGS(about), failure_reply(r->reply, reply),
                advice_for(s, r));
}

static bool failure(void *owner, struct failure *f)
{
    struct sender *s = owner;
    const struct smtp_client_result *r = smtp_client_failure(s->machine);
    if (r)
        explain(s, T(""), r, f);
    return r != NULL;
}

void sender_explain(const struct sender *s, struct text recipient,
                    const struct smtp_client_result *r, struct failure *out)
{
    bool about = r->where == AT_RCPT;
    explain(s, about ? recipient : T(""), r, out);
}

/* --- The caller's side --- */

bool sender_open(struct agent *agent, const struct sender_options *options, struct sender **out,
                 struct failure *f)
{
    struct sender *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s)
        return failure_set(f, FAILURE_LATER, "memory is short");
    s->options = options;
    link_init(&s->link, agent, &smtp, s);
    s->link.tls = options->tls;
    s->link.has_login = options->credentials != NULL;
    trace_begin(&s->link.trace, options->trace);
    if (!link_open(&s->link, options->servers, f)) {
        sender_close(&s);
        return false;
    }
    *out = s;
    return true;
}

void sender_close(struct sender **sender)
{
    struct sender *s = *sender;
    struct failure ignored;
    if (!s)
        return;
    if (s->link.state == LINK_RESTING) {
        s->quits = true;
        link_run(&s->link, &ignored);
    }
    link_close(&s->link);
    free(s);
    *sender = NULL;
}

/* The same host once more. */
static bool reopen(struct sender *s, struct failure *f)
{
    const struct trace *to = s->options->trace;
    struct servers one = { .at = { s->link.server }, .count = 1 };
    link_close(&s->link);
    trace_begin(&s->link.trace, to);
    s->renew = false;
    return link_open(&s->link, &one, f);
}

/* What did not fly, or was not heard of, gets this reason. */
static void fail_flights(struct sender *s, const struct failure *f)
{
    struct smtp_client_result r = { .where = AT_CONNECT,
                                    .status = "4.4.1",
                                    .reply = text_of(f->words) };
    for (int i = 0; i < FLIGHTS; i++)
        if (s->flights[i].message)
            tell_sent(s, &s->flights[i], same_result, &r);
    if (!s->rest)
        return;
    struct flight last = { .slice = *s->rest, .message = s->rest, .first = s->rest_first };
    last.slice.recipient_count -= s->rest_first;
    s->rest = NULL;
    tell_sent(s, &last, same_result, &r);
}

bool sender_run(struct sender *s, const struct sender_source *source, struct failure *f)
{
    bool ok;
    f->kind = FAILURE_NONE;
    s->source = source;
    do {
        ok = (s->link.state == LINK_ENDED || s->link.state == LINK_CLOSED) ? reopen(s, f) : true;
        ok = ok && link_run(&s->link, f);
    } while (s->renew && f->kind != FAILURE_INTERRUPTED && s->link.state == LINK_ENDED);
    if (!ok)
        fail_flights(s, f);
    s->source = NULL;
    return ok;
}

static const struct smtp_client_message *next_letter(void *owner)
{
    const struct sender_letter **letter = owner;
    const struct sender_letter *one = letter[0];
    letter[0] = NULL;
    return one ? &one->message : NULL;
}

static bool read_letter(void *owner, const struct smtp_client_message *message, uint64_t offset,
                        struct bytes *piece_out)
{
    (void)owner;
    const struct sender_letter *l = (const struct sender_letter *)(const void *)message;
    *piece_out = (struct bytes){ l->content.at + offset, l->content.len - (size_t)offset };
    return true;
}

static void sent_letter(void *owner, const struct sender_sent *sent)
{
    (void)owner;
    const struct sender_letter *l = (const struct sender_letter *)(const void *)sent->message;
    if (l->sent)
        l->sent(l->owner, sent);
}

bool sender_send(struct sender *s, const struct sender_letter *letter, struct failure *f)
{
    struct sender_source one = { next_letter, read_letter, sent_letter, &letter };
    return sender_run(s, &one, f);
}

const char *sender_where(const struct sender *s)
{
    return s->link.where;
}

const struct smtp_client_offers *sender_offers(const struct sender *s)
{
    return smtp_client_offers(s->machine);
}

/* --- The server's name for a message --- */

static bool is_id(char c)
{
    return text_is_digit(c) || (text_lower(c) >= 'a' && text_lower(c) <= 'z') || c == '-' ||
           c == '.' || c == '_' || c == '/';
}

struct text sender_queue_id(struct text reply)
{
    static const struct text before[] = { TEXT(" queued as "), TEXT(" accepted as "), TEXT(" id="),
                                          TEXT(" queue id ") };
    for (size_t at = 0; at < reply.len; at++)
        for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
            struct text rest = text_skip(reply, at);
            if (!text_take_nocase(&rest, before[i]))
                continue;
            size_t len = 0;
            while (len < rest.len && is_id(rest.at[len]))
                len++;
            return text_first(rest, len);
        }
    return T("");
}
