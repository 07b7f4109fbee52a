/* tend.c - what the store needs beside commits: the next segment, the length of the index's log,
 * files of dead messages, an index that lags behind, purged mailboxes.
 *
 * It runs on the commit lane between batches and does one small thing each time; whatever may take
 * long is an errand of another lane (store rules 9, 17).  Nothing here has a timer: it is looked
 * after whenever something is committed, and whenever somebody asks for the health of an ailing
 * store.
 */
#include "store/local/store_inner.h"

#include "base/check.h"
#include "run/clock.h"
#include "store/local/backup.h"

enum {
    LOG_CHECKPOINT = 64 * 1024 * 1024, /* octets of write-ahead log worth a checkpoint */
    LOG_MAX = 512 * 1024 * 1024,
    LOG_STEP = 4 * 1024 * 1024, /* growth after which a refused checkpoint is tried at once */
    LOG_ILL_MS = 60 * 1000,     /* else this after one that failed; sooner after readers */
    DEAD_OCTETS = 64 * 1024 * 1024,
    PASSIVES = 2, /* the second finds what was written during the first */
    SWEEP_CHANGES = 250,
    BELIEVE_AGAIN_MS = 60 * 60 * 1000,
};

/* With the mutex held, or by the only one who may change it. */
static enum errand look(struct commit_line *line, const enum errand *errand)
{
    pthread_mutex_lock(&line->mutex);
    enum errand state = *errand;
    pthread_mutex_unlock(&line->mutex);
    return state;
}

/* False when the lanes are ending. */
static bool send_out(struct commit_line *line, enum errand *errand, struct lane *lane,
                     struct job *job)
{
    pthread_mutex_lock(&line->mutex);
    bool sent = !line->closing;
    if (sent) {
        *errand = ERRAND_RUNS;
        lane_follow(lane, job);
    }
    pthread_mutex_unlock(&line->mutex);
    return sent;
}

static void come_back(struct commit_line *line, enum errand *errand, bool ok)
{
    pthread_mutex_lock(&line->mutex);
    *errand = ok ? ERRAND_DONE : ERRAND_FAILED;
    pthread_mutex_unlock(&line->mutex);
}

/* --- The next segment --- */

static void prepare(struct commit_line *line)
{
    struct store *store = line->store;
    struct error error = { 0 };
    bool ok = journal_prepare(store->journal, &error);
    if (store_ails(store, AILS_PREPARATION, !ok))
        store_tell(store, !ok, "%s", ok ? "the journal has room again" : error.words);
    pthread_mutex_lock(&line->mutex);
    line->preparation = ok ? ERRAND_DONE : ERRAND_FAILED;
    line->prepare_ms = clock_monotonic_ms() + COMMIT_RETRY_MS;
    line->prepare_error = error;
    bool parked = line->parked;
    line->parked = false;
    pthread_mutex_unlock(&line->mutex);
    if (parked)
        lane_follow(line->lane, &line->job);
}

static void run_prepare(struct job *job)
{
    prepare(OWNER_OF(job, struct commit_line, prepare_job));
}

bool commit_prepare(struct commit_line *line, bool park)
{
    pthread_mutex_lock(&line->mutex);
    bool sends = line->preparation != ERRAND_RUNS && !line->closing;
    if (sends)
        line->preparation = ERRAND_RUNS;
    bool runs = line->preparation == ERRAND_RUNS;
    line->parked = park && runs;
    if (sends)
        lane_follow(line->store->prepare, &line->prepare_job);
    pthread_mutex_unlock(&line->mutex);
    if (!runs)
        prepare(line);
    return !(park && runs);
}

/* After a failure until one works, even if the journal has helped itself meanwhile: only that ends
 * the ailment. */
static void tend_segments(struct commit_line *line, uint64_t now_ms)
{
    if (!journal_wants_preparation(line->store->journal) &&
        !(atomic_load(&line->store->ails) & AILS_PREPARATION))
        return;
    pthread_mutex_lock(&line->mutex);
    bool due = line->preparation != ERRAND_RUNS && !line->closing &&
               (line->preparation != ERRAND_FAILED || now_ms >= line->prepare_ms);
    pthread_mutex_unlock(&line->mutex);
    if (due)
        commit_prepare(line, false);
}

/* --- The index --- */

/* A reader is believed, but not again within the hour: what a new index has not cured it would not
 * cure the next time, and making one takes long. */
static void hear_suspicion(struct commit_line *line, uint64_t now_ms)
{
    pthread_mutex_lock(&line->mutex);
    bool suspected = line->suspected;
    line->suspected = false;
    pthread_mutex_unlock(&line->mutex);
    if (!suspected || now_ms < line->believe_ms)
        return;
    line->believe_ms = now_ms + BELIEVE_AGAIN_MS;
    line->index_damaged = true;
}

/* What could not be synced once is not trusted again. */
static bool is_doubted(struct commit_line *line)
{
    pthread_mutex_lock(&line->mutex);
    bool doubted = line->doubted;
    line->doubted = false;
    pthread_mutex_unlock(&line->mutex);
    return doubted || (line->writer && index_is_doubted(line->writer));
}

static void tend_index(struct commit_line *line, uint64_t now_ms)
{
    struct store *store = line->store;
    struct error error = { 0 };
    hear_suspicion(line, now_ms);
    bool doubted = is_doubted(line);
    line->index_damaged |= doubted;
    if (line->index_damaged && !(atomic_load(&store->ails) & AILS_INDEX)) {
        error_set(&error, ERROR_DAMAGED,
                  doubted ? "index.db could not be synced" : "index.db is damaged");
        commit_falls_behind(line, &error);
    }
    /* A checkpoint in another lane has index.db open: no other file may take its name meanwhile. */
    if (!(atomic_load(&store->ails) & AILS_INDEX) || now_ms < line->retry_ms ||
        look(line, &line->checkpoint) == ERRAND_RUNS)
        return;
    if (line->index_damaged)
        index_close(&line->writer);
    if (!store_catch_up(store, &line->writer, &error)) {
        commit_falls_behind(line, &error);
        return;
    }
    line->index_damaged = false;
    store_ails(store, AILS_INDEX, false);
    store_tell(store, false, "the index has caught up with the journal");
}

static bool is_behind(const struct commit_line *line)
{
    return !line->writer || (atomic_load(&line->store->ails) & AILS_INDEX);
}

static bool is_closing(struct commit_line *line)
{
    pthread_mutex_lock(&line->mutex);
    bool closing = line->closing;
    pthread_mutex_unlock(&line->mutex);
    return closing;
}

/* A purge takes placements away some at a time.  True: there are more.  A store that closes goes on
 * with it when it is opened again. */
static bool tend_sweep(struct commit_line *line)
{
    if (is_behind(line) || !index_wants_sweep(line->writer) || is_closing(line))
        return false;
    struct error error = { 0 };
    struct journal_position position = journal_position(line->store->journal);
    bool more = false;
    bool ok = index_begin(line->writer, &error) &&
              index_sweep(line->writer, SWEEP_CHANGES, &more, &error) &&
              index_keep(line->writer, &position, &error);
    if (!ok)
        commit_falls_behind(line, &error);
    return ok && more;
}

/* --- Files of dead messages --- */

static void run_removal(struct job *job)
{
    struct commit_line *line = OWNER_OF(job, struct commit_line, removal_job);
    struct disk_file *hold = NULL;
    if (!disk_lock(line->store->disk, BACKUP_HOLD, &hold, NULL))
        line->dead_count = 0; /* a backup is under way: later */
    for (size_t i = 0; i < line->dead_count; i++) {
        struct error error = { 0 };
        if (!large_remove(line->store->journal, line->dead[i], &error) &&
            error.kind != ERROR_REFUSED)
            store_tell(line->store, true, "%s", error.words);
    }
    disk_unlock(&hold);
    come_back(line, &line->removal, true);
}

/* All that was applied is in index.db itself: files that it does not name may go. */
static void remove_dead(struct commit_line *line)
{
    struct error error = { 0 };
    if (look(line, &line->removal) != ERRAND_NONE)
        return;
    if (!index_list_dead(line->writer, line->dead, COMMIT_DEAD_MAX, &line->dead_count, &error))
        store_tell(line->store, true, "%s", error.words);
    else if (line->dead_count > 0)
        send_out(line, &line->removal, line->store->upkeep, &line->removal_job);
}

static void tend_removal(struct commit_line *line)
{
    if (is_behind(line) || look(line, &line->removal) != ERRAND_DONE)
        return;
    struct error error = { 0 };
    struct journal_position position = journal_position(line->store->journal);
    line->removal = ERRAND_NONE;
    if (!index_begin(line->writer, &error) ||
        !index_forget_dead(line->writer, line->dead, line->dead_count, &error) ||
        !index_keep(line->writer, &position, &error))
        commit_falls_behind(line, &error);
}

/* --- Its write-ahead log --- */

/* On a lane: most of the work, while batches go on. */
static void run_checkpoint(struct job *job)
{
    struct commit_line *line = OWNER_OF(job, struct commit_line, checkpoint_job);
    struct store *store = line->store;
    struct error error = { 0 };
    struct index *index = NULL;
    bool complete, ok = index_open(store->path, INDEX_UPKEEP, store->uuid, &index, &error);
    for (int i = 0; ok && i < PASSIVES; i++)
        ok = index_checkpoint(index, INDEX_PASSIVE, &complete, &error);
    pthread_mutex_lock(&line->mutex);
    line->doubted |= index && index_is_doubted(index);
    pthread_mutex_unlock(&line->mutex);
    index_close(&index);
    if (!ok)
        store_tell(store, true, "a checkpoint of the index failed: %s", error.words);
    come_back(line, &line->checkpoint, ok);
}

/* Another checkpoint is tried later, from its beginning: once a reader that was in the way is done,
 * most of the work is again for the other lane. */
static void put_off(struct commit_line *line, uint64_t again_ms)
{
    line->checkpoint = ERRAND_NONE; /* nobody else changes it while it does not run */
    line->checkpoint_over = index_wal_octets(line->writer) + LOG_STEP;
    line->checkpoint_ms = again_ms;
}

/* The rest of the checkpoint, between two batches: the log begins anew. */
static void restart_log(struct commit_line *line, uint64_t now_ms)
{
    struct error error = { 0 };
    bool complete = false;
    if (!index_checkpoint(line->writer, INDEX_RESTART, &complete, &error)) {
        store_tell(line->store, true, "a checkpoint of the index failed: %s", error.words);
        put_off(line, now_ms + LOG_ILL_MS);
        return;
    }
    if (!complete) { /* somebody reads, and will be done */
        put_off(line, now_ms + COMMIT_RETRY_MS);
        return;
    }
    atomic_fetch_add(&line->store->figures.checkpoints, 1);
    line->checkpoint = ERRAND_NONE;
    line->checkpoint_ms = 0;
    remove_dead(line);
    compaction_checkpointed(line);
}

static bool is_checkpoint_due(struct commit_line *line, uint64_t octets, uint64_t now_ms)
{
    if (octets < line->checkpoint_over && now_ms < line->checkpoint_ms)
        return false;
    return octets >= LOG_CHECKPOINT || index_dead_octets(line->writer) >= DEAD_OCTETS ||
           compaction_wants_checkpoint(line);
}

static void tend_log(struct commit_line *line, uint64_t now_ms)
{
    if (is_behind(line))
        return;
    struct store *store = line->store;
    uint64_t octets = index_wal_octets(line->writer);
    if (store_ails(store, AILS_LOG, octets > LOG_MAX))
        store_tell(store, octets > LOG_MAX, "the write-ahead log of the index has %llu octets",
                   (unsigned long long)octets);
    enum errand checkpoint = look(line, &line->checkpoint);
    if (checkpoint == ERRAND_RUNS)
        return;
    if (checkpoint == ERRAND_FAILED)
        put_off(line, now_ms + LOG_ILL_MS);
    if (!is_checkpoint_due(line, octets, now_ms))
        return;
    if (checkpoint == ERRAND_DONE)
        restart_log(line, now_ms);
    else
        send_out(line, &line->checkpoint, store->upkeep, &line->checkpoint_job);
}

void commit_tend_init(struct commit_line *line)
{
    line->prepare_job.run = run_prepare;
    line->checkpoint_job.run = run_checkpoint;
    line->removal_job.run = run_removal;
    compaction_init(&line->compaction, line->store);
}

bool commit_tend(struct commit_line *line)
{
    uint64_t now_ms = clock_monotonic_ms();
    space_wrote(line->store, 0);
    tend_index(line, now_ms);
    tend_segments(line, now_ms);
    tend_removal(line);
    tend_log(line, now_ms);
    bool more = tend_sweep(line);
    return compaction_tend(line, now_ms) || more;
}
