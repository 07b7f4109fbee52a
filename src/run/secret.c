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
#include <string.h>

bool secret_mac(const void *key, size_t key_len, struct text words, uint8_t out[SECRET_KEY])
{
    return key_len <= INT_MAX && HMAC(EVP_sha256(), key, (int)key_len, (const uint8_t *)words.at,
                                      words.len, out, NULL) != NULL;
}

/* A hash in the places that SCRAM has for it. */
struct scheme {
    const EVP_MD *(*hash)(void);
    size_t key;
};
static const struct scheme sha256 = { EVP_sha256, SECRET_KEY };
static const struct scheme sha1 = { EVP_sha1, SECRET_SHA1_KEY };

static bool mac(const struct scheme *scheme, const uint8_t *key, const char *words, uint8_t *out)
{
    return HMAC(scheme->hash(), key, (int)scheme->key, (const uint8_t *)words, strlen(words), out,
                NULL) != NULL;
}

/* SaltedPassword of RFC 5802 3; Hi() of RFC 5802 2.2 is PBKDF2 with one block. */
static bool salt_password(const struct scheme *scheme, struct text password,
                          const struct verifier *v, uint8_t *out)
{
    return password.len <= INT_MAX && v->iterations > 0 && v->iterations <= INT_MAX &&
           PKCS5_PBKDF2_HMAC(password.len ? password.at : "", (int)password.len, v->salt,
                             SECRET_SALT, (int)v->iterations, scheme->hash(), (int)scheme->key,
                             out) == 1;
}

/* RFC 5802 3: SaltedPassword, ClientKey, StoredKey, ServerKey. */
static bool derive(const struct scheme *scheme, struct text password, const struct verifier *v,
                   uint8_t *stored_key, uint8_t *server_key)
{
    uint8_t salted[SECRET_KEY], client_key[SECRET_KEY];
    bool done = salt_password(scheme, password, v, salted) &&
                mac(scheme, salted, "Client Key", client_key) &&
                EVP_Digest(client_key, scheme->key, stored_key, NULL, scheme->hash(), NULL) == 1 &&
                mac(scheme, salted, "Server Key", server_key);
    secret_wipe(salted, sizeof salted);
    secret_wipe(client_key, sizeof client_key);
    return done;
}

static bool fail(struct verifier *v, struct error *e)
{
    secret_wipe(v, sizeof *v);
    return error_set(e, ERROR_TEMPORARY, "cannot compute the verifier of a password");
}

bool secret_verifier(struct text password, uint32_t iterations, const uint8_t salt[SECRET_SALT],
                     struct verifier *out, struct error *e)
{
    memset(out, 0, sizeof *out);
    out->iterations = iterations;
    memcpy(out->salt, salt, SECRET_SALT);
    return derive(&sha256, password, out, out->stored_key, out->server_key) || fail(out, e);
}

bool secret_verifier_add_sha1(struct text password, struct verifier *v, struct error *e)
{
    v->sha1_iterations = v->iterations;
    return derive(&sha1, password, v, v->sha1_stored_key, v->sha1_server_key) || fail(v, e);
}

bool secret_salted(enum secret_hash hash, struct text password, struct bytes salt,
                   uint32_t iterations, uint8_t out[SECRET_KEY])
{
    const struct scheme *scheme = hash == SECRET_SHA_1 ? &sha1 : &sha256;
    return password.len <= INT_MAX && salt.len <= INT_MAX && iterations > 0 &&
           iterations <= INT_MAX &&
           PKCS5_PBKDF2_HMAC(password.len ? password.at : "", (int)password.len, salt.at,
                             (int)salt.len, (int)iterations, scheme->hash(), (int)scheme->key,
                             out) == 1;
}

bool secret_equal(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

void secret_wipe(void *secret, size_t len)
{
    OPENSSL_cleanse(secret, len);
}
