/* machine_memory.h - what a machine holds, and one chosen allocation of it that fails.
 *
 * Included in one file of a program that is linked with --wrap=malloc,--wrap=calloc,--wrap=realloc
 * and --wrap=free.
 */
#ifndef TESTS_PROTO_MACHINE_MEMORY_H
#define TESTS_PROTO_MACHINE_MEMORY_H

#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void __real_free(void *);
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);
void __wrap_free(void *);

static struct {
    bool in_machine;
    unsigned long seen;    /* allocations of the machine */
    unsigned long failing; /* the one that fails; 0: none */
    size_t held, most;     /* octets in use, whoever took them */
} memory;

static bool fails(void)
{
    return memory.in_machine && ++memory.seen == memory.failing;
}

static void *count(void *at)
{
    if (at)
        memory.held += malloc_usable_size(at);
    if (memory.held > memory.most)
        memory.most = memory.held;
    return at;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : count(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : count(__real_calloc(n, size));
}

void *__wrap_realloc(void *at, size_t size)
{
    if (fails())
        return NULL;
    size_t before = at ? malloc_usable_size(at) : 0;
    void *moved = __real_realloc(at, size);
    if (moved)
        memory.held -= before;
    return count(moved);
}

void __wrap_free(void *at)
{
    if (at)
        memory.held -= malloc_usable_size(at);
    __real_free(at);
}

#endif
