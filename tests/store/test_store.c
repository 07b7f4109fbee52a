/* test_store.c - what is stored is there, whole, once, and after every restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "run/clock.h"
#include "store_world.h"

#include <sqlite3.h>
#include <string.h>

enum { ALICE = 0x1111, BOB = 0x2222, NOBODY = 0x3333 };

static void test_one_message(void **state)
{
    struct world *w = *state;
    struct delivery d;
    assert_int_equal(store_health(w->store), STORE_READY);
    assert_true(delivery_begin(w, &d, 1, 5000, 0));
    delivery_to(&d, ALICE);
    delivery_to(&d, BOB);
    delivery_submit(&d);
    world_wait(w);
    assert_int_equal(d.commit.verdict, STORE_STORED);
    assert_int_equal(d.placements[0].uid, 1);
    assert_true(d.placements[1].modseq > 0);
    delivery_end(&d);

    for (int round = 0; round < 2; round++) {
        struct maildrop_read alice = world_list(w, ALICE), bob = world_list(w, BOB);
        assert_int_equal(alice.count, 1);
        assert_int_equal(alice.octets, 5030);
        assert_int_equal(alice.uid_next, 2);
        assert_true(alice.uid_validity != bob.uid_validity);
        assert_int_equal(alice.entries[0].octets, 5030);
        assert_int_equal(alice.entries[0].content_octets, 5000);
        assert_int_equal(alice.entries[0].message, bob.entries[0].message);
        assert_true(text_equal(alice.entries[0].prefix, T("Delivered-To: someone@a.test\r\n")));
        assert_true(world_reads_back(w, &alice.entries[0], 1));
        assert_true(world_reads_back(w, &bob.entries[0], 1));
        maildrop_read_clear(&alice);
        maildrop_read_clear(&bob);
        world_is_whole(w);
        world_reopen(w);
    }
    struct maildrop_read nobody = world_list(w, NOBODY);
    assert_int_equal(nobody.count, 0);
    assert_int_equal(nobody.uid_next, 1);
    maildrop_read_clear(&nobody);
}

static void test_sizes(void **state)
{
    static const size_t sizes[] = { 0,     1,      8191,    8192,    8193,    65535,   65536,
                                    65537, 262144, 1048575, 1048576, 1048577, 1310720, 5000000 };
    struct world *w = *state;
    size_t count = sizeof sizes / sizeof *sizes;
    for (size_t i = 0; i < count; i++)
        assert_int_equal(world_deliver(w, ALICE, (unsigned)i, sizes[i]), STORE_STORED);
    for (int round = 0; round < 2; round++) {
        struct maildrop_read alice = world_list(w, ALICE);
        assert_int_equal(alice.count, count);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(alice.entries[i].content_octets, sizes[i]);
            assert_int_equal(alice.entries[i].place.large, sizes[i] > 1048576);
            assert_true(world_reads_back(w, &alice.entries[i], (unsigned)i));
        }
        maildrop_read_clear(&alice);
        world_is_whole(w);
        world_reopen(w);
    }
}

static void test_many_at_once(void **state)
{
    enum { COUNT = 600 };
    struct world *w = *state;
    struct delivery *d = calloc(COUNT, sizeof *d);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_true(delivery_begin(w, &d[i], i, 100 + i, 0));
        delivery_to(&d[i], i % 3 ? ALICE : BOB);
    }
    for (unsigned i = 0; i < COUNT; i++)
        delivery_submit(&d[i]);
    world_wait(w);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(d[i].commit.verdict, STORE_STORED);
        assert_int_equal(d[i].placements[0].uid, i % 3 ? i - i / 3 : i / 3 + 1);
        delivery_end(&d[i]);
    }
    struct store_figures figures = store_figures(w->store);
    assert_int_equal(figures.messages, COUNT);
    assert_true(figures.batches < COUNT / 10);
    assert_int_equal(figures.syncs, figures.batches);
    struct maildrop_read alice = world_list(w, ALICE);
    assert_int_equal(alice.count, COUNT - COUNT / 3);
    maildrop_read_clear(&alice);
    world_is_whole(w);
    free(d);
}

/* A body that a decoder has counted is not counted again, and the facts are the same. */
static void test_counted_bodies(void **state)
{
    struct world *w = *state;
    struct delivery plain, counted;
    static const char head[] = "Received: by us\r\n";
    static const char body[] = "Received: by them\r\nSubject: x\r\n\r\n.dot\r\n\xE4\r\n";
    struct content_counter counter;
    content_counter_init(&counter);
    content_count(&counter, bytes_of_text(text_of(body)));
    assert_true(delivery_begin(w, &plain, 0, 0, 0));
    assert_true(delivery_begin(w, &counted, 0, 0, 0));
    spool_append(plain.spool, bytes_of_text(text_of(head)));
    spool_append(plain.spool, bytes_of_text(text_of(body)));
    spool_append(counted.spool, bytes_of_text(text_of(head)));
    spool_append_counted(counted.spool, bytes_of_text(text_of(body)));
    spool_add_facts(counted.spool, &counter.facts);
    const struct content_facts *a = spool_facts(plain.spool), *b = spool_facts(counted.spool);
    assert_true(a->octets == b->octets);
    assert_int_equal(a->received, b->received);
    assert_int_equal(b->received, 2);
    assert_int_equal(a->line_longest, b->line_longest);
    assert_true(b->dot_lines && b->eight_bit && b->ends_with_crlf && !b->has_nul);
    delivery_end(&plain);
    delivery_end(&counted);
}

/* A body beyond the budget goes to a file early; it is never lost for want of memory. */
/* The next octets; turns the loop while a lane has them. */
static struct bytes read_back(struct world *w, struct delivery *d, uint64_t at)
{
    struct bytes piece;
    enum spool_state s;
    while ((s = spool_read(d->spool, at, &piece)) == SPOOL_WAIT) {
        w->waiting++;
        world_wait(w);
    }
    assert_int_equal(s, SPOOL_OPEN);
    return piece;
}

/* Twice in order, then from any place; and then the body is committed as if nobody had looked. */
static void test_read_back(void **state)
{
    static const size_t sizes[] = { 0,      1, 8 * 1024, 8 * 1024 + 1, 1024 * 1024, 1024 * 1024 + 1,
                                    3000000 };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct delivery d;
        assert_true(delivery_begin(w, &d, (unsigned)i, sizes[i], 10000));
        for (int round = 0; round < 2; round++) {
            struct bytes piece = { 0 };
            for (size_t at = 0; at < sizes[i]; at += piece.len) {
                piece = read_back(w, &d, at);
                assert_in_range(piece.len, 1, sizes[i] - at);
                assert_memory_equal(piece.at, d.body + at, piece.len);
            }
            assert_int_equal(read_back(w, &d, sizes[i]).len, 0);
        }
        for (size_t at = sizes[i] / 3; at > 0; at /= 3)
            assert_int_equal(read_back(w, &d, at).at[0], d.body[at]);
        delivery_to(&d, ALICE);
        delivery_submit(&d);
        world_wait(w);
        assert_int_equal(d.commit.verdict, STORE_STORED);
        delivery_end(&d);
        struct maildrop_read list = world_list(w, ALICE);
        assert_int_equal(list.count, i + 1);
        assert_true(world_reads_back(w, &list.entries[i], (unsigned)i));
        maildrop_read_clear(&list);
    }
}

/* One that is closed while a lane reads. */
static void test_read_back_and_gone(void **state)
{
    struct world *w = *state;
    struct delivery d;
    struct bytes piece;
    assert_true(delivery_begin(w, &d, 1, 2000000, 0));
    assert_int_equal(spool_read(d.spool, 1000000, &piece), SPOOL_WAIT);
    assert_int_equal(spool_read(d.spool, 0, &piece), SPOOL_WAIT);
    delivery_end(&d);
    assert_int_equal(world_deliver(w, ALICE, 2, 100), STORE_STORED);
}

static void test_body_memory(void **state)
{
    struct world *w = *state;
    world_close(w);
    w->options.body_memory = 512 * 1024;
    assert_true(world_open(w));
    struct delivery first, second;
    assert_true(delivery_begin(w, &first, 1, 450 * 1024, 1000));
    assert_int_equal(store_health(w->store), STORE_FULL);
    assert_true(delivery_begin(w, &second, 2, 450 * 1024, 1000));
    delivery_to(&first, ALICE);
    delivery_to(&second, ALICE);
    delivery_submit(&first);
    delivery_submit(&second);
    world_wait(w);
    assert_int_equal(first.commit.verdict, STORE_STORED);
    assert_int_equal(second.commit.verdict, STORE_STORED);
    unsigned first_uid = first.placements[0].uid;
    delivery_end(&first);
    delivery_end(&second);
    struct maildrop_read alice = world_list(w, ALICE);
    assert_int_equal(alice.count, 2);
    assert_false(alice.entries[first_uid - 1].place.large);
    assert_true(alice.entries[2 - first_uid].place.large);
    assert_true(world_reads_back(w, &alice.entries[first_uid - 1], 1));
    assert_true(world_reads_back(w, &alice.entries[2 - first_uid], 2));
    maildrop_read_clear(&alice);
    world_reopen(w);
    assert_int_equal(store_health(w->store), STORE_READY);
    world_is_whole(w);
}

static bool has_large(struct world *w, message_id id)
{
    char path[SCRATCH_PATH + 64], words[MESSAGE_ID_TEXT + 1];
    snprintf(path, sizeof path, "%s/journal/large/%s", w->path, message_id_print(id, words).at);
    return access(path, F_OK) == 0;
}

static void test_large_files_come_and_go(void **state)
{
    struct world *w = *state;
    struct delivery dropped, kept;
    assert_true(delivery_begin(w, &dropped, 1, 3000000, 64 * 1024));
    assert_true(delivery_begin(w, &kept, 2, 3000000, 0));
    message_id dropped_id = dropped.commit.message, kept_id = kept.commit.message;
    delivery_to(&kept, ALICE);
    delivery_submit(&kept);
    world_wait(w);
    assert_int_equal(kept.commit.verdict, STORE_STORED);
    delivery_end(&dropped); /* never committed */
    delivery_end(&kept);
    world_close(w); /* the lanes have done what they had */
    assert_false(has_large(w, dropped_id));
    assert_true(has_large(w, kept_id));
    assert_true(world_open(w));
    assert_true(has_large(w, kept_id));
    assert_int_equal(world_expunge(w, ALICE, (uint32_t[]){ 1 }, 1), STORE_STORED);
    world_is_whole(w);
    world_reopen(w); /* what is dead goes after recovery at the latest */
    assert_false(has_large(w, kept_id));
    world_is_whole(w);
}

/* Deleting large mail gives its space back while the server runs: the log of the index is taken
 * into the index early, and then the files go. */
static void test_large_files_go_soon(void **state)
{
    enum { COUNT = 3, OCTETS = 25 * 1024 * 1024, PATIENCE_MS = 120 * 1000 };
    struct world *w = *state;
    struct maildrop_read alice;
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(world_deliver(w, ALICE, i, OCTETS), STORE_STORED);
    alice = world_list(w, ALICE);
    assert_true(has_large(w, alice.entries[0].message));
    assert_int_equal(world_expunge(w, ALICE, (uint32_t[]){ 1, 2, 3 }, COUNT), STORE_STORED);
    bool gone = false;
    /* A lane that nothing waits for does it: what it takes is for the machine to say. */
    uint64_t give_up_ms = clock_monotonic_ms() + PATIENCE_MS;
    for (unsigned i = 0; !gone && clock_monotonic_ms() < give_up_ms; i++) {
        assert_int_equal(world_deliver(w, BOB, i, 100), STORE_STORED);
        gone = !has_large(w, alice.entries[0].message) && !has_large(w, alice.entries[1].message) &&
               !has_large(w, alice.entries[2].message);
    }
    assert_true(gone);
    assert_int_equal(store_figures(w->store).checkpoints, 1);
    maildrop_read_clear(&alice);
    world_is_whole(w);
}

/* A log that has grown is taken into the index, and begins anew, without holding up any batch. */
static void test_checkpoint(void **state)
{
    enum { AT_ONCE = 250, MAILBOXES = 2000, ROUNDS_MAX = 400 };
    struct world *w = *state;
    struct delivery *d = calloc(AT_ONCE, sizeof *d);
    unsigned seed = 0;
    for (int round = 0; round < ROUNDS_MAX && !store_figures(w->store).checkpoints; round++) {
        for (unsigned i = 0; i < AT_ONCE; i++, seed++) {
            assert_true(delivery_begin(w, &d[i], seed, 10, 0));
            delivery_to(&d[i], 1000000 + seed * 7919 % MAILBOXES);
            delivery_submit(&d[i]);
        }
        world_wait(w);
        for (unsigned i = 0; i < AT_ONCE; i++) {
            assert_int_equal(d[i].commit.verdict, STORE_STORED);
            delivery_end(&d[i]);
        }
    }
    assert_int_equal(store_figures(w->store).checkpoints, 1);
    assert_int_equal(w->troubles, 0);
    assert_int_equal(store_health(w->store), STORE_READY);
    assert_int_equal(world_deliver(w, ALICE, 1, 100), STORE_STORED);
    world_reopen(w);
    world_is_whole(w);
    free(d);
}

static void test_locks(void **state)
{
    struct world *w = *state;
    uint64_t first = maildrop_lock(w->store, ALICE, 1000, 0);
    assert_true(first != 0);
    assert_true(maildrop_lock(w->store, BOB, 1000, 0) != first);
    assert_true(maildrop_lock(w->store, ALICE, 2000, 900) == 0); /* not stale */
    assert_true(maildrop_touch(w->store, ALICE, first, 2000));
    assert_true(maildrop_lock(w->store, ALICE, 2500, 2000) == 0);
    uint64_t second = maildrop_lock(w->store, ALICE, 9000, 2001); /* taken over */
    assert_true(second != 0 && second != first);
    assert_false(maildrop_touch(w->store, ALICE, first, 9001));
    maildrop_unlock(w->store, ALICE, first); /* harmless */
    assert_true(maildrop_touch(w->store, ALICE, second, 9002));
    maildrop_unlock(w->store, ALICE, second);
    assert_false(maildrop_touch(w->store, ALICE, second, 9003));
    for (mailbox_id id = 1; id < 1000; id++)
        assert_true(maildrop_lock(w->store, id << 32 | 7, 1, 0) != 0);
    for (mailbox_id id = 1; id < 1000; id++)
        assert_true(maildrop_lock(w->store, id << 32 | 7, 1, 0) == 0);
}

static void test_expunge(void **state)
{
    struct world *w = *state;
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(world_deliver(w, ALICE, i, 100), STORE_STORED);
    assert_int_equal(world_expunge(w, ALICE, (uint32_t[]){ 2, 4, 4 }, 3), STORE_STORED);
    struct maildrop_read alice = world_list(w, ALICE);
    assert_int_equal(alice.count, 3);
    assert_int_equal(alice.octets, 3 * 130);
    assert_int_equal(alice.entries[1].uid, 3);
    maildrop_read_clear(&alice);
    /* A uid that was never given must not be buried before it is. */
    assert_int_equal(world_expunge(w, ALICE, (uint32_t[]){ 6 }, 1), STORE_REFUSED);
    assert_int_equal(world_expunge(w, ALICE, (uint32_t[]){ 0 }, 1), STORE_REFUSED);
    assert_int_equal(world_expunge(w, NOBODY, (uint32_t[]){ 1 }, 1), STORE_REFUSED);
    assert_int_equal(world_deliver(w, ALICE, 9, 100), STORE_STORED);
    alice = world_list(w, ALICE);
    assert_int_equal(alice.entries[3].uid, 6);
    maildrop_read_clear(&alice);
    world_is_whole(w);
    world_reopen(w);
    world_is_whole(w);
}

/* store rule 24: a session that was taken over deletes nothing. */
static void test_stale_token(void **state)
{
    struct world *w = *state;
    assert_int_equal(world_deliver(w, ALICE, 1, 100), STORE_STORED);
    struct delivery d = { .world = w };
    uint32_t uid = 1;
    uint64_t stale = maildrop_lock(w->store, ALICE, 10, 0);
    uint64_t fresh = maildrop_lock(w->store, ALICE, 20, 15);
    assert_true(fresh != 0);
    d.expunge = (struct expunge){ ALICE, stale, &uid, 1 };
    d.commit = (struct commit){ .expunge = &d.expunge, .home = w->loop };
    delivery_submit(&d);
    world_wait(w);
    assert_int_equal(d.commit.verdict, STORE_REFUSED);
    assert_non_null(strstr(d.commit.error.words, "taken the maildrop over"));
    struct maildrop_read alice = world_list(w, ALICE);
    assert_int_equal(alice.count, 1);
    maildrop_read_clear(&alice);
    d.expunge.token = fresh;
    delivery_submit(&d);
    world_wait(w);
    assert_int_equal(d.commit.verdict, STORE_STORED);
}

static void test_purge(void **state)
{
    struct world *w = *state;
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(world_deliver(w, ALICE, i, 100), STORE_STORED);
        assert_int_equal(world_deliver(w, BOB, i, 100), STORE_STORED);
    }
    assert_int_equal(world_purge(w, UINT64_MAX), STORE_REFUSED); /* no such id can be */
    assert_int_equal(world_purge(w, ALICE), STORE_STORED);
    struct maildrop_read alice = world_list(w, ALICE), bob = world_list(w, BOB);
    assert_int_equal(alice.count, 0);
    assert_int_equal(bob.count, 5);
    maildrop_read_clear(&alice);
    maildrop_read_clear(&bob);
    assert_int_equal(world_deliver(w, ALICE, 1, 100), STORE_REFUSED);
    world_is_whole(w);
    world_reopen(w);
    assert_int_equal(world_deliver(w, ALICE, 1, 100), STORE_REFUSED);
    world_is_whole(w);
}

static void test_ids(void **state)
{
    struct world *w = *state;
    message_id first = store_new_message_id(w->store);
    assert_true(store_new_message_id(w->store) == first + 1);
    world_reopen(w);
    message_id later = store_new_message_id(w->store);
    assert_true(later >> 31 != first >> 31);
    assert_true(later != 0 && later <= INT64_MAX);
}

static void test_one_process(void **state)
{
    struct world *w = *state;
    struct store *second;
    assert_false(store_open(&w->options, &second, &w->error));
    assert_int_equal(w->error.kind, ERROR_REFUSED);
    assert_null(second);
    assert_false(store_rebuild(w->path, NULL, NULL, &w->error));
    assert_int_equal(w->error.kind, ERROR_REFUSED);
}

static void remove_file(struct world *w, const char *name)
{
    char path[SCRATCH_PATH + 64];
    snprintf(path, sizeof path, "%s/%s", w->path, name);
    unlink(path);
}

/* Whatever is wrong with the index: the journal has everything. */
static void spoil_missing(struct world *w)
{
    remove_file(w, "index.db");
}
static void spoil_garbage(struct world *w)
{
    char path[SCRATCH_PATH + 64];
    snprintf(path, sizeof path, "%s/index.db", w->path);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    for (int i = 0; i < 20000; i++)
        fputc(i * 7 % 251, file);
    fclose(file);
}
static void run_sql(struct world *w, const char *sql)
{
    char path[SCRATCH_PATH + 64];
    sqlite3 *handle;
    snprintf(path, sizeof path, "%s/index.db", w->path);
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(handle);
}
static void spoil_position(struct world *w)
{
    run_sql(w, "UPDATE meta SET sequence = sequence + 5, offset = offset + 4096");
}
static void spoil_segment(struct world *w)
{
    run_sql(w, "UPDATE meta SET segment = 77");
}
static void spoil_uuid(struct world *w)
{
    run_sql(w, "UPDATE meta SET store_uuid = randomblob(16)");
}
static void spoil_version(struct world *w)
{
    run_sql(w, "PRAGMA user_version = 99");
}
static void spoil_behind(struct world *w)
{
    run_sql(w, "UPDATE meta SET segment = 0, offset = 0, sequence = 0, checksum = 0");
}

static void test_index_is_made_anew(void **state)
{
    static const struct {
        void (*spoil)(struct world *);
        const char *words;
        bool lost; /* the index has seen more than the journal has now */
    } cases[] = {
        { spoil_missing, "no index.db" },
        { spoil_garbage, "made anew" },
        { spoil_position, "mail was lost", .lost = true },
        { spoil_segment, "not there" },
        { spoil_uuid, "another store" },
        { spoil_version, "version 99" },
        { spoil_behind, NULL },
    };
    struct world *w = *state;
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(world_deliver(w, i % 2 ? ALICE : BOB, i, 6000), STORE_STORED);
    assert_int_equal(world_expunge(w, BOB, (uint32_t[]){ 1, 2, 3 }, 3), STORE_STORED);
    struct buffer before, after;
    buffer_init(&before, 1 << 20);
    buffer_init(&after, 1 << 20);
    assert_true(store_dump(w->path, false, &before, &w->error));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world_close(w);
        cases[i].spoil(w);
        w->last_trouble[0] = 0;
        if (!world_open(w))
            fail_msg("case %zu: %s", i, w->error.words);
        if (cases[i].words && !world_told(w, cases[i].words))
            fail_msg("case %zu: %s", i, w->last_trouble);
        after.len = 0;
        assert_true(store_dump(w->path, false, &after, &w->error));
        if (cases[i].lost) { /* uids may be given again, so they are of another validity */
            assert_false(text_equal(buffer_as_text(&before), buffer_as_text(&after)));
            before.len = 0;
            assert_true(buffer_text(&before, buffer_as_text(&after)));
        }
        assert_int_equal(before.len, after.len);
        assert_memory_equal(before.at, after.at, before.len);
        world_is_whole(w);
    }
    world_close(w);
    assert_true(store_rebuild(w->path, NULL, NULL, &w->error));
    assert_true(world_open(w));
    world_is_whole(w);
    buffer_clear(&before);
    buffer_clear(&after);
}

static void count_line(void *owner, const struct mailbox_summary *m)
{
    int *count = owner;
    *count += (int)m->count;
    assert_true(text_equal(m->address, T("someone@a.test")));
}
static bool take_second(void *owner, const struct maildrop_entry *e)
{
    struct maildrop_entry *kept = owner;
    *kept = *e;
    kept->prefix = (struct text){ NULL, 0 };
    return e->uid < 2;
}
static bool add_piece(void *owner, struct bytes piece)
{
    return buffer_append(owner, piece.at, piece.len);
}

static void test_command_line(void **state)
{
    struct world *w = *state;
    for (int round = 0; round < 2; round++) { /* beside a running server, and without */
        int count = 0;
        struct maildrop_entry entry = { 0 };
        struct buffer shown;
        buffer_init(&shown, 1 << 20);
        for (unsigned i = 0; round == 0 && i < 3; i++)
            assert_int_equal(world_deliver(w, ALICE, i, 100000), STORE_STORED);
        assert_true(store_each_mailbox(w->path, count_line, &count, &w->error));
        assert_int_equal(count, 3);
        assert_true(store_each_message(w->path, ALICE, take_second, &entry, &w->error));
        assert_int_equal(entry.uid, 2);
        assert_true(store_show_message(w->path, &entry, add_piece, &shown, &w->error));
        assert_int_equal(shown.len, 100000);
        buffer_clear(&shown);
        world_close(w);
    }
    char missing[SCRATCH_PATH + 16];
    int count = 0;
    snprintf(missing, sizeof missing, "%s/missing", w->path);
    assert_false(store_each_mailbox(missing, count_line, &count, &w->error));
    assert_int_equal(w->error.kind, ERROR_REFUSED);
    assert_true(world_open(w));
}

/* Random work, and after each stretch of it a restart: live and rebuilt index never differ. */
static void test_random_work(void **state)
{
    struct world *w = *state;
    unsigned x = 12345, uids[3] = { 0, 0, 0 };
    for (int stretch = 0; stretch < 6; stretch++) {
        for (int i = 0; i < 60; i++) {
            x = x * 1103515245 + 12345;
            unsigned box = (x >> 16) % 3, what = (x >> 20) % 8;
            mailbox_id mailbox = ALICE + box;
            if (what == 0 && uids[box] > 0) {
                uint32_t uid = (x >> 8) % uids[box] + 1;
                assert_int_equal(world_expunge(w, mailbox, &uid, 1), STORE_STORED);
            } else {
                size_t octets = what == 1 ? 1100000 : (x >> 5) % 20000;
                assert_int_equal(world_deliver(w, mailbox, x, octets), STORE_STORED);
                uids[box]++;
            }
        }
        world_is_whole(w);
        world_reopen(w);
        world_is_whole(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_message, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_sizes, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_many_at_once, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_counted_bodies, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_read_back, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_read_back_and_gone, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_body_memory, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_large_files_come_and_go, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(test_large_files_go_soon, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_checkpoint, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_locks, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_expunge, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_stale_token, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_purge, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_ids, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_one_process, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_index_is_made_anew, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_command_line, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_random_work, world_set_up, world_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
