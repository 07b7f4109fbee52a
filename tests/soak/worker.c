/* worker.c - a thread's belongings, and how it calls a server that may be dead at any moment. */
#include "worker.h"

#include <stdlib.h>
#include <time.h>

enum { NOBODY_REST_MS = 20 };

bool worker_init(struct worker *w, const struct load_world *world, uint64_t seed)
{
    *w = (struct worker){ .world = world, .chance = { seed } };
    link_init(&w->link);
    w->letter = malloc(LETTER_ROOM);
    w->message = malloc(LETTER_ROOM);
    return w->letter && w->message;
}

void worker_clear(struct worker *w)
{
    link_close(&w->link);
    free(w->letter);
    free(w->message);
    free(w->numbers);
}

void worker_rest(unsigned ms)
{
    nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000L }, NULL);
}

bool worker_call(struct worker *w, const struct sockaddr_in *to)
{
    if (link_open(&w->link, to))
        return true;
    worker_hang_up(w);
    worker_rest(NOBODY_REST_MS);
    return false;
}

void worker_hang_up(struct worker *w)
{
    if (w->link.state == LINK_SILENT)
        ledger_wrong(w->world->ledger, "the server was silent for %d s", LINK_PATIENCE_S);
    link_close(&w->link);
}
