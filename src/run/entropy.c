/* entropy.c - unpredictable bytes, from getrandom(2). */
#include "run/entropy.h"

#include "base/check.h"

#include <errno.h>
#include <sys/random.h>

void entropy_fill(void *to, size_t len)
{
    uint8_t *at = to;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0) {
            /* Nothing else can happen: the memory is ours and the source has no maximum. */
            CHECK(errno == EINTR);
            continue;
        }
        at += got;
        len -= (size_t)got;
    }
}

uint64_t entropy_u64(void)
{
    uint64_t value;
    entropy_fill(&value, sizeof value);
    return value;
}
