/* deposit.c - a window of commits into one mailbox. */
#include "store/deposit.h"

#include "base/check.h"
#include "run/clock.h"
#include "store/spool.h"

#include <stdlib.h>

/* What may be under way: about as much as one batch holds while another is on its way to the disk;
 * whatever else the store has to do waits no longer than that. */
enum { MESSAGES_MAX = 256, OCTETS_MAX = 8 * 1024 * 1024 };
/* A message that lies in a file is committed when that is synced: what comes behind it waits. */
enum { LARGE_OCTETS = 1024 * 1024 };

struct item {
    struct deposit *deposit;
    struct spool *spool;
    struct commit commit;
    struct placement placement;
};

struct deposit {
    struct deposit_options options;
    struct item *open; /* the message that arrives, or NULL */
    bool spool_waits;
    bool large_waits; /* until nothing is under way */
    size_t under_way;
    uint64_t octets; /* of what is under way */
    uint64_t stored;
    bool failed;
    struct error error;
};

struct deposit *deposit_open(const struct deposit_options *options)
{
    struct deposit *d = calloc(1, sizeof *d);
    if (d)
        d->options = *options;
    return d;
}

static void item_free(struct item *item)
{
    spool_close(&item->spool);
    free(item);
}

void deposit_drop(struct deposit *d)
{
    if (d->open)
        item_free(d->open);
    d->open = NULL;
    d->spool_waits = false;
}

void deposit_close(struct deposit **deposit)
{
    struct deposit *d = *deposit;
    *deposit = NULL;
    if (!d)
        return;
    CHECK(d->under_way == 0);
    deposit_drop(d);
    free(d);
}

static enum deposit_state fail(struct deposit *d, const char *words)
{
    if (!d->failed)
        error_set(&d->error, ERROR_TEMPORARY, "%s", words);
    d->failed = true;
    deposit_drop(d);
    return DEPOSIT_FAILED;
}

enum deposit_state deposit_look(const struct deposit *d)
{
    if (d->failed)
        return DEPOSIT_FAILED;
    bool full = d->under_way >= MESSAGES_MAX || d->octets >= OCTETS_MAX;
    return full || d->spool_waits || d->large_waits ? DEPOSIT_WAIT : DEPOSIT_OPEN;
}

/* --- A message --- */

static void spool_ready(void *owner)
{
    struct deposit *d = owner;
    d->spool_waits = false;
    d->options.ready(d->options.owner);
}

static const char *why_not(const struct store *store)
{
    switch (store_health(store)) {
    case STORE_READY:
        return NULL;
    case STORE_FULL:
        return "the disk of the data folder has too little room for more mail";
    case STORE_BEHIND:
        return "the store's index lags behind its journal";
    case STORE_FAILED:
        break;
    }
    return "the store cannot be written any more and wants a restart";
}

static bool begin(struct deposit *d)
{
    const char *why = why_not(d->options.store);
    struct item *item = why ? NULL : calloc(1, sizeof *item);
    if (!item) {
        fail(d, why ? why : "memory is short");
        return false;
    }
    *item = (struct item){
        .deposit = d,
        .commit = { .message = store_new_message_id(d->options.store) },
        .placement = { .mailbox = d->options.mailbox,
                       .address = d->options.address,
                       .prefix_facts = { .ends_with_crlf = true } },
    };
    item->spool =
        spool_open(d->options.store, item->commit.message, d->options.home, spool_ready, d);
    d->open = item;
    if (!item->spool) {
        free(item);
        d->open = NULL;
        fail(d, "memory is short");
    }
    return d->open != NULL;
}

enum deposit_state deposit_append(struct deposit *d, struct bytes octets)
{
    if (d->failed || (!d->open && !begin(d)))
        return DEPOSIT_FAILED;
    enum spool_state state = spool_append(d->open->spool, octets);
    if (state == SPOOL_FAILED)
        return fail(d, "a message cannot be kept while it arrives: memory or the disk is short");
    d->spool_waits = state == SPOOL_WAIT;
    return deposit_look(d);
}

/* --- Its commit --- */

static void committed(struct commit *commit)
{
    struct item *item = OWNER_OF(commit, struct item, commit);
    struct deposit *d = item->deposit;
    d->under_way--;
    d->octets -= spool_octets(item->spool);
    d->large_waits &= d->under_way > 0;
    if (commit->verdict == STORE_STORED)
        d->stored++;
    else if (commit->verdict == STORE_REFUSED)
        fail(d, commit->error.words);
    else
        fail(d, "nobody knows whether the last messages are stored: the disk failed");
    item_free(item);
    d->options.ready(d->options.owner);
}

enum deposit_state deposit_keep(struct deposit *d, int64_t dated_ms, uint32_t flags)
{
    if (d->failed || (!d->open && !begin(d)))
        return DEPOSIT_FAILED;
    struct item *item = d->open;
    d->open = NULL;
    d->spool_waits = false;
    item->placement.dated_ms = dated_ms;
    item->placement.flags = flags;
    item->commit.spool = item->spool;
    item->commit.arrived_ms = clock_wall_ms();
    item->commit.placements = &item->placement;
    item->commit.placement_count = 1;
    item->commit.home = d->options.home;
    item->commit.done = committed;
    d->under_way++;
    d->octets += spool_octets(item->spool);
    d->large_waits = spool_octets(item->spool) > LARGE_OCTETS;
    store_submit(d->options.store, &item->commit);
    return deposit_look(d);
}

bool deposit_is_idle(const struct deposit *d)
{
    return d->under_way == 0;
}

uint64_t deposit_stored(const struct deposit *d)
{
    return d->stored;
}

const struct error *deposit_error(const struct deposit *d)
{
    return &d->error;
}
