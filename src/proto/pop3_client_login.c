/* pop3_client_login.c - what is settled before the login, and the login itself: AUTH, line by line
 * (RFC 5034), or USER and PASS (RFC 1939 7).
 *
 * Knows the frame only: a mechanism's words come from the driver and go out as base64, challenges
 * come in as base64 and go to the driver.  A yes counts only when the mechanism may end there.
 */
#include "proto/pop3_client_internal.h"

#include "base/base64.h"
#include "base/check.h"
#include "proto/sasl_frame.h"

#include <string.h>

void pop3_client_login_clear(struct pop3_client *c)
{
    buffer_wipe(&c->login.later);
    buffer_wipe(&c->login.challenge);
    c->login = (struct popping_login){ .asks = false };
    buffer_init(&c->login.later, SASL_LINE_MAX);
    buffer_init(&c->login.challenge, BASE64_DECODED_MAX(POP3_CLIENT_INPUT_MAX));
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
        .begins = !c->login.begun,
        .challenge = buffer_as_text(&c->login.challenge),
    };
}

static void answered(struct pop3_client *c, uint64_t now_ms)
{
    CHECK(c->asked);
    c->asked = false;
    c->now_ms = now_ms;
    c->said_secret = false;
    buffer_wipe(&c->login.challenge);
}

void pop3_client_login_failed(struct pop3_client *c, struct text why, uint64_t now_ms)
{
    CHECK(c->asked);
    c->asked = false;
    c->now_ms = now_ms;
    c->said_secret = false;
    pop3_client_refuse(c, POP3_CLIENT_AT_LOGIN, why);
}

/* ---- AUTH: what is said ---- */

/* Reserved at once: growing would leave a copy of a secret behind. */
static void say_words(struct pop3_client *c, struct text front, struct text words)
{
    c->has_secret = true;
    c->said_secret = front.len == 0;
    if (buffer_reserve(&c->output, front.len + BASE64_ENCODED(words.len) + sizeof "=\r\n")) {
        buffer_text(&c->output, front);
        if (words.len == 0 && front.len)
            buffer_text(&c->output, T("=")); /* RFC 5034 4: an initial response of no octets */
        if (!base64_encode(&c->output, bytes_of_text(words)))
            c->output.failed = true;
        buffer_text(&c->output, T("\r\n"));
    }
    pop3_client_said(c, AWAIT_AUTH);
}

static void save_for_later(struct pop3_client *c, struct text words)
{
    struct buffer *later = &c->login.later;
    if (!buffer_reserve(later, words.len + 1) || !buffer_text(later, words))
        c->output.failed = true; /* told by whatever is said next */
}

/* RFC 5034 4: an initial response that would make the line longer than 255 octets is not said with
 * it, but when the server asks for it. */
static void begin(struct pop3_client *c, const struct pop3_client_words *w)
{
    char memory[SASL_MECHANISM_MAX + sizeof "AUTH  "];
    struct buffer front = buffer_over(memory, sizeof memory);
    bool fits = sizeof memory + BASE64_ENCODED(w->words.len) + sizeof "\r\n" <= POPPING_LINE_MAX;
    CHECK(w->mechanism.len > 0);
    CHECK(w->mechanism.len <= SASL_MECHANISM_MAX);
    buffer_text(&front, T("AUTH "));
    buffer_text(&front, w->mechanism);
    c->login.begun = true;
    if (w->has_words && fits) {
        buffer_byte(&front, ' ');
        say_words(c, buffer_as_text(&front), w->words);
        return;
    }
    c->login.waits = w->has_words;
    if (w->has_words)
        save_for_later(c, w->words);
    pop3_client_say(c, AWAIT_AUTH, buffer_as_text(&front));
}

void pop3_client_auth(struct pop3_client *c, const struct pop3_client_words *w, uint64_t now_ms)
{
    answered(c, now_ms);
    c->login.may_end = w->may_end;
    if (c->login.begun)
        say_words(c, T(""), w->words);
    else
        begin(c, w);
}

/* ---- AUTH: what is answered ---- */

static void say_later(struct pop3_client *c)
{
    c->login.waits = false;
    say_words(c, T(""), buffer_as_text(&c->login.later));
    buffer_wipe(&c->login.later);
}

/* One of no octets may come as nothing at all or as "=". */
void pop3_client_challenged(struct pop3_client *c, struct text line)
{
    struct text words = text_trim(text_skip(line, 1));
    struct buffer *out = &c->login.challenge;
    if (text_equal(words, T("=")))
        words = T("");
    if (c->login.waits && words.len == 0) {
        say_later(c);
        return;
    }
    c->login.waits = false;
    ask(c);
    if (words.len == 0)
        return;
    uint8_t *to = buffer_reserve(out, BASE64_DECODED_MAX(words.len) + 1);
    if (!to)
        pop3_client_fail(c, POP3_CLIENT_AT_LOCAL, "memory is short");
    else if (!base64_decode(words, to, &out->len))
        pop3_client_refuse(c, POP3_CLIENT_AT_LOGIN, T("the server's challenge is not base64"));
}

static void open_session(struct pop3_client *c)
{
    pop3_client_login_clear(c);
    c->phase = POPPING_OPEN;
}

void pop3_client_auth_taken(struct pop3_client *c)
{
    if (c->login.may_end && !c->login.waits)
        open_session(c);
    else
        pop3_client_refuse(c, POP3_CLIENT_AT_LOGIN,
                           T("the server said yes before it had shown that it knows the password"));
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
    CHECK(!c->login.begun);
    answered(c, now_ms);
    if (!can_be_said(user) || !can_be_said(password)) {
        pop3_client_refuse(c, POP3_CLIENT_AT_LOCAL,
                           T("a name or password that is empty, too long, or has a line end or NUL "
                             "cannot be said with USER and PASS"));
        return;
    }
    c->login.begun = true;
    save_for_later(c, password);
    buffer_text(&c->output, T("USER "));
    buffer_text(&c->output, user);
    buffer_text(&c->output, T("\r\n"));
    pop3_client_said(c, AWAIT_USER);
}

void pop3_client_user_taken(struct pop3_client *c)
{
    struct text password = buffer_as_text(&c->login.later);
    c->has_secret = true;
    if (buffer_reserve(&c->output, sizeof "PASS \r\n" + password.len)) {
        buffer_text(&c->output, T("PASS "));
        buffer_text(&c->output, password);
        buffer_text(&c->output, T("\r\n"));
    }
    buffer_wipe(&c->login.later);
    pop3_client_said(c, AWAIT_PASS);
}

void pop3_client_pass_taken(struct pop3_client *c)
{
    open_session(c);
}
