/* guard.c - who may come in, and what comes of what they do.
 *
 * It decides nothing that bans.c can decide, and keeps nothing itself: counts, bans and logins are
 * in the shared table, and a copy of the last two in cache.db.
 */
#include "serve/guard.h"

#include "run/clock.h"
#include "serve/conn.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Whoever tries his configuration out makes some mistakes; so many of an hour count as one that a
 * session begins with, up to the most: its first one then costs 4 s. */
enum { MISTAKES_WORTH_ONE = 50, MISTAKES_MAX = 7 };

/* In the order of enum offence; said to the peer. */
static const char *const too_much[OFFENCES] = {
    [OFFENCE_CONNECTION] = "rule hourly_connections: too many connections from your address",
    [OFFENCE_ERROR] = "rule hourly_errors: too many errors from your address",
    [OFFENCE_LOGIN] = "rule hourly_logins: too many failed logins from your address",
    [OFFENCE_UNKNOWN] = "rule hourly_unknown: too many unknown recipients from your address",
    [OFFENCE_COMMAND] = "rule hourly_commands: too many commands from your address",
};

struct bans_limits guard_limits(const struct config *config)
{
    return (struct bans_limits){
        .most = { [OFFENCE_CONNECTION] = config->hourly_connections,
                  [OFFENCE_ERROR] = config->hourly_errors,
                  [OFFENCE_LOGIN] = config->hourly_logins,
                  [OFFENCE_UNKNOWN] = config->hourly_unknown,
                  [OFFENCE_COMMAND] = config->hourly_commands },
        .network = config->hourly_network,
        .now_ms = clock_wall_ms(),
    };
}

/* --- From the last run --- */

struct loading {
    struct bans *bans;
    int64_t now_ms;
};

static void load_login(void *owner, const struct cache_entry *e)
{
    struct loading *l = owner;
    struct endpoint peer;
    bool news;
    if (peer_parse(e->key, &peer))
        bans_logged_in(l->bans, &peer, e->expires_ms - BANS_LOGIN_MS, &news);
}

static void load_ban(void *owner, const struct cache_entry *e)
{
    struct loading *l = owner;
    struct endpoint peer;
    struct ban ban;
    if (!peer_parse(e->key, &peer) || !ban_parse(e->value, &ban))
        return;
    ban.until_ms = e->expires_ms;
    bans_put(l->bans, &peer, &ban, l->now_ms);
}

/* What cannot be read is forgotten: the cache has told why. */
void guard_load(struct shared *shared, struct cache *cache, int64_t now_ms)
{
    struct loading l = { shared_bans(shared), now_ms };
    cache_each(cache, CACHE_LOGIN, now_ms, load_login, &l, NULL);
    cache_each(cache, CACHE_BAN, now_ms, load_ban, &l, NULL);
}

/* --- Coming in --- */

static const char *verdict_words(enum bans_verdict verdict)
{
    return verdict == BANS_BANNED         ? "your address is banned"
           : verdict == BANS_NETWORK_OVER ? "too much from your network"
                                          : "too much from your address";
}

/* Static words for what it went over, or NULL. */
static const char *words_of_rule(const char *rule)
{
    for (enum offence i = 0; i < OFFENCES; i++)
        if (strcmp(rule, offence_rule(i)) == 0)
            return too_much[i];
    return NULL;
}

bool guard_admits(struct server_loop *home, const struct endpoint *peer,
                  char words_out[GUARD_WORDS_MAX])
{
    const struct config *config = home->settings->config;
    struct bans *bans = shared_bans(home->server->shared);
    struct bans_limits limits = guard_limits(config);
    struct deed connection = { OFFENCE_CONNECTION, 1 };
    struct ban ban;
    if (config_allows(config, peer))
        return true;
    enum bans_verdict verdict = bans_meet(bans, peer, &limits, &ban);
    if (verdict == BANS_BANNED && !config->ban)
        verdict = BANS_WELCOME; /* from before it was switched off */
    if (verdict == BANS_WELCOME && config->hourly_connections > 0)
        verdict = bans_count(bans, peer, connection, &limits, &ban);
    if (verdict == BANS_WELCOME)
        return true;
    snprintf(words_out, GUARD_WORDS_MAX, "rule %s: %s, come again in %" PRId64 " min", ban.rule,
             verdict_words(verdict), (ban.until_ms - limits.now_ms) / 60000 + 1);
    return false;
}

uint32_t guard_mistakes(struct server_loop *home, const struct endpoint *peer)
{
    if (config_allows(home->settings->config, peer))
        return 0;
    uint32_t mistakes = bans_mistakes(shared_bans(home->server->shared), peer, clock_wall_ms());
    mistakes /= MISTAKES_WORTH_ONE;
    return mistakes < MISTAKES_MAX ? mistakes : MISTAKES_MAX;
}

/* --- What they do --- */

static void write_down(struct conn *c, const struct ban *ban, int64_t now_ms)
{
    char key[PEER_TEXT_MAX], value[BAN_RULE_MAX + 40], seconds[24], peer[ENDPOINT_TEXT_MAX];
    struct peer_key who = peer_key(&c->peer);
    struct text name = peer_print(&who, key);
    snprintf(seconds, sizeof seconds, "%" PRId64, (ban->until_ms - now_ms) / 1000);
    LOG_EVENT(conn_log(c), LOG_NOTICE, conn_session(c), "banned", { "address", name },
              { "rule", text_of(ban->rule) }, { "seconds", text_of(seconds) },
              { "peer", endpoint_print(&c->peer, peer) });
    struct cache_entry e = { CACHE_BAN, name, ban_print(ban, value, sizeof value), ban->until_ms };
    cache_note(c->home->server->cache, &e, now_ms);
}

static void ban_peer(struct conn *c, const char *rule, uint32_t count, int64_t now_ms)
{
    const struct config *config = c->settings->config;
    struct ban ban = { .since_ms = now_ms,
                       .until_ms = now_ms + (int64_t)config->ban_ms,
                       .count = count };
    if (!config->ban)
        return;
    snprintf(ban.rule, sizeof ban.rule, "%s", rule);
    if (bans_put(shared_bans(c->home->server->shared), &c->peer, &ban, now_ms))
        write_down(c, &ban, now_ms);
}

static void log_too_much(struct conn *c, const struct ban *over, const char *words)
{
    char count[16], peer[ENDPOINT_TEXT_MAX];
    snprintf(count, sizeof count, "%" PRIu32, over->count);
    LOG_EVENT(conn_log(c), LOG_NOTICE, conn_session(c), "too-much", { "rule", text_of(over->rule) },
              { "count", text_of(count) }, { "why", text_of(words) },
              { "peer", endpoint_print(&c->peer, peer) });
}

void guard_count(struct conn *c, enum offence offence, uint32_t count)
{
    const struct config *config = c->settings->config;
    struct bans_limits limits = guard_limits(config);
    struct deed deed = { offence, count };
    struct ban over;
    if (c->exempt || config_allows(config, &c->peer))
        return;
    enum bans_verdict verdict =
        bans_count(shared_bans(c->home->server->shared), &c->peer, deed, &limits, &over);
    const char *words = verdict == BANS_WELCOME ? NULL : words_of_rule(over.rule);
    if (!words || c->sent_away)
        return;
    c->sent_away = true;
    log_too_much(c, &over, words);
    c->type->shut_down(c, "4.7.0", words);
    c->again = true; /* it says so at once */
    if (verdict == BANS_PEER_OVER)
        ban_peer(c, over.rule, over.count, limits.now_ms);
}

/* The session was ended by its machine, which has told the client why. */
static void log_ended(struct conn *c, const char *rule)
{
    char peer[ENDPOINT_TEXT_MAX];
    LOG_EVENT(conn_log(c), LOG_INFO, conn_session(c), "refused", { "what", T("session") },
              { "rule", text_of(rule) }, { "peer", endpoint_print(&c->peer, peer) });
}

static void watch_ends(struct conn *c, const struct mistakes *before, const struct mistakes *now)
{
    if (now->early && !before->early)
        log_ended(c, "greeting_delay");
    if (now->too_many_errors && !before->too_many_errors)
        log_ended(c, "errors");
    if (now->too_many_logins && !before->too_many_logins)
        log_ended(c, "logins");
}

void guard_watch(struct conn *c, const struct mistakes *now)
{
    struct mistakes *before = &c->mistakes;
    watch_ends(c, before, now);
    if (c->exempt || config_allows(c->settings->config, &c->peer)) {
        *before = *now;
        return;
    }
    if (c->settings->config->hourly_commands > 0 && now->commands > before->commands)
        guard_count(c, OFFENCE_COMMAND, now->commands - before->commands);
    if (now->errors > before->errors)
        guard_count(c, OFFENCE_ERROR, now->errors - before->errors);
    if (now->logins > before->logins)
        guard_count(c, OFFENCE_LOGIN, now->logins - before->logins);
    if (now->early && !before->early)
        guard_count(c, OFFENCE_ERROR, now->early);
    if (now->too_many_errors && !before->too_many_errors)
        ban_peer(c, "errors", 0, clock_wall_ms());
    if (now->too_many_logins && !before->too_many_logins)
        ban_peer(c, "logins", 0, clock_wall_ms());
    *before = *now;
}

/* Written down at most once an hour: it says that there was a login within a day. */
void guard_logged_in(struct conn *c)
{
    char key[PEER_TEXT_MAX];
    struct server *server = c->home->server;
    struct peer_key who = peer_key(&c->peer);
    int64_t now_ms = clock_wall_ms();
    bool news;
    if (endpoint_is_loopback(&c->peer))
        return;
    bans_logged_in(shared_bans(server->shared), &c->peer, now_ms, &news);
    if (!news)
        return;
    struct cache_entry e = { .kind = CACHE_LOGIN,
                             .key = peer_print(&who, key),
                             .expires_ms = now_ms + BANS_LOGIN_MS };
    cache_note(server->cache, &e, now_ms);
    cache_note_gone(server->cache, CACHE_BAN, e.key);
}
