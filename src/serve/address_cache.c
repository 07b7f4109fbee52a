/* address_cache.c - what addresses mean, as one loop remembers it.
 *
 * Bounded by count; full, it starts anew.  A generation of the directory that is not the one it was
 * filled under empties it, so a change is in effect with the next RCPT.  A new configuration counts
 * as such a change (serve/reload.c).
 */
#include "serve/people.h"

#include <stdlib.h>
#include <string.h>

enum { CACHE_BUCKETS = 2048, CACHE_ENTRIES_MAX = 8192, CACHED_TARGETS_MAX = 64 };

struct entry {
    struct entry *next;
    struct text address; /* as given: it decides Delivered-To too */
    struct resolved resolved;
    struct arena memory;
};

struct address_cache {
    struct shared *shared;
    uint64_t generation;
    uint64_t hash_key;
    size_t count;
    struct entry *buckets[CACHE_BUCKETS];
};

struct address_cache *address_cache_new(struct shared *shared)
{
    struct address_cache *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->shared = shared;
    c->hash_key = shared_hash_key(shared);
    return c;
}

static void clear(struct address_cache *c)
{
    for (size_t i = 0; c->count > 0 && i < CACHE_BUCKETS; i++)
        while (c->buckets[i]) {
            struct entry *gone = c->buckets[i];
            c->buckets[i] = gone->next;
            arena_reset(&gone->memory);
            free(gone);
            c->count--;
        }
}

void address_cache_free(struct address_cache **c)
{
    if (!*c)
        return;
    clear(*c);
    free(*c);
    *c = NULL;
}

static struct entry **bucket_of(struct address_cache *c, struct text address)
{
    return &c->buckets[text_hash(address, c->hash_key) % CACHE_BUCKETS];
}

const struct resolved *address_cache_find(struct address_cache *c, const struct address *a)
{
    if (c->generation != shared_generation(c->shared)) {
        clear(c);
        c->generation = shared_generation(c->shared);
    }
    for (struct entry *e = *bucket_of(c, address_text(a)); e; e = e->next)
        if (text_equal(e->address, address_text(a)))
            return &e->resolved;
    return NULL;
}

static bool copy_targets(struct entry *e, const struct resolved *from)
{
    struct resolved_target *to = arena_take(&e->memory, from->count * sizeof *to);
    if (!to)
        return false;
    for (size_t i = 0; i < from->count; i++) {
        to[i].mailbox = from->targets[i].mailbox;
        if (!arena_text(&e->memory, from->targets[i].account, &to[i].account) ||
            !arena_text(&e->memory, from->targets[i].delivered_to, &to[i].delivered_to))
            return false;
    }
    e->resolved = *from;
    e->resolved.targets = to;
    return true;
}

static bool copy_remotes(struct entry *e, const struct resolved *from)
{
    struct text *to = arena_take(&e->memory, from->remote_count * sizeof *to);
    if (!to)
        return false;
    for (size_t i = 0; i < from->remote_count; i++)
        if (!arena_text(&e->memory, from->remotes[i], &to[i]))
            return false;
    e->resolved.remotes = to;
    return true;
}

void address_cache_keep(struct address_cache *c, const struct lookup *l)
{
    if (l->resolved.verdict != RESOLVED || l->resolved.count > CACHED_TARGETS_MAX ||
        l->resolved.remote_count > CACHED_TARGETS_MAX || address_cache_find(c, &l->address) ||
        l->generation != c->generation)
        return;
    if (c->count == CACHE_ENTRIES_MAX)
        clear(c);
    struct entry *e = calloc(1, sizeof *e);
    if (!e)
        return;
    arena_init(&e->memory, 64 * 1024);
    if (!arena_text(&e->memory, address_text(&l->address), &e->address) ||
        !copy_targets(e, &l->resolved) || !copy_remotes(e, &l->resolved)) {
        arena_reset(&e->memory);
        free(e);
        return;
    }
    struct entry **at = bucket_of(c, e->address);
    e->next = *at;
    *at = e;
    c->count++;
}
