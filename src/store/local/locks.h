/* locks.h - who has which maildrop: a table in memory (store rule 24). Any thread.
 *
 * One mutex guards it, held for a moment and with nothing called under it.
 */
#ifndef STORE_LOCAL_LOCKS_H
#define STORE_LOCAL_LOCKS_H

#include "store/ids.h"

#include <pthread.h>

struct lock_entry;

struct lock_table {
    pthread_mutex_t mutex;
    struct lock_entry **buckets;
    size_t bucket_count; /* a power of two, or 0 */
    size_t count;
    uint64_t last_token;
};

void locks_init(struct lock_table *);
void locks_clear(struct lock_table *);
/* As maildrop_lock(): 0 when it is held, or memory is short. */
uint64_t locks_take(struct lock_table *, mailbox_id, uint64_t now_ms, uint64_t stale_before_ms);
bool locks_touch(struct lock_table *, mailbox_id, uint64_t token, uint64_t now_ms);
void locks_give(struct lock_table *, mailbox_id, uint64_t token);
bool locks_holds(struct lock_table *, mailbox_id, uint64_t token);

#endif
