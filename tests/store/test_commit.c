/* test_commit.c - the verdicts when the disk, the index or the process fail (store rules 13, 14).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "faults.h"
#include "store_world.h"

#include <sched.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/wait.h>

enum { ALICE = 0x1111, BOB = 0x2222, TRIES = 100000 };

static int set_up(void **state)
{
    faults_clear();
    faults_register();
    return world_set_up(state);
}

static int tear_down(void **state)
{
    faults_clear();
    return world_tear_down(state);
}

static size_t count_in(struct world *w, mailbox_id mailbox)
{
    struct maildrop_read read = world_list(w, mailbox);
    size_t count = read.count;
    maildrop_read_clear(&read);
    return count;
}

static void advance(uint64_t ms)
{
    faults_hold()->clock_ms += ms;
    faults_release();
}

/* What ails a store heals without a commit: whoever asks for its health makes it look. */
static void wait_for_health(struct world *w, enum store_health wanted)
{
    for (int i = 0; i < TRIES && store_health(w->store) != wanted; i++) {
        advance(1001);
        sched_yield();
    }
    assert_int_equal(store_health(w->store), wanted);
}

/* --- The journal --- */

static void refused_and_gone(struct world *w)
{
    assert_int_equal(world_deliver(w, ALICE, 2, 3000), STORE_REFUSED);
    assert_true(w->error.kind == ERROR_TEMPORARY);
    assert_true(world_told(w, "could not be written"));
    assert_int_equal(store_health(w->store), STORE_READY);
    assert_int_equal(count_in(w, ALICE), 1);
    assert_int_equal(world_deliver(w, ALICE, 3, 3000), STORE_STORED);
    for (int round = 0; round < 2; round++) {
        struct maildrop_read read = world_list(w, ALICE);
        assert_int_equal(read.count, 2);
        assert_int_equal(read.entries[1].uid, 3); /* 2 is burnt */
        assert_true(world_reads_back(w, &read.entries[0], 1));
        assert_true(world_reads_back(w, &read.entries[1], 3));
        maildrop_read_clear(&read);
        world_is_whole(w);
        world_reopen(w);
    }
}

static void test_write_fails(void **state)
{
    struct world *w = *state;
    assert_int_equal(world_deliver(w, ALICE, 1, 3000), STORE_STORED);
    FAULT(write, (struct fault){ "journal/0", 0, 1 });
    refused_and_gone(w);
}

/* The octets are all there and would verify; but they were not synced, so they never count. */
static void test_sync_fails(void **state)
{
    struct world *w = *state;
    assert_int_equal(world_deliver(w, ALICE, 1, 3000), STORE_STORED);
    FAULT(sync, (struct fault){ "journal/0", 0, 1 });
    refused_and_gone(w);
}

static void test_nothing_can_be_written(void **state)
{
    struct world *w = *state;
    assert_int_equal(world_deliver(w, ALICE, 1, 3000), STORE_STORED);
    FAULT(write, (struct fault){ "journal/0", 0, -1 });
    assert_int_equal(world_deliver(w, ALICE, 2, 3000), STORE_UNKNOWN);
    assert_int_equal(store_health(w->store), STORE_FAILED);
    assert_true(world_told(w, "a restart is needed"));
    assert_int_equal(world_deliver(w, ALICE, 3, 3000), STORE_REFUSED);
    faults_clear();
    assert_int_equal(world_deliver(w, ALICE, 3, 3000), STORE_REFUSED); /* for good */
    world_reopen(w);
    assert_int_equal(store_health(w->store), STORE_READY);
    assert_int_equal(count_in(w, ALICE), 1);
    assert_int_equal(world_deliver(w, ALICE, 3, 3000), STORE_STORED);
    world_is_whole(w);
}

static void test_large_file_fails(void **state)
{
    struct world *w = *state;
    FAULT(write, (struct fault){ "journal/large", 3, 1 });
    assert_int_equal(world_deliver(w, ALICE, 1, 5000000), STORE_REFUSED);
    FAULT(sync, (struct fault){ "journal/large", 0, 1 });
    assert_int_equal(world_deliver(w, ALICE, 1, 5000000), STORE_REFUSED);
    FAULT(make, (struct fault){ "journal/large", 0, 1 });
    assert_int_equal(world_deliver(w, ALICE, 1, 5000000), STORE_REFUSED);
    assert_int_equal(count_in(w, ALICE), 0);
    assert_int_equal(world_deliver(w, ALICE, 1, 5000000), STORE_STORED);
    world_is_whole(w);
    world_reopen(w);
    world_is_whole(w);
    assert_int_equal(count_in(w, ALICE), 1);
}

/* --- A full disk --- */

static void test_reserve(void **state)
{
    struct world *w = *state;
    world_close(w);
    w->options.reserve_octets = 1000000;
    FAULT(free_octets, 999999);
    assert_true(world_open(w));
    assert_int_equal(store_health(w->store), STORE_FULL);
    assert_true(world_told(w, "kept in reserve"));
    /* What is on its way may still be finished: that is what the reserve is for. */
    assert_int_equal(world_deliver(w, ALICE, 1, 3000), STORE_STORED);
    assert_int_equal(store_health(w->store), STORE_FULL);
    FAULT(free_octets, 2000000);
    wait_for_health(w, STORE_READY);
    FAULT(free_octets, 5);
    advance(2000);
    assert_int_equal(world_deliver(w, ALICE, 1, 3000), STORE_STORED);
    wait_for_health(w, STORE_FULL);
    world_is_whole(w);
}

/* The segment is used up and the next one cannot be made. */
static void test_no_segment(void **state)
{
    struct world *w = *state;
    unsigned stored = 0, refused = 0;
    FAULT(make, (struct fault){ "journal/0", 0, -1 });
    for (unsigned i = 0; i < 60; i++) {
        enum store_verdict verdict = world_deliver(w, ALICE, i, 5000);
        stored += verdict == STORE_STORED;
        refused += verdict == STORE_REFUSED;
        assert_true(verdict != STORE_UNKNOWN);
        assert_true(verdict == STORE_REFUSED || refused == 0);
    }
    assert_true(stored > 0);
    assert_true(refused > 0);
    assert_int_equal(store_health(w->store), STORE_FULL);
    assert_int_equal(count_in(w, ALICE), stored);
    FAULT(make, (struct fault){ 0 });
    wait_for_health(w, STORE_READY);
    for (unsigned i = 0; i < 60; i++) /* never refused while a segment is on its way */
        assert_int_equal(world_deliver(w, ALICE, i, 5000), STORE_STORED);
    world_is_whole(w);
    world_reopen(w);
    world_is_whole(w);
}

/* Abandoning a segment makes the next one by itself: nothing has to be prepared any more. */
static void test_no_segment_and_then_a_failed_sync(void **state)
{
    struct world *w = *state;
    FAULT(make, (struct fault){ "journal/0", 0, -1 });
    for (unsigned i = 0; i < 60 && store_health(w->store) == STORE_READY; i++)
        world_deliver(w, ALICE, i, 5000);
    assert_int_equal(store_health(w->store), STORE_FULL);
    FAULT(make, (struct fault){ 0 });
    FAULT(sync, (struct fault){ "journal/0", 0, 1 });
    assert_int_equal(world_deliver(w, BOB, 1, 3000), STORE_REFUSED);
    wait_for_health(w, STORE_READY);
    assert_int_equal(world_deliver(w, BOB, 1, 3000), STORE_STORED);
    world_is_whole(w);
}

/* --- The index --- */

static void stop_reading(struct maildrop_read *read)
{
    loop_stop(read->home);
}

static sqlite3 *open_beside(struct world *w)
{
    char path[SCRATCH_PATH + 16];
    sqlite3 *handle = NULL;
    snprintf(path, sizeof path, "%s/index.db", w->path);
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    return handle;
}

static void run_sql(sqlite3 *handle, const char *sql)
{
    assert_int_equal(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
}

static void cannot_be_read(struct world *w, mailbox_id mailbox)
{
    struct maildrop_read read = world_try_list(w, mailbox);
    assert_false(read.ok);
    assert_int_equal(read.error.kind, ERROR_TEMPORARY);
    maildrop_read_clear(&read);
}

/* The sync decides: what the index cannot take now is stored all the same. */
static void test_index_lags(void **state)
{
    struct world *w = *state;
    assert_int_equal(world_deliver(w, ALICE, 1, 3000), STORE_STORED);
    sqlite3 *other = open_beside(w);
    run_sql(other, "BEGIN IMMEDIATE");
    assert_int_equal(world_deliver(w, ALICE, 2, 3000), STORE_STORED);
    assert_int_equal(store_health(w->store), STORE_BEHIND);
    assert_int_equal(world_deliver(w, ALICE, 3, 3000), STORE_REFUSED);
    assert_int_equal(world_expunge(w, ALICE, (uint32_t[]){ 1 }, 1), STORE_REFUSED);
    cannot_be_read(w, ALICE);
    run_sql(other, "COMMIT");
    wait_for_health(w, STORE_READY);
    assert_int_equal(count_in(w, ALICE), 2);
    assert_int_equal(world_deliver(w, ALICE, 3, 3000), STORE_STORED);
    sqlite3_close(other);
    world_is_whole(w);
}

/* A deletion that was answered is not seen undone: nobody reads before the index has caught up. */
static void test_a_deletion_that_the_index_lacks_is_not_undone_for_readers(void **state)
{
    struct world *w = *state;
    assert_int_equal(world_deliver(w, ALICE, 1, 3000), STORE_STORED);
    assert_int_equal(world_deliver(w, ALICE, 2, 3000), STORE_STORED);
    FAULT(log_is_full, true);
    assert_int_equal(world_expunge(w, ALICE, (uint32_t[]){ 1 }, 1), STORE_STORED);
    cannot_be_read(w, ALICE);
    FAULT(log_is_full, false);
    wait_for_health(w, STORE_READY);
    assert_int_equal(count_in(w, ALICE), 1);
    world_is_whole(w);
}

/* The log is written when the transaction is to count: a full disk must undo all of it. */
static void test_log_is_full(void **state)
{
    struct world *w = *state;
    assert_int_equal(world_deliver(w, ALICE, 1, 3000), STORE_STORED);
    FAULT(log_is_full, true);
    assert_int_equal(world_deliver(w, ALICE, 2, 3000), STORE_STORED);
    assert_int_equal(store_health(w->store), STORE_BEHIND);
    cannot_be_read(w, ALICE);
    advance(1001);
    assert_int_equal(store_health(w->store), STORE_BEHIND);
    FAULT(log_is_full, false);
    wait_for_health(w, STORE_READY);
    assert_int_equal(count_in(w, ALICE), 2);
    assert_int_equal(world_deliver(w, ALICE, 3, 3000), STORE_STORED);
    world_is_whole(w);
    world_reopen(w);
    world_is_whole(w);
}

/* The kernel takes for written what is not: another sync would say that all is well, and a power
 * cut in the next checkpoint would leave an index in pieces.  What is known of it outlives the
 * process. */
static void test_an_index_that_was_not_synced_is_made_anew(void **state)
{
    struct world *w = *state;
    char doubted[SCRATCH_PATH + 20];
    snprintf(doubted, sizeof doubted, "%s/index.doubted", w->path);
    assert_int_equal(world_deliver(w, ALICE, 1, 3000), STORE_STORED);
    world_close(w);
    FAULT(log_fails, true);
    assert_false(world_open(w));
    assert_int_equal(w->error.kind, ERROR_TEMPORARY);
    FAULT(log_fails, false);
    assert_int_equal(access(doubted, F_OK), 0);
    assert_true(world_open(w));
    assert_true(world_told(w, "made anew"));
    assert_int_equal(access(doubted, F_OK), -1);
    assert_int_equal(count_in(w, ALICE), 1);
    assert_int_equal(world_deliver(w, ALICE, 2, 3000), STORE_STORED);
    world_is_whole(w);
    world_reopen(w);
    world_is_whole(w);
}

static void test_index_lags_at_the_end(void **state)
{
    struct world *w = *state;
    sqlite3 *other = open_beside(w);
    run_sql(other, "BEGIN IMMEDIATE");
    assert_int_equal(world_deliver(w, ALICE, 2, 3000), STORE_STORED);
    world_close(w);
    run_sql(other, "COMMIT");
    sqlite3_close(other);
    assert_true(world_open(w));
    assert_int_equal(count_in(w, ALICE), 1);
    world_is_whole(w);
}

static void test_index_is_damaged(void **state)
{
    static const char *const damages[] = {
        /* a row where none can be */
        "INSERT INTO placement SELECT mailbox, uid + 1, message, modseq, flags, octets, facts,"
        " placed_ms, segment, offset, unit_octets, content_at, prefix FROM placement"
        " ORDER BY uid DESC LIMIT 1",
        "DROP TABLE placement",
        "UPDATE mailbox SET count = 0",
    };
    struct world *w = *state;
    for (unsigned i = 0; i < sizeof damages / sizeof *damages; i++) {
        uint32_t uid = 2 * i + 1;
        assert_int_equal(world_deliver(w, ALICE, 1, 3000), STORE_STORED);
        world_reopen(w); /* so that the rows are not in memory */
        sqlite3 *other = open_beside(w);
        run_sql(other, damages[i]);
        sqlite3_close(other);
        if (i < 2)
            assert_int_equal(world_deliver(w, ALICE, 2, 3000), STORE_STORED);
        else
            assert_int_equal(world_expunge(w, ALICE, &uid, 1), STORE_STORED);
        wait_for_health(w, STORE_READY);
        assert_true(world_told(w, "made anew"));
        assert_int_equal(count_in(w, ALICE), i < 2 ? 2 * (i + 1) : 4);
        world_is_whole(w);
    }
    assert_int_equal(world_deliver(w, ALICE, 1, 3000), STORE_STORED);
    world_is_whole(w);
}

/* The writer may not come by the damaged place for years. */
static void test_reader_finds_damage(void **state)
{
    struct world *w = *state;
    struct maildrop_read read = { .mailbox = ALICE, .home = w->loop, .done = stop_reading };
    assert_int_equal(world_deliver(w, ALICE, 1, 3000), STORE_STORED);
    world_reopen(w);
    sqlite3 *other = open_beside(w);
    run_sql(other, "DROP TABLE placement");
    sqlite3_close(other);
    read.list = true;
    assert_true(maildrop_read_start(w->store, &read));
    loop_run(w->loop);
    assert_false(read.ok);
    assert_int_equal(read.error.kind, ERROR_DAMAGED);
    maildrop_read_clear(&read);
    for (int i = 0; i < TRIES && !read.ok; i++) {
        assert_true(maildrop_read_start(w->store, &read));
        loop_run(w->loop);
        maildrop_read_clear(&read);
    }
    assert_true(read.ok);
    assert_int_equal(read.count, 1);
    wait_for_health(w, STORE_READY);
    assert_true(world_told(w, "made anew"));
    world_is_whole(w);
}

/* A reader in another process must not keep the log from being cut for good, nor stop mail. */
static void test_reader_in_the_way(void **state)
{
    struct world *w = *state;
    sqlite3 *other = open_beside(w);
    assert_int_equal(world_deliver(w, ALICE, 1, 3000), STORE_STORED);
    run_sql(other, "BEGIN; SELECT count(*) FROM mailbox");
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(world_deliver(w, ALICE, i, 3000), STORE_STORED);
    run_sql(other, "COMMIT");
    sqlite3_close(other);
    world_is_whole(w);
}

static void pass_second(struct world *w)
{
    store_tend(w->store);
    advance(1001);
    usleep(100);
}

static uint64_t slept_us(void)
{
    uint64_t us = faults_hold()->slept_us;
    faults_release();
    return us;
}

/* One came before much mail died, and stays: the checkpoint that is due cannot be completed.  When
 * it has gone this is made good, although nothing is written any more. */
static void test_a_long_reader(void **state)
{
    struct world *w = *state;
    sqlite3 *other = open_beside(w);
    assert_int_equal(world_deliver(w, ALICE, 1, 65 << 20), STORE_STORED);
    run_sql(other, "BEGIN; SELECT count(*) FROM mailbox");
    assert_int_equal(world_expunge(w, ALICE, (uint32_t[]){ 1 }, 1), STORE_STORED);
    for (uint64_t before_us = slept_us(); slept_us() == before_us;)
        pass_second(w);
    assert_int_equal(world_deliver(w, BOB, 1, 3000), STORE_STORED); /* so it has been given up */
    assert_int_equal(store_figures(w->store).checkpoints, 0);
    run_sql(other, "COMMIT");
    sqlite3_close(other);
    for (int i = 0; i < TRIES && store_figures(w->store).checkpoints == 0; i++)
        pass_second(w);
    assert_int_equal(store_figures(w->store).checkpoints, 1);
    assert_int_equal(w->troubles, 0);
    world_is_whole(w);
}

/* --- The process ends --- */

static void acknowledge(int to, struct world *w, mailbox_id mailbox, unsigned seed, size_t octets)
{
    if (world_deliver(w, mailbox, seed, octets) != STORE_STORED)
        _exit(1);
    if (write(to, &seed, sizeof seed) != sizeof seed)
        _exit(1);
}

/* Until the disk's n-th call, or the end. */
static void work_and_crash(struct world *w, int to, int crash_at)
{
    uint32_t uid = 1;
    FAULT(calls, 0);
    FAULT(crash_at, crash_at);
    if (!loop_new(&w->loop, &w->error) || !world_open(w))
        _exit(1);
    acknowledge(to, w, ALICE, 1, 3000);
    acknowledge(to, w, BOB, 2, 1200000);
    acknowledge(to, w, ALICE, 3, 20000);
    if (world_expunge(w, ALICE, &uid, 1) != STORE_STORED)
        _exit(1);
    for (unsigned seed = 4; seed < 12; seed++)
        acknowledge(to, w, BOB, seed, 9000);
    world_close(w);
    _exit(7);
}

static int run_child(struct world *w, int crash_at, unsigned *last_seed)
{
    int ends[2], status;
    unsigned seed;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0)
        work_and_crash(w, ends[1], crash_at);
    close(ends[1]);
    *last_seed = 0;
    while (read(ends[0], &seed, sizeof seed) == sizeof seed)
        *last_seed = seed;
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static bool holds(struct world *w, mailbox_id mailbox, unsigned seed)
{
    struct maildrop_read read = world_list(w, mailbox);
    bool found = false;
    for (uint32_t i = 0; i < read.count && !found; i++)
        found = world_reads_back(w, &read.entries[i], seed);
    maildrop_read_clear(&read);
    return found;
}

/* Before each of its calls to the disk in turn the process is gone.  What was acknowledged is there
 * afterwards, and index and journal agree. */
static void test_crash_before_every_call(void **state)
{
    struct world *w = *state;
    int status = 0;
    world_close(w);
    loop_free(&w->loop);
    for (int crash_at = 1; status != 7; crash_at++) {
        unsigned last;
        scratch_remove(w->path);
        assert_true(crash_at < 500);
        status = run_child(w, crash_at, &last);
        assert_true(status == 0 || status == 7);
        assert_true(loop_new(&w->loop, &w->error));
        if (!world_open(w))
            fail_msg("crash before call %d: %s", crash_at, w->error.words);
        world_is_whole(w);
        for (unsigned seed = 2; seed <= last; seed++)
            if (!holds(w, seed == 3 ? ALICE : BOB, seed))
                fail_msg("crash before call %d: message %u is lost", crash_at, seed);
        for (int i = 0; i < 2; i++) { /* uids are never given twice */
            mailbox_id mailbox = i ? ALICE : BOB;
            size_t before = count_in(w, mailbox);
            assert_int_equal(world_deliver(w, mailbox, 99, 100), STORE_STORED);
            assert_int_equal(count_in(w, mailbox), before + 1);
        }
        world_is_whole(w);
        world_close(w);
        loop_free(&w->loop);
    }
    assert_true(loop_new(&w->loop, &w->error));
    assert_true(world_open(w));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_write_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sync_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_can_be_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_large_file_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reserve, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_segment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_segment_and_then_a_failed_sync, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_index_lags, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_deletion_that_the_index_lacks_is_not_undone_for_readers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_log_is_full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_index_that_was_not_synced_is_made_anew, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_index_lags_at_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_index_is_damaged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reader_finds_damage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reader_in_the_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_long_reader, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crash_before_every_call, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
