/* fake_time.h - time that passes when the test says so: loop timers and both clocks, for programs
 * of one loop that are linked with --wrap for them (meson.build).
 */
#ifndef TESTS_QUEUE_FAKE_TIME_H
#define TESTS_QUEUE_FAKE_TIME_H

#include "run/loop.h"

/* At the beginning of a test: no timer is set, and time is as it really is. */
void fake_time_reset(struct loop *);
/* So much has passed; the timers of that time fire now, the earliest first. */
void fake_time_pass(uint64_t ms);
/* As much as it takes for the next timer, or the time given when none is set. */
void fake_time_pass_to_next(uint64_t else_ms);
/* The wall clock alone is set forward or back. */
void fake_time_set_wall(int64_t by_ms);
/* How often a timer was set or stopped or has fired: while that goes on, things are happening. */
uint64_t fake_time_stirs(void);

#endif
