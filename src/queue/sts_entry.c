/* sts_entry.c - what the cache keeps of a domain's MTA-STS policy.  Pure. */
#include "queue/sts_lookup.h"

#include <inttypes.h>

bool sts_entry_read(struct text value, struct sts_entry *out)
{
    struct text head, failed;
    uint64_t failed_s;
    if (!text_cut(&value, '\n', &head) || !text_cut(&head, ' ', &failed) ||
        !text_to_u64(failed, &failed_s) || failed_s > INT64_MAX || head.len > STS_ID_MAX)
        return false;
    *out = (struct sts_entry){ (int64_t)failed_s, head, value };
    return true;
}

bool sts_entry_write(const struct sts_entry *entry, struct buffer *out)
{
    buffer_printf(out, "%" PRId64 " ", entry->failed_s);
    buffer_text(out, entry->id);
    buffer_byte(out, '\n');
    buffer_text(out, entry->policy);
    return !out->failed;
}
