/* test_loop.c - timers, posts from other threads, signals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "run/clock.h"
#include "run/loop.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

static struct loop *loop;

static int make_loop(void **state)
{
    (void)state;
    struct error e;
    return loop_new(&loop, &e) ? 0 : -1;
}

static int free_loop(void **state)
{
    (void)state;
    loop_free(&loop);
    return loop ? -1 : 0;
}

struct alarm_clock {
    struct timer timer;
    char letter;
};

static char fired[64];
static size_t fired_count;

static void note(struct timer *timer)
{
    struct alarm_clock *a = OWNER_OF(timer, struct alarm_clock, timer);
    assert_true(loop_now_ms(loop) >= timer->node.key);
    fired[fired_count++] = a->letter;
    fired[fired_count] = 0;
    if (a->letter == 'z')
        loop_stop(loop);
}

static void test_timers_fire_in_order(void **state)
{
    (void)state;
    static const struct {
        char letter;
        unsigned wait_ms;
    } cases[] = { { 'c', 3 }, { 'a', 1 }, { 'z', 5 }, { 'b', 2 }, { 'd', 4 }, { '0', 0 } };
    struct alarm_clock alarms[6];
    memset(alarms, 0, sizeof alarms);
    uint64_t start = loop_now_ms(loop);
    fired_count = 0;
    for (size_t i = 0; i < 6; i++) {
        alarms[i].timer.fire = note;
        alarms[i].letter = cases[i].letter;
        assert_true(loop_timer_start(loop, &alarms[i].timer, start + cases[i].wait_ms));
    }
    loop_run(loop);
    assert_string_equal(fired, "0abcdz");
    assert_true(loop_now_ms(loop) >= start + 5);
    assert_true(clock_monotonic_ms() - loop_now_ms(loop) < 60000); /* the same clock */
}

static void test_timers_stop_and_move(void **state)
{
    (void)state;
    struct alarm_clock never = { { { 0 }, note }, 'n' }, moved = { { { 0 }, note }, 'm' };
    struct alarm_clock end = { { { 0 }, note }, 'z' };
    uint64_t now = loop_now_ms(loop);
    fired_count = 0;
    loop_timer_stop(loop, &never.timer); /* idle: harmless */
    loop_timer_start(loop, &never.timer, now + 1);
    loop_timer_start(loop, &moved.timer, now + 100000);
    loop_timer_start(loop, &moved.timer, now);
    loop_timer_start(loop, &end.timer, now + 2);
    loop_timer_stop(loop, &never.timer);
    loop_run(loop);
    assert_string_equal(fired, "mz");
    assert_int_equal(moved.timer.node.place, 0);
}

static void test_a_timeout_that_moves_away_is_not_set_anew(void **state)
{
    (void)state;
    struct alarm_clock session = { { { 0 }, note }, 's' }, end = { { { 0 }, note }, 'z' };
    uint64_t now = loop_now_ms(loop);
    fired_count = 0;
    loop_timer_start(loop, &session.timer, now + 1);
    loop_timer_start(loop, &session.timer, now + 300000);
    loop_timer_start(loop, &end.timer, now + 2);
    loop_run(loop);
    assert_string_equal(fired, "z");
    loop_timer_stop(loop, &session.timer);
}

static unsigned repeats;

static void again(struct timer *timer)
{
    loop_timer_start(loop, timer, 0);
    if (++repeats == 5)
        loop_stop(loop);
}

static void test_a_timer_that_starts_itself_does_not_hold_the_turn(void **state)
{
    (void)state;
    struct timer t = { { 0 }, again };
    repeats = 0;
    loop_timer_start(loop, &t, 0);
    loop_run(loop);
    assert_int_equal(repeats, 5);
    assert_true(loop_figures(loop).turns >= 4);
    loop_timer_stop(loop, &t);
}

struct letter {
    struct post post;
    unsigned sender, number;
};

enum { SENDERS = 3, LETTERS = 5000 };
static unsigned seen[SENDERS];
static struct letter letters[SENDERS][LETTERS];

static void take(struct post *post)
{
    struct letter *l = OWNER_OF(post, struct letter, post);
    assert_int_equal(l->number, seen[l->sender]);
    seen[l->sender]++;
    if (seen[0] == LETTERS && seen[1] == LETTERS && seen[2] == LETTERS)
        loop_stop(loop);
}

static void *send_all(void *argument)
{
    struct letter *mine = argument;
    for (unsigned i = 0; i < LETTERS; i += 2) {
        mine[i].post.next = &mine[i + 1].post;
        loop_post_all(loop, &mine[i].post, &mine[i + 1].post);
    }
    return NULL;
}

static void test_posts_keep_each_posters_order(void **state)
{
    (void)state;
    pthread_t threads[SENDERS];
    for (unsigned s = 0; s < SENDERS; s++) {
        seen[s] = 0;
        for (unsigned i = 0; i < LETTERS; i++)
            letters[s][i] = (struct letter){ { NULL, take }, s, i };
    }
    for (unsigned s = 0; s < SENDERS; s++)
        assert_int_equal(pthread_create(&threads[s], NULL, send_all, letters[s]), 0);
    loop_run(loop);
    for (unsigned s = 0; s < SENDERS; s++)
        pthread_join(threads[s], NULL);
}

static unsigned run_count;

static void count_run(struct post *post)
{
    (void)post;
    if (++run_count == LETTERS)
        loop_stop(loop);
}

static void test_many_posts_cost_one_wakeup(void **state)
{
    (void)state;
    run_count = 0;
    for (unsigned i = 0; i < LETTERS; i++) {
        letters[0][i].post.run = count_run;
        loop_post(loop, &letters[0][i].post);
    }
    loop_run(loop);
    assert_int_equal(run_count, LETTERS);
    assert_int_equal(loop_figures(loop).wakeups, 1);
}

static void post_once_more(struct post *post)
{
    /* In a later turn, and by loop_free() too. */
    if (++run_count < 3)
        loop_post(loop, post);
}

static void test_free_runs_what_waits(void **state)
{
    (void)state;
    struct loop *doomed = loop;
    struct post p = { NULL, post_once_more };
    run_count = 0;
    loop_post(loop, &p);
    loop_free(&doomed);
    assert_int_equal(run_count, 3);
    assert_null(doomed);
    loop = NULL;
}

static void caught(void *owner)
{
    *(int *)owner += 1;
    loop_stop(loop);
}

static void test_signals(void **state)
{
    (void)state;
    struct error e;
    int count = 0;
    assert_true(loop_on_signal(loop, SIGUSR1, caught, &count, &e));
    assert_false(loop_on_signal(loop, SIGKILL, caught, &count, &e));
    assert_int_equal(e.kind, ERROR_TEMPORARY);
    raise(SIGUSR1);
    loop_run(loop);
    assert_int_equal(count, 1);
}

static void test_a_stop_before_the_run_counts(void **state)
{
    (void)state;
    loop_stop(loop);
    loop_run(loop);
    assert_int_equal(loop_figures(loop).turns, 0);
}

int main(void)
{
#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, make_loop, free_loop)
    const struct CMUnitTest tests[] = {
        LOOP_TEST(test_timers_fire_in_order),
        LOOP_TEST(test_timers_stop_and_move),
        LOOP_TEST(test_a_timeout_that_moves_away_is_not_set_anew),
        LOOP_TEST(test_a_timer_that_starts_itself_does_not_hold_the_turn),
        LOOP_TEST(test_posts_keep_each_posters_order),
        LOOP_TEST(test_many_posts_cost_one_wakeup),
        LOOP_TEST(test_free_runs_what_waits),
        LOOP_TEST(test_signals),
        LOOP_TEST(test_a_stop_before_the_run_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
