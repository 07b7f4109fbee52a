/* destination.c - what one next hop may do at a moment.
 *
 * Pure: knows no clock, no connection and no message; it only counts.
 */
#include "queue/destination.h"

#include "base/check.h"

enum { MINUTE_MS = 60000, PROBE_MAX_MS = 30 * MINUTE_MS, DOUBLINGS_MAX = 20 };

static uint64_t probe_after(const struct destination *d, unsigned spread)
{
    uint64_t step_ms = d->pace_ms << (d->probes < DOUBLINGS_MAX ? d->probes : DOUBLINGS_MAX);
    if (step_ms > PROBE_MAX_MS)
        step_ms = PROBE_MAX_MS;
    uint64_t tenth = step_ms / 10;
    return step_ms - tenth + tenth * spread / (DESTINATION_SPREAD / 2);
}

static void allow(struct destination *d, uint32_t allowed)
{
    d->allowed = allowed;
    d->successes = 0;
}

static void go_down(struct destination *d, uint64_t now_ms, unsigned spread)
{
    d->state = DESTINATION_DOWN;
    d->probe_at_ms = now_ms + probe_after(d, spread);
}

void destination_init(struct destination *d)
{
    *d = (struct destination){
        .allowed = DESTINATION_START,
        .ceiling = DESTINATION_MAX,
        .pace_ms = MINUTE_MS,
    };
}

void destination_pace(struct destination *d, uint64_t first_ms)
{
    d->pace_ms = first_ms == 0 ? 1 : first_ms < PROBE_MAX_MS ? first_ms : PROBE_MAX_MS;
}

bool destination_may_open(const struct destination *d, uint64_t now_ms)
{
    if (d->state == DESTINATION_UP)
        return d->open < d->allowed;
    return d->state == DESTINATION_DOWN && d->open == 0 && now_ms >= d->probe_at_ms;
}

void destination_opened(struct destination *d)
{
    if (d->state == DESTINATION_DOWN)
        d->state = DESTINATION_PROBING;
    d->open++;
}

void destination_closed(struct destination *d)
{
    CHECK(d->open > 0);
    d->open--;
    if (d->state == DESTINATION_PROBING)
        d->state = DESTINATION_DOWN;
}

/* How many successes it takes to be allowed one more. */
static uint32_t wanted(const struct destination *d)
{
    return d->allowed < d->ceiling ? d->allowed : d->allowed * DESTINATION_PATIENCE;
}

/* A success of what was open before it went down ends that as well as a probe's. */
void destination_succeeded(struct destination *d)
{
    if (d->state != DESTINATION_UP) {
        d->state = DESTINATION_UP;
        d->probes = 0;
        d->ceiling = DESTINATION_MAX;
        allow(d, 1);
        return;
    }
    if (d->open != d->allowed || d->allowed == DESTINATION_MAX)
        return;
    if (++d->successes < wanted(d))
        return;
    if (d->allowed >= d->ceiling)
        d->ceiling = DESTINATION_MAX;
    allow(d, d->allowed + 1);
}

/* While it is down, failures of what was open before say nothing new. */
void destination_failed(struct destination *d, uint64_t now_ms, unsigned spread)
{
    CHECK(spread < DESTINATION_SPREAD);
    if (d->state == DESTINATION_UP) {
        d->ceiling = d->allowed > 1 ? d->allowed - 1 : 1;
        allow(d, d->allowed / 2);
        if (d->allowed == 0)
            go_down(d, now_ms, spread);
    } else if (d->state == DESTINATION_PROBING) {
        if (d->probes < UINT32_MAX)
            d->probes++;
        go_down(d, now_ms, spread);
    }
}

bool destination_may_keep(const struct destination *d)
{
    return d->state == DESTINATION_UP && d->open <= d->allowed;
}

bool destination_is_down(const struct destination *d)
{
    return d->state != DESTINATION_UP;
}
