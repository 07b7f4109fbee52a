/* tls_peer.c - whom a client wants at the other end: anybody, a name that an authority vouches for,
 * or what DNS says of his key.
 *
 * It sets up and decides nothing later: the handshake fails when somebody else answers.
 */
#include "run/tls_inner.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

/* --- Associations --- */

enum { SELECT_CERTIFICATE = 0, SELECT_KEY = 1 };
enum { MATCH_FULL = 0, MATCH_SHA256 = 1, MATCH_SHA512 = 2 };
enum { SHA256_OCTETS = 32, SHA512_OCTETS = 64 };

static bool is_certificate(struct bytes data)
{
    const unsigned char *at = data.at;
    X509 *certificate = d2i_X509(NULL, &at, (long)data.len);
    bool good = certificate && at == data.at + data.len && X509_get0_pubkey(certificate);
    X509_free(certificate);
    return good;
}

static bool is_key(struct bytes data)
{
    const unsigned char *at = data.at;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)data.len);
    bool good = key && at == data.at + data.len;
    EVP_PKEY_free(key);
    return good;
}

bool tls_association_is_usable(const struct tls_association *a)
{
    if ((a->usage != TLS_USAGE_TA && a->usage != TLS_USAGE_EE) || a->selector > SELECT_KEY)
        return false;
    if (a->matching == MATCH_SHA256)
        return a->data.len == SHA256_OCTETS;
    if (a->matching == MATCH_SHA512)
        return a->data.len == SHA512_OCTETS;
    bool good = a->matching == MATCH_FULL && a->data.len > 0 &&
                (a->selector == SELECT_KEY ? is_key(a->data) : is_certificate(a->data));
    ERR_clear_error();
    return good;
}

static bool demand_one_of(SSL *ssl, const struct tls_options *options)
{
    size_t added = 0;
    for (size_t i = 0; i < options->association_count; i++) {
        const struct tls_association *a = &options->associations[i];
        int status =
            SSL_dane_tlsa_add(ssl, a->usage, a->selector, a->matching, a->data.at, a->data.len);
        if (status < 0)
            return false;
        added += status > 0;
    }
    return added > 0;
}

/* --- Names --- */

/* Terminated; false: it is longer than any name. */
static bool terminate(struct text name, char out[TLS_NAME_MAX + 1])
{
    if (name.len > TLS_NAME_MAX)
        return false;
    if (name.len)
        memcpy(out, name.at, name.len);
    out[name.len] = 0;
    return true;
}

static bool demand_name(SSL *ssl, const char *name)
{
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    return SSL_set1_host(ssl, name) == 1;
}

static bool allow_names(SSL *ssl, const struct tls_options *options)
{
    char name[TLS_NAME_MAX + 1];
    for (size_t i = 0; i < options->name_count; i++)
        if (!terminate(options->names[i], name) || SSL_add1_host(ssl, name) != 1)
            return false;
    return true;
}

/* RFC 7672 3.1.1: DANE-EE(3) names the key, and neither names nor dates in the certificate count.
 * RFC 7672 3.2.2: DANE-TA(2) names who signs, so that the names count. */
static bool demand_dane(SSL *ssl, const struct tls_options *options, const char *name)
{
    if (SSL_dane_enable(ssl, name) <= 0)
        return false;
    SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    return demand_name(ssl, name) && allow_names(ssl, options) && demand_one_of(ssl, options);
}

static bool demand(SSL *ssl, const struct tls_options *options, const char *name)
{
    switch (options->verify) {
    case TLS_VERIFY_NONE:
        return true;
    case TLS_VERIFY_NAME:
        return name[0] && demand_name(ssl, name);
    case TLS_VERIFY_DANE:
        return name[0] && demand_dane(ssl, options, name);
    }
    return false;
}

/* RFC 6066 3: a literal address is no server name. */
static bool ask_for(SSL *ssl, const char *name)
{
    struct endpoint literal;
    return !name[0] || endpoint_parse_address(text_of(name), &literal) ||
           SSL_set_tlsext_host_name(ssl, name) == 1;
}

bool tls_peer_demand(SSL *ssl, const struct tls_options *options)
{
    char name[TLS_NAME_MAX + 1];
    bool good = terminate(options->name, name) && demand(ssl, options, name) && ask_for(ssl, name);
    ERR_clear_error();
    return good;
}
