/* append.c - one batch of units: put together, written with one call, synced.
 *
 * Content is never copied: it goes to the disk from where it lies, and is only passed over once for
 * its checksums.
 */
#include "store/local/journal_inner.h"

#include "base/check.h"

#include <stdlib.h>
#include <xxhash.h>

static const uint8_t zeros[JOURNAL_ALIGN];

void assembly_clear(struct assembly *a)
{
    free(a->parts);
    free(a->heads);
    if (a->hasher)
        XXH3_freeState(a->hasher);
    *a = (struct assembly){ 0 };
}

/* --- Sizes --- */

static uint64_t unit_octets(const struct unit *u)
{
    return UNIT_HEADER + format_blocks(u->content_octets) * 8 + format_pad(u->changes.len) +
           (u->large ? 0 : format_pad(u->content_octets));
}

static uint64_t batch_octets(const struct unit *units, size_t count)
{
    uint64_t octets = BATCH_HEADER;
    for (size_t i = 0; i < count; i++)
        octets += unit_octets(&units[i]);
    return octets;
}

uint64_t journal_batch_octets(const struct unit *units, size_t count)
{
    return format_align(batch_octets(units, count));
}

/* --- Memory --- */

static bool grow(void **at, size_t *room, size_t need, size_t size)
{
    if (need <= *room)
        return true;
    size_t more = *room * 2 > need ? *room * 2 : need;
    void *bigger = realloc(*at, more * size);
    if (!bigger)
        return false;
    *at = bigger;
    *room = more;
    return true;
}

/* Bounded by what one batch may hold, which the caller has checked. */
static bool assembly_reserve(struct assembly *a, const struct unit *units, size_t count)
{
    size_t parts = 2, heads = BATCH_HEADER;
    for (size_t i = 0; i < count; i++) {
        parts += 5 + (size_t)units[i].content_count;
        heads += UNIT_HEADER + format_blocks(units[i].content_octets) * 8;
    }
    a->part_count = 0;
    a->head_octets = 0;
    if (!a->hasher)
        a->hasher = XXH3_createState();
    return a->hasher && grow((void **)&a->parts, &a->part_room, parts, sizeof *a->parts) &&
           grow((void **)&a->heads, &a->head_room, heads, 1);
}

static void add_part(struct assembly *a, const void *at, size_t len)
{
    if (len == 0)
        return;
    CHECK(a->part_count < a->part_room);
    a->parts[a->part_count++] = (struct iovec){ (void *)(uintptr_t)at, len };
}

static uint8_t *take_head(struct assembly *a, size_t octets)
{
    CHECK(octets <= a->head_room - a->head_octets);
    uint8_t *head = a->heads + a->head_octets;
    a->head_octets += octets;
    return head;
}

/* --- Checksums of content that lies in slices --- */

struct slices {
    const struct iovec *at;
    int count;
    size_t used; /* of the first */
};

/* The front of the slices that lies together, at most `max` octets. */
static struct bytes next_piece(struct slices *s, size_t max)
{
    while (s->count && s->used == s->at->iov_len) {
        s->at++;
        s->count--;
        s->used = 0;
    }
    CHECK(s->count > 0);
    size_t len = s->at->iov_len - s->used;
    if (len > max)
        len = max;
    struct bytes piece = { (const uint8_t *)s->at->iov_base + s->used, len };
    s->used += len;
    return piece;
}

/* The plain checksum of the next `octets`. */
static uint64_t sum_slices(XXH3_state_t *hasher, const struct format_key *key, struct slices *s,
                           size_t octets)
{
    struct bytes piece = next_piece(s, octets);
    if (piece.len == octets)
        return format_checksum(key, piece);
    XXH3_64bits_reset_withSecret(hasher, key->secret, FORMAT_SECRET);
    for (;;) {
        XXH3_64bits_update(hasher, piece.at, piece.len);
        octets -= piece.len;
        if (octets == 0)
            return XXH3_64bits_digest(hasher);
        piece = next_piece(s, octets);
    }
}

static void put_block_checksums(struct assembly *a, const struct format_key *key,
                                const struct unit *u, uint8_t *table)
{
    struct slices slices = { u->content, u->content_count, 0 };
    uint64_t left = u->content_octets;
    for (uint64_t block = 0; left; block++) {
        size_t octets = left < JOURNAL_BLOCK ? (size_t)left : JOURNAL_BLOCK;
        uint64_t plain = sum_slices(a->hasher, key, &slices, octets);
        format_put_checksum(table, block, format_block_checksum(key, u->message, block, plain));
        left -= octets;
    }
}

/* --- A batch --- */

static void add_content(struct assembly *a, const struct unit *u)
{
    uint64_t octets = 0;
    for (int i = 0; i < u->content_count; i++) {
        octets += u->content[i].iov_len;
        add_part(a, u->content[i].iov_base, u->content[i].iov_len);
    }
    CHECK(octets == u->content_octets);
    add_part(a, zeros, format_pad(octets) - octets);
}

/* Adds one unit at `offset` of the segment; returns its checksum. */
static uint64_t add_unit(struct journal *j, struct unit *u, uint64_t offset, uint64_t sequence)
{
    struct assembly *a = &j->assembly;
    const struct format_key *key = &j->current.header.key;
    struct unit_header h = {
        .offset = offset,
        .sequence = sequence,
        .message = u->message,
        .content_octets = u->content_octets,
        .octets = (uint32_t)unit_octets(u),
        .changes_octets = (uint32_t)u->changes.len,
        .blocks = (uint32_t)format_blocks(u->content_octets),
        .flags = u->large ? UNIT_LARGE : 0,
        .changes_checksum = format_checksum(key, u->changes),
    };
    CHECK(u->changes.len > 0);
    CHECK(u->message != 0 || u->content_octets == 0);
    CHECK(!u->large || u->content_octets != 0);
    uint8_t *head = take_head(a, unit_changes_at(&h));
    if (u->large) {
        for (uint32_t i = 0; i < h.blocks; i++)
            format_put_checksum(head + UNIT_HEADER, i, u->large_checksums[i]);
    } else {
        put_block_checksums(a, key, u, head + UNIT_HEADER);
    }
    unit_header_encode(key, &h, head);
    add_part(a, head, unit_changes_at(&h));
    add_part(a, u->changes.at, u->changes.len);
    add_part(a, zeros, format_pad(u->changes.len) - u->changes.len);
    if (!u->large)
        add_content(a, u);
    u->place = (struct unit_place){ j->current.header.number, offset, h.octets,
                                    u->large ? 0 : unit_content_at(&h) };
    return h.checksum;
}

/* Puts all of it together and returns the header. */
static struct batch_header assemble(struct journal *j, struct unit *units, size_t count)
{
    struct assembly *a = &j->assembly;
    struct batch_header h = {
        .segment = j->current.header.number,
        .offset = j->offset,
        .sequence = j->position.sequence + 1,
        .previous = j->position.checksum,
        .octets = (uint32_t)batch_octets(units, count),
        .units = (uint32_t)count,
    };
    const struct format_key *key = &j->current.header.key;
    uint8_t checksums[JOURNAL_BATCH_UNITS_MAX * 8];
    uint8_t *head = take_head(a, BATCH_HEADER);
    add_part(a, head, BATCH_HEADER);
    uint64_t offset = j->offset + BATCH_HEADER;
    for (size_t i = 0; i < count; i++) {
        format_put_checksum(checksums, i, add_unit(j, &units[i], offset, h.sequence));
        offset += units[i].place.octets;
    }
    h.units_checksum = format_checksum(key, (struct bytes){ checksums, count * 8 });
    batch_header_encode(key, &h, head);
    add_part(a, zeros, format_align(h.octets) - h.octets);
    return h;
}

bool journal_append(struct journal *j, struct unit *units, size_t count, struct error *e)
{
    CHECK(j->state == JOURNAL_READY);
    CHECK(count >= 1 && count <= JOURNAL_BATCH_UNITS_MAX);
    if (batch_octets(units, count) > BATCH_OCTETS_LIMIT)
        return error_set(e, ERROR_REFUSED, "a batch is too large for the journal");
    if (!assembly_reserve(&j->assembly, units, count))
        return error_set(e, ERROR_TEMPORARY, "memory is short for a batch of the journal");
    struct batch_header h = assemble(j, units, count);
    j->state = JOURNAL_BROKEN;
    if (!segment_write(j->current.file, j->offset, j->assembly.parts, j->assembly.part_count, e))
        return false;
    j->state = JOURNAL_WRITTEN;
    j->written = (struct journal_position){ h.segment, h.offset + format_align(h.octets),
                                            h.sequence, h.checksum };
    return true;
}

bool journal_sync(struct journal *j, struct error *e)
{
    CHECK(j->state == JOURNAL_WRITTEN);
    j->state = JOURNAL_BROKEN;
    if (!disk_file_sync(j->current.file, e))
        return false;
    j->offset = j->written.offset;
    pthread_mutex_lock(&j->mutex);
    j->position = j->written;
    pthread_mutex_unlock(&j->mutex);
    j->state = JOURNAL_READY;
    return true;
}
