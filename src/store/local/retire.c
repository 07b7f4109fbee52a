/* retire.c - the old end of the journal: weighing it, reading a segment once more, giving segments
 * up.
 *
 * Never decides what is still of use in a segment: that is compaction's work.
 */
#include "store/local/journal_inner.h"
#include "store/local/recover.h"
#include "store/local/salvage.h"
#include "store/local/scan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* --- Weighing --- */

struct weighing {
    struct journal *journal;
    struct journal_weight *out;
    struct error *error;
    bool ok;
};

static bool add_size(struct journal *j, const char *name, uint64_t *octets, struct error *e)
{
    char path[SEGMENT_NAME_MAX + sizeof "journal/"];
    struct disk_file *file = NULL;
    uint64_t size = 0;
    snprintf(path, sizeof path, "journal/%s", name);
    bool ok = disk_file_open(j->disk, path, DISK_READ, &file, e) && disk_file_size(file, &size, e);
    disk_file_close(&file);
    *octets += size;
    return ok;
}

static void weigh_file(void *owner, const char *name)
{
    struct weighing *w = owner;
    uint64_t number = segment_number(name);
    if (!w->ok || number == 0 || number < journal_oldest(w->journal) || number >= w->out->current)
        return;
    if (w->out->oldest == 0 || number < w->out->oldest)
        w->out->oldest = number;
    w->ok = add_size(w->journal, name, &w->out->octets, w->error);
}

bool journal_weigh(struct journal *j, struct journal_weight *out, struct error *e)
{
    struct weighing w = { j, out, e, true };
    pthread_mutex_lock(&j->mutex);
    *out = (struct journal_weight){ .current = j->current_number };
    pthread_mutex_unlock(&j->mutex);
    return disk_list(j->disk, "journal", weigh_file, &w, e) && w.ok;
}

struct next {
    uint64_t from, number;
};

static void find_next(void *owner, const char *name)
{
    struct next *next = owner;
    uint64_t number = segment_number(name);
    if (number >= next->from && number > 0 && (next->number == 0 || number < next->number))
        next->number = number;
}

bool journal_next_segment(struct journal *j, uint64_t from, uint64_t *number_out, struct error *e)
{
    struct next next = { from, 0 };
    bool ok = disk_list(j->disk, "journal", find_next, &next, e);
    *number_out = next.number;
    return ok;
}

/* A server may be in the midst of writing the last batch: then it ends before that. */
static bool pass_unwritten(struct scan *s, struct error *e)
{
    bool whole = true;
    if (s->last.offset == 0 || !salvage_load(s, &s->last, &whole, e))
        return s->last.offset == 0;
    if (!whole)
        s->at = (struct journal_position){ s->last.segment, s->last.offset, s->last.sequence - 1,
                                           s->last.previous };
    return true;
}

bool journal_find_end(struct journal *j, struct journal_position *out, struct error *e)
{
    struct chain chain = { .disk = j->disk, .uuid = j->uuid };
    struct journal_position from = { 0 };
    struct segment segment;
    struct scan s;
    *out = from;
    bool ok = chain_load(&chain, &from, NULL, e);
    size_t last = chain.count;
    while (last > 0 && chain.links[last - 1].state != CHAIN_GOOD)
        last--;
    uint64_t number = ok && last > 0 ? chain.links[last - 1].number : 0;
    chain_clear(&chain);
    if (number == 0)
        return ok;
    if (!segment_open(j->disk, number, DISK_READ, j->uuid, &segment, e))
        return false;
    scan_init(&s, &segment);
    ok = scan_run(&s, 0, e) && pass_unwritten(&s, e);
    *out = s.at;
    scan_clear(&s);
    segment_close(&segment);
    return ok;
}

/* --- Walking --- */

struct journal_walk {
    struct segment segment;
    struct scan scan;
    bool counts;
};

bool journal_walk_open(struct journal *j, uint64_t number, const struct journal_events *events,
                       struct journal_walk **out, struct error *e)
{
    struct chain chain = { .disk = j->disk, .uuid = j->uuid };
    struct journal_position from = { .segment = number }, until = journal_position(j);
    struct journal_walk *w = calloc(1, sizeof *w);
    *out = NULL;
    if (!w)
        return error_set(e, ERROR_TEMPORARY, "memory is short for reading the journal");
    bool ok = chain_load(&chain, &from, &until, e);
    if (ok &&
        (chain.count == 0 || chain.links[0].number != number || chain.links[0].state != CHAIN_GOOD))
        ok = error_set(e, ERROR_DAMAGED, "segment %" PRIu64 " cannot be read", number);
    if (!ok || !segment_open(j->disk, number, DISK_READ, j->uuid, &w->segment, e)) {
        chain_clear(&chain);
        free(w);
        return false;
    }
    scan_init(&w->scan, &w->segment);
    w->counts = chain_set_end(&chain, 0, &w->scan);
    w->scan.events = events;
    chain_clear(&chain);
    *out = w;
    return true;
}

bool journal_walk_step(struct journal_walk *w, bool *over_out, struct error *e)
{
    uint64_t before = w->scan.offset;
    if (w->counts && !scan_run(&w->scan, before + 1, e))
        return false;
    *over_out = !w->counts || w->scan.offset == before;
    return true;
}

uint64_t journal_walk_octets(const struct journal_walk *w)
{
    return w->segment.octets;
}

void journal_walk_close(struct journal_walk **walk_ref)
{
    struct journal_walk *w = *walk_ref;
    *walk_ref = NULL;
    if (!w)
        return;
    scan_clear(&w->scan);
    segment_close(&w->segment);
    free(w);
}

/* --- Giving up --- */

void journal_retire(struct journal *j, uint64_t oldest)
{
    if (oldest > j->retiring)
        j->retiring = oldest;
}

uint64_t journal_oldest(const struct journal *j)
{
    pthread_mutex_t *mutex = (pthread_mutex_t *)(uintptr_t)&j->mutex;
    pthread_mutex_lock(mutex);
    uint64_t oldest = j->oldest;
    pthread_mutex_unlock(mutex);
    return oldest;
}

enum { REMOVED_AT_A_TIME = 64 };

/* The smallest numbers that do not count, in order. */
struct retired {
    uint64_t oldest;
    uint64_t numbers[REMOVED_AT_A_TIME];
    size_t count;
};

static void find_retired(void *owner, const char *name)
{
    struct retired *r = owner;
    uint64_t number = segment_number(name);
    if (number == 0 || number >= r->oldest)
        return;
    size_t at = r->count;
    while (at > 0 && r->numbers[at - 1] > number)
        at--;
    if (at == REMOVED_AT_A_TIME)
        return;
    r->count += r->count < REMOVED_AT_A_TIME;
    for (size_t i = r->count - 1; i > at; i--)
        r->numbers[i] = r->numbers[i - 1];
    r->numbers[at] = number;
}

static bool remove_one(struct journal *j, uint64_t number, struct error *e)
{
    char name[SEGMENT_NAME_MAX];
    segment_name(number, name);
    descriptors_forget(&j->descriptors, number);
    return disk_unlink(j->disk, name, e);
}

/* Each name is gone for good before the next one goes. */
bool journal_remove_retired(struct journal *j, uint64_t *removed_out, struct error *e)
{
    struct retired r = { .oldest = journal_oldest(j) };
    *removed_out = 0;
    do {
        r.count = 0;
        if (!disk_list(j->disk, "journal", find_retired, &r, e))
            return false;
        for (size_t i = 0; i < r.count; i++)
            if (remove_one(j, r.numbers[i], e) && disk_sync_directory(j->disk, "journal", e))
                ++*removed_out;
            else
                return false;
    } while (r.count == REMOVED_AT_A_TIME);
    return true;
}
