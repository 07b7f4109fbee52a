/* progress.c - how far something has come, on a terminal. */
#include "cli/progress.h"

#include "cli/out.h"
#include "run/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BAR_WIDTH = 24, BAR_PAUSE_MS = 100, COUNT_PAUSE_MS = 200 };

/* Whether it is time to write the line again, behind which there is none for the pause. */
static bool is_due(struct progress *p, unsigned pause_ms)
{
    uint64_t now = p->shows ? clock_monotonic_ms() : 0;
    if (!p->shows || now < p->next_ms)
        return false;
    p->next_ms = now + pause_ms;
    p->is_shown = true;
    return true;
}

/* --- A bar --- */

void progress_begin_bar(struct progress *p, const char *what, bool quiet)
{
    *p = (struct progress){ .shows = !quiet && isatty(STDERR_FILENO), .what = what };
}

static unsigned filled(const struct progress *p, uint64_t done, uint64_t octets_done)
{
    uint64_t whole = p->octets ? p->octets : p->total, part = p->octets ? octets_done : done;
    return whole == 0 ? 0 : part >= whole ? BAR_WIDTH : (unsigned)(part * BAR_WIDTH / whole);
}

void progress_bar(struct progress *p, uint64_t done, uint64_t octets_done)
{
    char size[OUT_ROUGH_MAX], bar[BAR_WIDTH + 1];
    if (!is_due(p, BAR_PAUSE_MS))
        return;
    unsigned full = filled(p, done, octets_done);
    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', full);
    bar[BAR_WIDTH] = 0;
    fprintf(stderr, "\r\x1b[K%s [%s] %" PRIu64 "/%" PRIu64 ", %s", p->what, bar, done, p->total,
            out_rough_size(octets_done, size));
    fflush(stderr);
}

/* --- A count --- */

void progress_begin_count(struct progress *p)
{
    *p = (struct progress){ .shows = isatty(STDERR_FILENO),
                            .next_ms = clock_monotonic_ms() + COUNT_PAUSE_MS };
}

void progress_count(struct progress *p, uint64_t messages, uint64_t there, uint64_t done,
                    uint64_t all)
{
    char share[16] = "";
    if (!is_due(p, COUNT_PAUSE_MS))
        return;
    if (all > 0)
        snprintf(share, sizeof share, " (%d%%)", (int)((double)done / (double)all * 100));
    fprintf(stderr, "\r\x1b[K%" PRIu64 " messages, %" PRIu64 " there already%s", messages, there,
            share);
    fflush(stderr);
}

/* --- Both --- */

/* A bar is back with the next step, a count when it is due. */
void progress_end(struct progress *p)
{
    if (!p->is_shown)
        return;
    fputs("\r\x1b[K", stderr);
    fflush(stderr);
    p->is_shown = false;
    if (p->what)
        p->next_ms = 0;
}
