/* store.c - the store as a whole: opening, closing, health, the ids of messages. */
#include "store/local/store_inner.h"

#include "base/check.h"
#include "run/clock.h"
#include "run/entropy.h"
#include "store/local/backup.h"
#include "store/local/open.h"
#include "store/local/spool_inner.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PREFIX_SHIFT = 31, /* a message id: 32 bits of this start, 31 bits of counter */
    PREFIX_RUN = 16,   /* so many in a row must be unused: an overflow goes on in the next */
    PREFIX_TRIES = 64,
    LANE_QUEUE_MAX = 4096,
    POKE_MS = 1000,
    BODY_FULL_PERCENT = 80,
};

static const uint64_t reserve_least = (uint64_t)256 * 1024 * 1024;
static const uint64_t log_octets = (uint64_t)64 * 1024 * 1024;
static const uint64_t segment_octets_default = (uint64_t)64 * 1024 * 1024;
static const uint64_t body_memory_default = (uint64_t)256 * 1024 * 1024;

/* --- Telling --- */

void store_tell(struct store *store, bool is_trouble, const char *format, ...)
{
    if (!store->notice)
        return;
    char words[2 * ERROR_WORDS_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    store->notice(store->owner, is_trouble, words);
}

bool store_ails(struct store *store, enum ailment ailment, bool ails)
{
    unsigned before = ails ? atomic_fetch_or(&store->ails, ailment)
                           : atomic_fetch_and(&store->ails, ~(unsigned)ailment);
    return ((before & ailment) != 0) != ails;
}

/* --- Opening --- */

/* Two write-ahead logs at their usual length and a segment must always fit. */
static uint64_t default_reserve(uint64_t segment_octets)
{
    uint64_t needed = 2 * log_octets + segment_octets;
    return needed > reserve_least ? needed : reserve_least;
}

static struct store *store_new(const struct store_options *options)
{
    struct store *store = calloc(1, sizeof *store);
    if (!store)
        return NULL;
    uint64_t segment = options->segment_octets ? options->segment_octets : segment_octets_default;
    store->path = strdup(options->path);
    store->notice = options->notice;
    store->failed = options->failed;
    store->owner = options->owner;
    store->segment_octets = segment;
    store->body_memory = options->body_memory ? options->body_memory : body_memory_default;
    store->reserve_octets =
        options->reserve_octets ? options->reserve_octets : default_reserve(segment);
    pthread_mutex_init(&store->reading.mutex, NULL);
    pthread_mutex_init(&store->damaged.mutex, NULL);
    locks_init(&store->locks);
    if (!store->path)
        store_close(&store);
    return store;
}

static bool open_folder(struct store *store, bool create, struct error *error)
{
    if (!disk_open(store->path, create, &store->disk, error))
        return false;
    if (disk_exists(store->disk, BACKUP_MARK))
        return error_set(error, ERROR_REFUSED,
                         "%s is a backup, or was never restored to the end: see godwit restore",
                         store->path);
    return disk_lock(store->disk, "lock", &store->lock, error) && open_identity(store, error);
}

/* Draws until it finds prefixes that no message of this store has ever had. */
static bool draw_prefix(struct store *store, struct index *index, struct error *error)
{
    for (int i = 0; i < PREFIX_TRIES; i++) {
        uint32_t prefix = (uint32_t)entropy_u64();
        bool known = prefix == 0 || prefix > UINT32_MAX - PREFIX_RUN;
        for (uint32_t next = 0; !known && next < PREFIX_RUN; next++)
            if (!index_knows_prefix(index, prefix + next, &known, error))
                return false;
        if (known)
            continue;
        atomic_store(&store->next_id, (uint64_t)prefix << PREFIX_SHIFT);
        return true;
    }
    return error_set(error, ERROR_TEMPORARY, "no unused message ids were found");
}

static bool start_lanes(struct store *store, struct error *error)
{
    return lane_new("index", 1, LANE_QUEUE_MAX, &store->fast, error) &&
           lane_new("content", 2, LANE_QUEUE_MAX, &store->reads, error) &&
           lane_new("bodies", 2, LANE_QUEUE_MAX, &store->bulk, error) &&
           lane_new("segments", 1, 1, &store->prepare, error) &&
           lane_new("upkeep", 1, 2, &store->upkeep, error);
}

static bool begin_work(struct store *store, struct index **writer, struct error *error)
{
    if (!draw_prefix(store, *writer, error) || !start_lanes(store, error) ||
        !commit_line_open(&store->commits, store, *writer, error))
        return false;
    *writer = NULL;
    space_wrote(store, 0);
    return true;
}

bool store_open(const struct store_options *options, struct store **out, struct error *error)
{
    *out = NULL;
    struct store *store = store_new(options);
    if (!store)
        return error_set(error, ERROR_TEMPORARY, "out of memory");
    struct open_options open = { .segment_octets = options->segment_octets };
    struct index *writer = NULL;
    if (!open_folder(store, options->create, error) || !open_all(store, &open, &writer, error) ||
        !begin_work(store, &writer, error)) {
        index_close(&writer);
        store_close(&store);
        return false;
    }
    *out = store;
    return true;
}

/* Jobs that are still there follow themselves to their lane: its pointer stays until it has ended.
 */
static void end_lane(struct lane **lane)
{
    struct lane *ending = *lane;
    lane_free(&ending);
    *lane = NULL;
}

/* The lanes end before what they use, and the commit lane after those that do its errands. */
void store_close(struct store **store_ref)
{
    struct store *store = *store_ref;
    *store_ref = NULL;
    if (!store)
        return;
    end_lane(&store->bulk);
    if (store->commits.store)
        commit_line_drain(&store->commits);
    end_lane(&store->prepare);
    end_lane(&store->upkeep);
    if (store->commits.store)
        commit_line_close(&store->commits);
    end_lane(&store->reads);
    end_lane(&store->fast);
    index_close(&store->reading.index);
    journal_close(&store->journal);
    disk_unlock(&store->lock);
    disk_close(&store->disk);
    locks_clear(&store->locks);
    pthread_mutex_destroy(&store->reading.mutex);
    pthread_mutex_destroy(&store->damaged.mutex);
    free(store->path);
    free(store);
}

/* --- What everybody asks --- */

message_id store_new_message_id(struct store *store)
{
    return atomic_fetch_add_explicit(&store->next_id, 1, memory_order_relaxed) + 1;
}

static bool body_is_full(const struct store *store)
{
    return atomic_load_explicit(&store->body_used, memory_order_relaxed) >
           store->body_memory / 100 * BODY_FULL_PERCENT;
}

/* What ails the store may have healed although nothing is committed any more: a disk has room
 * again.  Whoever asks makes the commit lane look, once a second. */
static void poke(const struct store *asked)
{
    struct store *store = (struct store *)(uintptr_t)asked;
    uint64_t now_ms = clock_monotonic_ms();
    uint_fast64_t due_ms = atomic_load(&store->next_poke_ms);
    if (now_ms >= due_ms &&
        atomic_compare_exchange_strong(&store->next_poke_ms, &due_ms, now_ms + POKE_MS))
        commit_wake(&store->commits);
}

enum store_health store_health(const struct store *store)
{
    unsigned ails = atomic_load_explicit(&store->ails, memory_order_relaxed);
    if (ails & AILS_JOURNAL)
        return STORE_FAILED;
    if (ails || space_is_unseen(store))
        poke(store);
    if (ails & AILS_INDEX)
        return STORE_BEHIND;
    return ails || body_is_full(store) ? STORE_FULL : STORE_READY;
}

void store_tend(struct store *store)
{
    commit_tick(&store->commits);
}

struct store_figures store_figures(const struct store *store)
{
    const struct figures *f = &store->figures;
    return (struct store_figures){
        .batches = atomic_load(&f->batches),
        .units = atomic_load(&f->units),
        .messages = atomic_load(&f->messages),
        .octets = atomic_load(&f->octets),
        .syncs = atomic_load(&f->syncs),
        .checkpoints = atomic_load(&f->checkpoints),
        .rewritten = atomic_load(&f->rewritten),
        .segments_removed = atomic_load(&f->segments_removed),
        .looks = atomic_load(&f->looks),
        .compaction = (enum compaction_state)atomic_load(&f->compaction),
    };
}

/* --- Submitting --- */

/* While the index is being made anew the commit lane may be busy for minutes: nobody waits for it.
 */
static void enqueue(struct commit *c)
{
    unsigned ails = atomic_load(&c->store->ails);
    if (!(ails & (AILS_INDEX | AILS_JOURNAL))) {
        commit_enqueue(&c->store->commits, c);
        return;
    }
    struct error why;
    error_set(&why, ERROR_TEMPORARY,
              ails & AILS_JOURNAL ? "the journal cannot be written any more"
                                  : "the index lags behind the journal");
    poke(c->store);
    commit_answer(c, STORE_REFUSED, &why);
}

/* The large body is on the disk, or cannot be. */
static void sealed(void *owner, const struct error *trouble)
{
    struct commit *c = owner;
    if (trouble)
        commit_answer(c, STORE_REFUSED, trouble);
    else
        enqueue(c);
}

void store_submit(struct store *store, struct commit *c)
{
    bool has_mail = c->message != 0 || c->row_count > 0;
    CHECK(has_mail + (c->expunge != NULL) + (c->purge != 0) == 1);
    CHECK(c->home && c->done);
    c->store = store;
    list_init(&c->link);
    struct error why;
    if (c->message && !spool_is_whole(c->spool)) {
        error_set(&why, ERROR_TEMPORARY, "the body could not be kept");
        commit_answer(c, STORE_REFUSED, &why);
    } else if (c->message && spool_is_large(c->spool)) {
        spool_seal(c->spool, sealed, c);
    } else {
        enqueue(c);
    }
}
