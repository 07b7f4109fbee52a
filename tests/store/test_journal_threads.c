/* test_journal_threads.c - one thread writes, one prepares, several read and replay, on a real
 * disk: what ThreadSanitizer looks at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "base/check.h"
#include "scratch.h"
#include "store/local/journal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { BATCHES = 150, UNITS = 4, OCTETS = 3000, MESSAGES = BATCHES * UNITS };

struct town {
    struct journal *journal;
    struct unit_place places[MESSAGES]; /* those below `written` */
    atomic_size_t written;
};

static void fill(message_id id, uint8_t out[OCTETS])
{
    memset(out, (int)(id * 37 + 11), OCTETS);
}

static void write_batch(struct town *t, size_t batch)
{
    uint8_t content[UNITS][OCTETS];
    struct iovec parts[UNITS];
    struct unit units[UNITS];
    struct error e;
    for (size_t i = 0; i < UNITS; i++) {
        message_id id = batch * UNITS + i + 1;
        fill(id, content[i]);
        parts[i] = (struct iovec){ content[i], OCTETS };
        units[i] = (struct unit){ .message = id,
                                  .changes = bytes_of_text(T("placed")),
                                  .content = &parts[i],
                                  .content_count = 1,
                                  .content_octets = OCTETS };
    }
    while (journal_is_full(t->journal, journal_batch_octets(units, UNITS)) &&
           !journal_turn(t->journal, &e))
        CHECK(journal_prepare(t->journal, &e));
    CHECK(journal_append(t->journal, units, UNITS, &e));
    if (batch % 10 == 7) {
        /* The sync is said to have failed; the client tries again. */
        CHECK(journal_abandon(t->journal, &e));
        CHECK(journal_append(t->journal, units, UNITS, &e));
    }
    CHECK(journal_sync(t->journal, &e));
    for (size_t i = 0; i < UNITS; i++)
        t->places[batch * UNITS + i] = units[i].place;
    atomic_store(&t->written, (batch + 1) * UNITS);
}

static void *write_all(void *town)
{
    for (size_t batch = 0; batch < BATCHES; batch++)
        write_batch(town, batch);
    return NULL;
}

static void *prepare_all(void *town)
{
    struct town *t = town;
    struct error e;
    while (atomic_load(&t->written) < MESSAGES) {
        CHECK(journal_prepare(t->journal, &e));
        sched_yield();
    }
    return NULL;
}

static void read_message(struct town *t, size_t i)
{
    struct unit_reader *r;
    struct bytes b;
    struct error e;
    bool would_block;
    uint8_t expected[OCTETS];
    if (!unit_open(t->journal, i + 1, &t->places[i], true, &would_block, &r, &e)) {
        CHECK(would_block);
        CHECK(unit_open(t->journal, i + 1, &t->places[i], false, &would_block, &r, &e));
    }
    CHECK(unit_read(r, 0, false, &would_block, &b, &e));
    fill(i + 1, expected);
    CHECK(b.len == OCTETS && memcmp(b.at, expected, OCTETS) == 0);
    unit_close(&r);
}

static void *read_all(void *town)
{
    struct town *t = town;
    size_t written = 0;
    for (size_t i = 1; written < MESSAGES; i++) {
        written = atomic_load(&t->written);
        if (written)
            read_message(t, i * 7919 % written);
        else
            sched_yield();
    }
    return NULL;
}

static bool count(void *owner, const struct unit *u, const struct journal_position *after,
                  struct error *e)
{
    size_t *last = owner;
    (void)after, (void)e;
    CHECK(u->message == *last + 1);
    *last = u->message;
    return true;
}

static void *replay_all(void *town)
{
    struct town *t = town;
    struct error e;
    struct journal_position from = { 0 };
    size_t replayed = 0;
    while (replayed < MESSAGES) {
        size_t before = atomic_load(&t->written);
        replayed = 0;
        struct journal_events events = { .replay = count, .owner = &replayed };
        CHECK(journal_replay(t->journal, &from, &events, &e));
        CHECK(replayed >= before);
    }
    return NULL;
}

static void test_everybody_at_once(void **state)
{
    (void)state;
    void *(*jobs[])(void *) = { write_all, prepare_all, replay_all, read_all, read_all, read_all };
    enum { JOBS = sizeof jobs / sizeof *jobs };
    static struct town town;
    static const uint8_t uuid[16] = "threads";
    pthread_t threads[JOBS];
    char path[SCRATCH_PATH];
    struct error e;
    struct journal_position from = { 0 };
    struct journal_events events = { 0 };
    struct journal_options options = { .store_uuid = uuid, .segment_octets = 128 * 1024 };
    assert_true(scratch_make(path));
    assert_true(disk_open(path, false, &options.disk, &e));
    assert_true(journal_open(&options, &from, &events, &town.journal, &e));
    for (size_t i = 0; i < JOBS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, jobs[i], &town), 0);
    for (size_t i = 0; i < JOBS; i++)
        pthread_join(threads[i], NULL);
    journal_close(&town.journal);
    disk_close(&options.disk);
    scratch_remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everybody_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
