/* fuzz_journal.c - recovery from any segment: the checksums are made right first, as only this
 * program could, so that the input gets past them.
 *
 * The first octet says what is made right, the next two where a following segment says that this
 * one ends; then come stretches with their lengths, each of which is put at the next multiple of
 * 4096.  Then: recovery works; every unit that it brings can
 * be read and is the same again; a second recovery brings the same; and replay from any position
 * that it told brings exactly the rest.
 */
#include "../tests/store/memory_disk.h"
#include "base/buffer.h"
#include "base/check.h"
#include "store/local/format.h"
#include "store/local/journal.h"
#include "store/local/little.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    SEAL_UNITS = 1,
    SEAL_BATCHES = 2,
    CHAIN_BATCHES = 4,
    NAMED_END = 8,
    UNREADABLE_END = 16,
    BODY_MAX = 48 * 1024,
    SEEN_MAX = 1024,
    POSITIONS_MAX = 6,
};

static const uint8_t uuid[FORMAT_UUID] = "a store for fuzz";

struct seen {
    message_id message;
    struct unit_place place;
    struct journal_position after;
    bool large;
    uint64_t content; /* its octets in short */
};

struct run {
    struct seen seen[SEEN_MAX];
    size_t count;
};

static struct segment_header make_header(uint64_t number, size_t octets)
{
    struct segment_header h = { .number = number, .octets = octets };
    for (size_t i = 0; i < FORMAT_SECRET; i++)
        h.key.secret[i] = (uint8_t)(i * 151 + number * 7 + i / 7);
    return h;
}

/* --- Making right --- */

static void seal_unit(const struct format_key *key, uint8_t *at, size_t len, uint64_t offset)
{
    struct unit_header h;
    little_put_u64(at + 16, offset);
    if (!unit_header_peek(at, offset, &h) || h.octets > len)
        return;
    struct bytes changes = { at + unit_changes_at(&h), h.changes_octets };
    h.changes_checksum = format_checksum(key, changes);
    uint64_t left = h.flags & UNIT_LARGE ? 0 : h.content_octets;
    const uint8_t *content = at + unit_content_at(&h);
    for (uint64_t i = 0; left; i++) {
        uint64_t some = left < JOURNAL_BLOCK ? left : JOURNAL_BLOCK;
        struct bytes block = { content + i * JOURNAL_BLOCK, some };
        format_put_checksum(at + UNIT_HEADER, i, format_checksum_block(key, h.message, i, block));
        left -= some;
    }
    unit_header_encode(key, &h, at);
}

static uint64_t sum_units(const struct format_key *key, const uint8_t *at, size_t len,
                          const struct batch_header *h)
{
    uint8_t checksums[JOURNAL_BATCH_UNITS_MAX * 8];
    uint64_t used = BATCH_HEADER;
    uint32_t count = 0;
    struct unit_header unit;
    while (
        count < h->units && count < JOURNAL_BATCH_UNITS_MAX && used < len &&
        unit_header_decode(key, (struct bytes){ at + used, len - used }, h->offset + used, &unit)) {
        format_put_checksum(checksums, count++, unit.checksum);
        used += unit.octets;
    }
    return format_checksum(key, (struct bytes){ checksums, count * 8 });
}

static void seal_batch(const struct segment_header *segment, uint8_t *at, size_t len, int flags,
                       struct journal_position *last)
{
    struct batch_header h = {
        .segment = segment->number,
        .offset = last->offset,
        .sequence = flags & CHAIN_BATCHES ? last->sequence + 1 : little_u64(at + 32),
        .previous = flags & CHAIN_BATCHES ? last->checksum : little_u64(at + 40),
        .octets = little_u32(at + 56),
        .units = little_u32(at + 60),
    };
    h.units_checksum = sum_units(&segment->key, at, len, &h);
    batch_header_encode(&segment->key, &h, at);
    last->sequence = h.sequence;
    last->checksum = h.checksum;
}

/* Makes the checksums right; *end, whose offset is given, gets the batch that ends there. */
static void seal(const struct segment_header *segment, uint8_t *image, size_t len, int flags,
                 struct journal_position *end)
{
    struct journal_position last = { .segment = segment->number };
    for (size_t i = SEGMENT_START; i + UNIT_HEADER <= len; i += 8)
        if ((flags & SEAL_UNITS) && memcmp(image + i, "GODWITU1", 8) == 0)
            seal_unit(&segment->key, image + i, len - i, i);
    for (size_t i = SEGMENT_START; i + BATCH_HEADER <= len; i += JOURNAL_ALIGN) {
        last.offset = i;
        if (end->offset == i)
            *end = last;
        if ((flags & SEAL_BATCHES) && memcmp(image + i, "GODWITB1", 8) == 0)
            seal_batch(segment, image + i, len - i, flags, &last);
    }
}

/* Lays the stretches out behind the header; returns the length of the segment. */
static size_t lay_out(const uint8_t *data, size_t size, uint8_t *image)
{
    size_t at = SEGMENT_START, end = SEGMENT_START;
    while (size > 2 && at < SEGMENT_START + BODY_MAX) {
        size_t len = data[0] | (size_t)data[1] << 8;
        if (len > size - 2)
            len = size - 2;
        if (len > SEGMENT_START + BODY_MAX - at)
            len = SEGMENT_START + BODY_MAX - at;
        memcpy(image + at, data + 2, len);
        data += 2 + len;
        size -= 2 + len;
        end = at + len;
        at = format_align(end + 1);
    }
    return end;
}

static struct disk *make_disk(const uint8_t *data, size_t size)
{
    int flags = data[0];
    struct journal_position end = {
        .segment = 1,
        .offset = SEGMENT_START + (uint64_t)(data[1] % 16) * JOURNAL_ALIGN,
        .sequence = data[2],
    };
    struct segment_header first = make_header(1, 0), second = make_header(2, 0);
    struct disk *disk = memory_disk_new();
    uint8_t page[2 * FILE_HEADER] = { 1 };
    uint8_t *image = calloc(1, SEGMENT_START + BODY_MAX);
    CHECK(image != NULL);
    segment_header_encode(&first, uuid, image);
    size_t len = lay_out(data + 3, size - 3, image);
    seal(&first, image, len, flags, &end);
    memory_disk_put(disk, "journal/00000001.seg", image, len);
    if (flags & NAMED_END) {
        second.previous = end;
        segment_header_encode(&second, uuid, page);
        memory_disk_put(disk, "journal/00000002.seg", page, sizeof page);
    } else if (flags & UNREADABLE_END) {
        memory_disk_put(disk, "journal/00000002.seg", data, size);
    }
    free(image);
    return disk;
}

/* --- Looking --- */

static bool replayed(void *owner, const struct unit *u, const struct journal_position *after,
                     struct error *e)
{
    struct run *run = owner;
    struct text content = { "", 0 };
    (void)e;
    CHECK(u->changes.len > 0);
    if (u->content_count) {
        CHECK(u->content_count == 1 && u->content->iov_len == u->content_octets);
        content = (struct text){ u->content->iov_base, u->content->iov_len };
    }
    if (run->count < SEEN_MAX)
        run->seen[run->count++] =
            (struct seen){ u->message, u->place, *after, u->large, text_hash(content, 1) };
    return true;
}

static void noticed(void *owner, bool is_trouble, const char *words)
{
    (void)owner, (void)is_trouble;
    CHECK(words[0] != 0);
}

static void recover(struct disk *disk, struct run *run, struct journal **out)
{
    struct journal_position from = { 0 };
    struct journal_events events = { .replay = replayed, .notice = noticed, .owner = run };
    struct journal_options options = { disk, uuid, 1 };
    struct error e;
    run->count = 0;
    CHECK(journal_open(&options, &from, &events, out, &e));
}

static void read_unit(struct journal *j, const struct seen *s)
{
    struct unit_reader *r;
    struct bytes b;
    struct error e;
    struct buffer all;
    bool would_block;
    if (s->message == 0 || s->large)
        return;
    CHECK(unit_open(j, s->message, &s->place, false, &would_block, &r, &e));
    buffer_init(&all, BODY_MAX + 1);
    for (uint64_t at = 0; at < unit_content_octets(r); at += b.len) {
        CHECK(unit_read(r, at, true, &would_block, &b, &e) && b.len > 0);
        CHECK(buffer_append(&all, b.at, b.len));
    }
    CHECK(text_hash(buffer_as_text(&all), 1) == s->content);
    buffer_clear(&all);
    unit_close(&r);
}

static bool same(const struct seen *a, const struct seen *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (a[i].message != b[i].message || a[i].place.offset != b[i].place.offset ||
            a[i].content != b[i].content || a[i].after.offset != b[i].after.offset ||
            a[i].after.sequence != b[i].after.sequence)
            return false;
    return true;
}

/* From the position behind unit `i` on, the rest. */
static void check_rest(struct journal *j, const struct run *all, size_t i, struct run *rest)
{
    struct journal_events events = { .replay = replayed, .notice = noticed, .owner = rest };
    const struct journal_position *from = &all->seen[i].after;
    struct error e;
    while (i < all->count && all->seen[i].after.offset == from->offset)
        i++;
    rest->count = 0;
    CHECK(journal_replay(j, from, &events, &e));
    CHECK(rest->count == all->count - i);
    CHECK(same(rest->seen, all->seen + i, rest->count));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t front = 3;
    struct run *runs = calloc(3, sizeof *runs);
    struct journal *j = NULL;
    CHECK(runs != NULL);
    struct disk *disk = size > front ? make_disk(data, size) : memory_disk_new();
    recover(disk, &runs[0], &j);
    for (size_t i = 0; i < runs[0].count; i++)
        read_unit(j, &runs[0].seen[i]);
    journal_close(&j);
    recover(disk, &runs[1], &j);
    CHECK(runs[0].count == runs[1].count);
    CHECK(same(runs[0].seen, runs[1].seen, runs[0].count));
    for (size_t i = 0; i < runs[0].count && i < POSITIONS_MAX; i++)
        check_rest(j, &runs[0], i, &runs[2]);
    journal_close(&j);
    memory_disk_free(&disk);
    free(runs);
    return 0;
}
