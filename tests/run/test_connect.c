/* test_connect.c - calling somebody on loopback: taken, refused, cancelled, too late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "run/connect.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct loop *loop;

struct outcome {
    struct stream *stream;
    unsigned calls;
    char words[ERROR_WORDS_MAX];
};

static void done(void *owner, struct stream *stream, const struct error *why)
{
    struct outcome *o = owner;
    o->stream = stream;
    o->calls++;
    if (why)
        strcpy(o->words, why->words);
    loop_stop(loop);
}

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
    return 0;
}

/* A socket on a port that the system chooses; nobody accepts, and without `listens` nobody answers.
 */
static int bound_socket(bool listens, struct endpoint *at_out)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    if (listens)
        assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    *at_out = (struct endpoint){ NET_IPV4, { 127, 0, 0, 1 }, ntohs(in.sin_port) };
    return fd;
}

static struct connecting *start(const struct endpoint *to, uint64_t timeout_ms,
                                struct outcome *outcome)
{
    struct error e = { 0 };
    struct connect_options options = {
        .to = *to, .timeout_ms = timeout_ms, .done = done, .owner = outcome
    };
    struct connecting *c = connect_start(loop, &options, &e);
    assert_non_null(c);
    assert_int_equal(outcome->calls, 0); /* never within the call */
    return c;
}

static void test_taken(void **state)
{
    (void)state;
    struct endpoint at;
    struct outcome o = { 0 };
    int fd = bound_socket(true, &at);
    start(&at, 10000, &o);
    loop_run(loop);
    assert_int_equal(o.calls, 1);
    assert_non_null(o.stream);
    struct endpoint peer = stream_peer(o.stream);
    assert_int_equal(peer.port, at.port);
    assert_int_equal(stream_write(o.stream, bytes_of_text(T("hello"))), STREAM_SENT);
    char words[8] = "";
    int accepted = accept(fd, NULL, NULL);
    assert_int_equal(read(accepted, words, 5), 5);
    assert_string_equal(words, "hello");
    stream_close(&o.stream);
    close(accepted);
    close(fd);
}

static void test_refused(void **state)
{
    (void)state;
    struct endpoint at;
    struct outcome o = { 0 };
    int fd = bound_socket(false, &at);
    start(&at, 10000, &o);
    loop_run(loop);
    assert_int_equal(o.calls, 1);
    assert_null(o.stream);
    assert_non_null(strstr(o.words, "cannot connect to 127.0.0.1:"));
    assert_non_null(strstr(o.words, "Connection refused"));
    close(fd);
}

/* What the system knows at once is told like any other refusal, not as trouble of our own: whoever
 * has another address goes on to it. */
static void test_refused_at_once(void **state)
{
    (void)state;
    struct endpoint nowhere = { NET_IPV4, { 255, 255, 255, 255 }, 25 };
    struct outcome o = { 0 };
    start(&nowhere, 10000, &o);
    loop_run(loop);
    assert_int_equal(o.calls, 1);
    assert_null(o.stream);
    assert_non_null(strstr(o.words, "cannot connect to 255.255.255.255:25"));
    struct outcome none = { 0 };
    struct connecting *c = start(&nowhere, 10000, &none);
    connect_cancel(&c);
    assert_null(c);
}

/* A backlog that is full: the system never answers, and the limit ends it. */
static void test_too_late(void **state)
{
    (void)state;
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct endpoint at;
    struct outcome o = { 0 };
    int fd = bound_socket(false, &at), waiting[4];
    assert_int_equal(listen(fd, 0), 0);
    in.sin_port = htons(at.port);
    for (size_t i = 0; i < 4; i++) {
        waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(waiting[i], (struct sockaddr *)&in, sizeof in);
    }
    start(&at, 30, &o);
    loop_run(loop);
    assert_int_equal(o.calls, 1);
    assert_null(o.stream);
    assert_non_null(strstr(o.words, "timed out"));
    for (size_t i = 0; i < 4; i++)
        close(waiting[i]);
    close(fd);
}

static void stop_fired(struct timer *timer)
{
    (void)timer;
    loop_stop(loop);
}

static void test_cancelled(void **state)
{
    (void)state;
    struct endpoint at;
    struct outcome o = { 0 };
    struct timer stop = { .fire = stop_fired };
    int fd = bound_socket(true, &at);
    struct connecting *c = start(&at, 10000, &o);
    connect_cancel(&c);
    assert_null(c);
    connect_cancel(&c);
    assert_true(loop_timer_start(loop, &stop, loop_now_ms(loop) + 1));
    loop_run(loop);
    assert_int_equal(o.calls, 0);
    close(fd);
}

static void test_own_address(void **state)
{
    (void)state;
    struct endpoint at;
    struct outcome o = { 0 };
    struct error e = { 0 };
    int fd = bound_socket(true, &at);
    struct connect_options options = { .to = at,
                                       .from = { NET_IPV4, { 127, 0, 0, 9 }, 0 },
                                       .timeout_ms = 10000,
                                       .done = done,
                                       .owner = &o };
    assert_non_null(connect_start(loop, &options, &e));
    loop_run(loop);
    assert_non_null(o.stream);
    assert_int_equal(stream_local(o.stream).octets[3], 9);
    stream_close(&o.stream);
    options.from = (struct endpoint){ NET_IPV4, { 192, 0, 2, 1 }, 0 }; /* not ours */
    assert_null(connect_start(loop, &options, &e));
    assert_int_equal(e.kind, ERROR_TEMPORARY);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_taken, make_loop, free_loop),
        cmocka_unit_test_setup_teardown(test_refused, make_loop, free_loop),
        cmocka_unit_test_setup_teardown(test_refused_at_once, make_loop, free_loop),
        cmocka_unit_test_setup_teardown(test_too_late, make_loop, free_loop),
        cmocka_unit_test_setup_teardown(test_cancelled, make_loop, free_loop),
        cmocka_unit_test_setup_teardown(test_own_address, make_loop, free_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
