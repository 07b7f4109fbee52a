/* progress.c - how far a long command has come. */
#include "cli/progress.h"

#include "run/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { PERIOD_MS = 200 };

void progress_init(struct progress *p)
{
    *p = (struct progress){ .is_terminal = isatty(STDERR_FILENO),
                            .next_ms = clock_monotonic_ms() + PERIOD_MS };
}

void progress_show(struct progress *p, uint64_t messages, uint64_t there, uint64_t done,
                   uint64_t all)
{
    char share[16] = "";
    if (!p->is_terminal || clock_monotonic_ms() < p->next_ms)
        return;
    p->next_ms = clock_monotonic_ms() + PERIOD_MS;
    p->is_shown = true;
    if (all > 0)
        snprintf(share, sizeof share, " (%d%%)", (int)((double)done / (double)all * 100));
    fprintf(stderr, "\r\x1b[K%" PRIu64 " messages, %" PRIu64 " there already%s", messages, there,
            share);
}

void progress_end(struct progress *p)
{
    if (p->is_shown)
        fputs("\r\x1b[K", stderr);
    p->is_shown = false;
}
