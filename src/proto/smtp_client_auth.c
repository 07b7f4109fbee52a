/* smtp_client_auth.c - logging in with a server, line by line (RFC 4954). */
#include "proto/smtp_client_internal.h"

#include "base/check.h"

void client_auth_clear(struct smtp_client *c)
{
    c->login.asks = false;
    sasl_talk_clear(&c->login.talk, REPLY_INPUT_MAX);
}

void client_log_in(struct smtp_client *c)
{
    c->phase = c->config->login ? CLIENT_AUTH : CLIENT_OPEN;
    c->login.asks = c->config->login;
}

struct smtp_client_step client_ask_words(struct smtp_client *c)
{
    c->login.asks = false;
    c->request = REQUEST_AUTH;
    return (struct smtp_client_step){
        .kind = SMTP_CLIENT_AUTH,
        .begins = !c->login.talk.begun,
        .challenge = buffer_as_text(&c->login.talk.challenge),
    };
}

static void take_answer(struct smtp_client *c, uint64_t now_ms)
{
    CHECK(c->request == REQUEST_AUTH);
    c->request = REQUEST_NONE;
    c->now_ms = now_ms;
}

static void said_secret(struct smtp_client *c)
{
    c->has_secret = true;
    client_said(c, AWAIT_AUTH, 1);
}

void smtp_client_auth(struct smtp_client *c, const struct sasl_words *words, uint64_t now_ms)
{
    take_answer(c, now_ms);
    sasl_talk_say(&c->login.talk, words, CLIENT_AUTH_LINE_MAX, &c->output);
    said_secret(c);
    client_set_deadline(c);
}

void smtp_client_auth_failed(struct smtp_client *c, struct text why, uint64_t now_ms)
{
    take_answer(c, now_ms);
    client_refuse(c, AT_AUTH, "4.7.0", why);
}

static void challenged(struct smtp_client *c)
{
    switch (sasl_talk_hear(&c->login.talk, reply_words(c->reader.line), &c->output)) {
    case SASL_HEARD:
        c->login.asks = true;
        break;
    case SASL_HEARD_GO:
        said_secret(c);
        break;
    case SASL_HEARD_NONSENSE:
        client_refuse(c, AT_AUTH, "4.5.0", T("the server's challenge is not base64"));
        break;
    case SASL_HEARD_NO_MEMORY:
        client_refuse(c, AT_AUTH, "4.3.0", T("memory is short"));
        break;
    }
}

void client_auth_taken(struct smtp_client *c)
{
    if (c->reader.code == REPLY_CHALLENGE) {
        challenged(c);
    } else if (sasl_talk_is_done(&c->login.talk)) {
        client_auth_clear(c);
        c->phase = CLIENT_OPEN;
    } else {
        client_refuse(c, AT_AUTH, "4.7.0", T(SASL_TALK_TOO_EARLY));
    }
}

void client_auth_refused(struct smtp_client *c)
{
    client_refuse_by_reply(c, AT_AUTH);
}
