/* secret.h - what passwords are checked with, behind the library that computes it.
 *
 * The slow call takes tens of milliseconds: for a lane only.
 */
#ifndef RUN_SECRET_H
#define RUN_SECRET_H

#include "base/error.h"

enum { SECRET_SALT = 16, SECRET_KEY = 32, SECRET_SHA1_KEY = 20 };

/* What is kept of a password: a SCRAM-SHA-256 verifier (RFC 5802 3, RFC 7677), and, where that is
 * wanted, one for SCRAM-SHA-1 with the same salt. */
struct verifier {
    uint32_t iterations;
    uint8_t salt[SECRET_SALT];
    uint8_t stored_key[SECRET_KEY];
    uint8_t server_key[SECRET_KEY];
    uint32_t sha1_iterations; /* 0: none is kept; then its keys are zeros, which no password fits */
    uint8_t sha1_stored_key[SECRET_SHA1_KEY];
    uint8_t sha1_server_key[SECRET_SHA1_KEY];
};

/* Slow.  Computes the verifier of the password with these iterations and this salt, for SHA-256
 * only. */
bool secret_verifier(struct text password, uint32_t iterations, const uint8_t salt[SECRET_SALT],
                     struct verifier *out, struct error *);
/* Slow.  Adds the one for SHA-1, with its salt and iterations. */
bool secret_verifier_add_sha1(struct text password, struct verifier *, struct error *);
enum secret_hash { SECRET_SHA_256, SECRET_SHA_1 };
/* Slow.  SaltedPassword of RFC 5802 3 with SHA-256, or with SHA-1: its first SECRET_SHA1_KEY
 * octets; for who logs in elsewhere.  The password as it is to be hashed.  False: it cannot be
 * computed. */
bool secret_salted(enum secret_hash, struct text password, struct bytes salt, uint32_t iterations,
                   uint8_t out[SECRET_KEY]);
/* In constant time. */
bool secret_equal(const void *, const void *, size_t len);
/* HMAC-SHA-256, for caches that must not hold what they recognise. */
bool secret_mac(const void *key, size_t key_len, struct text, uint8_t out[SECRET_KEY]);
void secret_wipe(void *, size_t len);

#endif
