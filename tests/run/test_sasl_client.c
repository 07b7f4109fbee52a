/* test_sasl_client.c - the client's side of SASL against the server's side, joined in memory: every
 * mechanism, right and wrong passwords, bindings that fit and do not, servers that cheat.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "run/sasl.h"
#include "run/sasl_client.h"

#include <stdio.h>
#include <string.h>

static struct sasl_service *service;
static struct verifier verifier;

/* Streams stand for what their ends of TLS have in common. */
static const char ours[] = "our TLS", theirs[] = "another TLS", old[] = "TLS of old";

size_t tls_binding(const struct stream *stream, enum tls_binding kind, uint8_t out[TLS_BINDING_MAX])
{
    const char *words = (const char *)(const void *)stream;
    assert_non_null(stream);
    if ((kind == TLS_BINDING_UNIQUE) != (words == old))
        return 0;
    memcpy(out, words, strlen(words));
    return strlen(words);
}

static const struct stream *stream_of(const char *words)
{
    return (const struct stream *)(const void *)words;
}

struct side {
    const char *offered, *mechanism, *password, *stream;
};

static struct sasl_client *begin(const struct side *s, struct error *e)
{
    struct sasl_client_options options = {
        .offered = text_of(s->offered),
        .mechanism = text_of(s->mechanism),
        .user = T("bob"),
        .password = text_of(s->password),
        .stream = stream_of(s->stream),
    };
    struct sasl_client *c;
    sasl_client_new(&options, &c, e);
    return c;
}

/* --- Which mechanism --- */

static void test_choice(void **state)
{
    (void)state;
    static const struct {
        struct side side;
        const char *chosen; /* NULL: none */
    } cases[] = {
        { { "PLAIN LOGIN", "", "x", NULL }, "PLAIN" },
        { { "LOGIN", "", "x", NULL }, "LOGIN" },
        { { "login plain", "", "x", NULL }, "PLAIN" },
        { { "PLAIN SCRAM-SHA-1", "", "x", NULL }, "SCRAM-SHA-1" },
        { { "PLAIN SCRAM-SHA-1 SCRAM-SHA-256", "", "x", NULL }, "SCRAM-SHA-256" },
        { { "SCRAM-SHA-256 SCRAM-SHA-256-PLUS", "", "x", NULL }, "SCRAM-SHA-256" },
        { { "SCRAM-SHA-256 SCRAM-SHA-256-PLUS", "", "x", ours }, "SCRAM-SHA-256-PLUS" },
        { { "SCRAM-SHA-256 SCRAM-SHA-256-PLUS", "", "x", old }, "SCRAM-SHA-256-PLUS" },
        { { "SCRAM-SHA-256 SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "x", ours }, "SCRAM-SHA-256" },
        { { "SCRAM-SHA-256 PLAIN", "plain", "x", ours }, "PLAIN" },
        { { "SCRAM-SHA-256-PLUS", "", "x", NULL }, NULL },
        { { "PLAIN", "SCRAM-SHA-256", "x", NULL }, NULL },
        { { "GSSAPI XOAUTH2 PLAINER", "", "x", NULL }, NULL },
        { { "", "", "x", NULL }, NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error e = { 0 };
        struct sasl_client *c = begin(&cases[i].side, &e);
        assert_int_equal(c != NULL, cases[i].chosen != NULL);
        if (c)
            assert_true(text_equal(sasl_client_mechanism(c), text_of(cases[i].chosen)));
        else
            assert_int_equal(e.kind, ERROR_REFUSED);
        sasl_client_free(&c);
    }
}

/* --- Whole exchanges --- */

/* What the server side comes to; its own password check is here. */
static enum sasl_verdict serve(struct sasl *s, struct text words, bool initial)
{
    enum sasl_verdict v = sasl_step(s, words, initial);
    if (v == SASL_VERIFIER)
        return sasl_give(s, &verifier);
    if (v != SASL_PASSWORD)
        return v;
    return text_equal(sasl_name(s), T("bob")) && text_equal(sasl_password(s), T("secret"))
               ? SASL_RIGHT
               : SASL_WRONG;
}

/* True: the server said yes, and the client was content with it. */
static bool join(struct sasl_client *c, const char *stream, struct error *e)
{
    struct sasl *s = sasl_new(service, sasl_client_mechanism(c), stream_of(stream));
    enum sasl_client_verdict said = sasl_client_step(c, T(""), e);
    enum sasl_verdict heard = serve(s, sasl_client_words(c), said == SASL_CLIENT_SAYS);
    while (heard == SASL_CHALLENGE) {
        assert_false(sasl_client_may_end(c));
        bool slow = sasl_client_is_slow(c);
        said = sasl_client_step(c, sasl_challenge(s), e);
        if (said != SASL_CLIENT_SAYS)
            break;
        assert_int_equal(slow, text_starts(sasl_client_words(c), T("c=")));
        heard = serve(s, sasl_client_words(c), true);
    }
    sasl_free(&s);
    return said == SASL_CLIENT_SAYS && heard == SASL_RIGHT && sasl_client_may_end(c);
}

static void test_exchanges(void **state)
{
    (void)state;
    static const struct {
        struct side side;
        const char *stream; /* the server's */
        bool right;
    } cases[] = {
        { { "PLAIN", "", "secret", NULL }, NULL, true },
        { { "PLAIN", "", "wrong", NULL }, NULL, false },
        { { "LOGIN", "", "secret", NULL }, NULL, true },
        { { "LOGIN", "", "wrong", NULL }, NULL, false },
        { { "LOGIN", "", "", NULL }, NULL, false },
        { { "SCRAM-SHA-256", "", "secret", NULL }, NULL, true },
        { { "SCRAM-SHA-256", "", "wrong", NULL }, NULL, false },
        { { "SCRAM-SHA-1", "", "secret", NULL }, NULL, true },
        { { "SCRAM-SHA-1", "", "wrong", NULL }, NULL, false },
        { { "SCRAM-SHA-256-PLUS", "", "secret", ours }, ours, true },
        { { "SCRAM-SHA-256-PLUS", "", "secret", old }, old, true },
        { { "SCRAM-SHA-256-PLUS", "", "wrong", ours }, ours, false },
        /* Somebody stands in between, with a TLS of his own on each side. */
        { { "SCRAM-SHA-256-PLUS", "", "secret", ours }, theirs, false },
        { { "SCRAM-SHA-256", "", "secret", ours }, ours, true },
        { { "SCRAM-SHA-256", "", "secret", ours }, NULL, true },
        /* Told to do without what was offered. */
        { { "SCRAM-SHA-256-PLUS SCRAM-SHA-256", "SCRAM-SHA-256", "secret", ours }, ours, true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error e = { 0 };
        struct sasl_client *c = begin(&cases[i].side, &e);
        assert_non_null(c);
        if (join(c, cases[i].stream, &e) != cases[i].right)
            fail_msg("case %zu: %s", i, e.words);
        sasl_client_free(&c);
    }
}

/* --- Servers that cheat --- */

static void test_cheats(void **state)
{
    (void)state;
    static const struct {
        const char *mechanism;
        const char *challenges[3]; /* $ stands for the client's nonce */
        const char *why;
    } cases[] = {
        { "PLAIN", { "more?", NULL }, "more than there is to say" },
        { "LOGIN", { "a", "b", "c" }, "more than there is to say" },
        { "SCRAM-SHA-256", { "", NULL }, "not shown" },
        { "SCRAM-SHA-256", { "r=short,s=QSXCR+Q6sek8bf92,i=4096", NULL }, "not shown" },
        { "SCRAM-SHA-256", { "r=$x,s=QSXCR+Q6sek8bf92,i=2000000000", NULL }, "sensible" },
        { "SCRAM-SHA-1", { "r=$x,s=QSXCR+Q6sek8bf92,i=99999999999999999999", NULL }, "sensible" },
        { "SCRAM-SHA-256", { "r=$x,s=QSXCR+Q6sek8bf92,i=4096", "v=AAAA", NULL }, "not shown" },
        { "SCRAM-SHA-256",
          { "r=$x,s=QSXCR+Q6sek8bf92,i=4096", "e=invalid-proof", NULL },
          "invalid-proof" },
        { "SCRAM-SHA-1", { "r=$x,s=QSXCR+Q6sek8bf92,i=4096", "", NULL }, "not shown" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct side side = { cases[i].mechanism, "", "secret", NULL };
        struct error e = { 0 };
        struct sasl_client *c = begin(&side, &e);
        char nonce[200] = "", challenge[400];
        sasl_client_step(c, T(""), &e);
        struct text said = sasl_client_words(c);
        if (text_starts(said, T("n,,n=bob,r=")))
            snprintf(nonce, sizeof nonce, "%.*s", TEXT_ARGS(text_skip(said, 11)));
        enum sasl_client_verdict v = SASL_CLIENT_SAYS;
        for (unsigned j = 0; j < 3 && cases[i].challenges[j] && v == SASL_CLIENT_SAYS; j++) {
            const char *words = cases[i].challenges[j], *dollar = strchr(words, '$');
            int front = dollar ? (int)(dollar - words) : (int)strlen(words);
            snprintf(challenge, sizeof challenge, "%.*s%s%s", front, words, dollar ? nonce : "",
                     dollar ? dollar + 1 : "");
            v = sasl_client_step(c, text_of(challenge), &e);
        }
        assert_int_equal(v, SASL_CLIENT_DOUBTS);
        assert_false(sasl_client_may_end(c));
        if (!strstr(e.words, cases[i].why))
            fail_msg("case %zu: %s", i, e.words);
        sasl_client_free(&c);
    }
}

static void test_lengths(void **state)
{
    (void)state;
    static char password[SASL_CLIENT_TEXT_MAX + 2];
    memset(password, 'x', sizeof password - 1);
    const struct side side = { "PLAIN", "", password, NULL };
    struct error e = { 0 };
    assert_null(begin(&side, &e));
    password[SASL_CLIENT_TEXT_MAX] = 0;
    struct sasl_client *c = begin(&side, &e);
    assert_int_equal(sasl_client_step(c, T(""), &e), SASL_CLIENT_SAYS);
    assert_int_equal(sasl_client_words(c).len, SASL_CLIENT_TEXT_MAX + 5);
    sasl_client_free(&c);
}

int main(void)
{
    static const uint8_t salt[SECRET_SALT] = { 1, 2, 3 };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_exchanges),
        cmocka_unit_test(test_cheats),
        cmocka_unit_test(test_lengths),
    };
    struct error e;
    if (!sasl_service_new(&service, &e) ||
        !secret_verifier(T("secret"), 4096, salt, &verifier, &e) ||
        !secret_verifier_add_sha1(T("secret"), &verifier, &e))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    sasl_service_free(&service);
    return failed;
}
