/* schedule.c - when a recipient is tried again, warned about, given up.
 *
 * Pure: knows no clock and draws no random number.  Never decides that a failure is temporary.
 */
#include "queue/schedule.h"

#include "base/check.h"

/* Saturates: a time that never comes. */
static int64_t later(int64_t time_ms, uint64_t by_ms)
{
    int64_t sum;
    if (by_ms > INT64_MAX || __builtin_add_overflow(time_ms, (int64_t)by_ms, &sum))
        return INT64_MAX;
    return sum;
}

static int64_t earliest(int64_t a_ms, int64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

static int64_t expiry(const struct schedule *s, const struct schedule_row *row)
{
    return later(row->arrived_ms, s->expire_ms);
}

/* When a delay report is to be made; never, if it was. */
static int64_t warning(const struct schedule *s, const struct schedule_row *row)
{
    if (s->warn_ms == 0 || row->warned)
        return INT64_MAX;
    return later(row->arrived_ms, s->warn_ms);
}

static uint64_t step(const struct schedule *s, uint32_t attempts, unsigned spread)
{
    size_t index = attempts > 0 ? attempts - 1 : 0;
    uint64_t step_ms = s->retry_ms[index < s->retry_count ? index : s->retry_count - 1];
    uint64_t tenth = step_ms / 10;
    return step_ms - tenth + tenth / (SCHEDULE_SPREAD / 2) * spread +
           tenth % (SCHEDULE_SPREAD / 2) * spread / (SCHEDULE_SPREAD / 2);
}

struct schedule_next schedule_after(const struct schedule *s, const struct schedule_row *row,
                                    int64_t now_ms, unsigned spread)
{
    CHECK(s->retry_count > 0);
    CHECK(spread < SCHEDULE_SPREAD);
    int64_t warn_at = warning(s, row), expire_at = expiry(s, row);
    if (now_ms >= expire_at)
        return (struct schedule_next){ .verdict = SCHEDULE_EXPIRE };
    bool warn = now_ms >= warn_at;
    int64_t due = later(now_ms, step(s, row->attempts, spread));
    if (!warn)
        due = earliest(due, warn_at);
    return (struct schedule_next){ SCHEDULE_RETRY, earliest(due, expire_at), warn };
}

struct schedule_next schedule_behind(const struct schedule *s, const struct schedule_row *row,
                                     int64_t probed_ms, int64_t now_ms)
{
    int64_t warn_at = warning(s, row), expire_at = expiry(s, row);
    if (probed_ms >= expire_at)
        return (struct schedule_next){ .verdict = SCHEDULE_EXPIRE };
    if (now_ms >= expire_at)
        return (struct schedule_next){ SCHEDULE_RETRY, now_ms, false };
    bool warn = now_ms >= warn_at;
    return (struct schedule_next){ SCHEDULE_RETRY, warn ? expire_at : earliest(warn_at, expire_at),
                                   warn };
}
