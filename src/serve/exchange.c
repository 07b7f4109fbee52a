/* exchange.c - one AUTH exchange of a session, whatever it speaks. */
#include "serve/exchange.h"

#include "serve/conn.h"

#include <stdlib.h>

struct exchange {
    struct conn *conn;
    struct sasl *sasl;
    struct login *login; /* asked for; kept for SCRAM until the proof has come */
    exchange_done *done;
    void *owner;
    mailbox_id mailbox;
    struct address address;
};

struct exchange *exchange_new(struct conn *c, struct text mechanism, exchange_done *done,
                              void *owner)
{
    struct exchange *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->conn = c;
    x->done = done;
    x->owner = owner;
    x->sasl = sasl_new(c->home->sasl, mechanism, c->tls ? c->stream : NULL);
    if (!x->sasl)
        exchange_free(&x);
    return x;
}

/* A login that is still asked for ends by itself. */
static void let_login_go(struct exchange *x)
{
    if (x->login && x->login->holds)
        x->login->owner = NULL;
    else
        login_free(&x->login);
    x->login = NULL;
}

void exchange_free(struct exchange **exchange)
{
    struct exchange *x = *exchange;
    if (!x)
        return;
    let_login_go(x);
    sasl_free(&x->sasl);
    free(x);
    *exchange = NULL;
}

/* --- Asking --- */

static enum exchange_verdict judge(struct exchange *, enum sasl_verdict);

static enum exchange_verdict verdict_of_login(const struct login *l)
{
    static const enum exchange_verdict verdicts[] = {
        [AUTH_RIGHT] = EXCHANGE_RIGHT,
        [AUTH_WRONG] = EXCHANGE_WRONG,
        [AUTH_TEMPORARY] = EXCHANGE_TEMPORARY,
    };
    return verdicts[l->verdict];
}

/* RFC 4422 2: whoever wants to act for somebody may do so for himself only. */
static enum exchange_verdict end(struct exchange *x, enum exchange_verdict verdict)
{
    struct text other = sasl_acting_for(x->sasl);
    x->mailbox = x->login->mailbox;
    x->address = x->login->address;
    let_login_go(x);
    if (verdict == EXCHANGE_RIGHT && other.len &&
        !auth_same_name(x->conn->settings, other, &x->address))
        return EXCHANGE_WRONG;
    return verdict;
}

static void answered(struct login *l)
{
    struct exchange *x = l->owner;
    server_loop_release(l->holds);
    l->holds = NULL;
    if (!x)
        login_free(&l);
    else if (!l->only_finds || l->verdict == AUTH_TEMPORARY)
        x->done(x->owner, end(x, verdict_of_login(l)));
    else
        x->done(x->owner, judge(x, sasl_give(x->sasl, login_verifier(l))));
}

static struct login_ask question(struct exchange *x)
{
    return (struct login_ask){
        .settings = x->conn->settings,
        .home = x->conn->home->loop,
        .name = sasl_name(x->sasl),
        .password = sasl_password(x->sasl),
        .done = answered,
        .owner = x,
    };
}

static enum exchange_verdict await(struct exchange *x, struct login *login)
{
    if (!login)
        return EXCHANGE_TEMPORARY;
    x->login = login;
    server_loop_hold(login->holds = x->conn->home);
    return EXCHANGE_WAITS;
}

/* Polling clients come again and again: what was right a minute ago is not computed again. */
static enum exchange_verdict check_password(struct exchange *x)
{
    struct auth *auth = x->conn->home->server->auth;
    struct text other = sasl_acting_for(x->sasl);
    struct login_ask ask = question(x);
    struct login_known known;
    if (!auth_is_known(auth, &ask, &known) ||
        (other.len && !auth_same_name(ask.settings, other, &known.address)))
        return await(x, auth_login(auth, &ask));
    x->mailbox = known.mailbox;
    x->address = known.address;
    return EXCHANGE_RIGHT;
}

static enum exchange_verdict find_verifier(struct exchange *x)
{
    struct login_ask ask = question(x);
    return await(x, auth_find(x->conn->home->server->auth, &ask));
}

/* --- Steps --- */

static enum exchange_verdict judge(struct exchange *x, enum sasl_verdict verdict)
{
    switch (verdict) {
    case SASL_CHALLENGE:
        return EXCHANGE_CHALLENGE;
    case SASL_PASSWORD:
        return check_password(x);
    case SASL_VERIFIER:
        return find_verifier(x);
    case SASL_RIGHT:
        login_proved(x->login);
        return end(x, verdict_of_login(x->login));
    case SASL_WRONG:
        return x->login ? end(x, EXCHANGE_WRONG) : EXCHANGE_WRONG;
    case SASL_MALFORMED:
        return EXCHANGE_MALFORMED;
    case SASL_TEMPORARY:
        break;
    }
    return EXCHANGE_TEMPORARY;
}

enum exchange_verdict exchange_step(struct exchange *x, struct text words, bool initial)
{
    return judge(x, sasl_step(x->sasl, words, initial));
}

const char *exchange_outcome(enum exchange_verdict verdict)
{
    static const char *const outcomes[] = {
        [EXCHANGE_RIGHT] = "ok",
        [EXCHANGE_WRONG] = "wrong user or password",
        [EXCHANGE_MALFORMED] = "malformed",
        [EXCHANGE_TEMPORARY] = "try again later",
    };
    return outcomes[verdict];
}

struct text exchange_challenge(const struct exchange *x)
{
    return sasl_challenge(x->sasl);
}

mailbox_id exchange_mailbox(const struct exchange *x)
{
    return x->mailbox;
}

struct text exchange_name(const struct exchange *x)
{
    struct text address = address_text(&x->address);
    return address.len ? address : sasl_name(x->sasl);
}

const struct address *exchange_address(const struct exchange *x)
{
    return &x->address;
}
