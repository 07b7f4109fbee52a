/* compaction.c - what the store of a server does to win space, seen from outside.
 *
 * It looks at the store's own state, so that faults can be aimed at it, and changes nothing there.
 */
#include "sim/compaction.h"

#include "serve/server.h"
#include "sim/ledger.h"
#include "sim/medium.h"
#include "store/store.h"

enum {
    SEGMENTS_SPARE = 6, /* dead ones that make no difference, the one in use, and the next */
    FULL_SOON_US = 20 * 1000,
};

static const struct store *store_of(const struct node *n)
{
    return n->server ? n->server->store : NULL;
}

enum compaction_state compaction_of(const struct host *h)
{
    const struct store *store = store_of(h->node);
    return store ? store_figures(store).compaction : COMPACTION_RESTS;
}

uint64_t compaction_looks(const struct node *n)
{
    const struct store *store = store_of(n);
    return store ? store_figures(store).looks : 0;
}

bool compaction_is_done(const struct node *n, uint64_t looks)
{
    return store_of(n) && compaction_of(n->host) == COMPACTION_RESTS && compaction_looks(n) > looks;
}

static void round_ends(struct node *n)
{
    struct points *p = &n->host->world->points;
    uint64_t removed = store_figures(store_of(n)).segments_removed;
    p->rounds++;
    p->segments_removed += removed - n->segments_removed;
    n->segments_removed = removed;
    node_verify(n, CHECK_COMPACTED);
}

void compaction_watch(struct node *n)
{
    enum compaction_state before = n->compaction, now = compaction_of(n->host);
    n->compaction = now;
    if (!store_of(n))
        n->segments_removed = 0;
    if (now == before || n->host->dead || !store_of(n))
        return;
    trace_show("%s: compaction goes from %u to %u", n->host->name, before, now);
    if (before == COMPACTION_RESTS && n->host->world->weather.full_every_us && chance_below(4) == 0)
        event_in(&n->fill, chance_below(FULL_SOON_US));
    if (before == COMPACTION_FORGETS)
        round_ends(n);
}

/* --- Space --- */

static void add_file(void *owner, const char *name, uint64_t octets)
{
    uint64_t *sums = owner;
    sums[file_kind_of(name)] += octets;
}

/* Each start removes the files of dead messages, and then they wait for a checkpoint that may never
 * come. */
static void expect_no_dead_files(const struct node *n, uint64_t octets)
{
    uint64_t since_us = n->has_swept ? n->started_us : 0;
    uint64_t most = ledger_large_octets(n->ledger, n->host->number, since_us);
    world_expect(CHECK_SPACE, octets <= most,
                 "%s: its large messages have %llu octets, and %llu were there since it started",
                 n->host->name, (unsigned long long)octets, (unsigned long long)most);
}

/* What is dead may be half of what lives; that is measured by what was sent, not by the store. */
void compaction_expect_space(const struct node *n)
{
    const struct host *h = n->host;
    uint64_t sums[FILE_KINDS] = { 0 }, alive = ledger_live_octets(n->ledger, h->number);
    medium_each_file(h->disk, add_file, sums);
    uint64_t used = sums[FILE_SEGMENT];
    uint64_t most = 2 * alive + SEGMENTS_SPARE * n->segment_octets;
    trace_words("%s: %llu octets of journal for %llu of mail", h->name, (unsigned long long)used,
                (unsigned long long)alive);
    world_expect(CHECK_SPACE, used <= most,
                 "%s: its journal has %llu octets, for %llu of mail in segments of %llu", h->name,
                 (unsigned long long)used, (unsigned long long)alive,
                 (unsigned long long)n->segment_octets);
    expect_no_dead_files(n, sums[FILE_LARGE]);
}
