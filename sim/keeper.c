/* keeper.c - who looks after a server: asks it on its control socket to hold, release, drop or try
 * again what is queued.
 *
 * There is one for a server at a time.  What an answer that never came would have said nobody
 * knows.
 */
#include "base/check.h"
#include "sim/node.h"
#include "sim/peer.h"
#include "sim/stream_inner.h"

#include <stdio.h>
#include <stdlib.h>

enum { LOST_US = 60 * 1000 * 1000 };

struct keeper {
    struct peer peer;
    struct node *node;
    enum keeper_wish wish;
    size_t drop; /* KEEPER_DROP: which one, in the ledger */
    uint64_t asked_us;
    bool answered;
};

static struct keeper *keeper_of(struct peer *p)
{
    return OWNER_OF(p, struct keeper, peer);
}

static void parting(struct peer *p)
{
    struct keeper *k = keeper_of(p);
    k->node->is_kept = false;
    if (!k->answered)
        k->node->keeper_lost_us = world_time_us();
}

static void clear(struct peer *p)
{
    free(keeper_of(p));
}

/* --- Answers --- */

static bool was_lost_lately(const struct node *n)
{
    return n->keeper_lost_us && world_time_us() - n->keeper_lost_us < LOST_US;
}

/* {"ok":true,"matched":3,"changed":2,"busy":0} */
static uint64_t number_behind(struct text line, struct text key)
{
    uint64_t number = 0;
    while (line.len && !text_starts(line, key))
        line = text_skip(line, 1);
    line = text_skip(line, key.len);
    struct text digits = text_first(line, text_find(line, ','));
    CHECK(text_to_u64(digits, &number));
    return number;
}

static void hear_done(struct keeper *k, struct text line)
{
    struct text rest = line;
    bool all = text_take_nocase(&rest, T("{\"ok\":true,\"matched\":"));
    all = all && text_ends_nocase(line, T("\"busy\":0}"));
    if (k->wish == KEEPER_HOLD && all && !was_lost_lately(k->node))
        k->node->held_us = k->asked_us;
    if (k->wish == KEEPER_RELEASE && world_now()->calm)
        k->node->released = all;
    if (k->wish == KEEPER_DROP)
        ledger_drop_answered(k->peer.town->ledger, k->drop, number_behind(line, T("\"changed\":")));
}

static void heard(struct peer *p, struct text line)
{
    struct keeper *k = keeper_of(p);
    bool ok = text_starts(line, T("{\"ok\":true"));
    trace_show("keeper hears: %.*s", TEXT_ARGS(line));
    world_expect(CHECK_ORDER, ok || text_starts(line, T("{\"ok\":false,\"kind\":\"temporary\"")),
                 "%s: the keeper hears: %.*s", k->node->host->name, TEXT_ARGS(line));
    k->answered = ok;
    if (ok)
        hear_done(k, line);
    peer_leave(p);
}

/* --- Asking --- */

static void say(struct keeper *k, const char *op, const char *selector)
{
    char line[200];
    int len = snprintf(line, sizeof line,
                       "{\"do\":\"queue\",\"op\":\"%s\",\"selectors\":[\"%s\"]}\n", op, selector);
    trace_words("%s: its keeper says: %s %s", k->node->host->name, op, selector);
    talk_say(&k->peer.talk, (struct bytes){ (const uint8_t *)line, (size_t)len });
}

static void ask(struct keeper *k)
{
    const char *domain = chance_below(2) ? "f1.test" : "f2.test";
    char selector[64];
    switch (k->wish) {
    case KEEPER_HOLD:
        say(k, "hold", "all");
        break;
    case KEEPER_RELEASE:
        k->node->held_us = 0;
        say(k, "release", "all");
        break;
    case KEEPER_RETRY:
        say(k, "retry", "all");
        break;
    case KEEPER_DROP:
        k->drop = ledger_drop_asked(k->peer.town->ledger, k->node->host->number, domain);
        snprintf(selector, sizeof selector, "domain:%s", domain);
        say(k, "drop", selector);
        break;
    default:
        talk_say_text(&k->peer.talk, T("{\"do\":\"hops\"}\n"));
        break;
    }
}

void keeper_start(struct town *town, struct node *node, enum keeper_wish wish)
{
    static const struct peer_kind kind = { heard, parting, clear };
    struct stream *stream =
        node->is_kept ? NULL : connect_local(town->loop, node->host, node->control);
    if (!stream)
        return;
    struct keeper *k = calloc(1, sizeof *k);
    CHECK(k);
    k->node = node;
    k->wish = wish;
    k->asked_us = world_time_us();
    node->is_kept = true;
    peer_came(&k->peer, town, &kind, "keeper");
    talk_take(&k->peer.talk, town->loop, stream);
    ask(k);
}
