/* fuzz_change.c - whatever decodes encodes to the same octets; the rest is refused. */
#include "base/check.h"
#include "store/local/change.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes rest = { data, size };
    struct change c;
    struct buffer b;
    buffer_init(&b, size);
    for (struct bytes before = rest; change_decode(&rest, &c); before = rest) {
        size_t used = before.len - rest.len;
        CHECK(used > 0 && rest.at == before.at + used);
        b.len = 0;
        CHECK(change_encode(&b, &c));
        CHECK(b.len == used);
        CHECK(memcmp(b.at, before.at, used) == 0);
    }
    buffer_clear(&b);
    return 0;
}
