/* smtp_conn.c - an SMTP session on a loop: carries out what proto/smtp_server asks for.
 *
 * It decides nothing about the protocol and nothing about policy: the machine knows the one,
 * serve/policy.c the other.  Each request is answered exactly once, at once from the loop's address
 * cache or later by a lookup or a commit.
 */
#include "serve/smtp_conn_inner.h"

#include "serve/guard.h"

#include <stdio.h>
#include <stdlib.h>

const struct smtp_answer smtp_conn_no_memory = { SMTP_DEFER, 452, "4.3.1",
                                                 TEXT("memory is short, try again later") };

void smtp_conn_answer(struct smtp_conn *s, uint32_t request, struct smtp_answer a)
{
    smtp_server_answer(s->machine, request, a, loop_now_ms(s->conn.home->loop));
}

void smtp_conn_accept(struct smtp_conn *s, uint32_t request)
{
    smtp_conn_answer(s, request, (struct smtp_answer){ .verdict = SMTP_ACCEPT });
}

void smtp_conn_end_delivery(struct smtp_conn *s)
{
    author_check_free(&s->author);
    delivery_release(&s->delivery);
    s->body_waits = false;
}

void smtp_conn_log_refused(struct smtp_conn *s, const struct address *address, const char *what,
                           const struct smtp_answer *a)
{
    char code[8], peer[ENDPOINT_TEXT_MAX];
    snprintf(code, sizeof code, "%u", a->code);
    LOG_EVENT(conn_log(&s->conn), LOG_INFO, conn_session(&s->conn), "refused",
              { "what", text_of(what) }, { "address", address_text(address) },
              { "code", text_of(code) }, { "status", text_of(a->status) }, { "why", a->words },
              { "peer", endpoint_print(&s->conn.peer, peer) });
}

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
        smtp_conn_answer(
            s, s->auth_request,
            (struct smtp_answer){ SMTP_CONTINUE, .words = exchange_challenge(s->exchange) });
        return;
    }
    conn_log_login(&s->conn, exchange_name(s->exchange), exchange_outcome(verdict));
    if (verdict == EXCHANGE_RIGHT)
        logged_in(s);
    exchange_free(&s->exchange);
    smtp_conn_answer(s, s->auth_request, answers[verdict]);
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
        smtp_conn_answer(s, step->request, (struct smtp_answer){ .verdict = SMTP_DEFER });
        return;
    }
    s->auth_request = step->request;
    enum exchange_verdict verdict = exchange_step(s->exchange, step->words, step->initial);
    if (verdict != EXCHANGE_WAITS)
        answer_exchange(s, verdict);
}

/* --- The pump's side --- */

/* Who carries out what; orders have no answer. */
static smtp_conn_request *const requests[] = {
    [SMTP_CHECK_SENDER] = smtp_conn_check_sender,
    [SMTP_CHECK_RECIPIENT] = smtp_conn_check_recipient,
    [SMTP_VERIFY] = smtp_conn_verify,
    [SMTP_EXPAND] = smtp_conn_expand,
    [SMTP_AUTH_STEP] = take_auth_step,
    [SMTP_OPEN_MESSAGE] = smtp_conn_open_message,
    [SMTP_COMMIT_MESSAGE] = smtp_conn_end_message,
    [SMTP_APPEND_BODY] = smtp_conn_append_body,
};

/* What the next step takes, for the protocol log. */
static enum wire_kind input_kind(const struct smtp_server *machine)
{
    return smtp_server_input_is_body(machine)    ? WIRE_BODY
           : smtp_server_line_is_secret(machine) ? WIRE_SECRET
                                                 : WIRE_WORDS;
}

static struct smtp_step take_step(struct smtp_conn *s, struct bytes *in, uint64_t now_ms)
{
    enum wire_kind kind = input_kind(s->machine);
    const uint8_t *from = in->at;
    struct smtp_step step = smtp_server_step(s->machine, in, now_ms);
    struct bytes taken = { from, (size_t)(in->at - from) };
    if (step.kind == SMTP_START_TLS)
        taken = conn_log_discarded(&s->conn, taken);
    wire_add(&s->conn.wire, LOG_CLIENT, kind, taken);
    return step;
}

static enum conn_wait smtp_run(struct conn *c, struct bytes *in, uint64_t now_ms)
{
    struct smtp_conn *s = smtp_conn_of(c);
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
            smtp_conn_end_delivery(s);
            break;
        case SMTP_GO_ON:
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
    smtp_server_drained(smtp_conn_of(c)->machine, count);
}

static uint64_t smtp_deadline(const struct conn *c)
{
    const struct smtp_conn *s = OWNER_OF(c, const struct smtp_conn, conn);
    return s->body_waits ? UINT64_MAX /* for our own disk */ : smtp_server_deadline_ms(s->machine);
}

static void smtp_tls_started(struct conn *c)
{
    smtp_server_tls_started(smtp_conn_of(c)->machine, loop_now_ms(c->home->loop));
}

static void smtp_input_ended(struct conn *c)
{
    smtp_server_input_ended(smtp_conn_of(c)->machine);
}

static void smtp_shut_down(struct conn *c, const char *status, const char *words)
{
    smtp_server_shut_down(smtp_conn_of(c)->machine, status, words);
}

static struct mistakes smtp_mistakes(const struct conn *c)
{
    return smtp_server_mistakes(OWNER_OF(c, const struct smtp_conn, conn)->machine);
}

static const struct smtp_server_config *machine_config(const struct conn *c,
                                                       const struct settings *settings)
{
    if (c->role == ROLE_LOCAL)
        return &settings->local;
    enum offer offer = conn_offer(c);
    return c->role == ROLE_SMTP ? &settings->smtp[offer] : &settings->submission[offer];
}

static void smtp_reconfigure(struct conn *c, const struct settings *settings)
{
    smtp_server_reconfigure(smtp_conn_of(c)->machine, machine_config(c, settings));
}

static void smtp_gone(struct conn *c)
{
    struct smtp_conn *s = smtp_conn_of(c);
    if (s->lookup)
        s->lookup->owner = NULL;
    exchange_free(&s->exchange);
    screen_free(&s->screen);
    smtp_conn_end_delivery(s);
    smtp_server_free(&s->machine);
    free(s->account);
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

/* The top bit is no mailbox's: for counting what he sends. */
static mailbox_id number_of(const struct policy_account *account)
{
    return (mailbox_id)1 << 63 | account->uid;
}

/* False: memory is short. */
static bool know_account(struct smtp_conn *s, const struct policy_account *account)
{
    s->account = malloc(sizeof *s->account);
    if (!s->account)
        return false;
    *s->account = *account;
    s->peer.trusted = s->peer.authenticated = true;
    s->peer.account = s->account;
    s->peer.mailbox = number_of(account);
    return policy_account(s->conn.settings->config, s->account, &s->peer.login);
}

static struct smtp_server *new_machine(struct smtp_conn *s, struct served_port *port)
{
    struct smtp_server_peer known = { .trusted = s->peer.trusted,
                                      .tls = role_begins_with_tls(port->role),
                                      .may_verify = s->peer.trusted,
                                      .stranger = !s->conn.exempt };
    if (known.stranger)
        known.mistakes = guard_mistakes(port->home, &s->conn.peer);
    return smtp_server_new(machine_config(&s->conn, s->conn.settings), &known,
                           loop_now_ms(port->home->loop));
}

struct conn *smtp_conn_new(struct served_port *port, const struct endpoint *peer,
                           const struct policy_account *account)
{
    struct smtp_conn *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    conn_init(&s->conn, &smtp_type, port, peer);
    s->peer.trusted = config_trusts(s->conn.settings->config, peer);
    if (!account || know_account(s, account))
        s->machine = new_machine(s, port);
    if (!s->machine) {
        free(s->account);
        free(s);
        return NULL;
    }
    return &s->conn;
}
