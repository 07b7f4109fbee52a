/* clock.c - what time it is. */
#include "run/clock.h"

#include <time.h>

static int64_t milliseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t clock_monotonic_ms(void)
{
    return (uint64_t)milliseconds(CLOCK_MONOTONIC);
}

int64_t clock_wall_ms(void)
{
    return milliseconds(CLOCK_REALTIME);
}

int clock_zone_seconds(int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000 - (wall_ms % 1000 < 0));
    struct tm local;
    if (!localtime_r(&seconds, &local))
        return 0; /* a year that does not fit its field; no message has that date */
    return (int)local.tm_gmtoff;
}
