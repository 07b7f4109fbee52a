/* secret.c - run/secret.h and run/sasl.h in the simulated world.
 *
 * A password is checked with a hash that costs nothing, and only PLAIN and LOGIN are spoken: what
 * the real ones compute is tested elsewhere, and here it would cost all the time.
 */
#include "run/secret.h"
#include "run/sasl.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { MESSAGE_MAX = 4096 };

/* --- run/secret.h --- */

static void stretch(uint64_t seed, const void *octets, size_t len, uint8_t *out, size_t room)
{
    for (size_t at = 0; at < room; at += sizeof seed) {
        seed = XXH3_64bits_withSeed(octets, len, seed + at);
        memcpy(out + at, &seed, room - at < sizeof seed ? room - at : sizeof seed);
    }
}

bool secret_verifier(struct text password, uint32_t iterations, const uint8_t salt[SECRET_SALT],
                     struct verifier *out, struct error *e)
{
    uint64_t seed = XXH3_64bits(salt, SECRET_SALT);
    (void)e;
    *out = (struct verifier){ .iterations = iterations };
    memcpy(out->salt, salt, SECRET_SALT);
    stretch(seed, password.at, password.len, out->stored_key, sizeof out->stored_key);
    stretch(~seed, password.at, password.len, out->server_key, sizeof out->server_key);
    return true;
}

bool secret_verifier_add_sha1(struct text password, struct verifier *v, struct error *e)
{
    (void)password;
    (void)v;
    (void)e;
    return true;
}

bool secret_equal(const void *a, const void *b, size_t len)
{
    return memcmp(a, b, len) == 0;
}

bool secret_mac(const void *key, size_t key_len, struct text words, uint8_t out[SECRET_KEY])
{
    stretch(XXH3_64bits(key, key_len), words.at, words.len, out, SECRET_KEY);
    return true;
}

void secret_wipe(void *at, size_t len)
{
    explicit_bzero(at, len);
}

/* --- run/sasl.h --- */

struct sasl_service {
    char nothing;
};

struct sasl {
    bool login;
    bool has_name; /* LOGIN */
    struct buffer words;
    struct text challenge, name, password, acting_for;
};

bool sasl_service_new(struct sasl_service **out, struct error *e)
{
    *out = calloc(1, sizeof **out);
    return *out || error_set(e, ERROR_TEMPORARY, "memory is short");
}

void sasl_service_free(struct sasl_service **service)
{
    free(*service);
    *service = NULL;
}

struct sasl *sasl_new(struct sasl_service *service, struct text mechanism,
                      const struct stream *stream)
{
    (void)service;
    (void)stream;
    struct sasl *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->login = text_equal(mechanism, T("LOGIN"));
    buffer_init(&s->words, MESSAGE_MAX);
    return s;
}

void sasl_free(struct sasl **sasl)
{
    if (*sasl)
        buffer_wipe(&(*sasl)->words);
    free(*sasl);
    *sasl = NULL;
}

static enum sasl_verdict step_login(struct sasl *s, struct text words, bool initial)
{
    if (!initial && !s->has_name && s->challenge.len == 0) {
        s->challenge = T("User Name");
        return SASL_CHALLENGE;
    }
    size_t before = s->words.len;
    if (!buffer_text(&s->words, words))
        return SASL_TEMPORARY;
    if (!s->has_name) {
        s->has_name = true;
        s->challenge = T("Password");
        return SASL_CHALLENGE;
    }
    s->name = text_first(buffer_as_text(&s->words), before);
    s->password = text_skip(buffer_as_text(&s->words), before);
    return SASL_PASSWORD;
}

enum sasl_verdict sasl_step(struct sasl *s, struct text words, bool initial)
{
    if (s->login)
        return step_login(s, words, initial);
    if (!initial && words.len == 0) {
        s->challenge = T("");
        return SASL_CHALLENGE;
    }
    if (!buffer_text(&s->words, words))
        return SASL_TEMPORARY;
    struct text rest = buffer_as_text(&s->words);
    return text_cut(&rest, 0, &s->acting_for) && text_cut(&rest, 0, &s->name) &&
                   (s->password = rest).len
               ? SASL_PASSWORD
               : SASL_MALFORMED;
}

/* Only SCRAM asks for a verifier. */
enum sasl_verdict sasl_give(struct sasl *s, const struct verifier *v)
{
    (void)s;
    (void)v;
    return SASL_MALFORMED;
}

struct text sasl_challenge(const struct sasl *s)
{
    return s->challenge;
}

struct text sasl_name(const struct sasl *s)
{
    return s->name;
}

struct text sasl_password(const struct sasl *s)
{
    return s->password;
}

struct text sasl_acting_for(const struct sasl *s)
{
    return s->acting_for;
}
