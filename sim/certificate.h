/* certificate.h - what a machine of the simulated world presents in a handshake. */
#ifndef SIM_CERTIFICATE_H
#define SIM_CERTIFICATE_H

#include <stdbool.h>
#include <stdint.h>

enum { CERTIFICATE_NAME_MAX = 64, CERTIFICATE_KEY = 32 };

struct certificate {
    char name[CERTIFICATE_NAME_MAX];
    bool trusted; /* an authority vouches for it */
    uint8_t key[CERTIFICATE_KEY];
};

#endif
