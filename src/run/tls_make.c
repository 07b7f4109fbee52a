/* tls_make.c - a certificate that vouches for itself, for servers that were given none. */
#include "run/tls.h"

#include "run/entropy.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

/* Together 825 days: some clients take none that is good for longer. */
enum { VALID_S = 824 * 86400, VALID_SINCE_S = 86400 /* clocks differ */ };

static bool set_serial(X509 *x)
{
    return ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), entropy_u64() >> 1) == 1;
}

/* The name is in the extension, where clients look for it (RFC 6125 6.4.4); as a common name it
 * could be too long. */
static bool set_names(X509 *x, struct text host)
{
    char words[TLS_NAME_MAX + sizeof "DNS:"];
    X509_NAME *name = X509_get_subject_name(x);
    snprintf(words, sizeof words, "DNS:%.*s", TEXT_ARGS(text_first(host, TLS_NAME_MAX)));
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, words);
    bool ok = names && X509_add_ext(x, names, -1) == 1 &&
              X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)TLS_MAKER,
                                         -1, -1, 0) == 1 &&
              X509_set_issuer_name(x, name) == 1;
    X509_EXTENSION_free(names);
    return ok;
}

static bool fill(X509 *x, EVP_PKEY *key, struct text host)
{
    return X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) && set_names(x, host) &&
           X509_gmtime_adj(X509_getm_notBefore(x), -VALID_SINCE_S) &&
           X509_gmtime_adj(X509_getm_notAfter(x), VALID_S) && X509_set_pubkey(x, key) == 1 &&
           X509_sign(x, key, EVP_sha256()) > 0;
}

/* What was written to the memory, appended to the buffer. */
static bool take(BIO *file, bool written, struct buffer *out)
{
    char *at = NULL;
    long len = BIO_get_mem_data(file, &at);
    return written && len > 0 && buffer_append(out, at, (size_t)len);
}

static bool print(X509 *x, EVP_PKEY *key, struct buffer *certificate, struct buffer *secret)
{
    BIO *file = BIO_new(BIO_s_mem()), *key_file = BIO_new(BIO_s_secmem());
    bool ok = file && key_file && take(file, PEM_write_bio_X509(file, x) == 1, certificate) &&
              take(key_file,
                   PEM_write_bio_PrivateKey(key_file, key, NULL, NULL, 0, NULL, NULL) == 1, secret);
    BIO_free(file);
    BIO_free(key_file);
    return ok;
}

/* The key in the text, or a new one. */
static EVP_PKEY *key_in(struct bytes known)
{
    BIO *file = known.len ? BIO_new_mem_buf(known.at, (int)known.len) : NULL;
    EVP_PKEY *pair = file ? PEM_read_bio_PrivateKey(file, NULL, NULL, NULL) : NULL;
    BIO_free(file);
    return pair ? pair : EVP_EC_gen("P-256");
}

bool tls_make_certificate(struct text host, struct bytes known_key, struct buffer *certificate,
                          struct buffer *key, struct error *e)
{
    EVP_PKEY *pair = key_in(known_key);
    X509 *x = X509_new();
    bool ok = pair && x && fill(x, pair, host) && print(x, pair, certificate, key);
    X509_free(x);
    EVP_PKEY_free(pair);
    ERR_clear_error();
    return ok ||
           error_set(e, ERROR_TEMPORARY, "cannot make a certificate for %.*s", TEXT_ARGS(host));
}
