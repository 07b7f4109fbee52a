/* loop.c - one event loop over libuv: its turn, its timers, and how other threads reach it.
 *
 * All deadlines of a loop stand in one heap, and one libuv timer is set to the first of them.  It
 * is set anew only when another deadline becomes the first, and when it fires: the usual case, a
 * session's timeout that moves away with every command, costs a heap operation and nothing else.
 *
 * Other threads reach a loop by its queue of posts.  Whoever finds the queue empty wakes the loop;
 * whoever finds it filled knows that the loop is on its way.  (Not by uv_async_send(): a loop that
 * wakes up before that call is through with its bookkeeping spins until it is, and here that is the
 * usual case.)
 *
 * It never uses libuv's thread pool, which is one for the whole process: see lane.c.
 */
#include "run/loop_inner.h"

#include "base/check.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static const uint64_t never = UINT64_MAX;

struct signal_watch {
    uv_signal_t handle;
    void (*caught)(void *owner);
    void *owner;
    struct signal_watch *next;
};

/* Timers and what is deferred */

static void on_timer(uv_timer_t *handle);

/* When the libuv timer has something to do; 0 is at once. */
static uint64_t first_due(const struct loop *loop)
{
    if (!list_empty(&loop->deferred))
        return 0;
    const struct heap_node *first = heap_first(&loop->deadlines);
    return first ? first->key : never;
}

static void arm(struct loop *loop, uint64_t wait_min_ms)
{
    uint64_t due = first_due(loop);
    if (due >= loop->armed_ms)
        return;
    loop->armed_ms = due;
    uint64_t now = loop_now_ms(loop);
    uint64_t wait = due > now ? due - now : 0;
    if (wait < wait_min_ms)
        wait = wait_min_ms;
    CHECK(uv_timer_start(&loop->timer, on_timer, wait, 0) == 0);
}

static void run_deferred(struct loop *loop)
{
    struct list now;
    list_init(&now);
    for (struct list *link; (link = list_take_first(&loop->deferred));)
        list_append(&now, link);
    for (struct list *link; (link = list_take_first(&now));) {
        struct deferred *d = OWNER_OF(link, struct deferred, link);
        d->run(d);
    }
}

/* No more than what was there at the beginning: a timer that starts itself anew with a time that
 * has passed waits for its next turn, and the others' input is not starved. */
static void fire_due(struct loop *loop)
{
    uint64_t now = loop_now_ms(loop);
    for (size_t left = loop->deadlines.count; left > 0; left--) {
        struct heap_node *first = heap_first(&loop->deadlines);
        if (!first || first->key > now)
            return;
        heap_remove(&loop->deadlines, first);
        struct timer *timer = OWNER_OF(first, struct timer, node);
        timer->fire(timer);
    }
}

static void on_timer(uv_timer_t *handle)
{
    struct loop *loop = handle->data;
    loop->armed_ms = 0; /* while firing, nobody sets the timer */
    run_deferred(loop);
    fire_due(loop);
    loop->armed_ms = never;
    /* libuv fires a timer again within the same turn when it is set to "at once" from here. */
    arm(loop, 1);
}

uint64_t loop_now_ms(const struct loop *loop)
{
    return uv_now(&loop->uv);
}

bool loop_timer_start(struct loop *loop, struct timer *timer, uint64_t due_ms)
{
    if (!heap_set(&loop->deadlines, &timer->node, due_ms))
        return false;
    arm(loop, 0);
    return true;
}

void loop_timer_stop(struct loop *loop, struct timer *timer)
{
    heap_remove(&loop->deadlines, &timer->node);
}

void loop_defer(struct loop *loop, struct deferred *deferred)
{
    list_append(&loop->deferred, &deferred->link);
    arm(loop, 0);
}

/* Posts */

/* A full counter is refused with EAGAIN: then the loop is awake already. */
static void wake_up(const struct loop *loop)
{
    static const uint64_t one = 1;
    while (write(loop->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

void loop_post_all(struct loop *loop, struct post *first, struct post *last)
{
    last->next = NULL;
    pthread_mutex_lock(&loop->lock);
    bool empty = !loop->first_post;
    if (empty)
        loop->first_post = first;
    else
        loop->last_post->next = first;
    loop->last_post = last;
    /* Once the posts can be run the loop may be freed, which waits for us. */
    if (empty)
        atomic_fetch_add(&loop->waking, 1);
    pthread_mutex_unlock(&loop->lock);
    if (!empty)
        return;
    /* Out of the lock, which the loop would run into. */
    wake_up(loop);
    atomic_fetch_sub(&loop->waking, 1);
}

void loop_post(struct loop *loop, struct post *post)
{
    loop_post_all(loop, post, post);
}

/* Returns whether there was any. */
static bool run_posts(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    struct post *post = loop->first_post;
    loop->first_post = loop->last_post = NULL;
    pthread_mutex_unlock(&loop->lock);
    bool any = post != NULL;
    while (post) {
        struct post *next = post->next; /* the post may be gone after its run */
        post->run(post);
        post = next;
    }
    return any;
}

static void on_wake(uv_poll_t *handle, int status, int events)
{
    (void)status;
    (void)events;
    struct loop *loop = handle->data;
    uint64_t count;
    /* Before the posts are taken: whoever posts after that makes it readable again. */
    while (read(loop->wake_fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
    loop->figures.wakeups++;
    run_posts(loop);
}

/* Signals */

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    struct signal_watch *watch = handle->data;
    watch->caught(watch->owner);
}

static void free_watch(uv_handle_t *handle)
{
    free(handle->data);
}

bool loop_on_signal(struct loop *loop, int number, void (*caught)(void *owner), void *owner,
                    struct error *e)
{
    struct signal_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return error_system(e, ERROR_TEMPORARY, ENOMEM, "cannot watch signal %d", number);
    watch->caught = caught;
    watch->owner = owner;
    watch->handle.data = watch;
    int status = uv_signal_init(&loop->uv, &watch->handle);
    if (status != 0) {
        free(watch);
        return error_system(e, ERROR_TEMPORARY, -status, "cannot watch signal %d", number);
    }
    status = uv_signal_start(&watch->handle, on_signal, number);
    if (status != 0) {
        uv_close((uv_handle_t *)&watch->handle, free_watch);
        return error_system(e, ERROR_TEMPORARY, -status, "cannot watch signal %d", number);
    }
    watch->next = loop->signals;
    loop->signals = watch;
    return true;
}

/* The loop itself */

static bool start_handles(struct loop *loop, struct error *e)
{
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int status = loop->wake_fd < 0 ? -errno : 0;
    if (status == 0)
        status = uv_poll_init(&loop->uv, &loop->wake, loop->wake_fd);
    if (status != 0) {
        if (loop->wake_fd >= 0)
            close(loop->wake_fd);
        uv_loop_close(&loop->uv);
        return error_system(e, ERROR_TEMPORARY, -status, "cannot make an event loop");
    }
    CHECK(uv_poll_start(&loop->wake, UV_READABLE, on_wake) == 0);
    CHECK(uv_timer_init(&loop->uv, &loop->timer) == 0);
    loop->wake.data = loop->timer.data = loop;
    return true;
}

bool loop_new(struct loop **out, struct error *e)
{
    *out = NULL;
    struct loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return error_system(e, ERROR_TEMPORARY, ENOMEM, "cannot make an event loop");
    int status = uv_loop_init(&loop->uv);
    if (status != 0)
        error_system(e, ERROR_TEMPORARY, -status, "cannot make an event loop");
    if (status != 0 || !start_handles(loop, e)) {
        free(loop);
        return false;
    }
    loop->armed_ms = never;
    list_init(&loop->deferred);
    list_init(&loop->finishing);
    pthread_mutex_init(&loop->lock, NULL);
    /* A peer that closes while we write is an error value, not a signal. */
    signal(SIGPIPE, SIG_IGN);
    *out = loop;
    return true;
}

static void close_handles(struct loop *loop)
{
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->timer, NULL);
    while (loop->signals) {
        struct signal_watch *watch = loop->signals;
        loop->signals = watch->next;
        uv_close((uv_handle_t *)&watch->handle, free_watch);
    }
}

void loop_free(struct loop **loop_ref)
{
    struct loop *loop = *loop_ref;
    if (!loop)
        return;
    /* The posts may still use the loop by the caller's pointer. */
    while (run_posts(loop))
        ;
    *loop_ref = NULL;
    while (atomic_load(&loop->waking) > 0)
        sched_yield();
    stream_close_finishing(loop);
    close_handles(loop);
    /* One turn without waiting calls back for all that was closed; a stream or listener that is
     * still open makes the close below fail, and that is a bug of its owner. */
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    CHECK(uv_loop_close(&loop->uv) == 0);
    close(loop->wake_fd);
    heap_clear(&loop->deadlines);
    pthread_mutex_destroy(&loop->lock);
    free(loop);
}

void loop_run(struct loop *loop)
{
    /* Taken back at the end only: a stop that comes before the first turn counts. */
    while (!atomic_load(&loop->stopping)) {
        loop->figures.turns++;
        uv_run(&loop->uv, UV_RUN_ONCE);
    }
    atomic_store(&loop->stopping, false);
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->stopping, true);
    wake_up(loop);
}

struct loop_figures loop_figures(const struct loop *loop)
{
    return loop->figures;
}
