/* test_journal.c - writing, turning, abandoning and reading: what the journal does while it lives.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "journal_world.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_is_replayed_and_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
