/* test_recover.c - what a crash, a torn write and a rotten disk leave, and what of it counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "journal_world.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEGMENT = 128 * 1024, SEGMENT_SMALL = 64 * 1024, BATCHES = 8, UNITS = 3, FIRST = 2 };

static const char first_segment[] = "journal/00000001.seg";

/* --- A journal of one segment with known batches --- */

struct written {
    struct world world; /* closed */
    struct seen units[BATCHES][UNITS];
    uint8_t *image; /* of the segment, borrowed */
    size_t len;
};

static uint64_t begin_of(const struct written *w, size_t batch)
{
    return batch ? w->units[batch - 1][0].after.offset : SEGMENT_START;
}

static void write_all(struct written *w)
{
    static const size_t sizes[BATCHES][UNITS] = {
        { 100, 0, 3000 },  { 5000, 1, 2 }, { 10, 20, 30 },    { 4096, 4000, 0 },
        { 700, 800, 900 }, { 1, 9000, 1 }, { 512, 513, 511 }, { 2000, 6000, 40 },
    };
    world_init(&w->world, SEGMENT);
    assert_true(world_open(&w->world, NULL));
    for (size_t i = 0; i < BATCHES; i++)
        world_write(&w->world, sizes[i], UNITS, w->units[i]);
    world_close(&w->world);
    w->image = memory_disk_octets(w->world.disk, first_segment, &w->len);
    assert_int_equal(w->units[BATCHES - 1][0].after.segment, 1);
}

/* How many of the batch's units the last replay brought. */
static size_t seen_of(const struct world *w, const struct seen *units)
{
    size_t count = 0;
    for (size_t i = 0; i < UNITS; i++)
        count += world_has_seen(w, units[i].message);
    return count;
}

/* The first `batches` and nothing else. */
static void assert_prefix(const struct world *w, const struct written *all, size_t batches)
{
    assert_false(w->is_wrong);
    assert_int_equal(w->trouble_count, 0);
    assert_int_equal(w->seen_count, batches * UNITS);
    for (size_t i = 0; i < batches; i++)
        assert_int_equal(seen_of(w, all->units[i]), UNITS);
}

/* Recovery of a changed image, then again: the second time brings the same. */
static void recover_twice(struct world *w)
{
    world_close(w);
    assert_true(world_open(w, NULL));
    size_t seen = w->seen_count, troubles = w->trouble_count;
    struct journal_position at = journal_position(w->journal);
    world_close(w);
    assert_true(world_open(w, NULL));
    assert_int_equal(w->seen_count, seen);
    assert_int_equal(w->trouble_count, troubles);
    struct journal_position again = journal_position(w->journal);
    assert_memory_equal(&at, &again, sizeof at);
}

static void test_every_truncation_leaves_a_prefix(void **state)
{
    (void)state;
    struct written all;
    write_all(&all);
    uint64_t end = all.units[BATCHES - 1][0].after.offset;
    for (uint64_t len = SEGMENT_START; len <= end; len += 256) {
        struct world w;
        world_copy(&w, &all.world);
        size_t old;
        uint8_t *image = memory_disk_octets(w.disk, first_segment, &old);
        /* Zeros or nothing at all behind the cut: both happen. */
        struct disk_file *file;
        if (len % 512)
            memset(image + len, 0, old - len);
        else if (disk_file_open(w.disk, first_segment, DISK_WRITE, &file, NULL)) {
            disk_file_truncate(file, len, NULL);
            disk_file_close(&file);
        }
        recover_twice(&w);
        size_t batches = 0;
        /* Padding is no loss. */
        while (batches < BATCHES && len >= all.units[batches][UNITS - 1].place.offset +
                                               all.units[batches][UNITS - 1].place.octets)
            batches++;
        assert_prefix(&w, &all, batches);
        world_clear(&w);
    }
    world_clear(&all.world);
}

static void test_every_torn_last_batch_is_dropped(void **state)
{
    (void)state;
    struct written all;
    write_all(&all);
    uint64_t from = begin_of(&all, BATCHES - 1);
    uint64_t end = all.units[BATCHES - 1][0].after.offset;
    uint64_t used = all.units[BATCHES - 1][UNITS - 1].place.offset +
                    all.units[BATCHES - 1][UNITS - 1].place.octets;
    unsigned sectors = (unsigned)((end - from) / MEMORY_SECTOR);
    for (unsigned round = 0; round < 400; round++) {
        struct world w;
        world_copy(&w, &all.world);
        size_t len;
        uint8_t *image = memory_disk_octets(w.disk, first_segment, &len);
        bool lost = false;
        /* Single sectors first, then patterns. */
        for (unsigned i = 0; i < sectors; i++) {
            bool drop = round < sectors ? i == round : (round * 2654435761u >> (i % 23)) & 1;
            if (!drop)
                continue;
            memset(image + from + i * MEMORY_SECTOR, 0, MEMORY_SECTOR);
            lost |= from + i * MEMORY_SECTOR < used;
        }
        recover_twice(&w);
        assert_prefix(&w, &all, lost ? BATCHES - 1 : BATCHES);
        world_clear(&w);
    }
    world_clear(&all.world);
}

static void assert_only_hit_is_lost(const struct world *w, const struct seen *u, uint64_t at)
{
    char id[MESSAGE_ID_TEXT + 1];
    bool hit =
        at >= u->place.offset && at < u->place.offset + u->place.octets && !world_is_padding(u, at);
    assert_int_equal(world_has_seen(w, u->message), !hit);
    /* It is named, unless its name itself is lost. */
    bool in_head = at < u->place.offset + UNIT_HEADER + 8;
    message_id_print(u->message, id);
    bool named = w->notices.len && memmem(w->notices.at, w->notices.len, id, MESSAGE_ID_TEXT);
    if (hit)
        assert_true(in_head || named);
}

/* A batch that others follow was synced once: what fails now is damage. */
static void test_every_flip_costs_one_unit(void **state)
{
    (void)state;
    struct written all;
    write_all(&all);
    for (uint64_t at = SEGMENT_START; at < begin_of(&all, BATCHES - 1); at += 29) {
        struct world w;
        world_copy(&w, &all.world);
        size_t len;
        memory_disk_octets(w.disk, first_segment, &len)[at] ^= 0x10;
        recover_twice(&w);
        assert_false(w.is_wrong);
        for (size_t i = 0; i < BATCHES; i++)
            for (size_t k = 0; k < UNITS; k++)
                assert_only_hit_is_lost(&w, &all.units[i][k], at);
        world_clear(&w);
    }
    world_clear(&all.world);
}

static void test_every_flip_in_the_last_batch_is_a_torn_tail(void **state)
{
    (void)state;
    struct written all;
    write_all(&all);
    for (uint64_t at = begin_of(&all, BATCHES - 1); at < all.units[BATCHES - 1][0].after.offset;
         at += 31) {
        struct world w;
        world_copy(&w, &all.world);
        size_t len;
        memory_disk_octets(w.disk, first_segment, &len)[at] ^= 0x10;
        bool hit = at < begin_of(&all, BATCHES - 1) + BATCH_HEADER;
        for (size_t k = 0; k < UNITS; k++) {
            const struct seen *u = &all.units[BATCHES - 1][k];
            hit |= at >= u->place.offset && at < u->place.offset + u->place.octets &&
                   !world_is_padding(u, at);
        }
        recover_twice(&w);
        assert_prefix(&w, &all, hit ? BATCHES - 1 : BATCHES);
        world_clear(&w);
    }
    world_clear(&all.world);
}

/* Whole batches are gone, headers and all: what stands between others is told, what stands at the
 * end cannot be. */
static void test_a_lost_stretch(void **state)
{
    (void)state;
    struct written all;
    write_all(&all);
    for (size_t first = 0; first < BATCHES; first++) {
        for (size_t last = first; last < BATCHES; last++) {
            struct world w;
            world_copy(&w, &all.world);
            size_t len;
            uint8_t *image = memory_disk_octets(w.disk, first_segment, &len);
            memset(image + begin_of(&all, first), 0,
                   begin_of(&all, last + 1) - begin_of(&all, first));
            recover_twice(&w);
            assert_int_equal(w.seen_count, (BATCHES - (last - first + 1)) * UNITS);
            assert_int_equal(w.trouble_count, last < BATCHES - 1 ? 1 : 0);
            world_clear(&w);
        }
    }
    world_clear(&all.world);
}

/* The next start names the end of the segment before: from then on a bad last batch is damage. */
static void test_a_named_end_makes_the_tail_damage(void **state)
{
    (void)state;
    struct written all;
    write_all(&all);
    assert_true(world_open(&all.world, NULL));
    world_close(&all.world);
    struct seen *last = all.units[BATCHES - 1];
    size_t len;
    memory_disk_octets(all.world.disk, first_segment, &len)[last[1].place.offset + 200] ^= 1;
    recover_twice(&all.world);
    assert_int_equal(all.world.seen_count, BATCHES * UNITS - 1);
    assert_true(world_has_seen(&all.world, last[0].message));
    assert_false(world_has_seen(&all.world, last[1].message));
    assert_true(world_has_seen(&all.world, last[2].message));
    assert_int_equal(all.world.trouble_count, 2);
    /* With its header gone too, the others are still found. */
    memory_disk_octets(all.world.disk, first_segment, &len)[begin_of(&all, BATCHES - 1)] ^= 1;
    recover_twice(&all.world);
    assert_int_equal(all.world.seen_count, BATCHES * UNITS - 1);
    world_clear(&all.world);
}

/* --- Content that looks like the journal --- */

static void append_raw(struct world *w, const uint8_t *content, size_t octets, bool sync)
{
    struct iovec part = { (void *)(uintptr_t)content, octets };
    struct unit u = {
        .message = 0x7000000000000001,
        .changes = bytes_of_text(T("raw")),
        .content = &part,
        .content_count = 1,
        .content_octets = octets,
    };
    assert_true(journal_append(w->journal, &u, 1, &w->error));
    if (sync)
        assert_true(journal_sync(w->journal, &w->error));
}

/* A message holds octet-exact copies of whole batches, of its own segment and of another one, at
 * every multiple of 4096 as the segment counts.  Then everything before it is destroyed, or its own
 * header, or what follows: nothing of the copies may come to life. */
static void test_copies_of_batches_in_content_are_dead(void **state)
{
    (void)state;
    enum { RAW = 200 * 1024, HEAD = 256 };
    struct world w;
    world_init(&w, 512 * 1024);
    assert_true(world_open(&w, NULL));
    static const size_t sizes[] = { 300, 5000, 20 };
    struct seen old[UNITS], here[UNITS], behind[UNITS];
    world_write(&w, sizes, UNITS, old);
    world_close(&w);
    assert_true(world_open(&w, NULL));
    world_write(&w, sizes, UNITS, here);
    uint64_t raw_at = journal_position(w.journal).offset;
    char name[] = "journal/00000002.seg";
    size_t len_old, len_here;
    uint8_t *raw = calloc(1, RAW);
    /* The content begins somewhere behind the batch's header: cover every 8 octets of that. */
    const uint8_t *from_old = memory_disk_octets(w.disk, first_segment, &len_old) + SEGMENT_START;
    const uint8_t *from_here = memory_disk_octets(w.disk, name, &len_here) + SEGMENT_START;
    size_t octets = here[0].after.offset - SEGMENT_START;
    uint64_t content_at = raw_at + BATCH_HEADER + UNIT_HEADER + format_blocks(RAW) * 8 + 8;
    for (size_t i = 1; (i + 4) * JOURNAL_ALIGN < RAW; i += 4) {
        size_t at = i * JOURNAL_ALIGN - content_at % JOURNAL_ALIGN;
        memcpy(raw + at, i % 8 == 1 ? from_old : from_here, octets);
    }
    append_raw(&w, raw, RAW, true);
    assert_int_equal(raw_at % JOURNAL_ALIGN, 0);
    world_write(&w, sizes, UNITS, behind);
    world_close(&w);
    static const struct {
        bool before, head, after;
        size_t seen;
        bool is_told;
    } cases[] = {
        { false, false, false, 10, false }, { true, false, false, 7, true },
        { false, true, false, 9, true },    { true, true, false, 6, true },
        { false, true, true, 6, false },    { true, true, true, 3, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world copy;
        world_copy(&copy, &w);
        uint8_t *image = memory_disk_octets(copy.disk, name, &len_here);
        if (cases[i].before)
            memset(image + SEGMENT_START, 0xff, octets);
        if (cases[i].head)
            memset(image + raw_at, 0xff, HEAD);
        if (cases[i].after)
            memset(image + behind[0].place.offset - BATCH_HEADER, 0, octets);
        assert_true(world_open(&copy, NULL));
        assert_int_equal(copy.seen_count, cases[i].seen);
        assert_int_equal(copy.trouble_count > 0, cases[i].is_told);
        for (size_t k = 0; k < UNITS; k++) {
            assert_true(world_has_seen(&copy, old[k].message));
            assert_int_equal(world_has_seen(&copy, here[k].message), !cases[i].before);
            assert_int_equal(world_has_seen(&copy, behind[k].message), !cases[i].after);
        }
        world_clear(&copy);
    }
    free(raw);
    world_clear(&w);
}

/* --- Positions and whole segments --- */

static void test_a_position_that_does_not_fit(void **state)
{
    (void)state;
    struct written all;
    write_all(&all);
    struct journal_position good = all.units[4][0].after;
    struct journal_position cases[] = { good, good, good, good, good, good };
    cases[0].sequence++;
    cases[1].checksum++;
    cases[2].offset += JOURNAL_ALIGN;
    cases[3].segment++;
    cases[4].offset = SEGMENT;
    cases[5].offset += 8;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_false(world_open(&all.world, &cases[i]));
        assert_int_equal(all.world.error.kind, ERROR_DAMAGED);
        assert_int_equal(all.world.seen_count, 0);
    }
    assert_true(world_open(&all.world, &good));
    assert_int_equal(all.world.seen_count, 3 * UNITS);
    world_clear(&all.world);
}

static void spoil_headers(struct world *w, const char *name, unsigned copies)
{
    size_t len;
    uint8_t *image = memory_disk_octets(w->disk, name, &len);
    for (unsigned i = 0; i < copies; i++)
        image[i * FILE_HEADER + 100] ^= 1;
}

static void test_headers(void **state)
{
    (void)state;
    struct written all;
    write_all(&all);
    struct world w;
    /* One copy is enough. */
    world_copy(&w, &all.world);
    spoil_headers(&w, first_segment, 1);
    recover_twice(&w);
    assert_prefix(&w, &all, BATCHES);
    /* Without both nothing in it verifies: that is told at every start. */
    world_close(&w);
    size_t len;
    memory_disk_octets(w.disk, first_segment, &len)[FILE_HEADER + 100] ^= 1;
    recover_twice(&w);
    assert_int_equal(w.seen_count, 0);
    assert_true(w.trouble_count >= 1);
    world_clear(&w);
    /* A header that was torn at its turn, with nothing behind it, was never used. */
    world_copy(&w, &all.world);
    assert_true(world_open(&w, NULL));
    world_close(&w);
    spoil_headers(&w, "journal/00000002.seg", 2);
    assert_true(world_open(&w, NULL));
    assert_prefix(&w, &all, BATCHES);
    assert_null(memory_disk_octets(w.disk, "journal/00000002.seg", &len));
    world_clear(&w);
    world_clear(&all.world);
}

static void test_a_missing_segment_is_told(void **state)
{
    (void)state;
    static const size_t size = 1000;
    struct world w;
    struct error e;
    struct seen units[4];
    world_init(&w, SEGMENT);
    for (size_t i = 0; i < 4; i++) {
        assert_true(world_open(&w, NULL));
        world_write(&w, &size, 1, &units[i]);
        world_close(&w);
    }
    assert_true(disk_unlink(w.disk, "journal/00000003.seg", &e));
    assert_true(world_open(&w, NULL));
    assert_int_equal(w.seen_count, 3);
    assert_int_equal(w.trouble_count, 1);
    world_close(&w);
    /* Those before the first that is there, too, unless a header says that they do not count. */
    assert_true(disk_unlink(w.disk, first_segment, &e));
    assert_true(world_open(&w, NULL));
    assert_int_equal(w.seen_count, 2);
    assert_int_equal(w.trouble_count, 2);
    world_clear(&w);
}

/* What follows cannot say where this segment ended, only that it did. */
static void test_a_tail_before_an_unreadable_segment_is_damage(void **state)
{
    (void)state;
    static const size_t size = 100;
    struct written all;
    write_all(&all);
    struct world *w = &all.world;
    struct seen *last = all.units[BATCHES - 1], lost;
    assert_true(world_open(w, NULL));
    world_write(w, &size, 1, &lost);
    world_close(w);
    spoil_headers(w, "journal/00000002.seg", 2);
    size_t len;
    uint8_t *image = memory_disk_octets(w->disk, first_segment, &len);
    image[begin_of(&all, BATCHES - 1)] ^= 1;
    image[last[0].place.offset + 20] ^= 1;
    for (int i = 0; i < 3; i++) {
        recover_twice(w);
        assert_int_equal(w->seen_count, BATCHES * UNITS - 1);
        assert_false(world_has_seen(w, last[0].message));
        assert_true(world_has_seen(w, last[2].message));
        assert_int_equal(w->trouble_count, 2);
    }
    world_clear(w);
}

static void test_a_segment_under_another_name_is_not_that_one(void **state)
{
    (void)state;
    struct written all;
    write_all(&all);
    assert_true(disk_rename(all.world.disk, first_segment, "journal/00000005.seg", NULL));
    assert_true(world_open(&all.world, NULL));
    assert_int_equal(all.world.seen_count, 0);
    assert_int_equal(all.world.trouble_count, 1);
    world_clear(&all.world);
}

/* A header that verifies but names another batch before it: its batch counts, and it is told. */
static void test_a_broken_chain_is_told(void **state)
{
    (void)state;
    struct written all;
    struct segment_header segment;
    struct batch_header h;
    write_all(&all);
    uint64_t at = begin_of(&all, 3);
    assert_int_equal(segment_header_decode(all.image, world_uuid, &segment), HEADER_GOOD);
    assert_true(batch_header_decode(&segment.key, all.image + at, 1, at, &h));
    h.previous ^= 1;
    batch_header_encode(&segment.key, &h, all.image + at);
    recover_twice(&all.world);
    assert_int_equal(all.world.seen_count, BATCHES * UNITS);
    assert_int_equal(all.world.trouble_count, 2); /* the next batch does not fit it either */
    world_clear(&all.world);
}

static void test_other_peoples_segments(void **state)
{
    (void)state;
    struct written all;
    write_all(&all);
    struct segment_header h;
    uint8_t other[FORMAT_UUID] = "another store's ";
    struct world w;
    for (int i = 0; i < 2; i++) {
        world_copy(&w, &all.world);
        size_t len;
        uint8_t *image = memory_disk_octets(w.disk, first_segment, &len);
        assert_int_equal(segment_header_decode(image, world_uuid, &h), HEADER_GOOD);
        segment_header_encode(&h, i ? world_uuid : other, image);
        if (i) {
            image[16] = FORMAT_VERSION + 1;
            struct bytes covered = { image + 16, FILE_HEADER - 16 };
            format_put_checksum(image, 1, format_checksum(&h.key, covered));
        }
        assert_false(world_open(&w, NULL));
        assert_int_equal(w.error.kind, ERROR_REFUSED);
        world_clear(&w);
    }
    /* Files that are no segments are left alone. */
    memory_disk_put(all.world.disk, "journal/1.seg", "x", 1);
    memory_disk_put(all.world.disk, "journal/00000009.seg.bak", "x", 1);
    memory_disk_put(all.world.disk, "journal/notes", "x", 1);
    assert_true(world_open(&all.world, NULL));
    assert_prefix(&all.world, &all, BATCHES);
    world_clear(&all.world);
}

static void test_zeros_are_given_back_and_empty_segments_go(void **state)
{
    (void)state;
    struct written all;
    write_all(&all);
    struct world *w = &all.world;
    size_t len;
    for (int i = 0; i < 5; i++) {
        assert_true(world_open(w, i ? &all.units[BATCHES - 1][0].after : NULL));
        world_close(w);
    }
    memory_disk_octets(w->disk, first_segment, &len);
    assert_int_equal(len, all.units[BATCHES - 1][0].after.offset);
    for (unsigned i = 2; i <= 6; i++) {
        char name[40];
        snprintf(name, sizeof name, "journal/%08u.seg", i);
        assert_int_equal(memory_disk_octets(w->disk, name, &len) != NULL, i == 6);
    }
    world_clear(w);
}

/* --- Power cuts and failures at every call --- */

enum { LEDGER_MAX = 256 };

struct ledger {
    message_id acked[LEDGER_MAX], refused[LEDGER_MAX];
    message_id unknown[UNITS]; /* the batch that was in flight */
    size_t acked_count, refused_count, unknown_count;
};

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static void note(message_id *list, size_t *count, const struct seen *units)
{
    for (size_t i = 0; i < UNITS; i++)
        list[(*count)++] = units[i].message;
}

enum after_failure {
    GOES_ON, /* gives the segment up, as commit does, and answers 451 */
    STOPS,   /* the same, and is stopped then */
    EXITS,   /* ends without a word: nobody knows */
};

/* Commits batches until one fails for good. */
static void commit_batches(struct world *w, struct ledger *l, uint32_t seed, size_t batches,
                           enum after_failure then)
{
    for (size_t i = 0; i < batches; i++) {
        size_t sizes[UNITS];
        struct seen units[UNITS];
        for (size_t k = 0; k < UNITS; k++)
            sizes[k] = next_random(&seed) % 8000;
        if (next_random(&seed) % 4 == 0)
            journal_prepare(w->journal, &w->error);
        bool ok = world_append(w, sizes, UNITS, units) && journal_sync(w->journal, &w->error);
        if (ok) {
            note(l->acked, &l->acked_count, units);
        } else if (then != EXITS && journal_abandon(w->journal, &w->error)) {
            note(l->refused, &l->refused_count, units);
            if (then == STOPS)
                return;
        } else {
            note(l->unknown, &l->unknown_count, units);
            return;
        }
    }
}

static void assert_ledger(const struct world *w, const struct ledger *l)
{
    size_t unknown = 0;
    assert_false(w->is_wrong);
    assert_int_equal(w->trouble_count, 0);
    for (size_t i = 0; i < l->acked_count; i++)
        assert_true(w->seen[i].message == l->acked[i]);
    for (size_t i = 0; i < l->unknown_count; i++)
        unknown += world_has_seen(w, l->unknown[i]);
    for (size_t i = 0; i < l->refused_count; i++)
        assert_false(world_has_seen(w, l->refused[i]));
    assert_int_equal(w->seen_count, l->acked_count + unknown);
    assert_true(unknown == 0 || unknown == UNITS);
}

/* What recovery has shown or dropped stays so. */
static void settle_ledger(const struct world *w, struct ledger *l)
{
    bool shown = w->seen_count > l->acked_count;
    for (size_t i = 0; i < l->unknown_count; i++) {
        if (shown)
            l->acked[l->acked_count++] = l->unknown[i];
        else
            l->refused[l->refused_count++] = l->unknown[i];
    }
    l->unknown_count = 0;
}

struct trouble {
    uint64_t fail, die; /* operations */
    enum after_failure then;
    bool crash; /* the power goes, too */
};

/* Runs batches into trouble and leaves the disk as it is at the restart; false when the trouble was
 * never reached. */
static bool run_into(struct world *w, struct ledger *l, const struct trouble *t, uint32_t seed)
{
    enum { BATCHES_BEFORE = 20 };
    memset(l, 0, sizeof *l);
    world_init(w, SEGMENT_SMALL);
    memory_disk_fail(w->disk, t->fail);
    memory_disk_die(w->disk, t->die);
    if (world_open(w, NULL))
        commit_batches(w, l, seed, BATCHES_BEFORE, t->then);
    bool reached = memory_disk_operations(w->disk) >= (t->fail ? t->fail : t->die);
    world_close(w);
    memory_disk_fail(w->disk, 0);
    memory_disk_die(w->disk, 0);
    if (t->crash)
        memory_disk_crash(w->disk, seed);
    return reached;
}

static bool recovers_from(const struct trouble *t, uint32_t seed)
{
    struct world w;
    struct ledger l;
    bool reached = run_into(&w, &l, t, seed);
    assert_true(world_open(&w, NULL));
    assert_ledger(&w, &l);
    settle_ledger(&w, &l);
    world_close(&w);
    memory_disk_crash(w.disk, seed + 1);
    assert_true(world_open(&w, NULL));
    assert_ledger(&w, &l);
    commit_batches(&w, &l, seed + 2, 5, GOES_ON);
    world_close(&w);
    assert_true(world_open(&w, NULL));
    assert_ledger(&w, &l);
    world_clear(&w);
    return reached;
}

static void test_a_power_cut_at_every_operation(void **state)
{
    (void)state;
    struct trouble t = { .die = 1, .crash = true };
    while (recovers_from(&t, (uint32_t)t.die))
        t.die++;
    assert_true(t.die > 60);
}

static void test_a_failure_at_every_operation(void **state)
{
    (void)state;
    struct trouble t = { .fail = 1 };
    for (; recovers_from(&t, (uint32_t)t.fail); t.fail++) {
        t.crash = t.fail % 2;
        t.then = t.fail % 4 < 2 ? GOES_ON : EXITS;
        recovers_from(&t, (uint32_t)t.fail + 1);
    }
    assert_true(t.fail > 60);
}

static void test_a_failure_and_then_a_power_cut(void **state)
{
    (void)state;
    struct trouble t = { .fail = 1, .crash = true };
    for (bool reached = true; reached; t.fail++) {
        for (t.die = t.fail + 1; t.die < t.fail + 4; t.die++)
            reached = recovers_from(&t, (uint32_t)(t.fail * 8 + t.die));
    }
    assert_true(t.fail > 50);
}

/* The process ends without a word after a failed sync: the page cache then shows octets that no
 * later sync would write. */
static void test_a_failed_sync_without_a_word(void **state)
{
    (void)state;
    struct trouble t = { .fail = 1, .then = EXITS };
    size_t shown = 0;
    for (bool reached = true; reached; t.fail++) {
        struct world w;
        struct ledger l;
        reached = run_into(&w, &l, &t, (uint32_t)t.fail);
        assert_true(world_open(&w, NULL));
        shown += w.seen_count > l.acked_count;
        world_clear(&w);
        recovers_from(&t, (uint32_t)t.fail);
    }
    assert_true(shown > 5);
}

static void test_a_power_cut_at_every_operation_of_recovery(void **state)
{
    (void)state;
    static const struct trouble bases[] = {
        { .die = 1000 },
        { .die = 40, .crash = true },
        { .fail = 41, .then = EXITS },
        { .fail = 12, .then = STOPS },
        { .fail = 16, .then = STOPS },
        { .fail = 42, .then = STOPS },
        { .fail = 43, .then = STOPS },
        { .fail = 44, .die = 47, .crash = true },
    };
    for (uint32_t i = 0; i < 8 * 4; i++) {
        struct world w;
        struct ledger l;
        run_into(&w, &l, &bases[i % 8], i);
        bool reached = true;
        for (uint64_t operation = 1; reached; operation++) {
            struct world copy;
            struct ledger after = l;
            world_copy(&copy, &w);
            memory_disk_die(copy.disk, operation);
            reached = !world_open(&copy, NULL);
            world_close(&copy);
            memory_disk_crash(copy.disk, i + (uint32_t)operation);
            assert_true(world_open(&copy, NULL));
            assert_ledger(&copy, &after);
            settle_ledger(&copy, &after);
            commit_batches(&copy, &after, i, 2, GOES_ON);
            world_close(&copy);
            assert_true(world_open(&copy, NULL));
            assert_ledger(&copy, &after);
            world_clear(&copy);
        }
        world_clear(&w);
    }
}

static void test_a_torn_tail_is_left_as_it_is(void **state)
{
    (void)state;
    struct written all;
    write_all(&all);
    struct world *w = &all.world;
    uint64_t from = begin_of(&all, BATCHES - 1);
    memset(all.image + from, 0, MEMORY_SECTOR);
    uint8_t before[MEMORY_SECTOR * 2];
    memcpy(before, all.image + from, sizeof before);
    recover_twice(w);
    size_t len;
    const uint8_t *image = memory_disk_octets(w->disk, first_segment, &len);
    assert_true(len > from + sizeof before);
    assert_memory_equal(image + from, before, sizeof before);
    world_clear(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_truncation_leaves_a_prefix),
        cmocka_unit_test(test_every_torn_last_batch_is_dropped),
        cmocka_unit_test(test_every_flip_costs_one_unit),
        cmocka_unit_test(test_every_flip_in_the_last_batch_is_a_torn_tail),
        cmocka_unit_test(test_a_lost_stretch),
        cmocka_unit_test(test_a_named_end_makes_the_tail_damage),
        cmocka_unit_test(test_copies_of_batches_in_content_are_dead),
        cmocka_unit_test(test_a_position_that_does_not_fit),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_a_missing_segment_is_told),
        cmocka_unit_test(test_a_tail_before_an_unreadable_segment_is_damage),
        cmocka_unit_test(test_a_segment_under_another_name_is_not_that_one),
        cmocka_unit_test(test_a_broken_chain_is_told),
        cmocka_unit_test(test_other_peoples_segments),
        cmocka_unit_test(test_zeros_are_given_back_and_empty_segments_go),
        cmocka_unit_test(test_a_power_cut_at_every_operation),
        cmocka_unit_test(test_a_failure_at_every_operation),
        cmocka_unit_test(test_a_failure_and_then_a_power_cut),
        cmocka_unit_test(test_a_failed_sync_without_a_word),
        cmocka_unit_test(test_a_power_cut_at_every_operation_of_recovery),
        cmocka_unit_test(test_a_torn_tail_is_left_as_it_is),
    };
    /* Thousands of small disks come and go: their memory need not. */
    mallopt(M_MMAP_THRESHOLD, 1 << 28);
    mallopt(M_TRIM_THRESHOLD, 1 << 28);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
