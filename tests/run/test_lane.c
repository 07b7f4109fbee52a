/* test_lane.c - jobs on threads of our own, and their way home. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "run/lane.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

enum { JOBS = 2000 };

static struct loop *loop;
static struct lane *lane;

struct work {
    struct job job;
    unsigned number;
};

static struct work works[JOBS];
static atomic_uint ran;
static unsigned came_home;
static bool in_order;
static sem_t gate, entered;

static int set_up(void **state)
{
    (void)state;
    struct error e;
    atomic_store(&ran, 0);
    came_home = 0;
    in_order = true;
    memset(works, 0, sizeof works);
    for (unsigned i = 0; i < JOBS; i++)
        works[i].number = i;
    sem_init(&gate, 0, 0);
    sem_init(&entered, 0, 0);
    return loop_new(&loop, &e) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    lane_free(&lane);
    loop_free(&loop);
    sem_destroy(&gate);
    sem_destroy(&entered);
    return 0;
}

static void make_lane(unsigned threads, size_t queue_max)
{
    struct error e;
    assert_true(lane_new("test", threads, queue_max, &lane, &e));
}

static void count_in_order(struct job *job)
{
    struct work *w = OWNER_OF(job, struct work, job);
    if (atomic_fetch_add(&ran, 1) != w->number)
        in_order = false;
}

static void count_home(struct job *job)
{
    (void)job;
    if (++came_home == JOBS)
        loop_stop(loop);
}

static void test_width_one_keeps_the_order(void **state)
{
    (void)state;
    make_lane(1, JOBS);
    for (unsigned i = 0; i < JOBS; i++) {
        works[i].job = (struct job){ count_in_order, count_home, .home = loop };
        assert_true(lane_submit(lane, &works[i].job));
    }
    loop_run(loop);
    assert_true(in_order);
    assert_int_equal(came_home, JOBS);
}

static void count_only(struct job *job)
{
    (void)job;
    atomic_fetch_add(&ran, 1);
}

static void test_all_threads_take_part(void **state)
{
    (void)state;
    make_lane(4, JOBS);
    for (unsigned i = 0; i < JOBS; i++) {
        works[i].job = (struct job){ count_only, count_home, .home = loop };
        assert_true(lane_submit(lane, &works[i].job));
    }
    loop_run(loop);
    assert_int_equal(atomic_load(&ran), JOBS);
}

static void wait_at_gate(struct job *job)
{
    (void)job;
    sem_post(&entered);
    sem_wait(&gate);
    atomic_fetch_add(&ran, 1);
}

/* Each of three jobs waits until all three have begun: three threads must have been woken. */
static void test_each_job_gets_an_idle_thread(void **state)
{
    (void)state;
    make_lane(3, 3);
    for (unsigned round = 0; round < 50; round++) {
        for (unsigned i = 0; i < 3; i++) {
            works[i].job = (struct job){ wait_at_gate, NULL };
            lane_follow(lane, &works[i].job);
        }
        for (unsigned i = 0; i < 3; i++)
            sem_wait(&entered);
        for (unsigned i = 0; i < 3; i++)
            sem_post(&gate);
        while (atomic_load(&ran) < 3 * (round + 1))
            sched_yield();
    }
}

static void test_a_full_queue_refuses_but_follow_does_not(void **state)
{
    (void)state;
    make_lane(1, 2);
    works[0].job = (struct job){ wait_at_gate, NULL };
    assert_true(lane_submit(lane, &works[0].job));
    sem_wait(&entered);
    for (unsigned i = 1; i < 6; i++)
        works[i].job = (struct job){ count_only, NULL };
    assert_true(lane_submit(lane, &works[1].job));
    assert_true(lane_submit(lane, &works[2].job));
    assert_false(lane_submit(lane, &works[3].job));
    lane_follow(lane, &works[4].job);
    assert_false(lane_submit(lane, &works[5].job));
    sem_post(&gate);
    lane_free(&lane);
    assert_int_equal(atomic_load(&ran), 4);
}

static void follow_self(struct job *job)
{
    if (atomic_fetch_add(&ran, 1) + 1 < 100)
        lane_follow(lane, job);
    else
        sem_post(&entered);
}

static void test_a_job_may_follow_itself(void **state)
{
    (void)state;
    make_lane(1, 1);
    works[0].job = (struct job){ follow_self, NULL };
    assert_true(lane_submit(lane, &works[0].job));
    sem_wait(&entered);
    lane_free(&lane);
    assert_int_equal(atomic_load(&ran), 100);
}

static void test_free_runs_what_is_queued(void **state)
{
    (void)state;
    make_lane(2, JOBS);
    for (unsigned i = 0; i < JOBS; i++) {
        works[i].job = (struct job){ count_only, count_home, .home = loop };
        assert_true(lane_submit(lane, &works[i].job));
    }
    lane_free(&lane);
    assert_int_equal(atomic_load(&ran), JOBS);
    assert_int_equal(came_home, 0); /* their way home is the loop's */
    loop_free(&loop);
    assert_int_equal(came_home, JOBS);
}

struct manners {
    struct job job;
    char name[32];
    bool blocks_signals;
};

static void look_at_thread(struct job *job)
{
    struct manners *m = OWNER_OF(job, struct manners, job);
    sigset_t blocked;
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    m->blocks_signals = sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGHUP);
    pthread_getname_np(pthread_self(), m->name, sizeof m->name);
}

static void test_threads_have_a_name_and_no_signals(void **state)
{
    (void)state;
    struct manners m = { .job = { look_at_thread, NULL } };
    make_lane(1, 1);
    assert_true(lane_submit(lane, &m.job));
    lane_free(&lane);
    assert_string_equal(m.name, "test");
    assert_true(m.blocks_signals);
    sigset_t ours;
    pthread_sigmask(SIG_BLOCK, NULL, &ours);
    assert_false(sigismember(&ours, SIGTERM));
}

int main(void)
{
#define LANE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        LANE_TEST(test_width_one_keeps_the_order),
        LANE_TEST(test_all_threads_take_part),
        LANE_TEST(test_each_job_gets_an_idle_thread),
        LANE_TEST(test_a_full_queue_refuses_but_follow_does_not),
        LANE_TEST(test_a_job_may_follow_itself),
        LANE_TEST(test_free_runs_what_is_queued),
        LANE_TEST(test_threads_have_a_name_and_no_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
