/* test_stream.c - streams over pairs of local sockets: data, the one end, writing, finishing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "run/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SLAB = 64 * 1024 };

static struct loop *loop;

/* An owner that notes what it hears, and does something when it hears it. */
struct ear {
    struct stream *stream;
    int peer; /* the other end, in the hands of the test */
    unsigned inputs, ends, drains;
    size_t octets;
    size_t octets_wanted; /* stop the loop then */
    bool broke;
    void (*on_input)(struct ear *);
    void (*on_end)(struct ear *);
    void (*on_drained)(struct ear *);
    char first[16];
};

static void heard_input(void *owner, struct bytes input)
{
    struct ear *ear = owner;
    assert_int_equal(ear->ends, 0);
    assert_true(input.len > 0);
    if (ear->inputs++ == 0)
        memcpy(ear->first, input.at, input.len < 15 ? input.len : 15);
    ear->octets += input.len;
    if (ear->octets_wanted && ear->octets >= ear->octets_wanted)
        loop_stop(loop);
    if (ear->on_input)
        ear->on_input(ear);
}

static void heard_end(void *owner, const struct error *why)
{
    struct ear *ear = owner;
    ear->ends++;
    ear->broke = why != NULL;
    assert_int_equal(ear->ends, 1);
    if (ear->on_end)
        ear->on_end(ear);
    loop_stop(loop);
}

static void heard_drained(void *owner)
{
    struct ear *ear = owner;
    ear->drains++;
    if (ear->on_drained)
        ear->on_drained(ear);
    loop_stop(loop);
}

static const struct stream_events events = { heard_input, heard_end, heard_drained };

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

static void open_pair(struct ear *ear)
{
    struct error e;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    ear->peer = pair[1];
    assert_true(stream_open(loop, pair[0], &ear->stream, &e));
}

static void start_pair(struct ear *ear)
{
    open_pair(ear);
    stream_start(ear->stream, &events, ear);
}

static void end_pair(struct ear *ear)
{
    stream_close(&ear->stream);
    if (ear->peer >= 0)
        close(ear->peer);
}

static void hang_up(struct ear *ear)
{
    close(ear->peer);
    ear->peer = -1;
}

static void stop(struct timer *timer)
{
    (void)timer;
    loop_stop(loop);
}

/* A few turns, in which everything happens that may happen. */
static void turn_a_while(void)
{
    struct timer t = { { 0 }, stop };
    for (int i = 0; i < 3; i++) {
        loop_timer_start(loop, &t, 0);
        loop_run(loop);
    }
}

static void say(const struct ear *ear, const char *words)
{
    assert_int_equal(write(ear->peer, words, strlen(words)), strlen(words));
}

static bool peer_reads(const struct ear *ear, const char *words)
{
    char got[64] = { 0 };
    ssize_t n = recv(ear->peer, got, sizeof got - 1, MSG_DONTWAIT);
    return n == (ssize_t)strlen(words) && memcmp(got, words, (size_t)n) == 0;
}

/* 0 when the stream has ended its direction, -1 with errno otherwise. */
static ssize_t peer_sees_end(const struct ear *ear)
{
    char octet;
    return recv(ear->peer, &octet, 1, MSG_DONTWAIT);
}

static void test_input_then_one_end(void **state)
{
    (void)state;
    struct ear ear = { 0 };
    start_pair(&ear);
    say(&ear, "EHLO\r\n");
    turn_a_while();
    assert_string_equal(ear.first, "EHLO\r\n");
    assert_int_equal(ear.ends, 0);
    say(&ear, "QUIT\r\n");
    hang_up(&ear);
    turn_a_while();
    assert_int_equal(ear.octets, 12);
    assert_int_equal(ear.ends, 1);
    assert_false(ear.broke);
    turn_a_while();
    end_pair(&ear);
}

static void test_nothing_comes_before_start(void **state)
{
    (void)state;
    struct ear ear = { 0 };
    open_pair(&ear);
    say(&ear, "early");
    turn_a_while();
    assert_int_equal(ear.inputs, 0);
    stream_start(ear.stream, &events, &ear);
    turn_a_while();
    assert_string_equal(ear.first, "early");
    end_pair(&ear);
}

static void test_a_paused_stream_is_deaf(void **state)
{
    (void)state;
    struct ear ear = { 0 };
    start_pair(&ear);
    stream_pause(ear.stream);
    say(&ear, "one");
    hang_up(&ear);
    turn_a_while();
    assert_int_equal(ear.inputs + ear.ends, 0);
    stream_resume(ear.stream);
    stream_resume(ear.stream); /* harmless */
    turn_a_while();
    assert_int_equal(ear.octets, 3);
    assert_int_equal(ear.ends, 1);
    stream_resume(ear.stream); /* after the end: harmless */
    turn_a_while();
    end_pair(&ear);
}

static void pause_it(struct ear *ear)
{
    stream_pause(ear->stream);
    loop_stop(loop);
}

static void fill_peer(const struct ear *ear, size_t octets)
{
    /* Room for all of it, so that the test needs no second thread. */
    int room = (int)octets * 2;
    setsockopt(ear->peer, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
    setsockopt(ear->peer, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    char *block = calloc(1, octets);
    size_t sent = 0;
    while (sent < octets) {
        ssize_t n = send(ear->peer, block, octets - sent, MSG_DONTWAIT);
        if (n < 0)
            break;
        sent += (size_t)n;
    }
    free(block);
    assert_true(sent >= SLAB + SLAB / 2);
}

static void test_a_pause_within_input_holds(void **state)
{
    (void)state;
    struct ear ear = { .on_input = pause_it };
    start_pair(&ear);
    fill_peer(&ear, 2 * SLAB);
    loop_run(loop);
    turn_a_while();
    assert_int_equal(ear.inputs, 1);
    assert_true(ear.octets <= SLAB);
    end_pair(&ear);
}

static unsigned turns_of_input;
static uint64_t last_turn;

static void count_turns(struct ear *ear)
{
    (void)ear;
    uint64_t turn = loop_figures(loop).turns;
    assert_true(turn != last_turn);
    last_turn = turn;
    turns_of_input++;
}

static void test_one_read_in_a_turn(void **state)
{
    (void)state;
    struct ear ear = { .on_input = count_turns, .octets_wanted = SLAB + SLAB / 2 };
    turns_of_input = 0;
    last_turn = 0;
    start_pair(&ear);
    fill_peer(&ear, 3 * SLAB);
    loop_run(loop);
    assert_int_equal(turns_of_input, ear.inputs);
    assert_true(ear.inputs >= 2);
    end_pair(&ear);
}

static void test_write_at_once(void **state)
{
    (void)state;
    struct ear ear = { 0 };
    open_pair(&ear);
    assert_int_equal(stream_write(ear.stream, bytes_of_text(T("220 hi\r\n"))), STREAM_SENT);
    assert_true(peer_reads(&ear, "220 hi\r\n")); /* without a turn of the loop */
    assert_int_equal(stream_write(ear.stream, (struct bytes){ NULL, 0 }), STREAM_SENT);
    end_pair(&ear);
}

enum { MUCH = 4 * 1024 * 1024 };

static uint8_t *pattern(void)
{
    uint8_t *much = malloc(MUCH);
    for (size_t i = 0; i < MUCH; i++)
        much[i] = (uint8_t)(i % 251);
    return much;
}

/* Reads what the kernel holds; every octet must be the next of the pattern. */
static size_t take_pattern(const struct ear *ear, size_t from)
{
    uint8_t got[SLAB];
    for (;;) {
        ssize_t n = recv(ear->peer, got, sizeof got, MSG_DONTWAIT);
        if (n <= 0)
            return from;
        for (ssize_t i = 0; i < n; i++, from++)
            if (got[i] != from % 251)
                fail_msg("octet %zu is wrong", from);
    }
}

static void test_what_does_not_fit_is_kept(void **state)
{
    (void)state;
    struct ear ear = { 0 };
    start_pair(&ear);
    uint8_t *much = pattern();
    assert_int_equal(stream_write(ear.stream, (struct bytes){ much, MUCH }), STREAM_QUEUED);
    memset(much, 0xFF, MUCH); /* it is ours again */
    free(much);
    size_t got = 0;
    while (ear.drains == 0) {
        got = take_pattern(&ear, got);
        turn_a_while();
    }
    got = take_pattern(&ear, got);
    assert_int_equal(got, MUCH);
    assert_int_equal(ear.drains, 1);
    assert_int_equal(stream_write(ear.stream, bytes_of_text(T("more"))), STREAM_SENT);
    end_pair(&ear);
}

static void close_it(struct ear *ear)
{
    stream_close(&ear->stream);
    assert_null(ear->stream);
    loop_stop(loop);
}

static void finish_it(struct ear *ear)
{
    stream_finish(&ear->stream);
    loop_stop(loop);
}

static void test_closing_within_callbacks(void **state)
{
    (void)state;
    static void (*const ways[])(struct ear *) = { close_it, finish_it };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct ear in_input = { .on_input = ways[i] };
        start_pair(&in_input);
        fill_peer(&in_input, 2 * SLAB);
        turn_a_while();
        assert_int_equal(in_input.inputs, 1);
        hang_up(&in_input);

        struct ear in_end = { .on_end = ways[i] };
        start_pair(&in_end);
        hang_up(&in_end);
        turn_a_while();
        assert_int_equal(in_end.ends, 1);

        struct ear in_drained = { .on_drained = ways[i] };
        start_pair(&in_drained);
        uint8_t *much = pattern();
        stream_write(in_drained.stream, (struct bytes){ much, MUCH });
        free(much);
        size_t got = 0;
        while (in_drained.drains == 0) {
            got = take_pattern(&in_drained, got);
            turn_a_while();
        }
        hang_up(&in_drained);
        turn_a_while();
        assert_int_equal(in_drained.ends, 0);
    }
}

static void test_a_broken_write_ends_once(void **state)
{
    (void)state;
    struct ear ear = { 0 };
    start_pair(&ear);
    hang_up(&ear);
    assert_int_equal(stream_write(ear.stream, bytes_of_text(T("250\r\n"))), STREAM_BROKEN);
    assert_int_equal(ear.ends, 0); /* not within the call */
    assert_int_equal(stream_write(ear.stream, bytes_of_text(T("250\r\n"))), STREAM_BROKEN);
    assert_true(stream_is_broken(ear.stream));
    turn_a_while();
    assert_int_equal(ear.ends, 1);
    assert_true(ear.broke);
    turn_a_while();
    end_pair(&ear);
}

/* Also when it broke before anybody listened, and while it was paused. */
static void test_a_broken_write_is_told_always(void **state)
{
    (void)state;
    struct ear early = { 0 }, paused = { 0 }, gone = { 0 };
    open_pair(&early);
    hang_up(&early);
    assert_int_equal(stream_write(early.stream, bytes_of_text(T("220\r\n"))), STREAM_BROKEN);
    turn_a_while();
    stream_start(early.stream, &events, &early);
    turn_a_while();
    assert_int_equal(early.ends, 1);
    end_pair(&early);

    start_pair(&paused);
    stream_pause(paused.stream);
    hang_up(&paused);
    assert_int_equal(stream_write(paused.stream, bytes_of_text(T("220\r\n"))), STREAM_BROKEN);
    turn_a_while();
    assert_int_equal(paused.ends, 1);
    end_pair(&paused);

    start_pair(&gone);
    hang_up(&gone);
    assert_int_equal(stream_write(gone.stream, bytes_of_text(T("220\r\n"))), STREAM_BROKEN);
    end_pair(&gone);
    turn_a_while();
    assert_int_equal(gone.ends, 0); /* closed before it was told */
}

static void test_writing_after_the_peers_end(void **state)
{
    (void)state;
    struct ear ear = { 0 };
    start_pair(&ear);
    say(&ear, "QUIT\r\n");
    shutdown(ear.peer, SHUT_WR);
    turn_a_while();
    assert_int_equal(ear.ends, 1);
    assert_false(ear.broke);
    assert_int_equal(stream_write(ear.stream, bytes_of_text(T("221\r\n"))), STREAM_SENT);
    assert_true(peer_reads(&ear, "221\r\n"));
    end_pair(&ear);
}

/* Queued after the orderly end, then the peer goes: the owner must not wait for ever. */
static void test_a_break_after_the_end_still_drains(void **state)
{
    (void)state;
    struct ear ear = { 0 };
    start_pair(&ear);
    shutdown(ear.peer, SHUT_WR);
    turn_a_while();
    assert_int_equal(ear.ends, 1);
    uint8_t *much = pattern();
    assert_int_equal(stream_write(ear.stream, (struct bytes){ much, MUCH }), STREAM_QUEUED);
    free(much);
    hang_up(&ear);
    turn_a_while();
    assert_int_equal(ear.drains, 1);
    assert_int_equal(stream_write(ear.stream, bytes_of_text(T("x"))), STREAM_BROKEN);
    turn_a_while();
    end_pair(&ear);
}

/* Queued, then the peer goes: one end that says why, and no `drained`. */
static void test_a_break_while_queued(void **state)
{
    (void)state;
    struct ear ear = { 0 };
    start_pair(&ear);
    uint8_t *much = pattern();
    assert_int_equal(stream_write(ear.stream, (struct bytes){ much, MUCH }), STREAM_QUEUED);
    free(much);
    stream_pause(ear.stream);
    hang_up(&ear);
    turn_a_while();
    assert_int_equal(ear.ends, 1);
    assert_true(ear.broke);
    assert_int_equal(ear.drains, 0);
    end_pair(&ear);
}

static void test_finish_says_goodbye(void **state)
{
    (void)state;
    struct ear ear = { 0 };
    start_pair(&ear);
    stream_write(ear.stream, bytes_of_text(T("221 bye\r\n")));
    stream_finish(&ear.stream);
    assert_null(ear.stream);
    say(&ear, "still talking"); /* not refused: our side is still open */
    turn_a_while();
    say(&ear, "and on");
    assert_true(peer_reads(&ear, "221 bye\r\n"));
    assert_int_equal(peer_sees_end(&ear), 0);
    turn_a_while();
    assert_int_equal(ear.inputs + ear.ends + ear.drains, 0);
    hang_up(&ear);
    turn_a_while();
}

static void test_leaving_waits_for_nobody(void **state)
{
    (void)state;
    struct ear ear = { 0 };
    start_pair(&ear);
    stream_write(ear.stream, bytes_of_text(T("221 bye\r\n")));
    stream_leave(&ear.stream);
    assert_null(ear.stream);
    assert_true(peer_reads(&ear, "221 bye\r\n"));
    assert_int_equal(peer_sees_end(&ear), 0);
    assert_int_equal(send(ear.peer, "x", 1, MSG_NOSIGNAL), -1);
    end_pair(&ear);
}

static void test_leaving_lets_the_queue_out(void **state)
{
    (void)state;
    struct ear ear = { 0 };
    start_pair(&ear);
    uint8_t *much = pattern();
    assert_int_equal(stream_write(ear.stream, (struct bytes){ much, MUCH }), STREAM_QUEUED);
    free(much);
    stream_leave(&ear.stream);
    for (size_t got = 0; got < MUCH; turn_a_while())
        got = take_pattern(&ear, got);
    assert_int_equal(peer_sees_end(&ear), 0);
    end_pair(&ear);
}

static void test_finish_lets_the_queue_out(void **state)
{
    (void)state;
    struct ear ear = { 0 };
    start_pair(&ear);
    uint8_t *much = pattern();
    assert_int_equal(stream_write(ear.stream, (struct bytes){ much, MUCH }), STREAM_QUEUED);
    free(much);
    shutdown(ear.peer, SHUT_WR); /* the peer has said all and only reads */
    stream_finish(&ear.stream);
    size_t got = 0;
    while (got < MUCH) {
        got = take_pattern(&ear, got);
        turn_a_while();
    }
    assert_int_equal(peer_sees_end(&ear), 0);
    assert_int_equal(ear.drains, 0);
    end_pair(&ear);
}

static void test_finish_does_not_listen_for_ever(void **state)
{
    (void)state;
    struct ear ear = { 0 };
    start_pair(&ear);
    stream_finish(&ear.stream);
    char block[SLAB] = { 0 };
    size_t sent = 0;
    ssize_t n;
    while ((n = send(ear.peer, block, sizeof block, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0) {
        sent += (size_t)n;
        turn_a_while();
        assert_true(sent < 1024 * 1024);
    }
    assert_int_equal(errno, EPIPE);
    assert_true(sent > 256 * 1024);
    end_pair(&ear);
}

static void test_too_many_goodbyes_close_the_oldest(void **state)
{
    (void)state;
    enum { MANY = 1003 };
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < 2 * MANY + 50)
        skip();
    int *peers = calloc(MANY, sizeof *peers);
    for (int i = 0; i < MANY; i++) {
        struct ear ear = { 0 };
        start_pair(&ear);
        stream_finish(&ear.stream);
        peers[i] = ear.peer;
    }
    turn_a_while();
    for (int i = 0; i < MANY; i++) {
        bool closed = send(peers[i], "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0;
        assert_int_equal(closed, i < 3);
        close(peers[i]);
    }
    free(peers);
}

static void test_who_is_there(void **state)
{
    (void)state;
    struct ear ear = { 0 };
    start_pair(&ear);
    unsigned uid;
    assert_true(stream_peer_user(ear.stream, &uid));
    assert_int_equal(uid, getuid());
    assert_int_equal(stream_peer(ear.stream).family, NET_NONE);
    assert_int_equal(stream_local(ear.stream).family, NET_NONE);
    assert_false(stream_is_broken(ear.stream));
    shutdown(ear.peer, SHUT_WR);
    assert_false(stream_is_broken(ear.stream));
    hang_up(&ear);
    assert_true(stream_is_broken(ear.stream));
    end_pair(&ear);
}

static void test_open_takes_the_socket_also_on_failure(void **state)
{
    (void)state;
    struct error e;
    struct stream *stream;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* not connected */
    assert_false(stream_open(loop, fd, &stream, &e));
    assert_null(stream);
    assert_int_equal(e.kind, ERROR_TEMPORARY);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

int main(void)
{
#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, make_loop, free_loop)
    const struct CMUnitTest tests[] = {
        STREAM_TEST(test_input_then_one_end),
        STREAM_TEST(test_nothing_comes_before_start),
        STREAM_TEST(test_a_paused_stream_is_deaf),
        STREAM_TEST(test_a_pause_within_input_holds),
        STREAM_TEST(test_one_read_in_a_turn),
        STREAM_TEST(test_write_at_once),
        STREAM_TEST(test_what_does_not_fit_is_kept),
        STREAM_TEST(test_closing_within_callbacks),
        STREAM_TEST(test_a_broken_write_ends_once),
        STREAM_TEST(test_a_broken_write_is_told_always),
        STREAM_TEST(test_writing_after_the_peers_end),
        STREAM_TEST(test_a_break_after_the_end_still_drains),
        STREAM_TEST(test_a_break_while_queued),
        STREAM_TEST(test_finish_says_goodbye),
        STREAM_TEST(test_leaving_waits_for_nobody),
        STREAM_TEST(test_leaving_lets_the_queue_out),
        STREAM_TEST(test_finish_lets_the_queue_out),
        STREAM_TEST(test_finish_does_not_listen_for_ever),
        STREAM_TEST(test_too_many_goodbyes_close_the_oldest),
        STREAM_TEST(test_who_is_there),
        STREAM_TEST(test_open_takes_the_socket_also_on_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
