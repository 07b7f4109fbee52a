/* test_name_server.c - the lab's DNS on a port that the system chooses: datagrams and streams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "lab/name_server.h"
#include "run/lane.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* "a.test. MX" with the identifier 0x1234. */
static const uint8_t query[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\1a\4test\0\0\x0f\0\1";
enum { QUERY_OCTETS = sizeof query - 1 };

struct world {
    struct loop *loop;
    struct zones *zones;
    struct name_server *server;
    struct sockaddr_in at;
    struct lane *lane;
    struct job job;
};

static void turn(struct job *job)
{
    loop_run(OWNER_OF(job, struct world, job)->loop);
}

/* A port that is free for both: the system's choice for one is tried with the other. */
static void bind_any(struct world *w, struct name_sockets *sockets)
{
    struct error e;
    bool in_use;
    for (int tries = 0; tries < 100; tries++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in in = { .sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof in;
        assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
        close(fd);
        struct endpoint at = { NET_IPV4, { 127, 0, 0, 1 }, ntohs(in.sin_port) };
        w->at = in;
        if (name_sockets_bind(&at, sockets, &in_use, &e))
            return;
        assert_true(in_use);
    }
    fail_msg("no free port");
}

static struct world the_world;

static int start(void **state)
{
    struct world *w = &the_world;
    struct name_sockets sockets;
    struct error e;
    *state = w;
    assert_true(loop_new(&w->loop, &e) && zones_new(&w->zones, &e));
    assert_true(zones_add(w->zones, "a.test. 60 IN SOA n. h. 1 60 60 60 30", &e));
    assert_true(zones_add(w->zones, "a.test. 60 IN MX 10 mx.a.test.", &e));
    bind_any(w, &sockets);
    assert_true(name_server_start(w->loop, w->zones, &sockets, &w->server, &e));
    assert_int_equal(sockets.datagram, -1);
    assert_true(lane_new("loop", 1, 1, &w->lane, &e));
    w->job = (struct job){ .run = turn };
    return lane_submit(w->lane, &w->job) ? 0 : -1;
}

static int stop(void **state)
{
    struct world *w = *state;
    loop_stop(w->loop);
    lane_free(&w->lane);
    name_server_stop(&w->server);
    loop_free(&w->loop);
    zones_free(&w->zones);
    return 0;
}

static int call(const struct world *w, int type)
{
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    struct timeval patience = { .tv_sec = 20 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (const struct sockaddr *)&w->at, sizeof w->at), 0);
    return fd;
}

static void check_reply(const uint8_t *reply, ssize_t len)
{
    assert_true(len > QUERY_OCTETS);
    assert_memory_equal(reply, "\x12\x34\x85\x80\0\1\0\1", 8);
}

static void test_datagrams(void **state)
{
    uint8_t reply[1500];
    int fd = call(*state, SOCK_DGRAM);
    /* What is no query is passed over in silence. */
    assert_int_equal(send(fd, "hello", 5, 0), 5);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(send(fd, query, QUERY_OCTETS, 0), QUERY_OCTETS);
        check_reply(reply, recv(fd, reply, sizeof reply, 0));
    }
    close(fd);
}

static void read_exactly(int fd, uint8_t *to, size_t len)
{
    assert_int_equal(recv(fd, to, len, MSG_WAITALL), len);
}

static void read_reply(int fd)
{
    uint8_t reply[1500];
    read_exactly(fd, reply, 2);
    size_t len = (size_t)reply[0] << 8 | reply[1];
    assert_true(len <= sizeof reply);
    read_exactly(fd, reply, len);
    check_reply(reply, (ssize_t)len);
}

static void test_a_stream_of_queries_in_pieces(void **state)
{
    uint8_t two[2 * (QUERY_OCTETS + 2)];
    for (size_t i = 0; i < 2; i++) {
        uint8_t *at = two + i * (QUERY_OCTETS + 2);
        at[0] = 0;
        at[1] = QUERY_OCTETS;
        memcpy(at + 2, query, QUERY_OCTETS);
    }
    int fd = call(*state, SOCK_STREAM);
    assert_int_equal(send(fd, two, sizeof two, 0), sizeof two);
    read_reply(fd);
    read_reply(fd);
    for (size_t i = 0; i < QUERY_OCTETS + 2; i++)
        assert_int_equal(send(fd, two + i, 1, 0), 1);
    shutdown(fd, SHUT_WR);
    read_reply(fd);
    assert_int_equal(recv(fd, two, 1, 0), 0);
    close(fd);
}

static void test_a_stream_of_nonsense_ends(void **state)
{
    uint8_t octet;
    int fd = call(*state, SOCK_STREAM);
    assert_int_equal(send(fd, "\0\5hello", 7, 0), 7);
    assert_int_equal(recv(fd, &octet, 1, 0), 0);
    close(fd);
}

static void test_a_port_in_use(void **state)
{
    const struct world *w = *state;
    struct name_sockets sockets;
    struct error e;
    bool in_use = false;
    struct endpoint at = { NET_IPV4, { 127, 0, 0, 1 }, ntohs(w->at.sin_port) };
    assert_false(name_sockets_bind(&at, &sockets, &in_use, &e));
    assert_true(in_use);
    assert_int_equal(sockets.datagram, -1);
    assert_int_equal(sockets.stream, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_datagrams),
        cmocka_unit_test(test_a_stream_of_queries_in_pieces),
        cmocka_unit_test(test_a_stream_of_nonsense_ends),
        cmocka_unit_test(test_a_port_in_use),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
