/* test_tls.c - TLS between two streams of one loop, over a pair of local sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "certificates.h"
#include "run/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DAY = 86400, MS = 5000 };

static struct loop *loop;
static struct tls_service *service;
static struct tls_context *server_context, *client_context;
static struct made_certificate mx, mail;

/* One end: what it was told. */
struct end {
    struct stream *stream;
    unsigned shaken, inputs, ends, drains;
    bool failed, broke;
    char why[ERROR_WORDS_MAX];
    size_t octets, octets_wanted; /* stop the loop then */
    bool pause_when_shaken, pause_at_input, finish_at_end, close_at_input;
    bool stop_at_end;
    char first[32];
};

static void on_input(void *owner, struct bytes input)
{
    struct end *end = owner;
    assert_int_equal(end->ends, 0);
    assert_true(end->shaken);
    if (end->inputs++ == 0)
        memcpy(end->first, input.at, input.len < 31 ? input.len : 31);
    end->octets += input.len;
    if (end->octets_wanted && end->octets >= end->octets_wanted)
        loop_stop(loop);
    if (end->pause_at_input)
        stream_pause(end->stream);
    if (end->close_at_input)
        stream_close(&end->stream);
}

static void on_end(void *owner, const struct error *why)
{
    struct end *end = owner;
    assert_int_equal(end->ends++, 0);
    end->broke = why != NULL;
    if (why)
        memcpy(end->why, why->words, sizeof end->why);
    if (end->finish_at_end)
        stream_finish(&end->stream);
    if (end->stop_at_end)
        loop_stop(loop);
}

static void on_drained(void *owner)
{
    struct end *end = owner;
    end->drains++;
}

static const struct stream_events events = { on_input, on_end, on_drained };

static void on_shaken(void *owner, const struct error *why)
{
    struct end *end = owner;
    end->shaken++;
    end->failed = why != NULL;
    if (why)
        memcpy(end->why, why->words, sizeof end->why);
    if (end->pause_when_shaken)
        stream_pause(end->stream);
    loop_stop(loop);
}

static struct bytes bytes_in(const char *string)
{
    return (struct bytes){ (const uint8_t *)string, strlen(string) };
}

static struct tls_pair pair_of(const struct made_certificate *made, const char *host)
{
    return (struct tls_pair){ text_of(host), "certificate", "key", bytes_in(made->certificate),
                              bytes_in(made->key) };
}

static struct tls_options options_of(struct end *end, const char *name)
{
    return (struct tls_options){ .service = "smtp",
                                 .name = text_of(name),
                                 .timeout_ms = MS,
                                 .shaken = on_shaken,
                                 .owner = end };
}

static void open_ends(struct end *server, struct end *client)
{
    struct error e;
    int sockets[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    assert_true(stream_open(loop, sockets[0], &server->stream, &e));
    assert_true(stream_open(loop, sockets[1], &client->stream, &e));
    stream_start(server->stream, &events, server);
    stream_start(client->stream, &events, client);
}

static void accept_tls(struct end *server)
{
    struct error e;
    struct tls_options options = options_of(server, "");
    assert_true(tls_accept(server->stream, server_context, &options, &e));
}

static void connect_tls(struct end *client, const char *name, enum tls_verify verify)
{
    struct error e;
    struct tls_options options = options_of(client, name);
    options.verify = verify;
    assert_true(tls_connect(client->stream, client_context, &options, &e));
}

static void run_until(const bool *over)
{
    while (!*over)
        loop_run(loop);
}

static void shake_hands(struct end *server, struct end *client, const char *name)
{
    open_ends(server, client);
    accept_tls(server);
    connect_tls(client, name, TLS_VERIFY_NONE);
    while (!server->shaken || !client->shaken)
        loop_run(loop);
    assert_string_equal(server->why, "");
    assert_false(client->failed);
}

static void close_ends(struct end *server, struct end *client)
{
    stream_close(&server->stream);
    stream_close(&client->stream);
}

static void write_text(struct end *from, const char *words)
{
    assert_int_equal(stream_write(from->stream, bytes_in(words)), STREAM_SENT);
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
    for (int i = 0; i < 6; i++) {
        loop_timer_start(loop, &t, 0);
        loop_run(loop);
    }
}

/* --- The tests --- */

static void test_talk_both_ways(void **state)
{
    (void)state;
    struct end server = { 0 }, client = { 0 };
    struct tls_facts facts;
    shake_hands(&server, &client, "mx.example.test");
    write_text(&client, "hello");
    client.octets_wanted = server.octets_wanted = 5;
    loop_run(loop);
    assert_string_equal(server.first, "hello");
    write_text(&server, "howdy");
    loop_run(loop);
    assert_string_equal(client.first, "howdy");
    assert_true(tls_facts(server.stream, &facts));
    assert_string_equal(facts.version, "TLSv1.3");
    assert_string_equal(facts.cipher, "TLS_AES_256_GCM_SHA384");
    assert_string_equal(facts.name, "mx.example.test");
    assert_false(facts.has_certificate);
    assert_true(tls_facts(client.stream, &facts));
    assert_true(facts.has_certificate);
    assert_false(facts.verified);
    assert_non_null(strstr(facts.subject, "mx.example.test"));
    close_ends(&server, &client);
}

static void test_certificates_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *asked, *shown;
    } cases[] = {
        { "mx.example.test", "mx.example.test" },     { "mail.example.test", "mail.example.test" },
        { "MAIL.Example.Test", "mail.example.test" }, { "mail.example.test.", "mail.example.test" },
        { "other.example.test", "mx.example.test" },  { "", "mx.example.test" },
        { "127.0.0.1", "mx.example.test" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct end server = { 0 }, client = { 0 };
        struct tls_facts facts;
        shake_hands(&server, &client, cases[i].asked);
        assert_true(tls_facts(client.stream, &facts));
        assert_non_null(strstr(facts.subject, cases[i].shown));
        close_ends(&server, &client);
    }
}

static void test_a_name_without_certificate(void **state)
{
    (void)state;
    struct end server = { 0 }, client = { 0 };
    struct tls_pair pair = pair_of(&mail, "mail.example.test");
    struct tls_context *only_mail, *before = server_context;
    struct error e;
    assert_true(tls_server_context_new(service, &pair, 1, &only_mail, &e));
    server_context = only_mail;
    open_ends(&server, &client);
    accept_tls(&server);
    connect_tls(&client, "other.example.test", TLS_VERIFY_NONE);
    while (!server.shaken || !client.shaken) {
        if (server.shaken)
            stream_finish(&server.stream); /* lets the alert go out */
        loop_run(loop);
    }
    assert_non_null(strstr(server.why, "no certificate for the name"));
    assert_non_null(strstr(client.why, "does not know the name"));
    server_context = before;
    tls_context_free(&only_mail);
    close_ends(&server, &client);
}

static void test_a_client_that_verifies(void **state)
{
    (void)state;
    struct end server = { 0 }, client = { 0 };
    open_ends(&server, &client);
    accept_tls(&server);
    connect_tls(&client, "mx.example.test", TLS_VERIFY_NAME);
    while (!client.shaken)
        loop_run(loop);
    assert_true(client.failed);
    assert_non_null(strstr(client.why, "self-signed"));
    assert_int_equal(stream_write(client.stream, bytes_in("x")), STREAM_BROKEN);
    stream_finish(&client.stream);
    while (!server.shaken && !server.ends)
        loop_run(loop);
    close_ends(&server, &client);
}

/* DANE-EE(3) of the whole certificate: then its name does not count. */
static void shake_with_dane(struct end *server, struct end *client, const uint8_t *digest)
{
    struct error e;
    struct tls_association a = { TLS_USAGE_EE, 0, 1, { digest, TLS_PRINT } };
    struct tls_options options = options_of(client, "other.example.test");
    options.verify = TLS_VERIFY_DANE;
    options.associations = &a;
    options.association_count = 1;
    assert_true(tls_association_is_usable(&a));
    open_ends(server, client);
    accept_tls(server);
    assert_true(tls_connect(client->stream, client_context, &options, &e));
    while (!client->shaken)
        loop_run(loop);
}

static void test_a_client_that_asks_dns(void **state)
{
    (void)state;
    struct end server = { 0 }, client = { 0 };
    struct tls_facts facts;
    shake_hands(&server, &client, "mx.example.test");
    assert_true(tls_facts(client.stream, &facts));
    close_ends(&server, &client);

    server = client = (struct end){ 0 };
    shake_with_dane(&server, &client, facts.print);
    assert_false(client.failed);
    assert_true(tls_facts(client.stream, &facts));
    assert_true(facts.verified);
    close_ends(&server, &client);

    server = client = (struct end){ 0 };
    facts.print[0] ^= 1;
    shake_with_dane(&server, &client, facts.print);
    assert_true(client.failed);
    assert_non_null(strstr(client.why, "TLSA"));
    close_ends(&server, &client);
}

static bool is_resumed(const char *name)
{
    struct end server = { 0 }, client = { .octets_wanted = 2 };
    struct tls_facts facts;
    open_ends(&server, &client);
    accept_tls(&server);
    connect_tls(&client, name, TLS_VERIFY_NONE);
    while (!server.shaken || !client.shaken)
        loop_run(loop);
    write_text(&server, "ok"); /* behind the tickets */
    while (client.octets < 2)
        loop_run(loop);
    assert_true(tls_facts(client.stream, &facts));
    stream_finish(&client.stream); /* one that breaks is not resumed */
    close_ends(&server, &client);
    return facts.resumed;
}

/* Only under the same name, and where the same is asked of the peer. */
static void test_sessions_are_resumed(void **state)
{
    (void)state;
    assert_false(is_resumed("resumed.example.test"));
    assert_true(is_resumed("resumed.example.test"));
    assert_true(is_resumed("resumed.example.test"));
    assert_false(is_resumed("other.example.test"));
    struct end server = { 0 }, client = { 0 };
    open_ends(&server, &client);
    accept_tls(&server);
    connect_tls(&client, "resumed.example.test", TLS_VERIFY_NAME);
    while (!client.shaken)
        loop_run(loop);
    assert_true(client.failed);
    close_ends(&server, &client);
}

static void test_close_notify_is_an_end(void **state)
{
    (void)state;
    struct end server = { .stop_at_end = true, .finish_at_end = true }, client = { 0 };
    shake_hands(&server, &client, "");
    write_text(&client, "bye");
    stream_finish(&client.stream);
    while (!server.ends)
        loop_run(loop);
    assert_false(server.broke);
    assert_string_equal(server.first, "bye");
    assert_null(server.stream);
}

static void test_an_end_without_close_notify_too(void **state)
{
    (void)state;
    struct end server = { .stop_at_end = true }, client = { 0 };
    shake_hands(&server, &client, "");
    turn_a_while(); /* the ticket is read: unread octets would make a reset of it */
    stream_close(&client.stream);
    while (!server.ends)
        loop_run(loop);
    assert_false(server.broke);
    close_ends(&server, &client);
}

static void test_what_is_no_tls(void **state)
{
    (void)state;
    static const struct {
        const char *said, *why;
    } cases[] = {
        { "EHLO client.example.test\r\n", "is not TLS" },
        { "GET / HTTP/1.1\r\nHost: mx.example.test\r\n\r\n", "HTTP" },
        { "", "the peer hung up" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct end server = { 0 }, client = { 0 };
        open_ends(&server, &client);
        accept_tls(&server);
        if (cases[i].said[0])
            write_text(&client, cases[i].said);
        else
            stream_close(&client.stream);
        run_until((const bool *)&server.failed);
        assert_non_null(strstr(server.why, cases[i].why));
        assert_int_equal(server.ends, 0);
        turn_a_while();
        assert_int_equal(server.shaken, 1);
        close_ends(&server, &client);
    }
}

static void test_a_handshake_has_its_time(void **state)
{
    (void)state;
    struct end server = { 0 }, client = { 0 };
    struct tls_options options = options_of(&server, "");
    struct error e;
    options.timeout_ms = 1;
    open_ends(&server, &client);
    assert_true(tls_accept(server.stream, server_context, &options, &e));
    loop_run(loop);
    assert_true(server.failed);
    assert_non_null(strstr(server.why, "not complete"));
    close_ends(&server, &client);
}

static void test_much_goes_through(void **state)
{
    (void)state;
    enum { MUCH = 8 * 1024 * 1024 };
    struct end server = { 0 }, client = { 0 };
    uint8_t *much = calloc(1, MUCH);
    shake_hands(&server, &client, "");
    assert_int_equal(stream_write(client.stream, (struct bytes){ much, MUCH }), STREAM_QUEUED);
    server.octets_wanted = MUCH;
    loop_run(loop);
    turn_a_while();
    assert_int_equal(server.octets, MUCH);
    assert_int_equal(client.drains, 1);
    free(much);
    close_ends(&server, &client);
}

/* While the peer does not read, what TLS itself has to say waits behind what the owner said. */
static void test_a_goodbye_behind_a_queue(void **state)
{
    (void)state;
    enum { MUCH = 4 * 1024 * 1024 };
    struct end server = { .stop_at_end = true }, client = { 0 };
    uint8_t *much = calloc(1, MUCH);
    shake_hands(&server, &client, "");
    assert_int_equal(stream_write(client.stream, (struct bytes){ much, MUCH }), STREAM_QUEUED);
    stream_finish(&client.stream);
    while (!server.ends)
        loop_run(loop);
    assert_int_equal(server.octets, MUCH);
    assert_false(server.broke);
    free(much);
    close_ends(&server, &client);
}

static void test_a_pause_holds_input_and_end(void **state)
{
    (void)state;
    struct end server = { .pause_when_shaken = true, .stop_at_end = true }, client = { 0 };
    shake_hands(&server, &client, "");
    write_text(&client, "held");
    stream_finish(&client.stream);
    turn_a_while();
    assert_int_equal(server.inputs, 0);
    server.pause_at_input = true;
    stream_resume(server.stream);
    assert_int_equal(server.inputs, 0); /* not within the call */
    turn_a_while();
    assert_int_equal(server.inputs, 1);
    assert_string_equal(server.first, "held");
    assert_int_equal(server.ends, 0);
    stream_resume(server.stream);
    turn_a_while();
    assert_int_equal(server.ends, 1);
    assert_false(server.broke);
    close_ends(&server, &client);
}

static void test_closing_in_a_callback(void **state)
{
    (void)state;
    struct end server = { .close_at_input = true }, client = { .stop_at_end = true };
    shake_hands(&server, &client, "");
    write_text(&client, "one");
    while (!client.ends)
        loop_run(loop);
    assert_int_equal(server.inputs, 1);
    close_ends(&server, &client);
}

static void test_tampering_is_noticed(void **state)
{
    (void)state;
    struct end server = { .stop_at_end = true }, client = { 0 };
    struct error e;
    int sockets[2], wire[2];
    /* A man in the middle: client - sockets[1] sockets[0] - wire[1] wire[0] - server. */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, wire), 0);
    assert_true(stream_open(loop, wire[0], &server.stream, &e));
    assert_true(stream_open(loop, sockets[1], &client.stream, &e));
    stream_start(server.stream, &events, &server);
    stream_start(client.stream, &events, &client);
    accept_tls(&server);
    connect_tls(&client, "", TLS_VERIFY_NONE);
    char octets[20000];
    ssize_t count;
    while (!server.shaken || !client.shaken) {
        turn_a_while();
        while ((count = recv(sockets[0], octets, sizeof octets, MSG_DONTWAIT)) > 0)
            assert_int_equal(write(wire[1], octets, (size_t)count), count);
        while ((count = recv(wire[1], octets, sizeof octets, MSG_DONTWAIT)) > 0)
            assert_int_equal(write(sockets[0], octets, (size_t)count), count);
    }
    write_text(&client, "secret");
    count = recv(sockets[0], octets, sizeof octets, 0);
    assert_true(count > 8);
    octets[8] ^= 1;
    assert_int_equal(write(wire[1], octets, (size_t)count), count);
    while (!server.ends)
        loop_run(loop);
    assert_true(server.broke);
    assert_int_equal(server.inputs, 0);
    assert_non_null(strstr(server.why, "does not verify"));
    close(sockets[0]);
    close(wire[1]);
    close_ends(&server, &client);
}

static void test_both_ends_have_the_same_binding(void **state)
{
    (void)state;
    struct end server = { 0 }, client = { 0 };
    uint8_t ours[TLS_BINDING_MAX], theirs[TLS_BINDING_MAX];
    shake_hands(&server, &client, "");
    assert_int_equal(tls_binding(server.stream, TLS_BINDING_EXPORTER, ours), 32);
    assert_int_equal(tls_binding(client.stream, TLS_BINDING_EXPORTER, theirs), 32);
    assert_memory_equal(ours, theirs, 32);
    assert_int_equal(tls_binding(server.stream, TLS_BINDING_UNIQUE, ours), 0); /* TLS 1.3 */
    close_ends(&server, &client);
}

static void test_a_context_may_go_first(void **state)
{
    (void)state;
    struct end server = { 0 }, client = { 0 };
    struct tls_pair pairs[] = { pair_of(&mx, ""), pair_of(&mail, "mail.example.test") };
    struct tls_context *kept = server_context;
    struct error e;
    assert_true(tls_server_context_new(service, pairs, 2, &server_context, &e));
    open_ends(&server, &client);
    accept_tls(&server);
    tls_context_free(&server_context);
    server_context = kept;
    connect_tls(&client, "mail.example.test", TLS_VERIFY_NONE);
    while (!server.shaken || !client.shaken)
        loop_run(loop);
    assert_false(server.failed || client.failed);
    close_ends(&server, &client);
}

static void test_pairs_that_cannot_be_used(void **state)
{
    (void)state;
    struct tls_context *context;
    struct error e;
    struct tls_pair pair = pair_of(&mx, "");
    pair.key = bytes_in(mail.key);
    assert_false(tls_server_context_new(service, &pair, 1, &context, &e));
    assert_non_null(strstr(e.words, "does not belong to"));
    assert_int_equal(e.kind, ERROR_CONFIG);
    pair.key = bytes_in("rubbish");
    assert_false(tls_server_context_new(service, &pair, 1, &context, &e));
    assert_non_null(strstr(e.words, "key: it holds no private key"));
    pair.certificate = bytes_in("");
    assert_false(tls_server_context_new(service, &pair, 1, &context, &e));
    assert_non_null(strstr(e.words, "certificate: it holds no certificate"));
    pair = pair_of(&mx, "mx.example.test");
    pair.certificate = bytes_in(mail.certificate);
    assert_false(tls_server_context_new(service, &pair, 1, &context, &e));
    assert_non_null(strstr(e.words, "does not belong to"));
}

static void test_looking_at_a_certificate(void **state)
{
    (void)state;
    struct tls_certificate seen;
    struct error e;
    struct tls_pair pair = pair_of(&mx, "");
    assert_true(tls_read_certificate(&pair, T("mx.example.test"), &seen, &e));
    assert_true(seen.for_name);
    assert_string_equal(seen.serial, "1234");
    assert_int_equal(seen.until_s - seen.from_s, 2 * DAY);
    assert_true(tls_read_certificate(&pair, T("mail.example.test"), &seen, &e));
    assert_false(seen.for_name);
    pair.certificate = bytes_in("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    assert_false(tls_read_certificate(&pair, T("mail.example.test"), &seen, &e));
}

static int set_up(void **state)
{
    (void)state;
    struct error e;
    make_certificate("mx.example.test", -DAY, DAY, &mx);
    make_certificate("mail.example.test", -DAY, DAY, &mail);
    struct tls_pair pairs[] = { pair_of(&mx, ""), pair_of(&mail, "mail.example.test") };
    return loop_new(&loop, &e) && tls_service_new(&service, &e) &&
                   tls_server_context_new(service, pairs, 2, &server_context, &e) &&
                   tls_client_context_new(NULL, &client_context, &e)
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    loop_free(&loop);
    tls_context_free(&server_context);
    tls_context_free(&client_context);
    tls_service_free(&service);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_talk_both_ways),
        cmocka_unit_test(test_certificates_by_name),
        cmocka_unit_test(test_a_name_without_certificate),
        cmocka_unit_test(test_a_client_that_verifies),
        cmocka_unit_test(test_a_client_that_asks_dns),
        cmocka_unit_test(test_sessions_are_resumed),
        cmocka_unit_test(test_close_notify_is_an_end),
        cmocka_unit_test(test_an_end_without_close_notify_too),
        cmocka_unit_test(test_what_is_no_tls),
        cmocka_unit_test(test_a_handshake_has_its_time),
        cmocka_unit_test(test_much_goes_through),
        cmocka_unit_test(test_a_goodbye_behind_a_queue),
        cmocka_unit_test(test_a_pause_holds_input_and_end),
        cmocka_unit_test(test_closing_in_a_callback),
        cmocka_unit_test(test_tampering_is_noticed),
        cmocka_unit_test(test_both_ends_have_the_same_binding),
        cmocka_unit_test(test_a_context_may_go_first),
        cmocka_unit_test(test_pairs_that_cannot_be_used),
        cmocka_unit_test(test_looking_at_a_certificate),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
