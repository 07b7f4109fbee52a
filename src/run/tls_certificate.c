/* tls_certificate.c - what PEM files hold: a certificate, its chain, its key. */
#include "run/tls_inner.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

enum { CHAIN_MAX = 20 };

/* A key with a passphrase cannot be used: nobody is there to type it. */
static int no_passphrase(char *to, int room, int writing, void *owner)
{
    (void)to, (void)room, (void)writing, (void)owner;
    return -1;
}

static BIO *open_text(struct bytes text)
{
    return text.len <= INT_MAX ? BIO_new_mem_buf(text.at, (int)text.len) : NULL;
}

/* --- Loading --- */

/* The certificates behind the first one. */
static bool read_chain(BIO *file, struct tls_loaded *to)
{
    X509 *next;
    to->chain = sk_X509_new_null();
    if (!to->chain)
        return false;
    while (sk_X509_num(to->chain) < CHAIN_MAX &&
           (next = PEM_read_bio_X509(file, NULL, no_passphrase, NULL)) != NULL)
        if (!sk_X509_push(to->chain, next)) {
            X509_free(next);
            return false;
        }
    ERR_clear_error(); /* the end of the file is one */
    return true;
}

static bool read_certificates(const struct tls_pair *pair, struct tls_loaded *to, struct error *e)
{
    BIO *file = open_text(pair->certificate);
    to->leaf = file ? PEM_read_bio_X509(file, NULL, no_passphrase, NULL) : NULL;
    bool done = to->leaf && read_chain(file, to);
    BIO_free(file);
    if (done)
        return true;
    ERR_clear_error();
    return error_set(e, ERROR_CONFIG, "%s: it holds no certificate in PEM form",
                     pair->certificate_name);
}

static bool read_key(const struct tls_pair *pair, struct tls_loaded *to, struct error *e)
{
    BIO *file = open_text(pair->key);
    to->key = file ? PEM_read_bio_PrivateKey(file, NULL, no_passphrase, NULL) : NULL;
    BIO_free(file);
    ERR_clear_error();
    if (to->key)
        return true;
    return error_set(e, ERROR_CONFIG,
                     "%s: it holds no private key in PEM form, or a passphrase "
                     "protects it",
                     pair->key_name);
}

bool tls_load(const struct tls_pair *pair, struct tls_loaded *out, struct error *e)
{
    *out = (struct tls_loaded){ 0 };
    if (!read_certificates(pair, out, e) || !read_key(pair, out, e)) {
        tls_unload(out);
        return false;
    }
    if (X509_check_private_key(out->leaf, out->key) == 1)
        return true;
    ERR_clear_error();
    tls_unload(out);
    return error_set(e, ERROR_CONFIG, "the key %s does not belong to the certificate %s",
                     pair->key_name, pair->certificate_name);
}

void tls_unload(struct tls_loaded *l)
{
    X509_free(l->leaf);
    sk_X509_pop_free(l->chain, X509_free);
    EVP_PKEY_free(l->key);
    *l = (struct tls_loaded){ 0 };
}

/* --- Looking --- */

void tls_subject(const X509 *certificate, char out[TLS_SUBJECT_MAX + 1])
{
    char *words = NULL;
    BIO *memory = BIO_new(BIO_s_mem());
    out[0] = 0;
    if (memory && X509_NAME_print_ex(memory, X509_get_subject_name(certificate), 0,
                                     XN_FLAG_ONELINE & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0) {
        long len = BIO_get_mem_data(memory, &words);
        size_t kept = len > TLS_SUBJECT_MAX ? TLS_SUBJECT_MAX : (size_t)(len > 0 ? len : 0);
        if (kept)
            memcpy(out, words, kept);
        out[kept] = 0;
    }
    BIO_free(memory);
}

int64_t tls_unix_time(const ASN1_TIME *t)
{
    struct tm broken;
    return t && ASN1_TIME_to_tm(t, &broken) == 1 ? (int64_t)timegm(&broken) : 0;
}

static void print_serial(const X509 *certificate, char *out, size_t room)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *digits = number ? BN_bn2hex(number) : NULL;
    size_t len = digits ? strnlen(digits, room - 1) : 0;
    if (len)
        memcpy(out, digits, len);
    out[len] = 0;
    OPENSSL_free(digits);
    BN_free(number);
}

bool tls_read_certificate(const struct tls_pair *pair, struct text name,
                          struct tls_certificate *out, struct error *e)
{
    struct tls_loaded loaded = { 0 };
    *out = (struct tls_certificate){ 0 };
    if (!read_certificates(pair, &loaded, e)) {
        tls_unload(&loaded);
        return false;
    }
    tls_subject(loaded.leaf, out->subject);
    print_serial(loaded.leaf, out->serial, sizeof out->serial);
    out->from_s = tls_unix_time(X509_get0_notBefore(loaded.leaf));
    out->until_s = tls_unix_time(X509_get0_notAfter(loaded.leaf));
    out->for_name = name.len > 0 && X509_check_host(loaded.leaf, name.at, name.len, 0, NULL) == 1;
    tls_unload(&loaded);
    return true;
}
