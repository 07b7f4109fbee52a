/* conn.c - the pump between a stream and a protocol machine. */
#include "serve/conn.h"

#include "base/check.h"
#include "run/tls.h"
#include "serve/guard.h"
#include "serve/policy.h"

#include <stdio.h>
#include <string.h>

enum {
    PENDING_MAX = 1024 * 1024,
    SHARE_OCTETS = 1024 * 1024, /* of output in a turn: other sessions have theirs in between */
    HANDSHAKE_MS = 30000,
};

static void turn(struct conn *, struct bytes fresh);
static bool begin_tls(struct conn *);

/* --- Output --- */

/* Gives the machine's output to the stream unless an earlier part is still on its way.  Returns how
 * much it was. */
static size_t flush(struct conn *c)
{
    struct bytes out = c->type->output(c);
    if (c->sending || c->broken || out.len == 0)
        return 0;
    enum stream_sent sent = stream_write(c->stream, out);
    c->sending = sent == STREAM_QUEUED;
    c->broken = sent == STREAM_BROKEN;
    wire_drained(&c->wire, out.len);
    c->type->drained(c, out.len);
    return out.len;
}

/* --- Time --- */

/* Whether the peer does not take what was said to it, and the machine would not wait any longer
 * if it were asked. */
static bool is_stuck(const struct conn *c)
{
    return c->sending && !c->resting && c->type->deadline_ms(c) <= loop_now_ms(c->home->loop);
}

static void timer_fired(struct timer *timer)
{
    struct conn *c = OWNER_OF(timer, struct conn, timer);
    if (is_stuck(c)) {
        LOG_EVENT(conn_log(c), LOG_INFO, conn_session(c), "timeout",
                  { "why", T("the peer does not read") });
        conn_drop(c);
        return;
    }
    turn(c, (struct bytes){ 0 });
}

/* Re-arms only for an earlier moment: a later one is noticed when the timer fires. */
static void set_timer(struct conn *c)
{
    uint64_t due = c->yields ? loop_now_ms(c->home->loop) : c->type->deadline_ms(c);
    if (due == UINT64_MAX || (c->timer.node.place && c->timer.node.key <= due))
        return;
    if (!loop_timer_start(c->home->loop, &c->timer, due))
        c->broken = true; /* a session without deadlines may not live */
}

/* --- Input --- */

/* Reads on unless what has come may not be taken yet. */
static void set_reading(struct conn *c, enum conn_wait wait)
{
    bool closed = wait == CONN_NEED_ANSWER || wait == CONN_NEED_TIME;
    bool stop = c->pending.len > 0 && (closed || c->sending || c->yields);
    if (stop == c->paused)
        return;
    c->paused = stop;
    if (stop)
        stream_pause(c->stream);
    else
        stream_resume(c->stream);
}

/* Keeps the part of the input that was not taken. */
static bool keep(struct conn *c, struct bytes rest)
{
    if (c->pending.len) {
        buffer_take(&c->pending, c->pending.len - rest.len);
        if (c->pending.len == 0)
            buffer_clear(&c->pending);
        return true;
    }
    return buffer_append(&c->pending, rest.at, rest.len);
}

/* Cheap, since most sessions do nothing wrong. */
static void watch(struct conn *c)
{
    struct mistakes now = c->type->mistakes(c);
    bool talks = c->settings->config->hourly_commands > 0 && now.commands != c->mistakes.commands;
    if (talks || now.errors != c->mistakes.errors || now.logins != c->mistakes.logins ||
        now.early || now.too_many_errors || now.too_many_logins)
        guard_watch(c, &now);
}

/* Lets the machine run and carries its output, until it waits for something that is not here. */
static enum conn_wait advance(struct conn *c, struct bytes *in)
{
    enum conn_wait wait = CONN_NEED_DRAIN;
    size_t said = 0;
    c->yields = false;
    while ((!c->sending || c->resting) && !c->broken && !c->yields) {
        c->again = false;
        wait = c->type->run(c, in, loop_now_ms(c->home->loop));
        watch(c);
        c->resting = wait == CONN_NEED_TIME;
        if (wait == CONN_DROP)
            break;
        said += flush(c);
        if (wait == CONN_DONE || wait == CONN_START_TLS || (wait != CONN_NEED_DRAIN && !c->again))
            break;
        c->yields = said >= SHARE_OCTETS;
    }
    return wait;
}

/* Last words may be lost when the peer sends anything that nobody reads. */
static void part(struct conn *c, size_t unread)
{
    if (c->quit && unread == 0)
        stream_leave(&c->stream);
    else
        stream_finish(&c->stream);
}

static void turn(struct conn *c, struct bytes fresh)
{
    if (c->running) {
        c->again = true;
        return;
    }
    if (c->shaking) {
        if (c->home->stopping)
            conn_drop(c);
        return;
    }
    if (c->pending.len && !buffer_append(&c->pending, fresh.at, fresh.len)) {
        conn_drop(c);
        return;
    }
    struct bytes in = c->pending.len ? buffer_bytes(&c->pending) : fresh;
    c->running = true;
    enum conn_wait wait = advance(c, &in);
    c->running = false;
    if (c->broken || wait == CONN_DROP || wait == CONN_DONE || !keep(c, in)) {
        if (wait == CONN_DONE && !c->broken)
            part(c, in.len);
        conn_drop(c);
        return;
    }
    set_reading(c, wait);
    set_timer(c);
    if (c->broken || (wait == CONN_START_TLS && !begin_tls(c)))
        conn_drop(c);
}

void conn_resume(struct conn *c)
{
    turn(c, (struct bytes){ 0 });
}

/* --- The stream's events --- */

static void on_input(void *owner, struct bytes fresh)
{
    turn(owner, fresh);
}

static void on_end(void *owner, const struct error *why)
{
    struct conn *c = owner;
    if (why) {
        LOG_EVENT(conn_log(c), LOG_INFO, conn_session(c), "broken", { "why", error_text(why) });
        conn_drop(c);
        return;
    }
    c->type->input_ended(c);
    turn(c, (struct bytes){ 0 });
}

static void on_drained(void *owner)
{
    struct conn *c = owner;
    c->sending = false;
    turn(c, (struct bytes){ 0 });
}

static const struct stream_events events = { on_input, on_end, on_drained };

static void log_tls(struct conn *c)
{
    struct tls_facts facts;
    if (tls_facts(c->stream, &facts))
        LOG_EVENT(conn_log(c), LOG_INFO, conn_session(c), "tls",
                  { "version", text_of(facts.version) }, { "cipher", text_of(facts.cipher) },
                  { "name", text_of(facts.name) },
                  { "session", facts.resumed ? T("resumed") : T("new") });
}

static void log_tls_failure(struct conn *c, const struct error *why)
{
    char words[ENDPOINT_TEXT_MAX], alert[80] = "none";
    struct tls_facts facts;
    bool begun = tls_facts(c->stream, &facts);
    if (begun && facts.alert)
        snprintf(alert, sizeof alert, "%s %s", facts.alert_is_ours ? "sent" : "received",
                 facts.alert);
    LOG_EVENT(conn_log(c), LOG_NOTICE, conn_session(c), "tls-failed",
              { "service", text_of(role_name(c->role)) },
              { "peer", endpoint_print(&c->peer, words) },
              { "version", text_of(begun ? facts.version : "none") }, { "alert", text_of(alert) },
              { "why", error_text(why) });
}

/* --- Logins --- */

enum offer conn_offer(const struct conn *c)
{
    uint8_t binding[TLS_BINDING_MAX];
    if (!c->tls)
        return settings_allow_cleartext(c->settings, &c->peer) ? OFFER_CLEAR : OFFER_NOTHING;
    return tls_binding(c->stream, TLS_BINDING_EXPORTER, binding) ? OFFER_BOUND : OFFER_TLS;
}

void conn_log_login(struct conn *c, struct text name, const char *outcome)
{
    char peer[ENDPOINT_TEXT_MAX];
    LOG_EVENT(conn_log(c), LOG_INFO, conn_session(c), "login", { "user", name },
              { "outcome", text_of(outcome) }, { "peer", endpoint_print(&c->peer, peer) });
}

void conn_logged_in(struct conn *c)
{
    struct shared *shared = c->home->server->shared;
    if (c->exempt)
        return;
    guard_logged_in(c);
    shared_release(shared, &c->peer, false);
    shared_admit(shared, &c->peer, true, 0, 0);
    c->exempt = true;
}

/* --- TLS --- */

/* RFC 3207 6, RFC 2595 4: somebody in the middle may have put it there. */
struct bytes conn_log_discarded(struct conn *c, struct bytes taken)
{
    char words[80];
    struct text line, behind = text_of_bytes(taken);
    text_cut(&behind, '\n', &line);
    if (behind.len == 0)
        return taken;
    snprintf(words, sizeof words, "%zu octets came behind %s in the clear", behind.len,
             role_is_pop3(c->role) ? "STLS" : "STARTTLS");
    LOG_EVENT(conn_log(c), LOG_NOTICE, conn_session(c), "discarded", { "why", text_of(words) });
    return (struct bytes){ taken.at, taken.len - behind.len };
}

static void on_shaken(void *owner, const struct error *why)
{
    struct conn *c = owner;
    c->shaking = false;
    if (why) {
        log_tls_failure(c, why);
        stream_finish(&c->stream);
        conn_drop(c);
        return;
    }
    c->tls = true;
    log_tls(c);
    if (!role_begins_with_tls(c->role))
        c->type->tls_started(c);
    c->type->reconfigure(c, c->settings); /* other ways to log in are offered now */
    turn(c, (struct bytes){ 0 });
}

/* A ticket of one service is none for another. */
static bool begin_tls(struct conn *c)
{
    struct error why;
    if (c->type->output(c).len > 0 && !role_begins_with_tls(c->role))
        return false; /* it did not read what was said before, and cannot be told to begin */
    struct tls_options options = {
        .service = role_name(c->role),
        .timeout_ms = HANDSHAKE_MS,
        .shaken = on_shaken,
        .owner = c,
    };
    c->shaking = c->settings->tls && tls_accept(c->stream, c->settings->tls, &options, &why);
    if (c->settings->tls && !c->shaking)
        log_tls_failure(c, &why);
    return c->shaking;
}

/* --- Beginning and end --- */

/* Who is near is neither counted nor made to wait. */
static bool is_exempt(const struct config *config, const struct endpoint *peer)
{
    return peer->family == NET_LOCAL || endpoint_is_loopback(peer) || config_trusts(config, peer);
}

/* Users of this machine may be many: one of them may not take the place of all. */
static bool is_only_counted(const struct endpoint *peer, bool exempt)
{
    return exempt && peer->family != NET_LOCAL;
}

void conn_init(struct conn *c, const struct conn_type *type, struct served_port *port,
               const struct endpoint *peer)
{
    c->type = type;
    c->home = port->home;
    c->settings = port->home->settings;
    c->role = port->role;
    c->peer = *peer;
    c->exempt = is_exempt(c->settings->config, peer);
    c->timer.fire = timer_fired;
    list_init(&c->link);
    buffer_init(&c->pending, PENDING_MAX);
    log_name_session(c->home->next_session++, c->session);
    wire_init(&c->wire, conn_log(c), conn_session(c), settings_wire_level(c->settings));
}

static void conn_start(struct conn *c, struct stream *stream)
{
    char words[ENDPOINT_TEXT_MAX];
    c->stream = stream;
    list_append(&c->home->conns, &c->link);
    server_loop_hold(c->home);
    LOG_EVENT(conn_log(c), LOG_INFO, conn_session(c), "connect",
              { "service", text_of(role_name(c->role)) },
              { "peer", endpoint_print(&c->peer, words) });
    stream_start(stream, &events, c);
    if (!role_begins_with_tls(c->role))
        turn(c, (struct bytes){ 0 });
    else if (!begin_tls(c))
        conn_drop(c);
}

void conn_drop(struct conn *c)
{
    CHECK(!c->running);
    struct server_loop *home = c->home;
    if (c->stream)
        stream_close(&c->stream);
    loop_timer_stop(home->loop, &c->timer);
    list_remove(&c->link);
    LOG_EVENT(conn_log(c), LOG_INFO, conn_session(c), "disconnect",
              { "service", text_of(role_name(c->role)) });
    shared_release(home->server->shared, &c->peer, is_only_counted(&c->peer, c->exempt));
    buffer_wipe(&c->pending);
    wire_clear(&c->wire);
    c->type->gone(c); /* frees c */
    server_loop_release(home);
}

/* --- Admission --- */

/* The last words to a peer that finds the house full, in the protocol that it expects; none to one
 * who expects TLS, since a handshake for this would cost more than the session. */
void conn_turn_away(struct served_port *port, struct stream *stream, const char *why)
{
    char words[512];
    struct text hostname = port->home->settings->config->hostname;
    if (role_begins_with_tls(port->role)) {
        stream_finish(&stream);
        return;
    }
    int len =
        role_is_pop3(port->role)
            ? snprintf(words, sizeof words, "-ERR [SYS/TEMP] %.*s %s\r\n", TEXT_ARGS(hostname), why)
            : snprintf(words, sizeof words, "421 4.7.0 %.*s %s\r\n", TEXT_ARGS(hostname), why);
    stream_write(stream, (struct bytes){ (const uint8_t *)words, (size_t)len });
    stream_finish(&stream);
}

static const char *refusal_words(enum admission verdict)
{
    return verdict == FULL_FOR_PEER
               ? "rule connections_per_peer: too many from your address, try again later"
               : "rule connections: too many connections, try again later";
}

static void log_refusal(struct served_port *port, const struct endpoint *peer, const char *why)
{
    char words[ENDPOINT_TEXT_MAX];
    LOG_EVENT(port->home->server->log, LOG_NOTICE, T("-"), "turned-away",
              { "service", text_of(role_name(port->role)) },
              { "peer", endpoint_print(peer, words) }, { "why", text_of(why) });
}

static enum admission admit(struct served_port *port, const struct endpoint *peer, bool exempt)
{
    const struct config *config = port->home->settings->config;
    return shared_admit(port->home->server->shared, peer, is_only_counted(peer, exempt),
                        config->connections, config->connections_per_peer);
}

static void serve(struct served_port *port, struct stream *stream, const struct endpoint *peer,
                  const struct policy_account *account)
{
    bool exempt = is_exempt(port->home->settings->config, peer);
    enum admission verdict = admit(port, peer, exempt);
    if (verdict != ADMITTED) {
        log_refusal(port, peer, refusal_words(verdict));
        conn_turn_away(port, stream, refusal_words(verdict));
        return;
    }
    struct conn *c =
        role_is_pop3(port->role) ? pop3_conn_new(port, peer) : smtp_conn_new(port, peer, account);
    if (!c) {
        shared_release(port->home->server->shared, peer, is_only_counted(peer, exempt));
        conn_turn_away(port, stream, "memory is short, try again later");
        return;
    }
    conn_start(c, stream);
}

void conn_accepted(void *owner, struct stream *stream)
{
    struct served_port *port = owner;
    struct endpoint peer = stream_peer(stream);
    char words[GUARD_WORDS_MAX];
    if (!is_exempt(port->home->settings->config, &peer) &&
        !guard_admits(port->home, &peer, words)) {
        log_refusal(port, &peer, words);
        conn_turn_away(port, stream, words);
        return;
    }
    serve(port, stream, &peer, NULL);
}

void conn_accepted_user(struct served_port *port, struct stream *stream,
                        const struct policy_account *account)
{
    struct endpoint peer = endpoint_of_user(account->uid);
    serve(port, stream, &peer, account);
}
