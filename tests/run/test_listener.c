/* test_listener.c - listening sockets on ports of loopback that the system chooses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "run/clock.h"
#include "run/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct loop *loop;

enum { STREAMS_MAX = 256 };

/* A door that keeps what comes in. */
struct door {
    struct listener *listener;
    struct stream *streams[STREAMS_MAX];
    unsigned count, wanted, troubles;
    bool close_at_once;
    struct error why;
};

static void came_in(void *owner, struct stream *stream)
{
    struct door *door = owner;
    assert_true(door->count < STREAMS_MAX);
    door->streams[door->count++] = stream;
    if (door->close_at_once)
        listener_close(&door->listener);
    if (door->count >= door->wanted)
        loop_stop(loop);
}

static void had_trouble(void *owner, const struct error *why)
{
    struct door *door = owner;
    door->troubles++;
    door->why = *why;
    loop_stop(loop);
}

static const struct listener_events door_events = { came_in, had_trouble };

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

static const struct listener_options alone = { 0 };
static const struct listener_options first = { .share_port = true };
static const struct listener_options further = { .share_port = true, .join = true };

static struct endpoint loopback(uint16_t port)
{
    return (struct endpoint){ NET_IPV4, { 127, 0, 0, 1 }, port };
}

static bool bind_to(uint16_t port, const struct listener_options *options, int *socket_out,
                    bool *in_use_out, struct error *e)
{
    const struct endpoint at = loopback(port);
    bool no_family;
    return listener_bind(&at, options, socket_out, in_use_out, &no_family, e);
}

static int bind_any(const struct listener_options *options)
{
    struct error e;
    int fd;
    bool in_use;
    assert_true(bind_to(0, options, &fd, &in_use, &e));
    return fd;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_in in;
    socklen_t len = sizeof in;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    return ntohs(in.sin_port);
}

static int call(uint16_t port)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof in), 0);
    return fd;
}

static void open_door(struct door *door, int fd)
{
    struct error e;
    assert_true(listener_start(loop, fd, &door_events, door, &door->listener, &e));
}

static void shut_door(struct door *door)
{
    listener_close(&door->listener);
    for (unsigned i = 0; i < door->count; i++)
        stream_close(&door->streams[i]);
}

static void test_connections_come_in(void **state)
{
    (void)state;
    struct door door = { .wanted = 100 };
    int fd = bind_any(&alone), callers[100];
    uint16_t port = port_of(fd);
    open_door(&door, fd);
    for (int i = 0; i < 100; i++)
        callers[i] = call(port);
    loop_run(loop);
    assert_int_equal(door.count, 100);
    assert_true(loop_figures(loop).turns < 50); /* batches grow while many wait */
    struct endpoint peer = stream_peer(door.streams[0]), local = stream_local(door.streams[0]);
    assert_int_equal(peer.port, port_of(callers[0]));
    assert_true(endpoint_is_loopback(&peer));
    assert_int_equal(local.port, port);
    unsigned uid;
    assert_false(stream_peer_user(door.streams[0], &uid));
    shut_door(&door);
    for (int i = 0; i < 100; i++)
        close(callers[i]);
}

/* The descriptor that the stream has, found by the port of its caller. */
static int accepted_descriptor(uint16_t caller)
{
    for (int fd = 3; fd < 1024; fd++) {
        struct sockaddr_in in;
        socklen_t len = sizeof in;
        if (getpeername(fd, (struct sockaddr *)&in, &len) == 0 && ntohs(in.sin_port) == caller)
            return fd;
    }
    return -1;
}

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;
    getsockopt(fd, level, name, &value, &len);
    return value;
}

static void test_options_are_inherited(void **state)
{
    (void)state;
    struct door door = { .wanted = 2 };
    int fd = bind_any(&alone), callers[2];
    callers[0] = call(port_of(fd)); /* waits until the listener starts */
    open_door(&door, fd);
    callers[1] = call(port_of(fd));
    loop_run(loop);
    for (int i = 0; i < 2; i++) {
        int accepted = accepted_descriptor(port_of(callers[i]));
        assert_true(accepted >= 0);
        assert_int_equal(option(accepted, IPPROTO_TCP, TCP_NODELAY), 1);
        assert_int_equal(option(accepted, SOL_SOCKET, SO_KEEPALIVE), 1);
        assert_int_equal(option(accepted, IPPROTO_TCP, TCP_KEEPIDLE), 60);
        close(callers[i]);
    }
    shut_door(&door);
}

static void test_closing_within_accepted(void **state)
{
    (void)state;
    struct door door = { .wanted = 1, .close_at_once = true };
    int fd = bind_any(&alone);
    uint16_t port = port_of(fd);
    open_door(&door, fd);
    int one = call(port), two = call(port);
    loop_run(loop);
    assert_int_equal(door.count, 1);
    assert_null(door.listener);
    shut_door(&door);
    close(one);
    close(two);
}

static void test_a_port_in_use_is_found_out(void **state)
{
    (void)state;
    static const struct {
        const struct listener_options *there, *new;
        bool ok;
    } cases[] = {
        { &alone, &alone, false },   { &alone, &first, false },   { &alone, &further, false },
        { &first, &alone, false },   { &first, &first, false },   { &first, &further, true },
        { &further, &first, false }, { &further, &alone, false }, { &further, &further, true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error e;
        int there = bind_any(cases[i].there), new;
        bool in_use;
        assert_int_equal(bind_to(port_of(there), cases[i].new, &new, &in_use, &e), cases[i].ok);
        assert_int_equal(in_use, !cases[i].ok);
        if (cases[i].ok) {
            close(new);
        } else {
            char address[32];
            snprintf(address, sizeof address, "127.0.0.1:%u", port_of(there));
            assert_non_null(strstr(e.words, address));
            assert_int_equal(e.kind, ERROR_REFUSED);
        }
        close(there);
    }
}

static void test_a_port_is_free_again_at_once(void **state)
{
    (void)state;
    struct door door = { .wanted = 1 };
    int fd = bind_any(&alone), again;
    uint16_t port = port_of(fd);
    open_door(&door, fd);
    int caller = call(port);
    loop_run(loop);
    shut_door(&door); /* our side closes first: the connection lingers in the kernel */
    close(caller);
    struct error e;
    bool in_use;
    assert_true(bind_to(port, &first, &again, &in_use, &e));
    close(again);
}

static void test_sockets_of_one_port_share_the_load(void **state)
{
    (void)state;
    enum { CALLERS = 128 };
    int a = bind_any(&first), b, callers[CALLERS];
    struct error e;
    bool in_use;
    assert_true(bind_to(port_of(a), &further, &b, &in_use, &e));
    struct door doors[2] = { { .wanted = STREAMS_MAX }, { .wanted = STREAMS_MAX } };
    open_door(&doors[0], a);
    open_door(&doors[1], b);
    for (int i = 0; i < CALLERS; i++)
        callers[i] = call(port_of(a));
    for (unsigned come = 0; come < CALLERS; come = doors[0].count + doors[1].count) {
        doors[0].wanted = doors[0].count + 1;
        doors[1].wanted = doors[1].count + 1;
        loop_run(loop);
    }
    assert_true(doors[0].count > 0);
    assert_true(doors[1].count > 0);
    shut_door(&doors[0]);
    shut_door(&doors[1]);
    for (int i = 0; i < CALLERS; i++)
        close(callers[i]);
}

static void tick(struct timer *timer)
{
    (void)timer;
    loop_stop(loop);
}

static void test_without_descriptors_it_pauses(void **state)
{
    (void)state;
    struct door door = { .wanted = 1 };
    struct rlimit before, none;
    int fd = bind_any(&alone);
    uint16_t port = port_of(fd);
    open_door(&door, fd);
    int caller = call(port);
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &none);
    loop_run(loop);
    assert_int_equal(door.troubles, 1);
    assert_int_equal(door.why.kind, ERROR_TEMPORARY);
    assert_int_equal(door.count, 0);
    /* Another failure follows, is not told, and the loop sleeps in between. */
    uint64_t turns = loop_figures(loop).turns;
    struct timer t = { { 0 }, tick };
    loop_timer_start(loop, &t, loop_now_ms(loop) + 150);
    loop_run(loop);
    assert_int_equal(door.troubles, 1);
    assert_true(loop_figures(loop).turns - turns < 10);
    setrlimit(RLIMIT_NOFILE, &before);
    loop_run(loop);
    assert_int_equal(door.count, 1);
    close(caller);
    shut_door(&door);
}

static void test_only_listening_sockets_start(void **state)
{
    (void)state;
    struct error e;
    struct listener *l;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct door door = { 0 };
    assert_false(listener_start(loop, fd, &door_events, &door, &l, &e));
    assert_null(l);
    assert_int_equal(e.kind, ERROR_CONFIG);
    close(fd); /* still ours */
}

static void test_v6_only(void **state)
{
    (void)state;
    struct error e;
    const struct endpoint at = { .family = NET_IPV6 };
    const struct listener_options only = { .v6_only = true };
    int v6, v4;
    bool in_use, no_family;
    if (!listener_bind(&at, &only, &v6, &in_use, &no_family, &e)) {
        assert_true(no_family); /* a machine without it */
        skip();
    }
    assert_int_equal(option(v6, IPPROTO_IPV6, IPV6_V6ONLY), 1);
    struct sockaddr_in6 in6;
    socklen_t len = sizeof in6;
    getsockname(v6, (struct sockaddr *)&in6, &len);
    assert_true(bind_to(ntohs(in6.sin6_port), &alone, &v4, &in_use, &e));
    close(v4);
    close(v6);
}

static void test_a_mapped_peer_is_ipv4(void **state)
{
    (void)state;
    struct error e;
    struct door door = { .wanted = 1 };
    const struct endpoint at = { .family = NET_IPV6 };
    int fd;
    bool in_use, no_family;
    if (!listener_bind(&at, &alone, &fd, &in_use, &no_family, &e))
        skip();
    struct sockaddr_in6 in6;
    socklen_t len = sizeof in6;
    getsockname(fd, (struct sockaddr *)&in6, &len);
    open_door(&door, fd);
    int caller = call(ntohs(in6.sin6_port));
    loop_run(loop);
    struct endpoint peer = stream_peer(door.streams[0]), local = stream_local(door.streams[0]);
    char words[ENDPOINT_TEXT_MAX];
    assert_string_equal(endpoint_print_address(&peer, words).at, "127.0.0.1");
    assert_string_equal(endpoint_print_address(&local, words).at, "127.0.0.1");
    shut_door(&door);
    close(caller);
}

static void test_an_address_that_is_not_here(void **state)
{
    (void)state;
    struct error e;
    const struct endpoint at = { NET_IPV4, { 192, 0, 2, 1 }, 2525 };
    int fd;
    bool in_use, no_family;
    assert_false(listener_bind(&at, &alone, &fd, &in_use, &no_family, &e));
    assert_int_equal(fd, -1);
    assert_false(in_use);
    assert_false(no_family);
    assert_non_null(strstr(e.words, "192.0.2.1:2525"));
}

static void test_local_sockets(void **state)
{
    (void)state;
    struct error e;
    struct door door = { .wanted = 1 };
    char folder[] = "/tmp/godwit-listen-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/sock", folder);
    int fd;
    assert_true(listener_bind_local(path, &fd, &e));
    close(fd); /* as if we had died */
    assert_true(listener_bind_local(path, &fd, &e));
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    open_door(&door, fd);
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    memcpy(un.sun_path, path, strlen(path) + 1);
    int caller = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(caller, (struct sockaddr *)&un, sizeof un), 0);
    loop_run(loop);
    unsigned uid;
    assert_true(stream_peer_user(door.streams[0], &uid));
    assert_int_equal(uid, getuid());
    assert_int_equal(stream_peer(door.streams[0]).family, NET_NONE);
    shut_door(&door);
    close(caller);
    unlink(path);

    /* What is not a socket is not removed, and a name that is too long not cut. */
    FILE *file = fopen(path, "w");
    fclose(file);
    assert_false(listener_bind_local(path, &fd, &e));
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
    rmdir(folder);
    char long_path[200];
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = 0;
    assert_false(listener_bind_local(long_path, &fd, &e));
    assert_int_equal(e.kind, ERROR_CONFIG);
}

/* A peer that resets: the end says why, and the socket is known to be dead without reading. */
static unsigned ends;

static void no_input(void *owner, struct bytes input)
{
    (void)owner;
    (void)input;
}

static void ended(void *owner, const struct error *why)
{
    (void)owner;
    ends++;
    assert_non_null(why);
    loop_stop(loop);
}

static void test_a_reset_is_noticed(void **state)
{
    (void)state;
    static const struct stream_events events = { no_input, ended, NULL };
    struct door door = { .wanted = 1 };
    int fd = bind_any(&alone), caller = call(port_of(fd));
    open_door(&door, fd);
    loop_run(loop);
    assert_false(stream_is_broken(door.streams[0]));
    const struct linger reset = { 1, 0 };
    setsockopt(caller, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(caller);
    assert_true(stream_is_broken(door.streams[0]));
    ends = 0;
    stream_start(door.streams[0], &events, NULL);
    loop_run(loop);
    assert_int_equal(ends, 1);
    stream_finish(&door.streams[0]); /* nobody to say goodbye to */
    shut_door(&door);
}

/* The peer has sent more than we read, and gets our last words all the same. */
static void test_last_words_survive_unread_input(void **state)
{
    (void)state;
    struct door door = { .wanted = 1 };
    int fd = bind_any(&alone), caller = call(port_of(fd));
    static char much[20000];
    assert_int_equal(send(caller, much, sizeof much, 0), sizeof much);
    open_door(&door, fd);
    loop_run(loop);
    assert_int_equal(stream_write(door.streams[0], bytes_of_text(T("421\r\n"))), STREAM_SENT);
    stream_finish(&door.streams[0]);
    struct timer t = { { 0 }, tick };
    for (int i = 0; i < 3; i++) {
        loop_timer_start(loop, &t, 0);
        loop_run(loop);
    }
    char got[16] = { 0 };
    assert_int_equal(send(caller, much, sizeof much, MSG_NOSIGNAL), sizeof much);
    assert_int_equal(recv(caller, got, sizeof got - 1, 0), 5);
    assert_string_equal(got, "421\r\n");
    assert_int_equal(recv(caller, got, sizeof got - 1, 0), 0);
    close(caller);
    shut_door(&door);
}

int main(void)
{
#define LISTENER_TEST(name) cmocka_unit_test_setup_teardown(name, make_loop, free_loop)
    const struct CMUnitTest tests[] = {
        LISTENER_TEST(test_connections_come_in),
        LISTENER_TEST(test_options_are_inherited),
        LISTENER_TEST(test_closing_within_accepted),
        LISTENER_TEST(test_a_port_in_use_is_found_out),
        LISTENER_TEST(test_a_port_is_free_again_at_once),
        LISTENER_TEST(test_sockets_of_one_port_share_the_load),
        LISTENER_TEST(test_without_descriptors_it_pauses),
        LISTENER_TEST(test_only_listening_sockets_start),
        LISTENER_TEST(test_v6_only),
        LISTENER_TEST(test_a_mapped_peer_is_ipv4),
        LISTENER_TEST(test_an_address_that_is_not_here),
        LISTENER_TEST(test_local_sockets),
        LISTENER_TEST(test_a_reset_is_noticed),
        LISTENER_TEST(test_last_words_survive_unread_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
