/* bar.c - how far something has come, on a terminal. */
#include "cli/bar.h"

#include "cli/out.h"
#include "run/clock.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BAR_WIDTH = 24, PAUSE_MS = 100 };

void bar_begin(struct bar *p, const char *what, bool quiet)
{
    *p = (struct bar){ .shows = !quiet && isatty(STDERR_FILENO), .what = what };
}

static unsigned filled(const struct bar *p, uint64_t done, uint64_t octets_done)
{
    uint64_t whole = p->octets ? p->octets : p->total, part = p->octets ? octets_done : done;
    return whole == 0 ? 0 : part >= whole ? BAR_WIDTH : (unsigned)(part * BAR_WIDTH / whole);
}

void bar_move(struct bar *p, uint64_t done, uint64_t octets_done)
{
    char size[OUT_ROUGH_MAX], bar[BAR_WIDTH + 1];
    uint64_t now = p->shows ? clock_monotonic_ms() : 0;
    if (!p->shows || now - p->shown_ms < PAUSE_MS)
        return;
    p->shown_ms = now;
    unsigned full = filled(p, done, octets_done);
    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', full);
    bar[BAR_WIDTH] = 0;
    fprintf(stderr, "\r\x1b[K%s [%s] %llu/%llu, %s", p->what, bar, (unsigned long long)done,
            (unsigned long long)p->total, out_rough_size(octets_done, size));
    fflush(stderr);
}

void bar_end(struct bar *p)
{
    if (!p->shows || p->shown_ms == 0)
        return;
    fputs("\r\x1b[K", stderr);
    fflush(stderr);
    p->shown_ms = 0;
}
