/* certificates.c - certificates for tests, made when they run. */
#include "certificates.h"

#include "base/check.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

static void add_name(X509 *certificate, const char *name)
{
    char words[300];
    X509_NAME *subject = X509_get_subject_name(certificate);
    CHECK(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)name, -1, -1,
                                     0) == 1);
    CHECK(X509_set_issuer_name(certificate, subject) == 1);
    snprintf(words, sizeof words, "DNS:%s", name);
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, words);
    CHECK(names && X509_add_ext(certificate, names, -1) == 1);
    X509_EXTENSION_free(names);
}

static void print(BIO *from, char *to, size_t room)
{
    int len = BIO_read(from, to, (int)room - 1);
    CHECK(len > 0);
    to[len] = 0;
    BIO_free(from);
}

void make_certificate(const char *name, long from_s, long until_s, struct made_certificate *out)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    CHECK(key && certificate);
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 0x1234);
    X509_gmtime_adj(X509_getm_notBefore(certificate), from_s);
    X509_gmtime_adj(X509_getm_notAfter(certificate), until_s);
    X509_set_pubkey(certificate, key);
    add_name(certificate, name);
    CHECK(X509_sign(certificate, key, EVP_sha256()) > 0);
    BIO *certificate_text = BIO_new(BIO_s_mem()), *key_text = BIO_new(BIO_s_mem());
    CHECK(PEM_write_bio_X509(certificate_text, certificate) == 1);
    CHECK(PEM_write_bio_PrivateKey(key_text, key, NULL, NULL, 0, NULL, NULL) == 1);
    print(certificate_text, out->certificate, sizeof out->certificate);
    print(key_text, out->key, sizeof out->key);
    X509_free(certificate);
    EVP_PKEY_free(key);
}
