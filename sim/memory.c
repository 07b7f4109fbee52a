/* memory.c - what malloc() and its kin give to the server in the simulated world: sometimes
 * nothing.
 *
 * The program is linked with --wrap for them, so that calls in the server's own rooms come here;
 * those of libraries do not, and those of the world itself go to the real ones (sim/meson.build).
 */
#include "sim/world.h"

#include <errno.h>
#include <stddef.h>

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);

/* Only what a living server asks for while it serves: how a start ends for lack of memory is told
 * by an exit code. */
static bool is_short(void)
{
    const struct world *w = world_now();
    if (!w || !w->current || w->current->number == 0 || w->own_work || !w->weather.memory ||
        !fault_strikes(FAULT_MEMORY, w->weather.memory))
        return false;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t octets)
{
    return is_short() ? NULL : __real_malloc(octets);
}

void *__wrap_calloc(size_t count, size_t octets)
{
    return is_short() ? NULL : __real_calloc(count, octets);
}

void *__wrap_realloc(void *at, size_t octets)
{
    return is_short() ? NULL : __real_realloc(at, octets);
}
