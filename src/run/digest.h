/* digest.h - SHA-256 of octets that pass by: what two different messages never share,
 * whoever writes them.  One thread at a time.
 */
#ifndef RUN_DIGEST_H
#define RUN_DIGEST_H

#include "base/text.h"

enum { DIGEST_OCTETS = 32 };

struct digest; /* opaque */

/* NULL: memory is short. */
struct digest *digest_new(void);
void digest_free(struct digest **);
void digest_begin(struct digest *);
void digest_add(struct digest *, struct bytes);
void digest_end(struct digest *, uint8_t out[DIGEST_OCTETS]);

#endif
