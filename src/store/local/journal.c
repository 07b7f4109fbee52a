/* journal.c - the life of the journal: open, turn, abandon, prepare, close.
 *
 * Batches are written in append.c, read in reader.c, recovered in recover.c.  The writing thread
 * never creates, zeroes or renames a file, except when it abandons one and none is prepared.
 */
#include "store/local/journal_inner.h"

#include "base/check.h"
#include "store/local/recover.h"

#include <stdlib.h>
#include <string.h>

/* A quarter of the current segment is used: time for the next, and not before, so that a small
 * store stays small. */
enum { PREPARE_PART = 4 };

static bool recover(struct journal *, const struct journal_position *from,
                    const struct journal_events *, struct error *);

/* --- Opening and closing --- */

static struct journal *journal_new(const struct journal_options *options, struct error *e)
{
    struct journal *j = calloc(1, sizeof *j);
    if (!j) {
        error_set(e, ERROR_TEMPORARY, "memory is short for the journal");
        return NULL;
    }
    j->disk = options->disk;
    memcpy(j->uuid, options->store_uuid, FORMAT_UUID);
    descriptors_init(&j->descriptors, j->disk, j->uuid);
    j->segment_octets_max =
        options->segment_octets ? options->segment_octets : SEGMENT_OCTETS_DEFAULT;
    if (j->segment_octets_max < SEGMENT_OCTETS_MIN)
        j->segment_octets_max = SEGMENT_OCTETS_MIN;
    pthread_mutex_init(&j->mutex, NULL);
    pthread_cond_init(&j->prepared_ends, NULL);
    return j;
}

static bool make_folders(struct disk *disk, struct error *e)
{
    return disk_make_folder(disk, "journal", e) && disk_make_folder(disk, "journal/large", e) &&
           disk_sync_directory(disk, "journal", e) && disk_sync_directory(disk, ".", e);
}

bool journal_open(const struct journal_options *options, const struct journal_position *from,
                  const struct journal_events *events, struct journal **out, struct error *e)
{
    *out = journal_new(options, e);
    if (!*out)
        return false;
    (*out)->may_write = true;
    if (make_folders(options->disk, e) && recover(*out, from, events, e))
        return true;
    journal_close(out);
    return false;
}

bool journal_open_read(const struct journal_options *options, struct journal **out, struct error *e)
{
    *out = journal_new(options, e);
    if (*out && options->extent)
        (*out)->extent = *options->extent;
    return *out != NULL;
}

void journal_close(struct journal **journal_ref)
{
    struct journal *j = *journal_ref;
    if (!j)
        return;
    CHECK(j->preparation != PREPARATION_RUNS);
    segment_close(&j->current);
    segment_close(&j->prepared);
    assembly_clear(&j->assembly);
    descriptors_clear(&j->descriptors);
    pthread_cond_destroy(&j->prepared_ends);
    pthread_mutex_destroy(&j->mutex);
    free(j);
    *journal_ref = NULL;
}

static uint64_t current_number(struct journal *j)
{
    pthread_mutex_lock(&j->mutex);
    uint64_t number = j->current_number;
    pthread_mutex_unlock(&j->mutex);
    return number;
}

/* The segment that is written to may hold no batch yet, but says already which ones count. */
bool journal_replay(struct journal *j, const struct journal_position *from,
                    const struct journal_events *events, struct error *e)
{
    struct journal_position until = journal_position(j), at;
    const struct journal_position *end = j->may_write ? &until : NULL;
    struct chain chain = { .disk = j->disk, .uuid = j->uuid };
    if (j->may_write)
        chain.last = current_number(j);
    if (j->extent.last > 0) {
        end = &j->extent.end;
        chain.first = j->extent.first;
        chain.last = j->extent.last;
    }
    bool ok = chain_load(&chain, from, end, e) && chain_replay(&chain, from, end, events, &at, e);
    if (!j->may_write) {
        pthread_mutex_lock(&j->mutex);
        j->oldest = chain.oldest;
        pthread_mutex_unlock(&j->mutex);
    }
    chain_clear(&chain);
    return ok;
}

struct journal_position journal_position(const struct journal *j)
{
    pthread_mutex_t *mutex = (pthread_mutex_t *)(uintptr_t)&j->mutex;
    pthread_mutex_lock(mutex);
    struct journal_position at = j->position;
    pthread_mutex_unlock(mutex);
    return at;
}

/* --- Segments --- */

/* Begins the segment behind the last good batch and writes there from now on. */
static bool begin(struct journal *j, struct segment *segment, struct error *e)
{
    if (!segment_begin(segment, j->uuid, &j->position, j->retiring, e)) {
        segment_close(segment);
        return false;
    }
    pthread_mutex_lock(&j->mutex);
    j->oldest = j->retiring;
    j->current_number = segment->header.number;
    pthread_mutex_unlock(&j->mutex);
    segment_close(&j->current);
    j->current = *segment;
    j->offset = SEGMENT_START;
    j->state = JOURNAL_READY;
    *segment = (struct segment){ 0 };
    return true;
}

/* Takes the prepared segment, if there is one; with `wait` waits for one that is being made. */
static bool take_prepared(struct journal *j, bool wait, struct segment *out)
{
    pthread_mutex_lock(&j->mutex);
    while (wait && j->preparation == PREPARATION_RUNS)
        pthread_cond_wait(&j->prepared_ends, &j->mutex);
    bool taken = j->preparation == PREPARATION_DONE;
    if (taken) {
        *out = j->prepared;
        j->prepared = (struct segment){ 0 };
        j->preparation = PREPARATION_NONE;
    }
    pthread_mutex_unlock(&j->mutex);
    return taken;
}

/* Begins the prepared segment, or one that is made at once. */
static bool begin_any(struct journal *j, struct error *e)
{
    struct segment next;
    if (!take_prepared(j, true, &next)) {
        if (!journal_prepare(j, e))
            return false;
        if (!take_prepared(j, true, &next))
            return error_set(e, ERROR_TEMPORARY, "no segment of the journal could be prepared");
    }
    return begin(j, &next, e);
}

static bool recover(struct journal *j, const struct journal_position *from,
                    const struct journal_events *events, struct error *e)
{
    struct chain chain = { .disk = j->disk, .uuid = j->uuid, .may_write = true };
    bool ok = chain_load(&chain, from, NULL, e) &&
              chain_replay(&chain, from, NULL, events, &j->position, e) &&
              chain_remove_unused(&chain, e);
    j->next_number = chain.highest + 1;
    j->retiring = chain.oldest;
    j->next_octets =
        j->segment_octets_max < SEGMENT_OCTETS_FIRST ? j->segment_octets_max : SEGMENT_OCTETS_FIRST;
    /* Only the new header says for good where the old segments end; the empty ones may go then. */
    ok = ok && begin_any(j, e) && chain_remove_empty(&chain, e);
    chain_clear(&chain);
    return ok;
}

bool journal_is_full(const struct journal *j, uint64_t batch_octets)
{
    if (j->state == JOURNAL_SEALED)
        return true;
    /* A batch that is larger than a whole segment extends it. */
    return j->offset != SEGMENT_START && j->offset + batch_octets > j->current.octets;
}

bool journal_turn(struct journal *j, struct error *e)
{
    struct segment next;
    CHECK(j->state == JOURNAL_READY || j->state == JOURNAL_SEALED);
    if (!take_prepared(j, false, &next))
        return error_set(e, ERROR_TEMPORARY, "no segment of the journal is prepared");
    if (begin(j, &next, e))
        return true;
    j->state = JOURNAL_SEALED;
    return false;
}

bool journal_turn_early(struct journal *j, struct error *e)
{
    if (j->state != JOURNAL_READY && j->state != JOURNAL_SEALED)
        return error_set(e, ERROR_TEMPORARY, "the journal is being repaired");
    uint64_t left = j->current.header.number, octets = j->offset;
    if (!journal_turn(j, e))
        return false;
    pthread_mutex_lock(&j->mutex);
    j->left = left;
    j->left_octets = octets;
    pthread_mutex_unlock(&j->mutex);
    return true;
}

bool journal_must_be_abandoned(const struct journal *j)
{
    return j->state == JOURNAL_BROKEN || j->state == JOURNAL_WRITTEN;
}

bool journal_abandon(struct journal *j, struct error *e)
{
    CHECK(j->may_write);
    j->state = JOURNAL_BROKEN;
    return begin_any(j, e);
}

/* --- Preparing, in a lane of its own --- */

bool journal_wants_preparation(const struct journal *j)
{
    pthread_mutex_t *mutex = (pthread_mutex_t *)(uintptr_t)&j->mutex;
    pthread_mutex_lock(mutex);
    bool none = j->preparation == PREPARATION_NONE;
    pthread_mutex_unlock(mutex);
    return none && (j->state == JOURNAL_SEALED || j->offset >= j->current.octets / PREPARE_PART);
}

/* On a full disk a small one still lets people delete their mail. */
static bool make_next(struct journal *j, uint64_t number, struct segment *out, struct error *e)
{
    if (segment_make(j->disk, number, j->next_octets, out, e)) {
        j->next_octets *= 2;
        if (j->next_octets > j->segment_octets_max)
            j->next_octets = j->segment_octets_max;
        return true;
    }
    return j->next_octets > SEGMENT_OCTETS_MIN &&
           segment_make(j->disk, number, SEGMENT_OCTETS_MIN, out, e);
}

bool journal_prepare(struct journal *j, struct error *e)
{
    struct segment made;
    pthread_mutex_lock(&j->mutex);
    bool wanted = j->preparation == PREPARATION_NONE;
    if (wanted)
        j->preparation = PREPARATION_RUNS;
    pthread_mutex_unlock(&j->mutex);
    if (!wanted)
        return true;
    /* While it runs the numbers are its own. */
    bool ok = make_next(j, j->next_number++, &made, e);
    pthread_mutex_lock(&j->mutex);
    j->preparation = ok ? PREPARATION_DONE : PREPARATION_NONE;
    if (ok)
        j->prepared = made;
    pthread_cond_broadcast(&j->prepared_ends);
    pthread_mutex_unlock(&j->mutex);
    return ok;
}
