/* test_tls_short.c - TLS when memory is short: contexts, handshakes and data, with allocations that
 * fail in our code and in OpenSSL's.
 *
 * Whatever fails, both ends are told, nothing stays behind (the sanitizer looks), and the next
 * handshake works.  Linked with --wrap for the calls that take memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "../short_countdown.h"
#include "certificates.h"
#include "run/tls.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void *take(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return size ? malloc(size) : NULL;
}

static void *take_other(void *old, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return realloc(old, size);
}

static void give_back(void *old, const char *file, int line)
{
    (void)file, (void)line;
    free(old);
}

static struct loop *loop;
static struct made_certificate made;
static struct tls_context *client_context; /* reads the trust of the system: once is enough */

struct end {
    struct stream *stream;
    bool shaken, failed, ended;
    size_t octets;
};

static void on_input(void *owner, struct bytes input)
{
    struct end *end = owner;
    end->octets += input.len;
}

static void on_end(void *owner, const struct error *why)
{
    struct end *end = owner;
    (void)why;
    assert_false(end->ended);
    end->ended = true;
}

static void on_drained(void *owner)
{
    (void)owner;
}

static const struct stream_events events = { on_input, on_end, on_drained };

static void on_shaken(void *owner, const struct error *why)
{
    struct end *end = owner;
    assert_false(end->shaken);
    end->shaken = true;
    end->failed = why != NULL;
    assert_true(!why || (why->kind == ERROR_TEMPORARY && why->words[0]));
}

static void stop(struct timer *timer)
{
    (void)timer;
    loop_stop(loop);
}

static void turn_a_while(void)
{
    int kept = until_failure;
    struct timer t = { { 0 }, stop };
    for (int i = 0; i < 8; i++) {
        until_failure = -1;
        assert_true(loop_timer_start(loop, &t, 0));
        until_failure = kept;
        loop_run(loop);
        kept = until_failure;
    }
}

static bool begin(struct end *server, struct end *client, const struct tls_context *ours,
                  const struct tls_context *theirs)
{
    struct error e;
    struct tls_options options = { .service = "smtp", .timeout_ms = 5000, .shaken = on_shaken };
    stream_start(server->stream, &events, server);
    stream_start(client->stream, &events, client);
    options.owner = server;
    if (!tls_accept(server->stream, ours, &options, &e))
        return false;
    options.owner = client;
    options.name = T("mx.example.test");
    return tls_connect(client->stream, theirs, &options, &e);
}

/* A handshake, a word and a goodbye; false when something failed, which must have been told. */
static bool talk(const struct tls_context *ours, const struct tls_context *theirs)
{
    struct error e;
    int pair[2];
    struct end server = { 0 }, client = { 0 };
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    int kept = until_failure;
    until_failure = -1;
    assert_true(stream_open(loop, pair[0], &server.stream, &e));
    assert_true(stream_open(loop, pair[1], &client.stream, &e));
    until_failure = kept;
    bool done = begin(&server, &client, ours, theirs);
    if (done)
        turn_a_while();
    done &= server.shaken && client.shaken && !server.failed && !client.failed && !client.ended;
    if (done) {
        done = stream_write(client.stream, (struct bytes){ (const uint8_t *)"word", 4 }) ==
               STREAM_SENT;
        turn_a_while();
        done &= server.octets == 4;
    }
    stream_finish(&client.stream);
    turn_a_while();
    assert_true(!done || server.ended || until_failure < 0);
    stream_close(&server.stream);
    turn_a_while();
    return done;
}

static bool try_all(void)
{
    struct error e = { 0 };
    struct tls_service *service = NULL;
    struct tls_context *ours = NULL;
    struct bytes certificate = { (const uint8_t *)made.certificate, strlen(made.certificate) };
    struct bytes key = { (const uint8_t *)made.key, strlen(made.key) };
    struct tls_pair pairs[] = { { T(""), "certificate", "key", certificate, key },
                                { T("mx.example.test"), "certificate", "key", certificate, key } };
    bool done =
        tls_service_new(&service, &e) && tls_server_context_new(service, pairs, 2, &ours, &e);
    assert_true(done || e.words[0]);
    done = done && talk(ours, client_context);
    tls_context_free(&ours);
    tls_service_free(&service);
    return done;
}

static void test_allocations_that_fail(void **state)
{
    (void)state;
    enum { EACH = 100, STEP = 61, MOST = 40000 };
    bool all_taken = false, failed = false;
    assert_true(try_all());
    for (int n = 0; !all_taken; n += n < EACH ? 1 : STEP) {
        assert_true(n < MOST);
        fail_after(n);
        bool done = try_all();
        all_taken = !end_failing();
        failed |= !done;
        assert_true(done || !all_taken);
    }
    assert_true(failed);
    assert_true(try_all());
}

static int set_up(void **state)
{
    (void)state;
    struct error e;
    make_certificate("mx.example.test", -86400, 86400, &made);
    return loop_new(&loop, &e) && tls_client_context_new(NULL, &client_context, &e) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    loop_free(&loop);
    tls_context_free(&client_context);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_allocations_that_fail) };
    if (CRYPTO_set_mem_functions(take, take_other, give_back) != 1)
        return 1;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
