/* cache_lane.c - the cache for loops: a lane of width one that owns it.
 *
 * Answers come on the loop that asked; notes are copied and nobody waits for them.  When too much
 * is asked a question is refused and a note is lost: the cache may forget.
 */
#include "store/cache.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

enum { QUEUE_MAX = 4096 };

struct cache_lane {
    struct cache *cache; /* used on the lane only */
    struct lane *lane;
};

bool cache_lane_new(struct cache **cache, struct cache_lane **out, struct error *error)
{
    *out = calloc(1, sizeof **out);
    if (*out && lane_new("cache", 1, QUEUE_MAX, &(*out)->lane, error)) {
        (*out)->cache = *cache;
        *cache = NULL;
        return true;
    }
    if (!*out)
        error_set(error, ERROR_TEMPORARY, "memory is short");
    free(*out);
    *out = NULL;
    cache_close(cache);
    return false;
}

void cache_lane_free(struct cache_lane **lane)
{
    struct cache_lane *l = *lane;
    if (!l)
        return;
    lane_free(&l->lane);
    cache_close(&l->cache);
    free(l);
    *lane = NULL;
}

/* --- Questions --- */

static void op_run(struct job *job)
{
    struct cache_op *op = OWNER_OF(job, struct cache_op, job);
    struct cache *c = op->cache->cache;
    switch (op->what) {
    case CACHE_FIND:
        op->ok = cache_find(c, &op->entry, op->now_ms, &op->value, &op->found, NULL);
        op->entry.value = buffer_as_text(&op->value);
        break;
    case CACHE_KEEP:
        op->ok = cache_keep(c, &op->entry, op->now_ms, NULL);
        break;
    case CACHE_DROP:
        op->ok = cache_drop(c, op->entry.kind, op->entry.key, &op->found, NULL);
        break;
    }
}

static void op_done(struct job *job)
{
    struct cache_op *op = OWNER_OF(job, struct cache_op, job);
    op->done(op);
}

bool cache_ask(struct cache_lane *l, struct cache_op *op)
{
    CHECK(op->home && op->done);
    op->cache = l;
    op->ok = op->found = false;
    buffer_init(&op->value, CACHE_VALUE_MAX);
    op->job = (struct job){ .run = op_run, .done = op_done, .home = op->home };
    return lane_submit(l->lane, &op->job);
}

void cache_op_clear(struct cache_op *op)
{
    buffer_clear(&op->value);
    op->entry.value = (struct text){ 0 };
}

/* --- Notes --- */

struct note {
    struct cache_lane *cache;
    struct job job;
    struct cache_entry entry; /* its texts lie behind the note */
    int64_t now_ms;
    bool gone;
    char words[];
};

static void note_run(struct job *job)
{
    struct note *n = OWNER_OF(job, struct note, job);
    bool found;
    if (n->gone)
        cache_drop(n->cache->cache, n->entry.kind, n->entry.key, &found, NULL);
    else
        cache_keep(n->cache->cache, &n->entry, n->now_ms, NULL);
    free(n);
}

static struct note *note_new(struct cache_lane *l, const struct cache_entry *e)
{
    struct note *n = malloc(sizeof *n + e->key.len + e->value.len);
    if (!n)
        return NULL;
    *n = (struct note){ .cache = l, .entry = *e };
    memcpy(n->words, e->key.at, e->key.len);
    if (e->value.len)
        memcpy(n->words + e->key.len, e->value.at, e->value.len);
    n->entry.key.at = n->words;
    n->entry.value.at = n->words + e->key.len;
    n->job.run = note_run;
    return n;
}

static void submit(struct cache_lane *l, struct note *n)
{
    if (n && !lane_submit(l->lane, &n->job))
        free(n);
}

void cache_note(struct cache_lane *l, const struct cache_entry *e, int64_t now_ms)
{
    struct note *n = note_new(l, e);
    if (n)
        n->now_ms = now_ms;
    submit(l, n);
}

void cache_note_gone(struct cache_lane *l, enum cache_kind kind, struct text key)
{
    struct note *n = note_new(l, &(struct cache_entry){ .kind = kind, .key = key });
    if (n)
        n->gone = true;
    submit(l, n);
}
