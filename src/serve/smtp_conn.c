/* smtp_conn.c - an SMTP session on a loop: carries out what proto/smtp_server asks for.
 *
 * It decides nothing about the protocol and nothing about policy: the machine knows the one,
 * serve/policy.c the other.  Each request is answered exactly once, at once from the loop's address
 * cache or later by a lookup or a commit.
 */
#include "serve/conn.h"

#include "base/check.h"
#include "serve/author.h"
#include "serve/delivery.h"
#include "serve/exchange.h"
#include "serve/guard.h"
#include "serve/policy.h"
#include "serve/screen.h"

#include <stdio.h>
#include <stdlib.h>

enum body_phase { NO_BODY, DATA_BODY, BDAT_BODY };

struct smtp_conn {
    struct conn conn;
    struct smtp_server *machine;
    struct policy_peer peer;
    struct exchange *exchange; /* AUTH */
    struct screen *screen;     /* of a stranger, when rules are on; from the first MAIL */
    uint32_t auth_request;
    struct delivery *delivery; /* from the first accepted recipient to the end of the transaction */
    struct lookup *lookup;     /* the question under way */
    void (*found)(struct smtp_conn *, const struct lookup *); /* what its answer means */
    struct address only;                                      /* the first accepted recipient */
    const struct smtp_rcpt *rcpt; /* the parameters of the open CHECK_RECIPIENT */
    uint32_t commit_request;
    const struct content_facts *commit_facts; /* of its body */
    struct author_check *author;              /* of its header, for who has logged in */
    enum body_phase body_phase;               /* what the input is now, for the protocol log */
    bool body_waits;                          /* the spool wants no more for the moment */
};

static struct smtp_conn *smtp_of(struct conn *c)
{
    return OWNER_OF(c, struct smtp_conn, conn);
}

static const struct smtp_answer out_of_memory = { SMTP_DEFER, 452, "4.3.1",
                                                  TEXT("memory is short, try again later") };

static void answer(struct smtp_conn *s, uint32_t request, struct smtp_answer a)
{
    smtp_server_answer(s->machine, request, a, loop_now_ms(s->conn.home->loop));
}

static void accept_request(struct smtp_conn *s, uint32_t request)
{
    answer(s, request, (struct smtp_answer){ .verdict = SMTP_ACCEPT });
}

static void end_delivery(struct smtp_conn *s)
{
    author_check_free(&s->author);
    delivery_release(&s->delivery);
    s->body_phase = NO_BODY;
    s->body_waits = false;
}

/* A refusal that somebody will ask about: which peer, which address, which rule. */
static void log_refused(struct smtp_conn *s, const struct address *address, const char *what,
                        const struct smtp_answer *a)
{
    char code[8], peer[ENDPOINT_TEXT_MAX];
    snprintf(code, sizeof code, "%u", a->code);
    LOG_EVENT(conn_log(&s->conn), LOG_INFO, conn_session(&s->conn), "refused",
              { "what", text_of(what) }, { "address", address_text(address) },
              { "code", text_of(code) }, { "status", text_of(a->status) }, { "why", a->words },
              { "peer", endpoint_print(&s->conn.peer, peer) });
}

/* --- Lookups --- */

typedef void found_function(struct smtp_conn *, const struct lookup *);
static found_function sender_found, owner_found, recipient_found, name_verified, name_expanded;

static void lookup_answered(struct lookup *l)
{
    struct smtp_conn *s = l->owner;
    struct server_loop *home = l->holds;
    if (s) {
        s->lookup = NULL;
        s->found(s, l);
    }
    lookup_free(&l);
    if (s)
        conn_resume(&s->conn);
    server_loop_release(home);
}

static void ask_people(struct smtp_conn *s, enum lookup_kind kind, const struct address *address,
                       uint32_t request, found_function *found)
{
    struct server_loop *home = s->conn.home;
    struct lookup *l = lookup_new(kind, address);
    if (!l) {
        answer(s, request, out_of_memory);
        return;
    }
    l->settings = s->conn.settings;
    l->home = home->loop;
    l->holds = home;
    l->done = lookup_answered;
    l->owner = s;
    l->request = request;
    if (!people_ask(home->server->people, l)) {
        lookup_free(&l);
        answer(s, request,
               (struct smtp_answer){ SMTP_DEFER, 451, "4.3.2", T("too busy, try again later") });
        return;
    }
    server_loop_hold(home);
    s->lookup = l;
    s->found = found;
}

/* --- MAIL --- */

static void judge_sender(struct smtp_conn *s, const struct address *address,
                         const struct resolved *resolved, uint32_t request)
{
    struct smtp_answer a = policy_sender(resolved);
    if (a.verdict != SMTP_ACCEPT)
        log_refused(s, address, "sender", &a);
    answer(s, request, a);
}

static void sender_found(struct smtp_conn *s, const struct lookup *l)
{
    address_cache_keep(s->conn.home->cache, l);
    judge_sender(s, &l->address, &l->resolved, l->request);
}

/* The sender is the login's own: what is left to ask is whether he has sent enough. */
static void accept_owner(struct smtp_conn *s, const struct address *address, uint32_t request)
{
    struct server_loop *home = s->conn.home;
    uint32_t max = s->conn.settings->config->messages_hourly;
    if (quota_take(home->server->quota, s->peer.mailbox, QUOTA_MESSAGES, max,
                   loop_now_ms(home->loop))) {
        accept_request(s, request);
        return;
    }
    struct policy_words words;
    struct smtp_answer a = policy_sent_enough(&s->peer, "messages", max, &words);
    log_refused(s, address, "sender", &a);
    answer(s, request, a);
}

/* `resolved` is NULL for who is not ours. */
static void judge_owner(struct smtp_conn *s, const struct address *address,
                        const struct resolved *resolved, uint32_t request)
{
    struct policy_words words;
    if (resolved && policy_owns(&s->peer, resolved)) {
        accept_owner(s, address, request);
        return;
    }
    struct smtp_answer a = policy_not_owner(&s->peer, address, resolved, &words);
    log_refused(s, address, "sender", &a);
    answer(s, request, a);
}

static void owner_found(struct smtp_conn *s, const struct lookup *l)
{
    address_cache_keep(s->conn.home->cache, l);
    judge_owner(s, &l->address, &l->resolved, l->request);
}

static void check_owner(struct smtp_conn *s, const struct smtp_step *step)
{
    const struct config *config = s->conn.settings->config;
    const struct resolved *known = address_cache_find(s->conn.home->cache, step->address);
    if (policy_is_self(config, &s->peer, step->address))
        accept_owner(s, step->address, step->request);
    else if (known || !config_domain(config, address_domain(step->address)))
        judge_owner(s, step->address, known, step->request);
    else
        ask_people(s, LOOKUP_ADDRESS, step->address, step->request, owner_found);
}

static void begin_screen(struct smtp_conn *);

static void check_sender(struct smtp_conn *s, const struct smtp_step *step)
{
    const struct resolved *known;
    struct smtp_answer refusal;
    begin_screen(s);
    if (!policy_store_takes_mail(store_health(s->conn.home->server->store), &refusal)) {
        log_refused(s, step->address, "sender", &refusal);
        answer(s, step->request, refusal);
    } else if (s->peer.authenticated) {
        check_owner(s, step);
    } else if (!policy_asks_for_sender(s->conn.settings->config, &s->peer, step->address)) {
        accept_request(s, step->request);
    } else if ((known = address_cache_find(s->conn.home->cache, step->address))) {
        judge_sender(s, step->address, known, step->request);
    } else {
        ask_people(s, LOOKUP_ADDRESS, step->address, step->request, sender_found);
    }
}

/* --- RCPT --- */

static const struct delivery_events delivery_events;

static void complete(const struct smtp_conn *s, struct address *address)
{
    struct endpoint here = { 0 };
    if (address->literal)
        here = stream_local(s->conn.stream);
    resolve_complete(s->conn.settings->config, &here, address);
}

/* `resolved` is NULL for who is not ours. */
static void add_recipient(struct smtp_conn *s, const struct address *address,
                          const struct resolved *resolved, uint32_t request)
{
    struct recipient_named named = { address, resolved, s->rcpt };
    if (s->screen && !screen_admits(s->screen, SCREEN_GREYLIST, address, request))
        return;
    if (!s->delivery)
        s->delivery = delivery_new(s->conn.home, &delivery_events, s);
    enum recipients_add added =
        s->delivery ? delivery_add(s->delivery, &named) : RECIPIENT_NO_MEMORY;
    if (added == RECIPIENT_TOO_MANY) {
        answer(s, request,
               (struct smtp_answer){ SMTP_DEFER, 452, "4.5.3", T("too many recipients") });
    } else if (added == RECIPIENT_NO_MEMORY) {
        answer(s, request, out_of_memory);
    } else {
        if (smtp_server_recipient_count(s->machine) == 0)
            s->only = *address;
        accept_request(s, request);
    }
}

static void find_recipient(struct smtp_conn *s, const struct address *address, uint32_t request)
{
    struct smtp_answer refusal;
    const struct resolved *known = address_cache_find(s->conn.home->cache, address);
    if (known) {
        add_recipient(s, address, known, request);
        return;
    }
    switch (policy_route(s->conn.settings->config, &s->peer, address, &refusal)) {
    case POLICY_LOCAL:
        ask_people(s, LOOKUP_ADDRESS, address, request, recipient_found);
        break;
    case POLICY_REMOTE:
        add_recipient(s, address, NULL, request);
        break;
    case POLICY_DENIED:
        log_refused(s, address, "recipient", &refusal);
        answer(s, request, refusal);
        break;
    }
}

/* Whether somebody who has logged in may send to one more; if not, it is answered. */
static bool may_send_on(struct smtp_conn *s, const struct smtp_step *step)
{
    struct server_loop *home = s->conn.home;
    uint32_t max = s->conn.settings->config->recipients_hourly;
    struct policy_words words;
    if (!s->peer.authenticated || quota_take(home->server->quota, s->peer.mailbox, QUOTA_RECIPIENTS,
                                             max, loop_now_ms(home->loop)))
        return true;
    struct smtp_answer a = policy_sent_enough(&s->peer, "recipients", max, &words);
    log_refused(s, step->address, "recipient", &a);
    answer(s, step->request, a);
    return false;
}

static void check_recipient(struct smtp_conn *s, const struct smtp_step *step)
{
    struct address address = *step->address;
    if (!may_send_on(s, step))
        return;
    s->rcpt = step->rcpt;
    complete(s, &address);
    if (!s->screen || screen_admits(s->screen, SCREEN_RULES, &address, step->request))
        find_recipient(s, &address, step->request);
}

static void passed_screen(struct conn *c, const struct address *address, uint32_t request)
{
    find_recipient(smtp_of(c), address, request);
    conn_resume(c);
}

static void stopped_at_screen(struct conn *c, const struct address *address, uint32_t request,
                              const struct smtp_answer *refusal)
{
    log_refused(smtp_of(c), address, "recipient", refusal);
    answer(smtp_of(c), request, *refusal);
    conn_resume(c);
}

static void begin_screen(struct smtp_conn *s)
{
    struct screen_host host = { &s->conn, s->machine, passed_screen, stopped_at_screen };
    if (!s->screen && screen_is_wanted(&s->conn))
        s->screen = screen_new(&host);
}

static void recipient_found(struct smtp_conn *s, const struct lookup *l)
{
    address_cache_keep(s->conn.home->cache, l);
    if (l->resolved.verdict == RESOLVED) {
        add_recipient(s, &l->address, &l->resolved, l->request);
        return;
    }
    struct smtp_answer a = policy_recipient(l->resolved.verdict);
    if (l->resolved.verdict == RESOLVE_UNKNOWN)
        guard_count(&s->conn, OFFENCE_UNKNOWN, 1);
    if (l->resolved.verdict == RESOLVE_TROUBLE)
        server_note(s->conn.home->server, LOG_WARNING, "directory", l->resolved.error.words);
    log_refused(s, &l->address, "recipient", &a);
    answer(s, l->request, a);
}

/* --- VRFY and EXPN --- */

/* A name is an address, or a local part when there is one domain (RFC 5321 3.5.1). */
static bool read_name(struct smtp_conn *s, struct text words, struct address *out)
{
    const struct config *config = s->conn.settings->config;
    struct text rest = words;
    if (address_parse(words, ADDRESS_UTF8, out) == ADDRESS_OK)
        return true;
    if (address_take_path(&rest, ADDRESS_UTF8 | ADDRESS_POSTMASTER, out) == ADDRESS_OK &&
        rest.len == 0) {
        complete(s, out);
        return true;
    }
    char whole[ADDRESS_TEXT_MAX];
    if (words.len > ADDRESS_LOCAL_MAX || config->domain_count == 0)
        return false;
    int len = snprintf(whole, sizeof whole, "%.*s@%.*s", TEXT_ARGS(words),
                       TEXT_ARGS(config->domains[0].name));
    return address_parse((struct text){ whole, (size_t)len }, ADDRESS_UTF8, out) == ADDRESS_OK;
}

static void look_up_name(struct smtp_conn *s, const struct smtp_step *step, enum lookup_kind kind,
                         found_function *found)
{
    struct address address;
    if (!read_name(s, step->words, &address))
        answer(s, step->request,
               (struct smtp_answer){ SMTP_REJECT, 550, "5.1.1", T("no such user here") });
    else
        ask_people(s, kind, &address, step->request, found);
}

static void verify(struct smtp_conn *s, const struct smtp_step *step)
{
    look_up_name(s, step, LOOKUP_ADDRESS, name_verified);
}

static void name_verified(struct smtp_conn *s, const struct lookup *l)
{
    char words[ADDRESS_TEXT_MAX + 3];
    struct smtp_answer a = policy_verify(&l->resolved);
    if (a.verdict == SMTP_ACCEPT) {
        int len = snprintf(words, sizeof words, "<%.*s>", TEXT_ARGS(address_text(&l->address)));
        a.words = (struct text){ words, (size_t)len };
    }
    answer(s, l->request, a);
}

static void expand(struct smtp_conn *s, const struct smtp_step *step)
{
    look_up_name(s, step, LOOKUP_EXPAND, name_expanded);
}

static void name_expanded(struct smtp_conn *s, const struct lookup *l)
{
    struct smtp_answer a = policy_expand(l->expansion.verdict);
    struct buffer lines;
    buffer_init(&lines, 200 * 1024);
    for (size_t i = 0; a.verdict == SMTP_ACCEPT && i < l->expansion.count; i++)
        buffer_printf(&lines, "%s<%.*s>", i ? "\n" : "", TEXT_ARGS(l->expansion.lines[i]));
    if (lines.failed)
        a = out_of_memory;
    else if (a.verdict == SMTP_ACCEPT)
        a.words = buffer_as_text(&lines);
    answer(s, l->request, a);
    buffer_clear(&lines);
}

/* --- The body --- */

/* Who sends as <> is the author of what he sends. */
static bool mend_header(struct smtp_conn *s)
{
    const struct address *sender = smtp_server_sender(s->machine);
    return delivery_amend(s->delivery, address_text(sender->len ? sender : &s->peer.login));
}

static void open_message(struct smtp_conn *s, const struct smtp_step *step)
{
    const struct smtp_mail *mail = smtp_server_mail(s->machine);
    struct trace_received trace = {
        .hello = smtp_server_hello(s->machine),
        .peer = s->conn.peer,
        .hostname = s->conn.settings->config->hostname,
        .esmtp = smtp_server_is_esmtp(s->machine),
        .utf8 = mail && mail->smtputf8,
        .tls = s->conn.tls,
        .authenticated = smtp_server_is_authenticated(s->machine),
    };
    if (!s->delivery || (s->peer.authenticated && !mend_header(s)) ||
        !delivery_open(s->delivery, &trace, &s->only, smtp_server_recipient_count(s->machine))) {
        answer(s, step->request, out_of_memory);
        return;
    }
    accept_request(s, step->request);
}

static void append_body(struct smtp_conn *s, const struct smtp_step *step)
{
    bool wait;
    delivery_body(s->delivery, step->body, &wait);
    s->body_waits = wait;
}

static void body_ready(void *owner)
{
    struct smtp_conn *s = owner;
    s->body_waits = false;
    conn_resume(&s->conn);
}

static void refuse_message(struct smtp_conn *s, const struct smtp_answer *a)
{
    log_refused(s, smtp_server_sender(s->machine), "message", a);
    answer(s, s->commit_request, *a);
    end_delivery(s);
}

static void commit_message(struct smtp_conn *s)
{
    static const struct smtp_answer refusals[] = {
        [DELIVERY_LOOPS] = { SMTP_REJECT, 554, "5.4.6",
                             TEXT("a loop: its Delivered-To names its recipients") },
        [DELIVERY_NO_MEMORY] = { SMTP_DEFER, 452, "4.3.1",
                                 TEXT("no room for this message, try again later") },
    };
    enum delivery_end end = DELIVERY_NO_MEMORY;
    if (delivery_is_whole(s->delivery))
        end = delivery_commit(s->delivery, smtp_server_sender(s->machine),
                              smtp_server_mail(s->machine), s->commit_facts);
    if (end != DELIVERY_COMMITTING)
        refuse_message(s, &refusals[end]);
}

static void judge_author(struct smtp_conn *s, enum author_verdict verdict)
{
    if (verdict == AUTHOR_FINE) {
        commit_message(s);
    } else if (verdict == AUTHOR_REFUSED) {
        struct smtp_answer a = author_answer(s->author);
        refuse_message(s, &a);
    }
}

static void author_checked(void *owner, enum author_verdict verdict)
{
    struct smtp_conn *s = owner;
    judge_author(s, verdict);
    conn_resume(&s->conn);
}

static void check_author(struct smtp_conn *s)
{
    enum author_verdict verdict;
    struct author_ask ask = {
        .home = s->conn.home,
        .peer = &s->peer,
        .author = delivery_author(s->delivery),
        .done = author_checked,
        .owner = s,
    };
    s->author = author_check_new(&ask, &verdict);
    if (s->author)
        judge_author(s, verdict);
    else
        refuse_message(s, &out_of_memory);
}

static void end_message(struct smtp_conn *s, const struct smtp_step *step)
{
    s->body_phase = NO_BODY;
    s->commit_request = step->request;
    s->commit_facts = step->facts;
    delivery_body_end(s->delivery);
    if (s->peer.authenticated && s->conn.settings->config->submission_from == SUBMISSION_FROM_CHECK)
        check_author(s);
    else
        commit_message(s);
}

static void log_accepted(struct smtp_conn *s, const struct delivery *d)
{
    struct log *log = conn_log(&s->conn);
    struct text session = conn_session(&s->conn);
    char size[24], peer[ENDPOINT_TEXT_MAX];
    snprintf(size, sizeof size, "%llu", (unsigned long long)delivery_octets(d));
    LOG_EVENT(log, LOG_INFO, session, "accepted", { "id", delivery_id(d) },
              { "from", address_text(smtp_server_sender(s->machine)) }, { "size", text_of(size) },
              { "peer", endpoint_print(&s->conn.peer, peer) });
    const struct recipients *r = delivery_recipients(d);
    for (size_t i = 0; i < r->place_count; i++) {
        const struct place *place = &r->places[i];
        const char *event = place->lost ? "looped" : place->mailbox ? "delivered" : "queued";
        LOG_EVENT(log, LOG_INFO, session, event, { "id", delivery_id(d) },
                  { "to", place->address });
    }
}

static void committed(void *owner, struct delivery *d)
{
    struct smtp_conn *s = owner;
    struct smtp_answer a = { .verdict = SMTP_ACCEPT, .code = 250, .status = "2.0.0" };
    switch (delivery_verdict(d)) {
    case STORE_STORED:
        log_accepted(s, d);
        a.words = delivery_words(d);
        break;
    case STORE_REFUSED: /* store rules 13 and 14: nothing of it counts */
        a = (struct smtp_answer){ SMTP_DEFER, 451, "4.3.0",
                                  T("could not be stored, nothing is kept, try again later") };
        break;
    case STORE_UNKNOWN:
        a = (struct smtp_answer){ .verdict = SMTP_VANISH };
        break;
    }
    if (delivery_verdict(d) != STORE_STORED)
        LOG_EVENT(conn_log(&s->conn), LOG_ERROR, conn_session(&s->conn), "not-stored",
                  { "id", delivery_id(d) }, { "why", error_text(delivery_error(d)) });
    answer(s, s->commit_request, a);
    end_delivery(s);
    conn_resume(&s->conn);
}

static const struct delivery_events delivery_events = { body_ready, committed };

/* --- AUTH --- */

static void logged_in(struct smtp_conn *s)
{
    s->peer.authenticated = true;
    s->peer.login = *exchange_address(s->exchange);
    s->peer.mailbox = exchange_mailbox(s->exchange);
    conn_logged_in(&s->conn);
}

static void answer_exchange(struct smtp_conn *s, enum exchange_verdict verdict)
{
    static const struct smtp_answer answers[] = {
        [EXCHANGE_RIGHT] = { .verdict = SMTP_ACCEPT },
        [EXCHANGE_WRONG] = { .verdict = SMTP_REJECT },
        [EXCHANGE_MALFORMED] = { SMTP_REJECT, 501, "5.5.2",
                                 TEXT("that is no message of the mechanism") },
        [EXCHANGE_TEMPORARY] = { .verdict = SMTP_DEFER },
    };
    if (verdict == EXCHANGE_CHALLENGE) {
        answer(s, s->auth_request,
               (struct smtp_answer){ SMTP_CONTINUE, .words = exchange_challenge(s->exchange) });
        return;
    }
    conn_log_login(&s->conn, exchange_name(s->exchange), exchange_outcome(verdict));
    if (verdict == EXCHANGE_RIGHT)
        logged_in(s);
    exchange_free(&s->exchange);
    answer(s, s->auth_request, answers[verdict]);
}

static void exchange_answered(void *owner, enum exchange_verdict verdict)
{
    struct smtp_conn *s = owner;
    if (verdict != EXCHANGE_WAITS)
        answer_exchange(s, verdict);
    conn_resume(&s->conn);
}

static void take_auth_step(struct smtp_conn *s, const struct smtp_step *step)
{
    if (step->mechanism.len) {
        exchange_free(&s->exchange);
        s->exchange = exchange_new(&s->conn, step->mechanism, exchange_answered, s);
    }
    if (!s->exchange) {
        answer(s, step->request, (struct smtp_answer){ .verdict = SMTP_DEFER });
        return;
    }
    s->auth_request = step->request;
    enum exchange_verdict verdict = exchange_step(s->exchange, step->words, step->initial);
    if (verdict != EXCHANGE_WAITS)
        answer_exchange(s, verdict);
}

/* --- The pump's side --- */

typedef void request_function(struct smtp_conn *, const struct smtp_step *);

/* Who carries out what; orders have no answer. */
static request_function *const requests[] = {
    [SMTP_CHECK_SENDER] = check_sender,
    [SMTP_CHECK_RECIPIENT] = check_recipient,
    [SMTP_VERIFY] = verify,
    [SMTP_EXPAND] = expand,
    [SMTP_AUTH_STEP] = take_auth_step,
    [SMTP_OPEN_MESSAGE] = open_message,
    [SMTP_COMMIT_MESSAGE] = end_message,
    [SMTP_APPEND_BODY] = append_body,
};

/* Logs what the step took.  In DATA all of it is body; of BDAT only the chunk, which the step
 * shows, and not the command in front of it. */
static void log_input(struct smtp_conn *s, const struct smtp_step *step, struct bytes taken,
                      bool secret)
{
    struct wire *wire = &s->conn.wire;
    struct bytes words = taken;
    if (s->body_phase == DATA_BODY) {
        wire_add(wire, LOG_CLIENT, WIRE_BODY, taken);
        return;
    }
    bool chunk = step->kind == SMTP_APPEND_BODY && step->body.len && step->body.at >= taken.at &&
                 step->body.at < taken.at + taken.len;
    if (chunk)
        words.len = (size_t)(step->body.at - taken.at);
    if (step->kind == SMTP_OPEN_MESSAGE)
        s->body_phase = text_starts_nocase(text_of_bytes(taken), T("BDAT")) ? BDAT_BODY : DATA_BODY;
    wire_add(wire, LOG_CLIENT, secret ? WIRE_SECRET : WIRE_WORDS, words);
    wire_add(wire, LOG_CLIENT, WIRE_BODY,
             (struct bytes){ words.at + words.len, taken.len - words.len });
}

static struct smtp_step take_step(struct smtp_conn *s, struct bytes *in, uint64_t now_ms)
{
    bool logged = wire_is_on(&s->conn.wire);
    bool secret = logged && smtp_server_line_is_secret(s->machine);
    const uint8_t *from = in->at;
    struct smtp_step step = smtp_server_step(s->machine, in, now_ms);
    struct bytes taken = { from, (size_t)(in->at - from) };
    if (step.kind == SMTP_START_TLS)
        taken = conn_log_discarded(&s->conn, taken);
    if (logged && taken.len)
        log_input(s, &step, taken, secret);
    return step;
}

static enum conn_wait smtp_run(struct conn *c, struct bytes *in, uint64_t now_ms)
{
    struct smtp_conn *s = smtp_of(c);
    while (!s->body_waits) {
        wire_add_output(&c->wire, LOG_SERVER, WIRE_WORDS,
                        smtp_server_output(s->machine)); /* of answers */
        struct smtp_step step = take_step(s, in, now_ms);
        wire_add_output(&c->wire, LOG_SERVER, WIRE_WORDS, smtp_server_output(s->machine));
        switch (step.kind) {
        case SMTP_NEED_INPUT:
            return CONN_NEED_INPUT;
        case SMTP_NEED_DRAIN:
            return CONN_NEED_DRAIN;
        case SMTP_NEED_TIME:
            return CONN_NEED_TIME;
        case SMTP_NEED_ANSWER:
            return CONN_NEED_ANSWER;
        case SMTP_CLOSE:
            c->quit = smtp_server_has_quit(s->machine);
            return CONN_DONE;
        case SMTP_ABANDON_MESSAGE:
        case SMTP_FORGET:
            exchange_free(&s->exchange);
            end_delivery(s);
            break;
        case SMTP_START_TLS:
            return CONN_START_TLS;
        default:
            requests[step.kind](s, &step);
        }
    }
    return CONN_NEED_ANSWER;
}

static struct bytes smtp_output(const struct conn *c)
{
    return smtp_server_output(OWNER_OF(c, const struct smtp_conn, conn)->machine);
}

static void smtp_drained(struct conn *c, size_t count)
{
    smtp_server_drained(smtp_of(c)->machine, count);
}

static uint64_t smtp_deadline(const struct conn *c)
{
    const struct smtp_conn *s = OWNER_OF(c, const struct smtp_conn, conn);
    return s->body_waits ? UINT64_MAX /* for our own disk */ : smtp_server_deadline_ms(s->machine);
}

static void smtp_tls_started(struct conn *c)
{
    smtp_server_tls_started(smtp_of(c)->machine, loop_now_ms(c->home->loop));
}

static void smtp_input_ended(struct conn *c)
{
    smtp_server_input_ended(smtp_of(c)->machine);
}

static void smtp_shut_down(struct conn *c, const char *status, const char *words)
{
    smtp_server_shut_down(smtp_of(c)->machine, status, words);
}

static struct mistakes smtp_mistakes(const struct conn *c)
{
    return smtp_server_mistakes(OWNER_OF(c, const struct smtp_conn, conn)->machine);
}

static const struct smtp_server_config *machine_config(const struct conn *c,
                                                       const struct settings *settings)
{
    enum offer offer = conn_offer(c);
    return c->role == ROLE_SMTP ? &settings->smtp[offer] : &settings->submission[offer];
}

static void smtp_reconfigure(struct conn *c, const struct settings *settings)
{
    smtp_server_reconfigure(smtp_of(c)->machine, machine_config(c, settings));
}

static void smtp_gone(struct conn *c)
{
    struct smtp_conn *s = smtp_of(c);
    if (s->lookup)
        s->lookup->owner = NULL;
    exchange_free(&s->exchange);
    screen_free(&s->screen);
    end_delivery(s);
    smtp_server_free(&s->machine);
    free(s);
}

static const struct conn_type smtp_type = {
    .protocol = "smtp",
    .run = smtp_run,
    .output = smtp_output,
    .drained = smtp_drained,
    .deadline_ms = smtp_deadline,
    .tls_started = smtp_tls_started,
    .input_ended = smtp_input_ended,
    .shut_down = smtp_shut_down,
    .mistakes = smtp_mistakes,
    .reconfigure = smtp_reconfigure,
    .gone = smtp_gone,
};

struct conn *smtp_conn_new(struct served_port *port, const struct endpoint *peer)
{
    const struct settings *settings = port->home->settings;
    struct smtp_conn *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    conn_init(&s->conn, &smtp_type, port, peer);
    s->peer.trusted = config_trusts(settings->config, peer);
    struct smtp_server_peer known = { .trusted = s->peer.trusted,
                                      .tls = role_begins_with_tls(port->role),
                                      .may_verify = s->peer.trusted,
                                      .stranger = !s->conn.exempt };
    if (known.stranger)
        known.mistakes = guard_mistakes(port->home, peer);
    s->machine =
        smtp_server_new(machine_config(&s->conn, settings), &known, loop_now_ms(port->home->loop));
    if (!s->machine) {
        free(s);
        return NULL;
    }
    return &s->conn;
}
