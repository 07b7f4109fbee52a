/* pop3_conn.c - a POP3 session on a loop: carries out what proto/pop3_server asks for. */
#include "serve/auth.h"
#include "serve/conn.h"
#include "serve/exchange.h"
#include "serve/guard.h"
#include "serve/pop3_drop.h"

#include <stdlib.h>

struct pop3_conn {
    struct conn conn;
    struct pop3_server *machine;
    struct login *login;       /* PASS */
    struct exchange *exchange; /* AUTH */
    struct pop3_drop *drop;
    uint32_t request; /* the open one */
    uint32_t message; /* of POP3_READ */
    uint64_t offset;
    bool content_output; /* what the machine says next is message content: for the log */
    bool status_line;    /* ... behind the line that begins the reply to RETR or TOP */
};

static struct pop3_conn *pop3_of(struct conn *c)
{
    return OWNER_OF(c, struct pop3_conn, conn);
}

static void answer(struct pop3_conn *p, struct pop3_answer a)
{
    pop3_server_answer(p->machine, p->request, a, loop_now_ms(p->conn.home->loop));
}

static void answer_verdict(struct pop3_conn *p, enum pop3_verdict verdict)
{
    answer(p, (struct pop3_answer){ .verdict = verdict });
}

/* --- Login: password, delay, lock, count --- */

/* Local trouble, which the peer is told only as "try again". */
static void log_trouble(struct pop3_conn *p, enum pop3_verdict verdict, const char *what)
{
    if (verdict != POP3_ACCEPT)
        LOG_EVENT(conn_log(&p->conn), LOG_WARNING, conn_session(&p->conn), "trouble",
                  { "what", text_of(what) }, { "why", error_text(pop3_drop_error(p->drop)) });
}

static void maildrop_opened(void *owner, enum pop3_verdict verdict)
{
    struct pop3_conn *p = owner;
    log_trouble(p, verdict, "opening the maildrop");
    if (verdict == POP3_ACCEPT)
        conn_logged_in(&p->conn);
    if (verdict == POP3_ACCEPT)
        answer(p, (struct pop3_answer){ .verdict = POP3_ACCEPT,
                                        .count = pop3_drop_count(p->drop),
                                        .octets = pop3_drop_octets(p->drop) });
    else
        pop3_drop_close(&p->drop), answer_verdict(p, verdict);
    conn_resume(&p->conn);
}

static const struct pop3_drop_events maildrop_events;

/* Opens the mailbox, or answers why not; true when the answer is still to come. */
static bool open_mailbox(struct pop3_conn *p, mailbox_id mailbox)
{
    const struct config *config = p->conn.settings->config;
    struct shared *shared = p->conn.home->server->shared;
    uint64_t now_ms = loop_now_ms(p->conn.home->loop);
    struct pop3_drop_options options = {
        .home = p->conn.home,
        .mailbox = mailbox,
        .idle_ms = config->pop3_idle_ms,
        .events = &maildrop_events,
        .owner = p,
    };
    enum pop3_verdict verdict = POP3_LOGIN_DELAYED;
    if (!shared_login_too_soon(shared, mailbox, now_ms, config->login_delay_ms))
        p->drop = pop3_drop_open(&options, &verdict);
    if (p->drop)
        return true;
    answer_verdict(p, verdict);
    return false;
}

static void login_done(struct login *login)
{
    struct pop3_conn *p = login->owner;
    server_loop_release(login->holds);
    if (!p) {
        login_free(&login);
        return;
    }
    static const char *const outcomes[] = {
        [AUTH_RIGHT] = "ok",
        [AUTH_WRONG] = "wrong user or password",
        [AUTH_TEMPORARY] = "try again later",
    };
    conn_log_login(&p->conn, address_text(&login->address), outcomes[login->verdict]);
    p->login = NULL;
    bool waits = false;
    if (login->verdict == AUTH_RIGHT)
        waits = open_mailbox(p, login->mailbox);
    else
        answer_verdict(p, login->verdict == AUTH_WRONG ? POP3_WRONG : POP3_TEMPORARY);
    login_free(&login);
    if (!waits)
        conn_resume(&p->conn);
}

static void log_in(struct pop3_conn *p, const struct pop3_step *step)
{
    struct server *server = p->conn.home->server;
    struct login_known known;
    struct login_ask ask = {
        .settings = p->conn.settings,
        .home = p->conn.home->loop,
        .name = step->user,
        .password = step->password,
        .done = login_done,
        .owner = p,
    };
    if (auth_is_known(server->auth, &ask, &known)) {
        conn_log_login(&p->conn, address_text(&known.address), "ok");
        open_mailbox(p, known.mailbox);
        return;
    }
    p->login = auth_login(server->auth, &ask);
    if (p->login)
        server_loop_hold(p->login->holds = p->conn.home);
    else
        answer_verdict(p, POP3_TEMPORARY);
}

/* --- Login: AUTH --- */

/* True when the answer is still to come. */
static bool answer_exchange(struct pop3_conn *p, enum exchange_verdict verdict)
{
    static const enum pop3_verdict verdicts[] = {
        [EXCHANGE_WRONG] = POP3_WRONG,
        [EXCHANGE_MALFORMED] = POP3_WRONG,
        [EXCHANGE_TEMPORARY] = POP3_TEMPORARY,
    };
    if (verdict == EXCHANGE_WAITS)
        return true;
    if (verdict == EXCHANGE_CHALLENGE) {
        answer(p, (struct pop3_answer){ POP3_CONTINUE, .words = exchange_challenge(p->exchange) });
        return false;
    }
    mailbox_id mailbox = exchange_mailbox(p->exchange);
    conn_log_login(&p->conn, exchange_name(p->exchange), exchange_outcome(verdict));
    exchange_free(&p->exchange);
    if (verdict == EXCHANGE_RIGHT)
        return open_mailbox(p, mailbox);
    answer_verdict(p, verdicts[verdict]);
    return false;
}

static void exchange_answered(void *owner, enum exchange_verdict verdict)
{
    struct pop3_conn *p = owner;
    if (!answer_exchange(p, verdict))
        conn_resume(&p->conn);
}

/* An exchange that the client has given up is replaced by the next one. */
static void take_auth_step(struct pop3_conn *p, const struct pop3_step *step)
{
    if (step->mechanism.len) {
        exchange_free(&p->exchange);
        p->exchange = exchange_new(&p->conn, step->mechanism, exchange_answered, p);
    }
    if (p->exchange)
        answer_exchange(p, exchange_step(p->exchange, step->words, step->initial));
    else
        answer_verdict(p, POP3_TEMPORARY);
}

/* --- The maildrop --- */

static void list(struct pop3_conn *p, const struct pop3_step *step)
{
    (void)step;
    if (!pop3_drop_list(p->drop))
        answer_verdict(p, POP3_TEMPORARY);
}

static void maildrop_listed(void *owner, enum pop3_verdict verdict)
{
    struct pop3_conn *p = owner;
    log_trouble(p, verdict, "listing the maildrop");
    answer(p, (struct pop3_answer){ .verdict = verdict,
                                    .count = pop3_drop_count(p->drop),
                                    .messages = pop3_drop_messages(p->drop) });
    conn_resume(&p->conn);
}

/* Answers unless a lane must be asked first: then true. */
static bool read_content(struct pop3_conn *p)
{
    struct bytes content = { 0 };
    switch (pop3_drop_read(p->drop, p->message, p->offset, &content)) {
    case CONTENT_HERE:
        answer(p, (struct pop3_answer){ .verdict = POP3_ACCEPT, .content = content });
        return false;
    case CONTENT_WAIT:
        return true;
    case CONTENT_BUSY:
        answer_verdict(p, POP3_TEMPORARY);
        return false;
    case CONTENT_END: /* shorter than its index says */
    case CONTENT_DAMAGED:
        break;
    }
    LOG_EVENT(conn_log(&p->conn), LOG_ERROR, conn_session(&p->conn), "damaged",
              { "why", T("a stored message does not verify; run godwit check --store") });
    answer_verdict(p, POP3_DAMAGED);
    return false;
}

static void read_message(struct pop3_conn *p, const struct pop3_step *step)
{
    p->message = step->message;
    p->offset = step->offset;
    p->content_output = true;
    p->status_line |= step->offset == 0;
    read_content(p);
}

static void content_ready(void *owner)
{
    struct pop3_conn *p = owner;
    if (!read_content(p))
        conn_resume(&p->conn);
}

static void update(struct pop3_conn *p, const struct pop3_step *step)
{
    if (!pop3_drop_update(p->drop, step->deleted, step->deleted_count))
        answer_verdict(p, POP3_TEMPORARY);
}

static void maildrop_updated(void *owner, enum pop3_verdict verdict)
{
    struct pop3_conn *p = owner;
    log_trouble(p, verdict, "removing messages");
    answer_verdict(p, verdict);
    conn_resume(&p->conn);
}

static void maildrop_lost(void *owner)
{
    struct pop3_conn *p = owner;
    log_trouble(p, POP3_TEMPORARY, "removing messages");
    conn_drop(&p->conn);
}

static const struct pop3_drop_events maildrop_events = {
    maildrop_opened, maildrop_listed, maildrop_updated, maildrop_lost, content_ready,
};

/* --- The pump's side --- */

typedef void request_function(struct pop3_conn *, const struct pop3_step *);

static request_function *const requests[] = {
    [POP3_LOGIN] = log_in,  [POP3_AUTH_STEP] = take_auth_step,
    [POP3_LIST] = list,     [POP3_READ] = read_message,
    [POP3_UPDATE] = update,
};

static struct pop3_step take_step(struct pop3_conn *p, struct bytes *in, uint64_t now_ms)
{
    struct wire *wire = &p->conn.wire;
    bool secret = wire_is_on(wire) && pop3_server_line_is_secret(p->machine);
    const uint8_t *from = in->at;
    struct pop3_step step = pop3_server_step(p->machine, in, now_ms);
    struct bytes taken = { from, (size_t)(in->at - from) };
    if (step.kind == POP3_START_TLS)
        taken = conn_log_discarded(&p->conn, taken);
    if (taken.len) {
        wire_add(wire, LOG_CLIENT, secret ? WIRE_SECRET : WIRE_WORDS, taken);
        p->content_output = false;
    }
    return step;
}

static void log_output(struct pop3_conn *p)
{
    struct wire *wire = &p->conn.wire;
    struct bytes output = pop3_server_output(p->machine);
    if (p->status_line && output.len > wire->logged) {
        struct text fresh = text_skip(text_of_bytes(output), wire->logged);
        size_t line = text_find(fresh, '\n') + 1;
        if (line > fresh.len)
            line = fresh.len;
        wire_add_output(wire, LOG_SERVER, WIRE_WORDS,
                        (struct bytes){ output.at, wire->logged + line });
        p->status_line = false;
    }
    wire_add_output(wire, LOG_SERVER, p->content_output ? WIRE_BODY : WIRE_WORDS, output);
}

static enum conn_wait pop3_run(struct conn *c, struct bytes *in, uint64_t now_ms)
{
    struct pop3_conn *p = pop3_of(c);
    if (p->drop && !pop3_drop_touch(p->drop, now_ms))
        return CONN_DROP;
    for (;;) {
        log_output(p); /* of answers */
        struct pop3_step step = take_step(p, in, now_ms);
        log_output(p);
        switch (step.kind) {
        case POP3_NEED_INPUT:
            return CONN_NEED_INPUT;
        case POP3_NEED_DRAIN:
            return CONN_NEED_DRAIN;
        case POP3_NEED_TIME:
            return CONN_NEED_TIME;
        case POP3_NEED_ANSWER:
            return CONN_NEED_ANSWER;
        case POP3_CLOSE:
            pop3_drop_close(&p->drop); /* the next login is free before it is told so */
            return CONN_DONE;
        case POP3_START_TLS:
            return CONN_START_TLS;
        default:
            p->request = step.request;
            requests[step.kind](p, &step);
        }
    }
}

static struct bytes pop3_output(const struct conn *c)
{
    return pop3_server_output(OWNER_OF(c, const struct pop3_conn, conn)->machine);
}

static void pop3_drained(struct conn *c, size_t count)
{
    pop3_server_drained(pop3_of(c)->machine, count);
}

static uint64_t pop3_deadline(const struct conn *c)
{
    return pop3_server_deadline_ms(OWNER_OF(c, const struct pop3_conn, conn)->machine);
}

static void pop3_tls_started(struct conn *c)
{
    pop3_server_tls_started(pop3_of(c)->machine, loop_now_ms(c->home->loop));
}

static void pop3_input_ended(struct conn *c)
{
    pop3_server_input_ended(pop3_of(c)->machine);
}

static void pop3_shut_down(struct conn *c, const char *status, const char *words)
{
    (void)status;
    pop3_server_shut_down(pop3_of(c)->machine, words);
}

static struct mistakes pop3_mistakes(const struct conn *c)
{
    return pop3_server_mistakes(OWNER_OF(c, const struct pop3_conn, conn)->machine);
}

static void pop3_reconfigure(struct conn *c, const struct settings *settings)
{
    pop3_server_reconfigure(pop3_of(c)->machine, &settings->pop3[conn_offer(c)]);
}

static void pop3_gone(struct conn *c)
{
    struct pop3_conn *p = pop3_of(c);
    if (p->login)
        p->login->owner = NULL;
    exchange_free(&p->exchange);
    pop3_server_free(&p->machine);
    pop3_drop_close(&p->drop);
    free(p);
}

static const struct conn_type pop3_type = {
    .protocol = "pop3",
    .run = pop3_run,
    .output = pop3_output,
    .drained = pop3_drained,
    .deadline_ms = pop3_deadline,
    .tls_started = pop3_tls_started,
    .input_ended = pop3_input_ended,
    .shut_down = pop3_shut_down,
    .mistakes = pop3_mistakes,
    .reconfigure = pop3_reconfigure,
    .gone = pop3_gone,
};

struct conn *pop3_conn_new(struct served_port *port, const struct endpoint *peer)
{
    const struct settings *settings = port->home->settings;
    struct pop3_conn *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    conn_init(&p->conn, &pop3_type, port, peer);
    struct pop3_server_peer known = { .tls = role_begins_with_tls(port->role),
                                      .cleartext = settings_allow_cleartext(settings, peer),
                                      .stranger = !p->conn.exempt };
    if (known.stranger)
        known.mistakes = guard_mistakes(port->home, peer);
    p->machine = pop3_server_new(&settings->pop3[conn_offer(&p->conn)], &known,
                                 loop_now_ms(port->home->loop));
    if (!p->machine) {
        free(p);
        return NULL;
    }
    return &p->conn;
}
