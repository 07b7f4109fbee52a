/* fake_time.c - time that passes when the test says so.
 *
 * Timers stand in a heap of its own; the loop's own timers are not used.
 */
#include "fake_time.h"

#include "base/check.h"
#include "run/clock.h"

static struct {
    struct heap timers;
    _Atomic uint64_t ahead_ms; /* the store's threads look at the clock too */
    _Atomic int64_t wall_ms;
    uint64_t stirs;
} fake;

uint64_t __real_loop_now_ms(const struct loop *);
int64_t __real_clock_wall_ms(void);
uint64_t __real_clock_monotonic_ms(void);
uint64_t __wrap_loop_now_ms(const struct loop *);
int64_t __wrap_clock_wall_ms(void);
uint64_t __wrap_clock_monotonic_ms(void);
bool __wrap_loop_timer_start(struct loop *, struct timer *, uint64_t due_ms);
void __wrap_loop_timer_stop(struct loop *, struct timer *);

static const struct loop *the_loop;

uint64_t __wrap_loop_now_ms(const struct loop *loop)
{
    return __real_loop_now_ms(loop) + fake.ahead_ms;
}

int64_t __wrap_clock_wall_ms(void)
{
    return __real_clock_wall_ms() + (int64_t)fake.ahead_ms + fake.wall_ms;
}

uint64_t __wrap_clock_monotonic_ms(void)
{
    return __real_clock_monotonic_ms() + fake.ahead_ms;
}

bool __wrap_loop_timer_start(struct loop *loop, struct timer *timer, uint64_t due_ms)
{
    CHECK(loop == the_loop);
    fake.stirs++;
    return heap_set(&fake.timers, &timer->node, due_ms);
}

void __wrap_loop_timer_stop(struct loop *loop, struct timer *timer)
{
    CHECK(loop == the_loop);
    fake.stirs++;
    heap_remove(&fake.timers, &timer->node);
}

static void fire(void)
{
    struct heap_node *first;
    uint64_t now = __wrap_loop_now_ms(the_loop);
    for (size_t left = fake.timers.count; left > 0; left--) {
        first = heap_first(&fake.timers);
        if (!first || first->key > now)
            return;
        heap_remove(&fake.timers, first);
        fake.stirs++;
        OWNER_OF(first, struct timer, node)->fire(OWNER_OF(first, struct timer, node));
    }
}

void fake_time_reset(struct loop *loop)
{
    the_loop = loop;
    heap_clear(&fake.timers);
    fake.ahead_ms = 0;
    fake.wall_ms = 0;
}

void fake_time_pass(uint64_t ms)
{
    fake.ahead_ms += ms;
    fire();
}

void fake_time_pass_to_next(uint64_t else_ms)
{
    const struct heap_node *first = heap_first(&fake.timers);
    uint64_t now = __wrap_loop_now_ms(the_loop);
    if (!first)
        fake_time_pass(else_ms);
    else
        fake_time_pass(first->key > now ? first->key - now : 0);
}

void fake_time_set_wall(int64_t by_ms)
{
    fake.wall_ms += by_ms;
}

uint64_t fake_time_stirs(void)
{
    return fake.stirs;
}
