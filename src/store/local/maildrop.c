/* maildrop.c - one mailbox as a reader sees it: its lock, its counts, its list.
 *
 * Counting and listing is one job, one read transaction, one scan of neighbouring rows; all that
 * it finds lies in one arena, prefixes packed behind each other.
 */
#include "store/maildrop.h"

#include "base/arena.h"
#include "store/local/store_inner.h"

#include <stdlib.h>
#include <string.h>

enum { PREFIX_BLOCK = 64 * 1024 };
/* Ten million messages. */
#define MEMORY_MAX ((size_t)4 << 30)

uint64_t maildrop_lock(struct store *store, mailbox_id mailbox, uint64_t now_ms,
                       uint64_t stale_before_ms)
{
    return locks_take(&store->locks, mailbox, now_ms, stale_before_ms);
}

bool maildrop_touch(struct store *store, mailbox_id mailbox, uint64_t token, uint64_t now_ms)
{
    return locks_touch(&store->locks, mailbox, token, now_ms);
}

void maildrop_unlock(struct store *store, mailbox_id mailbox, uint64_t token)
{
    locks_give(&store->locks, mailbox, token);
}

/* --- Reading --- */

/* A list while it grows. */
struct listing {
    struct maildrop_read *read;
    uint64_t room; /* entries; as many as the mailbox counts */
    uint64_t count;
    char *prefixes; /* what is left of a block */
    size_t prefix_room;
};

static bool keep_prefix(struct listing *l, struct text prefix, struct text *kept_out,
                        struct error *error)
{
    if (prefix.len > l->prefix_room) {
        l->prefix_room = prefix.len > PREFIX_BLOCK ? prefix.len : PREFIX_BLOCK;
        l->prefixes = arena_take(l->read->memory, l->prefix_room);
        if (!l->prefixes)
            return error_set(error, ERROR_TEMPORARY, "out of memory");
    }
    if (prefix.len > 0)
        memcpy(l->prefixes, prefix.at, prefix.len);
    *kept_out = (struct text){ l->prefixes, prefix.len };
    l->prefixes += prefix.len;
    l->prefix_room -= prefix.len;
    return true;
}

struct maildrop_entry maildrop_entry_of(const struct index_placement *p)
{
    return (struct maildrop_entry){
        .uid = p->uid,
        .message = p->message,
        .octets = p->octets,
        .content_octets = p->octets - p->prefix.len,
        .prefix = p->prefix,
        .dot_lines = p->facts & INDEX_DOT_LINES,
        .flags = p->flags,
        .arrived_ms = p->placed_ms,
        .place = {
            .segment = p->place.segment,
            .offset = p->place.offset,
            .frame_octets = p->place.octets,
            .content_at = p->place.content_at,
            .large = p->facts & INDEX_LARGE,
        },
    };
}

static bool add_entry(void *owner, const struct index_placement *p, struct error *error)
{
    struct listing *l = owner;
    if (l->count == l->room || p->octets < p->prefix.len)
        return error_set(error, ERROR_DAMAGED, "index.db: mailbox %016llx is miscounted",
                         (unsigned long long)p->mailbox);
    struct maildrop_entry *entry = &l->read->entries[l->count++];
    *entry = maildrop_entry_of(p);
    return keep_prefix(l, p->prefix, &entry->prefix, error);
}

static bool list(struct maildrop_read *read, struct index *index, uint64_t count)
{
    struct listing l = { .read = read, .room = count };
    read->memory = malloc(sizeof *read->memory);
    if (!read->memory)
        return error_set(&read->error, ERROR_TEMPORARY, "out of memory");
    arena_init(read->memory, MEMORY_MAX);
    if (count == 0)
        return true;
    read->entries = arena_take(read->memory, (size_t)count * sizeof *read->entries);
    if (!read->entries)
        return error_set(&read->error, ERROR_TEMPORARY, "out of memory");
    struct index_visitor visitor = { .placement = add_entry, .owner = &l };
    bool ok = index_each_placement(index, read->mailbox, read->uid_below, &visitor, &read->error);
    read->count = (uint32_t)l.count;
    return ok;
}

static bool read_mailbox(struct maildrop_read *read, struct index *index)
{
    struct index_mailbox mailbox = { .uid_next = 1 };
    bool found;
    if (!index_find_mailbox(index, read->mailbox, &mailbox, &found, &read->error))
        return false;
    read->uid_validity = mailbox.uid_validity;
    read->uid_next = mailbox.uid_next;
    read->octets = mailbox.octets;
    if (mailbox.count > UINT32_MAX)
        return error_set(&read->error, ERROR_DAMAGED, "index.db: mailbox %016llx is miscounted",
                         (unsigned long long)read->mailbox);
    read->count = (uint32_t)mailbox.count;
    return !read->list || list(read, index, mailbox.count);
}

/* What an index that lags behind lacks are changes that were answered already: mail that was
 * accepted, and deletions, which would be undone before the reader's eyes. */
static bool is_behind(struct maildrop_read *read)
{
    if (!(atomic_load(&read->store->ails) & AILS_INDEX))
        return false;
    error_set(&read->error, ERROR_TEMPORARY, "the index lags behind the journal");
    return true;
}

static void run_read(struct job *job)
{
    struct maildrop_read *read = OWNER_OF(job, struct maildrop_read, job);
    if (is_behind(read))
        return;
    struct index *index = reading_begin(read->store, &read->error);
    if (!index)
        return;
    if (index_read_begin(index, &read->error)) {
        read->ok = read_mailbox(read, index);
        index_read_end(index);
    }
    reading_end(read->store, &read->error);
}

static void read_done(struct job *job)
{
    struct maildrop_read *read = OWNER_OF(job, struct maildrop_read, job);
    read->done(read);
}

bool maildrop_read_start(struct store *store, struct maildrop_read *read)
{
    read->ok = false;
    read->error = (struct error){ 0 };
    read->count = 0;
    read->octets = 0;
    read->uid_validity = read->uid_next = 0;
    read->entries = NULL;
    read->memory = NULL;
    read->store = store;
    read->job = (struct job){ .run = run_read, .done = read_done, .home = read->home };
    return lane_submit(store->fast, &read->job);
}

void maildrop_read_clear(struct maildrop_read *read)
{
    if (read->memory) {
        arena_reset(read->memory);
        free(read->memory);
    }
    read->memory = NULL;
    read->entries = NULL;
}
