/* counted_memory.h - memory that is counted, and short when a test says so.
 *
 * Included in one file of a program that is linked with --wrap=malloc,--wrap=calloc,--wrap=realloc
 * and --wrap=free.  That file says by fails() whether the next call for memory, by whomever, gets
 * none; took() hears of each block that was given, and gives_back() of each before it goes.
 */
#ifndef TESTS_COUNTED_MEMORY_H
#define TESTS_COUNTED_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

static bool fails(void);
/* Never NULL. */
static void took(void *block);
static void gives_back(void *block);

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void __real_free(void *);
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);
void __wrap_free(void *);

static void *tell(void *block)
{
    if (block)
        took(block);
    return block;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : tell(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : tell(__real_calloc(count, size));
}

void *__wrap_realloc(void *block, size_t size)
{
    if (fails())
        return NULL;
    if (block)
        gives_back(block);
    return tell(__real_realloc(block, size));
}

void __wrap_free(void *block)
{
    if (block)
        gives_back(block);
    __real_free(block);
}

#endif
