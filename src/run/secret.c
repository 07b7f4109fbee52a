/* secret.c - what passwords are checked with, computed by OpenSSL.
 *
 * A password is the octets that the client sent: UTF-8, and not normalized by SASLprep, which
 * RFC 5802 2.2 asks for.  The same password typed with composed and decomposed accents is two
 * passwords, as it is with every mechanism that sends it in the clear; for ASCII nothing differs.
 */
#include "run/secret.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <string.h>

bool secret_mac(const void *key, size_t key_len, struct text words, uint8_t out[SECRET_KEY])
{
    return key_len <= INT_MAX && HMAC(EVP_sha256(), key, (int)key_len, (const uint8_t *)words.at,
                                      words.len, out, NULL) != NULL;
}

/* SaltedPassword of RFC 5802 3; Hi() of RFC 5802 2.2 is PBKDF2 with one block. */
static bool salt_password(struct text password, uint32_t iterations,
                          const uint8_t salt[SECRET_SALT], uint8_t out[SECRET_KEY])
{
    return password.len <= INT_MAX && iterations > 0 && iterations <= INT_MAX &&
           PKCS5_PBKDF2_HMAC(password.len ? password.at : "", (int)password.len, salt, SECRET_SALT,
                             (int)iterations, EVP_sha256(), SECRET_KEY, out) == 1;
}

/* RFC 5802 3: ClientKey, StoredKey, ServerKey. */
static bool derive_keys(const uint8_t salted[SECRET_KEY], struct verifier *out)
{
    uint8_t client_key[SECRET_KEY];
    bool done = secret_mac(salted, SECRET_KEY, T("Client Key"), client_key) &&
                SHA256(client_key, SECRET_KEY, out->stored_key) != NULL &&
                secret_mac(salted, SECRET_KEY, T("Server Key"), out->server_key);
    secret_wipe(client_key, sizeof client_key);
    return done;
}

bool secret_verifier(struct text password, uint32_t iterations, const uint8_t salt[SECRET_SALT],
                     struct verifier *out, struct error *e)
{
    uint8_t salted[SECRET_KEY];
    out->iterations = iterations;
    memcpy(out->salt, salt, SECRET_SALT);
    bool done = salt_password(password, iterations, salt, salted) && derive_keys(salted, out);
    secret_wipe(salted, sizeof salted);
    if (done)
        return true;
    secret_wipe(out, sizeof *out);
    return error_set(e, ERROR_TEMPORARY, "cannot compute the verifier of a password");
}

bool secret_equal(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

void secret_wipe(void *secret, size_t len)
{
    OPENSSL_cleanse(secret, len);
}
