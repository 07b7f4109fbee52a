/* digest.c - SHA-256 by OpenSSL. */
#include "run/digest.h"

#include "base/check.h"

#include <openssl/evp.h>

/* The library's own object goes by our name. */
static EVP_MD_CTX *context(struct digest *d)
{
    return (EVP_MD_CTX *)(void *)d;
}

struct digest *digest_new(void)
{
    return (struct digest *)(void *)EVP_MD_CTX_new();
}

void digest_free(struct digest **digest)
{
    EVP_MD_CTX_free(context(*digest));
    *digest = NULL;
}

void digest_begin(struct digest *d)
{
    int ok = EVP_DigestInit_ex(context(d), EVP_sha256(), NULL);
    CHECK(ok);
}

void digest_add(struct digest *d, struct bytes octets)
{
    int ok = EVP_DigestUpdate(context(d), octets.at, octets.len);
    CHECK(ok);
}

void digest_end(struct digest *d, uint8_t out[DIGEST_OCTETS])
{
    unsigned len;
    int ok = EVP_DigestFinal_ex(context(d), out, &len);
    CHECK(ok);
    CHECK(len == DIGEST_OCTETS);
}
