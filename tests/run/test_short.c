/* test_short.c - every allocation of the room fails once: an error, no leak, nothing half made.
 *
 * Linked with --wrap for the calls that take memory.  Leaks of memory are for the sanitizer to
 * find; leaks of descriptors are counted here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "../short_countdown.h"
#include "run/disk.h"
#include "run/lane.h"
#include "run/log.h"
#include "run/stream.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int __wrap_posix_memalign(void **, size_t, size_t);
int __real_posix_memalign(void **, size_t, size_t);

int __wrap_posix_memalign(void **out, size_t alignment, size_t size)
{
    return fails() ? ENOMEM : __real_posix_memalign(out, alignment, size);
}

static struct loop *loop;
static char folder[] = "/tmp/godwit-short-XXXXXX";

static bool try_loop(struct error *e)
{
    struct loop *another;
    bool done = loop_new(&another, e);
    loop_free(&another);
    return done;
}

static void fire(struct timer *timer)
{
    (void)timer;
}

static bool try_timer(struct error *e)
{
    struct loop *another;
    struct timer t = { { 0 }, fire };
    if (!loop_new(&another, e))
        return false;
    bool done = loop_timer_start(another, &t, 0) ||
                error_set(e, ERROR_TEMPORARY, "the timer is %s", t.node.place ? "set" : "idle");
    loop_free(&another);
    return done;
}

static void caught(void *owner)
{
    (void)owner;
}

static bool try_signal(struct error *e)
{
    struct loop *another;
    if (!loop_new(&another, e))
        return false;
    bool done = loop_on_signal(another, SIGUSR2, caught, NULL, e);
    loop_free(&another);
    return done;
}

static bool try_lane(struct error *e)
{
    struct lane *lane;
    bool done = lane_new("short", 2, 1, &lane, e);
    lane_free(&lane);
    return done;
}

static bool try_disk(struct error *e)
{
    struct disk *disk;
    struct disk_file *file;
    if (!disk_open(folder, false, &disk, e))
        return false;
    bool done = disk_lock(disk, "lock", &file, e);
    disk_unlock(&file);
    disk_close(&disk);
    return done;
}

static bool try_log(struct error *e)
{
    const struct log_options options = { "/dev/null", LOG_TEXT, 1 };
    struct log *log;
    bool done = log_new(&options, &log, e);
    if (done) /* a line without room is dropped, that is all */
        log_event(log, LOG_INFO, T(""), "tried", LOG_NO_FIELDS);
    log_free(&log);
    return done;
}

static const struct listener_events no_events;

static bool try_listener(struct error *e)
{
    const struct endpoint at = { NET_IPV4, { 127, 0, 0, 1 }, 0 };
    const struct listener_options options = { 0 };
    struct listener *listener;
    int fd;
    bool in_use, no_family;
    assert_true(listener_bind(&at, &options, &fd, &in_use, &no_family, e));
    bool done = listener_start(loop, fd, &no_events, NULL, &listener, e);
    if (!done)
        close(fd);
    listener_close(&listener);
    return done;
}

static void heard_input(void *owner, struct bytes input)
{
    (void)owner;
    (void)input;
}

static void heard_end(void *owner, const struct error *why)
{
    *(struct error *)owner = *why;
    loop_stop(loop);
}

static const struct stream_events stream_events = { heard_input, heard_end, NULL };

/* What the kernel does not take, and what a goodbye needs. */
static bool try_stream(struct error *e)
{
    static char much[1024 * 1024];
    struct stream *stream;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    bool done = stream_open(loop, pair[0], &stream, e);
    if (done) {
        stream_start(stream, &stream_events, e);
        done =
            stream_write(stream, (struct bytes){ (uint8_t *)much, sizeof much }) == STREAM_QUEUED;
        if (!done)
            loop_run(loop); /* the end comes, and says why */
    }
    stream_finish(&stream);
    close(pair[1]);
    return done;
}

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    DIR *listing = opendir("/proc/self/fd");
    while (readdir(listing))
        count++;
    closedir(listing);
    return count;
}

static void stop(struct timer *timer)
{
    (void)timer;
    loop_stop(loop);
}

static void turn_a_while(void)
{
    struct timer t = { { 0 }, stop };
    for (int i = 0; i < 3; i++) {
        assert_true(loop_timer_start(loop, &t, 0));
        loop_run(loop);
    }
}

static void test_every_allocation(void **state)
{
    (void)state;
    static bool (*const tries[])(struct error *) = {
        try_loop, try_timer, try_signal, try_lane, try_disk, try_log, try_listener, try_stream
    };
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        struct error e;
        struct error nothing = { 0 };
        assert_true(tries[i](&nothing)); /* what stays open after a first time may stay */
        turn_a_while();
        unsigned before = open_descriptors();
        bool done = false, failed = false;
        for (int n = 0; !done; n++) {
            assert_true(n < 100);
            e = (struct error){ 0 };
            fail_after(n);
            done = tries[i](&e);
            bool all_taken = !end_failing();
            failed |= !done;
            assert_true(done || e.kind == ERROR_TEMPORARY);
            done &= all_taken; /* what does without some memory goes on to the next */
            turn_a_while();
            assert_int_equal(open_descriptors(), before);
        }
        assert_true(failed);
    }
}

static int set_up(void **state)
{
    (void)state;
    struct error e;
    return mkdtemp(folder) && loop_new(&loop, &e) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char lock[64];
    loop_free(&loop);
    snprintf(lock, sizeof lock, "%s/lock", folder);
    unlink(lock);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_allocation) };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
