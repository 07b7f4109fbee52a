/* arena.c - memory that is freed together, with a stated maximum. */
#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

enum { ARENA_CHUNK = 992, ARENA_ALIGN = 16 }; /* 1 KB with its header */

struct arena_chunk {
    struct arena_chunk *older;
    size_t used;
    size_t room;
    _Alignas(ARENA_ALIGN) uint8_t data[];
};

void arena_init(struct arena *a, size_t max)
{
    *a = (struct arena){ .max = max };
}

void arena_reset(struct arena *a)
{
    while (a->chunks) {
        struct arena_chunk *older = a->chunks->older;
        free(a->chunks);
        a->chunks = older;
    }
    a->used = 0;
}

static struct arena_chunk *chunk_with_room(struct arena *a, size_t size)
{
    struct arena_chunk *chunk = a->chunks;
    if (chunk && chunk->room - chunk->used >= size)
        return chunk;
    size_t room = size > ARENA_CHUNK ? size : ARENA_CHUNK;
    chunk = malloc(sizeof *chunk + room);
    if (!chunk)
        return NULL;
    chunk->room = room;
    chunk->used = 0;
    chunk->older = a->chunks;
    a->chunks = chunk;
    return chunk;
}

void *arena_take(struct arena *a, size_t size)
{
    if (size > a->max)
        return NULL;
    size = (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (size > a->max - a->used)
        return NULL;
    struct arena_chunk *chunk = chunk_with_room(a, size);
    if (!chunk)
        return NULL;
    void *at = chunk->data + chunk->used;
    chunk->used += size;
    a->used += size;
    return memset(at, 0, size);
}

bool arena_text(struct arena *a, struct text t, struct text *copy_out)
{
    *copy_out = (struct text){ "", 0 };
    if (t.len == 0)
        return true;
    char *at = arena_take(a, t.len);
    if (!at)
        return false;
    memcpy(at, t.at, t.len);
    *copy_out = (struct text){ at, t.len };
    return true;
}
