/* smtp_client_auth.c - logging in with a server, line by line (RFC 4954).
 *
 * Knows the frame only: a mechanism's words come from the driver and go out as base64, challenges
 * come in as base64 and go to the driver.  A yes counts only when the mechanism may end there.
 */
#include "proto/smtp_client_internal.h"

#include "base/base64.h"
#include "base/check.h"
#include "proto/sasl_frame.h"

void client_auth_clear(struct smtp_client *c)
{
    buffer_wipe(&c->login.later);
    buffer_wipe(&c->login.challenge);
    c->login = (struct login){ .asks = false };
    buffer_init(&c->login.later, SASL_LINE_MAX);
    buffer_init(&c->login.challenge, BASE64_DECODED_MAX(REPLY_INPUT_MAX));
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
        .begins = !c->login.begun,
        .challenge = buffer_as_text(&c->login.challenge),
    };
}

/* ---- what is said ---- */

/* Reserved at once: growing would leave a copy of a secret behind. */
static void say(struct smtp_client *c, struct text front, struct text words, bool has_words)
{
    c->has_secret = true;
    buffer_reserve(&c->output, front.len + BASE64_ENCODED(words.len) + sizeof "\r\n");
    buffer_text(&c->output, front);
    if (has_words && words.len == 0 && front.len)
        buffer_text(&c->output, T("=")); /* RFC 4954 4: an initial response of no octets */
    if (!base64_encode(&c->output, bytes_of_text(words)))
        c->output.failed = true;
    buffer_text(&c->output, T("\r\n"));
    client_said(c, AWAIT_AUTH, 1);
}

/* What does not fit the line of a command is said when the server asks for it. */
static void begin(struct smtp_client *c, const struct smtp_client_words *w)
{
    char memory[SASL_MECHANISM_MAX + sizeof "AUTH  "];
    struct buffer front = buffer_over(memory, sizeof memory);
    bool fits = sizeof memory + BASE64_ENCODED(w->words.len) <= CLIENT_AUTH_LINE_MAX;
    CHECK(w->mechanism.len <= SASL_MECHANISM_MAX);
    buffer_text(&front, T("AUTH "));
    buffer_text(&front, w->mechanism);
    c->login.begun = true;
    if (w->has_words && fits) {
        buffer_byte(&front, ' ');
        say(c, buffer_as_text(&front), w->words, true);
        return;
    }
    c->login.waits = w->has_words;
    if (w->has_words &&
        (!buffer_reserve(&c->login.later, w->words.len) || !buffer_text(&c->login.later, w->words)))
        c->output.failed = true;
    say(c, buffer_as_text(&front), T(""), false);
}

void smtp_client_auth(struct smtp_client *c, const struct smtp_client_words *w, uint64_t now_ms)
{
    CHECK(c->request == REQUEST_AUTH);
    c->request = REQUEST_NONE;
    c->now_ms = now_ms;
    buffer_wipe(&c->login.challenge);
    c->login.may_end = w->may_end;
    if (c->login.begun)
        say(c, T(""), w->words, true);
    else
        begin(c, w);
    client_set_deadline(c);
}

void smtp_client_auth_failed(struct smtp_client *c, struct text why, uint64_t now_ms)
{
    CHECK(c->request == REQUEST_AUTH);
    c->request = REQUEST_NONE;
    c->now_ms = now_ms;
    client_refuse(c, AT_AUTH, "4.7.0", why);
}

/* ---- what is answered ---- */

static void say_later(struct smtp_client *c)
{
    c->login.waits = false;
    say(c, T(""), buffer_as_text(&c->login.later), true);
    buffer_wipe(&c->login.later);
}

/* A challenge; one of no octets may come as nothing at all or as "=" (RFC 4954 4). */
static void challenged(struct smtp_client *c)
{
    struct text words = text_trim(reply_words(c->reader.line));
    struct buffer *out = &c->login.challenge;
    if (text_equal(words, T("=")))
        words = T("");
    if (c->login.waits && words.len == 0) {
        say_later(c);
        return;
    }
    c->login.asks = true;
    if (words.len == 0)
        return;
    uint8_t *to = buffer_reserve(out, BASE64_DECODED_MAX(words.len));
    if (!to)
        client_refuse(c, AT_AUTH, "4.3.0", T("memory is short"));
    else if (!base64_decode(words, to, &out->len))
        client_refuse(c, AT_AUTH, "4.5.0", T("the server's challenge is not base64"));
}

void client_auth_taken(struct smtp_client *c)
{
    if (c->reader.code == REPLY_CHALLENGE) {
        challenged(c);
    } else if (c->login.may_end && !c->login.waits) {
        client_auth_clear(c);
        c->phase = CLIENT_OPEN;
    } else {
        client_refuse(c, AT_AUTH, "4.7.0",
                      T("the server said yes before it had shown that it knows the password"));
    }
}

void client_auth_refused(struct smtp_client *c)
{
    client_refuse_by_reply(c, AT_AUTH);
}
