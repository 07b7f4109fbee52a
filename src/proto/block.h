/* block.h - 16 octets at a time, by the compiler's own vectors.  Private to this room.
 *
 * They become whatever registers the machine has; nothing here is written for one of them.
 */
#ifndef PROTO_BLOCK_H
#define PROTO_BLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* A comparison gives 0xFF in each octet where it holds, 0 elsewhere. */
typedef uint8_t block __attribute__((vector_size(16)));
typedef uint64_t block_words __attribute__((vector_size(16)));

/* The 16 octets from `at` on, which need not be aligned. */
static inline block block_at(const uint8_t *at)
{
    block b;
    memcpy(&b, at, sizeof b);
    return b;
}
/* Whether any octet is not zero. */
static inline bool block_any(block b)
{
    block_words words = (block_words)b;
    return (words[0] | words[1]) != 0;
}

#endif
