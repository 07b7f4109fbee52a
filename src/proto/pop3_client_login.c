/* pop3_client_login.c - what is settled before the login, and the login itself: AUTH, line by line
 * (RFC 5034), or USER and PASS (RFC 1939 7).
 */
#include "proto/pop3_client_internal.h"

#include "base/check.h"

#include <string.h>

void pop3_client_login_clear(struct pop3_client *c)
{
    c->login.asks = false;
    sasl_talk_clear(&c->login.talk, POP3_CLIENT_INPUT_MAX);
    buffer_wipe(&c->login.password);
    buffer_init(&c->login.password, POPPING_PASSWORD_MAX);
}

/* ---- before ---- */

static void ask(struct pop3_client *c)
{
    c->login.asks = true;
}

static void say_language(struct pop3_client *c)
{
    if (c->config->language.len == 0 || !c->offers.lang) {
        ask(c);
        return;
    }
    buffer_text(&c->output, T("LANG "));
    buffer_text(&c->output, c->config->language);
    buffer_text(&c->output, T("\r\n"));
    pop3_client_said(c, AWAIT_LANG);
}

/* RFC 6856 2.1: before the login, and behind STLS. */
void pop3_client_log_in(struct pop3_client *c)
{
    c->phase = POPPING_LOGIN;
    if (c->config->utf8 && c->offers.utf8)
        pop3_client_say(c, AWAIT_UTF8, T("UTF8"));
    else
        say_language(c);
}

void pop3_client_utf8_taken(struct pop3_client *c)
{
    c->utf8 = true;
    say_language(c);
}

/* Then mail comes as the server thinks best for those who do not know UTF-8. */
void pop3_client_utf8_refused(struct pop3_client *c)
{
    say_language(c);
}

/* Words in another language are words too. */
void pop3_client_lang_answered(struct pop3_client *c)
{
    ask(c);
}

/* ---- the request ---- */

struct pop3_client_step pop3_client_ask_login(struct pop3_client *c)
{
    c->login.asks = false;
    c->asked = true;
    return (struct pop3_client_step){
        .kind = POP3_CLIENT_LOG_IN,
        .begins = !c->login.talk.begun,
        .challenge = buffer_as_text(&c->login.talk.challenge),
    };
}

static void take_answer(struct pop3_client *c, uint64_t now_ms)
{
    CHECK(c->asked);
    c->asked = false;
    c->now_ms = now_ms;
    c->said_secret = false;
}

void pop3_client_login_failed(struct pop3_client *c, struct text why, uint64_t now_ms)
{
    take_answer(c, now_ms);
    pop3_client_refuse(c, POP3_CLIENT_AT_LOGIN, why);
}

/* ---- AUTH ---- */

static void said_secret(struct pop3_client *c, bool whole_line)
{
    c->has_secret = true;
    c->said_secret = whole_line;
    pop3_client_said(c, AWAIT_AUTH);
}

void pop3_client_auth(struct pop3_client *c, const struct sasl_words *words, uint64_t now_ms)
{
    bool goes_on = c->login.talk.begun;
    take_answer(c, now_ms);
    sasl_talk_say(&c->login.talk, words, POPPING_LINE_MAX, &c->output);
    said_secret(c, goes_on);
}

void pop3_client_challenged(struct pop3_client *c, struct text line)
{
    switch (sasl_talk_hear(&c->login.talk, text_skip(line, 1), &c->output)) {
    case SASL_HEARD:
        ask(c);
        break;
    case SASL_HEARD_GO:
        said_secret(c, true);
        break;
    case SASL_HEARD_NONSENSE:
        pop3_client_refuse(c, POP3_CLIENT_AT_LOGIN, T("the server's challenge is not base64"));
        break;
    case SASL_HEARD_NO_MEMORY:
        pop3_client_fail(c, POP3_CLIENT_AT_LOCAL, "memory is short");
        break;
    }
}

static void open_session(struct pop3_client *c)
{
    pop3_client_login_clear(c);
    c->phase = POPPING_OPEN;
}

void pop3_client_auth_taken(struct pop3_client *c)
{
    if (sasl_talk_is_done(&c->login.talk))
        open_session(c);
    else
        pop3_client_refuse(c, POP3_CLIENT_AT_LOGIN, T(SASL_TALK_TOO_EARLY));
}

void pop3_client_login_refused(struct pop3_client *c)
{
    pop3_client_refuse_by_reply(c, POP3_CLIENT_AT_LOGIN);
}

/* ---- USER and PASS ---- */

/* Nothing of a line may become a command of its own. */
static bool can_be_said(struct text words)
{
    return words.len > 0 && words.len <= POPPING_PASSWORD_MAX &&
           !memchr(words.at, '\r', words.len) && !memchr(words.at, '\n', words.len) &&
           !memchr(words.at, 0, words.len);
}

void pop3_client_password(struct pop3_client *c, struct text user, struct text password,
                          uint64_t now_ms)
{
    CHECK(!c->login.talk.begun);
    take_answer(c, now_ms);
    if (!can_be_said(user) || !can_be_said(password)) {
        pop3_client_refuse(c, POP3_CLIENT_AT_LOCAL,
                           T("a name or password that is empty, too long, or has a line end or NUL "
                             "cannot be said with USER and PASS"));
        return;
    }
    if (!buffer_reserve(&c->login.password, password.len) ||
        !buffer_text(&c->login.password, password))
        c->output.failed = true; /* told by whatever is said next */
    buffer_text(&c->output, T("USER "));
    buffer_text(&c->output, user);
    buffer_text(&c->output, T("\r\n"));
    pop3_client_said(c, AWAIT_USER);
}

void pop3_client_user_taken(struct pop3_client *c)
{
    struct text password = buffer_as_text(&c->login.password);
    c->has_secret = true;
    if (buffer_reserve(&c->output, sizeof "PASS \r\n" + password.len)) {
        buffer_text(&c->output, T("PASS "));
        buffer_text(&c->output, password);
        buffer_text(&c->output, T("\r\n"));
    }
    buffer_wipe(&c->login.password);
    pop3_client_said(c, AWAIT_PASS);
}

void pop3_client_pass_taken(struct pop3_client *c)
{
    open_session(c);
}
