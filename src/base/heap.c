/* heap.c - a binary heap of deadlines. */
#include "base/heap.h"

#include "base/check.h"

#include <stdlib.h>

enum { HEAP_ROOM_MIN = 64 };

static void put(struct heap *h, size_t index, struct heap_node *node)
{
    h->nodes[index] = node;
    node->place = index + 1;
}

static void sift_up(struct heap *h, size_t index)
{
    struct heap_node *node = h->nodes[index];
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (h->nodes[parent]->key <= node->key)
            break;
        put(h, index, h->nodes[parent]);
        index = parent;
    }
    put(h, index, node);
}

static void sift_down(struct heap *h, size_t index)
{
    struct heap_node *node = h->nodes[index];
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= h->count)
            break;
        if (child + 1 < h->count && h->nodes[child + 1]->key < h->nodes[child]->key)
            child++;
        if (h->nodes[child]->key >= node->key)
            break;
        put(h, index, h->nodes[child]);
        index = child;
    }
    put(h, index, node);
}

void heap_clear(struct heap *h)
{
    for (size_t i = 0; i < h->count; i++)
        h->nodes[i]->place = 0;
    free(h->nodes);
    *h = (struct heap){ 0 };
}

bool heap_set(struct heap *h, struct heap_node *node, uint64_t key)
{
    if (node->place == 0) {
        if (h->count == h->room) {
            size_t room = h->room ? h->room * 2 : HEAP_ROOM_MIN;
            struct heap_node **nodes = realloc(h->nodes, room * sizeof *nodes);
            if (!nodes)
                return false;
            h->nodes = nodes;
            h->room = room;
        }
        put(h, h->count++, node);
    }
    CHECK(h->nodes[node->place - 1] == node);
    node->key = key;
    sift_up(h, node->place - 1);
    sift_down(h, node->place - 1);
    return true;
}

void heap_remove(struct heap *h, struct heap_node *node)
{
    if (node->place == 0)
        return;
    size_t index = node->place - 1;
    CHECK(h->nodes[index] == node);
    node->place = 0;
    struct heap_node *last = h->nodes[--h->count];
    if (last == node)
        return;
    put(h, index, last);
    sift_up(h, index);
    sift_down(h, last->place - 1);
}

struct heap_node *heap_first(const struct heap *h)
{
    return h->count ? h->nodes[0] : NULL;
}
