/* control_ban.c - what the command line asks of a running server about peers and their bans. */
#include "run/clock.h"
#include "serve/control_inner.h"
#include "serve/guard.h"

#include <stdlib.h>

/* --- Lifting one --- */

/* It is told only when cache.db knows it too, so that a listing shows no ban that was lifted. */
struct lifting {
    struct caller *caller;
    struct cache_op op;
    char key[PEER_TEXT_MAX];
    bool was_banned;
};

static void lifted(struct cache_op *op)
{
    struct lifting *l = OWNER_OF(op, struct lifting, op);
    struct server *server = l->caller->server;
    control_answer(l->caller,
                   json_pack("{s:b,s:b}", "ok", 1, "lifted", l->was_banned || op->found));
    cache_op_clear(op);
    free(l);
    server_loop_release(&server->loops[0]);
}

static void lift(struct caller *c, const struct endpoint *peer)
{
    struct server *server = c->server;
    struct error error;
    struct peer_key who = peer_key(peer);
    struct lifting *l = calloc(1, sizeof *l);
    if (!l) {
        error_set(&error, ERROR_TEMPORARY, "memory is short");
        control_fail(c, &error);
        return;
    }
    l->caller = c;
    l->was_banned = bans_lift(shared_bans(server->shared), peer, clock_wall_ms());
    l->op = (struct cache_op){ .what = CACHE_DROP,
                               .entry = { .kind = CACHE_BAN, .key = peer_print(&who, l->key) },
                               .home = server->loops[0].loop,
                               .done = lifted };
    LOG_EVENT(server->log, LOG_NOTICE, T("-"), "ban-lifted", { "address", l->op.entry.key },
              { "banned", l->was_banned ? T("yes") : T("no") });
    if (!cache_ask(server->cache, &l->op)) {
        free(l);
        error_set(&error, ERROR_TEMPORARY, "too busy to write it down: lift it again");
        control_fail(c, &error);
        return;
    }
    c->busy = true;
    server_loop_hold(&server->loops[0]);
}

/* --- Telling what is known --- */

static json_t *ban_of(const struct ban *ban)
{
    return json_pack("{s:s,s:I,s:I,s:I}", "rule", ban->rule, "since", (json_int_t)ban->since_ms,
                     "expires", (json_int_t)ban->until_ms, "count", (json_int_t)ban->count);
}

static json_t *counts_of(const struct bans_report *report)
{
    json_t *counts = json_object();
    for (enum offence i = 0; i < OFFENCES; i++)
        json_object_set_new(counts, offence_rule(i), json_integer(report->counts[i]));
    return counts;
}

/* Why a peer is turned away, or would be: its ban, or what it went over. */
static void why(struct caller *c, const struct endpoint *peer)
{
    struct bans *bans = shared_bans(c->server->shared);
    const struct config *config = c->server->settings->config;
    struct bans_limits limits = guard_limits(config);
    struct bans_report report;
    struct ban over;
    bans_report(bans, peer, limits.now_ms, &report);
    enum bans_verdict verdict = bans_meet(bans, peer, &limits, &over);
    json_t *reply =
        json_pack("{s:b,s:b,s:o}", "ok", 1, "on", config->ban, "counts", counts_of(&report));
    if (report.banned)
        json_object_set_new(reply, "ban", ban_of(&report.ban));
    if (report.logged_in)
        json_object_set_new(reply, "login", json_integer(report.login_ms));
    if (verdict == BANS_PEER_OVER || verdict == BANS_NETWORK_OVER)
        json_object_set_new(reply, "over", ban_of(&over));
    control_answer(c, reply);
}

void control_ask_ban(struct caller *c, const json_t *request, struct bytes behind)
{
    const json_t *address = json_object_get(request, "address"),
                 *op = json_object_get(request, "op");
    struct text words = { json_string_value(address), json_string_length(address) };
    struct text name = { json_string_value(op), json_string_length(op) };
    struct endpoint peer;
    struct error error;
    (void)behind;
    bool understood = peer_parse(words, &peer);
    if (understood && text_equal(name, T("lift"))) {
        lift(c, &peer);
    } else if (understood && text_equal(name, T("why"))) {
        why(c, &peer);
    } else {
        error_set(&error, ERROR_USAGE, "a request about bans wants lift or why, and an address");
        control_fail(c, &error);
    }
}
