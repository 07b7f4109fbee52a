/* test_journal.c - writing, turning, abandoning and reading: what the journal does while it lives.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "journal_world.h"
#include "store/local/descriptors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEGMENT = 256 * 1024 };

static void assert_reads(struct world *w, const struct seen *s, bool now)
{
    struct unit_reader *r;
    bool would_block;
    assert_true(unit_open(w->journal, s->message, &s->place, now, &would_block, &r, &w->error));
    size_t octets = world_octets(s->message);
    uint8_t *expected = malloc(octets + 1);
    world_content(s->message, expected);
    assert_int_equal(unit_content_octets(r), octets);
    uint64_t offset = 0;
    for (struct bytes b; offset < octets; offset += b.len) {
        assert_true(unit_read(r, offset, now, &would_block, &b, &w->error));
        assert_true(b.len > 0 && b.len <= octets - offset);
        assert_memory_equal(b.at, expected + offset, b.len);
    }
    struct bytes end;
    assert_true(unit_read(r, offset, now, &would_block, &end, &w->error));
    assert_int_equal(end.len, 0);
    free(expected);
    unit_close(&r);
}

static void test_what_is_written_is_replayed_and_read(void **state)
{
    (void)state;
    static const size_t batches[][3] = {
        { 0, 1, 5000 },      { 7, 8, 9 }, { 65535, 65536, 65537 },
        { 200000, 3, 4096 }, { 1, 1, 1 }, { 1048576, 12345, 0 },
    };
    enum { COUNT = sizeof batches / sizeof *batches };
    struct seen written[COUNT][3];
    struct world w;
    world_init(&w, SEGMENT);
    assert_true(world_open(&w, NULL));
    assert_int_equal(w.seen_count, 0);
    assert_true(journal_position(w.journal).sequence == 0);
    for (size_t i = 0; i < COUNT; i++)
        world_write(&w, batches[i], 3, written[i]);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT * 3; i++)
            assert_reads(&w, &written[i / 3][i % 3], false);
        for (size_t i = 0; i < COUNT * 3; i++)
            assert_reads(&w, &written[i / 3][i % 3], true);
        world_close(&w);
        assert_true(world_open(&w, NULL));
        assert_int_equal(w.notice_count, 0);
        assert_false(w.is_wrong);
        assert_int_equal(w.seen_count, COUNT * 3);
        for (size_t i = 0; i < COUNT * 3; i++)
            assert_memory_equal(&w.seen[i], &written[i / 3][i % 3], sizeof w.seen[i]);
    }
    /* From any position on, exactly the rest. */
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(world_replay(&w, &written[i][0].after));
        assert_int_equal(w.seen_count, (COUNT - 1 - i) * 3);
        world_close(&w);
        assert_true(world_open(&w, &written[i][0].after));
        assert_int_equal(w.seen_count, (COUNT - 1 - i) * 3);
    }
    world_clear(&w);
}

/* --- Segments --- */

static size_t size_of(struct world *w, unsigned number)
{
    char name[40];
    size_t len;
    snprintf(name, sizeof name, "journal/%08u.seg", number);
    memory_disk_octets(w->disk, name, &len);
    return len;
}

static void test_segments_grow_up_to_the_maximum(void **state)
{
    (void)state;
    enum { KB = 1024 };
    static const size_t half = 2000 * KB;
    struct world w;
    world_init(&w, 20000 * KB);
    assert_true(world_open(&w, NULL));
    assert_int_equal(size_of(&w, 1), 8192 * KB);
    assert_false(journal_wants_preparation(w.journal));
    world_write(&w, &half, 1, NULL);
    assert_false(journal_wants_preparation(w.journal));
    world_write(&w, &half, 1, NULL);
    assert_true(journal_wants_preparation(w.journal));
    assert_true(journal_prepare(w.journal, &w.error));
    assert_false(journal_wants_preparation(w.journal));
    assert_true(journal_prepare(w.journal, &w.error));
    assert_int_equal(size_of(&w, 2), 16384 * KB);
    assert_int_equal(size_of(&w, 3), 0);
    assert_true(journal_turn(w.journal, &w.error));
    assert_false(journal_turn(w.journal, &w.error));
    assert_int_equal(w.error.kind, ERROR_TEMPORARY);
    assert_true(journal_prepare(w.journal, &w.error));
    assert_int_equal(size_of(&w, 3), 20000 * KB);
    /* The prepared one is not used: it goes at the next start. */
    world_close(&w);
    assert_true(world_open(&w, NULL));
    assert_int_equal(w.notice_count, 0);
    assert_int_equal(w.seen_count, 2);
    assert_int_equal(size_of(&w, 2), 0); /* empty */
    assert_int_equal(size_of(&w, 3), 0);
    assert_int_equal(size_of(&w, 4), 8192 * KB);
    world_clear(&w);
}

static void test_a_batch_larger_than_a_segment_extends_it(void **state)
{
    (void)state;
    static const size_t sizes[] = { 1000000, 1000000, 10 };
    struct seen written[3];
    struct world w;
    world_init(&w, 1);
    assert_true(world_open(&w, NULL));
    assert_int_equal(size_of(&w, 1), 64 * 1024);
    assert_false(journal_is_full(w.journal, 2100000));
    world_write(&w, sizes, 3, written);
    assert_true(journal_is_full(w.journal, 4096));
    world_write(&w, sizes, 3, NULL);
    assert_int_equal(journal_position(w.journal).segment, 2);
    assert_reads(&w, &written[1], false);
    world_close(&w);
    assert_true(world_open(&w, NULL));
    assert_int_equal(w.seen_count, 6);
    assert_int_equal(w.notice_count, 0);
    world_clear(&w);
}

/* After a failed turn the new header may be on the disk and say where the old segment ends. */
static void test_a_failed_turn_seals_the_segment(void **state)
{
    (void)state;
    static const size_t size = 100;
    struct world w;
    world_init(&w, SEGMENT);
    assert_true(world_open(&w, NULL));
    world_write(&w, &size, 1, NULL);
    assert_true(journal_prepare(w.journal, &w.error));
    memory_disk_fail(w.disk, memory_disk_operations(w.disk) + 2);
    assert_false(journal_turn(w.journal, &w.error));
    assert_true(journal_is_full(w.journal, 4096));
    assert_true(journal_wants_preparation(w.journal));
    assert_false(journal_turn(w.journal, &w.error));
    assert_true(journal_prepare(w.journal, &w.error));
    assert_true(journal_turn(w.journal, &w.error));
    world_write(&w, &size, 1, NULL);
    assert_int_equal(journal_position(w.journal).segment, 3);
    world_close(&w);
    assert_true(world_open(&w, NULL));
    assert_int_equal(w.seen_count, 2);
    assert_int_equal(w.trouble_count, 0);
    world_clear(&w);
}

static void test_an_abandoned_batch_never_comes_back(void **state)
{
    (void)state;
    static const size_t sizes[] = { 3000, 3000 };
    struct world w;
    struct seen kept[2], given_up[2], later[2];
    world_init(&w, SEGMENT);
    assert_true(world_open(&w, NULL));
    world_write(&w, sizes, 2, kept);
    assert_true(world_append(&w, sizes, 2, given_up));
    struct journal_position before = journal_position(w.journal);
    /* It is whole on the disk, only its sync was said to have failed. */
    assert_true(journal_abandon(w.journal, &w.error));
    struct journal_position after = journal_position(w.journal);
    assert_memory_equal(&before, &after, sizeof before);
    world_write(&w, sizes, 2, later);
    assert_int_equal(later[0].after.sequence, 2);
    assert_true(world_replay(&w, NULL));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(w.seen_count, 4);
        assert_false(world_has_seen(&w, given_up[0].message));
        assert_true(world_has_seen(&w, later[1].message));
        assert_int_equal(w.notice_count, 0);
        world_close(&w);
        assert_true(world_open(&w, NULL));
    }
    /* Nor when it was the first of its segment, and the one before has the last that counts. */
    assert_true(world_append(&w, sizes, 2, given_up));
    assert_true(journal_abandon(w.journal, &w.error));
    for (int i = 0; i < 3; i++) {
        world_close(&w);
        assert_true(world_open(&w, NULL));
        assert_int_equal(w.seen_count, 4);
        assert_int_equal(w.notice_count, 0);
    }
    world_clear(&w);
}

static void test_a_full_disk_leaves_a_small_segment(void **state)
{
    (void)state;
    static const size_t size = 5000;
    struct world w;
    world_init(&w, SEGMENT);
    memory_disk_fail(w.disk, 5); /* behind the four that make the folders: a write of zeros */
    assert_true(world_open(&w, NULL) || world_open(&w, NULL));
    world_write(&w, &size, 1, NULL);
    world_clear(&w);
}

static void test_a_batch_that_is_too_large_is_refused(void **state)
{
    (void)state;
    size_t octets = BATCH_OCTETS_LIMIT;
    uint8_t *content = calloc(1, octets);
    struct iovec part = { content, octets };
    struct unit u = { 1, bytes_of_text(T("x")), &part, 1, octets, false, NULL, { 0 } };
    struct world w;
    world_init(&w, SEGMENT);
    assert_true(world_open(&w, NULL));
    assert_false(journal_append(w.journal, &u, 1, &w.error));
    assert_int_equal(w.error.kind, ERROR_REFUSED);
    free(content);
    world_clear(&w);
}

static void test_changes_without_content(void **state)
{
    (void)state;
    static const size_t size = 10;
    struct unit u = { .changes = bytes_of_text(T("only changes")) };
    struct world w;
    world_init(&w, SEGMENT);
    assert_true(world_open(&w, NULL));
    assert_int_equal(journal_batch_octets(&u, 1), 4096);
    assert_true(journal_append(w.journal, &u, 1, &w.error));
    assert_true(journal_sync(w.journal, &w.error));
    assert_true(world_replay(&w, NULL));
    assert_int_equal(w.seen_count, 1);
    assert_true(w.seen[0].message == 0);
    world_write(&w, &size, 1, NULL);
    size_t len;
    memory_disk_octets(w.disk, "journal/00000001.seg", &len)[u.place.offset + UNIT_HEADER] ^= 1;
    assert_true(world_replay(&w, NULL));
    assert_int_equal(w.seen_count, 1);
    assert_int_equal(w.trouble_count, 2);
    assert_non_null(strstr((char *)w.notices.at, "12 octets of changes are lost"));
    world_clear(&w);
}

static bool stops(void *owner, const struct unit *u, const struct journal_position *after,
                  struct error *e)
{
    (void)u, (void)after;
    *(int *)owner += 1;
    return error_set(e, ERROR_TEMPORARY, "enough");
}

static void test_replay_stops_when_told(void **state)
{
    (void)state;
    static const size_t sizes[] = { 1, 2 };
    int calls = 0;
    struct journal_events events = { .replay = stops, .owner = &calls };
    struct journal_position from = { 0 };
    struct world w;
    world_init(&w, SEGMENT);
    assert_true(world_open(&w, NULL));
    world_write(&w, sizes, 2, NULL);
    assert_false(journal_replay(w.journal, &from, &events, &w.error));
    assert_string_equal(w.error.words, "enough");
    assert_int_equal(calls, 1);
    world_clear(&w);
}

/* A batch that is written but not synced is not shown, and reading alone changes nothing. */
static void test_replay_beside_the_writer(void **state)
{
    (void)state;
    static const size_t size = 10;
    struct journal_options options = { .store_uuid = world_uuid };
    struct world w;
    world_init(&w, SEGMENT);
    options.disk = w.disk;
    assert_true(world_open(&w, NULL));
    assert_true(world_replay(&w, NULL));
    assert_int_equal(w.seen_count, 0);
    world_write(&w, &size, 1, NULL);
    assert_true(journal_prepare(w.journal, &w.error));
    assert_true(world_append(&w, &size, 1, NULL));
    assert_true(world_replay(&w, NULL));
    assert_int_equal(w.seen_count, 1);
    assert_int_equal(w.notice_count, 0);
    assert_true(journal_sync(w.journal, &w.error));
    struct journal *writer = w.journal;
    uint64_t operations = memory_disk_operations(w.disk);
    assert_true(journal_open_read(&options, &w.journal, &w.error));
    assert_true(world_replay(&w, NULL));
    assert_int_equal(w.seen_count, 2);
    assert_int_equal(w.notice_count, 0);
    assert_int_equal(memory_disk_operations(w.disk), operations);
    journal_close(&w.journal);
    w.journal = writer;
    world_clear(&w);
}

/* --- Reading --- */

static void assert_open_fails(struct world *w, const struct seen *s, enum error_kind kind)
{
    struct unit_reader *r;
    bool would_block;
    assert_false(unit_open(w->journal, s->message, &s->place, false, &would_block, &r, &w->error));
    assert_null(r);
    assert_false(would_block);
    assert_int_equal(w->error.kind, kind);
}

static void test_a_place_that_is_none(void **state)
{
    (void)state;
    static const size_t sizes[] = { 5000, 5000 };
    struct seen written[2];
    struct world w;
    world_init(&w, SEGMENT);
    assert_true(world_open(&w, NULL));
    world_write(&w, sizes, 2, written);
    const struct unit_place good = written[0].place;
    const struct unit_place places[] = {
        { 9, good.offset, good.octets, good.content_at },
        { 1, good.offset + 8, good.octets, good.content_at },
        { 1, written[1].place.offset, good.octets, good.content_at },
        { 1, good.offset, good.octets + 8, good.content_at },
        { 1, good.offset, good.octets - 8, good.content_at },
        { 1, good.offset, good.octets, good.content_at + 8 },
        { 1, good.offset, good.octets, 0 },
        { 1, good.offset, good.octets, good.octets + 1 },
        { 1, good.offset, 0, 0 },
        { 1, good.offset, UINT32_MAX, 8 },
        { 1, 0, good.octets, good.content_at },
        { 1, UINT64_MAX - 7, good.octets, good.content_at },
        { 1, SEGMENT - 8, good.octets, good.content_at },
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct seen s = { written[0].message, places[i], { 0 } };
        assert_open_fails(&w, &s, ERROR_DAMAGED);
    }
    struct seen other = { written[1].message, good, { 0 } };
    assert_open_fails(&w, &other, ERROR_DAMAGED);
    assert_reads(&w, &written[0], false);
    world_clear(&w);
}

static void test_nothing_damaged_is_handed_out(void **state)
{
    (void)state;
    static const size_t size = 3 * JOURNAL_BLOCK + 100;
    struct seen s;
    struct world w;
    world_init(&w, SEGMENT * 2);
    assert_true(world_open(&w, NULL));
    world_write(&w, &size, 1, &s);
    size_t len;
    uint8_t *image = memory_disk_octets(w.disk, "journal/00000001.seg", &len);
    for (uint64_t block = 0; block < 4; block++) {
        uint8_t *flipped = image + s.place.offset + s.place.content_at + block * JOURNAL_BLOCK + 99;
        *flipped ^= 1;
        for (int now = 0; now < 2; now++) {
            struct unit_reader *r;
            struct bytes b;
            bool would_block;
            assert_true(unit_open(w.journal, s.message, &s.place, now, &would_block, &r, &w.error));
            for (uint64_t i = 0; i < 4; i++) {
                bool good = unit_read(r, i * JOURNAL_BLOCK + 5, now, &would_block, &b, &w.error);
                assert_int_equal(good, i != block);
                assert_int_equal(b.len > 0, good);
                assert_false(would_block);
            }
            assert_int_equal(w.error.kind, ERROR_DAMAGED);
            unit_close(&r);
        }
        *flipped ^= 1;
    }
    /* Blocks that changed places, and the block checksums themselves. */
    uint8_t *content = image + s.place.offset + s.place.content_at;
    struct unit_reader *r;
    struct bytes b;
    bool would_block;
    memcpy(content + JOURNAL_BLOCK, content, JOURNAL_BLOCK);
    assert_true(unit_open(w.journal, s.message, &s.place, false, &would_block, &r, &w.error));
    assert_true(unit_read(r, 0, false, &would_block, &b, &w.error));
    assert_false(unit_read(r, JOURNAL_BLOCK, false, &would_block, &b, &w.error));
    unit_close(&r);
    image[s.place.offset + UNIT_HEADER + 8] ^= 1;
    assert_open_fails(&w, &s, ERROR_DAMAGED);
    world_clear(&w);
}

static void test_a_segment_without_a_header(void **state)
{
    (void)state;
    static const size_t size = 10;
    struct seen s;
    struct world w;
    world_init(&w, SEGMENT);
    assert_true(world_open(&w, NULL));
    world_write(&w, &size, 1, &s);
    size_t len;
    memset(memory_disk_octets(w.disk, "journal/00000001.seg", &len), 0, SEGMENT_START);
    assert_open_fails(&w, &s, ERROR_DAMAGED);
    world_clear(&w);
}

static void test_what_is_not_in_memory_is_for_a_lane(void **state)
{
    (void)state;
    static const size_t size = 2 * JOURNAL_BLOCK;
    struct seen s;
    struct world w;
    struct unit_reader *r;
    struct bytes b;
    bool would_block;
    world_init(&w, SEGMENT);
    assert_true(world_open(&w, NULL));
    world_write(&w, &size, 1, &s);
    /* The segment is not open yet. */
    assert_false(unit_open(w.journal, s.message, &s.place, true, &would_block, &r, &w.error));
    assert_true(would_block);
    assert_true(unit_open(w.journal, s.message, &s.place, false, &would_block, &r, &w.error));
    unit_close(&r);
    memory_disk_set_warm(w.disk, false);
    assert_false(unit_open(w.journal, s.message, &s.place, true, &would_block, &r, &w.error));
    assert_true(would_block);
    assert_null(r);
    assert_true(unit_open(w.journal, s.message, &s.place, false, &would_block, &r, &w.error));
    assert_true(unit_read(r, 0, true, &would_block, &b, &w.error));
    assert_false(unit_read(r, JOURNAL_BLOCK, true, &would_block, &b, &w.error));
    assert_true(would_block);
    assert_true(unit_read(r, JOURNAL_BLOCK, false, &would_block, &b, &w.error));
    assert_false(would_block);
    assert_true(unit_read(r, JOURNAL_BLOCK + 7, true, &would_block, &b, &w.error));
    assert_int_equal(b.len, JOURNAL_BLOCK - 7);
    unit_close(&r);
    world_clear(&w);
}

/* 500 placements with prefixes stand between the header and the content. */
static void test_many_changes(void **state)
{
    (void)state;
    enum { CHANGES = 400000, CONTENT = 100000 };
    uint8_t *memory = malloc(CHANGES + CONTENT);
    memset(memory, 'c', CHANGES);
    memset(memory + CHANGES, 'm', CONTENT);
    struct iovec part = { memory + CHANGES, CONTENT };
    struct unit u = { 77, { memory, CHANGES }, &part, 1, CONTENT, false, NULL, { 0 } };
    struct unit_reader *r;
    struct bytes b;
    bool would_block;
    struct world w;
    world_init(&w, SEGMENT);
    assert_true(world_open(&w, NULL));
    assert_true(journal_append(w.journal, &u, 1, &w.error));
    assert_true(journal_sync(w.journal, &w.error));
    for (uint64_t at = 0; at < CONTENT; at += 50000) {
        assert_true(unit_open(w.journal, 77, &u.place, false, &would_block, &r, &w.error));
        assert_true(unit_read(r, at, at > 0, &would_block, &b, &w.error));
        assert_memory_equal(b.at, memory + CHANGES + at, b.len);
        unit_close(&r);
    }
    free(memory);
    world_clear(&w);
}

static void test_descriptors_are_bounded(void **state)
{
    (void)state;
    enum { COUNT = DESCRIPTORS_MAX + 10 };
    static const size_t size = 50;
    static struct seen written[COUNT];
    static struct unit_reader *readers[COUNT];
    bool would_block;
    struct world w;
    world_init(&w, 1);
    assert_true(world_open(&w, NULL));
    for (size_t i = 0; i < COUNT; i++) {
        world_write(&w, &size, 1, &written[i]);
        assert_true(journal_prepare(w.journal, &w.error));
        assert_true(journal_turn(w.journal, &w.error));
    }
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < COUNT; i++)
            assert_reads(&w, &written[i], false);
    for (size_t i = 0; i < COUNT; i++) {
        bool ok = unit_open(w.journal, written[i].message, &written[i].place, false, &would_block,
                            &readers[i], &w.error);
        assert_int_equal(ok, i < DESCRIPTORS_MAX);
    }
    assert_int_equal(w.error.kind, ERROR_TEMPORARY);
    for (size_t i = 0; i < COUNT; i++)
        unit_close(&readers[i]);
    assert_reads(&w, &written[COUNT - 1], false);
    world_clear(&w);
}

/* --- Large messages --- */

/* Writes a large message in uneven pieces and commits its unit. */
static struct seen write_large(struct world *w, size_t octets, size_t piece)
{
    struct seen s = { .message = world_next_id(w, octets) };
    uint8_t *content = malloc(octets + 1);
    struct large *large;
    const uint64_t *checksums;
    uint64_t counted;
    world_content(s.message, content);
    assert_true(large_open(w->journal, s.message, &large, &w->error));
    for (size_t at = 0; at < octets; at += piece) {
        size_t len = octets - at < piece ? octets - at : piece;
        assert_true(large_write(large, (struct bytes){ content + at, len }, &w->error));
    }
    assert_true(large_finish(large, &checksums, &counted, &w->error));
    assert_int_equal(counted, octets);
    struct unit u = {
        .message = s.message,
        .changes = bytes_of_text(T("large")),
        .content_octets = counted,
        .large = true,
        .large_checksums = checksums,
    };
    assert_true(journal_append(w->journal, &u, 1, &w->error));
    assert_true(journal_sync(w->journal, &w->error));
    large_close(&large, true);
    s.place = u.place;
    free(content);
    return s;
}

static void test_large_messages(void **state)
{
    (void)state;
    static const size_t cases[][2] = {
        { 1, 1 },           { JOURNAL_BLOCK, 1000 },       { JOURNAL_BLOCK + 1, JOURNAL_BLOCK },
        { 5000000, 70000 }, { JOURNAL_BLOCK * 3, 999999 }, { 200000, 65537 },
    };
    enum { COUNT = sizeof cases / sizeof *cases };
    struct seen written[COUNT];
    struct world w;
    world_init(&w, SEGMENT);
    assert_true(world_open(&w, NULL));
    for (size_t i = 0; i < COUNT; i++) {
        written[i] = write_large(&w, cases[i][0], cases[i][1]);
        assert_int_equal(written[i].place.content_at, 0);
        assert_true(written[i].place.octets < 4096);
        assert_reads(&w, &written[i], false);
    }
    world_close(&w);
    /* A synced file survives a power cut together with its unit. */
    memory_disk_crash(w.disk, 1);
    assert_true(world_open(&w, NULL));
    assert_int_equal(w.seen_count, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        assert_reads(&w, &written[i], false);
    world_clear(&w);
}

static uint8_t *large_octets(struct world *w, message_id id, size_t *len)
{
    char name[64], words[MESSAGE_ID_TEXT + 1];
    snprintf(name, sizeof name, "journal/large/%s", message_id_print(id, words).at);
    return memory_disk_octets(w->disk, name, len);
}

static void test_a_large_file_that_is_not_the_message(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, SEGMENT);
    assert_true(world_open(&w, NULL));
    struct seen a = write_large(&w, 300000, 4096), b = write_large(&w, 300000, 4096);
    size_t len;
    uint8_t *one = large_octets(&w, a.message, &len), *two = large_octets(&w, b.message, &len);
    uint8_t *copy = malloc(len);
    bool would_block;
    struct unit_reader *r;
    struct bytes octets;
    memcpy(copy, one, len);
    /* The whole file of another message; its content only; one octet; the end is missing. */
    memcpy(one, two, len);
    assert_open_fails(&w, &a, ERROR_DAMAGED);
    memcpy(one, copy, FILE_HEADER);
    for (int i = 0; i < 2; i++) {
        assert_true(unit_open(w.journal, a.message, &a.place, false, &would_block, &r, &w.error));
        assert_false(unit_read(r, 200000, false, &would_block, &octets, &w.error));
        assert_int_equal(w.error.kind, ERROR_DAMAGED);
        unit_close(&r);
        memcpy(one, copy, len);
        one[FILE_HEADER + 200000] ^= 0x20;
    }
    free(copy);
    assert_true(large_remove(w.journal, a.message, &w.error));
    assert_open_fails(&w, &a, ERROR_DAMAGED);
    assert_reads(&w, &b, false);
    world_clear(&w);
}

/* The block checksums of a very large message do not fit into what is read at first. */
static void test_a_very_large_message(void **state)
{
    (void)state;
    enum { BLOCKS = 5000 };
    uint64_t *checksums = calloc(BLOCKS, sizeof *checksums), octets;
    const uint64_t *first;
    struct large *large;
    struct unit_reader *r;
    struct bytes b;
    bool would_block;
    struct world w;
    uint8_t *block = calloc(1, JOURNAL_BLOCK);
    world_init(&w, SEGMENT);
    assert_true(world_open(&w, NULL));
    assert_true(large_open(w.journal, 5, &large, &w.error));
    assert_true(large_write(large, (struct bytes){ block, JOURNAL_BLOCK }, &w.error));
    assert_true(large_finish(large, &first, &octets, &w.error));
    checksums[0] = first[0];
    struct unit u = {
        .message = 5,
        .changes = bytes_of_text(T("very large")),
        .content_octets = (uint64_t)BLOCKS * JOURNAL_BLOCK,
        .large = true,
        .large_checksums = checksums,
    };
    assert_true(journal_append(w.journal, &u, 1, &w.error));
    assert_true(journal_sync(w.journal, &w.error));
    large_close(&large, true);
    assert_true(unit_open(w.journal, 5, &u.place, false, &would_block, &r, &w.error));
    assert_true(unit_content_octets(r) == u.content_octets);
    assert_true(unit_read(r, 0, true, &would_block, &b, &w.error));
    assert_int_equal(b.len, JOURNAL_BLOCK);
    assert_false(unit_read(r, JOURNAL_BLOCK, false, &would_block, &b, &w.error));
    assert_int_equal(w.error.kind, ERROR_DAMAGED);
    unit_close(&r);
    free(checksums);
    free(block);
    world_clear(&w);
}

static bool is_second(void *owner, message_id id)
{
    return id == *(const message_id *)owner;
}

static void test_large_files_without_a_unit_go(void **state)
{
    (void)state;
    struct large *large;
    struct world w;
    world_init(&w, SEGMENT);
    assert_true(world_open(&w, NULL));
    message_id first = world_next_id(&w, 1), second = world_next_id(&w, 1);
    size_t len;
    for (int i = 0; i < 2; i++) {
        assert_true(large_open(w.journal, i ? second : first, &large, &w.error));
        assert_true(large_write(large, bytes_of_text(T("x")), &w.error));
        large_close(&large, false);
        assert_null(large_octets(&w, i ? second : first, &len));
    }
    const uint64_t *checksums;
    uint64_t octets;
    for (int i = 0; i < 2; i++) {
        assert_true(large_open(w.journal, i ? second : first, &large, &w.error));
        assert_true(large_write(large, bytes_of_text(T("x")), &w.error));
        assert_true(large_finish(large, &checksums, &octets, &w.error));
        large_close(&large, true);
    }
    /* An id is taken once. */
    assert_false(large_open(w.journal, first, &large, &w.error));
    assert_null(large);
    memory_disk_put(w.disk, "journal/large/a note by somebody", "x", 1);
    for (unsigned i = 0; i < 200; i++) {
        char name[64], words[MESSAGE_ID_TEXT + 1];
        snprintf(name, sizeof name, "journal/large/%s", message_id_print(1000 + i, words).at);
        memory_disk_put(w.disk, name, "x", 1);
    }
    assert_true(large_sweep(w.journal, is_second, &second, &w.error));
    assert_null(large_octets(&w, 1199, &len));
    assert_null(large_octets(&w, first, &len));
    assert_non_null(large_octets(&w, second, &len));
    assert_non_null(memory_disk_octets(w.disk, "journal/large/a note by somebody", &len));
    world_clear(&w);
}

static void test_a_large_file_that_cannot_be_written(void **state)
{
    (void)state;
    for (uint64_t operation = 1; operation <= 5; operation++) {
        struct large *large;
        const uint64_t *checksums;
        uint64_t octets;
        struct world w;
        world_init(&w, SEGMENT);
        assert_true(world_open(&w, NULL));
        message_id id = world_next_id(&w, 10);
        memory_disk_fail(w.disk, memory_disk_operations(w.disk) + operation);
        bool ok = large_open(w.journal, id, &large, &w.error) &&
                  large_write(large, bytes_of_text(T("0123456789")), &w.error) &&
                  large_finish(large, &checksums, &octets, &w.error);
        assert_false(ok);
        /* What failed once is not tried again. */
        if (large) {
            assert_false(large_finish(large, &checksums, &octets, &w.error));
            assert_false(large_write(large, bytes_of_text(T("0")), &w.error));
        }
        large_close(&large, false);
        size_t len;
        assert_null(large_octets(&w, id, &len));
        world_clear(&w);
    }
}

/* Which store it is must not depend on the order in which the file system lists the segments: one
 * that was prepared and never begun says nothing, wherever it stands. */
static void test_a_prepared_segment_says_nothing(void **state)
{
    (void)state;
    static const uint8_t zeros[2 * FILE_HEADER];
    static const char *const orders[][2] = {
        { "journal/00000001.seg", "journal/00000002.seg" },
        { "journal/00000002.seg", "journal/00000001.seg" },
    };
    uint8_t header[FILE_HEADER], uuid[FORMAT_UUID];
    struct segment_header h = { .number = 1, .octets = 1 << 20 };
    struct error e;
    segment_header_encode(&h, world_uuid, header);
    for (size_t i = 0; i < 2; i++) {
        struct disk *disk = memory_disk_new();
        bool found = false;
        assert_true(disk_make_folder(disk, "journal", &e));
        for (size_t j = 0; j < 2; j++) {
            bool begun = orders[i][j] == orders[0][0];
            memory_disk_put(disk, orders[i][j], begun ? header : zeros, FILE_HEADER);
        }
        assert_true(journal_find_uuid(disk, uuid, &found, &e));
        assert_true(found);
        assert_memory_equal(uuid, world_uuid, sizeof uuid);
        memory_disk_free(&disk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_prepared_segment_says_nothing),
        cmocka_unit_test(test_what_is_written_is_replayed_and_read),
        cmocka_unit_test(test_segments_grow_up_to_the_maximum),
        cmocka_unit_test(test_a_batch_larger_than_a_segment_extends_it),
        cmocka_unit_test(test_a_failed_turn_seals_the_segment),
        cmocka_unit_test(test_an_abandoned_batch_never_comes_back),
        cmocka_unit_test(test_a_full_disk_leaves_a_small_segment),
        cmocka_unit_test(test_a_batch_that_is_too_large_is_refused),
        cmocka_unit_test(test_changes_without_content),
        cmocka_unit_test(test_replay_stops_when_told),
        cmocka_unit_test(test_replay_beside_the_writer),
        cmocka_unit_test(test_a_place_that_is_none),
        cmocka_unit_test(test_nothing_damaged_is_handed_out),
        cmocka_unit_test(test_a_segment_without_a_header),
        cmocka_unit_test(test_what_is_not_in_memory_is_for_a_lane),
        cmocka_unit_test(test_many_changes),
        cmocka_unit_test(test_descriptors_are_bounded),
        cmocka_unit_test(test_large_messages),
        cmocka_unit_test(test_a_large_file_that_is_not_the_message),
        cmocka_unit_test(test_a_very_large_message),
        cmocka_unit_test(test_large_files_without_a_unit_go),
        cmocka_unit_test(test_a_large_file_that_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
