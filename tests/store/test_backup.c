/* test_backup.c - what a backup holds, and what becomes of it when it is brought back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "faults.h"
#include "store_world.h"

#include "run/clock.h"
#include "run/disk.h"
#include "store/maildrop.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { FOLDER_PATH = SCRATCH_PATH + 16, MAILBOXES = 20, PAGE = 4096 };

/* A page that cannot be read, and how often that fails. */
static struct {
    uint8_t page[PAGE];
    int times;
} bad;

static int set_up(void **state)
{
    faults_clear();
    bad.times = 0;
    return world_set_up(state);
}

static int tear_down(void **state)
{
    faults_clear();
    return world_tear_down(state);
}

/* A folder beside what the store itself consists of. */
static void folder(const struct world *w, const char *name, char out[FOLDER_PATH])
{
    snprintf(out, FOLDER_PATH, "%s/%s", w->path, name);
}

static void back_up(struct world *w, const char *to)
{
    struct store_copied copied;
    if (!store_backup(w->path, to, &copied, &w->error))
        fail_msg("%s", w->error.words);
}

static void restore(struct world *w, const char *from, const char *to)
{
    struct store_restored restored;
    if (!store_restore(from, to, &restored, &w->error))
        fail_msg("%s", w->error.words);
}

/* --- Uidvalidity --- */

struct validities {
    uint32_t of[MAILBOXES];
    size_t count;
};

static void note_validity(void *owner, const struct mailbox_summary *mailbox)
{
    struct validities *v = owner;
    assert_true(v->count < MAILBOXES);
    v->of[v->count++] = mailbox->uid_validity;
}

static struct validities validities(struct world *w, const char *path)
{
    struct validities v = { .count = 0 };
    assert_true(store_each_mailbox(path, note_validity, &v, &w->error));
    assert_int_equal(v.count, MAILBOXES);
    return v;
}

/* A mailbox is opened by its first message. */
static void deliver_at(struct world *w, mailbox_id mailbox, int64_t arrived_ms)
{
    struct delivery d;
    assert_true(delivery_begin(w, &d, 1, 1000, 0));
    delivery_to(&d, mailbox);
    d.commit.arrived_ms = arrived_ms;
    delivery_submit(&d);
    world_wait(w);
    delivery_end(&d);
    assert_int_equal(d.commit.verdict, STORE_STORED);
}

/* Those that were opened in one second are ahead of the clock afterwards. */
static void test_each_mailbox_gets_a_greater_uidvalidity(void **state)
{
    struct world *w = *state;
    char kept[FOLDER_PATH], again[FOLDER_PATH];
    folder(w, "kept", kept);
    folder(w, "again", again);
    int64_t soon_ms = clock_wall_ms() + 3600 * 1000;
    for (mailbox_id i = 1; i <= MAILBOXES; i++)
        deliver_at(w, i * 37 % 101, soon_ms);
    back_up(w, kept);
    restore(w, kept, again);
    struct validities before = validities(w, w->path), after = validities(w, again);
    for (size_t i = 0; i < MAILBOXES; i++)
        assert_true(after.of[i] > before.of[i]);
}

/* --- Two stores of one origin --- */

static void deliver(struct world *w, mailbox_id mailbox, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(world_deliver(w, mailbox, i, 3000), STORE_STORED);
}

static void expect_whole(struct world *w, const char *path, uint64_t messages)
{
    struct store_restored restored;
    char again[FOLDER_PATH];
    uint64_t findings = 1;
    folder(w, "again", again);
    assert_true(store_verify(path, NULL, NULL, &findings, &w->error));
    assert_int_equal(findings, 0);
    assert_true(store_restore(path, again, &restored, &w->error));
    assert_int_equal(restored.messages, messages);
    scratch_remove(again);
}

/* Serves what is restored of that backup, from here on. */
static void go_back_to(struct world *w, const char *kept, const char *path)
{
    world_close(w);
    restore(w, kept, path);
    w->options.path = path;
    assert_true(world_open(w));
}

enum { MONDAY = 4, TUESDAY = 8, AGAIN = 13 };

/* Monday's and tuesday's backup of one store; then one that was restored from monday's gets other
 * mail, and is started some times without any, which leaves gaps in the numbers of its segments. */
static void fork_into(struct world *w, const char *monday, const char *tuesday, const char *path)
{
    deliver(w, 1, MONDAY);
    back_up(w, monday);
    for (int i = 0; i < TUESDAY; i++) {
        world_reopen(w);
        deliver(w, 1, 1);
    }
    back_up(w, tuesday);
    go_back_to(w, monday, path);
    deliver(w, 2, AGAIN - 1);
    for (int i = 0; i < 3; i++)
        world_reopen(w);
    deliver(w, 2, 1);
}

static void test_a_backup_with_mail_that_was_lost_is_left_alone(void **state)
{
    struct world *w = *state;
    struct store_copied copied;
    char monday[FOLDER_PATH], tuesday[FOLDER_PATH], path[FOLDER_PATH];
    folder(w, "monday", monday);
    folder(w, "tuesday", tuesday);
    folder(w, "path", path);
    fork_into(w, monday, tuesday, path);
    assert_false(store_backup(path, tuesday, &copied, &w->error));
    assert_int_equal(w->error.kind, ERROR_REFUSED);
    expect_whole(w, tuesday, MONDAY + TUESDAY);
    /* Monday's is continued. */
    assert_true(store_backup(path, monday, &copied, &w->error));
    expect_whole(w, monday, MONDAY + AGAIN);
}

/* Without its mark it is no backup, and nothing of it counts. */
static void test_what_was_left_of_another_backup_goes(void **state)
{
    struct world *w = *state;
    struct store_copied copied;
    char monday[FOLDER_PATH], tuesday[FOLDER_PATH], path[FOLDER_PATH], mark[2 * FOLDER_PATH];
    folder(w, "monday", monday);
    folder(w, "tuesday", tuesday);
    folder(w, "path", path);
    fork_into(w, monday, tuesday, path);
    snprintf(mark, sizeof mark, "%s/backup", tuesday);
    assert_int_equal(remove(mark), 0);
    assert_true(store_backup(path, tuesday, &copied, &w->error));
    expect_whole(w, tuesday, MONDAY + AGAIN);
}

/* --- Beside a server --- */

/* A name that leads nowhere is one that went between the listing and the copying. */
static void test_a_large_message_that_is_given_up_meanwhile(void **state)
{
    struct world *w = *state;
    char kept[FOLDER_PATH], name[2 * FOLDER_PATH];
    folder(w, "kept", kept);
    assert_int_equal(world_deliver(w, 1, 1, 1500000), STORE_STORED);
    snprintf(name, sizeof name, "%s/journal/large/0c00h5a000002", w->path);
    assert_int_equal(symlink("gone", name), 0);
    back_up(w, kept);
    assert_int_equal(remove(name), 0);
    expect_whole(w, kept, 1);
}

static void test_a_folder_that_a_backup_writes_into_is_not_restored(void **state)
{
    struct world *w = *state;
    struct store_restored restored;
    struct disk *disk = NULL;
    struct disk_file *lock = NULL;
    char kept[FOLDER_PATH], again[FOLDER_PATH];
    folder(w, "kept", kept);
    folder(w, "again", again);
    deliver(w, 1, 1);
    back_up(w, kept);
    assert_true(disk_open(kept, false, &disk, &w->error));
    assert_true(disk_lock(disk, "lock", &lock, &w->error));
    assert_false(store_restore(kept, again, &restored, &w->error));
    assert_int_equal(w->error.kind, ERROR_REFUSED);
    disk_unlock(&lock);
    disk_close(&disk);
    expect_whole(w, kept, 1);
}

/* --- A disk that begins to die --- */

bool __real_disk_file_read(struct disk_file *, uint64_t, void *, size_t, size_t *, struct error *);
bool __wrap_disk_file_read(struct disk_file *, uint64_t, void *, size_t, size_t *, struct error *);
/* Pages are known by what they hold. */
bool __wrap_disk_file_read(struct disk_file *file, uint64_t offset, void *to, size_t len,
                           size_t *read_out, struct error *e)
{
    bool ok = __real_disk_file_read(file, offset, to, len, read_out, e);
    for (size_t at = 0; ok && bad.times != 0 && at + PAGE <= *read_out; at += PAGE) {
        if (memcmp((const uint8_t *)to + at, bad.page, PAGE) != 0)
            continue;
        bad.times -= bad.times > 0;
        return error_system(e, ERROR_TEMPORARY, EIO, "cannot read");
    }
    return ok;
}

/* The third page with mail of the first segment: `times` reads of it fail, or all (-1). */
static void make_bad(const struct world *w, int times)
{
    char name[2 * FOLDER_PATH];
    snprintf(name, sizeof name, "%s/journal/00000001.seg", w->path);
    int fd = open(name, O_RDONLY);
    assert_int_equal(pread(fd, bad.page, PAGE, 4 * PAGE), PAGE);
    close(fd);
    bad.times = times;
}

static uint64_t octets_missing(struct world *w, const char *kept)
{
    struct store_copied copied;
    char mark[2 * FOLDER_PATH];
    assert_true(store_backup(w->path, kept, &copied, &w->error));
    snprintf(mark, sizeof mark, "%s/unreadable", kept);
    assert_int_equal(access(mark, F_OK) == 0, copied.holes.octets > 0);
    if (copied.holes.octets > 0)
        assert_string_equal(copied.holes.first, "journal/00000001.seg");
    return copied.holes.octets;
}

/* The rest is copied, and nobody takes it for all, as often as it is tried. */
static void test_what_cannot_be_read_is_missing(void **state)
{
    struct world *w = *state;
    char kept[FOLDER_PATH];
    folder(w, "kept", kept);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(world_deliver(w, 1, i, 30000), STORE_STORED);
    make_bad(w, -1);
    for (int i = 0; i < 2; i++) {
        uint64_t findings = 0;
        assert_int_equal(octets_missing(w, kept), PAGE);
        assert_true(store_verify(kept, NULL, NULL, &findings, &w->error));
        assert_true(findings > 0);
    }
    bad.times = 0;
    assert_int_equal(octets_missing(w, kept), 0);
    expect_whole(w, kept, 6);
}

/* The segment has grown, so it is copied again; the page is in the copy of before. */
static void test_what_cannot_be_read_was_copied_before(void **state)
{
    struct world *w = *state;
    char kept[FOLDER_PATH];
    folder(w, "kept", kept);
    assert_int_equal(world_deliver(w, 1, 1, 30000), STORE_STORED);
    back_up(w, kept);
    assert_int_equal(world_deliver(w, 1, 2, 3000), STORE_STORED);
    make_bad(w, 2);
    assert_int_equal(octets_missing(w, kept), 0);
    assert_int_equal(bad.times, 0);
    expect_whole(w, kept, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_folder_that_a_backup_writes_into_is_not_restored,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_read_is_missing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_read_was_copied_before, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_large_message_that_is_given_up_meanwhile, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_backup_with_mail_that_was_lost_is_left_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_left_of_another_backup_goes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_each_mailbox_gets_a_greater_uidvalidity, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
