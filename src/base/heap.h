/* heap.h - a binary heap of deadlines whose nodes live in what they time.
 *
 * The heap owns only its array of pointers.  A node is in at most one heap; `place` is 0 when it
 * is in none, so a zeroed node is a valid idle one.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    uint64_t key;
    size_t place; /* 1 + index in the array, 0 when idle */
};

struct heap {
    struct heap_node **nodes;
    size_t count;
    size_t room;
};

/* Frees the array; the nodes still in it become idle. */
void heap_clear(struct heap *);
/* Puts the node in, or moves it, with this key.  False: memory is short, nothing changed. */
bool heap_set(struct heap *, struct heap_node *, uint64_t key);
/* Takes the node out; harmless when it is idle. */
void heap_remove(struct heap *, struct heap_node *);
/* The node with the smallest key, or NULL. */
struct heap_node *heap_first(const struct heap *);

#endif
