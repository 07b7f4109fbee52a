/* test_tls_make.c - a certificate that vouches for itself is one that a server can use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "run/tls.h"

#include <string.h>
#include <time.h>

enum { ROOM = 65536, DAY_S = 86400 };

static void make(const char *host, struct buffer *certificate, struct buffer *key)
{
    struct error e;
    buffer_init(certificate, ROOM);
    buffer_init(key, ROOM);
    assert_true(tls_make_certificate(text_of(host), (struct bytes){ 0 }, certificate, key, &e));
}

static void test_it_is_for_the_host(void **state)
{
    (void)state;
    static char longest[251];
    memset(longest, 'a', sizeof longest - 1);
    for (size_t i = 50; i < sizeof longest - 1; i += 50)
        longest[i] = '.';
    const char *const hosts[] = { "mx.a.test", "gmail.com", "localhost", longest };
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        struct buffer certificate, key;
        struct tls_certificate facts;
        struct error e;
        make(hosts[i], &certificate, &key);
        struct tls_pair pair = {
            { NULL, 0 }, "c", "k", buffer_bytes(&certificate), buffer_bytes(&key)
        };
        assert_true(tls_read_certificate(&pair, text_of(hosts[i]), &facts, &e));
        assert_true(facts.for_name);
        assert_true(facts.from_s < time(NULL) && facts.until_s > time(NULL) + 800 * DAY_S);
        assert_true(tls_read_certificate(&pair, T("other.test"), &facts, &e));
        assert_false(facts.for_name);
        buffer_wipe(&key);
        buffer_clear(&certificate);
    }
}

static void test_key_and_certificate_belong_together(void **state)
{
    (void)state;
    struct buffer certificate, key, other_certificate, other_key;
    struct tls_service *service;
    struct tls_context *context = NULL;
    struct error e;
    make("a.test", &certificate, &key);
    make("a.test", &other_certificate, &other_key);
    assert_true(tls_service_new(&service, &e));
    struct tls_pair pair = {
        { NULL, 0 }, "c", "k", buffer_bytes(&certificate), buffer_bytes(&key)
    };
    assert_true(tls_server_context_new(service, &pair, 1, &context, &e));
    tls_context_free(&context);
    pair.key = buffer_bytes(&other_key);
    assert_false(tls_server_context_new(service, &pair, 1, &context, &e));
    tls_service_free(&service);
    buffer_wipe(&key);
    buffer_wipe(&other_key);
    buffer_clear(&certificate);
    buffer_clear(&other_certificate);
}

/* What knows the server by its key goes on to know it. */
static void test_a_key_is_kept(void **state)
{
    (void)state;
    struct buffer certificate, key, next, same;
    struct tls_certificate first, second;
    struct error e;
    make("a.test", &certificate, &key);
    buffer_init(&next, ROOM);
    buffer_init(&same, ROOM);
    assert_true(tls_make_certificate(T("a.test"), buffer_bytes(&key), &next, &same, &e));
    assert_int_equal(same.len, key.len);
    assert_memory_equal(same.at, key.at, key.len);
    struct tls_pair pair = { { NULL, 0 }, "c", "k", buffer_bytes(&certificate), { 0 } };
    assert_true(tls_read_certificate(&pair, T("a.test"), &first, &e));
    pair.certificate = buffer_bytes(&next);
    assert_true(tls_read_certificate(&pair, T("a.test"), &second, &e));
    assert_string_not_equal(first.serial, second.serial);
    assert_string_equal(first.subject, "CN = " TLS_MAKER);
    buffer_wipe(&key);
    buffer_wipe(&same);
    buffer_clear(&certificate);
    buffer_clear(&next);
}

static void test_no_room(void **state)
{
    (void)state;
    struct buffer certificate, key;
    struct error e = { 0 };
    buffer_init(&certificate, ROOM);
    buffer_init(&key, 10);
    assert_false(tls_make_certificate(T("a.test"), (struct bytes){ 0 }, &certificate, &key, &e));
    assert_int_equal(e.kind, ERROR_TEMPORARY);
    buffer_wipe(&key);
    buffer_clear(&certificate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_for_the_host),
        cmocka_unit_test(test_key_and_certificate_belong_together),
        cmocka_unit_test(test_a_key_is_kept),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
