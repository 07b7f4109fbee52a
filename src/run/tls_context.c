/* tls_context.c - contexts: the rules that every handshake follows, and which certificate is shown.
 *
 * TLS 1.2 with an ephemeral key exchange and an AEAD cipher, or TLS 1.3.  A peer that has neither
 * is better served in the clear, where that is allowed, than by something that looks safe.
 */
#include "run/tls_inner.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char ciphers_of_tls_1_2[] = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL";
static const char groups[] = "X25519:P-256:P-384";

/* Certificates by name.  It lives as long as OpenSSL needs the context: until the last stream that
 * was begun with it has gone. */
struct tls_table {
    size_t count;
    bool has_standard; /* there is a certificate for all other names */
    struct named {
        char *host; /* lower case */
        struct tls_loaded pair;
    } named[];
};

void tls_table_free(struct tls_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->count; i++) {
        free(t->named[i].host);
        tls_unload(&t->named[i].pair);
    }
    free(t);
}

/* --- By name --- */

/* RFC 6066 3: a name is given without the dot at its end, but some add it. */
static const struct named *find_named(const struct tls_table *t, const char *name)
{
    size_t len = strnlen(name, TLS_NAME_MAX);
    if (len && name[len - 1] == '.')
        len--;
    for (size_t i = 0; i < t->count; i++)
        if (strlen(t->named[i].host) == len && strncasecmp(t->named[i].host, name, len) == 0)
            return &t->named[i];
    return NULL;
}

/* OpenSSL asks in every handshake, also when the client has named nobody. */
static int on_name(SSL *ssl, int *alert, void *owner)
{
    const struct tls_table *table = owner;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    const struct named *named = name ? find_named(table, name) : NULL;
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    if (!named)
        return table->has_standard ? SSL_TLSEXT_ERR_NOACK : SSL_TLSEXT_ERR_ALERT_FATAL;
    /* Otherwise the standard one stays beside it, when its key is of another kind. */
    SSL_certs_clear(ssl);
    if (SSL_use_cert_and_key(ssl, named->pair.leaf, named->pair.key, named->pair.chain, 1) == 1)
        return SSL_TLSEXT_ERR_OK;
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static bool use_standard(SSL_CTX *ssl, struct tls_table *t, struct tls_loaded *pair,
                         const struct tls_pair *from, struct error *e)
{
    int used = SSL_CTX_use_cert_and_key(ssl, pair->leaf, pair->key, pair->chain, 1);
    tls_unload(pair);
    t->has_standard = used == 1;
    return used == 1 || tls_explain(NULL, ERROR_CONFIG, from->certificate_name, e);
}

/* A key that is too short for the system's security level is found here, not in a handshake. */
static bool is_usable(SSL_CTX *ssl, const struct tls_loaded *pair, const struct tls_pair *from,
                      struct error *e)
{
    SSL *trial = SSL_new(ssl);
    bool used = trial && SSL_use_cert_and_key(trial, pair->leaf, pair->key, pair->chain, 1) == 1;
    SSL_free(trial);
    return used || tls_explain(NULL, ERROR_CONFIG, from->certificate_name, e);
}

static bool add_named(SSL_CTX *ssl, struct tls_table *t, struct tls_loaded *pair,
                      const struct tls_pair *from, struct error *e)
{
    struct named *to = &t->named[t->count];
    bool usable = is_usable(ssl, pair, from, e);
    to->host = usable ? strndup(from->host.at, from->host.len) : NULL;
    if (!to->host) {
        tls_unload(pair);
        return usable ? error_set(e, ERROR_TEMPORARY, "memory is short") : false;
    }
    to->pair = *pair;
    t->count++;
    return true;
}

static bool fill_table(SSL_CTX *ssl, struct tls_table *t, const struct tls_pair *pairs,
                       size_t count, struct error *e)
{
    for (size_t i = 0; i < count; i++) {
        struct tls_loaded loaded;
        if (!tls_load(&pairs[i], &loaded, e))
            return false;
        bool added = pairs[i].host.len ? add_named(ssl, t, &loaded, &pairs[i], e)
                                       : use_standard(ssl, t, &loaded, &pairs[i], e);
        if (!added)
            return false;
    }
    return true;
}

/* --- Rules --- */

static bool set_rules(SSL_CTX *ssl)
{
    SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    /* An idle connection keeps no buffer for records. */
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(ssl, ciphers_of_tls_1_2) == 1 &&
           SSL_CTX_set1_groups_list(ssl, groups) == 1;
}

static bool new_context(const SSL_METHOD *method, struct tls_context **out, struct error *e)
{
    struct tls_context *c = calloc(1, sizeof *c);
    if (c)
        c->ssl = SSL_CTX_new(method);
    if (c && c->ssl && set_rules(c->ssl)) {
        *out = c;
        return true;
    }
    tls_context_free(&c);
    tls_explain(NULL, ERROR_TEMPORARY, "TLS cannot be set up", e);
    return false;
}

bool tls_server_context_new(struct tls_service *service, const struct tls_pair *pairs, size_t count,
                            struct tls_context **out, struct error *e)
{
    struct tls_context *c;
    struct tls_table *table = calloc(1, sizeof *table + count * sizeof *table->named);
    if (!table)
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    if (!new_context(TLS_server_method(), &c, e)) {
        tls_table_free(table);
        return false;
    }
    if (!tls_service_attach(service, c->ssl, table)) {
        tls_table_free(table);
        tls_context_free(&c);
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    }
    tls_service_serve(service, c->ssl);
    SSL_CTX_set_tlsext_servername_callback(c->ssl, on_name);
    SSL_CTX_set_tlsext_servername_arg(c->ssl, table);
    if (!fill_table(c->ssl, table, pairs, count, e)) {
        tls_context_free(&c);
        return false;
    }
    *out = c;
    return true;
}

static bool trust(SSL_CTX *ssl, const char *authorities, struct error *e)
{
    if (authorities)
        return SSL_CTX_load_verify_file(ssl, authorities) == 1 ||
               tls_explain(NULL, ERROR_CONFIG, authorities, e);
    return SSL_CTX_set_default_verify_paths(ssl) == 1 ||
           tls_explain(NULL, ERROR_TEMPORARY, "the trusted certificates of the system", e);
}

bool tls_client_context_new_lax(struct tls_context **out, struct error *e)
{
    if (!new_context(TLS_client_method(), out, e))
        return false;
    bool good = SSL_CTX_dane_enable((*out)->ssl) == 1 ||
                tls_explain(NULL, ERROR_TEMPORARY, "DANE cannot be set up", e);
    if (good) {
        (*out)->sessions = tls_sessions_new((*out)->ssl);
        good = (*out)->sessions || error_set(e, ERROR_TEMPORARY, "memory is short");
    }
    if (!good)
        tls_context_free(out);
    return good;
}

bool tls_client_context_new(const char *authorities, struct tls_context **out, struct error *e)
{
    if (!tls_client_context_new_lax(out, e))
        return false;
    if (trust((*out)->ssl, authorities, e))
        return true;
    tls_context_free(out);
    return false;
}

void tls_context_free(struct tls_context **context)
{
    if (!*context)
        return;
    SSL_CTX_free((*context)->ssl);
    tls_sessions_free(&(*context)->sessions);
    free(*context);
    *context = NULL;
}
