/* test_retire.c - segments of the journal that are retired, and what is told of those that stay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "journal_world.h"
#include "store/local/segment.h"

#include <stdio.h>

enum { SEGMENT = 64 * 1024 };

/* It may stay longer than the one before it, which was retired: then nothing is missing. */
static void test_a_segment_that_never_counted_is_no_predecessor(void **state)
{
    (void)state;
    static const size_t sizes[] = { 3000, 3000 };
    struct world w;
    world_init(&w, SEGMENT);
    assert_true(world_open(&w, NULL));
    world_write(&w, sizes, 2, NULL);
    world_close(&w);
    assert_true(world_open(&w, NULL));
    assert_true(world_append(&w, sizes, 2, NULL));
    journal_retire(w.journal, 2);
    assert_true(journal_abandon(w.journal, &w.error));
    world_write(&w, sizes, 2, NULL);
    world_close(&w);
    assert_true(disk_unlink(w.disk, "journal/00000001.seg", &w.error));
    assert_true(world_open(&w, NULL));
    assert_int_equal(w.seen_count, 2);
    assert_int_equal(w.notice_count, 0);
    world_clear(&w);
}

/* Its removal did not outlive a power cut, and no start after that looks so far back: whoever reads
 * the old segments finds it there, and nothing in it. */
static void test_a_segment_that_was_never_begun_holds_nothing(void **state)
{
    (void)state;
    static const size_t sizes[] = { 3000 };
    struct world w;
    struct segment back;
    struct journal_walk *walk = NULL;
    bool over = false;
    world_init(&w, SEGMENT);
    assert_true(world_open(&w, NULL));
    world_write(&w, sizes, 1, NULL);
    assert_true(journal_prepare(w.journal, &w.error));
    world_close(&w);
    assert_true(world_open(&w, NULL));
    world_write(&w, sizes, 1, NULL);
    assert_true(segment_make(w.disk, 2, SEGMENT, &back, &w.error));
    segment_close(&back);
    struct journal_events events = world_events(&w);
    w.seen_count = 0;
    assert_true(journal_walk_open(w.journal, 2, &events, &walk, &w.error));
    assert_true(journal_walk_step(walk, &over, &w.error));
    assert_true(over);
    assert_int_equal(w.seen_count, 0);
    journal_walk_close(&walk);
    world_clear(&w);
}

/* It holds no batch yet: still its header counts when the journal is read beside it. */
static void test_the_newest_header_counts_before_its_first_batch(void **state)
{
    (void)state;
    static const size_t sizes[] = { 3000 };
    struct world w;
    world_init(&w, SEGMENT);
    assert_true(world_open(&w, NULL));
    world_write(&w, sizes, 1, NULL);
    world_close(&w);
    assert_true(world_open(&w, NULL));
    world_write(&w, sizes, 1, NULL);
    assert_true(journal_prepare(w.journal, &w.error));
    journal_retire(w.journal, 2);
    assert_true(journal_turn_early(w.journal, &w.error));
    assert_true(disk_unlink(w.disk, "journal/00000001.seg", &w.error));
    assert_true(world_replay(&w, NULL));
    assert_int_equal(w.notice_count, 0);
    assert_int_equal(w.seen_count, 1);
    world_clear(&w);
}

static bool is_there(const struct world *w, unsigned segment)
{
    char name[40];
    size_t len;
    snprintf(name, sizeof name, "journal/%08u.seg", segment);
    return memory_disk_octets(w->disk, name, &len) != NULL;
}

/* Segment 2 was begun and holds nothing, 3 was never begun. */
static void test_nothing_is_removed_while_a_backup_reads_it(void **state)
{
    (void)state;
    static const size_t sizes[] = { 3000 };
    struct world w;
    struct disk_file *hold = NULL;
    world_init(&w, SEGMENT);
    assert_true(world_open(&w, NULL));
    world_write(&w, sizes, 1, NULL);
    world_close(&w);
    assert_true(world_open(&w, NULL));
    assert_true(journal_prepare(w.journal, &w.error));
    world_close(&w);
    assert_true(disk_lock(w.disk, "hold", &hold, &w.error));
    assert_true(world_open(&w, NULL));
    assert_int_equal(w.seen_count, 1);
    world_close(&w);
    assert_true(is_there(&w, 2) && is_there(&w, 3));
    disk_unlock(&hold);
    assert_true(world_open(&w, NULL));
    assert_int_equal(w.seen_count, 1);
    assert_false(is_there(&w, 2) || is_there(&w, 3));
    world_clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_segment_that_never_counted_is_no_predecessor),
        cmocka_unit_test(test_a_segment_that_was_never_begun_holds_nothing),
        cmocka_unit_test(test_the_newest_header_counts_before_its_first_batch),
        cmocka_unit_test(test_nothing_is_removed_while_a_backup_reads_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
