/* test_secret.c - verifiers and codes, with the vectors of the RFCs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "run/secret.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>

static void decode(const char *base64, uint8_t *out)
{
    uint8_t with_padding[64];
    int len = EVP_DecodeBlock(with_padding, (const uint8_t *)base64, (int)strlen(base64));
    assert_true(len > 0);
    memcpy(out, with_padding, (size_t)(len / 16 * 16));
}

/* RFC 7677 3: user "user", password "pencil". */
static const char auth_message[] =
    "n=user,r=rOprNGfwEbeRWgbNEkqO,"
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

static void test_the_exchange_of_rfc_7677(void **state)
{
    (void)state;
    uint8_t salt[SECRET_SALT], proof[SECRET_KEY], expected[SECRET_KEY];
    decode("W22ZaJ0SNY7soEsUEjb6gQ==", salt);
    decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", proof);
    decode("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", expected);
    struct verifier v;
    struct error e;
    assert_true(secret_verifier(T("pencil"), 4096, salt, &v, &e));
    assert_int_equal(v.iterations, 4096);
    assert_memory_equal(v.salt, salt, SECRET_SALT);

    uint8_t signature[SECRET_KEY], key[SECRET_KEY], stored[SECRET_KEY];
    assert_true(secret_mac(v.server_key, SECRET_KEY, text_of(auth_message), signature));
    assert_true(secret_equal(signature, expected, SECRET_KEY));

    assert_true(secret_mac(v.stored_key, SECRET_KEY, text_of(auth_message), signature));
    for (size_t i = 0; i < SECRET_KEY; i++)
        key[i] = proof[i] ^ signature[i];
    SHA256(key, SECRET_KEY, stored);
    assert_true(secret_equal(stored, v.stored_key, SECRET_KEY));
}

static void test_each_input_counts(void **state)
{
    (void)state;
    static const struct {
        struct text password;
        uint32_t iterations;
        uint8_t salt;
    } cases[] = {
        { TEXT("pencil"), 2, 1 },     { TEXT("pencil"), 3, 1 }, { TEXT("pencil"), 2, 2 },
        { TEXT("Pencil"), 2, 1 },     { TEXT(""), 2, 1 },       { TEXT("p\xC3\xA9"), 2, 1 },
        { TEXT("pe\xCC\x81"), 2, 1 },
    };
    enum { CASES = sizeof cases / sizeof *cases };
    struct verifier v[CASES];
    struct error e;
    for (size_t i = 0; i < CASES; i++) {
        const uint8_t salt[SECRET_SALT] = { cases[i].salt };
        assert_true(secret_verifier(cases[i].password, cases[i].iterations, salt, &v[i], &e));
        for (size_t j = 0; j < i; j++) {
            assert_false(secret_equal(v[i].stored_key, v[j].stored_key, SECRET_KEY));
            assert_false(secret_equal(v[i].server_key, v[j].server_key, SECRET_KEY));
        }
    }
}

static void test_no_iterations_are_refused(void **state)
{
    (void)state;
    const uint8_t salt[SECRET_SALT] = { 0 };
    struct verifier v;
    struct error e;
    static const uint8_t nothing[sizeof v];
    memset(&v, 0xFF, sizeof v);
    assert_false(secret_verifier(T("pencil"), 0, salt, &v, &e));
    assert_false(secret_verifier(T("pencil"), UINT32_MAX, salt, &v, &e));
    assert_int_equal(e.kind, ERROR_TEMPORARY);
    assert_memory_equal(&v, nothing, sizeof v);
}

/* RFC 4231 4.3: test case 2. */
static void test_mac(void **state)
{
    (void)state;
    static const uint8_t expected[SECRET_KEY] = {
        0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24,
        0x26, 0x08, 0x95, 0x75, 0xc7, 0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27,
        0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43,
    };
    uint8_t mac[SECRET_KEY];
    assert_true(secret_mac("Jefe", 4, T("what do ya want for nothing?"), mac));
    assert_true(secret_equal(mac, expected, SECRET_KEY));
    mac[31] ^= 1;
    assert_false(secret_equal(mac, expected, SECRET_KEY));
    assert_true(secret_equal(mac, expected, 31));
    assert_true(secret_mac("Jefe", 4, (struct text){ NULL, 0 }, mac));
    secret_wipe(mac, sizeof mac);
    static const uint8_t nothing[SECRET_KEY];
    assert_memory_equal(mac, nothing, sizeof mac);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_exchange_of_rfc_7677),
        cmocka_unit_test(test_each_input_counts),
        cmocka_unit_test(test_no_iterations_are_refused),
        cmocka_unit_test(test_mac),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
