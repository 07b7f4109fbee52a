/* tls_tickets.c - the keys that tickets of sessions are sealed with, and their rotation.
 *
 * A ticket is sealed with AES-256-CBC and HMAC-SHA-256 (RFC 5077 4).  The keys belong to this
 * process alone: a restart forgets all tickets, and its peers shake hands anew.  The key before the
 * current one still opens, so that a ticket lives for one to two periods.
 */
#include "base/check.h"
#include "run/clock.h"
#include "run/entropy.h"
#include "run/secret.h"
#include "run/tls_inner.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { PERIOD_MS = 6 * 3600 * 1000, NAME = 16, KEYS = 2 };

struct ticket_key {
    uint8_t name[NAME]; /* in the ticket, in the clear */
    uint8_t cipher[32];
    uint8_t mac[32];
};

struct tls_service {
    pthread_mutex_t lock;
    struct ticket_key keys[KEYS]; /* the current one first */
    uint64_t made_ms;             /* the current one */
    int index;                    /* where contexts keep what is freed with them */
};

static void free_attached(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long argl,
                          void *argp)
{
    (void)parent, (void)data, (void)index, (void)argl, (void)argp;
    tls_table_free(pointer);
}

bool tls_service_new(struct tls_service **out, struct error *e)
{
    struct tls_service *s = calloc(1, sizeof *s);
    int index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_attached);
    if (!s || index < 0) {
        free(s);
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    }
    pthread_mutex_init(&s->lock, NULL);
    entropy_fill(s->keys, sizeof s->keys);
    s->made_ms = clock_monotonic_ms();
    s->index = index;
    *out = s;
    return true;
}

void tls_service_free(struct tls_service **service)
{
    struct tls_service *s = *service;
    if (!s)
        return;
    CRYPTO_free_ex_index(CRYPTO_EX_INDEX_SSL_CTX, s->index);
    pthread_mutex_destroy(&s->lock);
    secret_wipe(s->keys, sizeof s->keys);
    free(s);
    *service = NULL;
}

bool tls_service_attach(struct tls_service *s, SSL_CTX *context, void *pointer)
{
    return SSL_CTX_set_ex_data(context, s->index, pointer) == 1;
}

/* --- Keys --- */

static void rotate(struct tls_service *s)
{
    uint64_t now = clock_monotonic_ms();
    if (now - s->made_ms < PERIOD_MS)
        return;
    s->keys[1] = s->keys[0];
    entropy_fill(&s->keys[0], sizeof s->keys[0]);
    if (now - s->made_ms >= 2 * (uint64_t)PERIOD_MS)
        entropy_fill(&s->keys[1], sizeof s->keys[1]); /* nobody came for so long: too old as well */
    s->made_ms = now;
}

static void current_key(struct tls_service *s, struct ticket_key *out)
{
    pthread_mutex_lock(&s->lock);
    rotate(s);
    *out = s->keys[0];
    pthread_mutex_unlock(&s->lock);
}

/* The place of the key with this name; KEYS when there is none. */
static size_t named_key(struct tls_service *s, const uint8_t *name, struct ticket_key *out)
{
    size_t i = 0;
    pthread_mutex_lock(&s->lock);
    rotate(s);
    while (i < KEYS && memcmp(s->keys[i].name, name, NAME) != 0)
        i++;
    if (i < KEYS)
        *out = s->keys[i];
    pthread_mutex_unlock(&s->lock);
    return i;
}

static bool use_key(const struct ticket_key *key, const uint8_t *iv, bool sealing,
                    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->mac,
                                          sizeof key->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, params) == 1 &&
           EVP_CipherInit_ex2(cipher, EVP_aes_256_cbc(), key->cipher, iv, sealing, NULL) == 1;
}

enum { KEY_TROUBLE = -1, KEY_UNKNOWN = 0, KEY_FITS = 1, KEY_FITS_BUT_RENEW = 2 };

/* OpenSSL asks for the key to seal a new ticket with, or to open one that came. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int sealing)
{
    struct tls_service *s = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct ticket_key key = { 0 };
    size_t place = 0;
    if (sealing) {
        current_key(s, &key);
        memcpy(name, key.name, NAME);
        entropy_fill(iv, EVP_MAX_IV_LENGTH);
    } else {
        place = named_key(s, name, &key);
    }
    int verdict = place == KEYS                              ? KEY_UNKNOWN
                  : !use_key(&key, iv, sealing, cipher, mac) ? KEY_TROUBLE
                  : place == 0                               ? KEY_FITS
                                                             : KEY_FITS_BUT_RENEW;
    secret_wipe(&key, sizeof key);
    return verdict;
}

void tls_service_serve(struct tls_service *s, SSL_CTX *context)
{
    SSL_CTX_set_app_data(context, s);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets only */
    SSL_CTX_set_timeout(context, PERIOD_MS / 1000);
    SSL_CTX_set_num_tickets(context, 1);
}
