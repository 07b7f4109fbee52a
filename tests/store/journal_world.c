/* journal_world.c - a journal on a memory disk, with messages that can be told by their id alone.
 */
#include "journal_world.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLICES = 3, CHANGES_MAX = 64, NUMBER_BITS = 32 };

const uint8_t world_uuid[FORMAT_UUID] = "the store's uuid";

void world_init(struct world *w, uint64_t segment_octets)
{
    memset(w, 0, sizeof *w);
    w->disk = memory_disk_new();
    w->segment_octets = segment_octets;
    buffer_init(&w->notices, 1 << 20);
}

void world_copy(struct world *w, const struct world *from)
{
    memset(w, 0, sizeof *w);
    w->disk = memory_disk_copy(from->disk);
    w->segment_octets = from->segment_octets;
    w->counter = from->counter;
    buffer_init(&w->notices, 1 << 20);
}

void world_clear(struct world *w)
{
    world_close(w);
    buffer_clear(&w->notices);
    memory_disk_free(&w->disk);
}

/* --- Messages --- */

message_id world_next_id(struct world *w, size_t octets)
{
    CHECK(octets < (size_t)1 << 30);
    return (message_id)octets << NUMBER_BITS | ++w->counter;
}

size_t world_octets(message_id id)
{
    return (size_t)(id >> NUMBER_BITS);
}

void world_content(message_id id, uint8_t *out)
{
    uint64_t state = id * 0x9e3779b97f4a7c15u | 1;
    for (size_t left = world_octets(id), some; left; left -= some, out += some) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        some = left < sizeof state ? left : sizeof state;
        memcpy(out, &state, some);
    }
}

static struct bytes changes_of(message_id id, char out[CHANGES_MAX])
{
    int len = snprintf(out, CHANGES_MAX, "changes of %llx", (unsigned long long)id);
    return (struct bytes){ (const uint8_t *)out, (size_t)len };
}

bool world_is_padding(const struct seen *s, uint64_t offset)
{
    char changes[CHANGES_MAX];
    uint64_t at = offset - s->place.offset;
    uint64_t content_end = s->place.content_at + world_octets(s->message);
    uint64_t changes_end = UNIT_HEADER + format_blocks(world_octets(s->message)) * 8 +
                           changes_of(s->message, changes).len;
    return (at >= changes_end && at < s->place.content_at) || at >= content_end;
}

/* --- Replay --- */

static bool is_right(const struct unit *u)
{
    char changes[CHANGES_MAX];
    struct bytes expected = changes_of(u->message, changes);
    size_t octets = world_octets(u->message);
    if (u->changes.len != expected.len || memcmp(u->changes.at, expected.at, expected.len) != 0 ||
        u->content_octets != octets)
        return false;
    if (u->large || octets == 0)
        return true;
    uint8_t *content = malloc(octets);
    CHECK(content != NULL);
    world_content(u->message, content);
    bool right = u->content_count == 1 && u->content->iov_len == octets &&
                 memcmp(content, u->content->iov_base, octets) == 0;
    free(content);
    return right;
}

static bool replayed(void *owner, const struct unit *u, const struct journal_position *after,
                     struct error *e)
{
    struct world *w = owner;
    (void)e;
    CHECK(w->seen_count < WORLD_SEEN_MAX);
    w->seen[w->seen_count++] = (struct seen){ u->message, u->place, *after };
    w->is_wrong |= !is_right(u);
    return true;
}

static void noticed(void *owner, bool is_trouble, const char *words)
{
    struct world *w = owner;
    buffer_printf(&w->notices, "%s\n", words);
    w->notice_count++;
    w->trouble_count += is_trouble;
}

struct journal_events world_events(struct world *w)
{
    w->seen_count = 0;
    w->is_wrong = false;
    w->notice_count = w->trouble_count = 0;
    w->notices.len = 0;
    return (struct journal_events){ .replay = replayed, .notice = noticed, .owner = w };
}

bool world_open(struct world *w, const struct journal_position *from)
{
    static const struct journal_position beginning = { 0 };
    struct journal_events events = world_events(w);
    struct journal_options options = { w->disk, world_uuid, w->segment_octets };
    return journal_open(&options, from ? from : &beginning, &events, &w->journal, &w->error);
}

bool world_replay(struct world *w, const struct journal_position *from)
{
    static const struct journal_position beginning = { 0 };
    struct journal_events events = world_events(w);
    return journal_replay(w->journal, from ? from : &beginning, &events, &w->error);
}

void world_close(struct world *w)
{
    journal_close(&w->journal);
}

bool world_has_seen(const struct world *w, message_id id)
{
    for (size_t i = 0; i < w->seen_count; i++)
        if (w->seen[i].message == id)
            return true;
    return false;
}

/* --- Writing --- */

struct draft {
    char changes[CHANGES_MAX];
    struct iovec slices[SLICES];
    uint8_t *content;
};

/* Content comes in slices of uneven length. */
static void draft_unit(struct draft *d, struct unit *u, message_id id)
{
    size_t octets = world_octets(id), at = 0;
    d->content = malloc(octets + 1);
    CHECK(d->content != NULL);
    world_content(id, d->content);
    for (int i = 0; i < SLICES; i++) {
        size_t len = i == SLICES - 1 ? octets - at : (octets - at) / 3;
        d->slices[i] = (struct iovec){ d->content + at, len };
        at += len;
    }
    *u = (struct unit){
        .message = id,
        .changes = changes_of(id, d->changes),
        .content = d->slices,
        .content_count = SLICES,
        .content_octets = octets,
    };
}

bool world_append(struct world *w, const size_t *sizes, size_t count, struct seen *out)
{
    struct draft drafts[WORLD_UNITS_MAX];
    struct unit units[WORLD_UNITS_MAX];
    CHECK(count <= WORLD_UNITS_MAX);
    for (size_t i = 0; i < count; i++)
        draft_unit(&drafts[i], &units[i], world_next_id(w, sizes[i]));
    bool ok = true;
    if (journal_is_full(w->journal, journal_batch_octets(units, count)))
        ok = journal_prepare(w->journal, &w->error) && journal_turn(w->journal, &w->error);
    ok = ok && journal_append(w->journal, units, count, &w->error);
    for (size_t i = 0; i < count; i++) {
        if (out)
            out[i] = (struct seen){ units[i].message, units[i].place, { 0 } };
        free(drafts[i].content);
    }
    return ok;
}

void world_write(struct world *w, const size_t *sizes, size_t count, struct seen *out)
{
    CHECK(world_append(w, sizes, count, out));
    CHECK(journal_sync(w->journal, &w->error));
    struct journal_position after = journal_position(w->journal);
    for (size_t i = 0; out && i < count; i++)
        out[i].after = after;
}
