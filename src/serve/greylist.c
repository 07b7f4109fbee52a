/* greylist.c - mail of a triplet that is seen for the first time is deferred for a while. */
#include "serve/greylist.h"

#include "run/clock.h"
#include "serve/peer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* How long a triplet is waited for that has not come again: RFC 5321 4.5.4.1 lets a client try for
 * days, but every one tries within one. */
enum { PENDING_MS = 2 * 24 * 3600 * 1000 };

struct greylist_ask {
    struct greylist_question question; /* peer and addresses are not kept */
    struct server_loop *home;
    struct cache_op op;
    bool forgotten;
    char key[CACHE_KEY_MAX];
};

uint64_t greylist_judge(int64_t now_ms, int64_t due_ms, const struct greylist_question *q,
                        int64_t *due_out, int64_t *expires_out)
{
    int64_t delay_ms = (int64_t)q->delay_ms;
    /* One that lies further ahead than the delay was written before the clock or the delay was set
     * back. */
    if (due_ms == 0 || due_ms > now_ms + delay_ms) {
        *due_out = now_ms + delay_ms;
        *expires_out = *due_out + PENDING_MS;
        return q->delay_ms;
    }
    *due_out = due_ms;
    *expires_out = due_ms > now_ms ? due_ms + PENDING_MS : now_ms + (int64_t)q->life_ms;
    return due_ms > now_ms ? (uint64_t)(due_ms - now_ms) : 0;
}

static struct text make_key(const struct greylist_question *q, char out[CACHE_KEY_MAX])
{
    char network[PEER_TEXT_MAX];
    struct address_key sender, recipient;
    struct peer_key peer = peer_network(q->peer);
    struct buffer key = buffer_over(out, CACHE_KEY_MAX);
    address_key(q->sender, &sender);
    address_key(q->recipient, &recipient);
    buffer_text(&key, peer_print(&peer, network));
    buffer_byte(&key, ' ');
    buffer_text(&key, address_key_text(&sender));
    buffer_byte(&key, ' ');
    buffer_text(&key, address_key_text(&recipient));
    return buffer_as_text(&key);
}
_Static_assert((int)CACHE_KEY_MAX >= 2 * ADDRESS_TEXT_MAX + PEER_TEXT_MAX + 2, "every key fits");

static void keep(const struct greylist_ask *a, int64_t due_ms, int64_t expires_ms, int64_t now_ms)
{
    char value[24];
    int len = snprintf(value, sizeof value, "%" PRId64, due_ms);
    struct cache_entry e = { CACHE_GREYLIST, a->op.entry.key, { value, (size_t)len }, expires_ms };
    cache_note(a->home->server->cache, &e, now_ms);
}

/* How long it still has to wait. */
static uint64_t judge(const struct greylist_ask *a)
{
    uint64_t due = 0;
    int64_t due_ms, expires_ms, now_ms = a->op.now_ms;
    if (!a->op.ok)
        return 0;
    if (a->op.found && (!text_to_u64(a->op.entry.value, &due) || due > INT64_MAX))
        due = 0;
    uint64_t wait_ms = greylist_judge(now_ms, (int64_t)due, &a->question, &due_ms, &expires_ms);
    if (wait_ms == 0 || due_ms != (int64_t)due)
        keep(a, due_ms, expires_ms, now_ms);
    return wait_ms;
}

static void answered(struct cache_op *op)
{
    struct greylist_ask *a = OWNER_OF(op, struct greylist_ask, op);
    struct server_loop *home = a->home;
    op->home = NULL; /* nothing is under way */
    if (a->forgotten)
        greylist_free(&a);
    else
        a->question.done(a->question.owner, judge(a));
    server_loop_release(home);
}

struct greylist_ask *greylist_ask(struct server_loop *home, const struct greylist_question *q)
{
    struct greylist_ask *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->question = *q;
    a->home = home;
    a->op = (struct cache_op){ .what = CACHE_FIND,
                               .entry = { .kind = CACHE_GREYLIST, .key = make_key(q, a->key) },
                               .now_ms = clock_wall_ms(),
                               .home = home->loop,
                               .done = answered };
    if (!cache_ask(home->server->cache, &a->op)) {
        free(a);
        return NULL;
    }
    server_loop_hold(home);
    return a;
}

void greylist_free(struct greylist_ask **ask)
{
    struct greylist_ask *a = *ask;
    *ask = NULL;
    if (!a)
        return;
    a->forgotten = true;
    if (a->op.home)
        return; /* the cache still holds it */
    cache_op_clear(&a->op);
    free(a);
}
