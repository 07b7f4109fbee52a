/* certificates.h - certificates for tests, made when they run. */
#ifndef TESTS_RUN_CERTIFICATES_H
#define TESTS_RUN_CERTIFICATES_H

#include <stdint.h>

struct made_certificate {
    char certificate[4096]; /* PEM, terminated */
    char key[4096];
};

/* A self-signed certificate for the name (and no other), valid from and until these seconds from
 * now. */
void make_certificate(const char *name, long from_s, long until_s, struct made_certificate *out);

#endif
