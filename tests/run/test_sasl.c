/* test_sasl.c - SASL exchanges: what PLAIN and LOGIN say, SCRAM against the library's own client.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "base/base64.h"
#include "run/sasl.h"

#include <gsasl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sasl_service *service;
static struct verifier right;
static const char binding[] = "what both ends of TLS have in common";

/* Stands for TLS: any stream has the same binding, of one kind. */
size_t tls_binding(const struct stream *stream, enum tls_binding kind, uint8_t out[TLS_BINDING_MAX])
{
    assert_non_null(stream);
    if (kind != TLS_BINDING_EXPORTER)
        return 0;
    memcpy(out, binding, strlen(binding));
    return strlen(binding);
}

static const struct stream *a_stream(void)
{
    return (const struct stream *)(const void *)&service;
}

static struct sasl *begin(const char *mechanism, bool tls)
{
    struct sasl *s = sasl_new(service, text_of(mechanism), tls ? a_stream() : NULL);
    assert_non_null(s);
    return s;
}

/* --- PLAIN and LOGIN --- */

#define OCTETS(literal)                                                                            \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

static void test_plain(void **state)
{
    (void)state;
    static const struct {
        struct text said;
        enum sasl_verdict verdict;
        const char *name, *password, *acting_for;
    } cases[] = {
        { OCTETS("\0bob\0secret"), SASL_PASSWORD, "bob", "secret", "" },
        { OCTETS("ann\0bob\0secret"), SASL_PASSWORD, "bob", "secret", "ann" },
        { OCTETS("\0bob\0 s e\xc3\xa9 "), SASL_PASSWORD, "bob", " s e\xc3\xa9 ", "" },
        { OCTETS(""), SASL_MALFORMED, "", "", "" },
        { OCTETS("bob"), SASL_MALFORMED, "", "", "" },
        { OCTETS("\0bob"), SASL_MALFORMED, "", "", "" },
        { OCTETS("\0bob\0"), SASL_MALFORMED, "", "", "" },
        { OCTETS("\0\0secret"), SASL_MALFORMED, "", "", "" },
        { OCTETS("\0\0"), SASL_MALFORMED, "", "", "" },
        { OCTETS("\0bob\0sec\0ret"), SASL_MALFORMED, "", "", "" },
        { OCTETS("\0bob\0secret\0"), SASL_MALFORMED, "", "", "" },
    };
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        size_t c = i / 2;
        struct sasl *s = begin("PLAIN", false);
        if (i % 2) { /* without an initial response: an empty challenge asks for it */
            assert_int_equal(sasl_step(s, T(""), false), SASL_CHALLENGE);
            assert_int_equal(sasl_challenge(s).len, 0);
        }
        assert_int_equal(sasl_step(s, cases[c].said, i % 2 == 0), cases[c].verdict);
        assert_true(text_equal(sasl_name(s), text_of(cases[c].name)));
        assert_true(text_equal(sasl_password(s), text_of(cases[c].password)));
        assert_true(text_equal(sasl_acting_for(s), text_of(cases[c].acting_for)));
        sasl_free(&s);
    }
}

static void test_names_have_a_length(void **state)
{
    (void)state;
    enum { LONG = 1025 };
    char said[LONG + 20];
    memset(said, 'x', sizeof said);
    said[0] = said[LONG + 1] = 0;
    struct sasl *s = begin("PLAIN", false);
    assert_int_equal(sasl_step(s, (struct text){ said, sizeof said }, true), SASL_WRONG);
    sasl_free(&s);
    s = begin("LOGIN", false);
    assert_int_equal(sasl_step(s, (struct text){ said + 1, LONG }, true), SASL_WRONG);
    sasl_free(&s);
}

static void test_login(void **state)
{
    (void)state;
    for (int initial = 0; initial < 2; initial++) {
        struct sasl *s = begin("LOGIN", false);
        if (!initial) {
            assert_int_equal(sasl_step(s, T(""), false), SASL_CHALLENGE);
            assert_true(text_equal(sasl_challenge(s), T("Username:")));
        }
        assert_int_equal(sasl_step(s, T("bob"), initial), SASL_CHALLENGE);
        assert_true(text_equal(sasl_challenge(s), T("Password:")));
        assert_int_equal(sasl_step(s, T("secret"), false), SASL_PASSWORD);
        assert_true(text_equal(sasl_name(s), T("bob")));
        assert_true(text_equal(sasl_password(s), T("secret")));
        sasl_free(&s);
    }
}

/* --- SCRAM, by the library's client --- */

struct client {
    Gsasl *library;
    Gsasl_session *session;
    const char *name, *password, *binding;
    char said[2048]; /* last */
    size_t said_len;
    bool done;
};

static int on_question(Gsasl *library, Gsasl_session *session, Gsasl_property what)
{
    struct client *c = gsasl_callback_hook_get(library);
    struct buffer text;
    if (what == GSASL_AUTHID)
        return gsasl_property_set(session, what, c->name);
    if (what == GSASL_PASSWORD)
        return gsasl_property_set(session, what, c->password);
    if (what != GSASL_CB_TLS_EXPORTER || !c->binding)
        return GSASL_NO_CALLBACK;
    buffer_init(&text, 200);
    base64_encode(&text, bytes_of_text(text_of(c->binding)));
    buffer_byte(&text, 0);
    int status = gsasl_property_set(session, what, (const char *)text.at);
    buffer_clear(&text);
    return status;
}

static void open_client(struct client *c, const char *mechanism)
{
    assert_int_equal(gsasl_init(&c->library), GSASL_OK);
    gsasl_callback_set(c->library, on_question);
    gsasl_callback_hook_set(c->library, c);
    assert_int_equal(gsasl_client_start(c->library, mechanism, &c->session), GSASL_OK);
}

static void close_client(struct client *c)
{
    gsasl_finish(c->session);
    gsasl_done(c->library);
}

/* False: the client does not believe the server. */
static bool client_says(struct client *c, struct text heard)
{
    char *said = NULL;
    int status = gsasl_step(c->session, heard.len ? heard.at : "", heard.len, &said, &c->said_len);
    c->done = status == GSASL_OK;
    if (status != GSASL_OK && status != GSASL_NEEDS_MORE)
        return false;
    assert_true(c->said_len < sizeof c->said);
    if (c->said_len)
        memcpy(c->said, said, c->said_len);
    gsasl_free(said);
    return true;
}

static struct text said(const struct client *c)
{
    return (struct text){ c->said, c->said_len };
}

/* Up to and with the verdict on the client's proof. */
static enum sasl_verdict prove(struct sasl *s, struct client *c)
{
    assert_true(client_says(c, T("")));
    enum sasl_verdict verdict = sasl_step(s, said(c), true);
    if (verdict != SASL_VERIFIER)
        return verdict;
    assert_true(text_equal(sasl_name(s), text_of(c->name)));
    assert_int_equal(sasl_give(s, &right), SASL_CHALLENGE);
    assert_true(client_says(c, sasl_challenge(s)));
    return sasl_step(s, said(c), false);
}

static void test_scram(void **state)
{
    (void)state;
    static const struct {
        const char *mechanism, *password, *binding;
        bool tls, right;
    } cases[] = {
        { "SCRAM-SHA-256", "secret", NULL, false, true },
        { "SCRAM-SHA-256", "Secret", NULL, false, false },
        { "SCRAM-SHA-256", "", NULL, false, false },
        { "SCRAM-SHA-256-PLUS", "secret", binding, true, true },
        { "SCRAM-SHA-256-PLUS", "wrong", binding, true, false },
        { "SCRAM-SHA-256-PLUS", "secret", "somebody in the middle", true, false },
        { "SCRAM-SHA-256", "secret", NULL, true, true },
        { "SCRAM-SHA-1", "secret", NULL, false, true },
        { "SCRAM-SHA-1", "wrong", NULL, false, false },
        { "SCRAM-SHA-1-PLUS", "secret", binding, true, true },
        { "SCRAM-SHA-1-PLUS", "secret", "somebody in the middle", true, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct client c = { .name = "bob@example.test",
                            .password = cases[i].password,
                            .binding = cases[i].binding };
        struct sasl *s = begin(cases[i].mechanism, cases[i].tls);
        open_client(&c, cases[i].mechanism);
        enum sasl_verdict verdict = prove(s, &c);
        assert_int_equal(verdict, cases[i].right ? SASL_CHALLENGE : SASL_WRONG);
        if (cases[i].right) {
            assert_true(client_says(&c, sasl_challenge(s))); /* our own proof */
            assert_true(c.done);
            assert_int_equal(c.said_len, 0);
            assert_int_equal(sasl_step(s, T(""), false), SASL_RIGHT);
        }
        close_client(&c);
        sasl_free(&s);
    }
}

/* A client that could bind, and says that we cannot: somebody has taken -PLUS out of our list (RFC
 * 5802 6). */
static void test_a_downgrade_is_noticed(void **state)
{
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        struct sasl *s = begin("SCRAM-SHA-256", tls);
        assert_int_equal(sasl_step(s, T("y,,n=bob,r=abc"), true), tls ? SASL_WRONG : SASL_VERIFIER);
        sasl_free(&s);
    }
}

/* Without a proof there is no way to the end. */
static void test_silence_proves_nothing(void **state)
{
    (void)state;
    for (int initial = 0; initial < 2; initial++) {
        struct sasl *s = begin("SCRAM-SHA-256", false);
        if (!initial)
            assert_int_equal(sasl_step(s, T(""), false), SASL_CHALLENGE);
        assert_int_equal(sasl_step(s, T(""), initial), SASL_MALFORMED);
        sasl_free(&s);
        s = begin("SCRAM-SHA-256", false);
        assert_int_equal(sasl_step(s, T("n,,n=bob,r=abc"), true), SASL_VERIFIER);
        assert_int_equal(sasl_give(s, &right), SASL_CHALLENGE);
        assert_int_equal(sasl_step(s, T(""), false), SASL_MALFORMED);
        sasl_free(&s);
    }
}

/* The password was set when SHA-1 was not wanted. */
static void test_no_sha1_fits_nothing(void **state)
{
    (void)state;
    struct verifier old = right;
    struct client c = { .name = "bob@example.test", .password = "secret" };
    struct sasl *s = begin("SCRAM-SHA-1", false);
    old.sha1_iterations = 0;
    memset(old.sha1_stored_key, 0, sizeof old.sha1_stored_key);
    memset(old.sha1_server_key, 0, sizeof old.sha1_server_key);
    open_client(&c, "SCRAM-SHA-1");
    assert_true(client_says(&c, T("")));
    assert_int_equal(sasl_step(s, said(&c), true), SASL_VERIFIER);
    assert_int_equal(sasl_give(s, &old), SASL_CHALLENGE);
    assert_true(client_says(&c, sasl_challenge(s)));
    assert_int_equal(sasl_step(s, said(&c), false), SASL_WRONG);
    close_client(&c);
    sasl_free(&s);
}

static void test_nobody_fits_nothing(void **state)
{
    (void)state;
    struct verifier nobody = { .iterations = 4096 };
    struct client c = { .name = "nobody@example.test", .password = "secret" };
    struct sasl *s = begin("SCRAM-SHA-256", false);
    open_client(&c, "SCRAM-SHA-256");
    assert_true(client_says(&c, T("")));
    assert_int_equal(sasl_step(s, said(&c), true), SASL_VERIFIER);
    assert_int_equal(sasl_give(s, &nobody), SASL_CHALLENGE);
    assert_true(client_says(&c, sasl_challenge(s)));
    assert_int_equal(sasl_step(s, said(&c), false), SASL_WRONG);
    close_client(&c);
    sasl_free(&s);
}

/* What proved something in one exchange proves nothing in another. */
static void test_a_proof_is_good_once(void **state)
{
    (void)state;
    struct client c = { .name = "bob@example.test", .password = "secret" };
    struct sasl *s = begin("SCRAM-SHA-256", false), *again = begin("SCRAM-SHA-256", false);
    open_client(&c, "SCRAM-SHA-256");
    assert_true(client_says(&c, T("")));
    assert_int_equal(sasl_step(again, said(&c), true), SASL_VERIFIER);
    assert_int_equal(sasl_give(again, &right), SASL_CHALLENGE);
    assert_int_equal(sasl_step(s, said(&c), true), SASL_VERIFIER);
    assert_int_equal(sasl_give(s, &right), SASL_CHALLENGE);
    assert_true(client_says(&c, sasl_challenge(s)));
    assert_int_equal(sasl_step(s, said(&c), false), SASL_CHALLENGE);
    assert_int_equal(sasl_step(again, said(&c), false), SASL_WRONG);
    close_client(&c);
    sasl_free(&s);
    sasl_free(&again);
}

static void test_the_end_must_be_empty(void **state)
{
    (void)state;
    struct client c = { .name = "bob@example.test", .password = "secret" };
    struct sasl *s = begin("SCRAM-SHA-256", false);
    open_client(&c, "SCRAM-SHA-256");
    assert_int_equal(prove(s, &c), SASL_CHALLENGE);
    assert_int_equal(sasl_step(s, T("more"), false), SASL_MALFORMED);
    close_client(&c);
    sasl_free(&s);
}

static void test_first_messages_that_are_none(void **state)
{
    (void)state;
    static const struct text cases[] = {
        OCTETS(""),
        OCTETS("x"),
        OCTETS("n,,"),
        OCTETS("n,,n=bob"),
        OCTETS("n,,n=bob,r="),
        OCTETS("n,,r=abc,n=bob"),
        OCTETS("n,,n=b=ob,r=abc"),
        OCTETS("n,,n=,r=abc"),
        OCTETS("n,,m=x,n=bob,r=abc"),
        OCTETS("p=tls-exporter,,n=bob,r=abc"),
        OCTETS("q,,n=bob,r=abc"),
        OCTETS("n,,n=bo\0b,r=abc"),
        OCTETS("\0\0\0\0\0\0\0\0"),
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sasl *s = begin("SCRAM-SHA-256", false);
        enum sasl_verdict verdict = sasl_step(s, cases[i], true);
        if (verdict == SASL_VERIFIER) /* then it fails later, or is nobody's name */
            verdict = sasl_give(s, &right) == SASL_CHALLENGE
                          ? sasl_step(s, T("c=biws,r=abc,p=AAAA"), false)
                          : SASL_WRONG;
        assert_true(verdict == SASL_MALFORMED || verdict == SASL_WRONG);
        sasl_free(&s);
    }
}

static int set_up(void **state)
{
    (void)state;
    static const uint8_t salt[SECRET_SALT] = "sixteen octets.";
    struct error e;
    return sasl_service_new(&service, &e) && secret_verifier(T("secret"), 4096, salt, &right, &e) &&
                   secret_verifier_add_sha1(T("secret"), &right, &e)
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    sasl_service_free(&service);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_names_have_a_length),
        cmocka_unit_test(test_login),
        cmocka_unit_test(test_scram),
        cmocka_unit_test(test_a_downgrade_is_noticed),
        cmocka_unit_test(test_silence_proves_nothing),
        cmocka_unit_test(test_no_sha1_fits_nothing),
        cmocka_unit_test(test_nobody_fits_nothing),
        cmocka_unit_test(test_a_proof_is_good_once),
        cmocka_unit_test(test_the_end_must_be_empty),
        cmocka_unit_test(test_first_messages_that_are_none),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
