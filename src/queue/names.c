/* names.c - a table of things that have a name.
 *
 * It grows when it can: without memory for more buckets the chains only become longer.
 */
#include "queue/names.h"

#include "base/check.h"

#include <stdlib.h>

enum { BUCKETS_FIRST = 64 };

bool names_init(struct names *n, uint64_t key)
{
    *n = (struct names){ .bucket_count = BUCKETS_FIRST, .key = key };
    n->buckets = calloc(n->bucket_count, sizeof(struct name_node *));
    return n->buckets != NULL;
}

void names_clear(struct names *n)
{
    free(n->buckets);
    *n = (struct names){ 0 };
}

static struct name_node **bucket_of(const struct names *n, uint64_t hash)
{
    return &n->buckets[hash & (n->bucket_count - 1)];
}

struct name_node *names_find(const struct names *n, struct text name)
{
    uint64_t hash = text_hash_nocase(name, n->key);
    for (struct name_node *at = *bucket_of(n, hash); at; at = at->next)
        if (at->hash == hash && text_equal_nocase(at->name, name))
            return at;
    return NULL;
}

static void put(struct names *n, struct name_node *node)
{
    struct name_node **bucket = bucket_of(n, node->hash);
    node->next = *bucket;
    *bucket = node;
}

static void grow(struct names *n)
{
    struct names larger = { .bucket_count = n->bucket_count * 2, .count = n->count, .key = n->key };
    larger.buckets = calloc(larger.bucket_count, sizeof(struct name_node *));
    if (!larger.buckets)
        return;
    for (size_t i = 0; i < n->bucket_count; i++)
        for (struct name_node *at = n->buckets[i], *next; at; at = next) {
            next = at->next;
            put(&larger, at);
        }
    free(n->buckets);
    *n = larger;
}

void names_add(struct names *n, struct name_node *node)
{
    if (n->count == n->bucket_count)
        grow(n);
    node->hash = text_hash_nocase(node->name, n->key);
    put(n, node);
    n->count++;
}

void names_remove(struct names *n, struct name_node *node)
{
    struct name_node **at = bucket_of(n, node->hash);
    while (*at != node) {
        CHECK(*at);
        at = &(*at)->next;
    }
    *at = node->next;
    n->count--;
}

struct name_node *names_any(const struct names *n)
{
    for (size_t i = 0; n->count && i < n->bucket_count; i++)
        if (n->buckets[i])
            return n->buckets[i];
    return NULL;
}
