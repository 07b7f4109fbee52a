/* machine_memory.h - what a machine holds, and one chosen allocation of it that fails.
 *
 * Included in one file of a program, as counted_memory.h wants it.
 */
#ifndef TESTS_PROTO_MACHINE_MEMORY_H
#define TESTS_PROTO_MACHINE_MEMORY_H

#include "../counted_memory.h"

#include <malloc.h>

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

static void took(void *block)
{
    memory.held += malloc_usable_size(block);
    if (memory.held > memory.most)
        memory.most = memory.held;
}

static void gives_back(void *block)
{
    memory.held -= malloc_usable_size(block);
}

#endif
