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
#include <stdlib.h>

/* --- Weighing --- */

static bool add_size(struct journal *j, uint64_t number, uint64_t *octets, struct error *e)
{
    char name[SEGMENT_NAME_MAX];
    struct disk_file *file = NULL;
    uint64_t size = 0;
    segment_name(number, name);
    bool ok = disk_file_open(j->disk, name, DISK_READ, &file, e) && disk_file_size(file, &size, e);
    disk_file_close(&file);
    *octets += size;
    return ok;
}

bool journal_weigh(struct journal *j, struct journal_weight *out, struct error *e)
{
    struct segment_list list;
    pthread_mutex_lock(&j->mutex);
    uint64_t oldest = j->oldest;
    *out = (struct journal_weight){ .current = j->current_number };
    pthread_mutex_unlock(&j->mutex);
    bool ok = segment_list_read(j->disk, &list, e);
    for (size_t i = 0; ok && i < list.count && list.numbers[i] < out->current; i++) {
        if (list.numbers[i] < oldest) {
            out->retired++;
            continue;
        }
        if (out->oldest == 0)
            out->oldest = list.numbers[i];
        ok = add_size(j, list.numbers[i], &out->octets, e);
    }
    segment_list_clear(&list);
    return ok;
}

bool journal_next_segment(struct journal *j, uint64_t from, uint64_t *number_out, struct error *e)
{
    struct segment_list list;
    size_t i = 0;
    bool ok = segment_list_read(j->disk, &list, e);
    while (ok && i < list.count && list.numbers[i] < from)
        i++;
    *number_out = ok && i < list.count ? list.numbers[i] : 0;
    segment_list_clear(&list);
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
    if (ok && (chain.count == 0 || chain.links[0].number != number ||
               chain.links[0].state == CHAIN_UNREADABLE))
        ok = error_set(e, ERROR_DAMAGED, "segment %" PRIu64 " cannot be read", number);
    if (!ok || !segment_open(j->disk, number, DISK_READ, j->uuid, &w->segment, e)) {
        chain_clear(&chain);
        free(w);
        return false;
    }
    scan_init(&w->scan, &w->segment);
    /* One that was never begun is there when its removal did not outlive a power cut. */
    w->counts = chain.links[0].state == CHAIN_GOOD && chain_set_end(&chain, 0, &w->scan);
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
    struct segment_list list;
    uint64_t oldest = journal_oldest(j);
    *removed_out = 0;
    bool ok = segment_list_read(j->disk, &list, e);
    for (size_t i = 0; ok && i < list.count && list.numbers[i] < oldest; i++) {
        ok = remove_one(j, list.numbers[i], e) && disk_sync_directory(j->disk, "journal", e);
        *removed_out += ok;
    }
    segment_list_clear(&list);
    return ok;
}

static bool trim(struct journal *j, uint64_t number, uint64_t octets, struct error *e)
{
    char name[SEGMENT_NAME_MAX];
    struct disk_file *file = NULL;
    segment_name(number, name);
    bool ok = disk_file_open(j->disk, name, DISK_WRITE, &file, e) &&
              (!segment_is_zero(file, octets) || disk_file_truncate(file, octets, e));
    disk_file_close(&file);
    return ok;
}

bool journal_trim_left(struct journal *j, struct error *e)
{
    pthread_mutex_lock(&j->mutex);
    uint64_t left = j->left < j->oldest ? 0 : j->left, octets = j->left_octets;
    j->left = 0;
    pthread_mutex_unlock(&j->mutex);
    return left == 0 || trim(j, left, octets, e);
}
