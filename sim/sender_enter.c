/* sender_enter.c - how a peer that brings mail comes in: greeting, EHLO, and for who submits TLS
 * and a login.
 *
 * Who submits may first try what must not work: to send before the login, to log in with another
 * password, and later to send as somebody else.
 */
#include "base/base64.h"
#include "base/check.h"
#include "run/tls.h"
#include "sim/node.h"
#include "sim/sender_inner.h"

#include <stdio.h>

enum { SHAKE_MS = 30 * 1000, WORDS_MAX = 200 };

static const uint64_t hour_us = (uint64_t)55 * 60 * 1000000; /* a little less */

/* --- TLS --- */

static void say_hello(struct sender *s)
{
    sender_say(s, (struct ask){ .kind = ASK_HELLO }, "EHLO peer%u." OUTSIDE "\r\n", s->host);
}

static void shaken(void *owner, const struct error *why)
{
    struct sender *s = owner;
    s->shakes = false;
    if (why) {
        peer_leave(&s->peer);
        return;
    }
    s->is_secure = true;
    say_hello(s);
}

static void shake(struct sender *s)
{
    struct tls_options options = { .timeout_ms = SHAKE_MS, .shaken = shaken, .owner = s };
    s->shakes = tls_connect(s->peer.talk.stream, NULL, &options, NULL);
    CHECK(s->shakes);
}

/* --- The login --- */

/* RFC 4616 2. */
static void say_login(struct sender *s, enum ask_kind kind, const char *password)
{
    char words[WORDS_MAX];
    struct buffer coded;
    int len = snprintf(words, sizeof words, "%c%s%c%s", 0, s->user->address, 0, password);
    buffer_init(&coded, 2 * WORDS_MAX);
    CHECK(base64_encode(&coded, (struct bytes){ (const uint8_t *)words, (size_t)len }));
    sender_say(s, (struct ask){ .kind = kind }, "AUTH PLAIN %.*s\r\n",
               TEXT_ARGS(buffer_as_text(&coded)));
    buffer_clear(&coded);
}

static void go_in(struct sender *s)
{
    if (s->wants_tls && !s->is_secure)
        sender_say(s, (struct ask){ .kind = ASK_TLS }, "STARTTLS\r\n");
    else if (chance_below(10) == 0)
        sender_say(s, (struct ask){ .kind = ASK_STRANGER }, "MAIL FROM:<%s>\r\n", s->user->address);
    else if (chance_below(8) == 0)
        say_login(s, ASK_WRONG_LOGIN, "no metre of it");
    else
        say_login(s, ASK_LOGIN, TOWN_PASSWORD);
}

static void expect_refused(const struct ask *ask, const struct reply *reply)
{
    const char *what = ask->kind == ASK_STRANGER      ? "who has not logged in"
                       : ask->kind == ASK_WRONG_LOGIN ? "who does not know the password"
                                                      : "who is somebody else";
    world_expect(CHECK_LOGIN, reply->code / 100 >= 4, "%s hears %u%.*s", what, reply->code,
                 TEXT_ARGS(reply->words));
}

/* There is nothing to send for whom the server does not let in now. */
static void stay_out(struct sender *s)
{
    s->transactions = 0;
}

void sender_hear_entry(struct sender *s, const struct ask *ask, const struct reply *reply)
{
    bool ok = reply->code / 100 == 2;
    switch (ask->kind) {
    case ASK_GREETING:
        s->quits = !ok;
        if (ok)
            say_hello(s);
        break;
    case ASK_HELLO:
    case ASK_TLS:
        sender_expect_order(ok || reply->code / 100 == 4, "EHLO or STARTTLS", reply);
        if (!ok)
            stay_out(s);
        else if (ask->kind == ASK_TLS)
            shake(s);
        else if (s->user)
            go_in(s);
        break;
    case ASK_LOGIN:
        sender_expect_order(reply->code == 235 || reply->code / 100 == 4, "AUTH", reply);
        s->is_in = ok;
        if (!ok)
            stay_out(s);
        break;
    default:
        expect_refused(ask, reply);
        if (reply->code != 421)
            go_in(s);
        break;
    }
}

/* --- How much a user may send --- */

/* A server that starts anew has forgotten, and a reload may bring another limit. */
static void count_mail(struct sender *s)
{
    const struct node *node = s->peer.town->world->hosts[s->host].node;
    struct sent *sent = &s->user->sent;
    size_t max = node->wish.messages_hourly;
    uint64_t now_us = world_time_us();
    if (max == 0 || !node_is_settled(node))
        return;
    CHECK(max <= SENT_MAX);
    if (sent->since_us != node->settled_us)
        *sent = (struct sent){ .since_us = node->settled_us };
    uint64_t before_us = sent->at_us[sent->count % max];
    world_expect(CHECK_QUOTA, sent->count < max || now_us - before_us > hour_us,
                 "%s may send %zu messages in an hour, and sends one more", s->user->address, max);
    sent->at_us[sent->count++ % max] = now_us;
}

void sender_hear_user(struct sender *s, const struct ask *ask, const struct reply *reply)
{
    if (ask->kind == ASK_FORGED)
        expect_refused(ask, reply);
    else if (s->is_in && reply->code / 100 == 2)
        count_mail(s);
}
