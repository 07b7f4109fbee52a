/* maildrop.c - a session that fetches mail: what the machine is asked, who hears of its answers. */
#include "agent/maildrop.h"

#include "agent/link.h"

#include <stdlib.h>

enum {
    GREETING_MS = 60 * 1000,
    COMMAND_MS = 120 * 1000,
    CONTENT_MS = 120 * 1000,
};

struct maildrop {
    const struct maildrop_options *options;
    struct link link;
    struct login login;
    struct pop3_client *machine;
    struct pop3_client_config config;
    const struct maildrop_work *work; /* during maildrop_run() */
    bool done;                        /* the work has no more */
    bool cut;                         /* the work cannot go on */
    bool quits;
    bool ready; /* the login was accepted */
};

/* --- The machine --- */

static bool begin(void *owner)
{
    static const enum pop3_client_tls wishes[] = {
        [LINK_TLS_NEVER] = POP3_CLIENT_TLS_NEVER,
        [LINK_TLS_IF_OFFERED] = POP3_CLIENT_TLS_IF_OFFERED,
        [LINK_TLS_MUST] = POP3_CLIENT_TLS_MUST,
    };
    struct maildrop *m = owner;
    m->config = (struct pop3_client_config){
        .tls = wishes[link_wish(&m->link)],
        .secured = m->link.secured,
        .utf8 = m->options->utf8,
        .content_octets_max = m->options->content_octets_max,
        .greeting_ms = GREETING_MS,
        .command_ms = COMMAND_MS,
        .content_ms = CONTENT_MS,
    };
    m->machine = pop3_client_new(&m->config, link_now_ms(&m->link));
    return m->machine != NULL;
}

static void end(void *owner)
{
    struct maildrop *m = owner;
    pop3_client_free(&m->machine);
    login_clear(&m->login);
}

static enum trace_kind said(const void *owner)
{
    const struct maildrop *m = owner;
    return pop3_client_said_secret(m->machine) ? TRACE_SECRET : TRACE_WORDS;
}

LINK_PASSES_ON(struct maildrop, pop3_client)

static bool is_settled(const void *owner)
{
    const struct maildrop *m = owner;
    const struct pop3_client_result *r = pop3_client_failure(m->machine);
    return m->ready || !r || (r->where > POP3_CLIENT_AT_STLS && r->where != POP3_CLIENT_AT_LOCAL);
}

/* --- Login --- */

/* USER and PASS are the older way, which every server knows that does not say otherwise. */
static bool wants_user(const struct maildrop *m)
{
    const struct pop3_client_offers *offers = pop3_client_offers(m->machine);
    struct text mechanism = m->options->credentials->mechanism;
    if (mechanism.len)
        return text_equal_nocase(mechanism, T("USER"));
    return offers->mechanisms.len == 0;
}

static bool has_user(const struct maildrop *m)
{
    const struct pop3_client_offers *offers = pop3_client_offers(m->machine);
    return (offers->user || !offers->capa) && m->options->credentials->mechanism.len == 0;
}

static void say_password(struct maildrop *m, uint64_t now)
{
    const struct credentials *who = m->options->credentials;
    pop3_client_password(m->machine, who->user, who->password, now);
}

static void begin_login(struct maildrop *m, uint64_t now)
{
    struct sasl_words words;
    const char *obstacle = link_obstacle(&m->link);
    if (obstacle)
        pop3_client_login_failed(m->machine, text_of(obstacle), now);
    else if (wants_user(m))
        say_password(m, now);
    else if (login_begin(&m->login, m->options->credentials,
                         pop3_client_offers(m->machine)->mechanisms, link_binding(&m->link),
                         &words))
        pop3_client_auth(m->machine, &words, now);
    else if (m->login.error.kind == ERROR_REFUSED && has_user(m))
        say_password(m, now);
    else
        pop3_client_login_failed(m->machine, error_text(&m->login.error), now);
}

static void log_in(struct maildrop *m, const struct pop3_client_step *step, uint64_t now)
{
    struct sasl_words words;
    if (step->begins)
        begin_login(m, now);
    else if (login_go_on(&m->login, step->challenge, &words))
        pop3_client_auth(m->machine, &words, now);
    else
        pop3_client_login_failed(m->machine, error_text(&m->login.error), now);
}

/* --- Commands --- */

/* Gives the machine one command.  Returns whether there was any. */
static bool ask_next(struct maildrop *m, uint64_t now)
{
    struct pop3_client_command command;
    if (!m->work || m->done || m->cut || !pop3_client_may_ask(m->machine))
        return false;
    switch (m->work->next(m->work->owner, &command)) {
    case MAILDROP_WAIT:
        return false;
    case MAILDROP_DONE:
        m->done = true;
        return false;
    case MAILDROP_ASK:
        break;
    }
    if (!pop3_client_ask(m->machine, command, now)) {
        m->cut = true;
        pop3_client_input_ended(m->machine, T("memory is short here"));
    }
    return true;
}

static enum link_turn be_ready(struct maildrop *m, uint64_t now)
{
    m->ready = true;
    login_clear(&m->login);
    if (m->quits) {
        pop3_client_quit(m->machine, now);
        return LINK_AGAIN;
    }
    if (ask_next(m, now))
        return LINK_AGAIN;
    return m->work && !m->done ? LINK_WAIT : LINK_REST;
}

static enum link_turn tell(struct maildrop *m, const struct pop3_client_step *step)
{
    bool goes_on = !m->work || !m->work->step || m->work->step(m->work->owner, step);
    if (!goes_on && !m->cut) {
        m->cut = true;
        pop3_client_input_ended(m->machine, T("cut off from here"));
    }
    return LINK_AGAIN;
}

static enum link_turn step(void *owner, struct bytes *in, uint64_t now)
{
    struct maildrop *m = owner;
    const uint8_t *from = in->at;
    bool content = pop3_client_hears_content(m->machine);
    struct pop3_client_step step = pop3_client_step(m->machine, in, now);
    trace_heard(&m->link.trace, content ? TRACE_CONTENT : TRACE_WORDS,
                (struct bytes){ from, (size_t)(in->at - from) });
    switch (step.kind) {
    case POP3_CLIENT_NEED_INPUT:
        return ask_next(m, now) ? LINK_AGAIN : LINK_WAIT;
    case POP3_CLIENT_NEED_ANSWER:
        return LINK_WAIT;
    case POP3_CLIENT_READY:
        return be_ready(m, now);
    case POP3_CLIENT_LOG_IN:
        log_in(m, &step, now);
        return LINK_AGAIN;
    case POP3_CLIENT_START_TLS:
        return LINK_START_TLS;
    case POP3_CLIENT_BEGINS:
    case POP3_CLIENT_LINE:
    case POP3_CLIENT_CONTENT:
    case POP3_CLIENT_ANSWERED:
        return tell(m, &step);
    case POP3_CLIENT_CLOSE:
        return LINK_OVER;
    }
    return LINK_OVER;
}

/* --- Failures --- */

static enum failure_kind kind_of(const struct pop3_client_result *r)
{
    if (r->senseless)
        return FAILURE_PROTOCOL;
    switch (r->where) {
    case POP3_CLIENT_AT_STLS:
        return FAILURE_PROTOCOL;
    case POP3_CLIENT_AT_LOGIN:
    case POP3_CLIENT_AT_LOCAL:
        return r->temporary ? FAILURE_LATER : FAILURE_DENIED;
    default:
        return r->temporary ? FAILURE_LATER : FAILURE_REFUSED;
    }
}

static const char *advice_for(const struct maildrop *m, const struct pop3_client_result *r)
{
    if (r->where == POP3_CLIENT_AT_STLS)
        return link_tls_advice(&m->link);
    if (r->senseless && r->where == POP3_CLIENT_AT_GREETING)
        return "; is that a mail server, and the port right?";
    if (r->verdict == POP3_CLIENT_LOST)
        return r->temporary && !r->senseless ? "; try again later" : "";
    if (r->where != POP3_CLIENT_AT_LOGIN)
        return "";
    switch (r->code) {
    case POP3_CODE_IN_USE:
        return "; another session has the mailbox: try again when it has ended";
    case POP3_CODE_LOGIN_DELAY:
        return "; try again in a while";
    case POP3_CODE_SYS_TEMP:
        return "; try again later";
    default:
        return "; check the address and the password";
    }
}

static const char *step_name(enum pop3_client_where where)
{
    static const char *const names[] = {
        [POP3_CLIENT_AT_CONNECT] = "connecting", [POP3_CLIENT_AT_GREETING] = "the greeting",
        [POP3_CLIENT_AT_CAPA] = "CAPA",          [POP3_CLIENT_AT_STLS] = "STLS",
        [POP3_CLIENT_AT_LOGIN] = "the login",    [POP3_CLIENT_AT_TRANSACTION] = "a command",
        [POP3_CLIENT_AT_QUIT] = "QUIT",          [POP3_CLIENT_AT_LOCAL] = "the login",
    };
    return names[where];
}

static bool failure(void *owner, struct failure *f)
{
    struct maildrop *m = owner;
    const struct pop3_client_result *r = pop3_client_failure(m->machine);
    char reply[FAILURE_REPLY_MAX];
    if (!r)
        return false;
    failure_set(f, kind_of(r), "%s, at %s: %s%s", m->link.where, step_name(r->where),
                failure_reply(r->reply, reply), advice_for(m, r));
    return true;
}

static const struct link_machine pop3 = {
    .begin = begin,
    .end = end,
    .step = step,
    .said = said,
    LINK_PASSED_ON,
    .failure = failure,
    .is_settled = is_settled,
    .input_max = POP3_CLIENT_INPUT_MAX,
};

/* --- The caller's side --- */

bool maildrop_open(struct agent *agent, const struct maildrop_options *options,
                   struct maildrop **out, struct failure *f)
{
    struct maildrop *m = calloc(1, sizeof *m);
    *out = NULL;
    if (!m)
        return failure_set(f, FAILURE_LATER, "memory is short");
    m->options = options;
    link_init(&m->link, agent, &pop3, m);
    m->link.tls = options->tls;
    m->link.has_login = true;
    trace_begin(&m->link.trace, options->trace);
    if (!link_open(&m->link, options->servers, f)) {
        maildrop_close(&m);
        return false;
    }
    *out = m;
    return true;
}

void maildrop_close(struct maildrop **maildrop)
{
    struct maildrop *m = *maildrop;
    if (!m)
        return;
    link_close(&m->link);
    free(m);
    *maildrop = NULL;
}

bool maildrop_run(struct maildrop *m, const struct maildrop_work *work, struct failure *f)
{
    m->work = work;
    m->done = false;
    bool ok = link_run(&m->link, f);
    m->work = NULL;
    return ok;
}

void maildrop_go_on(struct maildrop *m)
{
    link_go_on(&m->link);
}

struct one_command {
    struct pop3_client_command command;
    const struct maildrop_work *work;
    bool asked;
};

static enum maildrop_next next_once(void *owner, struct pop3_client_command *command_out)
{
    struct one_command *one = owner;
    if (one->asked)
        return MAILDROP_DONE;
    one->asked = true;
    *command_out = one->command;
    return MAILDROP_ASK;
}

static bool step_once(void *owner, const struct pop3_client_step *step)
{
    const struct one_command *one = owner;
    return !one->work || !one->work->step || one->work->step(one->work->owner, step);
}

bool maildrop_ask(struct maildrop *m, struct pop3_client_command command,
                  const struct maildrop_work *work, struct failure *f)
{
    struct one_command one = { .command = command, .work = work };
    struct maildrop_work alone = { next_once, step_once, &one };
    return maildrop_run(m, &alone, f);
}

bool maildrop_quit(struct maildrop *m, enum pop3_client_deletions *deletions_out, struct failure *f)
{
    bool ok = true;
    m->quits = true;
    if (m->link.state != LINK_ENDED)
        ok = link_run(&m->link, f);
    *deletions_out = pop3_client_deletions(m->machine);
    return ok;
}

const char *maildrop_where(const struct maildrop *m)
{
    return m->link.where;
}

const struct pop3_client_offers *maildrop_offers(const struct maildrop *m)
{
    return pop3_client_offers(m->machine);
}

bool maildrop_is_open(const struct maildrop *m)
{
    return m->link.state == LINK_RESTING;
}
