/* space.c - the free space of the disk, and the reserve that new mail may not touch (store rule
 * 13).
 *
 * The reserve is there so that what is in flight can still be finished, and so that people can
 * delete mail on a full disk.  It is looked at by whoever has just written, or when a new
 * transaction begins, at most once a second or every 32 MB; never by a loop.
 */
#include "run/clock.h"
#include "store/local/store_inner.h"

enum { LOOK_MS = 1000, LOOK_OCTETS = 32 * 1024 * 1024, SLACK_PART = 16 };

/* A little more than the reserve must be free before it ends, so that it is not told every second.
 */
static bool is_short(const struct store *store, uint64_t available)
{
    bool was = atomic_load(&store->ails) & AILS_SPACE;
    uint64_t slack = was ? store->reserve_octets / SLACK_PART : 0;
    return available < store->reserve_octets + slack;
}

static void look_now(struct store *store)
{
    uint64_t available = 0;
    struct error error;
    if (!disk_free_space(store->disk, &available, &error)) {
        if (store_ails(store, AILS_SPACE, true))
            store_tell(store, true, "%s", error.words);
        return;
    }
    bool is_low = is_short(store, available);
    if (store_ails(store, AILS_SPACE, is_low))
        store_tell(store, is_low,
                   is_low ? "%llu octets are free on the disk, %llu are kept in reserve: "
                            "no new mail is taken"
                          : "%llu octets are free on the disk again, %llu are kept in reserve",
                   (unsigned long long)available, (unsigned long long)store->reserve_octets);
}

bool space_is_unseen(const struct store *store)
{
    return clock_monotonic_ms() >= atomic_load_explicit(&store->next_look_ms, memory_order_relaxed);
}

void space_wrote(struct store *store, uint64_t octets)
{
    uint64_t unseen = atomic_fetch_add(&store->unseen_octets, octets) + octets;
    uint64_t now_ms = clock_monotonic_ms();
    uint_fast64_t due_ms = atomic_load(&store->next_look_ms);
    if (unseen < LOOK_OCTETS && now_ms < due_ms)
        return;
    /* One of those who come at the same time looks. */
    if (!atomic_compare_exchange_strong(&store->next_look_ms, &due_ms, now_ms + LOOK_MS))
        return;
    atomic_store(&store->unseen_octets, 0);
    look_now(store);
}
