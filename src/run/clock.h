/* clock.h - what time it is. Any thread. */
#ifndef RUN_CLOCK_H
#define RUN_CLOCK_H

#include <stdint.h>

/* Milliseconds that never go back and mean nothing else. */
uint64_t clock_monotonic_ms(void);
/* Milliseconds since 1970-01-01T00:00:00Z by the wall clock, which may jump. */
int64_t clock_wall_ms(void);
/* Seconds east of UTC that the local time zone has at this wall time. */
int clock_zone_seconds(int64_t wall_ms);

#endif
