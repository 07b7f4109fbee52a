/* test_compact.c - dead mail gives its space back, and nothing else changes: not while readers hold
 * old places, not when the process ends at any call to the disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "faults.h"
#include "store_world.h"

#include "run/disk.h"
#include "store/queue.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ALICE = 0x1111, BOB = 0x2222, CAROL = 0x3333, MAIL = 64, OCTETS = 5000 };

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

static void advance(uint64_t ms)
{
    faults_hold()->clock_ms += ms;
    faults_release();
}

static void pass_second(struct world *w)
{
    store_tend(w->store);
    advance(1001);
    usleep(100);
}

/* Seconds go by until compaction has removed something and finds nothing more to do; false when it
 * gives up.  The lanes have a processor meanwhile. */
static bool compact(struct world *w)
{
    struct store_figures before = store_figures(w->store), now = before;
    advance(11 * 60 * 1000);
    while (now.segments_removed == before.segments_removed || now.looks == before.looks) {
        pass_second(w);
        if (world_told(w, "dead mail keeps its space"))
            return false;
        now = store_figures(w->store);
    }
    return true;
}

/* Alice and Bob get mail in turn; then Alice deletes all but every fourth of hers. */
static void fill(struct world *w)
{
    uint32_t uids[MAIL];
    size_t count = 0;
    for (unsigned i = 0; i < MAIL; i++)
        assert_int_equal(world_deliver(w, i % 4 ? ALICE : BOB, i, OCTETS), STORE_STORED);
    for (uint32_t uid = 1; uid <= MAIL - MAIL / 4; uid++)
        if (uid % 4)
            uids[count++] = uid;
    for (size_t i = 0; i < count; i += 8)
        assert_int_equal(world_expunge(w, ALICE, uids + i, count - i < 8 ? count - i : 8),
                         STORE_STORED);
}

/* Alice's uid is her seed without those that are Bob's. */
static unsigned seed_of(uint32_t uid)
{
    return (uid - 1) / 3 * 4 + (uid - 1) % 3 + 1;
}

static void check_filled(struct world *w)
{
    struct maildrop_read alice = world_list(w, ALICE), bob = world_list(w, BOB);
    assert_int_equal(bob.count, MAIL / 4);
    for (uint32_t i = 0; i < bob.count; i++)
        assert_true(world_reads_back(w, &bob.entries[i], i * 4));
    assert_int_equal(alice.count, (MAIL - MAIL / 4) / 4);
    assert_int_equal(alice.uid_next, MAIL - MAIL / 4 + 1);
    for (uint32_t i = 0; i < alice.count; i++)
        assert_true(world_reads_back(w, &alice.entries[i], seed_of(alice.entries[i].uid)));
    maildrop_read_clear(&alice);
    maildrop_read_clear(&bob);
    world_is_whole(w);
}

static void test_dead_mail_goes(void **state)
{
    struct world *w = *state;
    fill(w);
    check_filled(w);
    assert_true(compact(w));
    check_filled(w);
    world_reopen(w);
    check_filled(w);
    /* From the journal alone. */
    world_close(w);
    assert_true(store_rebuild(w->path, NULL, NULL, &w->error));
    assert_true(world_open(w));
    check_filled(w);
    assert_int_equal(w->troubles, 0);
}

/* Mail that came message by message fills no batch: written again together it takes less, once. */
static void test_small_batches_are_packed_once(void **state)
{
    struct world *w = *state;
    for (unsigned i = 0; i < 4 * MAIL; i++)
        assert_int_equal(world_deliver(w, ALICE, i, 4200), STORE_STORED);
    assert_true(compact(w));
    uint64_t rewritten = store_figures(w->store).rewritten;
    for (int round = 0; round < 5; round++) {
        uint64_t looks = store_figures(w->store).looks;
        while (store_figures(w->store).looks == looks) {
            store_tend(w->store);
            advance(60 * 1000);
            usleep(100);
        }
    }
    assert_true(rewritten <= 4 * MAIL + 64);
    assert_int_equal(store_figures(w->store).rewritten, rewritten);
    world_is_whole(w);
}

static void test_a_store_that_is_alive_is_left_alone(void **state)
{
    struct world *w = *state;
    for (unsigned i = 0; i < MAIL; i++) /* of a size that leaves little of a batch empty */
        assert_int_equal(world_deliver(w, ALICE, i, 7600), STORE_STORED);
    advance(11 * 60 * 1000);
    for (int i = 0; i < 200; i++) {
        store_tend(w->store);
        advance(60 * 1000);
        usleep(100);
    }
    assert_int_equal(store_figures(w->store).rewritten, 0);
    assert_int_equal(store_figures(w->store).segments_removed, 0);
}

/* A session has listed its maildrop before; its messages have moved since. */
static void test_old_places_are_found_again(void **state)
{
    struct world *w = *state;
    fill(w);
    struct maildrop_read bob = world_list(w, BOB);
    assert_true(compact(w));
    for (uint32_t i = 0; i < bob.count; i++)
        assert_true(world_reads_back(w, &bob.entries[i], i * 4));
    maildrop_read_clear(&bob);
}

/* Round after round, with new mail between: it does not pile up, and uids go on. */
static void test_again_and_again(void **state)
{
    struct world *w = *state;
    uint32_t uid = 1;
    assert_int_equal(world_deliver(w, BOB, 7, OCTETS), STORE_STORED);
    for (int round = 0; round < 4; round++) {
        for (unsigned i = 0; i < MAIL; i++) {
            assert_int_equal(world_deliver(w, ALICE, i, OCTETS), STORE_STORED);
            assert_int_equal(world_expunge(w, ALICE, &uid, 1), STORE_STORED);
            uid++;
        }
        assert_true(compact(w));
        world_is_whole(w);
        if (round % 2)
            world_reopen(w);
    }
    struct maildrop_read alice = world_list(w, ALICE), bob = world_list(w, BOB);
    assert_int_equal(alice.count, 0);
    assert_int_equal(alice.uid_next, uid);
    assert_int_equal(bob.count, 1);
    assert_true(world_reads_back(w, &bob.entries[0], 7));
    maildrop_read_clear(&alice);
    maildrop_read_clear(&bob);
}

static void tend_until(struct world *w, uint64_t removed, uint64_t looks)
{
    while (store_figures(w->store).segments_removed < removed ||
           store_figures(w->store).looks < looks)
        pass_second(w);
}

/* A backup holds the old segments when they are to go; nothing else dies, and they go all the same,
 * at the next look. */
static void test_what_was_held_goes_at_the_next_look(void **state)
{
    struct world *w = *state;
    struct disk *disk = NULL;
    struct disk_file *hold = NULL;
    fill(w);
    assert_true(disk_open(w->path, false, &disk, &w->error));
    assert_true(disk_lock(disk, "hold", &hold, &w->error));
    advance(11 * 60 * 1000);
    tend_until(w, 0, store_figures(w->store).looks + 2);
    assert_true(store_figures(w->store).rewritten > 0);
    assert_int_equal(store_figures(w->store).segments_removed, 0);
    disk_unlock(&hold);
    disk_close(&disk);
    advance(11 * 60 * 1000);
    tend_until(w, 1, 0);
    check_filled(w);
    assert_int_equal(w->troubles, 0);
}

/* Octets of all segments on the disk. */
static uint64_t weigh(struct world *w)
{
    char path[SCRATCH_PATH + 32];
    struct stat status;
    uint64_t octets = 0;
    for (unsigned number = 1; number < 1000; number++) {
        snprintf(path, sizeof path, "%s/journal/%08u.seg", w->path, number);
        if (stat(path, &status) == 0)
            octets += (uint64_t)status.st_size;
    }
    return octets;
}

/* The segments that compaction itself begins are of the same disk: it must win more than these. */
static void test_a_full_disk_heals(void **state)
{
    enum { RESERVE = 256 * 1024, MISSING = 96 * 1024 };
    struct world *w = *state;
    world_close(w);
    w->options.reserve_octets = RESERVE;
    assert_true(world_open(w));
    fill(w);
    uint64_t room = weigh(w) + RESERVE - MISSING;
    FAULT(free_octets, RESERVE - MISSING);
    while (store_health(w->store) != STORE_FULL)
        pass_second(w);
    for (int i = 0; i < 2000 && store_health(w->store) != STORE_READY; i++) {
        uint64_t octets = weigh(w);
        FAULT(free_octets, room > octets ? room - octets : 1);
        pass_second(w);
    }
    assert_int_equal(store_health(w->store), STORE_READY);
    assert_true(store_figures(w->store).segments_removed > 0);
    tend_until(w, 0, store_figures(w->store).looks + 1); /* nothing moves any more */
    check_filled(w);
    world_reopen(w);
    check_filled(w);
}

static uint64_t slept_ms(void)
{
    uint64_t us = faults_hold()->slept_us;
    faults_release();
    return us / 1000;
}

/* The index cannot come wholly to the disk while another process reads in it: mail goes on as if
 * nothing were waited for. */
static void test_a_long_reader_holds_nobody_up(void **state)
{
    struct world *w = *state;
    char path[SCRATCH_PATH + 16];
    sqlite3 *other = NULL;
    fill(w);
    snprintf(path, sizeof path, "%s/index.db", w->path);
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN; SELECT count(*) FROM mailbox", NULL, NULL, NULL),
                     SQLITE_OK);
    advance(11 * 60 * 1000);
    while (store_figures(w->store).compaction != COMPACTION_SETTLES)
        pass_second(w);
    uint64_t before_ms = slept_ms();
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(world_deliver(w, CAROL, i, OCTETS), STORE_STORED);
    assert_true(slept_ms() < before_ms + 250);
    assert_int_equal(store_figures(w->store).segments_removed, 0);
    sqlite3_close(other);
    tend_until(w, 1, 0);
    check_filled(w);
    assert_int_equal(w->troubles, 0);
}

/* --- With backups --- */

static void copy(const char *from, const char *to)
{
    char command[1024];
    int len = snprintf(command, sizeof command, "rm -rf '%s' && cp -a '%s' '%s'", to, from, to);
    assert_in_range(len, 1, sizeof command - 1);
    assert_int_equal(system(command), 0);
}

/* What a backup has brought that is cut before its last two segments. */
static void copy_all_but_two(const char *from, const char *to)
{
    char source[128], target[256], last[2][128] = { "", "" };
    for (unsigned number = 1; number < 1000; number++) {
        snprintf(source, sizeof source, "%s/journal/%08u.seg", from, number);
        if (access(source, R_OK) != 0)
            continue;
        const char *name = strrchr(last[0], '/');
        if (name) {
            snprintf(target, sizeof target, "%s/journal%s", to, name);
            copy(last[0], target);
        }
        memcpy(last[0], last[1], sizeof last[0]);
        memcpy(last[1], source, sizeof last[1]);
    }
}

/* Its new segments lack those between, which were given up, and theirs are of no use alone. */
static void test_a_backup_cut_after_compaction_is_the_one_of_before(void **state)
{
    struct world *w = *state;
    struct store_copied copied;
    struct store_restored restored;
    uint64_t findings = 1;
    char kept[128], again[128];
    snprintf(kept, sizeof kept, "%s/kept", w->path);
    snprintf(again, sizeof again, "%s/again", w->path);
    fill(w);
    assert_true(store_backup(w->path, kept, &copied, &w->error));
    for (int i = 0; i < 2; i++) {
        for (unsigned k = 0; k < MAIL; k++)
            assert_int_equal(world_deliver(w, CAROL, k, OCTETS), STORE_STORED);
        for (uint32_t uid = 1; uid <= MAIL; uid += 8) {
            uint32_t uids[8];
            for (uint32_t k = 0; k < 8; k++)
                uids[k] = uid + k + (uint32_t)i * MAIL;
            assert_int_equal(world_expunge(w, CAROL, uids, 8), STORE_STORED);
        }
        assert_true(compact(w));
    }
    copy_all_but_two(w->path, kept);
    assert_true(store_verify(kept, NULL, NULL, &findings, &w->error));
    assert_int_equal(findings, 0);
    assert_true(store_restore(kept, again, &restored, &w->error));
    assert_int_equal(restored.messages, MAIL / 4 + (MAIL - MAIL / 4) / 4);
    assert_true(store_verify(again, NULL, NULL, &findings, &w->error));
    assert_int_equal(findings, 0);
}

/* Content of its own file is not written again, and what is gone is gone. */
static void test_large_messages(void **state)
{
    struct world *w = *state;
    uint32_t uid = 2;
    assert_int_equal(world_deliver(w, CAROL, 1, 1500000), STORE_STORED);
    assert_int_equal(world_deliver(w, CAROL, 2, 1500000), STORE_STORED);
    assert_int_equal(world_expunge(w, CAROL, &uid, 1), STORE_STORED);
    fill(w);
    assert_true(compact(w));
    for (int round = 0; round < 2; round++) {
        struct maildrop_read carol = world_list(w, CAROL);
        assert_int_equal(carol.count, 1);
        assert_true(world_reads_back(w, &carol.entries[0], 1));
        maildrop_read_clear(&carol);
        check_filled(w);
        world_reopen(w);
    }
}

static void test_a_purged_mailbox(void **state)
{
    struct world *w = *state;
    struct delivery d;
    /* One message is the purged mailbox's and Carol's. */
    assert_true(delivery_begin(w, &d, 3, OCTETS, 0));
    delivery_to(&d, 0x4444);
    delivery_to(&d, CAROL);
    delivery_submit(&d);
    world_wait(w);
    assert_int_equal(d.commit.verdict, STORE_STORED);
    delivery_end(&d);
    fill(w);
    assert_int_equal(world_purge(w, 0x4444), STORE_STORED);
    assert_true(compact(w));
    for (int round = 0; round < 2; round++) {
        struct maildrop_read carol = world_list(w, CAROL), gone = world_list(w, 0x4444);
        assert_int_equal(carol.count, 1);
        assert_int_equal(gone.count, 0);
        assert_true(world_reads_back(w, &carol.entries[0], 3));
        maildrop_read_clear(&carol);
        maildrop_read_clear(&gone);
        world_is_whole(w);
        world_reopen(w);
    }
}

/* What only a purged mailbox has is not written again, but its rows take a while to go. */
static void test_a_purge_during_a_round(void **state)
{
    enum { LISTS = 8, POSTS = 2000, LAST = 0x4444 };
    struct world *w = *state;
    for (unsigned i = 0; i < MAIL; i++)
        assert_int_equal(world_deliver(w, LAST, i, OCTETS), STORE_STORED);
    for (unsigned i = 0; i < POSTS; i++) {
        struct delivery d;
        assert_true(delivery_begin(w, &d, i, 100, 0));
        for (mailbox_id list = 1; list <= LISTS; list++)
            delivery_to(&d, list);
        delivery_submit(&d);
        world_wait(w);
        delivery_end(&d);
    }
    world_reopen(w); /* nothing may be rewritten yet */
    advance(11 * 60 * 1000);
    while (store_figures(w->store).compaction != COMPACTION_WRITES) {
        store_health(w->store);
        advance(1001);
        usleep(100);
    }
    for (mailbox_id list = 1; list <= LISTS; list++)
        assert_int_equal(world_purge(w, list), STORE_STORED);
    assert_int_equal(world_purge(w, LAST), STORE_STORED);
    tend_until(w, 1, store_figures(w->store).looks + 1);
    assert_int_equal(w->troubles, 0);
    world_is_whole(w);
}

/* --- The queue --- */

static struct queue_row row_of(message_id message, uint32_t number)
{
    return (struct queue_row){ .message = message,
                               .number = number,
                               .generation = 1,
                               .due_ms = 100,
                               .address = T("someone@else.test"),
                               .domain = T("else.test"),
                               .last = T(""),
                               .notify = 3,
                               .orcpt = T("rfc822;x@else.test") };
}

static void submit_rows(struct world *w, const struct queue_row *rows, size_t count)
{
    struct delivery d = { .world = w };
    d.commit = (struct commit){ .rows = rows, .row_count = count, .home = w->loop };
    delivery_submit(&d);
    world_wait(w);
    assert_int_equal(d.commit.verdict, STORE_STORED);
}

/* Three recipients: one goes on waiting, one is held, one is settled. */
static void queue_three(struct world *w, unsigned seed)
{
    static const struct queue_envelope envelope = { TEXT("FULL"), TEXT("QQ1"), true,
                                                    .requires_tls = true };
    struct delivery d;
    struct queue_row rows[3];
    assert_true(delivery_begin(w, &d, seed, OCTETS, 0));
    for (uint32_t i = 0; i < 3; i++)
        rows[i] = row_of(d.commit.message, i);
    d.commit.rows = rows;
    d.commit.row_count = 3;
    d.commit.envelope = &envelope;
    delivery_submit(&d);
    world_wait(w);
    assert_int_equal(d.commit.verdict, STORE_STORED);
    delivery_end(&d);
    for (uint32_t i = 0; i < 3; i++) {
        rows[i].generation = 2;
        rows[i].attempts = 1;
        rows[i].last = T("450 4.2.0 later");
    }
    rows[1].held = true;
    rows[2].state = QUEUE_DELIVERED;
    submit_rows(w, rows, 3);
}

static void dump(struct world *w, bool rebuild, struct buffer *out)
{
    buffer_init(out, 64 << 20);
    if (!store_dump(w->path, rebuild, out, &w->error))
        fail_msg("%s", w->error.words);
}

/* How often a word stands in the dump. */
static size_t count_words(struct world *w, bool rebuild, const char *word)
{
    struct buffer out;
    size_t count = 0;
    dump(w, rebuild, &out);
    buffer_byte(&out, 0);
    for (const char *at = (const char *)out.at; (at = strstr(at, word)); at++)
        count++;
    buffer_clear(&out);
    return count;
}

static void test_the_queue(void **state)
{
    struct world *w = *state;
    for (unsigned i = 0; i < 4; i++)
        queue_three(w, 500 + i);
    fill(w);
    assert_true(compact(w));
    for (int round = 0; round < 2; round++) {
        for (int rebuild = 0; rebuild < 2; rebuild++) {
            assert_int_equal(count_words(w, rebuild, "\nrecipient "), 12);
            assert_int_equal(count_words(w, rebuild, "450 4.2.0 later"), 8);
            assert_int_equal(count_words(w, rebuild, " held 1 "), 4);
            assert_int_equal(count_words(w, rebuild, "QQ1"), 4);
            assert_int_equal(count_words(w, rebuild, "envelope 3"), 4);
        }
        check_filled(w);
        world_reopen(w);
    }
}

/* Nothing is left to be written again, and the segment in use holds no batch: the index stands in
 * the one before, which must not go. */
static void test_the_index_keeps_its_place(void **state)
{
    struct world *w = *state;
    for (unsigned i = 0; i < MAIL; i++) {
        struct delivery d;
        assert_true(delivery_begin(w, &d, i, OCTETS, 0));
        struct queue_row row = row_of(d.commit.message, 0);
        d.commit.rows = &row;
        d.commit.row_count = 1;
        delivery_submit(&d);
        world_wait(w);
        assert_int_equal(d.commit.verdict, STORE_STORED);
        delivery_end(&d);
        row.generation = 2;
        row.state = QUEUE_DELIVERED;
        submit_rows(w, &row, 1);
    }
    world_reopen(w);
    assert_true(compact(w));
    world_reopen(w);
    assert_int_equal(w->troubles, 0);
    world_is_whole(w);
}

/* --- Trouble --- */

static void flip(struct world *w, const char *name, off_t at)
{
    char path[SCRATCH_PATH + 64], octet;
    snprintf(path, sizeof path, "%s/%s", w->path, name);
    int file = open(path, O_RDWR);
    assert_true(file >= 0);
    assert_int_equal(pread(file, &octet, 1, at), 1);
    octet ^= 1;
    assert_int_equal(pwrite(file, &octet, 1, at), 1);
    close(file);
}

/* Mail that cannot be read is not thrown away, and people are told. */
static void test_damage_stays_where_it_is(void **state)
{
    struct world *w = *state;
    fill(w);
    flip(w, "journal/00000001.seg", 8192 + 64 + 72 + 8 + 400); /* Bob's first message */
    assert_false(compact(w));
    assert_int_equal(store_figures(w->store).segments_removed, 0);
    assert_true(world_told(w, "dead mail keeps its space"));
    assert_int_equal(store_health(w->store), STORE_READY);
    struct maildrop_read bob = world_list(w, BOB);
    assert_int_equal(bob.count, MAIL / 4);
    assert_false(world_reads_back(w, &bob.entries[0], 0));
    assert_true(world_reads_back(w, &bob.entries[1], 4));
    maildrop_read_clear(&bob);
}

/* A unit that nobody needs any more cannot be read; it was the only one that named its mailbox. */
static void test_damage_takes_no_mailbox_along(void **state)
{
    struct world *w = *state;
    uint32_t uid = 1;
    assert_int_equal(world_deliver(w, CAROL, 1, OCTETS), STORE_STORED);
    fill(w);
    assert_int_equal(world_expunge(w, CAROL, &uid, 1), STORE_STORED);
    assert_int_equal(world_deliver(w, CAROL, 2, OCTETS), STORE_STORED);
    flip(w, "journal/00000001.seg", 8192 + 64 + 72 + 8 + 400);
    assert_true(compact(w));
    assert_true(w->troubles > 0); /* it was told */
    assert_int_equal(count_words(w, true, "\nmailbox "), 3);
    assert_int_equal(count_words(w, true, " uidvalidity 0 "), 0);
    world_is_whole(w);
}

/* --- The process ends --- */

static void work_and_crash(struct world *w, int crash_at)
{
    FAULT(calls, 0);
    FAULT(crash_at, crash_at);
    if (!loop_new(&w->loop, &w->error) || !world_open(w) || !compact(w))
        _exit(1);
    world_close(w);
    _exit(7);
}

static int run_child(struct world *w, int crash_at)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        work_and_crash(w, crash_at);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Before each of its calls to the disk in turn the process is gone. */
static void test_crash_before_every_call(void **state)
{
    struct world *w = *state;
    char kept[SCRATCH_PATH + 8];
    int status = 0;
    queue_three(w, 501);
    fill(w);
    world_close(w);
    loop_free(&w->loop);
    snprintf(kept, sizeof kept, "%s.kept", w->path);
    copy(w->path, kept);
    for (int crash_at = 1; status != 7; crash_at++) {
        assert_true(crash_at < 500);
        copy(kept, w->path);
        status = run_child(w, crash_at);
        assert_true(status == 0 || status == 7);
        assert_true(loop_new(&w->loop, &w->error));
        if (!world_open(w))
            fail_msg("crash before call %d: %s", crash_at, w->error.words);
        check_filled(w);
        assert_int_equal(count_words(w, true, "450 4.2.0 later"), 2);
        world_close(w);
        loop_free(&w->loop);
    }
    scratch_remove(kept);
    assert_true(loop_new(&w->loop, &w->error));
    assert_true(world_open(w));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_dead_mail_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_store_that_is_alive_is_left_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_small_batches_are_packed_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_old_places_are_found_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_again_and_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_held_goes_at_the_next_look, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_disk_heals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_long_reader_holds_nobody_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_backup_cut_after_compaction_is_the_one_of_before,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_large_messages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_purged_mailbox, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_purge_during_a_round, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_queue, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_index_keeps_its_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damage_stays_where_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damage_takes_no_mailbox_along, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crash_before_every_call, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
