/* loop.c - run/loop.h in the simulated world: timers and posts are events of the loop's host. */
#include "sim/loop_inner.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>

enum { POST_US_MAX = 30 };

void loop_expect_own(const struct loop *loop)
{
    const struct world *w = world_now();
    if (loop->host->dead || loop->host->number == 0 || (!w->turning && !w->on_lane))
        return;
    world_expect(CHECK_OWN_LOOP, w->turning == loop,
                 "%s: what belongs to one loop is touched by %s", loop->host->name,
                 w->turning ? "another one" : "a lane");
}

/* --- Timers --- */

static void arm(struct loop *loop)
{
    const struct heap_node *first = heap_first(&loop->deadlines);
    if (!first || loop->firing)
        return;
    uint64_t at = first->key > UINT64_MAX / 1000 ? UINT64_MAX : first->key * 1000;
    if (at != UINT64_MAX && (!event_is_set(&loop->timer) || at < loop->timer.node.key))
        event_at(&loop->timer, at);
}

static void fire_due(struct event *e)
{
    struct loop *loop = OWNER_OF(e, struct loop, timer);
    uint64_t now = loop_now_ms(loop);
    loop->figures.turns++;
    loop->firing = true;
    for (size_t left = loop->deadlines.count; left > 0; left--) {
        struct heap_node *first = heap_first(&loop->deadlines);
        if (!first || first->key > now)
            break;
        heap_remove(&loop->deadlines, first);
        struct timer *timer = OWNER_OF(first, struct timer, node);
        timer->fire(timer);
    }
    loop->firing = false;
    arm(loop);
}

uint64_t loop_now_ms(const struct loop *loop)
{
    return (loop->host->dead ? loop->host->after_us : loop->host->world->now_us) / 1000;
}

bool loop_timer_start(struct loop *loop, struct timer *timer, uint64_t due_ms)
{
    loop_expect_own(loop);
    if (!heap_set(&loop->deadlines, &timer->node, due_ms))
        return false;
    arm(loop);
    return true;
}

void loop_timer_stop(struct loop *loop, struct timer *timer)
{
    loop_expect_own(loop);
    heap_remove(&loop->deadlines, &timer->node);
}

/* --- Posts --- */

static bool run_posts(struct loop *loop)
{
    struct post *post = loop->first_post;
    bool any = post != NULL;
    loop->first_post = loop->last_post = NULL;
    while (post) {
        struct post *next = post->next;
        post->run(post);
        post = next;
    }
    return any;
}

static void woken(struct event *e)
{
    struct loop *loop = OWNER_OF(e, struct loop, wake);
    loop->figures.turns++;
    loop->figures.wakeups++;
    run_posts(loop);
}

void loop_post_all(struct loop *loop, struct post *first, struct post *last)
{
    last->next = NULL;
    if (loop->first_post)
        loop->last_post->next = first;
    else
        loop->first_post = first;
    loop->last_post = last;
    if (!event_is_set(&loop->wake))
        event_in(&loop->wake, chance_below(POST_US_MAX));
}

void loop_post(struct loop *loop, struct post *post)
{
    loop_post_all(loop, post, post);
}

/* --- The loop itself --- */

bool loop_new(struct loop **out, struct error *e)
{
    struct loop *loop = calloc(1, sizeof *loop);
    *out = loop;
    if (!loop)
        return error_system(e, ERROR_TEMPORARY, ENOMEM, "cannot make an event loop");
    loop->host = world_current();
    CHECK(loop->host);
    loop->timer = (struct event){ .fire = fire_due, .host = loop->host, .loop = loop };
    loop->wake = (struct event){ .fire = woken, .host = loop->host, .loop = loop };
    list_init(&loop->finishing);
    return true;
}

void loop_free(struct loop **loop_ref)
{
    struct loop *loop = *loop_ref;
    if (!loop)
        return;
    while (run_posts(loop))
        ;
    *loop_ref = NULL;
    stream_close_finishing(loop);
    event_cancel(&loop->timer);
    event_cancel(&loop->wake);
    heap_clear(&loop->deadlines);
    free(loop);
}

/* The world turns all loops: what a thread would run here is over at once. */
void loop_run(struct loop *loop)
{
    (void)loop;
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}

/* Nobody sends signals in here. */
bool loop_on_signal(struct loop *loop, int number, void (*caught)(void *owner), void *owner,
                    struct error *e)
{
    (void)loop;
    (void)caught;
    (void)owner;
    return error_set(e, ERROR_TEMPORARY, "signal %d cannot be had in the simulated world", number);
}

struct loop_figures loop_figures(const struct loop *loop)
{
    return loop->figures;
}
